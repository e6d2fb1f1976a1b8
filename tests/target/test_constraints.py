"""Every constraint beside an operator that keeps it and one that breaks it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_npu_compat.target.constraint import Level
from pytest_npu_compat.target.ethos_n78 import catalog
from pytest_npu_compat.target.ethos_n78.judge import constraints_of, converted_to, judge
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
    Reinterpret,
    Requantize,
    Reshape,
    Resize,
    Split,
    Tensor,
)
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS

NPU = VARIANTS["4tops-4ple"]
SMALL = VARIANTS["1tops-2ple"]
Q = Quant((0.02,), 0)


def tensor(*shape: int, dtype: str = "int8", scale: float = 0.02, zero: int = 0) -> Tensor:
    return Tensor(shape, dtype, Quant((scale,), zero))


X = tensor(1, 16, 16, 32)

CONV = Convolution(
    input=X,
    output=X,
    weights=Tensor((3, 3, 32, 32), "int8", Q),
    bias_shape=(32,),
    padding=(1, 1, 1, 1),
    output_channels=32,
)
DEPTHWISE = replace(CONV, weights=Tensor((3, 3, 32, 1), "int8", Q), groups=32, kernel_layout="HWOI")
TRANSPOSED = Convolution(
    input=X,
    output=tensor(1, 32, 32, 16),
    weights=Tensor((32, 16, 2, 2), "int8", Q),
    bias_shape=(16,),
    strides=(2, 2),
    output_channels=16,
    kernel_layout="IOHW",
    transposed=True,
)
FC = FullyConnected(
    input=tensor(1, 64), output=tensor(1, 10), weights=Tensor((10, 64), "int8", Q), bias_shape=(10,)
)
MAX_POOL = Pool(X, tensor(1, 8, 8, 32), "max", (2, 2), (2, 2), (0, 0, 0, 0))
AVG_POOL = Pool(X, X, "avg", (3, 3), (1, 1), (1, 1, 1, 1))
MEAN = Mean(tensor(1, 7, 7, 32), tensor(1, 1, 1, 32))
SIGMOID = Fixed(X, replace(X, quant=Quant((1 / 256,), -128)), "sigmoid")
LEAKY = LeakyRelu(X, X, 0.1)
CLIP = Clip(X, X, 0, 127)
ADD = Addition(X, X, X)
MUL_CHANNEL = MultiplyConstant(X, X, tensor(1, 1, 1, 32), None)
MUL_SCALAR = MultiplyConstant(X, X, tensor(1, scale=0.01), 100)
ADD_SCALAR = AddConstant(X, X, tensor(1, scale=0.02), 0)
REINTERPRET = Reinterpret(X, X)
CONCAT = Concatenate((X, X), tensor(1, 16, 16, 64), 3)
SPLIT = Split(X, (16, 16), 3)
RESIZE = Resize(X, tensor(1, 32, 32, 32), "nearest_neighbor")
REQUANTIZE = Requantize(X, X)
RESHAPE = Reshape(X, tensor(1, 1, 256, 32))
D2S = DepthToSpace(X, tensor(1, 32, 32, 8), 2, "DCR")

KEPT = {
    "convolution": CONV,
    "depthwise": DEPTHWISE,
    "transposed": TRANSPOSED,
    "fully connected": FC,
    "max pool": MAX_POOL,
    "average pool": AVG_POOL,
    "mean": MEAN,
    "sigmoid": SIGMOID,
    "leaky": LEAKY,
    "clip": CLIP,
    "add": ADD,
    "multiply per channel": MUL_CHANNEL,
    "multiply by scalar": MUL_SCALAR,
    "add scalar": ADD_SCALAR,
    "reinterpret": REINTERPRET,
    "concatenate": CONCAT,
    "split": SPLIT,
    "resize": RESIZE,
    "requantize": REQUANTIZE,
    "reshape": RESHAPE,
    "depth to space": D2S,
}


def kernel(op: Convolution, h: int, w: int, **changes: Any) -> Convolution:
    """The convolution with another kernel and SAME padding at stride 1."""
    shape = (h, w, *op.weights.shape[2:])
    weights = replace(op.weights, shape=shape)
    pads = (-(-(h - 1) // 2), -(-(w - 1) // 2), (h - 1) // 2, (w - 1) // 2)
    return replace(op, weights=weights, padding=pads, **changes)


def scaled(op: Any, scales: tuple[float, ...]) -> Any:
    return replace(op, weights=replace(op.weights, quant=Quant(scales, 0)))


SCALAR_RULES = ("mul-not-identity", "add-not-identity")

DEEP = tensor(1, 16, 16, 20_000)

BROKEN: dict[str, tuple[str, Any]] = {
    # rule: (name of an operator, the same operator breaking the rule)
    "rank-gt4": ("clip", Clip(tensor(1, 2, 2, 2, 2), tensor(1, 2, 2, 2, 2), 0, 127)),
    "batch": ("clip", Clip(tensor(2, 4, 4, 4), tensor(2, 4, 4, 4), 0, 127)),
    "dtype": ("clip", Clip(tensor(1, 4, dtype="int16"), tensor(1, 4, dtype="int16"), 0, 127)),
    "dtype-not-8bit": (
        "clip",
        Clip(tensor(1, 4, dtype="int32"), tensor(1, 4, dtype="int32"), 0, 9),
    ),
    "depth-sram": ("clip", Clip(DEEP, DEEP, 0, 127)),
    "depth-sram-output": (
        "convolution",
        replace(
            CONV,
            output=DEEP,
            bias_shape=(20_000,),
            output_channels=20_000,
            weights=Tensor((3, 3, 32, 20_000), "int8", Q),
        ),
    ),
    "zero-point-range": ("leaky", LeakyRelu(replace(X, quant=Quant((0.02,), 200)), X, 0.1)),
    "weights-zero-point-range": (
        "convolution",
        replace(CONV, weights=replace(CONV.weights, quant=Quant((0.02,), 200))),
    ),
    "weights-dtype": ("convolution", replace(CONV, weights=replace(CONV.weights, dtype="int32"))),
    "pad-both": ("convolution", replace(CONV, pad=Padding((1, 1, 1, 1)))),
    "stride-rank": ("max pool", replace(MAX_POOL, strides=(2, 2, 2))),
    "dilation": ("convolution", replace(CONV, dilation=(2, 2))),
    "bias-add": ("convolution", replace(CONV, bias_shape=None)),
    "bias-dims": ("convolution", replace(CONV, bias_shape=(16,))),
    "weight-i-ne-input-c": (
        "convolution",
        replace(CONV, weights=Tensor((3, 3, 16, 32), "int8", Q), groups=2),
    ),
    "kernel-stride-zero": ("convolution", kernel(CONV, 0, 0)),
    "empty-output": (
        "convolution",
        replace(CONV, input=tensor(1, 1, 1, 32), padding=(0, 0, 0, 0)),
    ),
    "quant-axis": ("transposed", scaled(TRANSPOSED, (0.1,) * 16)),
    "quant-scale-count": ("convolution", scaled(CONV, (0.1,) * 5)),
    "output-info-mismatch": ("convolution", replace(CONV, output=replace(X, dtype="uint8"))),
    "kernel-size": ("convolution", kernel(CONV, 3, 4)),
    "kernel-size-depthwise": ("depthwise", kernel(DEPTHWISE, 3, 5)),
    "stride": (
        "convolution",
        replace(CONV, strides=(3, 3), padding=(1, 1, 1, 1), output=tensor(1, 6, 6, 32)),
    ),
    "stride-large-kernel": (
        "convolution",
        replace(
            kernel(CONV, 9, 9), strides=(2, 2), padding=(4, 4, 3, 3), output=tensor(1, 8, 8, 32)
        ),
    ),
    "stride-1x1-depthwise": (
        "depthwise",
        replace(kernel(DEPTHWISE, 1, 1), strides=(2, 2), output=tensor(1, 8, 8, 32)),
    ),
    "channel-multiplier": (
        "depthwise",
        replace(
            DEPTHWISE,
            weights=Tensor((3, 3, 32, 2), "int8", Q),
            bias_shape=(64,),
            output=tensor(1, 16, 16, 64),
        ),
    ),
    "padding": ("convolution", replace(CONV, padding=(2, 2, 2, 2), output=tensor(1, 18, 18, 32))),
    "overall-scale": ("convolution", scaled(CONV, (65536.0,))),
    "stride-transposed": (
        "transposed",
        replace(TRANSPOSED, strides=(1, 1), output=tensor(1, 17, 17, 16)),
    ),
    "padding-gt7-not-same": (
        "transposed",
        replace(
            TRANSPOSED, weights=Tensor((32, 16, 9, 9), "int8", Q), output=tensor(1, 39, 39, 16)
        ),
    ),
    "fc-weight-i": ("fully connected", replace(FC, weights=Tensor((10, 32), "int8", Q))),
    "fc-output-info-mismatch": (
        "fully connected",
        replace(FC, output=tensor(1, 10, dtype="uint8")),
    ),
    "output-padding": ("transposed", replace(TRANSPOSED, output_padding=(1, 1))),
    "per-tensor": ("leaky", replace(LEAKY, input=replace(X, quant=Quant((0.1, 0.2))))),
    "constant-dtype-mismatch": (
        "multiply per channel",
        replace(MUL_CHANNEL, constant=tensor(1, 1, 1, 32, dtype="uint8")),
    ),
    "layout": ("max pool", replace(MAX_POOL, layout="NCHW")),
    "format-not-nhwc": ("depth to space", replace(D2S, layout="NCHW")),
    "pool-size-rank": ("max pool", replace(MAX_POOL, window=(2, 2, 2))),
    "pool-output-info-mismatch": (
        "max pool",
        Pool(tensor(1, 17, 17, 32), tensor(1, 9, 9, 32), "max", (3, 3), (2, 2), (0, 0, 0, 0)),
    ),
    "pool-lt-kernel": (
        "max pool",
        Pool(tensor(1, 1, 1, 8), tensor(1, 1, 1, 8), "max", (3, 3), (2, 2), (0, 0, 0, 0)),
    ),
    "maxpool-config": (
        "max pool",
        Pool(X, X, "max", (5, 5), (1, 1), (2, 2, 2, 2)),
    ),
    "maxpool-parity": (
        "max pool",
        Pool(tensor(1, 17, 17, 8), tensor(1, 8, 8, 8), "max", (2, 2), (2, 2), (0, 0, 0, 0)),
    ),
    "maxpool-3x3-width": (
        "max pool",
        Pool(tensor(1, 419, 419, 8), tensor(1, 209, 209, 8), "max", (3, 3), (2, 2), (0, 0, 0, 0)),
    ),
    "avgpool-config": (
        "average pool",
        Pool(X, tensor(1, 8, 8, 32), "avg", (2, 2), (2, 2), (0, 0, 0, 0)),
    ),
    "avgpool-sram": (
        "average pool",
        Pool(tensor(1, 128, 128, 32), tensor(1, 128, 128, 32), "avg", (3, 3), (1, 1), (1, 1, 1, 1)),
    ),
    "mean-size": ("mean", replace(MEAN, input=tensor(1, 14, 14, 32))),
    "mean-output-info-mismatch": ("mean", replace(MEAN, output=tensor(1, 1, 1, 32, scale=0.03))),
    "out-quant": ("sigmoid", replace(SIGMOID, output=replace(X, quant=Quant((1 / 255,), -128)))),
    "elementwise-output-info-mismatch": ("leaky", replace(LEAKY, output=replace(X, dtype="uint8"))),
    "leaky-alpha": ("leaky", replace(LEAKY, alpha=1.0)),
    "relu-bounds": ("clip", replace(CLIP, a_min=10, a_max=5)),
    "dtype-mismatch": ("add", replace(ADD, rhs=replace(X, dtype="uint8"))),
    "add-shape-incompatible": ("add", replace(ADD, rhs=tensor(1, 16, 15, 32))),
    "add-broadcast": ("add", replace(ADD, rhs=tensor(1, 1, 1, 32))),
    "add-rank-not-4": ("add", Addition(tensor(1, 8), tensor(1, 8), tensor(1, 8))),
    "mul-const-shape": (
        "multiply per channel",
        replace(MUL_CHANNEL, constant=tensor(1, 16, 1, 32)),
    ),
    "mul-not-identity": (
        "multiply by scalar",
        replace(MUL_SCALAR, value=127, output=replace(X, quant=Quant((0.5,), 0))),
    ),
    "add-not-identity": ("add scalar", replace(ADD_SCALAR, value=-100)),
    "reinterpret-output-info-mismatch": (
        "reinterpret",
        replace(REINTERPRET, output=replace(X, dtype="uint8")),
    ),
    "axis-range": ("concatenate", replace(CONCAT, axis=4)),
    "concat-dim-mismatch": ("concatenate", replace(CONCAT, inputs=(X, tensor(1, 16, 15, 32)))),
    "out-scale-too-small": (
        "requantize",
        replace(REQUANTIZE, output=replace(X, quant=Quant((0.02 / 128,), 0))),
    ),
    "concat-output-info-mismatch": (
        "concatenate",
        replace(CONCAT, output=replace(CONCAT.output, dtype="uint8")),
    ),
    "batch-axis": ("concatenate", replace(CONCAT, axis=0)),
    "concat-c-mult16": (
        "concatenate",
        Concatenate((X, tensor(1, 16, 16, 8)), tensor(1, 16, 16, 40), 3),
    ),
    "split-batch-axis": ("split", replace(SPLIT, axis=0, sizes=(1,))),
    "split-sizes-sum": ("split", replace(SPLIT, sizes=(16, 32))),
    "split-c-mult16": ("split", replace(SPLIT, sizes=(8, 24))),
    "method-not-nearest": ("resize", replace(RESIZE, method="linear")),
    "resize-height": ("resize", replace(RESIZE, output=tensor(1, 48, 32, 32))),
    "resize-width": ("resize", replace(RESIZE, output=tensor(1, 32, 48, 32))),
    "requantize-dtype": ("requantize", replace(REQUANTIZE, output=replace(X, dtype="int32"))),
    "requantize-zero-point-range": (
        "requantize",
        replace(REQUANTIZE, output=replace(X, quant=Quant((0.02,), 200))),
    ),
    "reshape-size": ("reshape", replace(RESHAPE, output=tensor(1, 1, 255, 32))),
    "d2s-mode": ("depth to space", replace(D2S, mode="CRD")),
    "d2s-channels": ("depth to space", replace(D2S, input=tensor(1, 16, 16, 30))),
    "d2s-block": ("depth to space", replace(D2S, block_size=4, output=tensor(1, 64, 64, 2))),
    "mul-needs-const": ("multiplication", None),
}


@pytest.mark.parametrize("op", KEPT.values(), ids=KEPT.keys())
def test_operator_that_keeps_every_rule_is_supported(op: object) -> None:
    assert judge(op, NPU) == ()


@pytest.mark.parametrize(("rule", "case"), BROKEN.items(), ids=BROKEN.keys())
def test_broken_rule_is_named_with_value_and_remedy(rule: str, case: tuple[str, Any]) -> None:
    constraint = next(c for c in catalog.all_constraints() if c.rule == rule)
    violation = constraint.violation(case[1], NPU)
    assert violation is not None
    assert violation.rule == rule
    assert violation.actual
    assert violation.allowed
    assert violation.remedy
    assert "{allowed}" not in violation.message
    kept = KEPT.get(case[0])
    if kept is not None and constraint in constraints_of_kept(kept):
        assert constraint.violation(kept, NPU) is None


def constraints_of_kept(op: object) -> tuple[Any, ...]:
    if isinstance(op, (MultiplyConstant, AddConstant)):
        return tuple(catalog.all_constraints())[:0]
    return tuple(constraints_of(op))


@pytest.mark.parametrize(
    ("rule", "case"),
    [(rule, case) for rule, case in BROKEN.items() if case[1] is not None],
    ids=[rule for rule, case in BROKEN.items() if case[1] is not None],
)
def test_operator_that_breaks_a_rule_is_not_supported(rule: str, case: tuple[str, Any]) -> None:
    op = case[1]
    if rule in SCALAR_RULES:
        # Of several conversions judge() speaks of the most general; this rule forbids the first.
        assert converted_to(op, NPU) != "reinterpret_quantize"
    else:
        assert rule in [violation.rule for violation in judge(op, NPU)]


def test_weights_zero_point_of_a_fully_connected_layer_is_estimate_only() -> None:
    """The library checks it later there than for convolutions, at another level (rules 3.5)."""
    bad = replace(FC, weights=replace(FC.weights, quant=Quant((0.02,), 200)))
    (violation,) = judge(bad, NPU)
    assert (violation.rule, violation.level) == ("weights-zero-point-range", Level.ESTIMATE_ONLY)
    conv = replace(CONV, weights=replace(CONV.weights, quant=Quant((0.02,), 200)))
    assert judge(conv, NPU)[0].level is Level.UNSUPPORTED


def test_every_constraint_has_a_case() -> None:
    assert {c.rule for c in catalog.all_constraints()} == set(BROKEN)


@pytest.mark.parametrize("constraint", list(catalog.all_constraints()), ids=lambda c: c.rule)
def test_constraint_says_where_it_is_written(constraint: Any) -> None:
    assert constraint.source
    assert constraint.message.endswith((".", ")."))
    assert constraint.level is not Level.SUPPORTED


SCALE_LIMITS: list[tuple[str, Callable[[Any], Any], bool]] = [
    ("depth 16384 on 4 TOPS", lambda n: tensor(1, 2, 2, 16384), True),
    ("depth 16385 on 4 TOPS", lambda n: tensor(1, 2, 2, 16385), False),
    ("depth 70000 at width 1", lambda n: tensor(1, 2, 1, 70_000), True),
]


@pytest.mark.parametrize(
    ("make", "supported"), [(m, s) for _, m, s in SCALE_LIMITS], ids=[n for n, _, _ in SCALE_LIMITS]
)
def test_depth_limit_is_sram_over_64(make: Callable[[Any], Tensor], supported: bool) -> None:
    x = make(None)
    assert (judge(Clip(x, x, 0, 127), NPU) == ()) is supported


@pytest.mark.parametrize(
    ("padding", "supported"),
    [
        ((1, 1, 1, 1), True),
        ((0, 0, 1, 1), True),
        ((1, 1, 0, 0), True),
        ((0, 1, 1, 0), False),
        ((0, 0, 0, 0), False),
    ],
)
def test_same_padding_takes_one_form_on_both_axes(
    padding: tuple[int, int, int, int], supported: bool
) -> None:
    """3x3 stride 2 on 16x16 needs a total of 1; the library's symmetric form rounds it up."""
    size = {(1, 1, 1, 1): 8, (0, 0, 0, 0): 7}.get(padding, 8)
    op = replace(CONV, strides=(2, 2), padding=padding, output=tensor(1, size, size, 32))
    expected = supported or not any(padding)
    assert (judge(op, NPU) == ()) is expected


def test_average_pool_limit_depends_on_the_variant() -> None:
    pool = replace(AVG_POOL, input=tensor(1, 128, 112, 32), output=tensor(1, 128, 112, 32))
    assert judge(pool, NPU) == ()
    assert [v.rule for v in judge(pool, SMALL)] == ["avgpool-sram"]
