"""What shapes an operator, in words: what a reader compares when an operator has changed."""

from __future__ import annotations

from typing import Any

from pytest_npu_compat.model.program import Operator, Program

__all__ = ["attributes"]

_NAMES = {
    "kernel_size": "kernel",
    "kernel_shape": "kernel",
    "pool_size": "kernel",
    "strides": "strides",
    "padding": "padding",
    "pads": "padding",
    "dilation": "dilation",
    "dilations": "dilation",
    "groups": "groups",
    "group": "groups",
    "output_padding": "output padding",
    "ceil_mode": "ceil mode",
    "axis": "axis",
    "axes": "axes",
    "block_size": "block size",
    "mode": "mode",
    "method": "method",
    "coordinate_transformation_mode": "coordinates",
    "size": "size",
    "alpha": "alpha",
    "a_min": "minimum",
    "a_max": "maximum",
}
"""Parameter of a call -> what it is called in texts. Quantization and layouts are left out."""

_AUXILIARY = {"nn.bias_add", "cast", "qnn.requantize", "qnn.quantize", "qnn.dequantize", "tuple"}
"""Calls whose parameters say nothing of the user's node."""


def attributes(program: Program, operator: Operator) -> dict[str, str]:
    """Parameters of an operator in its integer form, and the data type it reads.

    Sizes are height x width; padding is top, left, bottom, right; axes are those of NHWC.
    """
    found: dict[str, str] = {}
    for index in operator.calls:
        call = program.calls[index]
        tensors = [ref for ref in call.args if not program.is_constant(ref)]
        if tensors and "input type" not in found:
            found["input type"] = program.type_of(tensors[0]).dtype
        if call.op in _AUXILIARY:
            continue
        for key, name in _NAMES.items():
            if call.attrs.get(key) is not None:
                found.setdefault(name, _show(call.attrs[key]))
    return found


def _show(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return "x".join(str(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
