"""What is quantized, and how: the `QuantizeLinear`/`DequantizeLinear` pairs of a graph read as types.

Whatever dialect a file uses, the rest of the package sees three facts about a tensor: whether it is
constant, whether it is an integer tensor with scale and zero point, and which integer tensor a
dequantized float tensor stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pytest_npu_compat.model.graph import Graph, Node, TensorType

__all__ = [
    "DTYPE_RANGES",
    "Operand",
    "Quantization",
    "QuantizedGraph",
    "is_transparent",
    "read_quantization",
]

_DATA_FREE = {"Shape", "Size"}
"""Kinds whose result depends on shapes alone."""

_PASS_THROUGH = {"Identity", "Dropout"}
"""Kinds that hand on their first input; a Dropout does so outside of training."""

_DTYPES = {2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 21: "uint4", 22: "int4"}
"""ONNX's numbers of the integer types, for the attribute ``output_dtype``."""


DTYPE_RANGES: Mapping[str, tuple[int, int]] = {
    "int4": (-8, 7),
    "uint4": (0, 15),
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
}
"""Lowest and highest value of each integer type."""


@dataclass(frozen=True)
class Quantization:
    """real = scale * (integer - zero_point), per tensor or per channel.

    Attributes:
        scales: float32 values as Python floats; more than one means per channel.
        zero_point: Of the first channel, which is the only one that Ethos-N reads (rules 3.1).
        dtype: Integer type, e.g. ``int8``.
        axis: Channel axis of a per-channel quantization, else None.
    """

    scales: tuple[float, ...]
    zero_point: int
    dtype: str
    axis: int | None = None

    @property
    def scale(self) -> float:
        """The (first) scale."""
        return self.scales[0]


@dataclass(frozen=True)
class Operand:
    """What a node reads, seen through dequantization.

    Attributes:
        tensor: The integer tensor if quantized, else the float (or index) tensor itself.
        type: Shape and type of `tensor`.
        quantization: None if the operand is not quantized.
        constant: Whether its value is fixed in the file or follows from shapes.
        dequantize: Name of the node that dequantizes it, None if it is not quantized.
    """

    tensor: str
    type: TensorType
    quantization: Quantization | None
    constant: bool
    dequantize: str | None = None


@dataclass(frozen=True)
class QuantizedGraph:
    """A graph with its quantization resolved.

    Attributes:
        graph: The graph as it is in the file.
        static: Tensors whose value does not depend on the inputs' data.
        alias: Tensors that are another tensor under a new name.
        dequantized: Float tensor -> the operand it stands for.
        quantized: Integer tensor -> its quantization.
        not_understood: Nodes of a quantization that cannot be read, with the reason.
    """

    graph: Graph
    static: frozenset[str]
    alias: dict[str, str]
    dequantized: dict[str, Operand]
    quantized: dict[str, Quantization]
    not_understood: dict[str, str]

    def resolve(self, tensor: str) -> str:
        """The tensor behind a chain of `Identity` nodes."""
        return self.alias.get(tensor, tensor)

    def operand(self, tensor: str) -> Operand:
        """The operand that a node reading `tensor` sees."""
        name = self.resolve(tensor)
        if name in self.dequantized:
            return self.dequantized[name]
        return Operand(name, self.graph.type_of(name), None, name in self.static)


def read_quantization(graph: Graph) -> QuantizedGraph:
    """Resolves identities, constants and quantization in one pass over the nodes."""
    static = set(graph.constants)
    alias: dict[str, str] = {}
    dequantized: dict[str, Operand] = {}
    quantized: dict[str, Quantization] = {}
    not_understood: dict[str, str] = {}
    for node in graph.nodes:
        inputs = [alias.get(name, name) for name in node.inputs if name]
        if is_transparent(node):
            alias[node.outputs[0]] = inputs[0]
        elif node.kind in ("QuantizeLinear", "DequantizeLinear"):
            source, target = inputs[0], node.outputs[0]
            quantization = _quantization(graph, node, alias, source, constant=source in static)
            if isinstance(quantization, str):
                not_understood[node.name] = quantization
            elif node.kind == "QuantizeLinear":
                quantized[target] = quantization
            else:
                type_ = TensorType(graph.type_of(source).shape, quantization.dtype)
                dequantized[target] = Operand(
                    source, type_, quantization, source in static, node.name
                )
            if source in static:
                static.add(target)
            continue
        if (node.kind in _DATA_FREE and not node.domain) or (
            inputs and all(name in static for name in inputs)
        ):
            static.update(output for output in node.outputs if output)
    return QuantizedGraph(graph, frozenset(static), alias, dequantized, quantized, not_understood)


def is_transparent(node: Node) -> bool:
    """Whether a node only gives its input another name."""
    if node.domain or node.kind not in _PASS_THROUGH or not node.outputs:
        return False
    return node.kind == "Identity" or (len(node.inputs) < 3 and len(node.outputs) == 1)


def _quantization(
    graph: Graph, node: Node, alias: dict[str, str], source: str, *, constant: bool
) -> Quantization | str:
    """The parameters of a Q or DQ node, or why they cannot be read."""
    scale_name = alias.get(node.input(1), node.input(1))
    scale = graph.constants.get(scale_name)
    if scale is None or scale.values is None:
        return "its scale is not a constant"
    if int(node.attributes.get("block_size", 0)):
        return "it is quantized in blocks"
    zero_name = alias.get(node.input(2), node.input(2))
    zero = graph.constants.get(zero_name) if zero_name else None
    if zero_name and (zero is None or zero.values is None):
        return "its zero point is not a constant"
    if zero is not None:
        dtype = zero.type.dtype
    elif node.kind == "DequantizeLinear":
        dtype = graph.type_of(source).dtype
    else:
        dtype = _DTYPES.get(int(node.attributes.get("output_dtype", 0)), "uint8")
    scales = np.asarray(scale.values, dtype=np.float32).reshape(-1)
    if scales.size == 0 or not np.all(np.isfinite(scales)):
        return "its scale is empty, infinite or not a number"
    # A channel of weights that are all zero can have a scale of 0; an activation cannot.
    if not constant and not np.all(scales > 0):
        return "its scale is not above 0"
    if zero is not None and zero.values is not None and np.asarray(zero.values).size == 0:
        return "its zero point is empty"
    zeros = (
        np.asarray(zero.values).reshape(-1)
        if zero is not None and zero.values is not None
        else np.zeros(1, dtype=np.int64)
    )
    axis = int(node.attributes.get("axis", 1)) if scales.size > 1 else None
    return Quantization(
        scales=tuple(float(value) for value in scales),
        zero_point=int(zeros[0]),
        dtype=dtype,
        axis=axis,
    )
