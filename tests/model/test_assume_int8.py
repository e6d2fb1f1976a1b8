"""Float models judged as if they had been quantized: like the quantized models they would become."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import rewrites
from builder import Builder
from conformance import reference
from float_twin import float_twin
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.report import OperatorInfo, Report
from pytest_npu_compat.model import onnx_file
from pytest_npu_compat.model.assume_int8 import asymmetric
from pytest_npu_compat.model.static_quantizer import choose

NETWORKS = sorted(name for name in reference.networks()[1] if name.endswith(".onnx"))
"""Made by ONNX Runtime's `quantize_static`."""


def report_of(model: onnx.ModelProto, quantization: str | None = "assume-int8") -> Report:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return analyze(path, quantization=quantization)


def verdicts(report: Report) -> dict[str, object]:
    assert report.analyzed, report.error
    return {
        o.name: (o.kind, o.placement, o.supported, tuple(reason.rule for reason in o.reasons))
        for o in report.operators
    }


class FloatBuilder(Builder):
    """A float model, node by node."""

    def input(self, *shape: int) -> str:
        name = self.fresh()
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def weights(self, *shape: int, dtype: type | None = None, fill: int = 1) -> str:
        return self.const(np.full(shape, fill, dtype=np.float32))

    def batch_norm(self, x: str, name: str, channels: int = 16) -> str:
        return self.op("BatchNormalization", [x, *[self.weights(channels) for _ in "sbmv"]], name)

    def report(self) -> Report:
        return report_of(self.model())

    def operators(self) -> dict[str, OperatorInfo]:
        report = self.report()
        assert report.analyzed, report.error
        return {operator.name: operator for operator in report.operators}


@pytest.mark.parametrize("name", NETWORKS)
def test_twin_of_a_quantized_network_has_its_verdicts(name: str) -> None:
    quantized = onnx.load_from_string(reference.networks()[1][name])
    twin = report_of(float_twin(quantized))
    found, expected = verdicts(twin), verdicts(report_of(quantized, None))
    absorbed = {node for o in twin.operators for node in o.nodes} - found.keys()
    # A quantizer that is told to (or must, for symmetric activations) leaves a Relu or Clip behind a
    # layer between pairs of its own; by default it is part of the layer.
    own = expected.keys() & absorbed
    assert all(expected.pop(node)[:2] in (("Relu", "npu"), ("Clip", "npu")) for node in own)  # type: ignore[index]
    assert found == expected
    assert bool(own) == name.endswith(("_sym.onnx", "_keep.onnx"))


def test_report_says_that_it_was_assumed_and_names_no_inserted_node() -> None:
    b = FloatBuilder()
    x = b.op("LeakyRelu", [b.conv(b.input(1, 16, 8, 8))], "leaky", alpha=0.1)
    b.output(b.op("Tanh", [x], "tanh"))
    report = b.report()
    assert report.model.quantization == "assumed-int8"
    assert report.model.nodes == 3
    assert {node for o in report.operators for node in o.nodes} == {"conv", "leaky", "tanh"}
    assert [pair.nodes for pair in report.qdq_pairs] == [("leaky",)]
    assert report_of(b.model(), None).model.quantization == "none"


@pytest.mark.parametrize("kind", ["Relu", "Clip"])
def test_activation_is_part_of_its_layer(kind: str) -> None:
    b = FloatBuilder()
    x = b.conv(b.input(1, 16, 8, 8))
    bounds = [b.const(np.float32(v)) for v in (0, 6)] if kind == "Clip" else []
    b.output(b.op(kind, [x, *bounds], "act"))
    operators = b.operators()
    assert operators["conv"].nodes == ("conv", "act")
    assert operators.keys() == {"conv"}


def test_activation_that_is_not_the_only_reader_is_an_operator() -> None:
    b = FloatBuilder()
    x = b.conv(b.input(1, 16, 8, 8))
    b.output(b.op("Add", [b.op("Relu", [x], "act"), x], "add"))
    operators = b.operators()
    assert operators.keys() == {"conv", "act", "add"}
    assert operators["act"].placement == "npu"


def test_batch_normalization_and_identity_become_part_of_the_layer() -> None:
    b = FloatBuilder()
    x = b.op("Identity", [b.conv(b.input(1, 16, 8, 8))])
    b.output(b.op("Relu", [b.batch_norm(x, "norm")], "act"))
    report = b.report()
    assert [o.nodes for o in report.operators] == [("conv", "norm", "act")]
    assert report.model.nodes == 4
    assert report.operators[0].placement == "npu"


def test_batch_normalization_of_a_tensor_that_others_read_stays() -> None:
    b = FloatBuilder()
    x = b.conv(b.input(1, 16, 8, 8))
    b.output(b.op("Add", [b.batch_norm(x, "norm"), x], "add"))
    operators = b.operators()
    assert operators["conv"].nodes == ("conv",)
    assert operators["norm"].placement == "cpu"


@pytest.mark.parametrize(("shape", "folded"), [((8,), True), ((1, 8), True), ((1,), False)])
def test_bias_behind_a_matrix_product(shape: tuple[int, ...], folded: bool) -> None:
    b = FloatBuilder()
    x = b.op("MatMul", [b.input(1, 16), b.weights(16, 8)], "product")
    b.output(b.op("Add", [b.weights(*shape), x], "bias"))
    operators = b.operators()
    assert operators["product"].nodes == (("product", "bias") if folded else ("product",))
    assert ("bias" in operators) is not folded
    assert operators["product"].placement == "npu"


def test_weights_that_are_computed_from_constants_are_weights() -> None:
    b = FloatBuilder()
    w = b.op("Transpose", [b.weights(16, 128)], perm=[1, 0])
    b.output(b.op("MatMul", [b.input(1, 128), w], "product"))
    assert b.operators()["product"].placement == "npu"


def test_bias_that_two_layers_share() -> None:
    b = FloatBuilder()
    x, bias = b.input(1, 16, 8, 8), b.weights(16)
    for name in ("one", "two"):
        b.output(b.op("Conv", [x, b.weights(16, 16, 1, 1), bias], name))
    assert {o.placement for o in b.operators().values()} == {"npu"}


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [("GlobalAveragePool", {}), ("ReduceMean", {"axes": [2, 3], "keepdims": 1})],
)
def test_scales_are_those_of_a_calibration(kind: str, attributes: dict[str, Any]) -> None:
    """A Sigmoid never has 1/256, a mean never its input's scale: the NPU refuses both."""
    b = FloatBuilder()
    x = b.conv(b.input(1, 16, 7, 7))
    mean = b.op(kind, [b.op("Relu", [x])], "mean", **attributes)
    b.output(b.op("Mul", [b.op("Sigmoid", [mean], "sigmoid"), mean], "mul"))
    rules = {o.name: [r.rule for r in o.reasons] for o in b.operators().values()}
    assert "mean-output-info-mismatch" in rules["mean"]
    assert "out-quant" in rules["sigmoid"]


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_constant_factor_changes_only_the_scale(factor: float) -> None:
    b = FloatBuilder()
    x = b.conv(b.input(1, 16, 8, 8))
    b.output(b.op("Mul", [x, b.const(np.float32(factor))], "scaled"))
    assert b.operators()["scaled"].placement == "npu"


@pytest.mark.parametrize(("opset", "quantized"), [(11, False), (13, True)])
def test_pool_of_an_old_operator_set_is_left_in_float(opset: int, quantized: bool) -> None:
    b = FloatBuilder(opset)
    x = b.conv(b.input(1, 16, 8, 8))
    b.output(b.op("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2]))
    pool = b.operators()["pool"]
    assert (pool.placement == "npu") is quantized
    assert (pool.reasons == ()) is quantized


def test_kinds_that_the_quantizer_leaves_out_are_in_float() -> None:
    b = FloatBuilder()
    b.output(b.op("Tanh", [b.conv(b.input(1, 16, 8, 8))], "tanh"))
    operators = b.operators()
    assert operators["conv"].placement == "npu"
    assert [r.rule for r in operators["tanh"].reasons] == ["not-quantized"]


INTS = np.int64
LAST: dict[str, tuple[list[Any], dict[str, Any], bool]] = {
    "AveragePool": ([], {"kernel_shape": [2, 2]}, True),
    "Concat": (["x"], {"axis": 1}, True),
    "DepthToSpace": ([], {"blocksize": 2}, False),
    "Flatten": ([], {}, True),
    "Gather": ([np.array([0], INTS)], {"axis": 1}, True),
    "HardSigmoid": ([], {}, False),
    "LayerNormalization": ([np.ones(8, np.float32)], {}, True),
    "LeakyRelu": ([], {}, True),
    "Pad": ([np.array([0, 0, 1, 1, 0, 0, 1, 1], INTS)], {}, True),
    "PRelu": ([np.ones((16, 1, 1), np.float32)], {}, False),
    "Reshape": ([np.array([1, -1], INTS)], {}, True),
    "Resize": (["", np.array([1, 1, 2, 2], np.float32)], {}, True),
    "Slice": ([np.array([0], INTS), np.array([4], INTS), np.array([1], INTS)], {}, True),
    "Softmax": ([], {}, True),
    "Split": ([np.array([16], INTS)], {"axis": 1}, True),
    "Squeeze": ([np.array([0], INTS)], {}, True),
    "Sub": (["x"], {}, False),
    "Transpose": ([], {"perm": [0, 2, 3, 1]}, True),
    "Unsqueeze": ([np.array([0], INTS)], {}, True),
}
"""Kind of the last node -> its further inputs, its attributes, whether its result is quantized."""


@pytest.mark.parametrize("kind", LAST)
def test_last_node(kind: str) -> None:
    further, attributes, quantized = LAST[kind]
    b = FloatBuilder(17)
    x = b.conv(b.input(1, 16, 8, 8))
    inputs = [{"x": x, "": ""}[v] if isinstance(v, str) else b.const(v) for v in further]
    b.output(b.op(kind, [x, *inputs], "last", **attributes))
    rules = [reason.rule for reason in b.operators()["last"].reasons]
    assert ("not-quantized" not in rules) is quantized


@pytest.mark.parametrize(("value", "same"), [(0.0, True), (9.0, False)])
def test_pad_has_its_inputs_scale_if_it_pads_with_zeros(value: float, same: bool) -> None:
    b = FloatBuilder()
    x = b.conv(b.input(1, 16, 8, 8))
    amounts = b.const(np.array([0, 0, 1, 1, 0, 0, 1, 1], INTS))
    padded = b.op("Pad", [x, amounts, b.const(np.float32(value))], "pad")
    b.output(padded)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        path.write_bytes(b.model().SerializeToString())
        tensors = choose(onnx_file.read(path).graph).tensors
    assert tensors[padded] == (x if same else padded)


def test_layer_behind_an_operator_of_another_set_harms_nothing() -> None:
    b = FloatBuilder()
    x = b.op("Magic", [b.conv(b.input(1, 16, 8, 8), name="first")], "m", domain="com.example")
    x = b.op("Conv", [x, b.weights(16, 16, 1, 1), b.weights(16)], "second")
    b.output(x)
    operators = b.operators()
    assert operators["first"].placement == "npu"
    assert operators["second"].placement == "cpu"


def test_names_that_the_file_uses_already() -> None:
    b = FloatBuilder()
    x = b.input(1, 16, 8, 8)
    b.fresh = iter([f"w{i}" for i in range(9)]).__next__  # type: ignore[method-assign]
    y = b.conv(x)
    model = b.model()
    for name in ("int8", "scale", "zero_point", "dequantized"):
        node = helper.make_node("Relu", [y], [f"{y}:{name}"], name)
        model.graph.node.append(node)
        model.graph.output.append(helper.make_tensor_value_info(f"{y}:{name}", 1, None))
    found = verdicts(report_of(model))
    assert found.keys() == {"conv", "int8", "scale", "zero_point", "dequantized"}
    assert {verdict[1] for verdict in found.values()} == {"npu"}  # type: ignore[index]


@pytest.mark.parametrize("kind", ["QDQ", "weights only", "QLinearAdd"])
def test_quantized_model_is_refused(kind: str) -> None:
    b: Builder = Builder() if kind == "QDQ" else FloatBuilder()
    x = b.input(1, 16, 8, 8)
    if kind == "weights only":
        weights = b.dequantize(b.const(np.ones((16, 16, 3, 3), np.int8)))
        x = b.op("Conv", [x, weights], "conv")
    elif kind == "QLinearAdd":
        x = b.op("QLinearAdd", [x] * 8, "qadd", domain="com.microsoft")
    else:
        x = b.qdq(b.conv(x))
    b.output(x)
    report = report_of(b.model())
    assert report.status == "not_analyzable"
    assert report.error is not None
    assert report.error.code == "already-quantized"
    assert "Remove `quantization: assume-int8`" in report.error.hint


def test_other_assumption_is_an_error() -> None:
    with pytest.raises(ValueError, match="'assume-int8'"):
        analyze("model.onnx", quantization="int4")


@pytest.mark.parametrize("name", ["fsrcnn_x2__prelu__qdq.onnx", "resnet8_cifar__relu__qdq.onnx"])
@pytest.mark.parametrize("seed", [1, 2])
def test_names_and_identities_change_nothing(name: str, seed: int) -> None:
    twin = float_twin(onnx.load_from_string(reference.networks()[1][name]))
    renamed, names = rewrites.rename(rewrites.insert_identities(twin, seed), seed)
    after = verdicts(report_of(renamed))
    assert {names[node]: verdict for node, verdict in after.items()} == verdicts(report_of(twin))


@given(*[st.floats(-1e6, 1e6)] * 2)
def test_asymmetric_range_contains_zero_and_its_ends(one: float, other: float) -> None:
    low, high = min(one, other, 0.0), max(one, other, 0.0)
    scale, zero_point = asymmetric((min(one, other), max(one, other)))
    assert scale > 0
    assert -128 <= zero_point <= 127
    assert (-128 - zero_point) * scale <= low + scale
    assert (127 - zero_point) * scale >= high - scale


def test_relu_has_the_lowest_zero_point() -> None:
    assert asymmetric((0.0, 4.0)) == (float(np.float32(4 / 255)), -128)
