"""Values of tensors that do not depend on the inputs' data: shape arithmetic and small constants.

Only small tensors are folded (shapes, axes, scales, bounds); weights never are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pytest_npu_compat.model.graph import Node

__all__ = ["fold"]

MAX_ELEMENTS = 4096

Array = npt.NDArray[Any]
Inputs = list[Array | None]


def fold(node: Node, inputs: Inputs) -> Array | None:
    """The value of a node's first output, None if it is not known how to compute it.

    Args:
        node: A node whose inputs are all known.
        inputs: Their values; None for an omitted input.
    """
    function = None if node.domain else _FUNCTIONS.get(node.kind)
    if function is None:
        return None
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(function(inputs, node.attributes))
    except (IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError):
        return None
    return result if result.size <= MAX_ELEMENTS else None


def _cast(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    names = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 9: "bool", 11: "float64"}
    return _first(inputs).astype(names[int(attributes["to"])])


def _first(inputs: Inputs) -> Array:
    value = inputs[0]
    if value is None:
        raise ValueError("an input is missing")
    return value


def _axes(inputs: Inputs, attributes: Mapping[str, Any]) -> tuple[int, ...]:
    given = attributes.get("axes")
    if given is None and len(inputs) > 1 and inputs[1] is not None:
        given = inputs[1].reshape(-1).tolist()
    return tuple(int(axis) for axis in given or ())


def _unsqueeze(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    return np.expand_dims(_first(inputs), _axes(inputs, attributes))


def _squeeze(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    return np.squeeze(_first(inputs), axis=_axes(inputs, attributes) or None)


def _slice(inputs: Inputs, attributes: Mapping[str, Any]) -> Array:
    value = _first(inputs)
    if "starts" in attributes:
        starts, ends = attributes["starts"], attributes["ends"]
        axes, steps = attributes.get("axes"), None
    else:
        starts, ends, axes, steps = (
            inputs[i].reshape(-1).tolist() if i < len(inputs) and inputs[i] is not None else None  # type: ignore[union-attr]
            for i in range(1, 5)
        )
    index = [slice(None)] * value.ndim
    for position, axis in enumerate(axes or range(len(starts))):
        step = steps[position] if steps else 1
        index[int(axis)] = slice(int(starts[position]), int(ends[position]), int(step))
    return value[tuple(index)]


def _both(function: Callable[[Any, Any], Any]) -> Callable[[Inputs, Mapping[str, Any]], Any]:
    return lambda inputs, _: function(inputs[0], inputs[1])


def _divide(a: Array, b: Array) -> Any:
    return a // b if np.issubdtype(a.dtype, np.integer) else a / b


def _reshape(inputs: Inputs, _attributes: Mapping[str, Any]) -> Array:
    shape = inputs[1]
    if shape is None:
        raise ValueError("the shape is missing")
    return _first(inputs).reshape([int(dim) for dim in shape.reshape(-1)])


def _gather(inputs: Inputs, attributes: Mapping[str, Any]) -> Any:
    indices = inputs[1]
    if indices is None:
        raise ValueError("the indices are missing")
    return np.take(_first(inputs), indices, axis=int(attributes.get("axis", 0)))


def _quantize(inputs: Inputs, _attributes: Mapping[str, Any]) -> Array:
    scale, zero = inputs[1], inputs[2] if len(inputs) > 2 else None
    if scale is None or scale.size != 1:
        raise ValueError("only per-tensor quantization is folded")
    zero = np.zeros((), dtype=np.uint8) if zero is None else zero
    limits = np.iinfo(zero.dtype)
    integers = np.rint(_first(inputs) / scale) + zero.astype(np.int64)
    clipped: Array = np.clip(integers, limits.min, limits.max).astype(zero.dtype)
    return clipped


def _dequantize(inputs: Inputs, _attributes: Mapping[str, Any]) -> Array:
    scale, zero = inputs[1], inputs[2] if len(inputs) > 2 else None
    if scale is None or scale.size != 1:
        raise ValueError("only per-tensor quantization is folded")
    offset = 0 if zero is None else zero.astype(np.float32)
    return ((_first(inputs).astype(np.float32) - offset) * scale).astype(np.float32)


_FUNCTIONS: Mapping[str, Callable[[Inputs, Mapping[str, Any]], Any]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Identity": lambda inputs, _: _first(inputs),
    "Cast": _cast,
    "Concat": lambda inputs, attributes: np.concatenate(
        [_first([value]) for value in inputs], axis=int(attributes["axis"])
    ),
    "Gather": _gather,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Add": _both(lambda a, b: a + b),
    "Sub": _both(lambda a, b: a - b),
    "Mul": _both(lambda a, b: a * b),
    "Div": _both(_divide),
    "Min": _both(np.minimum),
    "Max": _both(np.maximum),
    "Neg": lambda inputs, _: -_first(inputs),
    "Floor": lambda inputs, _: np.floor(_first(inputs)),
    "Ceil": lambda inputs, _: np.ceil(_first(inputs)),
}
