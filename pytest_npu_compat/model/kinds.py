"""What each kind of ONNX operator becomes in integer form: one function for each kind.

A function states what the reference would be given. It returns why an operator has no integer form, or the
empty string.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.layout import nhwc, nhwc_axis, nhwc_permutation, reshape_transposes
from pytest_npu_compat.model.lowering import Handler, Lowering, quantization_of, quantize
from pytest_npu_compat.model.program import Ref
from pytest_npu_compat.model.quantization import Operand, Quantization
from pytest_npu_compat.model.units import Output, Unit
from pytest_npu_compat.model.windows import spatial_padding

__all__ = ["HANDLERS"]

_NO_DATA = "its input is not a quantized activation of known shape"
_NOT_2D = "only two-dimensional operators (rank-4 tensors) have one"
_UNKNOWN_SHAPE = "a dimension is not known before run time"
_OPEN_BOUNDS = "the bounds of its activation are not constant"
_NOT_CONSTANT = "a parameter of it is not constant"


def _data(unit: Unit) -> tuple[Operand, Quantization] | None:
    """The first operand if it is a quantized activation of a known shape."""
    operand = unit.operand(0)
    if operand is None or operand.quantization is None or operand.constant:
        return None
    return (operand, operand.quantization) if operand.type.static_shape is not None else None


def _result_type(output: Output, dtype: str) -> TensorType:
    return nhwc(TensorType(output.type.shape, dtype))


def _weighted(unit: Unit) -> tuple[Operand, Operand] | str:
    """Data and quantized constant weights, or why the operator does not have them."""
    data, weights, bias = unit.operand(0), unit.operand(1), unit.operand(2)
    if data is None or data.constant or data.quantization is None or weights is None:
        return "its first input is not a quantized activation"
    if weights.quantization is None or not weights.constant:
        return "its weights are not quantized constants"
    if bias is not None and not bias.constant:
        return "its bias is not constant"
    if data.type.static_shape is None or weights.type.static_shape is None:
        return _UNKNOWN_SHAPE
    return data, weights


def _finish_weighted(
    lowering: Lowering, unit: Unit, accumulator: int, weights: Operand, channels: int
) -> str:
    """bias_add -> requantize (-> clip), common to convolutions and fully connected layers."""
    output, bias = unit.outputs[0], unit.operand(2)
    after = quantization_of(output)
    bounds = lowering.bounds(unit.activation, after)
    assert bounds is not None
    shape = lowering.calls[accumulator].type.shape
    if bias is None:
        bias_ref = lowering.constant(f"{unit.name}:zero_bias", TensorType((channels,), "int32"))
    else:
        bias_ref = lowering.constant(bias.tensor, TensorType(bias.type.shape, "int32"))
    wide = TensorType(shape, "int32")
    biased = lowering.emit("nn.bias_add", [accumulator, bias_ref], wide, axis=len(shape or ()) - 1)
    result = lowering.emit(
        "qnn.requantize",
        [biased],
        TensorType(shape, after.dtype),
        input=weights.quantization,
        output=after,
    )
    lowering.finish(output, lowering.clip(result, unit, bounds))
    return ""


def _has_bounds(lowering: Lowering, unit: Unit) -> bool:
    return lowering.bounds(unit.activation, quantization_of(unit.outputs[0])) is not None


def _conv(lowering: Lowering, unit: Unit) -> str:
    operands = _weighted(unit)
    if isinstance(operands, str):
        return operands
    data, weights = operands
    output = unit.outputs[0]
    if output.type.static_shape is None:
        return _UNKNOWN_SHAPE
    if not _has_bounds(lowering, unit):
        return _OPEN_BOUNDS
    shape, kernel_shape = data.type.static_shape or (), weights.type.static_shape or ()
    if len(shape) != 4 or len(kernel_shape) != 4:
        return _NOT_2D
    transposed = unit.kind == "ConvTranspose"
    attributes = unit.node.attributes
    groups = int(attributes.get("group", 1))
    kernel = kernel_shape[2:]
    strides = tuple(int(v) for v in attributes.get("strides", (1, 1)))
    dilations = tuple(int(v) for v in attributes.get("dilations", (1, 1)))
    if transposed:
        channels = kernel_shape[1] * groups
        layout, laid_out = "IOHW", kernel_shape
    else:
        channels = kernel_shape[0]
        depthwise = groups == shape[1] == channels > 1 and kernel_shape[1] == 1
        layout = "HWOI" if depthwise else "HWIO"
        laid_out = (*kernel, channels, 1) if depthwise else (*kernel, kernel_shape[1], channels)
    padding = spatial_padding(
        attributes,
        shape[2:],
        kernel,
        strides,
        dilations,
        output.type.static_shape[2:],
        transposed=transposed,
    )
    weight_ref = lowering.constant(weights.tensor, TensorType(laid_out, weights.type.dtype))
    accumulator = lowering.emit(
        "qnn.conv2d_transpose" if transposed else "qnn.conv2d",
        [lowering.read(data), weight_ref],
        _result_type(output, "int32"),
        strides=strides,
        padding=padding,
        dilation=dilations,
        groups=groups,
        channels=channels,
        kernel_size=kernel,
        data_layout="NHWC",
        kernel_layout=layout,
        input=data.quantization,
        kernel=weights.quantization,
        output_padding=tuple(int(v) for v in attributes.get("output_padding", (0, 0))),
    )
    return _finish_weighted(lowering, unit, accumulator, weights, channels)


def _gemm(lowering: Lowering, unit: Unit) -> str:
    operands = _weighted(unit)
    if isinstance(operands, str):
        return operands
    data, weights = operands
    output = unit.outputs[0]
    if not _has_bounds(lowering, unit):
        return _OPEN_BOUNDS
    attributes = unit.node.attributes
    plain = unit.kind == "MatMul" or (
        float(attributes.get("alpha", 1.0)) == 1.0
        and float(attributes.get("beta", 1.0)) == 1.0
        and not attributes.get("transA", 0)
    )
    result, matrix = output.type.static_shape, weights.type.static_shape
    if not plain:
        return "only alpha = beta = 1 and an input that is not transposed have one"
    if result is None or len(result) != 2 or matrix is None or len(matrix) != 2:
        return "only products of a rank-2 input with a weight matrix have one"
    if unit.kind == "MatMul" or not attributes.get("transB", 0):
        matrix = (matrix[1], matrix[0])
    weight_ref = lowering.constant(weights.tensor, TensorType(matrix, weights.type.dtype))
    accumulator = lowering.emit(
        "qnn.dense",
        [lowering.read(data), weight_ref],
        _result_type(output, "int32"),
        units=matrix[0],
        input=data.quantization,
        kernel=weights.quantization,
    )
    return _finish_weighted(lowering, unit, accumulator, weights, matrix[0])


def _binary(lowering: Lowering, unit: Unit) -> str:
    left, right = unit.operand(0), unit.operand(1)
    output = unit.outputs[0]
    if left is None or right is None or left.quantization is None or right.quantization is None:
        return "one of its operands is a float constant"
    after = quantization_of(output)
    bounds = lowering.bounds(unit.activation, after)
    if bounds is None:
        return _OPEN_BOUNDS
    if output.type.static_shape is None:
        return _UNKNOWN_SHAPE
    rank = len(output.type.static_shape)
    args: list[Ref] = []
    values: list[Any] = []
    for operand in (left, right):
        if operand.constant:
            shape = operand.type.shape or ()
            aligned = (1,) * (rank - len(shape)) + shape
            args.append(
                lowering.constant(operand.tensor, nhwc(TensorType(aligned, operand.type.dtype)))
            )
            elements = self_values(lowering, operand)
            values.append(elements)
        else:
            args.append(lowering.read(operand))
            values.append(None)
    op = {"Add": "qnn.add", "Mul": "qnn.mul", "Sub": "qnn.subtract"}[unit.kind]
    result = lowering.emit(
        op,
        args,
        _result_type(output, after.dtype),
        lhs=left.quantization,
        rhs=right.quantization,
        output=after,
        lhs_value=values[0],
        rhs_value=values[1],
    )
    lowering.finish(output, lowering.clip(result, unit, bounds))
    return ""


def self_values(lowering: Lowering, operand: Operand) -> int | None:
    """The integer of a constant that has a single element."""
    constant = lowering.graph.constants.get(operand.tensor)
    if constant is None or constant.values is None or constant.values.size != 1:
        return None
    return int(constant.values.reshape(-1)[0])


def _concat(lowering: Lowering, unit: Unit) -> str:
    output = unit.outputs[0]
    shape = output.type.static_shape
    operands = [o for o in unit.operands if o is not None]
    if shape is None:
        return _UNKNOWN_SHAPE
    if any(o.quantization is None for o in operands):
        return "one of its inputs is a float constant"
    args: list[Ref] = []
    for operand in operands:
        if operand.constant:
            args.append(lowering.constant(operand.tensor, nhwc(operand.type)))
        else:
            args.append(lowering.read(operand))
    fields = tuple(lowering.program_type(arg) for arg in args)
    packed = lowering.emit("tuple", args, *fields)
    after = quantization_of(output)
    result = lowering.emit(
        "qnn.concatenate",
        [packed],
        _result_type(output, after.dtype),
        axis=nhwc_axis(int(unit.node.attributes.get("axis", 0)), len(shape)),
        inputs=tuple(o.quantization for o in operands),
        output=after,
    )
    lowering.finish(output, result)
    return ""


def _pool(lowering: Lowering, unit: Unit) -> str:
    data, output = _data(unit), unit.outputs[0]
    if data is None or output.type.static_shape is None:
        return _NO_DATA
    if len(unit.outputs) != 1 or output.tensor != unit.node.outputs[0]:
        return "the indices of its maxima are read"
    operand, before = data
    shape = operand.type.static_shape
    attributes = unit.node.attributes
    if shape is None or len(shape) != 4:
        return _NOT_2D
    kernel = tuple(int(v) for v in attributes.get("kernel_shape", (1, 1)))
    strides = tuple(int(v) for v in attributes.get("strides", (1, 1)))
    dilations = tuple(int(v) for v in attributes.get("dilations", (1, 1)))
    attrs: dict[str, Any] = {
        "pool_size": kernel,
        "strides": strides,
        "dilation": dilations,
        "padding": spatial_padding(
            attributes, shape[2:], kernel, strides, dilations, output.type.static_shape[2:]
        ),
        "ceil_mode": bool(attributes.get("ceil_mode", 0)),
        "layout": "NHWC",
        "input": before,
    }
    source = lowering.read(operand)
    narrow = _result_type(output, before.dtype)
    if unit.kind == "MaxPool":
        result = lowering.emit("nn.max_pool2d", [source], narrow, **attrs)
    else:
        attrs["count_include_pad"] = bool(attributes.get("count_include_pad", 0))
        result = _through_int32(lowering, "nn.avg_pool2d", source, narrow, attrs)
        result = lowering.emit("cast", [result], narrow)
    lowering.requantize(result, before, output)
    return ""


def _through_int32(
    lowering: Lowering, op: str, source: Ref, result: TensorType, attrs: dict[str, Any]
) -> int:
    wide = TensorType(lowering.program_type(source).shape, "int32")
    cast = lowering.emit("cast", [source], wide)
    return lowering.emit(op, [cast], TensorType(result.shape, "int32"), **attrs)


def _mean(lowering: Lowering, unit: Unit) -> str:
    data, output = _data(unit), unit.outputs[0]
    if data is None or output.type.static_shape is None:
        return _NO_DATA
    operand, before = data
    rank = len(operand.type.shape or ())
    if unit.kind == "GlobalAveragePool":
        axes: tuple[int, ...] = tuple(range(2, rank))
        keepdims = True
    else:
        listed = _axes(lowering, unit)
        if listed is None:
            if unit.operand(1) is not None or unit.node.attributes.get("noop_with_empty_axes"):
                return _NOT_CONSTANT
            listed = tuple(range(rank))
        axes, keepdims = listed, bool(unit.node.attributes.get("keepdims", 1))
    after = quantization_of(output)
    mean = _through_int32(
        lowering,
        "mean",
        lowering.read(operand),
        _result_type(output, before.dtype),
        {"axis": tuple(sorted(nhwc_axis(a, rank) for a in axes)), "keepdims": keepdims},
    )
    result = lowering.emit(
        "qnn.requantize", [mean], _result_type(output, after.dtype), input=before, output=after
    )
    lowering.finish(output, result)
    return ""


def _axes(lowering: Lowering, unit: Unit) -> tuple[int, ...] | None:
    """Axes given as attribute or as constant input 1; None if absent or not constant."""
    listed = unit.node.attributes.get("axes")
    if listed is None:
        values = lowering.values_of(unit.node.input(1))
        listed = None if values is None else values.reshape(-1).tolist()
    return None if listed is None else tuple(int(a) for a in listed)


def _clip(lowering: Lowering, unit: Unit) -> str:
    data, output = _data(unit), unit.outputs[0]
    if data is None:
        return _NO_DATA
    operand, before = data
    bounds = lowering.bounds(unit.node, before)
    if bounds is None:
        return _OPEN_BOUNDS
    result = lowering.emit(
        "clip",
        [lowering.read(operand)],
        _result_type(output, before.dtype),
        a_min=bounds[0],
        a_max=bounds[1],
    )
    lowering.requantize(result, before, output)
    return ""


def _resize(lowering: Lowering, unit: Unit) -> str:
    data, output = _data(unit), unit.outputs[0]
    if data is None:
        return _NO_DATA
    operand, before = data
    old, new = operand.type.static_shape, output.type.static_shape
    if old is None or new is None or len(old) != 4 or len(new) != 4 or old[:2] != new[:2]:
        return "only a resize of height and width has one"
    mode = str(unit.node.attributes.get("mode", "nearest"))
    result = lowering.emit(
        "image.resize2d",
        [lowering.read(operand)],
        _result_type(output, before.dtype),
        size=new[2:],
        layout="NHWC",
        method="nearest_neighbor" if mode == "nearest" else mode,
        coordinate_transformation_mode=str(
            unit.node.attributes.get("coordinate_transformation_mode", "half_pixel")
        ),
    )
    lowering.requantize(result, before, output)
    return ""


def _reshape(lowering: Lowering, unit: Unit) -> str:
    data, output = _data(unit), unit.outputs[0]
    if data is None:
        return _NO_DATA
    operand, before = data
    old, new = operand.type.static_shape, output.type.static_shape
    if old is None or new is None:
        return _UNKNOWN_SHAPE
    first, last = reshape_transposes(old, new)
    dtype = before.dtype
    value = lowering.read(operand)
    if first:
        value = lowering.emit("transpose", [value], TensorType(old, dtype), axes=(0, 3, 1, 2))
    target = new if last else nhwc(TensorType(new, dtype)).shape
    value = lowering.emit("reshape", [value], TensorType(target, dtype), newshape=target)
    if last:
        value = lowering.emit("transpose", [value], nhwc(TensorType(new, dtype)), axes=(0, 2, 3, 1))
    lowering.requantize(value, before, output)
    return ""


def _single(
    op: str, attrs: Callable[[Lowering, Unit, Quantization], dict[str, Any] | None]
) -> Handler:
    """A handler for kinds that are one integer operator and a requantize if it differs."""

    def handle(lowering: Lowering, unit: Unit) -> str:
        data, output = _data(unit), unit.outputs[0]
        if data is None:
            return _NO_DATA
        operand, before = data
        extra = attrs(lowering, unit, before)
        if extra is None:
            return _NOT_CONSTANT
        result = lowering.emit(
            op, [lowering.read(operand)], _result_type(output, before.dtype), **extra
        )
        lowering.requantize(result, before, output)
        return ""

    return handle


def _transpose_attrs(lowering: Lowering, unit: Unit, before: Quantization) -> dict[str, Any] | None:
    rank = len(unit.outputs[0].type.shape or ())
    permutation = unit.node.attributes.get("perm", tuple(reversed(range(rank))))
    return {"axes": nhwc_permutation(tuple(int(a) for a in permutation))}


def _block_attrs(lowering: Lowering, unit: Unit, before: Quantization) -> dict[str, Any] | None:
    return {
        "block_size": int(unit.node.attributes.get("blocksize", 1)),
        "mode": str(unit.node.attributes.get("mode", "DCR")),
        "layout": "NHWC",
    }


def _no_attrs(lowering: Lowering, unit: Unit, before: Quantization) -> dict[str, Any] | None:
    return {}


def _pad_attrs(lowering: Lowering, unit: Unit, before: Quantization) -> dict[str, Any] | None:
    attributes = unit.node.attributes
    pads = attributes.get("pads", attributes.get("paddings"))
    if pads is None:
        values = lowering.values_of(unit.node.input(1))
        pads = None if values is None else values.reshape(-1).tolist()
    shape = unit.outputs[0].type.shape
    if pads is None or shape is None:
        return None
    rank, given = len(shape), len(pads) // 2
    axes = lowering.values_of(unit.node.input(3)) if unit.node.input(3) else np.arange(given)
    if (
        axes is None
        or len(axes.reshape(-1)) != given
        or (unit.operand(3) is None and given != rank)
    ):
        return None
    widths = [(0, 0)] * rank
    for position, axis in enumerate(axes.reshape(-1).tolist()):
        widths[int(axis) % rank] = (int(pads[position]), int(pads[position + given]))
    if rank == 4:
        widths = [widths[0], widths[2], widths[3], widths[1]]
    value = attributes.get("value", 0.0)
    if unit.node.input(2):
        values = lowering.values_of(unit.node.input(2))
        if values is None:
            return None
        value = values.reshape(-1)[0] if values.size else 0.0
    return {
        "pad_width": tuple(widths),
        "pad_mode": str(attributes.get("mode", "constant")),
        "pad_value": quantize(float(value), before),
        "zero_point": before.zero_point,
    }


def _split(lowering: Lowering, unit: Unit) -> str:
    data = _data(unit)
    if data is None:
        return _NO_DATA
    operand, before = data
    shape = operand.type.static_shape
    pieces = [
        nhwc(TensorType(lowering.graph.type_of(t).shape, before.dtype)) for t in unit.node.outputs
    ]
    if shape is None or any(piece.static_shape is None for piece in pieces):
        return _UNKNOWN_SHAPE
    axis = nhwc_axis(int(unit.node.attributes.get("axis", 0)), len(shape))
    sizes = tuple(int((piece.shape or ())[axis] or 0) for piece in pieces)
    split = lowering.emit(
        "split",
        [lowering.read(operand)],
        *pieces,
        axis=axis,
        sizes=sizes,
    )
    for output in unit.outputs:
        index = unit.node.outputs.index(output.tensor)
        piece = lowering.emit("tuple_get_item", [split], pieces[index], index=index)
        lowering.requantize(piece, before, output)
    return ""


def _requantize(lowering: Lowering, unit: Unit) -> str:
    data, output = _data(unit), unit.outputs[0]
    if data is None:
        return _NO_DATA
    operand, before = data
    after = quantization_of(output)
    result = lowering.emit(
        "qnn.requantize",
        [lowering.read(operand)],
        _result_type(output, after.dtype),
        input=before,
        output=after,
    )
    lowering.finish(output, result)
    return ""


HANDLERS: Mapping[str, Handler] = {
    "Conv": _conv,
    "ConvTranspose": _conv,
    "Gemm": _gemm,
    "MatMul": _gemm,
    "Add": _binary,
    "Mul": _binary,
    "Sub": _binary,
    "Concat": _concat,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _mean,
    "ReduceMean": _mean,
    "Relu": _clip,
    "Clip": _clip,
    "Resize": _resize,
    "Upsample": _resize,
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Transpose": _single("transpose", _transpose_attrs),
    "Split": _split,
    "Slice": _single("strided_slice", _no_attrs),
    "Pad": _single("nn.pad", _pad_attrs),
    "DepthToSpace": _single("nn.depth_to_space", _block_attrs),
    "SpaceToDepth": _single("nn.space_to_depth", _block_attrs),
    "Requantize": _requantize,
}
