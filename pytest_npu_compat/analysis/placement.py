"""Program + target -> who goes where, and why not: matching by TVM, regions as the reference forms them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_npu_compat.analysis.regions import RegionNode, form_regions
from pytest_npu_compat.model.program import Call, Program, Ref
from pytest_npu_compat.target.base import Hazard, Judgement, Pattern, Target
from pytest_npu_compat.target.constraint import Violation

if TYPE_CHECKING:
    import tvm

__all__ = ["Composite", "Placement", "Rejection", "place"]

_STRUCTURAL = {"tuple", "tuple_get_item"}


@dataclass(frozen=True)
class Composite:
    """Calls that a pattern matched and the target takes.

    Attributes:
        name: E.g. ``ethos-n78.conv2d``.
        calls: Indices of its calls, in order of execution.
        computes: Whether it multiplies and accumulates.
        hazards: What the real stack does wrong with it.
    """

    name: str
    calls: tuple[int, ...]
    computes: bool
    hazards: tuple[Hazard, ...]

    @property
    def root(self) -> int:
        """The call whose result leaves the composite."""
        return self.calls[-1]


@dataclass(frozen=True)
class Rejection:
    """Calls that a pattern matched and the target refuses.

    Attributes:
        calls: Indices of the calls, in order of execution.
        violations: The constraints they break.
    """

    calls: tuple[int, ...]
    violations: tuple[Violation, ...]


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
            if call.op not in _STRUCTURAL and call.index not in on_npu
        )


def place(program: Program, target: Target) -> Placement:
    """Places every call of a program.

    Args:
        program: A model in integer form.
        target: What to place it on.
    """
    patterns = target.patterns()
    journal = _Journal(program)
    module = _fuse(program, patterns, journal)
    composites = _composites(module, patterns, journal)
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
    matched = {index for composite in composites for index in composite.calls}
    unmatched = {
        call.index: target.unmatched(program, call)
        for call in program.calls
        if call.index not in matched and call.op not in _STRUCTURAL
    }
    inlines = target.inline_non_compute_intensive_partitions
    return Placement(
        program=program,
        composites=composites,
        partitions=tuple(kept),
        sent_back=frozenset(sent_back),
        pass_through=0 if inlines else regions.pass_through,
        cyclic=cyclic,
        cyclic_hazard=target.cyclic_hazard,
        rejections=tuple(journal.rejections.values()),
        unmatched=unmatched,
        module=None if cyclic else _partitioned(module, target, kept),
    )


class _Journal:
    """What the check functions saw: the reasons of rejected matches, the hazards of taken ones."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.rejections: dict[int, Rejection] = {}
        self.hazards: dict[int, tuple[Hazard, ...]] = {}

    def record(self, pattern: Pattern, calls: Sequence[Call]) -> bool:
        judgement: Judgement = pattern.judge(self.program, calls)
        root = calls[-1].index
        if not judgement.violations:
            self.rejections.pop(root, None)
            self.hazards[root] = judgement.hazards
            return True
        # Of several refused matches the longest says most (a convolution, not its requantize);
        # among equals the one tried last is the most general form.
        known = self.rejections.get(root)
        if known is None or len(known.calls) <= len(calls):
            indices = tuple(call.index for call in calls)
            self.rejections[root] = Rejection(indices, judgement.violations)
        return False


def _call_indices(expressions: Sequence[Any]) -> list[int]:
    from tvm import relax

    from pytest_npu_compat.model.relax_module import CALL_ATTR

    return sorted(
        int(expr.attrs[CALL_ATTR])
        for expr in expressions
        if isinstance(expr, relax.Call)
        and expr.attrs is not None
        and CALL_ATTR in expr.attrs.keys()  # noqa: SIM118 - DictAttrs is no dict
    )


def _function_calls(function: Any) -> list[int]:
    """Indices of the calls in the body of a composite function, in order of execution."""
    return _call_indices([b.value for block in function.body.blocks for b in block.bindings])


def _fuse(program: Program, patterns: Sequence[Pattern], journal: _Journal) -> tvm.IRModule:
    """Runs TVM's FuseOpsByPattern with the target's patterns and constraints."""
    from tvm import relax

    from pytest_npu_compat.model import relax_module

    present = {call.op for call in program.calls}
    readers = {index: set(users) for index, users in program.users().items()}
    for position, ref in enumerate(program.outputs):
        if isinstance(ref, int):
            readers[ref].add(len(program.calls) + position)

    def check(pattern: Pattern) -> Any:
        def accept(context: relax.transform.PatternCheckContext) -> bool:
            indices = _call_indices(list(context.matched_bindings.values()))
            # TVM 0.27 would copy or fuse a result that is read elsewhere too; the reference throws such
            # a match away (rules 2.2).
            if any(readers[i] - set(indices) for i in indices[:-1]):
                return False
            return journal.record(pattern, [program.calls[i] for i in indices])

        return accept

    for op in present - _STRUCTURAL:
        relax_module.register(op)
    fusion = [
        (p.composite, built, {"root": built}, check(p))
        for p in patterns
        if p.ops <= present
        for built in [p.build()]
    ]
    module = relax_module.build(program)
    return relax.transform.FuseOpsByPattern(fusion, bind_constants=False)(module)


def _composites(
    module: tvm.IRModule, patterns: Sequence[Pattern], journal: _Journal
) -> tuple[Composite, ...]:
    computes = {pattern.composite: pattern.computes for pattern in patterns}
    found = []
    for function in module.functions.values():
        if function.attrs is None or "Composite" not in function.attrs:
            continue
        name = str(function.attrs["Composite"])
        calls = _function_calls(function)
        found.append(
            Composite(name, tuple(calls), computes[name], journal.hazards.get(calls[-1], ()))
        )
    return tuple(sorted(found, key=lambda composite: composite.root))


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
        if function.attrs is not None and "Composite" in function.attrs:
            root = _function_calls(function)[-1]
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
