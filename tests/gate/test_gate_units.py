"""Figures as they are shown: limits exactly, values with the digits that matter."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue
from pytest_npu_compat.gate.threshold import parse_threshold
from pytest_npu_compat.gate.units import UNIT_SCALES, format_limit, format_value


def test_every_metric_has_a_unit_that_can_be_written() -> None:
    assert {metric.unit for metric in METRICS.values()} <= set(UNIT_SCALES)


@pytest.mark.parametrize(
    ("limit", "unit", "shown"),
    [
        (Fraction(24, 25), "ratio", "96%"),
        (Fraction(1), "ratio", "100%"),
        (Fraction(0), "ratio", "0%"),
        (Fraction(9995, 10000), "ratio", "99.95%"),
        (Fraction(9_999_999, 10_000_000), "ratio", "99.99999%"),
        (Fraction(1, 3), "ratio", "33.3333%"),
        (Fraction(0), "count", "0"),
        (Fraction(12_345_678), "count", "12345678"),
        (Fraction(0), "bytes", "0 B"),
        (Fraction(999), "bytes", "999 B"),
        (Fraction(2_000_000), "bytes", "2 MB"),
        (Fraction(1_500), "bytes", "1.5 kB"),
        (Fraction(2**20), "bytes", "1 MiB"),
        (Fraction(3 * 2**29), "bytes", "1.5 GiB"),
        (Fraction(2_000_100), "bytes", "2.0001 MB"),
        (Fraction(1_234_567), "bytes", "1234567 B"),
        (Fraction(50), "ms", "50 ms"),
        (Fraction(1, 4), "ms", "0.25 ms"),
        (Fraction(7, 2), "x", "3.5×"),
    ],
    ids=str,
)
def test_limit_as_the_user_would_write_it(limit: Fraction, unit: str, shown: str) -> None:
    assert format_limit(limit, unit) == shown


@given(limit=st.integers(0, 2**62))
@settings(max_examples=150, deadline=None)
def test_shown_limit_in_bytes_is_read_back_unchanged(limit: int) -> None:
    text = format_limit(Fraction(limit), "bytes")
    assert parse_threshold("boundary_bytes", f"<= {text}").bounds[0].limit == limit


@given(percent=st.decimals("1e-9", 100, places=9, allow_nan=False).map(Fraction))
@settings(max_examples=150, deadline=None)
def test_shown_ratio_limit_is_read_back_unchanged(percent: Fraction) -> None:
    text = format_limit(percent / 100, "ratio")
    assert parse_threshold("npu_ratio", f">= {text}").bounds[0].limit == percent / 100


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (MetricValue(55 / 60, "ratio", 55, 60), "91.7% (55/60 things)"),
        (MetricValue(1.0, "ratio", 60, 60), "100.0% (60/60 things)"),
        (MetricValue(0.0, "ratio", 0, 60), "0.0% (0/60 things)"),
        (MetricValue(3, "count"), "3"),
        (MetricValue(3.0, "count"), "3"),
        (MetricValue(999_999, "count"), "999999"),
        (MetricValue(123_456_789, "count"), "123456789"),
        (MetricValue(0, "bytes"), "0 B"),
        (MetricValue(999, "bytes"), "999 B"),
        (MetricValue(1_048_576, "bytes"), "1.049 MB"),
        (MetricValue(2_000_000, "bytes"), "2 MB"),
        (MetricValue(31_250, "bytes"), "31.25 kB"),
        (MetricValue(123_456_789_000, "bytes"), "123.5 GB"),
        (MetricValue(12.3456, "ms"), "12.3 ms"),
        (MetricValue(1234.5, "ms"), "1234 ms"),
        (MetricValue(0.00001234, "ms"), "0.00001 ms"),
        (MetricValue(0, "ms"), "0.000 ms"),
        (MetricValue(2.5, "x", low=1.25, high=10.0), "2.50× (an estimate: 1.25× to 10.0×)"),
        (MetricValue(1e6, "bytes", low=1e3, high=2e6), "1 MB (an estimate: 1 kB to 2 MB)"),
    ],
    ids=str,
)
def test_value(value: MetricValue, shown: str) -> None:
    assert format_value(value, of="things") == shown


def test_ratio_without_the_name_of_what_it_counts() -> None:
    assert format_value(MetricValue(0.5, "ratio", 1, 2)) == "50.0% (1/2)"


@pytest.mark.parametrize(
    ("numerator", "denominator", "shown"),
    [
        (9999, 10_000, "99.99%"),
        (1, 10_000, "0.01%"),
        (4_999_999_999, 5_000_000_000, "99.99999998%"),
    ],
)
def test_almost_all_is_not_all_and_almost_none_is_not_none(
    numerator: int, denominator: int, shown: str
) -> None:
    value = MetricValue(numerator / denominator, "ratio", numerator, denominator)
    assert format_value(value).split(" ")[0] == shown


@pytest.mark.parametrize(
    ("near", "shown"),
    [
        ([], "95.9%"),
        ([Fraction(96, 100)], "95.9%"),
        ([Fraction(959, 1000)], "95.94%"),
        ([Fraction(9594, 10_000)], "95.94%"),
        ([Fraction(95935, 100_000)], "95.94%"),
    ],
    ids=["none", "far", "rounds to it", "equal", "between"],
)
def test_value_stands_on_its_side_of_a_limit(near: list[Fraction], shown: str) -> None:
    value = MetricValue(0.9594, "ratio", 9594, 10_000)
    assert format_value(value, near=near).split(" ")[0] == shown


@pytest.mark.parametrize(("near", "shown"), [([], "50.0 ms"), ([50], "50.01 ms")])
def test_time_stands_on_its_side_of_a_limit(near: list[int], shown: str) -> None:
    assert format_value(MetricValue(50.007, "ms"), [Fraction(n) for n in near]) == shown
