"""Unit cases of the reference -> the operators that the rules judge."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from math import ceil, prod
from typing import Any

from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    Concatenate,
    Convolution,
    DepthToSpace,
    Fixed,
    FullyConnected,
    LeakyRelu,
    Mean,
    MultiplyConstant,
    Padding,
    Pool,
    Quant,
    Requantize,
    Reshape,
    Resize,
    Split,
    Tensor,
)

Params = dict[str, Any]


def operator_of(kind: str, params: Params) -> object:
    """The operator that a case of the given kind describes."""
    return _BUILDERS[kind](params)


def _quant(p: Params, name: str) -> Quant:
    scale = p.get(f"{name}_scale", 1.0)
    scales = tuple(scale) if isinstance(scale, list) else (scale,)
    return Quant(scales, p.get(f"{name}_zp", 0))


def _tensor(p: Params, name: str, shape: list[int], dtype: str | None = None) -> Tensor:
    return Tensor(tuple(shape), dtype or p["dtype"], _quant(p, name))


def _conv(p: Params) -> Convolution:
    kh, kw = p["kernel"]
    channels, groups, out = p["shape"][3], p["groups"], p["out_channels"]
    strides, (top, left, bottom, right) = p["stride"], p["pad"]
    depthwise = out == groups != 1
    layout = p.get("kernel_layout", "HWOI" if depthwise else "HWIO")
    weights = {
        "HWIO": (kh, kw, 1 if depthwise else channels // groups, out),
        "HWOI": (kh, kw, out, 1 if depthwise else channels // groups),
    }[layout]
    sh, sw = strides[0], strides[-1]
    dh, dw = p["dilation"]
    height = (p["shape"][1] + top + bottom - (kh - 1) * dh - 1) // sh + 1
    width = (p["shape"][2] + left + right - (kw - 1) * dw - 1) // sw + 1
    source = p.get("pad_source", "attr")
    separate = Padding((top, left, bottom, right)) if source in ("op", "both") else None
    attribute = (top, left, bottom, right) if source in ("attr", "both") else (0, 0, 0, 0)
    return Convolution(
        input=_tensor(p, "input", p["shape"]),
        output=_tensor(p, "output", [p["shape"][0], height, width, out], p.get("out_dtype")),
        weights=_tensor(p, "kernel", list(weights), p.get("weight_dtype")),
        bias_shape=(out,) if p.get("bias", True) else None,
        strides=tuple(strides),
        padding=attribute,
        dilation=tuple(p["dilation"]),
        groups=groups,
        output_channels=out,
        kernel_layout=layout,
        pad=separate,
    )


def _conv_transpose(p: Params) -> Convolution:
    kh, kw = p["kernel"]
    channels, out, groups = p["shape"][3], p["out_channels"], p["groups"]
    top, left, bottom, right = p["pad"]
    layout = p.get("kernel_layout", "IOHW")
    sizes = {"H": kh, "W": kw, "I": channels, "O": out // groups}
    strides = p["stride"]
    extra = p.get("output_padding", [0, 0])
    height = (p["shape"][1] - 1) * strides[0] + kh - top - bottom + extra[0]
    width = (p["shape"][2] - 1) * strides[1] + kw - left - right + extra[1]
    return Convolution(
        input=_tensor(p, "input", p["shape"]),
        output=_tensor(p, "output", [p["shape"][0], height, width, out]),
        weights=_tensor(p, "kernel", [sizes[letter] for letter in layout]),
        bias_shape=(out,),
        strides=tuple(strides),
        padding=tuple(p["pad"]),
        dilation=tuple(p["dilation"]),
        groups=groups,
        output_channels=out,
        kernel_layout=layout,
        transposed=True,
    )


def _dense(p: Params) -> FullyConnected:
    return FullyConnected(
        input=_tensor(p, "input", p["shape"]),
        output=_tensor(p, "output", [p["shape"][0], p["weight_shape"][0]]),
        weights=_tensor(p, "kernel", p["weight_shape"]),
        bias_shape=(p["weight_shape"][0],),
    )


def _pool(p: Params) -> Pool:
    top, left, bottom, right = p["pad"]
    rounded: Callable[[float], int] = ceil if p["ceil_mode"] else int
    window, strides = p["kernel"], p["stride"]
    n, h, w, c = (*p["shape"], 1, 1)[:4]
    height = rounded((h + top + bottom - window[0]) / strides[0]) + 1
    width = rounded((w + left + right - window[-1]) / strides[-1]) + 1
    return Pool(
        input=_tensor(p, "input", p["shape"]),
        output=_tensor(p, "input", [n, height, width, c]),
        kind=p["type"],
        window=tuple(window),
        strides=tuple(strides),
        padding=tuple(p["pad"]),
        layout=p["layout"],
    )


def _add(p: Params) -> Addition:
    pairs = zip(p["lhs_shape"], p["rhs_shape"], strict=False)
    shape = [max(a, b) for a, b in pairs]
    return Addition(
        _tensor(p, "lhs", p["lhs_shape"]),
        _tensor(p, "rhs", p["rhs_shape"]),
        _tensor(p, "output", shape),
    )


def _with_constant(kind: type[AddConstant] | type[MultiplyConstant]) -> Callable[[Params], object]:
    def build(p: Params) -> object:
        given = p["constant_shape"] or []
        rank = max(len(p["shape"]), len(given))
        shape = [1] * (rank - len(p["shape"])) + p["shape"]
        constant = [1] * (rank - len(given)) + given
        single = prod(constant) == 1
        value = p.get("constant_value")
        return kind(
            input=_tensor(p, "input", p["shape"]),
            output=_tensor(p, "output", [max(a, b) for a, b in zip(shape, constant, strict=True)]),
            constant=_tensor(p, "const", given),
            value=value if single else None,
        )

    return build


def _concatenate(p: Params) -> Concatenate:
    axis, shapes = p["axis"], p["shapes"]
    axis = axis + len(shapes[0]) if axis < 0 else axis
    quants = zip(p["input_scales"], p["input_zps"], strict=True)
    inputs = tuple(
        Tensor(tuple(shape), p["dtype"], Quant((scale,), zp))
        for shape, (scale, zp) in zip(shapes, quants, strict=False)
    )
    out = list(shapes[0])
    if axis < len(out):
        out[axis] = sum(shape[axis] for shape in shapes)
    return Concatenate(inputs, _tensor(p, "output", out), axis)


def _split(p: Params) -> Split:
    axis, splits, shape = p["axis"], p["splits"], p["shape"]
    size = shape[axis]
    if isinstance(splits, int):
        sizes = [size // splits] * splits
    else:
        cuts = [0, *splits, size]
        sizes = [after - before for before, after in pairwise(cuts)]
    return Split(_tensor(p, "input", shape), tuple(sizes), axis)


def _resize(p: Params) -> Resize:
    n, _, _, c = p["shape"]
    return Resize(
        _tensor(p, "input", p["shape"]), _tensor(p, "input", [n, *p["size"], c]), p["method"]
    )


def _reshape(p: Params) -> Reshape:
    return Reshape(_tensor(p, "input", p["shape"]), _tensor(p, "input", p["new_shape"]))


def _depth_to_space(p: Params) -> DepthToSpace:
    n, h, w, c = p["shape"]
    block = p["block"]
    out = [n, h * block, w * block, c // block**2]
    return DepthToSpace(
        _tensor(p, "input", p["shape"]), _tensor(p, "input", out), block, p["mode"], p["layout"]
    )


def _mean(p: Params) -> Mean:
    axes = [axis % len(p["shape"]) for axis in p["axis"]]
    out = [
        1 if i in axes else dim
        for i, dim in enumerate(p["shape"])
        if i not in axes or p["keepdims"]
    ]
    return Mean(_tensor(p, "input", p["shape"]), _tensor(p, "output", out))


def _unary(build: Callable[[Tensor, Tensor, Params], object]) -> Callable[[Params], object]:
    return lambda p: build(
        _tensor(p, "input", p["shape"], p.get("in_dtype")),
        _tensor(p, "output", p["shape"], p.get("out_dtype")),
        p,
    )


_BUILDERS: dict[str, Callable[[Params], object]] = {
    "conv2d": _conv,
    "conv2d_transpose": _conv_transpose,
    "dense": _dense,
    "pool2d": _pool,
    "add": _add,
    "add_const": _with_constant(AddConstant),
    "mul_const": _with_constant(MultiplyConstant),
    "concatenate": _concatenate,
    "split": _split,
    "resize2d": _resize,
    "reshape": _reshape,
    "depth_to_space": _depth_to_space,
    "mean": _mean,
    "requantize": _unary(lambda a, b, p: Requantize(a, b)),
    "leaky_relu": _unary(lambda a, b, p: LeakyRelu(a, b, p["alpha"])),
    "sigmoid": _unary(lambda a, b, p: Fixed(a, b, "sigmoid")),
    "tanh": _unary(lambda a, b, p: Fixed(a, b, "tanh")),
    "clip": lambda p: Clip(
        _tensor(p, "input", p["shape"]), _tensor(p, "input", p["shape"]), p["a_min"], p["a_max"]
    ),
}
