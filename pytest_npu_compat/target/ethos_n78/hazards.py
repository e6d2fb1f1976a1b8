"""Hazards: operators that the real stack accepts and then computes wrongly, or fails to build.

None of them changes a verdict. Each is stated in the reference's sources or was seen in a run of it
(rules 3.2, 3.5, 3.11 to 3.13, 3.17).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch

from pytest_npu_compat.target.base import Hazard
from pytest_npu_compat.target.ethos_n78.arithmetic import scaled_by_constant, shifted_by_constant
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Convolution,
    FullyConnected,
    MultiplyConstant,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

__all__ = ["ALL_HAZARDS", "CYCLIC", "hazards"]


def _hazard(rule: str, message: str, remedy: str) -> Callable[[str], Hazard]:
    return lambda actual: Hazard(rule, message, actual, remedy)


PAD_VALUE = _hazard(
    "pad-value",
    "A separate pad is folded into the convolution, which pads with the zero point whatever the "
    "pad's mode and value: the result is computed wrongly.",
    "Pad with zeros (constant mode), or pad outside the quantized graph.",
)
FC_PER_CHANNEL = _hazard(
    "fc-per-channel",
    "TVM passes on only the first of a fully connected layer's weight scales: all other output "
    "channels are computed wrongly.",
    "Quantize the weights of fully connected layers per tensor.",
)
FC_BUILD = _hazard(
    "fc-too-many-outputs",
    "The partitioner accepts this fully connected layer, but the build fails: its weights exceed "
    "the depth limit of constants.",
    "Split the layer, or use a larger variant.",
)
SCALAR_MULTIPLY = _hazard(
    "mul-scalar-tolerance",
    "The multiplication is replaced by a change of scale although it is no identity (the tolerance "
    "is 0.004 absolute): the result is off by the ratio of the two scales.",
    "Give the output exactly the scale input scale x factor and the input's zero point, or fold the "
    "factor into the weights.",
)
SCALAR_ADD = _hazard(
    "add-scalar-one-sided",
    "The addition of a scalar is replaced by a change of zero point although scale or zero point "
    "do not match (TVM's test is one-sided): the result is computed wrongly.",
    "Fold the summand into the bias of the layer before it.",
)
SAME_OPERAND = _hazard(
    "add-same-operand",
    "The partitioner accepts x + x, but the build fails: the partition has one parameter instead "
    "of two.",
    "Multiply by 2 in the weights of the layer before it.",
)
CYCLIC = _hazard(
    "cyclic-partitions",
    "Two partitions need each other's results, and TVM 0.18 crashes on this shape.",
    "Change the order of the graph's outputs, or replace the CPU operator between the two.",
)

ALL_HAZARDS: tuple[Callable[[str], Hazard], ...] = (
    PAD_VALUE,
    FC_PER_CHANNEL,
    FC_BUILD,
    SCALAR_MULTIPLY,
    SCALAR_ADD,
    SAME_OPERAND,
    CYCLIC,
)

EPSILON = 1e-6
"""Relative difference below which two float32 scales count as the same."""


@singledispatch
def hazards(op: object, npu: Capabilities) -> tuple[Hazard, ...]:
    """The hazards of an operator that the NPU takes."""
    return ()


@hazards.register
def _(op: Convolution, npu: Capabilities) -> tuple[Hazard, ...]:
    pad = op.pad
    if pad is None or (pad.mode == "constant" and pad.value == op.input.quant.zero_point):
        return ()
    shown = f"value {pad.value} instead of the zero point {op.input.quant.zero_point}"
    return (PAD_VALUE(f"mode {pad.mode}" if pad.mode != "constant" else shown),)


@hazards.register
def _(op: FullyConnected, npu: Capabilities) -> tuple[Hazard, ...]:
    found = []
    if len(op.weights.quant.scales) > 1:
        found.append(FC_PER_CHANNEL(f"{len(op.weights.quant.scales)} scales"))
    if op.weights.shape[0] > npu.max_channels:
        found.append(
            FC_BUILD(f"{op.weights.shape[0]} outputs, at most {npu.max_channels} on {npu.name}")
        )
    return tuple(found)


@hazards.register
def _(op: MultiplyConstant, npu: Capabilities) -> tuple[Hazard, ...]:
    if op.value is None:
        return ()
    new, out = float(scaled_by_constant(op)), op.output.quant
    if _close(new, out.scale) and op.input.quant.zero_point == out.zero_point:
        return ()
    return (
        SCALAR_MULTIPLY(
            f"scale {new:.6g} becomes {out.scale:.6g}, "
            f"zero point {op.input.quant.zero_point} becomes {out.zero_point}"
        ),
    )


@hazards.register
def _(op: AddConstant, npu: Capabilities) -> tuple[Hazard, ...]:
    if op.value is None:
        return ()
    before, after = op.input.quant, op.output.quant
    wanted = float(shifted_by_constant(op))
    if _close(before.scale, after.scale) and abs(wanted - after.zero_point) <= 0.5:
        return ()
    return (
        SCALAR_ADD(
            f"scale {before.scale:.6g} becomes {after.scale:.6g}, zero point "
            f"{wanted:.4g} becomes {after.zero_point}"
        ),
    )


@hazards.register
def _(op: Addition, npu: Capabilities) -> tuple[Hazard, ...]:
    return (SAME_OPERAND("both operands are the same tensor"),) if op.same_operand else ()


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= EPSILON * max(abs(a), abs(b))
