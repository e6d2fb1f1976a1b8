"""Operators as TVM's own importer makes them: the form that the patterns of TVM's backends are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import tvm
from tvm import relax

from pytest_npu_compat.model import macs
from pytest_npu_compat.model.graph import Graph
from pytest_npu_compat.model.onnx_operators import default_attributes
from pytest_npu_compat.model.program import (
    CONVERSIONS,
    IMPORTER_SAYS,
    Call,
    Leaf,
    Operator,
    Program,
    Ref,
)
from pytest_npu_compat.model.relax_import import Imported, Origin, bindings, import_graph
from pytest_npu_compat.model.relax_module import call_name, identifier, relax_type, tensor_types
from pytest_npu_compat.model.units import Units, group

__all__ = ["lower"]


def lower(graph: Graph) -> Program:
    """Brings a graph to Relax form.

    Args:
        graph: As read from the file.

    Returns:
        The program, with its module. Shapes are those of the file (convolutions are NCHW). What
        depends on constants alone is folded. An operator that TVM's importer dissolves (a cast to
        the same type) is not part of it.
    """
    units = group(graph)
    return _Extraction(units, import_graph(units.quantized)).run()


class _Extraction:
    """What TVM's importer made -> a program, and a module of its calls alone."""

    def __init__(self, units: Units, imported: Imported) -> None:
        self.units = units
        self.imported = imported
        self.graph: Graph = units.quantized.graph
        self.builder = relax.BlockBuilder()
        self.calls: list[Call] = []
        self.leaves: dict[str, Leaf] = {}
        self.parameters: list[relax.Var] = []
        # Variable of the imported module -> expression of the new one; variable of the new one -> ref.
        self.exprs: dict[relax.Var, Any] = {}
        self.refs: dict[relax.Var, Ref] = {}
        self.unit_of = {name: i for i, unit in enumerate(units.units) for name in unit.nodes}
        self.maker_of = {o.tensor: i for i, unit in enumerate(units.units) for o in unit.outputs}

    def run(self) -> Program:
        """Walks the live part of the module."""
        module = relax.transform.DeadCodeElimination()(self.imported.module)
        for name, variable in self.imported.parameters.items():
            self._leaf(variable, variable, name, constant=name not in self.graph.inputs)
        *body, last = bindings(module)
        with self.builder.function("main"):
            with self.builder.dataflow():
                for binding in body:
                    self.exprs[binding.var] = self._binding(binding)
                results = [self._substitute(field) for field in last.value.fields]
                outputs = tuple(self._output(value) for value in results)
                result = results[0] if len(results) == 1 else relax.Tuple(results)
                output = self.builder.emit_output(result)
            self.builder.emit_func_output(output, params=self.parameters)
        # Functions that converters made beside `main`, e.g. of tensor expressions.
        new = self.builder.get()
        functions = {v: f for v, f in module.functions.items() if v.name_hint != "main"}
        new.update(functions)
        operators = self._operators()
        return Program(self.leaves, tuple(self.calls), outputs, operators, new)

    def _leaf(self, old: relax.Var, new: relax.Var, name: str, *, constant: bool) -> None:
        self.exprs[old] = new
        self.refs[new] = name
        types = tensor_types(new.ty)
        self.leaves[name] = Leaf(types[0], constant=constant)
        self.parameters.append(new)

    def _binding(self, binding: relax.Binding) -> Any:
        value = self._substitute(binding.value)
        if isinstance(value, relax.TupleGetItem):
            return self._item(value)
        if not isinstance(value, relax.Call):
            return value
        refs = self._refs(value)
        opaque = isinstance(value.op, tvm.ir.Op) and not value.op.name.startswith("relax.")
        if not opaque and all(self._is_constant(ref) for ref in refs):
            return self._folded(binding)
        return self._call(binding, value, refs)

    def _item(self, value: relax.TupleGetItem) -> Any:
        source = value.tuple_value
        if isinstance(source, relax.Tuple):
            return source.fields[value.index]
        variable = self.builder.emit(value)
        types = tuple(tensor_types(variable.ty))
        ref = self.refs[source]
        operator = self.calls[ref].operator if isinstance(ref, int) else None
        attributes = {"index": value.index}
        self.refs[variable] = len(self.calls)
        self.calls.append(
            Call(len(self.calls), "tuple_get_item", (ref,), types, attributes, operator)
        )
        return variable

    def _folded(self, binding: relax.Binding) -> Any:
        """Constant results as parameters of the new module."""
        types = tensor_types(binding.value.ty)
        names = [f"{binding.var.name}.{i}" for i in range(len(types))]
        variables = [
            relax.Var(identifier(name, len(self.parameters) + i), relax_type(type_))
            for i, (name, type_) in enumerate(zip(names, types, strict=True))
        ]
        for name, variable in zip(names, variables, strict=True):
            self._leaf(variable, variable, f"{name} (folded)", constant=True)
        is_tuple = isinstance(binding.value.ty, tvm.ir.TupleType)
        return relax.Tuple(variables) if is_tuple else variables[0]

    def _call(self, binding: relax.Binding, value: relax.Call, refs: tuple[Ref, ...]) -> relax.Var:
        origin = self.imported.origins[str(binding.var.name)]
        index = len(self.calls)
        variable = self.builder.emit(value, name_hint=call_name(index))
        self.refs[variable] = index
        op = value.op.name if isinstance(value.op, tvm.ir.Op) else "call"
        self.calls.append(
            Call(
                index,
                CONVERSIONS.get(origin.node.kind, op),
                refs,
                tuple(tensor_types(variable.ty)),
                self._attributes(origin),
                self._unit(origin),
            )
        )
        return variable

    def _attributes(self, origin: Origin) -> Mapping[str, Any]:
        node = origin.node
        if node.kind in CONVERSIONS:
            found: dict[str, Any] = {"quantization_node": node.name}
        else:
            defaults = {} if node.domain else default_attributes(node.kind, self.graph.opset)
            found = {**defaults, **node.attributes}
        if node.name in self.imported.failed:
            found[IMPORTER_SAYS] = self.imported.failed[node.name]
        return found

    def _unit(self, origin: Origin) -> int | None:
        """Index of the operator that a node is part of; None at the borders of the graph."""
        node = origin.node
        if node.name in self.unit_of:
            return self.unit_of[node.name]
        if node.kind == "QuantizeLinear":
            return self.maker_of.get(self.units.quantized.resolve(node.inputs[0]))
        if node.kind == "DequantizeLinear" and origin.reader is not None:
            return self._unit(Origin(origin.reader, None))
        return None

    def _substitute(self, expr: Any) -> Any:
        """An expression with the variables of the new module."""
        if isinstance(expr, relax.Var):
            return self.exprs[expr]
        if isinstance(expr, relax.Tuple):
            return relax.Tuple([self._substitute(field) for field in expr.fields])
        if isinstance(expr, relax.TupleGetItem):
            return relax.TupleGetItem(self._substitute(expr.tuple_value), expr.index)
        if isinstance(expr, relax.Call):
            args = [self._substitute(arg) for arg in expr.args]
            return relax.Call(expr.op, args, expr.attrs, expr.ty_args, expr.span)
        return expr

    def _refs(self, expr: Any) -> tuple[Ref, ...]:
        """The tensors that a call reads, those inside of tuples included; embedded constants are not."""
        values = [v for a in expr.args for v in (a.fields if isinstance(a, relax.Tuple) else (a,))]
        return tuple(self.refs[value] for value in values if isinstance(value, relax.Var))

    def _is_constant(self, ref: Ref) -> bool:
        return isinstance(ref, str) and self.leaves[ref].constant

    def _output(self, value: Any) -> Ref:
        if isinstance(value, relax.Var):
            return self.refs[value]
        name = f"output {len(self.leaves)}"
        self.leaves[name] = Leaf(tensor_types(value.ty)[0], constant=True)
        return name

    def _operators(self) -> tuple[Operator, ...]:
        """The operators that have calls, and their indices in the calls."""
        own: dict[int, list[int]] = {}
        for call in self.calls:
            if call.operator is not None:
                own.setdefault(call.operator, []).append(call.index)
        position = {unit: i for i, unit in enumerate(sorted(own))}
        self.calls = [
            call if call.operator is None else replace(call, operator=position[call.operator])
            for call in self.calls
        ]
        found = []
        for index in sorted(own):
            unit = self.units.units[index]
            shape = unit.outputs[0].type.shape if unit.outputs else None
            found.append(
                Operator(
                    index=position[index],
                    name=unit.name,
                    kind=unit.kind,
                    nodes=unit.nodes,
                    output_shape=shape or (),
                    macs=macs.count(unit),
                    calls=tuple(own[index]),
                    form="native",
                    note="",
                )
            )
        return tuple(found)
