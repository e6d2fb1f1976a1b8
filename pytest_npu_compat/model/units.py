"""Operators of a model: each computing node with its activation and the Q/DQ nodes around it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from pytest_npu_compat.model.graph import Graph, Node, TensorType
from pytest_npu_compat.model.quantization import (
    Operand,
    Quantization,
    QuantizedGraph,
    is_transparent,
    read_quantization,
)

__all__ = ["FUSING", "Output", "QuantizedOutput", "Unit", "Units", "group"]

_QOPERATORS = ("QLinear", "QGemm")
FUSING = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Add"}
"""Kinds that a Relu or Clip behind them becomes part of."""

_ACTIVATIONS = {"Relu", "Clip"}


@dataclass(frozen=True)
class QuantizedOutput:
    """An integer tensor made from an operator's float result.

    Attributes:
        tensors: Names of the equal integer tensors (several if a QuantizeLinear is duplicated).
        quantization: Their scale and zero point.
        quantize: Name of the (first) QuantizeLinear node.
    """

    tensors: tuple[str, ...]
    quantization: Quantization
    quantize: str


@dataclass(frozen=True)
class Output:
    """One result of an operator.

    Attributes:
        tensor: Name of the float tensor.
        type: Its shape and type.
        quantized: The integer tensors made from it.
        read_as_float: Whether anything but a QuantizeLinear reads it.
    """

    tensor: str
    type: TensorType
    quantized: tuple[QuantizedOutput, ...]
    read_as_float: bool


@dataclass(frozen=True)
class Unit:
    """An operator: one logical operation of the model.

    Attributes:
        node: The node that computes; for a bare requantize its QuantizeLinear.
        kind: The node's type, ``Requantize`` for a DequantizeLinear followed by a QuantizeLinear.
        activation: A Relu or Clip between the node and its QuantizeLinear.
        operands: What the node reads; None for an omitted input.
        outputs: What it produces and something reads.
        integral: Whether every operand is quantized or constant and every result is quantized
            once, so that the operator has an integer form.
        note: Why it is not, in the user's words.
        unknown: Whether its quantization could not be read.
    """

    node: Node
    kind: str
    activation: Node | None
    operands: tuple[Operand | None, ...]
    outputs: tuple[Output, ...]
    integral: bool
    note: str = ""
    unknown: bool = False

    @property
    def name(self) -> str:
        """Name of the node in the user's file."""
        return self.node.name

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes it is made of, without conversions."""
        own = (self.name, *self.node.absorbed)
        return own if self.activation is None else (*own, self.activation.name)

    @property
    def activations(self) -> tuple[Operand, ...]:
        """The operands that are not constant."""
        return tuple(o for o in self.operands if o is not None and not o.constant)

    def operand(self, index: int) -> Operand | None:
        """Operand `index`, None if it is omitted."""
        return self.operands[index] if index < len(self.operands) else None


@dataclass(frozen=True)
class Units:
    """The operators of a model in file order, and what lies at its borders.

    Attributes:
        quantized: The graph they were found in.
        units: The operators.
        entries: Integer tensor -> (graph input it is made from, quantization): conversions at
            the graph's inputs, which are not operators.
    """

    quantized: QuantizedGraph
    units: tuple[Unit, ...]
    entries: dict[str, tuple[str, Quantization]]


def group(graph: Graph) -> Units:
    """Groups the nodes of a graph into operators."""
    return _Grouping(read_quantization(graph)).run()


class _Grouping:
    def __init__(self, quantized: QuantizedGraph) -> None:
        self.quantized = quantized
        self.graph = quantized.graph
        self.graph_outputs = {quantized.resolve(name) for name in self.graph.outputs}
        self.nodes = _live_nodes(quantized)
        self.readers: dict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            # Shape arithmetic reads no data, so it does not make its source a float tensor.
            for tensor in dict.fromkeys(quantized.resolve(name) for name in node.inputs if name):
                self.readers[tensor].append(node)
        self.absorbed: set[str] = set()

    def run(self) -> Units:
        units: list[Unit] = []
        entries: dict[str, tuple[str, Quantization]] = {}
        for node in self.nodes:
            if node.name in self.absorbed:
                continue
            if node.name in self.quantized.not_understood:
                units.append(self._unknown_unit(node, self.quantized.not_understood[node.name]))
            elif node.kind.startswith(_QOPERATORS):
                units.append(self._unknown_unit(node, f"{node.kind} is the QOperator dialect"))
            elif node.kind == "DequantizeLinear":
                continue
            elif node.kind == "QuantizeLinear":
                source = self.quantized.resolve(node.inputs[0])
                quantization = self.quantized.quantized[node.outputs[0]]
                if source in self.quantized.dequantized:
                    units.append(self._requantize(node, quantization))
                elif source in self.graph.inputs:
                    entries[node.outputs[0]] = (source, quantization)
            else:
                units.append(self._unit(node))
        return Units(self.quantized, tuple(units), entries)

    def _requantize(self, node: Node, quantization: Quantization) -> Unit:
        tensor = node.outputs[0]
        output = Output(
            tensor,
            self.graph.type_of(tensor),
            (QuantizedOutput((tensor,), quantization, node.name),),
            read_as_float=False,
        )
        operand = self.quantized.operand(node.inputs[0])
        return Unit(node, "Requantize", None, (operand,), (output,), integral=True)

    def _unit(self, node: Node) -> Unit:
        operands = self._operands(node)
        outputs = self._outputs(node)
        activation = None
        note = _operand_note(operands)
        if not note and not node.domain and node.kind in FUSING and len(outputs) == 1:
            activation = self._activation_after(outputs[0])
            if activation is not None:
                self.absorbed.add(activation.name)
                outputs = self._outputs(activation)
        note = note or _output_note(outputs)
        return Unit(node, node.kind, activation, operands, outputs, not note, note)

    def _unknown_unit(self, node: Node, note: str) -> Unit:
        return Unit(
            node,
            node.kind,
            None,
            self._operands(node),
            self._outputs(node),
            integral=False,
            note=note,
            unknown=True,
        )

    def _operands(self, node: Node) -> tuple[Operand | None, ...]:
        return tuple(self.quantized.operand(name) if name else None for name in node.inputs)

    def _activation_after(self, output: Output) -> Node | None:
        """The Relu or Clip that is the only reader of a float result and is itself quantized."""
        readers = self.readers[output.tensor]
        if len(readers) != 1 or output.quantized or output.tensor in self.graph_outputs:
            return None
        reader = readers[0]
        if reader.kind not in _ACTIVATIONS or reader.domain:
            return None
        if self.quantized.resolve(reader.inputs[0]) != output.tensor:
            return None
        return None if _output_note(self._outputs(reader)) else reader

    def _outputs(self, node: Node) -> tuple[Output, ...]:
        return tuple(self._output(name) for name in node.outputs if self._is_read(name))

    def _is_read(self, tensor: str) -> bool:
        return bool(tensor) and (bool(self.readers[tensor]) or tensor in self.graph_outputs)

    def _output(self, tensor: str) -> Output:
        made: dict[Quantization, list[Node]] = defaultdict(list)
        as_float = tensor in self.graph_outputs
        for reader in self.readers[tensor]:
            is_data = self.quantized.resolve(reader.inputs[0]) == tensor
            target = reader.outputs[0] if reader.outputs else ""
            if reader.kind == "QuantizeLinear" and is_data and target in self.quantized.quantized:
                made[self.quantized.quantized[target]].append(reader)
            else:
                as_float = True
        quantized = tuple(
            QuantizedOutput(tuple(n.outputs[0] for n in nodes), quantization, nodes[0].name)
            for quantization, nodes in made.items()
        )
        return Output(tensor, self.graph.type_of(tensor), quantized, as_float)


def _live_nodes(quantized: QuantizedGraph) -> tuple[Node, ...]:
    """Nodes whose data a graph output depends on, in file order, without identities."""
    needed = set(quantized.graph.outputs)
    live: list[Node] = []
    for node in reversed(quantized.graph.nodes):
        if quantized.static.issuperset(name for name in node.outputs if name):
            continue
        if needed.intersection(node.outputs):
            needed.update(name for name in node.inputs if name)
            if not is_transparent(node):
                live.append(node)
    return tuple(reversed(live))


def _operand_note(operands: tuple[Operand | None, ...]) -> str:
    present = [o for o in operands if o is not None]
    moving = [o for o in present if not o.constant]
    for operand in moving:
        if operand.quantization is None:
            return f"its input {operand.tensor!r} is not quantized"
    if not moving:
        return "none of its inputs is quantized"
    return ""


def _output_note(outputs: tuple[Output, ...]) -> str:
    for output in outputs:
        if not output.quantized:
            return f"its output {output.tensor!r} is not quantized"
        if output.read_as_float:
            return f"its output {output.tensor!r} is also read as a float tensor"
        if len(output.quantized) > 1:
            return f"its output {output.tensor!r} is quantized twice with different parameters"
    return ""
