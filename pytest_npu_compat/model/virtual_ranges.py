"""The values that the tensors of a float model are assumed to take: a calibration without data.

Interval arithmetic from typical values: a graph input lies in 0..1, the result of a layer with weights in
-4..4. What follows from them (an activation, a sum, a concatenation) is computed. No rule about scales
hangs on the typical values; what matters is that tensors which a calibration would find equal are equal,
and those it would find different are different: a mean has a narrower range than its input, and a
Sigmoid never reaches 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from pytest_npu_compat.model.graph import Constant, Graph, Node

__all__ = ["Range", "virtual_ranges"]

Range: TypeAlias = tuple[float, float]
"""Lowest and highest value."""

INPUT: Range = (0.0, 1.0)
TYPICAL: Range = (-4.0, 4.0)
"""Result of a layer with weights, and of any kind that is not known here."""

UNKNOWN_WEIGHTS: Range = (-1.0, 1.0)
"""Constants that are too large to be read."""

LIMIT = 1e6
"""Keeps long chains of products finite."""


def virtual_ranges(graph: Graph) -> dict[str, Range]:
    """A range for every tensor of a graph.

    The input of a Relu or Clip that has no other reader takes the range of its output, and a Softmax the
    range 0..1, as in ONNX Runtime's `adjust_tensor_ranges`.

    Args:
        graph: A float graph.
    """
    ranges = {name: _constant_range(constant) for name, constant in graph.constants.items()}
    ranges.update(dict.fromkeys(graph.inputs, INPUT))
    for node in graph.nodes:
        inputs = [ranges.get(tensor, TYPICAL) for tensor in node.inputs if tensor]
        found = _bounded(_result(graph, node, inputs))
        ranges.update((tensor, found) for tensor in node.outputs if tensor not in graph.constants)
    readers = Counter(tensor for node in graph.nodes for tensor in node.inputs)
    for node in graph.nodes:
        if node.kind in ("Relu", "Clip") and not node.domain and readers[node.inputs[0]] == 1:
            ranges[node.inputs[0]] = ranges[node.outputs[0]]
    return ranges


def _constant_range(constant: Constant) -> Range:
    values = constant.values
    if values is None or not np.issubdtype(values.dtype, np.number):
        return UNKNOWN_WEIGHTS
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def _bounded(found: Range) -> Range:
    low, high = found
    if math.isnan(low) or math.isnan(high) or low > high:
        return TYPICAL
    return max(low, -LIMIT), min(high, LIMIT)


def _result(graph: Graph, node: Node, inputs: Sequence[Range]) -> Range:
    if node.domain or not inputs:
        return TYPICAL
    if node.kind == "Clip":
        return _clip(graph, node, inputs[0])
    if node.kind == "LeakyRelu":
        return _leaky(inputs[0], float(node.attributes.get("alpha", 0.01)))
    if node.kind in _SAME:
        return inputs[0]
    if node.kind in _FIXED:
        return _FIXED[node.kind]
    function = _FUNCTIONS.get(node.kind)
    return TYPICAL if function is None else function(inputs)


def _clip(graph: Graph, node: Node, value: Range) -> Range:
    bounds = []
    for position, name, default in ((1, "min", -math.inf), (2, "max", math.inf)):
        constant = graph.constants.get(node.input(position))
        if constant is not None and constant.values is not None and constant.values.size == 1:
            default = float(constant.values.reshape(-1)[0])
        bounds.append(float(node.attributes.get(name, default)))
    low, high = bounds
    return min(max(value[0], low), high), min(max(value[1], low), high)


def _leaky(value: Range, alpha: float) -> Range:
    low, high = (x if x > 0 else alpha * x for x in value)
    return min(low, high), max(low, high)


def _monotone(function: Callable[[float], float]) -> Callable[[Sequence[Range]], Range]:
    return lambda inputs: (function(inputs[0][0]), function(inputs[0][1]))


def _hull(inputs: Sequence[Range]) -> Range:
    return min(low for low, _ in inputs), max(high for _, high in inputs)


def _sum(inputs: Sequence[Range]) -> Range:
    return sum(low for low, _ in inputs), sum(high for _, high in inputs)


def _difference(inputs: Sequence[Range]) -> Range:
    (low, high), (other_low, other_high) = inputs[:2]
    return low - other_high, high - other_low


def _product(inputs: Sequence[Range]) -> Range:
    ends = [a * b for a in inputs[0] for b in inputs[1]]
    return min(ends), max(ends)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -30.0), 30.0)))


_SAME = {
    "AveragePool",
    "Cast",
    "DepthToSpace",
    "Dropout",
    "Expand",
    "Flatten",
    "Gather",
    "Identity",
    "MaxPool",
    "Pad",
    "ReduceMax",
    "Reshape",
    "Resize",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
    "Upsample",
}
"""Kinds that move or choose values."""

_FIXED: Mapping[str, Range] = {
    "Erf": (-1.0, 1.0),
    "HardSigmoid": (0.0, 1.0),
    "Softmax": (0.0, 1.0),
}

_FUNCTIONS: Mapping[str, Callable[[Sequence[Range]], Range]] = {
    "Add": _sum,
    "Concat": _hull,
    "GlobalAveragePool": _monotone(lambda x: x / 2),
    "HardSwish": _monotone(lambda x: max(x, -0.375)),
    "Max": _hull,
    "Min": _hull,
    "Mul": _product,
    "PRelu": lambda inputs: _leaky(inputs[0], 0.25),
    "ReduceMean": _monotone(lambda x: x / 2),
    "Relu": _monotone(lambda x: max(x, 0.0)),
    "Sigmoid": _monotone(_sigmoid),
    "Sub": _difference,
    "Tanh": _monotone(math.tanh),
}
