"""A float model as if it had been quantized: the Q/DQ pairs that a standard quantizer would insert.

The quantizer is ONNX Runtime's `quantize_static` with its defaults: Q/DQ format, int8 activations per
tensor, symmetric int8 weights per tensor, int32 biases. `static_quantizer.py` says which tensors it
quantizes, `virtual_ranges.py` which values they are assumed to take, `preprocessing.py` what is folded
before. Inserted nodes have no name, so that no report speaks of nodes that the file does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.model.graph import Constant, Graph, Node, TensorType
from pytest_npu_compat.model.preprocessing import preprocess
from pytest_npu_compat.model.static_quantizer import Choice, choose
from pytest_npu_compat.model.virtual_ranges import Range, virtual_ranges

__all__ = ["assume_int8"]

_QUANTIZED_KINDS = (
    "QuantizeLinear",
    "DequantizeLinear",
    "DynamicQuantize",
    "QLinear",
    "QGemm",
    "QAttention",
    "ConvInteger",
    "MatMulInteger",
    "MatMulNBits",
)
"""What the kinds of nodes begin with that only a quantized model has, ONNX Runtime's own included."""


def assume_int8(graph: Graph) -> Graph:
    """Inserts the Q/DQ pairs of a standard quantizer into a float graph.

    Args:
        graph: As read from the file.

    Returns:
        The graph with pairs; the nodes of the file keep their names.

    Raises:
        ModelError: The model is quantized already, wholly or in part.
    """
    _refuse_quantized(graph)
    graph = preprocess(graph)
    return _Writer(graph, choose(graph), virtual_ranges(graph)).run()


def _refuse_quantized(graph: Graph) -> None:
    found = [node for node in graph.nodes if node.kind.startswith(_QUANTIZED_KINDS)]
    if found:
        first = found[0]
        raise ModelError(
            "already-quantized",
            f"The model is quantized already, wholly or in part: {len(found)} of its "
            f"{len(graph.nodes)} nodes are of quantized kinds, the first is {first.name!r} "
            f"({first.kind}).",
            "Remove `quantization: assume-int8` (`--assume-int8` on the command line) to judge the "
            "model as it is, or name the float model it was made from.",
        )


class _Writer:
    """Writes the graph anew, with a Q/DQ pair behind each chosen tensor."""

    def __init__(self, graph: Graph, choice: Choice, ranges: Mapping[str, Range]) -> None:
        self.graph = graph
        self.choice = choice
        self.ranges = ranges
        self.nodes: list[Node] = []
        self.types = dict(graph.types)
        self.constants = dict(graph.constants)
        self.dequantized: dict[str, str] = {}
        self.scales: dict[str, float] = {}
        """Scale of each tensor in `dequantized`: a bias needs those of its neighbours."""

    def run(self) -> Graph:
        for tensor in self.choice.tensors:
            if tensor in self.graph.constants:
                self._weight(tensor)
        for tensor in self.graph.inputs:
            self._activation(tensor)
        for node in self.graph.nodes:
            inputs = tuple(self.dequantized.get(tensor, tensor) for tensor in node.inputs)
            if node.name in self.choice.biased:
                inputs = (*inputs[:2], self._bias(node), *inputs[3:])
            self.nodes.append(replace(node, inputs=inputs))
            for tensor in node.outputs:
                self._activation(tensor)
        return replace(
            self.graph,
            outputs=tuple(self.dequantized.get(tensor, tensor) for tensor in self.graph.outputs),
            nodes=tuple(self.nodes),
            types=self.types,
            constants=self.constants,
        )

    def _activation(self, tensor: str) -> None:
        provider = self.choice.tensors.get(tensor)
        if provider is None or tensor in self.graph.constants:
            return
        scale, zero_point = asymmetric(self.ranges[provider])
        shape = self.graph.type_of(tensor).shape
        integer = self._new(f"{tensor}:int8", TensorType(shape, "int8"))
        parameters = self._parameters(tensor, scale, zero_point, "int8")
        self.nodes.append(Node("", "QuantizeLinear", "", (tensor, *parameters), (integer,)))
        self._dequantize(tensor, integer, parameters, shape)

    def _weight(self, tensor: str) -> None:
        """A constant as int8: its own scale if it is small enough to have been read."""
        constant = self.graph.constants[tensor]
        low, high = self.ranges[tensor]
        scale = float(np.float32(max(abs(low), abs(high)) / 127)) or 1.0
        values = constant.values
        if values is not None:
            integers = np.rint(np.nan_to_num(values.astype(np.float64)) / scale)
            values = np.clip(integers, -127, 127).astype(np.int8)
        self._constant(tensor, Constant(TensorType(constant.type.shape, "int8"), values), scale)

    def _bias(self, node: Node) -> str:
        """The bias as int32 with the scale input x weights, as the accumulator has it."""
        tensor = node.inputs[2]
        if tensor not in self.graph.constants or not self.scales.keys() >= {*node.inputs[:2]}:
            return self.dequantized.get(tensor, tensor)
        scale = float(np.float32(self.scales[node.inputs[0]] * self.scales[node.inputs[1]]))
        type_ = TensorType(self.graph.constants[tensor].type.shape, "int32")
        # A bias that two layers share is quantized for each of them.
        return self._constant(f"{tensor}:of:{node.name}", Constant(type_, None), scale)

    def _constant(self, tensor: str, integer: Constant, scale: float) -> str:
        name = self._new(f"{tensor}:{integer.type.dtype}", integer.type)
        self.constants[name] = integer
        parameters = self._parameters(tensor, scale, 0, integer.type.dtype)
        return self._dequantize(tensor, name, parameters, integer.type.shape)

    def _parameters(
        self, tensor: str, scale: float, zero_point: int, dtype: str
    ) -> tuple[str, str]:
        self.scales[tensor] = scale
        values = (np.array(scale, dtype=np.float32), np.array(zero_point, dtype=dtype))
        names = []
        for label, value in zip(("scale", "zero_point"), values, strict=True):
            type_ = TensorType((), str(value.dtype))
            names.append(self._new(f"{tensor}:{label}", type_))
            self.constants[names[-1]] = Constant(type_, value)
        return names[0], names[1]

    def _dequantize(
        self,
        tensor: str,
        integer: str,
        parameters: tuple[str, str],
        shape: tuple[int | None, ...] | None,
    ) -> str:
        type_ = TensorType(shape, self.graph.type_of(tensor).dtype)
        result = self._new(f"{tensor}:dequantized", type_)
        self.nodes.append(Node("", "DequantizeLinear", "", (integer, *parameters), (result,)))
        self.dequantized[tensor] = result
        return result

    def _new(self, name: str, type_: TensorType) -> str:
        """A tensor name that the file does not use."""
        while name in self.types or name in self.constants:
            name += "'"
        self.types[name] = type_
        return name


def asymmetric(values: Range) -> tuple[float, int]:
    """Scale and zero point of an int8 activation, as `compute_scale_zp` of ONNX Runtime has them.

    Args:
        values: Lowest and highest value; the range is widened to contain zero.

    Returns:
        scale = (high - low) / 255 in float32, zero point = round(-128 - low / scale).
    """
    low, high = min(values[0], 0.0), max(values[1], 0.0)
    scale = float(np.float32((high - low) / 255))
    if not scale >= np.finfo(np.float32).tiny:
        return 1.0, 0
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))
