"""Builds a program in integer form, call by call; what each kind of operator becomes is in `kinds.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pytest_npu_compat.model import macs
from pytest_npu_compat.model.graph import Graph, Node, TensorType
from pytest_npu_compat.model.layout import nhwc
from pytest_npu_compat.model.program import Call, Form, Leaf, Operator, Program, Ref
from pytest_npu_compat.model.quantization import DTYPE_RANGES, Operand, Quantization, QuantizedGraph
from pytest_npu_compat.model.units import Output, Unit, group

__all__ = ["Handler", "Lowering", "differs", "quantization_of", "quantize"]

_FLOAT_NAMES = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "LeakyRelu": "nn.leaky_relu",
    "Softmax": "nn.softmax",
    "PRelu": "nn.prelu",
    "Add": "add",
    "Sub": "subtract",
    "Mul": "multiply",
    "Div": "divide",
}
"""Names of float operators that a pattern or a reader of the IR looks for; others keep ONNX's."""

Handler = Callable[["Lowering", Unit], str]
"""Emits the calls of a unit; returns why it cannot (and has emitted nothing), else the empty string."""


class Lowering:
    """Builds a program call by call; `values` maps tensors of the file to what computes them.

    Another form than the integer form overrides `layout`, `form`, `float_name` and `float_attrs`.
    """

    def __init__(self, graph: Graph, handlers: Mapping[str, Handler]) -> None:
        self.units = group(graph)
        self.quantized: QuantizedGraph = self.units.quantized
        self.graph = graph
        self.handlers = handlers
        self.leaves: dict[str, Leaf] = {
            name: Leaf(self.layout(graph.type_of(name)), constant=False) for name in graph.inputs
        }
        self.values: dict[str, Ref] = {name: name for name in graph.inputs}
        self.calls: list[Call] = []
        self.operators: list[Operator] = []
        self.current: int | None = None

    def run(self) -> Program:
        """Lowers every operator and names the program's outputs."""
        for tensor, (source, quantization) in self.units.entries.items():
            type_ = TensorType(self.leaves[source].type.shape, quantization.dtype)
            self.values[tensor] = self.emit("qnn.quantize", [source], type_, output=quantization)
        for index, unit in enumerate(self.units.units):
            first, self.current = len(self.calls), index
            note = self._lower_unit(unit)
            self._add_operator(unit, range(first, len(self.calls)), note)
        self.current = None
        outputs = [self._graph_output(name) for name in self.graph.outputs]
        return Program(self.leaves, tuple(self.calls), tuple(outputs), tuple(self.operators))

    def _lower_unit(self, unit: Unit) -> str:
        """Emits the calls of a unit; returns why it has no integer form, if that can be said."""
        note = unit.note
        if unit.integral:
            handler = self.handlers.get(unit.kind) if not unit.node.domain else None
            note = handler(self, unit) if handler else ""
            if handler and not note:
                return ""
        self.as_float(unit)
        return note

    def _add_operator(self, unit: Unit, calls: range, note: str) -> None:
        shape = unit.outputs[0].type.shape if unit.outputs else None
        self.operators.append(
            Operator(
                index=len(self.operators),
                name=unit.name,
                kind=unit.kind,
                nodes=unit.nodes,
                output_shape=shape or (),
                macs=macs.count(unit),
                calls=tuple(calls),
                form=self.form(unit),
                note=note,
            )
        )

    def _graph_output(self, name: str) -> Ref:
        tensor = self.quantized.resolve(name)
        operand = self.quantized.operand(tensor)
        if operand.quantization is None or operand.constant:
            return self.read(operand)
        return self.dequantize(operand)

    # What another form overrides

    def layout(self, type_: TensorType) -> TensorType:
        """An activation's type as the program has it."""
        return nhwc(type_)

    def form(self, unit: Unit) -> Form:
        """What can be said of a unit's quantization."""
        return "unknown" if unit.unknown else "integer" if unit.integral else "float"

    def float_name(self, node: Node) -> str:
        """Name of a float operator; no other operator set can take an integer operator's."""
        if node.domain:
            return f"{node.domain}.{node.kind}"
        return _FLOAT_NAMES.get(node.kind, f"onnx.{node.kind}")

    def float_attrs(self, unit: Unit) -> dict[str, Any]:
        """Attributes of a float operator."""
        node = unit.node
        if node.kind != "LeakyRelu":
            return {}
        return {"alpha": float(node.attributes.get("alpha", 0.01))}

    # Building blocks

    def emit(self, op: str, args: list[Ref], *types: TensorType, **attrs: Any) -> int:
        """Appends a call and returns its index."""
        call = Call(len(self.calls), op, tuple(args), types, attrs, self.current)
        self.calls.append(call)
        return call.index

    def read(self, operand: Operand) -> Ref:
        """What computes an operand; a constant becomes a leaf."""
        if operand.tensor in self.values:
            return self.values[operand.tensor]
        type_ = operand.type if operand.constant else self.layout(operand.type)
        self.leaves.setdefault(operand.tensor, Leaf(type_, constant=operand.constant))
        return operand.tensor

    def constant(self, name: str, type_: TensorType) -> str:
        """A constant leaf that is not (as such) in the file."""
        self.leaves.setdefault(name, Leaf(type_, constant=True))
        return name

    def dequantize(self, operand: Operand) -> Ref:
        """A float copy of a quantized operand, made for this reader alone."""
        assert operand.quantization is not None
        source = self.read(operand)
        type_ = self.layout(TensorType(operand.type.shape, "float32"))
        return self.emit(
            "qnn.dequantize",
            [source],
            type_,
            input=operand.quantization,
            quantization_node=operand.dequantize,
        )

    def finish(self, output: Output, result: Ref) -> None:
        """Binds the integer tensors made from an output to the call that computes them."""
        for made in output.quantized:
            for tensor in made.tensors:
                self.values[tensor] = result

    def requantize(self, result: Ref, before: Quantization, output: Output) -> None:
        """Binds an output to an integer result, requantized if its quantization differs."""
        after = output.quantized[0].quantization
        if differs(before, after):
            type_ = TensorType(self.program_type(result).shape, after.dtype)
            result = self.emit("qnn.requantize", [result], type_, input=before, output=after)
        self.finish(output, result)

    def program_type(self, ref: Ref) -> TensorType:
        """Type of a call's result or of a leaf."""
        return self.calls[ref].type if isinstance(ref, int) else self.leaves[ref].type

    def clip(self, result: Ref, unit: Unit, bounds: tuple[int, int]) -> Ref:
        """A clip if the activation's bounds are tighter than the data type's range."""
        dtype = quantization_of(unit.outputs[0]).dtype
        if bounds == DTYPE_RANGES.get(dtype):
            return result
        return self.emit(
            "clip", [result], self.program_type(result), a_min=bounds[0], a_max=bounds[1]
        )

    def as_float(self, unit: Unit) -> None:
        """Dequantize -> float operator(s) -> quantize."""
        args = [
            self.read(o) if o.quantization is None or o.constant else self.dequantize(o)
            for o in unit.operands
            if o is not None
        ]
        outputs = unit.outputs
        types = tuple(self.layout(o.type) for o in outputs) or (TensorType(None, "unknown"),)
        op = self.float_name(unit.node)
        result = self.emit(op, args, *types, **self.float_attrs(unit))
        results: list[Ref] = [result]
        if len(outputs) > 1:
            results = [
                self.emit("tuple_get_item", [result], type_, index=i)
                for i, type_ in enumerate(types)
            ]
        for output, value in zip(outputs, results, strict=False):
            if unit.activation is not None:
                activation = self.float_name(unit.activation)
                value = self.emit(activation, [value], self.layout(output.type))
            self.values[output.tensor] = value
            for made in output.quantized:
                type_ = self.layout(TensorType(output.type.shape, made.quantization.dtype))
                quantized = self.emit(
                    "qnn.quantize",
                    [value],
                    type_,
                    output=made.quantization,
                    quantization_node=made.quantize,
                )
                for tensor in made.tensors:
                    self.values[tensor] = quantized

    def bounds(self, node: Node | None, quantization: Quantization) -> tuple[int, int] | None:
        """Integer bounds of a Relu or Clip; None if they are not constant.

        Without an activation they are the data type's range.
        """
        low, high = DTYPE_RANGES.get(quantization.dtype, (-128, 127))
        if node is None:
            return low, high
        limits: list[float | None] = [0.0, None]
        if node.kind == "Clip":
            limits = []
            for position, name in ((1, "min"), (2, "max")):
                limit = self._clip_limit(node, position, name)
                if limit == "unknown":
                    return None
                limits.append(None if limit is None else float(limit))
        lower, upper = (
            None if limit is None else quantize(limit, quantization) for limit in limits
        )
        # One-sided, as TFLite's importer does it: a lower bound may end above the upper one.
        return (
            low if lower is None else max(low, lower),
            high if upper is None else min(high, upper),
        )

    def _clip_limit(self, node: Node, position: int, name: str) -> float | str | None:
        tensor = self.quantized.resolve(node.input(position))
        if not tensor:
            value = node.attributes.get(name)
            return None if value is None else float(value)
        values = self.values_of(tensor)
        if values is None or values.size != 1 or np.isnan(values).any():
            return "unknown"
        return float(values.reshape(-1)[0])

    def values_of(self, tensor: str) -> Any:
        """Elements of a constant, None if they are not known. Dequantizes a quantized constant."""
        if not tensor:
            return None
        operand = self.quantized.operand(tensor)
        constant = self.graph.constants.get(operand.tensor)
        if constant is None or constant.values is None:
            return None
        if operand.quantization is None:
            return constant.values
        q = operand.quantization
        return (constant.values.astype(np.float64) - q.zero_point) * q.scale


def differs(before: Quantization, after: Quantization) -> bool:
    """Whether a requantize is needed between two quantizations."""
    return (before.scale, before.zero_point, before.dtype) != (
        after.scale,
        after.zero_point,
        after.dtype,
    )


def quantize(value: float, quantization: Quantization) -> int:
    """The integer of a float value, not limited to the data type's range."""
    scaled = value / quantization.scale if quantization.scale else 0.0
    return round(min(max(scaled, -1e9), 1e9)) + quantization.zero_point


def quantization_of(output: Output) -> Quantization:
    """How an output of an operator in integer form is quantized."""
    return output.quantized[0].quantization
