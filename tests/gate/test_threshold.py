"""Thresholds: what is accepted, what every error says to write, and which reports pass."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.costs import EstimateInfo
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import (
    ErrorInfo,
    MetricValue,
    ModelInfo,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.evaluation import evaluate
from pytest_npu_compat.gate.threshold import (
    Bound,
    Threshold,
    ThresholdError,
    parse_threshold,
)

RATIOS = [name for name, metric in METRICS.items() if metric.unit == "ratio"]
COUNTS = [name for name, metric in METRICS.items() if metric.unit == "count"]


def report_with(error: ErrorInfo | None = None, **metrics: MetricValue) -> Report:
    return Report(
        tool=ToolInfo("1", "2", "3", "4"),
        model=ModelInfo("m", "m.onnx"),
        target=TargetInfo("ethos-n78", "4tops-4ple"),
        status="not_analyzable" if error else "analyzed",
        error=error,
        metrics=metrics,
    )


def ratio(numerator: int, denominator: int) -> MetricValue:
    return MetricValue(numerator / denominator, "ratio", numerator, denominator)


def error_of(metric: str, raw: Any) -> ThresholdError:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(metric, raw)
    return caught.value


@pytest.mark.parametrize(
    ("text", "comparison", "shown"),
    [
        (">= 96%", ">=", "≥ 96%"),
        ("≥ 96%", ">=", "≥ 96%"),
        ("<= 96%", "<=", "≤ 96%"),
        ("≤96%", "<=", "≤ 96%"),
        ("== 96%", "==", "exactly 96%"),
        ("= 96%", "==", "exactly 96%"),
        ("> 96%", ">", "> 96%"),
        ("  <  96 %  ", "<", "< 96%"),
        (">= 96.0%", ">=", "≥ 96%"),
    ],
)
def test_every_comparison_sign_is_read_and_shown(text: str, comparison: str, shown: str) -> None:
    threshold = parse_threshold("npu_ratio", text)
    assert threshold.bounds == (Bound(comparison, Fraction(96, 100)),)
    assert threshold.severity == "error"
    assert threshold.show() == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (">= .5%", "≥ 0.5%"),
        (">= 99.99999%", "≥ 99.99999%"),
        (">= 33.333333333%", "≥ 33.333333333%"),
    ],
)
def test_limit_is_shown_with_all_its_digits(text: str, shown: str) -> None:
    assert parse_threshold("npu_ratio", text).show() == shown


@pytest.mark.parametrize("metric", RATIOS)
@pytest.mark.parametrize(
    ("raw", "written"),
    [
        (96, '">= 96%"'),
        (0.96, '">= 96%"'),
        ("96", '">= 96%"'),
        ("0.96", '">= 96%"'),
        (".96", '">= 96%"'),
        (">= 96", '">= 96%"'),
        (">= .965", '">= 96.5%"'),
        ("<= 0.5", '"<= 50%"'),
        ("> 7", '"> 7%"'),
        ("== 0.25", '"== 25%"'),
        ({"min": 96}, "96%"),
        ({"min": "96"}, "96%"),
        ({"max": ".5"}, "50%"),
        ({"exactly": 0.96}, "96%"),
    ],
    ids=str,
)
def test_ratio_without_percent_sign_says_what_to_write(metric: str, raw: Any, written: str) -> None:
    error = error_of(metric, raw)
    assert "has no unit" in error.message
    assert error.hint == f"Write {written}."


@pytest.mark.parametrize(
    "raw", [96, 0.96, 1, 0, 150, -3, 0.99999999, 1e300, "-0.5", "> 300", 10**400], ids=repr
)
def test_what_a_ratio_hint_says_to_write_is_accepted(raw: Any) -> None:
    written = re.fullmatch(r'Write "(.*)"\.', error_of("npu_ratio", raw).hint)
    assert written
    assert parse_threshold("npu_ratio", written[1]).bounds


@pytest.mark.parametrize(
    "raw", [0.99999999, 0.123456789, "0.000000001"], ids=["eight nines", "nine digits", "small"]
)
def test_ratio_hint_keeps_every_digit(raw: Any) -> None:
    written = error_of("npu_ratio", {"min": raw}).hint.removeprefix("Write ").removesuffix(".")
    bound = parse_threshold("npu_ratio", {"min": written}).bounds[0]
    assert bound.limit == Fraction(str(raw))


def test_percentage_without_sign_asks_for_the_direction() -> None:
    error = error_of("npu_ratio", " 96.50% ")
    assert "more or less" in error.message
    assert error.hint == 'Write ">= 96.5%" (or "== 96.5%").'
    assert error_of("npu_ratio", "0%").hint == 'Write "== 0%".'


@pytest.mark.parametrize(
    ("metric", "raw", "message"),
    [
        ("npu_ratio", ">= 101%", "between 0% and 100%"),
        ("npu_ratio", "150%", "between 0% and 100%"),
        ("npu_ratio", ">= -1%", "between 0% and 100%"),
        ("npu_ratio", ">= 96 pp", "no unit of npu_ratio"),
        ("npu_ratio", ">= 96 MB", "no unit of npu_ratio"),
        ("qdq_pairs", "<= 3%", "no unit of qdq_pairs"),
        ("qdq_pairs", "<= 3 MB", "no unit of qdq_pairs"),
        ("qdq_pairs", "<= 2.5", "whole number"),
        ("qdq_pairs", 2.5, "whole number"),
        ("qdq_pairs", -1, "never negative"),
        ("qdq_pairs", "<= -1", "never negative"),
        ("qdq_pairs", "zero", "no limit for qdq_pairs"),
        ("qdq_pairs", "<> 3", "no limit for qdq_pairs"),
        ("qdq_pairs", "1e3", "no limit for qdq_pairs"),
        ("qdq_pairs", "", "no limit for qdq_pairs"),
        ("qdq_pairs", ">=", "no limit for qdq_pairs"),
        ("qdq_pairs", "9" * 61, "no limit for qdq_pairs"),
        ("qdq_pairs", "<= 3 <= 4", "no limit for qdq_pairs"),
        ("qdq_pairs", True, "no limit for qdq_pairs"),
        ("qdq_pairs", None, "no limit for qdq_pairs"),
        ("qdq_pairs", [3], "no limit for qdq_pairs"),
        ("boundary_bytes", "<= 2 mb", "no unit of boundary_bytes"),
        ("boundary_bytes", "<= 2%", "no unit of boundary_bytes"),
        ("boundary_bytes", "<= 1.5 B", "whole number"),
        ("boundary_bytes", "<= -2 MB", "never negative"),
    ],
)
def test_what_is_no_threshold_is_refused(metric: str, raw: Any, message: str) -> None:
    assert message in error_of(metric, raw).message


@pytest.mark.parametrize(
    ("metric", "raw", "message", "written"),
    [
        ("npu_ratio", "> 100%", "never > 100%, so nothing can pass", ">= 100%"),
        ("npu_ratio", "< 0%", "never < 0%, so nothing can pass", "<= 0%"),
        ("qdq_pairs", "< 0", "never < 0, so nothing can pass", "<= 0"),
        ("boundary_bytes", "< 0 MB", "never < 0 B, so nothing can pass", "<= 0 B"),
        ("estimated_latency", "< 0 ms", "never < 0 ms, so nothing can pass", "<= 0 ms"),
        ("npu_ratio", ">= 0%", "≥ 0% is true of any npu_ratio, so nothing can fail", ">= 96%"),
        ("npu_ratio", "<= 100%", "≤ 100% is true of any npu_ratio", ">= 96%"),
        ("npu_ratio", {"min": "0%"}, "≥ 0% is true of any npu_ratio", ">= 96%"),
        ("npu_ratio", {"min": "0%", "max": "100%"}, "≥ 0% and ≤ 100% is true", ">= 96%"),
        ("npu_ratio", {"max_drop": "100pp"}, "at most 100pp below the baseline is", ">= 96%"),
        ("npu_ratio", {"min": "0%", "severity": "warn"}, "is true of any npu_ratio", ">= 96%"),
        ("qdq_pairs", ">= 0", "≥ 0 is true of any qdq_pairs", "<= 3"),
        ("qdq_pairs", {"min": 0}, "≥ 0 is true of any qdq_pairs", "<= 3"),
        ("estimated_speedup", ">= 0x", "≥ 0× is true of any estimated_speedup", ">= 4x"),
    ],
    ids=str,
)
def test_threshold_that_is_decided_before_any_model_is_looked_at(
    metric: str, raw: Any, message: str, written: str
) -> None:
    error = error_of(metric, raw)
    assert message in error.message
    assert f'"{written}"' in error.hint
    assert parse_threshold(metric, written).bounds


@pytest.mark.parametrize(
    ("metric", "raw"),
    [
        ("npu_ratio", "== 0%"),
        ("npu_ratio", "> 0%"),
        ("npu_ratio", "< 100%"),
        ("npu_ratio", "<= 0%"),
        ("npu_ratio", ">= 100%"),
        ("npu_ratio", {"min": "98%", "max": "100%"}),
        ("npu_ratio", {"min": "0%", "max_drop": "99.9pp"}),
        ("qdq_pairs", 0),
        ("qdq_pairs", "> 0"),
        ("qdq_pairs", {"min": 0, "max": 3}),
        ("npu_operators", {"max_drop": 100}),
        ("boundary_bytes", "<= 1"),
        ("cpu_operators", {"min": 0, "allow": ["Softmax"]}),
    ],
    ids=str,
)
def test_threshold_that_can_pass_and_fail(metric: str, raw: Any) -> None:
    assert parse_threshold(metric, raw).severity == "error"


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("<= 2", 2),
        ("<= 2 B", 2),
        ("<= 2 kB", 2_000),
        ("<= 2 KB", 2_000),
        ("<= 1.5 MB", 1_500_000),
        ("<= 2GB", 2_000_000_000),
        ("<= 2 KiB", 2048),
        ("<= 1.5 MiB", 1_572_864),
        ("<= 1 GiB", 2**30),
    ],
)
def test_bytes_units(text: str, limit: int) -> None:
    assert parse_threshold("boundary_bytes", text).bounds == (Bound("<=", Fraction(limit)),)


@pytest.mark.parametrize("metric", COUNTS)
@pytest.mark.parametrize("raw", [0, 3, "3", 3.0])
def test_bare_number_means_exactly(metric: str, raw: Any) -> None:
    assert parse_threshold(metric, raw).bounds == (Bound("==", Fraction(int(raw))),)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("raw", [False, "off", {"severity": "off"}, {"severity": False}], ids=str)
def test_off_is_a_threshold_without_bounds(metric: str, raw: Any) -> None:
    threshold = parse_threshold(metric, raw)
    assert (threshold.bounds, threshold.severity) == ((), "off")


@pytest.mark.parametrize(
    ("raw", "shown", "severity"),
    [
        ({"min": "95%"}, "≥ 95%", "error"),
        ({"max": "95%"}, "≤ 95%", "error"),
        ({"exactly": "95%"}, "exactly 95%", "error"),
        ({"min": "95%", "max": "99%"}, "≥ 95% and ≤ 99%", "error"),
        ({"min": "95%", "max": "95%"}, "≥ 95% and ≤ 95%", "error"),
        ({"min": "95%", "severity": "warn"}, "≥ 95%", "warn"),
        ({"min": "95%", "severity": "off"}, "≥ 95%", "off"),
    ],
    ids=str,
)
def test_long_form(raw: dict[str, Any], shown: str, severity: str) -> None:
    threshold = parse_threshold("npu_ratio", raw)
    assert (threshold.show(), threshold.severity) == (shown, severity)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({}, "sets no bound"),
        ({"severity": "warn"}, "sets no bound"),
        ({"min": "96%", "max": "95%"}, "min is above max"),
        ({"min": "96%", "exactly": "96%"}, "exactly excludes"),
        ({"min": ">= 96%"}, "has a comparison"),
        ({"min": None}, "no limit"),
        ({"min": "96%", "severity": "loud"}, "no severity"),
        ({"min": "96%", "severity": True}, "no severity"),
        ({"mim": "96%"}, "no key 'mim'"),
    ],
    ids=str,
)
def test_long_form_errors_say_what_to_do(raw: dict[str, Any], message: str) -> None:
    error = error_of("npu_ratio", raw)
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("text", "passing", "failing"),
    [
        (">= 3", [3, 4], [2]),
        ("> 3", [4], [3, 2]),
        ("<= 3", [3, 2, 0], [4]),
        ("< 3", [2], [3, 4]),
        ("== 3", [3], [2, 4]),
    ],
)
def test_both_sides_of_a_bound(text: str, passing: list[int], failing: list[int]) -> None:
    threshold = parse_threshold("npu_partitions", text)
    verdicts = {
        count: evaluate(threshold, report_with(npu_partitions=MetricValue(count, "count"))).passed
        for count in passing + failing
    }
    assert verdicts == {**dict.fromkeys(passing, True), **dict.fromkeys(failing, False)}


@pytest.mark.parametrize(
    ("raw", "value", "status"),
    [
        ({"min": 2, "max": 4}, 1, "failed"),
        ({"min": 2, "max": 4}, 2, "passed"),
        ({"min": 2, "max": 4}, 4, "passed"),
        ({"min": 2, "max": 4}, 5, "failed"),
        ({"exactly": 3}, 3, "passed"),
        ({"exactly": 3}, 4, "failed"),
    ],
    ids=str,
)
def test_both_bounds_of_the_long_form(raw: dict[str, Any], value: int, status: str) -> None:
    report = report_with(npu_partitions=MetricValue(value, "count"))
    assert evaluate(parse_threshold("npu_partitions", raw), report).status == status


def test_ratio_is_compared_exactly_and_not_as_a_float() -> None:
    assert 0.1 + 0.2 != 0.3
    limit = parse_threshold("npu_ratio", ">= 30%")
    drifted = MetricValue(0.1 + 0.2 - 1e-16, "ratio", 3, 10)
    assert evaluate(limit, report_with(npu_ratio=drifted)).passed


def test_failure_message_names_figure_counts_and_limit() -> None:
    result = evaluate(parse_threshold("npu_ratio", ">= 96%"), report_with(npu_ratio=ratio(55, 60)))
    assert result.status == "failed"
    assert result.message == "npu_ratio 91.7% (55/60 operators), required ≥ 96%"
    assert result.actual == ratio(55, 60)


def test_failure_message_names_only_the_broken_bound() -> None:
    threshold = parse_threshold("npu_ratio", {"min": "50%", "max": "60%"})
    result = evaluate(threshold, report_with(npu_ratio=ratio(3, 4)))
    assert result.message == "npu_ratio 75.0% (3/4 operators), required ≤ 60%"


@pytest.mark.parametrize(
    ("value", "text", "shown"),
    [
        (ratio(9599, 10000), ">= 96%", "95.99%"),
        (ratio(95999, 100000), ">= 96%", "95.999%"),
        (ratio(9_999_999_999, 10_000_000_000), ">= 100%", "99.99999999%"),
        (ratio(9596, 10000), ">= 95.97%", "95.96%"),
        (ratio(1, 10**9), "<= 0%", "0.0000001%"),
    ],
    ids=str,
)
def test_near_miss_is_shown_with_the_digits_that_matter(
    value: MetricValue, text: str, shown: str
) -> None:
    result = evaluate(parse_threshold("npu_mac_ratio", text), report_with(npu_mac_ratio=value))
    assert result.status == "failed"
    assert result.message.startswith(f"npu_mac_ratio {shown} (")


@pytest.mark.parametrize(
    ("value", "text", "message"),
    [
        (2_000_001, "<= 2 MB", "boundary_bytes 2.000001 MB, required ≤ 2 MB"),
        (2_000_150, "<= 2.0001 MB", "boundary_bytes 2.0002 MB, required ≤ 2.0001 MB"),
        (2**20, "< 1 MiB", "boundary_bytes 1 MiB, required < 1 MiB"),
        (12_345_678, "<= 2 MB", "boundary_bytes 12.35 MB, required ≤ 2 MB"),
    ],
)
def test_near_miss_in_bytes_is_shown_with_the_digits_that_matter(
    value: int, text: str, message: str
) -> None:
    report = report_with(boundary_bytes=MetricValue(value, "bytes"))
    assert evaluate(parse_threshold("boundary_bytes", text), report).message == message


@given(
    numerator=st.integers(0, 10**12),
    more=st.integers(0, 10**6),
    percent=st.decimals("0.0001", 100, places=4, allow_nan=False),
)
@settings(max_examples=150, deadline=None)
def test_shown_ratio_compares_with_its_limit_as_the_exact_one(
    numerator: int, more: int, percent: Any
) -> None:
    denominator = numerator + more + 1
    threshold = parse_threshold("npu_mac_ratio", f">= {percent:f}%")
    result = evaluate(threshold, report_with(npu_mac_ratio=ratio(numerator, denominator)))
    match = re.match(
        r"npu_mac_ratio ([\d.]+)% \(\d+/\d+ MACs\), required ≥ ([\d.]+)%$", result.message
    )
    assert match
    shown, limit = Fraction(match[1]), Fraction(match[2])
    exact = Fraction(numerator, denominator) * 100
    assert limit == Fraction(percent)
    assert (shown < limit, shown == limit) == (exact < limit, exact == limit)
    assert result.passed == (shown >= limit)


@given(value=st.integers(0, 10**13), distance=st.integers(-2000, 2000))
@settings(max_examples=150, deadline=None)
def test_shown_bytes_compare_with_their_limit_as_the_exact_ones(value: int, distance: int) -> None:
    threshold = parse_threshold("boundary_bytes", f"<= {max(value + distance, 0)}")
    result = evaluate(threshold, report_with(boundary_bytes=MetricValue(value, "bytes")))
    match = re.fullmatch(r"boundary_bytes (.*), required ≤ (.*)", result.message)
    assert match
    shown, limit = (
        parse_threshold("boundary_bytes", text).bounds[0].limit for text in match.groups()
    )
    assert limit == max(value + distance, 0)
    assert (shown > limit, shown == limit) == (value > limit, value == limit)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("text", ["most", "least"])
def test_model_that_could_not_be_analyzed_never_passes(metric: str, text: str) -> None:
    unit = METRICS[metric].unit
    everything = Bound(">=", Fraction(0)) if text == "most" else Bound("<=", Fraction(100))
    threshold = Threshold(metric, (everything,))
    values = {
        metric: ratio(1, 1) if unit == "ratio" else MetricValue(0, unit),
    }
    report = report_with(ErrorInfo("corrupt", "cannot be parsed", "export it again"), **values)
    result = evaluate(threshold, report)
    assert result.status == "not_analyzable"
    assert not result.passed
    assert result.actual is None
    assert result.message == f"{metric} not judged: corrupt: cannot be parsed"


def test_unanalyzed_report_without_a_reason_does_not_pass() -> None:
    report = Report(
        tool=ToolInfo("1", "2", "3", "4"),
        model=ModelInfo("m", "m.onnx"),
        target=TargetInfo("t", "v"),
        status="not_analyzable",
        metrics={"qdq_pairs": MetricValue(0, "count")},
    )
    result = evaluate(parse_threshold("qdq_pairs", 0), report)
    assert not result.passed
    assert "no reason was recorded" in result.message


@pytest.mark.parametrize("metric", METRICS)
def test_missing_metric_never_passes(metric: str) -> None:
    result = evaluate(Threshold(metric, (Bound(">=", Fraction(0)),)), report_with())
    assert result.status == "not_analyzable"
    assert not result.passed
    assert result.message.startswith(f"{metric} not judged: ")


def test_message_of_an_analysis_error_is_one_harmless_line() -> None:
    error = ErrorInfo("corrupt", "node \x1b[31m\n\x07" + "n" * 10_000, "")
    result = evaluate(parse_threshold("qdq_pairs", 0), report_with(error))
    assert result.message.isprintable()
    assert len(result.message) <= 500


ESTIMATED = [name for name, metric in METRICS.items() if metric.estimated]


@pytest.mark.parametrize(
    ("metric", "raw", "shown"),
    [
        ("estimated_latency", "<= 50 ms", "≤ 50 ms"),
        ("estimated_latency", "<= 0.05 s", "≤ 50 ms"),
        ("estimated_latency", "< 500 us", "< 0.5 ms"),
        ("estimated_latency", "< 500µs", "< 0.5 ms"),
        ("estimated_latency", {"max": "50 ms"}, "≤ 50 ms"),
        ("estimated_speedup", ">= 4x", "≥ 4×"),
        ("estimated_energy_ratio", ">= 1.5 ×", "≥ 1.5×"),
        ("estimated_dram_bytes", "<= 20 MB", "≤ 20 MB"),
        ("estimated_dram_bytes", {"max": 2000}, "≤ 2 kB"),
    ],
    ids=str,
)
def test_thresholds_on_estimates(metric: str, raw: Any, shown: str) -> None:
    assert parse_threshold(metric, raw).show() == shown


@pytest.mark.parametrize(
    ("metric", "raw", "message", "hint"),
    [
        ("estimated_latency", 50, "50 says too little", '"<= 50 ms"'),
        ("estimated_latency", "<= 50", "has no unit", '"<= 50 ms"'),
        ("estimated_latency", "50 ms", "more or less", '"<= 50 ms"'),
        ("estimated_latency", "<= 50 MB", "'MB' is no unit", "'ms', 's', 'us'"),
        ("estimated_speedup", ">= 400%", "'%' is no unit", "'x'"),
        ("estimated_speedup", "4x", "more or less", '">= 4x"'),
        ("estimated_speedup", {"min": 4}, "4 says too little", "4x"),
        ("estimated_dram_bytes", 100, "100 says too little", '"<= 2 MB"'),
    ],
    ids=str,
)
def test_threshold_on_an_estimate_says_all(metric: str, raw: Any, message: str, hint: str) -> None:
    error = error_of(metric, raw)
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(("limit", "status"), [("<= 2 ms", "passed"), ("< 2 ms", "failed")])
def test_nominal_value_is_judged_and_the_range_shown(limit: str, status: str) -> None:
    value = MetricValue(2.0, "ms", low=1.0, high=9.0)
    result = evaluate(
        parse_threshold("estimated_latency", limit), report_with(estimated_latency=value)
    )
    assert result.status == status
    assert "2.00 ms (an estimate: 1.00 ms to 9.00 ms), required" in result.message


@pytest.mark.parametrize(
    ("estimate", "why"),
    [
        (None, "without estimates"),
        (EstimateInfo(None, None), "nothing to estimate"),
        (EstimateInfo(None, None, not_estimable=("lstm",)), "the cost of lstm cannot be told"),
        (EstimateInfo(None, None, not_estimable=("a", "b", "c", "d")), "a, b, c and 1 more"),
    ],
    ids=["not asked for", "nothing", "unknown", "several"],
)
@pytest.mark.parametrize("metric", ESTIMATED)
def test_missing_estimate_is_not_judged(
    metric: str, estimate: EstimateInfo | None, why: str
) -> None:
    unit = METRICS[metric].unit
    limit = {"ms": "<= 1000 s", "x": "> 0x", "bytes": "<= 1 GB"}[unit]
    report = dataclasses.replace(report_with(), estimate=estimate)
    result = evaluate(parse_threshold(metric, limit), report)
    assert (result.status, result.passed) == ("not_analyzable", False)
    assert why in result.message
