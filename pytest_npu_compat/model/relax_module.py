"""Program -> TVM Relax IRModule, each call knowing the program's call it came from.

TVM 0.27 has no quantized dialect any more, so the operators of the integer form are registered here
under the names that Relay gave them. They have no kernel: the module is made to be partitioned, not
to be run. A call carries its result type as a type argument, as `R.call_pure_packed` does.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tvm
from tvm import relax
from tvm.ir import Op, _ffi_api, register_op_attr

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.model.quantization import Quantization

__all__ = [
    "build",
    "call_index",
    "call_name",
    "identifier",
    "listing",
    "opaque_call",
    "register",
    "relax_type",
    "tensor_types",
]

CALL_ATTR = "call"
"""Attribute of every call of the integer form: its index in the program."""

_CALL_NAME = re.compile(r"call(\d+)")

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
        The program's own module if it has one. Else a module with one function ``main``: its parameters
        are the graph's inputs, then the constants, whose values it does not have; the attribute
        ``num_input`` separates them.
    """
    if program.module is not None:
        return program.module
    names = sorted(program.leaves, key=lambda name: program.leaves[name].constant)
    used = _used_leaves(program)
    names = [n for n in names if not program.leaves[n].constant or n in used]
    leaves = {
        name: relax.Var(identifier(name, index), relax_type(program.leaves[name].type))
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
    types = [relax_type(type_) for type_ in call.types]
    result = tvm.ir.TupleType(types) if call.returns_tuple else types[0]
    expr = relax.Call(
        register(call.op),
        args,
        attrs={**_attrs(call.attrs), CALL_ATTR: call.index},
        ty_args=[result],
    )
    return builder.emit(expr)


def opaque_call(name: str, args: Sequence[relax.Expr], types: Sequence[tvm.ir.Type]) -> relax.Call:
    """A call to an operator that TVM does not know, registered under a name of the file's.

    Args:
        name: E.g. ``onnx.TopK``.
        args: What it reads.
        types: Of its results; several make a tuple.
    """
    result = types[0] if len(types) == 1 else tvm.ir.TupleType(list(types))
    return relax.Call(register(name), list(args), ty_args=[result])


def call_name(index: int) -> str:
    """Name of the variable of a call whose attributes are TVM's own, which cannot carry its index."""
    return f"call{index}"


def call_index(variable: relax.Var, value: relax.Expr) -> int | None:
    """Index in the program of the call that a binding is; None if it is none of the program's."""
    if not isinstance(value, relax.Call):
        return None
    attrs = value.attrs
    if isinstance(attrs, tvm.ir.DictAttrs) and CALL_ATTR in attrs.keys():  # noqa: SIM118 - no dict
        return int(attrs[CALL_ATTR])
    match = _CALL_NAME.fullmatch(str(variable.name))
    return int(match[1]) if match else None


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
        _line(binding) for binding in bindings if call_index(binding.var, binding.value) in calls
    ]


def _line(binding: relax.Binding) -> str:
    call = binding.value
    shown = [_shown(arg) for arg in call.args]
    # The names of the file's own nodes are the reader's to add: they are not part of the IR.
    hidden = (CALL_ATTR, "quantization_node")
    own = isinstance(call.attrs, tvm.ir.DictAttrs)
    attrs = call.attrs.items() if own else ()
    shown += [f"{k}={_shown(v)}" for k, v in attrs if k not in hidden]
    op = call.op.name if isinstance(call.op, tvm.ir.Op) else call.op.name_hint
    return f"{binding.var.name}: {_shown(binding.var.ty)} = {op}({', '.join(shown)})"


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


def relax_type(type_: TensorType) -> relax.TensorType:
    """A tensor type of TVM; see `_DTYPES` for what it cannot say."""
    dtype = type_.dtype if type_.dtype in _DTYPES else "float32"
    shape = type_.static_shape
    if shape is not None:
        return relax.TensorType(shape, dtype)
    return relax.TensorType(dtype=dtype, ndim=-1 if type_.shape is None else len(type_.shape))


def tensor_types(type_: tvm.ir.Type) -> list[TensorType]:
    """The tensors of a type of TVM; what is no tensor has no known shape and type."""
    if isinstance(type_, tvm.ir.TupleType):
        return [tensor for field in type_.fields for tensor in tensor_types(field)]
    if not isinstance(type_, relax.TensorType):
        return [TensorType(None, "unknown")]
    dtype = str(type_.dtype) or "unknown"
    if type_.shape is not None and isinstance(type_.shape, relax.ShapeExpr):
        dims = tuple(int(d) if isinstance(d, tvm.tirx.IntImm) else None for d in type_.shape.values)
        return [TensorType(dims, dtype)]
    return [TensorType(None if type_.ndim < 0 else (None,) * type_.ndim, dtype)]


def identifier(name: str, index: int) -> str:
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
