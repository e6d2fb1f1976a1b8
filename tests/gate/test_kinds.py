"""`cpu_operators: {allow: […]}` and `{deny: […]}`: which kinds may run on the CPU."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import pytest

from pytest_npu_compat.analysis.report import (
    MetricValue,
    ModelInfo,
    OperatorInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.evaluation import evaluate
from pytest_npu_compat.gate.threshold import ThresholdError, parse_threshold
from pytest_npu_compat.model.onnx_operators import all_kinds
from pytest_npu_compat.render.text import explain_failure


def operator(name: str, kind: str, placement: str) -> OperatorInfo:
    reasons = () if placement == "npu" else (Reason("r", "Not there.", "x", None, "Move it."),)
    return OperatorInfo(name, kind, (name,), False, placement, None, None, 0, (1,), reasons)


OPERATORS = (
    operator("conv", "Conv", "npu"),
    operator("soft", "Softmax", "cpu"),
    operator("pool", "MaxPool", "cpu"),
    operator("odd", "QLinearConv", "unknown"),
)
REPORT = Report(
    ToolInfo("1", "2", "3", "4"),
    ModelInfo("m", "m.onnx"),
    TargetInfo("t", "v"),
    "analyzed",
    metrics={"cpu_operators": MetricValue(2, "count")},
    operators=OPERATORS,
)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"allow": ["Softmax", "MaxPool", "QLinearConv"]}, None),
        (
            {"allow": ["Softmax"]},
            "cpu_operators include 1 MaxPool, 1 QLinearConv, allowed only Softmax",
        ),
        (
            {"allow": []},
            "cpu_operators include 1 Softmax, 1 MaxPool, 1 QLinearConv, allowed only nothing",
        ),
        ({"deny": ["Conv"]}, None),
        ({"deny": ["MaxPool"]}, "cpu_operators include 1 MaxPool, allowed no MaxPool"),
        (
            {"deny": ["com.acme.MaxPool"]},
            "cpu_operators include 1 MaxPool, allowed no com.acme.MaxPool",
        ),
        (
            {"deny": ["ai.onnx.MaxPool"]},
            "cpu_operators include 1 MaxPool, allowed no ai.onnx.MaxPool",
        ),
        ({"allow": ["Softmax", "ai.onnx.MaxPool", "com.acme.QLinearConv"]}, None),
        ({"max": 1, "deny": ["Conv"]}, "cpu_operators 2, required ≤ 1"),
        ({"max": 2, "deny": ["MaxPool"]}, "cpu_operators include 1 MaxPool, allowed no MaxPool"),
    ],
)
def test_kinds_on_the_cpu(raw: dict[str, object], message: str | None) -> None:
    result = evaluate(parse_threshold("cpu_operators", raw), REPORT)
    assert result.passed is (message is None)
    if message is not None:
        assert result.message == message


def test_failure_lists_only_the_operators_that_are_not_allowed() -> None:
    result = evaluate(parse_threshold("cpu_operators", {"allow": ["Softmax"]}), REPORT)
    text = explain_failure(result)
    assert "pool" in text
    assert "soft" not in text.split("\n", 1)[1]


def test_model_that_cannot_be_analyzed_is_not_excused_by_a_list() -> None:
    broken = replace(REPORT, status="not_analyzable", operators=(), metrics={})
    assert not evaluate(parse_threshold("cpu_operators", {"allow": ["Softmax"]}), broken).passed


@pytest.mark.parametrize(
    ("metric", "raw"),
    [
        ("cpu_operators", {"allow": "Softmax"}),
        ("cpu_operators", {"allow": [1]}),
        ("cpu_operators", {"allow": ["Softmax"], "deny": ["Softmax"]}),
        ("cpu_operators", {"allow": ["Softmax"], "deny": ["ai.onnx.Softmax"]}),
        ("npu_ratio", {"allow": ["Softmax"]}),
    ],
)
def test_list_that_makes_no_sense(metric: str, raw: dict[str, object]) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(metric, raw)
    assert caught.value.hint


@pytest.mark.parametrize("key", ["allow", "deny"])
@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("sigmoid", "Did you mean 'Sigmoid'?"),
        ("SOFTMAX", "Did you mean 'Softmax'?"),
        ("Sigmoyd", "Did you mean 'Sigmoid'?"),
        ("requantize", "Did you mean 'Requantize'?"),
        ("ai.onnx.sigmoid", "Did you mean 'Sigmoid'?"),
        ("QLinearAdd", "e.g. com.microsoft.QLinearAdd."),
        ("Softmax.", "Write, say, Softmax"),
        ("com.acme. Softmax", "Write, say, Softmax"),
    ],
)
def test_kind_that_does_not_exist(key: str, kind: str, hint: str) -> None:
    """Denied, it would never be found; allowed, it would excuse nothing."""
    with pytest.raises(ThresholdError) as caught:
        parse_threshold("cpu_operators", {key: ["Softmax", kind]})
    assert hint in caught.value.hint
    assert kind.removeprefix("ai.onnx.") in caught.value.message


def test_empty_list_denies_nothing() -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold("cpu_operators", {"deny": []})
    assert "denies nothing" in caught.value.message
    assert "allow: []" in caught.value.hint
    with pytest.raises(ThresholdError, match="denies nothing"):
        parse_threshold("cpu_operators", {"allow": ["Softmax"], "deny": []})


def test_kinds_of_all_operator_sets_are_known() -> None:
    for kind in ("Requantize", "FlexAttention", "Upsample", "LabelEncoder", "com.microsoft.Gelu"):
        assert parse_threshold("cpu_operators", {"deny": [kind]}).kinds is not None


def test_shipped_names_are_those_of_onnx() -> None:
    """Not generated from ONNX at run time, whose import takes long; an older ONNX knows fewer."""
    text = (files("pytest_npu_compat") / "data" / "onnx-operators.json").read_text("utf-8")
    shipped = json.loads(text)
    assert shipped == sorted(shipped)
    assert set(all_kinds()) <= set(shipped)


def test_operators_of_an_onnx_younger_than_the_shipped_names_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "pytest_npu_compat.gate.kinds._installed", lambda: frozenset({"FromTomorrow"})
    )
    assert parse_threshold("cpu_operators", {"deny": ["FromTomorrow"]}).kinds is not None
    with pytest.raises(ThresholdError) as caught:
        parse_threshold("cpu_operators", {"deny": ["fromTomorrow"]})
    assert "Did you mean 'FromTomorrow'?" in caught.value.hint
