"""Arithmetic that the rules share, in the reference's own precision."""

from __future__ import annotations

import numpy as np

from pytest_npu_compat.model.quantization import DTYPE_RANGES
from pytest_npu_compat.target.ethos_n78.operators import AddConstant, MultiplyConstant, Tensor

__all__ = [
    "EXPRESSIBLE",
    "overall_scale",
    "pool_result",
    "round_up",
    "same_paddings",
    "scaled_by_constant",
    "shifted_by_constant",
    "to_int16",
]

EXPRESSIBLE = {name: DTYPE_RANGES[name] for name in ("int8", "uint8", "int32")}
"""Ranges of the types that TVM can hand to the support library (API:941-956)."""


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is not below a value."""
    return -(-value // multiple) * multiple


def overall_scale(input_: Tensor, weight_scale: float, output: Tensor) -> float:
    """Input x weight / output scale, in float32 as the library computes it."""
    with np.errstate(all="ignore"):
        product = np.float32(input_.quant.scale) * np.float32(weight_scale)
        return float(product / np.float32(output.quant.scale))


def scaled_by_constant(op: MultiplyConstant) -> float:
    """Input scale x constant: the scale that a multiplication by a scalar should give, in float32."""
    constant = op.constant.quant
    with np.errstate(all="ignore"):
        product = np.float32(op.input.quant.scale) * np.float32(constant.scale)
        return float(product * np.float32((op.value or 0) - constant.zero_point))


def shifted_by_constant(op: AddConstant) -> float:
    """The zero point that an addition of a scalar should give, in float32."""
    constant = op.constant.quant
    with np.errstate(all="ignore"):
        value = np.float32((op.value or 0) - constant.zero_point) * np.float32(constant.scale)
        shift = value / np.float32(op.input.quant.scale)
        return float(np.float32(op.input.quant.zero_point) - shift)


def same_paddings(
    size: tuple[int, int], kernel: tuple[int, int], stride: int
) -> tuple[tuple[int, int, int, int], ...]:
    """The three SAME paddings of the library as (top, left, bottom, right).

    Per axis of size n: total = max(0, (ceil(n / s) - 1) * s + k - n), split into equal halves
    rounded up, into the larger half before, or into the larger half after (rules 3.2).
    """
    halves = []
    for n, k in zip(size, kernel, strict=True):
        total = max(0, (-(-n // stride) - 1) * stride + k - n)
        large = -(-total // 2)
        halves.append((large, total - large))
    (top, bottom), (left, right) = halves
    return (
        (top, left, top, left),
        (top, left, bottom, right),
        (bottom, right, top, left),
    )


def pool_result(size: int, window: int, stride: int, before: int, after: int) -> int:
    """Output size of a pool or convolution along one axis, with C's division (towards zero)."""
    return int((size + before + after - window) / stride) + 1


def to_int16(value: float) -> int:
    """Truncated to an integer and wrapped to 16 bits, as TVM hands over clip bounds."""
    wrapped = int(value) & 0xFFFF
    return wrapped - 0x10000 if wrapped >= 0x8000 else wrapped
