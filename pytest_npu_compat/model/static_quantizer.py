"""Which tensors ONNX Runtime's static quantizer quantizes in Q/DQ format, with its default settings.

Source: `onnxruntime/quantization/registry.py` (`QLinearOpsRegistry` and `QDQRegistry`, whose union is the
default of `op_types_to_quantize`) and the `QDQ*` classes in `onnxruntime/quantization/operators/`, release
1.32. Nodes are visited in file order, because some are quantized only if their input already is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pytest_npu_compat.model.graph import Graph, Node
from pytest_npu_compat.model.units import FUSING

__all__ = ["Choice", "choose"]

_FLOATS = {"float32", "float16"}


@dataclass(frozen=True)
class Choice:
    """What is quantized.

    Attributes:
        tensors: Each quantized tensor, constants included -> the tensor whose scale and zero point it
            has: its own, or those of the input it was made from.
        biased: Names of nodes whose third input is a bias.
    """

    tensors: Mapping[str, str]
    biased: frozenset[str]


def choose(graph: Graph) -> Choice:
    """The tensors that would be quantized.

    Args:
        graph: A float graph.
    """
    quantizer = _Quantizer(graph)
    for node in graph.nodes:
        rule = None if node.domain else _RULES.get(node.kind)
        if rule is not None and node.inputs:
            rule(quantizer, node)
    return Choice(quantizer.tensors, frozenset(quantizer.biased))


class _Quantizer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors: dict[str, str] = {}
        self.biased: set[str] = set()
        self.producers = {tensor: node for node in graph.nodes for tensor in node.outputs}
        self.readers = Counter(tensor for node in graph.nodes for tensor in node.inputs)

    def mark(self, *tensors: str) -> None:
        """Quantizes tensors, each with parameters of its own; only float tensors can be."""
        for tensor in tensors:
            if tensor and self.graph.type_of(tensor).dtype in _FLOATS:
                self.tensors.setdefault(tensor, tensor)

    def mark_like(self, tensor: str, provider: str) -> None:
        """Quantizes a tensor with the parameters of another one."""
        if tensor and self.graph.type_of(tensor).dtype in _FLOATS and provider in self.tensors:
            self.tensors.setdefault(tensor, self.tensors[provider])

    def all_tensors(self, node: Node) -> None:
        self.mark(*node.inputs, *node.outputs)

    def weighted(self, node: Node) -> None:
        self.mark(*node.inputs[:2], node.outputs[0])
        if node.input(2):
            self.biased.add(node.name)

    def same_as_input(self, node: Node) -> None:
        """Kinds that move values: quantized if their input is, with its parameters."""
        if self.graph.opset >= _SINCE.get(node.kind, 0):
            self.mark_like(node.outputs[0], node.inputs[0])

    def split(self, node: Node) -> None:
        self.mark(node.inputs[0])
        for output in node.outputs:
            self.mark_like(output, node.inputs[0])

    def gather(self, node: Node) -> None:
        if node.inputs[0] in self.graph.constants:
            self.mark(node.inputs[0])
        self.mark_like(node.outputs[0], node.inputs[0])

    def pad(self, node: Node) -> None:
        if node.inputs[0] not in self.tensors:
            return
        if self._pads_within_range(node):
            self.mark_like(node.outputs[0], node.inputs[0])
        else:
            self.mark(node.outputs[0])

    def _pads_within_range(self, node: Node) -> bool:
        if node.attributes.get("mode", "constant") != "constant":
            return True
        if not node.input(2):
            return float(node.attributes.get("value", 0.0)) == 0.0
        value = self.graph.constants.get(node.input(2))
        return value is not None and value.values is not None and not np.any(value.values)

    def where(self, node: Node) -> None:
        if node.input(1) in self.tensors and node.input(2) in self.tensors:
            self.mark(*node.outputs)

    def normalization(self, node: Node) -> None:
        self.mark(node.inputs[0], node.input(1), *node.outputs)
        if node.input(2):
            self.biased.add(node.name)

    def activation(self, node: Node) -> None:
        """A Relu or Clip that alone reads a layer's result: only its own result is quantized.

        ONNX Runtime also removes the node, since the zero point and the scale then clip. It stays here,
        where the layer absorbs it; behind any other kind it stays an operator of its own.
        """
        source = node.inputs[0]
        if source not in self.tensors:
            return
        producer = self.producers.get(source)
        alone = self.readers[source] == 1 and source not in self.graph.outputs
        if alone and producer is not None and producer.kind in FUSING and not producer.domain:
            del self.tensors[source]
        self.mark(node.outputs[0])


_SINCE = {"MaxPool": 12, "Resize": 11}
"""Operator set from which on a kind can take integers."""

_RULES: Mapping[str, Callable[[_Quantizer, Node], None]] = {
    **dict.fromkeys(
        (
            "Add",
            "ArgMax",
            "Concat",
            "CumSum",
            "GlobalAveragePool",
            "LeakyRelu",
            "Mul",
            "Sigmoid",
            "Softmax",
        ),
        _Quantizer.all_tensors,
    ),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul"), _Quantizer.weighted),
    **dict.fromkeys(
        (
            "AveragePool",
            "Flatten",
            "MaxPool",
            "Reshape",
            "Resize",
            "Slice",
            "Squeeze",
            "TopK",
            "Transpose",
            "Unsqueeze",
        ),
        _Quantizer.same_as_input,
    ),
    **dict.fromkeys(("Gather", "GatherElements"), _Quantizer.gather),
    **dict.fromkeys(
        ("BatchNormalization", "InstanceNormalization", "LayerNormalization"),
        _Quantizer.normalization,
    ),
    **dict.fromkeys(("Clip", "Relu"), _Quantizer.activation),
    "Pad": _Quantizer.pad,
    "Split": _Quantizer.split,
    "Where": _Quantizer.where,
}
