"""How models are written: what other exporters and opsets do differently changes no verdict."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from builder import Builder
from onnx import TensorProto, helper


def rules(operator: object) -> list[str]:
    return [reason.rule for reason in operator.reasons]  # type: ignore[attr-defined]


@pytest.mark.parametrize("constant", [False, True], ids=["dynamic condition", "constant condition"])
def test_operator_read_only_by_a_branch_is_still_an_operator(constant: bool) -> None:
    b = Builder()
    y = b.qdq(b.conv(b.input(1, 16, 8, 8)))
    z = b.qdq(b.conv(y, name="inner"))
    if constant:
        condition = b.const(np.array(True))
    else:
        condition = "cond"
        b.inputs.append(helper.make_tensor_value_info(condition, TensorProto.BOOL, []))
    bodies = [
        helper.make_graph(
            [helper.make_node(kind, [z], [f"{kind}_out"])],
            kind,
            [],
            [helper.make_tensor_value_info(f"{kind}_out", TensorProto.FLOAT, [1, 16, 8, 8])],
        )
        for kind in ("Relu", "Abs")
    ]
    b.output(b.op("If", [condition], "if", then_branch=bodies[0], else_branch=bodies[1]))
    operators = b.operators()
    assert set(operators) == {"conv", "inner", "if"}
    assert operators["inner"].placement == "npu"
    assert operators["if"].placement == "cpu"


@pytest.mark.parametrize(("opset", "given"), [(13, {}), (18, {"num_outputs": 1})])
def test_split_into_one_piece(opset: int, given: dict[str, int]) -> None:
    b = Builder(opset)
    x = b.qdq(b.conv(b.input(1, 16, 8, 8), outputs=32))
    b.output(b.qdq(b.op("Split", [x], "split", axis=1, **given)))
    assert b.operators()["split"].placement == "npu"


@pytest.mark.parametrize("kind", ["Add", "Mul"])
@pytest.mark.parametrize("shape", [(), (16, 1, 1)])
@pytest.mark.parametrize(("dtype", "same"), [(np.int8, True), (np.uint8, False)])
def test_constant_has_the_data_type_of_the_other_operand(
    kind: str, shape: tuple[int, ...], dtype: type, same: bool
) -> None:
    b = Builder()
    constant = b.dequantize(b.const(np.full(shape, 50, dtype)), 0.02, dtype=dtype)
    b.output(b.qdq(b.op(kind, [b.input(1, 16, 8, 8), constant], "op")))
    operator = b.operators()["op"]
    if same:
        assert "constant-dtype-mismatch" not in rules(operator)
    else:
        assert operator.supported is False


@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [0, 0, 0, 0]},
        {"auto_pad": "SAME_UPPER"},
        {"output_shape": [17, 17]},
    ],
)
def test_output_padding_is_refused_however_it_is_written(attributes: dict[str, object]) -> None:
    b = Builder()
    x = b.input(1, 16, 8, 8)
    node = b.op(
        "ConvTranspose",
        [x, b.weights(16, 16, 2, 2)],
        "op",
        strides=[2, 2],
        output_padding=[1, 1],
        **attributes,
    )
    b.output(b.qdq(node))
    operator = b.operators()["op"]
    assert operator.placement == "cpu"


def test_scale_of_zero_is_unknown_and_harms_no_other_operator() -> None:
    b = Builder()
    x = b.conv(b.input(1, 16, 8, 8))
    zero = b.qdq(x, scale=0.0)
    constant = b.dequantize(b.const(np.full((16, 1, 1), 5, np.int8)))
    b.output(b.qdq(b.op("Add", [zero, constant], "add")))
    report = b.report()
    assert report.error is None
    assert report.metrics["unknown_operators"].value >= 1


@pytest.mark.parametrize(
    ("factor", "out", "supported"),
    [((2, 0.1), 0.008, True), ((5, 0.1), 0.006, False)],
    ids=["equal to the tolerance in float32", "beyond it in float32"],
)
def test_scalar_factor_is_compared_in_float32(
    factor: tuple[int, float], out: float, supported: bool
) -> None:
    b = Builder()
    value, scale = factor
    constant = b.dequantize(b.const(np.array(value, np.int8)), scale)
    b.output(b.qdq(b.op("Mul", [b.input(1, 16, 8, 8), constant], "op"), scale=out))
    assert b.operators()["op"].supported is supported


def test_scalar_that_is_quantized_in_the_graph_is_a_scalar() -> None:
    b = Builder()
    constant = b.qdq(b.const(np.float32(1.0)))
    b.output(b.qdq(b.op("Mul", [b.input(1, 16, 8, 8), constant], "op")))
    assert b.operators()["op"].supported is True


def test_refused_scalar_names_the_rule_about_scalars() -> None:
    b = Builder()
    constant = b.dequantize(b.const(np.array(100, np.int8)))
    b.output(b.qdq(b.op("Mul", [b.input(1, 16, 8, 8), constant], "op"), scale=0.5))
    assert rules(b.operators()["op"])[0] == "mul-not-identity"


def test_bound_of_a_clip_that_is_computed() -> None:
    b = Builder()
    six = b.op("Cast", [b.const(np.array(6, np.int64))], to=TensorProto.FLOAT)
    zero = b.const(np.float32(0))
    x = b.op("Clip", [b.conv(b.input(1, 16, 8, 8)), zero, six], "clip")
    b.output(b.qdq(x))
    assert b.operators()["conv"].placement == "npu"


@pytest.mark.parametrize("opset", [11, 13, 14, 17, 21])
def test_shape_arithmetic_is_resolved_in_every_opset(opset: int) -> None:
    b = Builder(opset)
    conv = b.qdq(b.conv(b.input(1, 16, 8, 8)))
    shape = b.op("Shape", [conv])
    batch = b.op("Gather", [shape, b.const(np.array(0, np.int64))], axis=0)
    if opset < 13:
        rank1 = b.op("Unsqueeze", [batch], axes=[0])
    else:
        rank1 = b.op("Unsqueeze", [batch, b.const(np.array([0], np.int64))])
    target = b.op("Concat", [rank1, b.const(np.array([16, 64, 1], np.int64))], axis=0)
    b.output(b.qdq(b.op("Reshape", [conv, target], "reshape")))
    operator = b.operators()["reshape"]
    assert operator.output_shape == (1, 16, 64, 1)
    assert operator.supported is True


def test_reading_a_shape_does_not_make_a_float_tensor() -> None:
    b = Builder()
    x = b.conv(b.input(1, 16, 8, 8))
    shape = b.op("Shape", [x])
    b.output(b.qdq(b.op("Reshape", [b.qdq(x), shape], "reshape")))
    assert b.operators()["conv"].placement == "npu"


def test_pad_with_axes_is_folded_into_its_convolution() -> None:
    b = Builder(18)
    amounts, axes = b.const(np.array([1, 1, 1, 1])), b.const(np.array([2, -1]))
    x = b.qdq(b.op("Pad", [b.input(1, 16, 8, 8), amounts, "", axes], "pad"))
    b.output(b.qdq(b.op("Conv", [x, b.weights(16, 16, 3, 3)], "conv")))
    assert {name: o.placement for name, o in b.operators().items()} == {"pad": "npu", "conv": "npu"}


def test_quantize_operators_of_onnx_runtime_are_onnx_ones() -> None:
    b = Builder()
    b.output(b.qdq(b.conv(b.input(1, 16, 8, 8))))
    for node in b.nodes:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = "com.microsoft"
    assert b.operators()["conv"].placement == "npu"


def test_output_dtype_of_a_quantize_without_zero_point() -> None:
    b = Builder(21)
    scale = b.const(np.float32(0.02))
    q = b.op("QuantizeLinear", [b.conv(b.input(1, 16, 8, 8)), scale], output_dtype=TensorProto.INT8)
    b.output(b.op("DequantizeLinear", [q, scale]))
    assert b.operators()["conv"].placement == "npu"


def test_activation_with_a_scale_per_channel_is_refused() -> None:
    b = Builder()
    scales = [0.02] * 8 + [0.04] * 8
    x = b.dequantize(b.quantize(b.conv(b.input(1, 16, 8, 8)), scales), scales)
    b.output(b.qdq(b.conv(x, name="second")))
    operators = b.operators()
    assert "per-tensor" in rules(operators["conv"])
    assert "per-tensor" in rules(operators["second"])


@pytest.mark.parametrize("dtype", [TensorProto.COMPLEX64, TensorProto.FLOAT8E4M3FN, 0])
def test_types_that_tvm_cannot_name_sink_no_model(dtype: int) -> None:
    b = Builder()
    x = b.op("Odd", [b.qdq(b.conv(b.input(1, 16, 8, 8)))], "odd", domain="com.example")
    b.outputs.append(helper.make_tensor_value_info(x, dtype, [1, 4]))
    assert b.operators()["conv"].placement == "npu"


@pytest.mark.parametrize(
    "kind", ["clip", "split", "nn.max_pool2d", "Shape", "Identity", "Relu", "Constant"]
)
def test_custom_operator_is_not_mistaken_for_one_of_ours(kind: str) -> None:
    b = Builder()
    x = b.qdq(b.conv(b.input(1, 16, 8, 8)))
    y = b.op(kind, [x], "custom", domain="com.example")
    b.outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, [1, 16, 8, 8]))
    operators = b.operators()
    assert operators["conv"].placement == "npu"
    assert operators["custom"].placement == "cpu"


def test_dropout_between_quantizations_changes_nothing() -> None:
    b = Builder()
    x = b.op("Dropout", [b.input(1, 16, 8, 8)], "dropout")
    b.output(b.qdq(b.conv(x)))
    assert list(b.operators()) == ["conv"]


def test_constant_text_and_nan_bounds_are_harmless() -> None:
    b = Builder()
    nodes = [helper.make_node("Constant", [], ["text"], "c", value_string="x")]
    b.nodes.extend(nodes)
    b.op("Odd", ["text"], "odd", domain="com.example")
    bound = b.const(np.float32("nan"))
    b.output(b.qdq(b.op("Clip", [b.conv(b.input(1, 16, 8, 8)), bound], "clip")))
    assert b.operators()["conv"].placement == "cpu"


def test_depthwise_multiplier_is_named() -> None:
    b = Builder()
    node = b.op(
        "Conv", [b.input(1, 16, 8, 8), b.weights(32, 1, 3, 3)], "op", group=16, pads=[1] * 4
    )
    b.output(b.qdq(node))
    reason = b.operators()["op"].reasons[0]
    assert reason.rule == "weight-i-ne-input-c"
    assert "multiplier of 2" in reason.actual


def test_input_that_is_an_output_keeps_its_shape() -> None:
    b = Builder()
    b.inputs.append(helper.make_tensor_value_info("raw", TensorProto.INT8, [1, 16, 8, 8]))
    b.output(b.qdq(b.conv(b.dequantize("raw"))))
    b.outputs.append(onnx.ValueInfoProto(name="raw"))
    assert b.operators()["conv"].placement == "npu"
