"""Programs and layers for the tests of estimates."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from conformance.sketch import Sketch

from pytest_npu_compat.analysis.dataflow import STRUCTURAL, Dataflow
from pytest_npu_compat.analysis.estimate import estimate
from pytest_npu_compat.analysis.facts import collect
from pytest_npu_compat.analysis.metrics import Facts
from pytest_npu_compat.analysis.placement import Placement, place
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.model.program import Operator, Program
from pytest_npu_compat.target.cost import OnChip, PassCost, Step
from pytest_npu_compat.target.ethos_n78.target import EthosN78

__all__ = ["LAYERS", "estimated", "layer", "owned", "partition_passes", "without"]

LAYERS: dict[str, dict[str, Any]] = {
    # rules 7.5: the layers that were run through the library's own estimator
    "conv 56×56×64→64 3×3": {"size": 56, "inputs": 64, "out": 64, "k": 3},
    "conv 56×56×64→64 1×1": {"size": 56, "inputs": 64, "out": 64, "k": 1},
    "conv 224×224×3→64 7×7 s2": {"size": 224, "inputs": 3, "out": 64, "k": 7, "s": 2},
    "conv 56×56×64→128 3×3 s2": {"size": 56, "inputs": 64, "out": 128, "k": 3, "s": 2},
    "depthwise 56×56×64 3×3": {"size": 56, "inputs": 64, "out": 64, "k": 3, "depthwise": True},
    "depthwise 56×56×64 3×3 s2": {
        "size": 56,
        "inputs": 64,
        "out": 64,
        "k": 3,
        "s": 2,
        "depthwise": True,
    },
    "conv 320×320×64→64 3×3": {"size": 320, "inputs": 64, "out": 64, "k": 3},
    "conv 13×13×1024→1024 3×3": {"size": 13, "inputs": 1024, "out": 1024, "k": 3},
    "conv 20×20×512→255 1×1": {"size": 20, "inputs": 512, "out": 255, "k": 1},
}


def layer(
    size: int, inputs: int, out: int, k: int, s: int = 1, *, depthwise: bool = False
) -> Program:
    """A network of one convolution."""
    g = Sketch()
    root = g.conv(g.input((1, size, size, inputs)), out, k, s)
    if depthwise:
        conv = g.calls[0]
        weights = g.constant((k, k, out, 1))
        attrs = {**conv.attrs, "groups": out, "kernel_layout": "HWOI"}
        g.calls[0] = dataclasses.replace(conv, args=(conv.args[0], weights), attrs=attrs)
    return g.finish(root)


def owned(program: Program, placement: Placement | None = None) -> Program:
    """The program with an operator for each composite, and for each other call."""
    placement = placement or place(program, EthosN78())
    groups = [composite.calls for composite in placement.composites]
    taken = {i for calls in groups for i in calls}
    groups += [(c.index,) for c in program.calls if c.index not in taken and c.op not in STRUCTURAL]
    operators, owner = [], {}
    for index, calls in enumerate(sorted(groups, key=lambda calls: calls[-1])):
        owner.update(dict.fromkeys(calls, index))
        macs = sum(_macs(program, i) for i in calls)
        name, kind = f"op{index}", program.calls[calls[-1]].op
        operators.append(
            Operator(index, name, kind, (name,), (), macs, tuple(calls), "integer", "")
        )
    calls = tuple(
        dataclasses.replace(c, operator=owner.get(c.index)) if c.operator is not None else c
        for c in program.calls
    )
    return dataclasses.replace(program, calls=calls, operators=tuple(operators))


def _macs(program: Program, index: int) -> int:
    call = program.calls[index]
    if call.op not in ("qnn.conv2d", "qnn.dense"):
        return 0
    weights = program.type_of(call.args[1]).static_shape
    assert weights is not None
    if call.op == "qnn.dense":
        return weights[0] * weights[1]
    return (call.type.elements or 0) * weights[0] * weights[1] * weights[2]


def without(placement: Placement, roots: Collection[int]) -> Placement:
    """The placement with some composites moved to the CPU."""
    left = [tuple(r for r in partition if r not in roots) for partition in placement.partitions]
    return dataclasses.replace(placement, partitions=tuple(p for p in left if p))


def estimated(
    placement: Placement, platform: Platform | None = None, target: EthosN78 | None = None
) -> Facts:
    """The facts of a placement with estimates."""
    return estimate(collect(placement), placement, target or EthosN78(), platform or Platform())


def partition_passes(
    program: Program, on_chip: OnChip = "fitting"
) -> Sequence[tuple[PassCost, ...]]:
    """The passes of each composite of a program that is one partition."""
    target = EthosN78()
    placement = place(program, target)
    assert len(placement.partitions) == 1
    flow = Dataflow(program)
    composites = {c.root: c for c in placement.composites}
    members = [composites[root] for root in placement.partitions[0]]
    steps = [
        Step(
            c.name,
            tuple(program.calls[i] for i in c.calls),
            tuple(ref for ref in flow.reads(c.calls) if not program.is_constant(ref)),
            flow.made((c.root,)),
        )
        for c in members
    ]
    leaving = frozenset(flow.leaving([i for c in members for i in c.calls]))
    return target.passes(program, steps, leaving, on_chip)
