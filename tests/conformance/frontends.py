"""What stock importers of TVM 0.18 make of ONNX, as integer programs (unit cases of kind ``frontend``).

They show why this package brings models to a form of its own: in the importers' form almost nothing
matches.
"""

from __future__ import annotations

from collections.abc import Callable

from conformance.sketch import Q, Sketch
from conformance.topologies import quantized

from pytest_npu_compat.model.program import Program, Ref

__all__ = ["build"]


def _float_conv(g: Sketch, a: Ref) -> Ref:
    return g.island(a, "nn.conv2d", "nn.bias_add")


def _nchw_conv(g: Sketch, a: Ref, *between: str) -> Ref:
    """FakeQuantizationToInteger: qnn.conv2d on NCHW data with OIHW weights."""
    x = g.input((1, 16, 8, 8))
    value = g.emit(
        "qnn.conv2d",
        x,
        g.constant((16, 16, 3, 3)),
        shape=(1, 16, 8, 8),
        dtype="int32",
        strides=(1, 1),
        padding=(1, 1, 1, 1),
        dilation=(1, 1),
        groups=1,
        channels=16,
        kernel_layout="HWIO",
        input=Q,
        kernel=Q,
    )
    for op in between:
        value = g.emit(op, value)
    value = g.emit("nn.bias_add", value, g.constant((16,), "int32"))
    return g.emit("qnn.requantize", value, dtype="int8", input=Q, output=Q)


def _canonicalized(g: Sketch, a: Ref) -> Ref:
    """ConvertLayout in a Sequential: CanonicalizeOps turns nn.bias_add into add."""
    return g.conv(a, bias="add")


_BUILDERS: dict[tuple[str, str], Callable[[Sketch, Ref], Ref]] = {
    ("qdq conv", "plain FP graph (no FQ2I)"): _float_conv,
    ("qdq conv", "FQ2I"): _nchw_conv,
    ("qdq conv", "FQ2I + ConvertLayout in Sequential"): _canonicalized,
    ("qdq conv", "FQ2I + ConvertLayout called bare"): lambda g, a: _nchw_conv(
        g, a, "layout_transform"
    ),
    ("qdq conv + Relu", "FQ2I + ConvertLayout"): lambda g, a: g.host(
        _canonicalized(g, a), op="maximum"
    ),
    ("qdq conv + MaxPool 2x2", "FQ2I + ConvertLayout"): lambda g, a: g.pool(_canonicalized(g, a)),
    ("qdq conv + Sigmoid (1/256,-128)", "no FQ2I"): lambda g, a: g.sigmoid(_float_conv(g, a)),
    ("qdq conv + Sigmoid", "FQ2I (+/- ConvertLayout)"): lambda g, a: g.host(
        _nchw_conv(g, a), op="qnn.sigmoid"
    ),
    ("qdq conv + LeakyRelu 0.1", "no FQ2I"): lambda g, a: g.leaky(_float_conv(g, a)),
    ("qdq conv + LeakyRelu", "FQ2I (+/- ConvertLayout)"): lambda g, a: g.host(
        _nchw_conv(g, a), op="qnn.leaky_relu"
    ),
    ("qdq Add 1x16x8x8", "no FQ2I"): lambda g, a: g.island(a, "add"),
    ("qdq Add 1x16x8x8", "FQ2I"): lambda g, a: g.add(a, g.input()),
    ("qdq Concat axis 1", "no FQ2I"): lambda g, a: g.island(a, "concatenate"),
    ("qdq Concat axis 1", "FQ2I"): lambda g, a: g.concat(a, g.input(), axis=1),
}


def _silu(g: Sketch, a: Ref) -> Ref:
    shared = g.emit("qnn.dequantize", _float_conv(g, a), dtype="float32", input=Q)
    s = quantized(g, g.host(shared, op="sigmoid"))
    again = g.emit("qnn.dequantize", s, dtype="float32", input=Q)
    return quantized(g, g.host(shared, again, op="multiply"))


_ANY: dict[str, Callable[[Sketch, Ref], Ref]] = {
    "qdq conv + SiLU (shared DequantizeLinear)": _silu,
    "qdq conv + GlobalAveragePool": lambda g, a: g.island(
        _float_conv(g, a), "nn.global_avg_pool2d"
    ),
    "QLinearConv with bias": _nchw_conv,
}


def build(model: str, preprocessing: str) -> Program:
    """The program that an importer makes of a model."""
    g = Sketch()
    builder = _ANY.get(model) or _BUILDERS[model, preprocessing]
    return g.finish(builder(g, g.input()))
