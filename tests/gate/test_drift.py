"""Drift: by how much a metric may be worse than the baseline, and in which unit that is written."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.threshold import (
    DRIFT_KEYS,
    Drift,
    Threshold,
    ThresholdError,
    parse_threshold,
)


@pytest.mark.parametrize(
    ("metric", "raw", "limit", "shown"),
    [
        ("npu_ratio", {"max_drop": "0.5pp"}, Fraction(1, 200), "at most 0.5pp below the baseline"),
        ("npu_ratio", {"max_drop": "0pp"}, Fraction(0), "at most 0pp below the baseline"),
        (
            "npu_mac_ratio",
            {"max_drop": " 2 pp "},
            Fraction(1, 50),
            "at most 2pp below the baseline",
        ),
        ("npu_operators", {"max_drop": 2}, Fraction(2), "at most 2 below the baseline"),
        ("npu_operators", {"max_drop": "2"}, Fraction(2), "at most 2 below the baseline"),
        ("qdq_pairs", {"max_rise": 0}, Fraction(0), "at most 0 above the baseline"),
        ("qdq_pairs", {"max_rise": 1.0}, Fraction(1), "at most 1 above the baseline"),
        ("boundary_bytes", {"max_rise": "1 kB"}, Fraction(1000), "at most 1 kB above the baseline"),
        ("boundary_bytes", {"max_rise": 1024}, Fraction(1024), "at most 1 KiB above the baseline"),
    ],
    ids=str,
)
def test_drift_is_read_in_its_unit(
    metric: str, raw: dict[str, Any], limit: Fraction, shown: str
) -> None:
    threshold = parse_threshold(metric, raw)
    assert threshold == Threshold(metric, (), drift=Drift(limit, METRICS[metric].better))
    assert threshold.show() == shown


def test_drift_stands_beside_bounds_and_severity() -> None:
    threshold = parse_threshold(
        "npu_ratio", {"min": "96%", "max_drop": "0.5pp", "severity": "warn"}
    )
    assert threshold.severity == "warn"
    assert threshold.show() == "≥ 96% and at most 0.5pp below the baseline"
    kinds = parse_threshold("cpu_operators", {"allow": ["Softmax"], "max_rise": 1})
    assert kinds.show() == "only Softmax and at most 1 above the baseline"


NO_DRIFT = [-1, "-1", "", "pp", ">= 1", "<= 0.5pp", "one", True, None, [1], float("nan"), 10**99]


@pytest.mark.parametrize("raw", [*NO_DRIFT, "-0.5pp", 0, 0.5, 1], ids=repr)
def test_what_is_no_drop_of_a_ratio(raw: Any) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold("npu_ratio", {"max_drop": raw})
    assert "is no max_drop of npu_ratio" in caught.value.message
    assert caught.value.hint == "Write, say, max_drop: 0.5pp."


@pytest.mark.parametrize(("metric", "example"), [("qdq_pairs", "2"), ("boundary_bytes", "10 kB")])
@pytest.mark.parametrize("raw", NO_DRIFT, ids=repr)
def test_what_is_no_rise(metric: str, example: str, raw: Any) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(metric, {"max_rise": raw})
    assert f"is no max_rise of {metric}" in caught.value.message
    assert caught.value.hint == f"Write, say, max_rise: {example}."


@pytest.mark.parametrize("metric", METRICS)
def test_drift_in_the_better_direction_is_refused(metric: str) -> None:
    right = DRIFT_KEYS[METRICS[metric].better]
    wrong = next(key for key in DRIFT_KEYS.values() if key != right)
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(metric, {wrong: 1})
    assert caught.value.message == (
        f"{metric} gets worse in the other direction than {wrong} says."
    )
    assert caught.value.hint == f"Write {right}."


@pytest.mark.parametrize("raw", ["0.5%", "0.5", "0.5 kB"])
def test_ratio_drops_by_percentage_points(raw: str) -> None:
    with pytest.raises(ThresholdError) as caught:
        parse_threshold("npu_ratio", {"max_drop": raw})
    assert "percentage points" in caught.value.message
    assert caught.value.hint == "Write max_drop: 0.5pp."


@pytest.mark.parametrize(
    ("metric", "raw", "message"),
    [
        ("npu_ratio", "101pp", "A ratio changes by at most 100pp"),
        ("qdq_pairs", "2pp", "'pp' is no unit of qdq_pairs"),
        ("qdq_pairs", "2%", "'%' is no unit of qdq_pairs"),
        ("qdq_pairs", 1.5, "whole number"),
        ("boundary_bytes", "1 mb", "'mb' is no unit of boundary_bytes"),
        ("boundary_bytes", "1.5 B", "whole number"),
    ],
)
def test_drift_that_cannot_be(metric: str, raw: Any, message: str) -> None:
    key = DRIFT_KEYS[METRICS[metric].better]
    with pytest.raises(ThresholdError) as caught:
        parse_threshold(metric, {key: raw})
    assert message in caught.value.message


@given(
    raw=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.lists(st.integers(), max_size=2)
    | st.from_regex(r"\A[+-]?[0-9.]{1,5} ?(pp|%|kB|MiB)?\Z"),
    metric=st.sampled_from(list(METRICS)),
)
@settings(deadline=None, max_examples=200)
def test_any_drift_is_read_or_refused(raw: Any, metric: str) -> None:
    key = DRIFT_KEYS[METRICS[metric].better]
    try:
        drift = parse_threshold(metric, {key: raw}).drift
    except ThresholdError:
        return
    assert drift is not None
    assert drift.limit >= 0
    assert METRICS[metric].unit != "ratio" or drift.limit <= 1
