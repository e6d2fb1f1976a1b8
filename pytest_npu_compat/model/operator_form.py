"""Operators of a model as one call each: the form that the manual of an NPU speaks about.

Manuals list ONNX operators with limits on their attributes, shapes and data types. So a call is named
after the ONNX operator, has its attributes, and reads and makes tensors as they are in the file:
integer tensors where the operator is quantized, with the Q/DQ nodes around it gone. What is not
quantized on all sides is computed in float between conversions, which are calls of their own.
"""

from __future__ import annotations

from typing import Any

from pytest_npu_compat.model.graph import Graph, Node, TensorType
from pytest_npu_compat.model.lowering import Lowering, quantization_of
from pytest_npu_compat.model.program import CONVERSIONS, Form, Program, Ref
from pytest_npu_compat.model.units import Unit

__all__ = ["ACTIVATION", "OPERAND_POSITIONS", "WEIGHTS", "call_name", "lower"]

ACTIVATION = "fused_activation"
"""Attribute of a call: kind of the activation that is part of it."""

OPERAND_POSITIONS = "operand_positions"
"""Attribute of a call: index of each of its arguments among the node's inputs."""

WEIGHTS = "weights_quantization"
"""Attribute of a call: quantization of its constant second operand."""


def call_name(kind: str) -> str:
    """Name of the calls of an operator type; see `Program`."""
    if kind in CONVERSIONS:
        return CONVERSIONS[kind]
    return kind if "." in kind else f"onnx.{kind}"


def lower(graph: Graph) -> Program:
    """Brings a graph to operator form.

    Args:
        graph: As read from the file.

    Returns:
        The program; every operator of the model appears in it exactly once. Shapes are those of the
        file (convolutions are NCHW).
    """
    return _OperatorLowering(graph).run()


class _OperatorLowering(Lowering):
    def __init__(self, graph: Graph) -> None:
        super().__init__(graph, {})

    def layout(self, type_: TensorType) -> TensorType:
        """As in the file."""
        return type_

    def form(self, unit: Unit) -> Form:
        """Whether an operator is quantized shows in its data types, which the target's rules are about."""
        return "unknown" if unit.unknown else "native"

    def float_name(self, node: Node) -> str:
        """The same as that of the integer operator: they differ in their data types."""
        return call_name(f"{node.domain}.{node.kind}" if node.domain else node.kind)

    def float_attrs(self, unit: Unit) -> dict[str, Any]:
        """Attributes of the node, ONNX's defaults included, and what arguments do not tell."""
        from pytest_npu_compat.model.onnx_operators import default_attributes

        node, weights = unit.node, unit.operand(1)
        defaults = {} if node.domain else default_attributes(node.kind, self.graph.opset)
        return {
            **defaults,
            **node.attributes,
            ACTIVATION: unit.activation.kind if unit.activation else None,
            OPERAND_POSITIONS: tuple(i for i, o in enumerate(unit.operands) if o is not None),
            WEIGHTS: weights.quantization if weights is not None and weights.constant else None,
        }

    def _lower_unit(self, unit: Unit) -> str:
        if unit.integral:
            self._integral(unit)
        else:
            self.as_float(unit)
        return ""

    def _integral(self, unit: Unit) -> None:
        args = [self.read(operand) for operand in unit.operands if operand is not None]
        types = [
            TensorType(output.type.shape, quantization_of(output).dtype) for output in unit.outputs
        ]
        op = "onnx.Requantize" if unit.kind == "Requantize" else self.float_name(unit.node)
        result = self.emit(op, args, *types, **self.float_attrs(unit))
        results: list[Ref] = [result]
        if len(types) > 1:
            results = [
                self.emit("tuple_get_item", [result], type_, index=i)
                for i, type_ in enumerate(types)
            ]
        for output, value in zip(unit.outputs, results, strict=True):
            self.finish(output, value)
