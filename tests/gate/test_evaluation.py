"""Verdicts with a baseline: what is compared, and how it is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import ERROR, op, ratio, report, value

from pytest_npu_compat.analysis.comparison import compare
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, ModelInfo, Report, ToolInfo
from pytest_npu_compat.gate.evaluation import CheckResult, evaluate
from pytest_npu_compat.gate.judging import judge
from pytest_npu_compat.gate.loading import Check
from pytest_npu_compat.gate.threshold import parse_threshold
from pytest_npu_compat.gate.waiver import Waiver


def metered(metric: str, number: MetricValue | int, sha256: str = "") -> Report:
    figure = value(metric, number) if isinstance(number, int) else number
    return report(metrics={metric: figure}, model=ModelInfo("net", "net.onnx", sha256=sha256))


def judged(metric: str, raw: Any, before: Any, after: Any) -> CheckResult:
    head = metered(metric, after)
    return evaluate(parse_threshold(metric, raw), head, compare(metered(metric, before), head))


@pytest.mark.parametrize(
    ("metric", "raw", "before", "after", "status", "message"),
    [
        (
            "npu_ratio",
            {"max_drop": "0.5pp"},
            ratio(200, 200),
            ratio(199, 200),
            "passed",
            "npu_ratio 99.5% (199/200 operators), 0.5pp below the baseline's 100.0%",
        ),
        (
            "npu_ratio",
            {"max_drop": "0.5pp"},
            ratio(1000, 1000),
            ratio(994, 1000),
            "failed",
            "npu_ratio 99.4% (994/1000 operators), 0.6pp below the baseline's 100.0% (0.5pp allowed)",
        ),
        (
            "npu_ratio",
            {"min": "96%", "max_drop": "0pp"},
            ratio(95, 100),
            ratio(95, 100),
            "failed",
            "npu_ratio 95.0% (95/100 operators), required ≥ 96%, unchanged since the baseline",
        ),
        (
            "npu_ratio",
            {"min": "96%", "max_drop": "50pp"},
            ratio(97, 100),
            ratio(95, 100),
            "failed",
            "npu_ratio 95.0% (95/100 operators), required ≥ 96%, 2pp below the baseline's 97.0%",
        ),
        (
            "npu_ratio",
            ">= 50%",
            ratio(9, 10),
            ratio(10, 10),
            "passed",
            "npu_ratio 100.0% (10/10 operators), required ≥ 50%, 10pp above the baseline's 90.0%",
        ),
        (
            "qdq_pairs",
            {"max_rise": 1},
            2,
            3,
            "passed",
            "qdq_pairs 3, 1 above the baseline's 2",
        ),
        (
            "qdq_pairs",
            {"max_rise": 1},
            2,
            4,
            "failed",
            "qdq_pairs 4, 2 above the baseline's 2 (1 allowed)",
        ),
        ("qdq_pairs", {"max_rise": 0}, 4, 1, "passed", "qdq_pairs 1, 3 below the baseline's 4"),
        (
            "boundary_bytes",
            {"max_rise": "1 kB"},
            2048,
            3048,
            "passed",
            "boundary_bytes 3.048 kB, 1 kB above the baseline's 2.048 kB",
        ),
        (
            "boundary_bytes",
            {"max_rise": "1 kB"},
            2048,
            3049,
            "failed",
            "boundary_bytes 3.049 kB, 1.001 kB above the baseline's 2.048 kB (1 kB allowed)",
        ),
    ],
)
def test_verdict_and_wording(
    metric: str, raw: Any, before: Any, after: Any, status: str, message: str
) -> None:
    result = judged(metric, raw, before, after)
    assert (result.status, result.message) == (status, message)


def test_drop_is_judged_exactly_and_not_by_floats() -> None:
    """0.3 - 0.2 is more than 0.1 in floats."""
    assert judged("npu_ratio", {"max_drop": "10pp"}, ratio(3, 10), ratio(2, 10)).passed
    assert not judged("npu_ratio", {"max_drop": "10pp"}, ratio(300, 1000), ratio(199, 1000)).passed


def test_model_that_is_not_in_the_baseline_is_judged_by_its_bounds_alone() -> None:
    threshold = parse_threshold("npu_ratio", {"min": "96%", "max_drop": "0pp"})
    result = evaluate(threshold, metered("npu_ratio", ratio(99, 100)))
    assert result.passed
    assert result.message.endswith("required ≥ 96%, not compared: not in the baseline")
    assert (result.baseline, result.gain) == (None, None)


def test_metric_that_the_baseline_lacks_is_said_not_to_be_compared() -> None:
    head = metered("qdq_pairs", 3)
    threshold = parse_threshold("qdq_pairs", {"max_rise": 0})
    result = evaluate(threshold, head, compare(metered("hazards", 0), head))
    assert result.passed
    assert result.message == "qdq_pairs 3, not compared: the baseline has no qdq_pairs"


def test_same_model_file_names_the_tool_behind_the_change() -> None:
    head = metered("qdq_pairs", 3, sha256="a" * 64)
    base = replace(
        metered("qdq_pairs", 1, sha256="a" * 64), tool=ToolInfo("0.9", "0.27.0", "1.22", "old")
    )
    result = evaluate(parse_threshold("qdq_pairs", {"max_rise": 1}), head, compare(base, head))
    assert result.message == (
        "qdq_pairs 3, 2 above the baseline's 1 (1 allowed); the model file is the same, the tool "
        "changed: pytest-npu-compat 0.9 -> 1.0, rules old -> rules-23.02"
    )


def test_allowed_kinds_and_a_rise_are_both_judged() -> None:
    threshold = parse_threshold("cpu_operators", {"allow": ["Softmax"], "max_rise": 0})
    softmax, conv = op("s", "Softmax", "cpu"), op("c", "Conv", "cpu")
    base = report(softmax)
    risen = evaluate(threshold, report(softmax, softmax), compare(base, report(softmax, softmax)))
    assert risen.status == "failed"
    assert "1 above the baseline's 1 (0 allowed)" in risen.message
    other = evaluate(threshold, report(conv), compare(base, report(conv)))
    assert other.message == (
        "cpu_operators include 1 Conv, allowed only Softmax, unchanged since the baseline"
    )
    assert other.status == "failed"


def test_model_that_cannot_be_analyzed_is_no_drop() -> None:
    head = report(error=ERROR)
    result = evaluate(
        parse_threshold("npu_ratio", {"max_drop": "99pp"}), head, compare(report(op()), head)
    )
    assert result.status == "not_analyzable"
    assert "lfs-pointer" in result.message


FIGURES = st.integers(0, 50)


@given(FIGURES, FIGURES, FIGURES, st.sampled_from(["qdq_pairs", "npu_operators", "boundary_bytes"]))
@settings(deadline=None)
def test_tolerance_is_kept_to_the_unit(before: int, after: int, allowed: int, metric: str) -> None:
    better = METRICS[metric].better
    raw = {"max_drop" if better == "up" else "max_rise": allowed}
    loss = before - after if better == "up" else after - before
    result = judged(metric, raw, before, after)
    assert result.passed == (loss <= allowed)
    assert result.gain == -loss


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 40), st.integers(0, 999))
@settings(deadline=None)
def test_tolerance_is_kept_to_the_percentage_point(
    before: int, after: int, of: int, tenths: int
) -> None:
    before, after = min(before, of), min(after, of)
    raw = {"max_drop": f"{tenths / 10}pp"}
    loss = Fraction(before - after, of)
    result = judged("npu_ratio", raw, ratio(before, of), ratio(after, of))
    assert result.passed == (loss <= Fraction(tenths, 1000))


DAY = date(2027, 1, 30)


@pytest.mark.parametrize(
    ("after", "severity", "until", "status"),
    [
        (1, "error", None, "passed"),
        (2, "error", None, "failed"),
        (2, "warn", None, "warned"),
        (2, "error", date(2027, 1, 31), "waived"),
        (2, "error", date(2027, 1, 30), "failed"),
        (2, "warn", date(2027, 1, 31), "waived"),
        (2, "warn", date(2027, 1, 30), "warned"),
        (1, "error", date(2027, 1, 31), "passed"),
    ],
)
def test_severity_and_waiver_of_a_rise(
    after: int, severity: str, until: date | None, status: str
) -> None:
    threshold = parse_threshold("qdq_pairs", {"max_rise": 0, "severity": severity})
    waiver = Waiver("qdq_pairs", until, "why", 1, 1) if until else None
    base, head = metered("qdq_pairs", 1), metered("qdq_pairs", after)
    found = judge(Check(threshold, 3, waiver), head, compare(base, head), DAY)
    assert found.status == status
    expired = status != "waived" and until == DAY
    assert ("expired on 2027-01-30 (why)" in found.result.message) == expired
    assert (found.waiver is not None) == (waiver is not None and after == 2)
