"""Program + target -> who goes where, and why not: matching by TVM, regions as the reference forms them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_npu_compat.analysis.dataflow import STRUCTURAL
from pytest_npu_compat.analysis.matching import (
    Composite,
    Matches,
    Rejection,
    composite_calls,
    match,
)
from pytest_npu_compat.analysis.regions import RegionNode, form_regions
from pytest_npu_compat.model.program import Call, Program, Ref
from pytest_npu_compat.target.base import Hazard, Target
from pytest_npu_compat.target.constraint import Violation

if TYPE_CHECKING:
    import tvm

__all__ = ["Placement", "place"]


@dataclass(frozen=True)
class Placement:
    """Where the calls of a program run.

    Attributes:
        program: The program.
        composites: All that the target takes, in order of execution.
        partitions: Composites (by their root) of each partition, in order of execution.
        sent_back: Roots of the composites that the rule about regions without multiply-accumulates
            returned to the CPU.
        pass_through: Partitions that compute nothing (only without that rule).
        cyclic: Partitions that need each other's results.
        cyclic_hazard: What the real stack does with those.
        rejections: Matches that broke constraints, one for each root call.
        unmatched: Call that no pattern takes -> why.
        module: The partitioned module; None where partitions are cyclic.
    """

    program: Program
    composites: tuple[Composite, ...]
    partitions: tuple[tuple[int, ...], ...]
    sent_back: frozenset[int]
    pass_through: int
    cyclic: frozenset[int]
    cyclic_hazard: Hazard
    rejections: tuple[Rejection, ...]
    unmatched: Mapping[int, Violation]
    module: tvm.IRModule | None

    def host_calls(self) -> tuple[Call, ...]:
        """Calls left on the CPU, conversions at the graph's borders included."""
        kept = {root for partition in self.partitions for root in partition}
        on_npu = {i for c in self.composites if c.root in kept for i in c.calls}
        return tuple(
            call
            for call in self.program.calls
            if call.op not in STRUCTURAL and call.index not in on_npu
        )


def place(program: Program, target: Target) -> Placement:
    """Places every call of a program.

    Args:
        program: A model in integer form.
        target: What to place it on.
    """
    matches = match(program, target)
    if target.matching == "relax":
        return _placed_by_relax(program, target, matches)
    composites = matches.composites
    graph, root = _region_graph(program, composites)
    regions = form_regions(graph, root)
    by_root = {composite.root: composite for composite in composites}
    kept: list[tuple[int, ...]] = []
    sent_back: list[int] = []
    for partition in regions.partitions:
        roots = tuple(sorted(partition))
        computes = any(by_root[r].computes for r in roots)
        if computes or not target.inline_non_compute_intensive_partitions:
            kept.append(roots)
        else:
            sent_back.extend(roots)
    kept.sort()
    cyclic = frozenset(i for i, roots in enumerate(kept) if set(roots) & set(regions.cyclic))
    inlines = target.inline_non_compute_intensive_partitions
    return Placement(
        program=program,
        composites=composites,
        partitions=tuple(kept),
        sent_back=frozenset(sent_back),
        pass_through=0 if inlines else regions.pass_through,
        cyclic=cyclic,
        cyclic_hazard=target.cyclic_hazard,
        rejections=matches.rejections,
        unmatched=_unmatched(program, target, composites),
        module=None if cyclic else _partitioned(matches.module, target, kept),
    )


def _placed_by_relax(program: Program, target: Target, matches: Matches) -> Placement:
    """Regions as TVM's MergeCompositeFunctions forms them, which leaves no cycles."""
    from tvm import relax

    module = relax.transform.MergeCompositeFunctions()(matches.module)
    partitions = [
        tuple(sorted(calls[-1] for calls in _inner_composites(function)))
        for function in module.functions.values()
        if function.attrs is not None and "Codegen" in function.attrs
    ]
    return Placement(
        program=program,
        composites=matches.composites,
        partitions=tuple(sorted(partitions)),
        sent_back=frozenset(),
        pass_through=0,
        cyclic=frozenset(),
        cyclic_hazard=target.cyclic_hazard,
        rejections=matches.rejections,
        unmatched=_unmatched(program, target, matches.composites),
        module=module,
    )


def _inner_composites(partition: Any) -> list[list[int]]:
    """The calls of each composite function inside of a partition."""
    values = [binding.value for block in partition.body.blocks for binding in block.bindings]
    return [calls for value in values if (calls := composite_calls(value))]


def _unmatched(
    program: Program, target: Target, composites: Sequence[Composite]
) -> dict[int, Violation]:
    """Why no pattern takes the calls that are in no composite."""
    matched = {index for composite in composites for index in composite.calls}
    return {
        call.index: target.unmatched(program, call)
        for call in program.calls
        if call.index not in matched and call.op not in STRUCTURAL
    }


def _region_graph(
    program: Program, composites: Sequence[Composite]
) -> tuple[dict[int, RegionNode], int]:
    """The graph as the reference sees it: composites are single nodes, borders are outside."""
    owner = {index: c.root for c in composites for index in c.calls}
    border = {
        call.index for call in program.calls if call.operator is None and call.op == "qnn.quantize"
    }

    def node(ref: Ref) -> int | None:
        return None if isinstance(ref, str) or ref in border else owner.get(ref, ref)

    inputs: dict[int, list[int | None]] = {}
    for call in program.calls:
        if call.index in border:
            continue
        own = owner.get(call.index, call.index)
        outside = [node(ref) for ref in call.args]
        inputs.setdefault(own, []).extend(ref for ref in outside if ref is None or ref != own)
    kinds = {"tuple": "tuple", "tuple_get_item": "item"}
    graph = {
        index: RegionNode(
            kinds.get(program.calls[index].op, "call"), tuple(refs), index in set(owner.values())
        )
        for index, refs in inputs.items()
    }
    results = [_result(program, ref, node) for ref in program.outputs]
    if len(results) == 1 and results[0] is not None:
        return graph, results[0]
    root = len(program.calls)
    graph[root] = RegionNode("tuple", tuple(results))
    return graph, root


def _result(program: Program, ref: Ref, node: Any) -> int | None:
    """What a graph output reads, without the conversion to float at the border."""
    if isinstance(ref, int):
        call = program.calls[ref]
        if call.operator is None and call.op == "qnn.dequantize":
            ref = call.args[0]
    found: int | None = node(ref)
    return found


def _partitioned(
    module: tvm.IRModule, target: Target, partitions: Sequence[Sequence[int]]
) -> tvm.IRModule:
    """Hands the regions to TVM's MergeCompositeFunctions, which then makes them functions.

    MergeCompositeFunctions merges neighbours whose composite names share the prefix before the dot,
    so every region gets a prefix of its own; what stays on the CPU keeps no prefix at all.
    """
    import tvm
    from tvm import relax

    region_of = {root: i for i, roots in enumerate(partitions) for root in roots}
    functions, returned = {}, {}
    for variable, function in module.functions.items():
        if calls := composite_calls(function):
            root = calls[-1]
            if root not in region_of:
                returned[variable] = function.without_attr("Composite").without_attr("Primitive")
                continue
            name = str(function.attrs["Composite"]).split(".", 1)[1]
            function = function.with_attr("Composite", f"region{region_of[root]}.{name}")
        functions[variable] = function
    if returned:
        main = module.get_global_var("main")
        functions[main] = functions[main].inline_functions(returned)
    merged = relax.transform.MergeCompositeFunctions()(tvm.IRModule(functions))
    result = {}
    for variable, function in merged.functions.items():
        codegen = function.attrs and function.attrs.get("Codegen")
        if codegen and str(codegen).startswith("region"):
            function = function.with_attr("Codegen", target.name)
        result[variable] = function
    return tvm.IRModule(result)
