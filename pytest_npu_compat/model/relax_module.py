"""Program -> TVM Relax IRModule, each call knowing the program's call it came from.

TVM 0.27 has no quantized dialect any more, so the operators of the integer form are registered here
under the names that Relay gave them. They have no kernel: the module is made to be partitioned, not
to be run. A call carries its result type as a type argument, as `R.call_pure_packed` does.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from typing import Any

import tvm
from tvm import relax
from tvm.ir import Op, _ffi_api, register_op_attr

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.model.quantization import Quantization

__all__ = ["CALL_ATTR", "build", "listing", "register"]

CALL_ATTR = "call"
"""Attribute of every call: its index in the program."""

_DTYPES = {
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "bfloat16", "bool"),
}
"""Types that TVM names as NumPy does. Others stand as float32 in the IR; rules look at the program."""


@functools.cache
def register(name: str) -> Op:
    """Registers a pure operator whose result type is its first type argument."""
    if name not in Op.list_op_names():
        _ffi_api.RegisterOp(name, "Operator of the integer form; see Relay's of this name.")
        register_op_attr(name, "FPurity", value=True)
        register_op_attr(name, "FInferType", _result_type)
    return Op.get(name)


def _result_type(call: relax.Call, _builder: relax.BlockBuilder) -> tvm.ir.Type:
    return call.ty_args[0]


def build(program: Program) -> tvm.IRModule:
    """Builds the module.

    Args:
        program: A model in integer form.

    Returns:
        A module with one function ``main``. Its parameters are the graph's inputs, then the
        constants, whose values it does not have; the attribute ``num_input`` separates them.
    """
    names = sorted(program.leaves, key=lambda name: program.leaves[name].constant)
    used = _used_leaves(program)
    names = [n for n in names if not program.leaves[n].constant or n in used]
    leaves = {
        name: relax.Var(_identifier(name, index), _type(program.leaves[name].type))
        for index, name in enumerate(names)
    }
    inputs = sum(not program.leaves[name].constant for name in names)
    builder = relax.BlockBuilder()
    with builder.function("main", list(leaves.values()), attrs={"num_input": inputs}):
        with builder.dataflow():
            values: dict[Any, relax.Expr] = dict(leaves)
            for call in program.calls:
                values[call.index] = _emit(builder, call, [values[ref] for ref in call.args])
            results = [values[ref] for ref in program.outputs]
            result = results[0] if len(results) == 1 else relax.Tuple(results)
            output = builder.emit_output(result)
        builder.emit_func_output(output)
    return builder.get()


def _emit(builder: relax.BlockBuilder, call: Call, args: list[relax.Expr]) -> relax.Expr:
    if call.op == "tuple":
        return relax.Tuple(args)
    if call.op == "tuple_get_item":
        return builder.emit(relax.TupleGetItem(args[0], call.attrs["index"]))
    types = [_type(type_) for type_ in call.types]
    result = tvm.ir.TupleType(types) if call.returns_tuple else types[0]
    expr = relax.Call(
        register(call.op),
        args,
        attrs={**_attrs(call.attrs), CALL_ATTR: call.index},
        ty_args=[result],
    )
    return builder.emit(expr)


def listing(module: tvm.IRModule, calls: Collection[int]) -> list[str]:
    """The lines of ``main`` that stand for some calls, shorter than TVM's own script writes them.

    Args:
        module: A module that `build` made.
        calls: Indices of calls in the program.

    Returns:
        One line for each, in order of execution: ``lv2: int8[1, 8, 8, 16] = nn.op(lv1, axis=3)``.
    """
    bindings = [binding for block in module["main"].body.blocks for binding in block.bindings]
    return [
        _line(binding)
        for binding in bindings
        if isinstance(binding.value, relax.Call) and binding.value.attrs[CALL_ATTR] in calls
    ]


def _line(binding: relax.Binding) -> str:
    call = binding.value
    shown = [_shown(arg) for arg in call.args]
    # The names of the file's own nodes are the reader's to add: they are not part of the IR.
    hidden = (CALL_ATTR, "quantization_node")
    shown += [f"{k}={_shown(v)}" for k, v in call.attrs.items() if k not in hidden]
    return f"{binding.var.name}: {_shown(call.ty_args[0])} = {call.op.name}({', '.join(shown)})"


def _shown(value: Any) -> str:
    if isinstance(value, relax.Var):
        return str(value.name)
    if isinstance(value, relax.TensorType):
        known = value.shape is not None
        return f"{value.dtype}[{', '.join(str(int(d)) for d in value.shape) if known else '...'}]"
    if isinstance(value, (relax.Tuple, tvm.ir.TupleType)):
        return f"({', '.join(_shown(field) for field in value.fields)})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _used_leaves(program: Program) -> set[str]:
    refs = [ref for call in program.calls for ref in call.args] + list(program.outputs)
    return {ref for ref in refs if isinstance(ref, str)}


def _type(type_: TensorType) -> relax.TensorType:
    dtype = type_.dtype if type_.dtype in _DTYPES else "float32"
    shape = type_.static_shape
    if shape is not None:
        return relax.TensorType(shape, dtype)
    return relax.TensorType(dtype=dtype, ndim=-1 if type_.shape is None else len(type_.shape))


def _identifier(name: str, index: int) -> str:
    """A valid Relax variable name that still shows where it comes from."""
    cleaned = "".join(c if c.isascii() and c.isalnum() else "_" for c in name[:60])
    return f"p{index}_{cleaned}"


def _attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as TVM can hold them, for readers of the IR."""
    flat: dict[str, Any] = {}
    for key, value in attrs.items():
        if isinstance(value, Quantization):
            flat.update(_quantization(key, value))
        elif isinstance(value, tuple) and value and isinstance(value[0], Quantization):
            for position, quantization in enumerate(value):
                flat.update(_quantization(f"{key}{position}", quantization))
        elif value is not None:
            flat[key] = _plain(value)
    return flat


def _quantization(key: str, value: Quantization) -> dict[str, Any]:
    # Per-channel scales can be thousands; the IR shows the first and how many there are.
    shown: dict[str, Any] = {f"{key}_scale": value.scale, f"{key}_zero_point": value.zero_point}
    if len(value.scales) > 1:
        shown[f"{key}_scales"] = len(value.scales)
    return shown


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value
