"""Multiply-accumulates of an operator, from shapes alone."""

from __future__ import annotations

import math

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.units import Unit

__all__ = ["count"]

_CONVOLUTIONS = {"Conv", "ConvInteger"}
_PRODUCTS = {"Gemm", "MatMul", "MatMulInteger"}


def count(unit: Unit) -> int:
    """Multiply-accumulates of one inference; 0 for anything that is no convolution or product.

    Convolution: output elements x kernel area x input channels per group. Transposed convolution:
    input elements x kernel area x output channels per group. Matrix product: output elements x
    length of the summed axis.
    """
    if not unit.outputs:
        return 0
    out = unit.outputs[0].type
    data, weights = _shape(unit, 0), _shape(unit, 1)
    if unit.kind in _CONVOLUTIONS and weights is not None and out.elements is not None:
        return out.elements * math.prod(weights[1:])
    if unit.kind == "ConvTranspose" and weights is not None and data is not None:
        return math.prod(data) * math.prod(weights[1:])
    if unit.kind in _PRODUCTS and data and out.elements is not None:
        transposed = unit.kind == "Gemm" and unit.node.attributes.get("transA", 0)
        return out.elements * data[0 if transposed else -1]
    return 0


def _shape(unit: Unit, index: int) -> tuple[int, ...] | None:
    operand = unit.operand(index)
    type_ = TensorType(None, "") if operand is None else operand.type
    return type_.static_shape
