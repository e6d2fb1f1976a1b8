"""Matched calls of the integer form -> the operators that the constraints look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Call, Program, Ref
from pytest_npu_compat.model.quantization import Quantization
from pytest_npu_compat.target.ethos_n78 import operators as ops

__all__ = [
    "UnknownShapeError",
    "average_pool",
    "binary",
    "clip",
    "concatenate",
    "convolution",
    "depth_to_space",
    "fixed",
    "fully_connected",
    "leaky_relu",
    "max_pool",
    "mean",
    "requantize",
    "reshape",
    "resize",
    "split",
    "with_constant",
]

Calls = Sequence[Call]


class UnknownShapeError(ValueError):
    """A tensor of a matched call has a dimension that is not known before run time."""


def _find(calls: Calls, op: str) -> Call:
    return next(call for call in calls if call.op == op)


def _quant(value: Quantization | None) -> ops.Quant:
    return ops.Quant() if value is None else ops.Quant(value.scales, value.zero_point)


def _tensor(type_: TensorType, quantization: Any = None) -> ops.Tensor:
    shape = type_.static_shape
    if shape is None:
        raise UnknownShapeError(str(type_))
    return ops.Tensor(shape, type_.dtype, _quant(quantization))


def _bias(program: Program, calls: Calls) -> tuple[int, ...] | None:
    for call in calls:
        if call.op == "nn.bias_add":
            return program.type_of(call.args[1]).static_shape
    return None


def convolution(program: Program, calls: Calls) -> ops.Convolution:
    """[nn.pad] -> qnn.conv2d or qnn.conv2d_transpose -> nn.bias_add -> qnn.requantize."""
    conv = next(call for call in calls if call.op.startswith("qnn.conv2d"))
    last, attrs = calls[-1], conv.attrs
    pads = [call for call in calls if call.op == "nn.pad"]
    source = pads[0].args[0] if pads else conv.args[0]
    return ops.Convolution(
        input=_tensor(program.type_of(source), attrs["input"]),
        output=_tensor(last.type, last.attrs["output"]),
        weights=_tensor(program.type_of(conv.args[1]), attrs["kernel"]),
        bias_shape=_bias(program, calls),
        strides=attrs["strides"],
        padding=attrs["padding"],
        dilation=attrs["dilation"],
        groups=attrs["groups"],
        output_channels=attrs["channels"],
        kernel_layout=attrs["kernel_layout"],
        transposed=conv.op == "qnn.conv2d_transpose",
        pad=_padding(pads[0]) if pads else None,
        output_padding=attrs.get("output_padding", (0, 0)),
    )


def _padding(pad: Call) -> ops.Padding:
    _, (top, bottom), (left, right), _ = pad.attrs["pad_width"]
    return ops.Padding((top, left, bottom, right), pad.attrs["pad_mode"], pad.attrs["pad_value"])


def fully_connected(program: Program, calls: Calls) -> ops.FullyConnected:
    """qnn.dense -> nn.bias_add -> qnn.requantize."""
    dense, last = _find(calls, "qnn.dense"), calls[-1]
    return ops.FullyConnected(
        input=_tensor(program.type_of(dense.args[0]), dense.attrs["input"]),
        output=_tensor(last.type, last.attrs["output"]),
        weights=_tensor(program.type_of(dense.args[1]), dense.attrs["kernel"]),
        bias_shape=_bias(program, calls),
    )


def _pool(program: Program, calls: Calls, op: str, kind: str) -> ops.Pool:
    pool = _find(calls, op)
    return ops.Pool(
        input=_tensor(program.type_of(calls[0].args[0])),
        output=_tensor(calls[-1].type),
        kind=kind,
        window=pool.attrs["pool_size"],
        strides=pool.attrs["strides"],
        padding=pool.attrs["padding"],
        layout=pool.attrs["layout"],
        count_include_pad=bool(pool.attrs.get("count_include_pad", False)),
    )


def max_pool(program: Program, calls: Calls) -> ops.Pool:
    """nn.max_pool2d."""
    return _pool(program, calls, "nn.max_pool2d", "max")


def average_pool(program: Program, calls: Calls) -> ops.Pool:
    """Cast -> nn.avg_pool2d -> cast."""
    return _pool(program, calls, "nn.avg_pool2d", "avg")


def _ends(program: Program, calls: Calls) -> tuple[ops.Tensor, ops.Tensor]:
    first, last = calls[0], calls[-1]
    before = first.attrs.get("input") or last.attrs.get("input")
    return (
        _tensor(program.type_of(first.args[0]), before),
        _tensor(last.type, last.attrs.get("output")),
    )


def mean(program: Program, calls: Calls) -> ops.Mean:
    """Cast -> mean -> qnn.requantize."""
    return ops.Mean(*_ends(program, calls))


def fixed(program: Program, calls: Calls) -> ops.Fixed:
    """qnn.dequantize -> sigmoid or tanh -> qnn.quantize."""
    return ops.Fixed(*_ends(program, calls), kind=calls[1].op)


def leaky_relu(program: Program, calls: Calls) -> ops.LeakyRelu:
    """qnn.dequantize -> nn.leaky_relu -> qnn.quantize."""
    return ops.LeakyRelu(*_ends(program, calls), alpha=calls[1].attrs["alpha"])


def requantize(program: Program, calls: Calls) -> ops.Requantize:
    """qnn.requantize."""
    return ops.Requantize(*_ends(program, calls))


def reshape(program: Program, calls: Calls) -> ops.Reshape:
    """Reshape."""
    return ops.Reshape(*_ends(program, calls))


def resize(program: Program, calls: Calls) -> ops.Resize:
    """image.resize2d."""
    return ops.Resize(*_ends(program, calls), method=calls[0].attrs["method"])


def clip(program: Program, calls: Calls) -> ops.Clip:
    """Clip."""
    attrs = calls[0].attrs
    return ops.Clip(*_ends(program, calls), a_min=attrs["a_min"], a_max=attrs["a_max"])


def depth_to_space(program: Program, calls: Calls) -> ops.DepthToSpace:
    """nn.depth_to_space."""
    attrs = calls[0].attrs
    return ops.DepthToSpace(
        *_ends(program, calls), attrs["block_size"], attrs["mode"], attrs["layout"]
    )


def _side(program: Program, call: Call, index: int) -> ops.Tensor:
    return _tensor(program.type_of(call.args[index]), call.attrs[("lhs", "rhs")[index]])


def constant_side(program: Program, call: Call) -> int | None:
    """Index of the only constant operand of a binary call, None if there is no such one."""
    constant = [program.is_constant(arg) for arg in call.args]
    return constant.index(True) if constant.count(True) == 1 else None


def binary(program: Program, calls: Calls) -> ops.Addition:
    """qnn.add of two tensors."""
    call = calls[0]
    return ops.Addition(
        lhs=_side(program, call, 0),
        rhs=_side(program, call, 1),
        output=_tensor(call.type, call.attrs["output"]),
        same_operand=call.args[0] == call.args[1],
    )


def with_constant(
    program: Program, calls: Calls, kind: type[ops.AddConstant] | type[ops.MultiplyConstant]
) -> ops.AddConstant | ops.MultiplyConstant | None:
    """qnn.add or qnn.mul with exactly one constant side; None if there is no such side."""
    call = calls[0]
    side = constant_side(program, call)
    if side is None:
        return None
    return kind(
        input=_side(program, call, 1 - side),
        output=_tensor(call.type, call.attrs["output"]),
        constant=_side(program, call, side),
        value=call.attrs[("lhs_value", "rhs_value")[side]],
    )


def _fields(program: Program, ref: Ref) -> tuple[Ref, ...]:
    assert isinstance(ref, int)
    return program.calls[ref].args


def concatenate(program: Program, calls: Calls) -> ops.Concatenate:
    """qnn.concatenate of a tuple."""
    call = calls[-1]
    fields = _fields(program, call.args[0])
    inputs = tuple(
        _tensor(program.type_of(field), quantization)
        for field, quantization in zip(fields, call.attrs["inputs"], strict=True)
    )
    return ops.Concatenate(inputs, _tensor(call.type, call.attrs["output"]), call.attrs["axis"])


def split(program: Program, calls: Calls) -> ops.Split:
    """Split."""
    call = calls[0]
    return ops.Split(
        _tensor(program.type_of(call.args[0])), call.attrs["sizes"], call.attrs["axis"]
    )
