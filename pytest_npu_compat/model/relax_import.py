"""TVM's own ONNX importer, used node by node, so that one node cannot sink a model.

A node without a converter, or whose converter fails, becomes an opaque call. What depends on constants
alone is not imported: it becomes a parameter, without its elements. A tensor that is dequantized gets a
dequantize for each of its readers, as in the integer form.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import tvm
from tvm import relax
from tvm.relax.frontend.onnx.onnx_frontend import ONNXGraphImporter, onnx_input

from pytest_npu_compat.model.graph import Node, TensorType
from pytest_npu_compat.model.quantization import QuantizedGraph, is_transparent
from pytest_npu_compat.model.relax_module import identifier, opaque_call, relax_type

__all__ = ["Imported", "Origin", "bindings", "import_graph"]

_FOREIGN = "com.microsoft"
"""The one foreign operator set of which TVM's importer knows operators; it looks at names alone."""

_RANDOM = ("Random", "Bernoulli", "Multinomial")


@dataclass(frozen=True)
class Origin:
    """What a binding was made for.

    Attributes:
        node: The node.
        reader: Of a dequantize, the node that it was copied for; None at a graph output.
    """

    node: Node
    reader: Node | None


@dataclass(frozen=True)
class Imported:
    """What TVM's importer made of a graph.

    Attributes:
        module: With one function ``main`` that returns a tuple, and functions that converters made.
        parameters: Those of ``main`` by tensor name: graph inputs, then constants without elements.
        origins: Name of a variable of ``main`` -> what it was made for.
        failed: Node name -> why the importer does not take it.
    """

    module: tvm.IRModule
    parameters: dict[str, relax.Var]
    origins: dict[str, Origin]
    failed: dict[str, str]


def import_graph(quantized: QuantizedGraph) -> Imported:
    """Imports every node of a graph."""
    return _Import(quantized).run()


def bindings(module: tvm.IRModule) -> list[relax.Binding]:
    """The bindings of ``main``, in order of execution."""
    return [binding for block in module["main"].body.blocks for binding in block.bindings]


class _NodeImporter(ONNXGraphImporter):  # type: ignore[misc] # TVM has no types
    """TVM's importer, used node by node."""

    def __init__(self, opset: int) -> None:
        super().__init__({}, "float32")
        self.opset = opset
        self.values: dict[str, Any] = self._nodes

    def convert(self, node: Node, inputs: list[Any]) -> list[Any]:
        """What a node's outputs become.

        Raises:
            Exception: Whatever its converter raises.
        """
        attributes = {name: _proto_value(value) for name, value in node.attributes.items()}
        attributes["tvm_custom"] = {"name": node.name, "num_outputs": len(node.outputs)}
        given = onnx_input()
        given.extend(inputs)
        result = self._convert_operator(node.kind, given, attributes, self.opset)
        fields = self._fields(result)
        if len(fields) < sum(map(bool, node.outputs)):
            raise ValueError(f"{len(fields)} results instead of {len(node.outputs)}")
        return [self._bound(value) for value in fields]

    def _fields(self, result: Any) -> list[Any]:
        if isinstance(result, relax.Tuple):
            return list(result.fields)
        if isinstance(result.ty, tvm.ir.TupleType):
            variable = self._bound(result)
            return [relax.TupleGetItem(variable, i) for i in range(len(result.ty.fields))]
        return [result]

    def _bound(self, value: Any) -> Any:
        """A value as a variable, so that several readers share it; constants and shapes as they are."""
        is_call = isinstance(value, (relax.Call, relax.TupleGetItem, relax.Tuple))
        return self.bb.emit(value) if is_call else value


def _proto_value(value: Any) -> Any:
    """An attribute as ONNX's own Python classes have it, where text is bytes."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, tuple):
        return tuple(v.encode() if isinstance(v, str) else v for v in value)
    return value


class _Import:
    def __init__(self, quantized: QuantizedGraph) -> None:
        self.quantized = quantized
        self.graph = quantized.graph
        self.importer = _NodeImporter(self.graph.opset)
        self.values: dict[str, Any] = self.importer.values
        self.parameters: dict[str, relax.Var] = {}
        self.failed: dict[str, str] = {}
        # Tensors that a DequantizeLinear makes, which is imported when something reads them.
        self.deferred: dict[str, Node] = {}
        self.constant = set(self.graph.constants)
        # Each node ends with a binding of its own: the importer does not tell what it has emitted.
        self.marks: dict[str, Origin] = {}

    def run(self) -> Imported:
        builder = self.importer.bb
        for name in self.graph.inputs:
            self._parameter(name, self.graph.type_of(name))
        with warnings.catch_warnings(), builder.function("main"):
            warnings.simplefilter("ignore")  # they are about the model's values
            with builder.dataflow():
                for node in self.graph.nodes:
                    self._node(node)
                results = [self._read(name, None) for name in self.graph.outputs]
                output = builder.emit_output(relax.Tuple(results))
            builder.emit_func_output(output, params=list(self.parameters.values()))
        module = builder.get()
        origins: dict[str, Origin] = {}
        before: list[str] = []
        for binding in bindings(module):
            name = str(binding.var.name)
            before.append(name)
            if name in self.marks:
                origins.update(dict.fromkeys(before, self.marks[name]))
                before.clear()
        return Imported(module, self.parameters, origins, self.failed)

    def _node(self, node: Node) -> None:
        outputs = [name for name in node.outputs if name]
        if self.constant.issuperset(outputs):
            return
        inputs = [self.quantized.resolve(name) for name in node.inputs]
        if is_transparent(node):
            self._alias(node.outputs[0], inputs[0])
        elif self._is_folded(node, inputs):
            self.constant.update(outputs)
        elif node.kind == "DequantizeLinear":
            self.deferred[node.outputs[0]] = node
        else:
            values = [self._read(name, node) if name else None for name in inputs]
            results = self._converted(node, values, None)
            self.values.update(
                (name, value) for name, value in zip(node.outputs, results, strict=False) if name
            )

    def _alias(self, output: str, source: str) -> None:
        """A graph output can be another name of a tensor; readers are resolved already."""
        if source in self.constant:
            self.constant.add(output)
        if source in self.deferred:
            self.deferred[output] = self.deferred[source]
        if source in self.values:
            self.values[output] = self.values[source]

    def _is_folded(self, node: Node, inputs: list[str]) -> bool:
        """Whether a node computes constants, of types that are known."""
        present = [name for name in inputs if name]
        return (
            bool(present)
            and self.constant.issuperset(present)
            and not node.kind.startswith(_RANDOM)
            and all(self.graph.type_of(o).static_shape is not None for o in node.outputs if o)
        )

    def _converted(self, node: Node, values: list[Any], reader: Node | None) -> list[Any]:
        results: list[Any] = []
        why = self._refused(node)
        if not why:
            try:
                results = self.importer.convert(node, values)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a converter may raise anything
                why = " ".join(str(error).split())[:200] or type(error).__name__
        if why:
            self.failed[node.name] = why
            results = self._opaque(node, values)
        mark = self.importer.bb.emit(relax.const(0))
        self.marks[str(mark.name)] = Origin(node, reader)
        return results

    def _refused(self, node: Node) -> str:
        if node.domain not in ("", _FOREIGN):
            return f"it does not know the operator set {node.domain}"
        return ""

    def _opaque(self, node: Node, values: list[Any]) -> list[Any]:
        types = [relax_type(self.graph.type_of(name)) for name in node.outputs if name]
        name = f"{node.domain or 'onnx'}.{node.kind}"
        builder = self.importer.bb
        # Of sequences and the like, TVM has no type; what reads them is opaque too.
        args = [value for value in values if value is not None]
        call = builder.emit(opaque_call(name, args, types))
        if len(types) == 1:
            return [call]
        fields = iter(range(len(types)))
        return [
            builder.emit(relax.TupleGetItem(call, next(fields))) if name else None
            for name in node.outputs
        ]

    def _read(self, name: str, reader: Node | None) -> Any:
        """What a node is given for one of its inputs."""
        name = self.quantized.resolve(name)
        if name in self.deferred:
            node = self.deferred[name]
            inputs = [self._read(n, node) if n else None for n in node.inputs]
            return self._converted(node, inputs, reader)[0]
        if name in self.values:
            return self.values[name]
        constant = self.graph.constants.get(name)
        value: Any = None
        if constant is not None and constant.values is not None:
            value = _constant(constant.values)
        if value is None:
            return self._parameter(name, self.graph.type_of(name))
        self.values[name] = value
        return value

    def _parameter(self, name: str, type_: TensorType) -> relax.Var:
        variable = relax.Var(identifier(name, len(self.parameters)), relax_type(type_))
        self.parameters[name] = self.values[name] = variable
        return variable


def _constant(values: Any) -> Any:
    """A constant of the module; None for a type that TVM has no constants of."""
    try:
        return relax.const(
            tvm.runtime.tensor(values)
        )  # as it is: of an array, `const` narrows the type
    except (TypeError, ValueError, tvm.error.TVMError):
        return None
