"""Padding of convolutions and pools, as ONNX spells it, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["spatial_padding"]


def spatial_padding(
    attributes: Mapping[str, Any],
    size: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    dilations: tuple[int, ...],
    result: tuple[int, ...],
    *,
    transposed: bool = False,
) -> tuple[int, ...]:
    """Padding as (top, left, bottom, right).

    Args:
        attributes: Of the node: ``pads`` and ``auto_pad``.
        size: Input height and width.
        kernel: Window height and width.
        strides: Vertical and horizontal step.
        dilations: Of the window.
        result: Output height and width.
        transposed: Whether the node is a transposed convolution.
    """
    auto = str(attributes.get("auto_pad", "NOTSET"))
    if auto == "NOTSET":
        pads = attributes.get("pads")
        # With output_shape instead of pads, a transposed convolution derives its padding.
        if pads is None and transposed and attributes.get("output_shape"):
            auto = "SAME_LOWER"
        else:
            return tuple(int(v) for v in (pads or (0,) * (2 * len(size))))
    if auto == "VALID":
        return (0,) * (2 * len(size))
    before, after = [], []
    for axis in range(len(size)):
        window = (kernel[axis] - 1) * dilations[axis] + 1
        if transposed:
            total = (size[axis] - 1) * strides[axis] + window - result[axis]
        else:
            total = (result[axis] - 1) * strides[axis] + window - size[axis]
        total = max(total, 0)
        small, large = total // 2, total - total // 2
        before.append(small if auto == "SAME_UPPER" else large)
        after.append(large if auto == "SAME_UPPER" else small)
    return (*before, *after)
