"""Profiles: each property with an operator that has what the NPU wants and one that does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builder import Builder
from models import half_on_npu, save

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.run.analysis import analyze
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.profile.condition import parse_condition
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile
from pytest_npu_compat.target.profile.properties import PROPERTIES
from pytest_npu_compat.target.profile.target import ProfileTarget


def rule(
    conditions: Mapping[str, Any] | None = None,
    attributes: Mapping[str, Any] | None = None,
    remedy: str = "",
) -> OperatorRule:
    return OperatorRule(
        tuple((name, parse_condition(value)) for name, value in (conditions or {}).items()),
        tuple((name, parse_condition(value)) for name, value in (attributes or {}).items()),
        remedy,
    )


def profile(**operators: Sequence[OperatorRule]) -> Profile:
    kinds = tuple((kind.replace("__", "."), tuple(rules)) for kind, rules in operators.items())
    return Profile("acme", "ACME 1", kinds)


def judged(model: Path, declared: Profile, **settings: Any) -> Report:
    request = AnalysisRequest(str(model), "m", "m.onnx", "acme", profile=declared, **settings)
    report = analyze(request)
    assert report.error is None, report.error
    return report


def saved(net: Builder, directory: Path) -> Path:
    path = directory / "model.onnx"
    path.write_bytes(net.model().SerializeToString())
    return path


def one_conv(shape: tuple[int, ...] = (1, 8, 8, 8), **given: Any) -> Builder:
    """A quantized convolution, with what a case wants of it."""
    net = Builder(dtype=given.pop("dtype", np.int8))
    weights = given.pop("weights", (8, shape[1] // given.get("group", 1), *(3 for _ in shape[2:])))
    scale = given.pop("scale", 0.02)
    x = net.input(*shape)
    if given.pop("constant", True):
        values = np.ones(weights, dtype=np.int8)
        zeros = net.const(np.zeros(np.shape(scale), dtype=np.int8))
        scales = net.const(np.asarray(scale, dtype=np.float32))
        w = net.op("DequantizeLinear", [net.const(values), scales, zeros], axis=0)
    else:
        w = net.input(*weights)
    net.output(net.qdq(net.op("Conv", [x, w], "conv", **given)))
    return net


CASES: Mapping[str, tuple[Any, Callable[[], Builder], Callable[[], Builder], str]] = {
    "dtypes": (["int8"], one_conv, lambda: one_conv(dtype=np.uint8), "dtypes uint8"),
    "weight_dtypes": ("int8", one_conv, lambda: _conv_with_uint8_weights(), "weight dtypes uint8"),
    "constant_weights": (
        True,
        one_conv,
        lambda: one_conv(constant=False),
        "constant weights False",
    ),
    "per_channel": (False, one_conv, lambda: one_conv(scale=[0.01] * 8), "per channel True"),
    "rank": (4, one_conv, lambda: one_conv((1, 8, 8)), "rank 3x3"),
    "batch": (1, one_conv, lambda: one_conv((2, 8, 8, 8)), "batch 2"),
    "input_channels": (
        {"multiple_of": 8},
        one_conv,
        lambda: one_conv((1, 12, 8, 8)),
        "input channels 12",
    ),
    "output_channels": (
        "<= 8",
        one_conv,
        lambda: one_conv(weights=(9, 8, 3, 3)),
        "output channels 9",
    ),
    "spatial": ("<= 8", one_conv, lambda: one_conv((1, 8, 8, 9)), "spatial 8x9"),
    "kernel": ("1..3", one_conv, lambda: one_conv(weights=(8, 8, 3, 4)), "kernel 3x4"),
    "strides": (1, one_conv, lambda: one_conv(strides=[1, 2]), "strides 1x2"),
    "dilations": (1, one_conv, lambda: one_conv(dilations=[2, 2]), "dilations 2x2"),
    "pads": (0, one_conv, lambda: one_conv(pads=[1, 0, 0, 0]), "pads 1x0x0x0"),
    "group": ([1, "depthwise"], lambda: one_conv(group=8), lambda: one_conv(group=2), "group 2"),
    "inputs": (1, one_conv, lambda: one_conv(constant=False), "inputs 2"),
}


def _conv_with_uint8_weights() -> Builder:
    net = Builder()
    x = net.input(1, 8, 8, 8)
    values = net.const(np.ones((8, 8, 3, 3), dtype=np.uint8))
    scale, zero = net.const(np.float32(0.02)), net.const(np.uint8(0))
    w = net.op("DequantizeLinear", [values, scale, zero])
    net.output(net.qdq(net.op("Conv", [x, w], "conv")))
    return net


def test_every_property_has_a_case() -> None:
    assert list(CASES) == list(PROPERTIES)


@pytest.mark.parametrize("name", CASES)
def test_property(name: str, tmp_path: Path) -> None:
    condition, good, bad, actual = CASES[name]
    declared = profile(Conv=[rule({name: condition})])
    (accepted,) = judged(saved(good(), tmp_path), declared).operators
    assert accepted.placement == "npu", accepted.reasons
    assert accepted.composite == "acme.conv"
    (refused,) = judged(saved(bad(), tmp_path), declared).operators
    assert refused.placement == "cpu"
    (reason,) = refused.reasons
    assert reason.rule == name.replace("_", "-")
    assert reason.actual == actual
    assert reason.allowed == parse_condition(condition).text
    assert reason.message.endswith(" on acme.")
    assert reason.remedy


@pytest.mark.parametrize(
    ("attributes", "placement", "actual"),
    [
        ({"auto_pad": "NOTSET"}, "npu", ""),  # ONNX's default, which the node does not give
        ({"group": 1, "strides": [1, 2]}, "npu", ""),
        ({"strides": 1}, "cpu", "strides 1x2"),
        ({"auto_pad": "VALID"}, "cpu", "auto_pad NOTSET"),
        ({"dilations": 1}, "cpu", "dilations not set"),
    ],
)
def test_attributes(
    attributes: dict[str, Any], placement: str, actual: str, tmp_path: Path
) -> None:
    model = saved(one_conv(strides=[1, 2]), tmp_path)
    (conv,) = judged(model, profile(Conv=[rule(attributes=attributes)])).operators
    assert conv.placement == placement, conv.reasons
    assert [reason.actual for reason in conv.reasons] == ([actual] if actual else [])


def test_one_of_several_forms_has_to_fit(tmp_path: Path) -> None:
    forms = [
        rule({"kernel": 1, "group": 1, "batch": 7}),
        rule({"kernel": 5, "group": "depthwise"}, remedy="Use 5x5 kernels."),
    ]
    declared = profile(Conv=forms)
    fits = one_conv(group=8, weights=(8, 1, 5, 5))
    (conv,) = judged(saved(fits, tmp_path), declared).operators
    assert conv.placement == "npu"
    (conv,) = judged(saved(one_conv(group=8), tmp_path), declared).operators
    # Three conditions of the first form do not hold, and one of the second.
    assert [(r.rule, r.actual, r.remedy) for r in conv.reasons] == [
        ("kernel", "kernel 3x3", "Use 5x5 kernels.")
    ]


def test_operator_that_is_not_listed(tmp_path: Path) -> None:
    net = one_conv()
    (conv,) = judged(saved(net, tmp_path), profile(Relu=[rule()])).operators
    assert [(r.rule, r.actual) for r in conv.reasons] == [("not-in-profile", "Conv")]
    assert "acme" in conv.reasons[0].message


def fused(activation: str) -> Builder:
    net = Builder()
    x = net.input(1, 8, 8, 8)
    net.output(net.qdq(net.op(activation, [net.op("Conv", [x, net.weights(8, 8, 3, 3)], "conv")])))
    return net


def test_fused_activation_has_to_be_listed_too(tmp_path: Path) -> None:
    model = saved(fused("Relu"), tmp_path)
    (conv,) = judged(model, profile(Conv=[rule()])).operators
    assert [(r.rule, r.actual) for r in conv.reasons] == [("fused-activation", "followed by Relu")]
    (conv,) = judged(model, profile(Conv=[rule()], Relu=[rule()])).operators
    assert conv.placement == "npu"


def test_float_operator_on_an_npu_for_floats(tmp_path: Path) -> None:
    net = Builder()
    conv = net.op("Conv", [net.dequantize(net.quantize(_float_input(net))), _float(net)], "conv")
    net.output(net.op("Relu", [conv], "relu"))
    model = saved(net, tmp_path)
    for_int8 = judged(
        model, profile(Conv=[rule({"dtypes": "int8"})], Relu=[rule({"dtypes": "int8"})])
    )
    assert [(o.name, [r.rule for r in o.reasons]) for o in for_int8.operators] == [
        ("conv", ["dtypes"]),
        ("relu", ["dtypes"]),
    ]
    listed = {"Conv": [rule()], "Relu": [rule({"dtypes": "float32"})]}
    without = judged(model, profile(**listed))
    # The convolution reads a dequantized tensor, and the NPU has no such conversion.
    assert [o.placement for o in without.operators] == ["cpu", "npu"]
    assert without.operators[0].reasons[0].actual == "DequantizeLinear"
    with_it = judged(model, profile(**listed, DequantizeLinear=[rule()]))
    assert [o.placement for o in with_it.operators] == ["npu", "npu"]
    assert with_it.metrics["npu_partitions"].value == 1


def _float_input(net: Builder) -> str:
    name = net.fresh()
    from onnx import TensorProto, helper

    net.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 8, 8, 8)))
    return name


def _float(net: Builder) -> str:
    return net.const(np.ones((8, 8, 3, 3), dtype=np.float32))


def test_unreadable_quantization_is_never_on_the_npu(tmp_path: Path) -> None:
    net = Builder()
    x = net.input(1, 8)
    scale = net.op("ReduceMax", [x], keepdims=0)
    made = net.op("QuantizeLinear", [x, scale, net.const(np.int8(0))], "dynamic")
    net.output(net.dequantize(made))
    kinds = {kind: [rule()] for kind in ("ReduceMax", "QuantizeLinear", "DequantizeLinear")}
    report = judged(saved(net, tmp_path), profile(**kinds))
    by_name = {o.name: o.placement for o in report.operators}
    assert by_name["dynamic"] == "unknown"


def test_dimension_that_depends_on_data_is_within_no_bounds(tmp_path: Path) -> None:
    net = Builder()
    found = net.op("NonZero", [net.input(1, 8)], "nonzero")
    net.output(net.op("Neg", [found], "neg"))
    report = judged(saved(net, tmp_path), profile(Neg=[rule({"input_channels": ">= 1"})]))
    (reason,) = next(o for o in report.operators if o.name == "neg").reasons
    assert reason.actual == "input channels not known before run time"
    assert reason.remedy == "Export the model so that its shape does not depend on data."


def test_regions_of_a_profile_are_partitions(tmp_path: Path) -> None:
    """A kind that is missing in the middle splits the network."""
    net = Builder()
    x = net.input(1, 8, 8, 8)
    for kind in ("Relu", "Sigmoid", "Relu"):
        x = net.qdq(net.op(kind, [x], f"{kind}{net.count}"))
    net.output(x)
    report = judged(saved(net, tmp_path), profile(Relu=[rule()]))
    assert [o.placement for o in report.operators] == ["npu", "cpu", "npu"]
    assert report.metrics["npu_partitions"].value == 2
    assert report.metrics["boundaries"].value == 4
    assert report.metrics["npu_ratio"].numerator == 2


def test_rules_name_the_content_of_the_profile() -> None:
    """So that a changed profile is told apart from a changed model."""
    one = ProfileTarget(profile(Conv=[rule({"kernel": 3})]))
    other = ProfileTarget(profile(Conv=[rule({"kernel": 5})]))
    assert one.rules.startswith("ACME 1 (profile ")
    assert one.rules != other.rules


def test_profile_survives_json() -> None:
    declared = profile(
        Conv=[rule({"kernel": "1..7", "group": [1, "depthwise"]}, {"auto_pad": "NOTSET"}, "No.")],
        com__microsoft__Gelu=[rule()],
    )
    assert Profile.from_dict(json.loads(json.dumps(asdict(declared)))) == declared
    request = AnalysisRequest("m", "m", "m", "acme", profile=declared)
    assert AnalysisRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request


def test_two_models_with_equal_names_of_nodes(tmp_path: Path) -> None:
    """Every operator of the model is judged once, whatever the profile."""
    path = save(half_on_npu(), tmp_path)
    for declared in (profile(Conv=[rule()]), profile(Relu=[rule()])):
        report = judged(path, declared)
        assert report.metrics["npu_ratio"].denominator == len(report.operators) == 2
