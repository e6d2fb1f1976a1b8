"""Operator -> broken constraints: which rules apply to which composite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any

import numpy as np

from pytest_npu_compat.target.constraint import Constraint, Violation, violations
from pytest_npu_compat.target.ethos_n78 import constraints as rules
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    Concatenate,
    Convolution,
    DepthToSpace,
    Fixed,
    FullyConnected,
    LeakyRelu,
    Mean,
    MultiplyConstant,
    Pool,
    Quant,
    Reinterpret,
    Requantize,
    Reshape,
    Resize,
    Split,
    Tensor,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

__all__ = [
    "add_as_depthwise",
    "as_reinterpret",
    "constraints_of",
    "converted_to",
    "judge",
    "multiply_as_depthwise",
]

Rules = Sequence[Constraint[Any]]


@singledispatch
def constraints_of(op: object) -> Rules:
    """The constraints that decide about an operator, in the reference's order."""
    raise TypeError(f"no constraints for {type(op).__name__}")


_BY_TYPE: dict[type, Callable[[Any], Rules] | Rules] = {
    Convolution: lambda op: (
        rules.TRANSPOSED
        if op.transposed
        else rules.DEPTHWISE
        if op.depthwise
        else rules.CONVOLUTION
    ),
    FullyConnected: rules.FULLY_CONNECTED,
    Pool: lambda op: rules.MAX_POOL if op.kind == "max" else rules.AVERAGE_POOL,
    Mean: rules.MEAN,
    Fixed: rules.FIXED,
    LeakyRelu: rules.LEAKY_RELU,
    Addition: rules.ADDITION,
    Reinterpret: rules.REINTERPRET,
    Concatenate: rules.CONCATENATE,
    Split: rules.SPLIT,
    Resize: rules.RESIZE,
    Requantize: rules.REQUANTIZE,
    Reshape: rules.RESHAPE,
    DepthToSpace: rules.DEPTH_TO_SPACE,
    Clip: rules.CLIP,
}

for _type, _rules in _BY_TYPE.items():
    constraints_of.register(_type, _rules if callable(_rules) else lambda _op, fixed=_rules: fixed)


def judge(op: object, npu: Capabilities) -> tuple[Violation, ...]:
    """The constraints that an operator breaks on a variant; none if it is supported."""
    if isinstance(op, MultiplyConstant):
        return _first_accepted(
            _with(op, npu, rules.MULTIPLY_SCALAR, as_reinterpret),
            _with(op, npu, rules.CHANNEL_CONSTANT, multiply_as_depthwise),
        )
    if isinstance(op, AddConstant):
        return _first_accepted(
            _with(op, npu, rules.ADD_SCALAR, as_reinterpret),
            _with(op, npu, rules.CHANNEL_CONSTANT, add_as_depthwise),
            judge(Addition(op.input, op.constant, op.output), npu),
        )
    return violations(op, npu, constraints_of(op))


def converted_to(op: MultiplyConstant | AddConstant, npu: Capabilities) -> str | None:
    """What TVM's ConvertEquivalents makes of a binary operator with a constant (CE:300-359).

    Returns:
        ``reinterpret_quantize``, ``depthwise_1x1``, ``qnn_add_with_constant`` for an addition that
        stays one, or None if the operator is not supported.
    """
    scalar = rules.MULTIPLY_SCALAR if isinstance(op, MultiplyConstant) else rules.ADD_SCALAR
    depthwise: Callable[[Any], object] = (
        multiply_as_depthwise if isinstance(op, MultiplyConstant) else add_as_depthwise
    )
    if not _with(op, npu, scalar, as_reinterpret):
        return "reinterpret_quantize"
    if not _with(op, npu, rules.CHANNEL_CONSTANT, depthwise):
        return "depthwise_1x1"
    return None if judge(op, npu) else "qnn_add_with_constant"


def _with(
    op: Any, npu: Capabilities, own: Rules, convert: Callable[[Any], object]
) -> tuple[Violation, ...]:
    return violations(op, npu, own) or judge(convert(op), npu)


def _first_accepted(*attempts: tuple[Violation, ...]) -> tuple[Violation, ...]:
    return () if () in attempts else attempts[-1]


def as_reinterpret(op: MultiplyConstant | AddConstant) -> Reinterpret:
    """A scalar multiply or add, rewritten as a change of quantization (CE:89-137)."""
    return Reinterpret(op.input, op.output)


def multiply_as_depthwise(op: MultiplyConstant) -> Convolution:
    """A multiply by one value per channel, rewritten as a 1x1 depthwise convolution (CE:89-127)."""
    return _depthwise(op, op.constant.dtype, op.constant.quant)


def add_as_depthwise(op: AddConstant) -> Convolution:
    """An addition of one value per channel, rewritten as an identity 1x1 depthwise convolution.

    The kernel's scale is 1 / round(1 / ((min(out / in, 1) + 1 / 255) / 2)) (CE:137-202).
    """
    with np.errstate(all="ignore"):
        quotient = np.float32(op.output.quant.scale) / np.float32(op.input.quant.scale)
        ratio = min(float(quotient), 1.0)
        inverse = np.float32(1.0) / np.float32((ratio + 1.0 / 255.0) / 2.0)
    scale = 1.0 / max(int(inverse + 0.5), 1) if np.isfinite(inverse) else 1.0
    return _depthwise(op, op.input.dtype, Quant((scale,), 0))


def _depthwise(op: MultiplyConstant | AddConstant, dtype: str, quant: Quant) -> Convolution:
    channels = op.output.shape[-1]
    return Convolution(
        input=op.input,
        output=op.output,
        weights=Tensor((1, 1, channels, 1), dtype, quant),
        bias_shape=(channels,),
        groups=channels,
        output_channels=channels,
        kernel_layout="HWOI",
    )
