"""What is blamed when the figures of one model file moved: settings of estimates above all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plain import op, report

from pytest_npu_compat.analysis.comparison import compare
from pytest_npu_compat.analysis.costs import Assumption, Range
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.baseline import baseline_text, parse_baseline


def estimated(platform: Platform, latency: float) -> Report:
    """A report with an estimate."""
    metrics = {"estimated_latency": MetricValue(latency, "ms")}
    return replace(report(op("a"), metrics=metrics), platform=platform.assumptions())


DEFAULT = estimated(Platform(), 1.0)


def stored(one: Report) -> Report:
    """As a baseline gives it back."""
    return parse_baseline(baseline_text({"a": one}).encode(), "b.json")["a"]


@pytest.mark.parametrize("base", [DEFAULT, stored(DEFAULT)], ids=["report", "baseline"])
@pytest.mark.parametrize(
    ("platform", "change"),
    [
        (Platform(clock=0.25e9), "clock 1.25 GHz -> 250 MHz"),
        (Platform(dram_bandwidth=2e9), "dram_bandwidth 12 GB/s -> 2 GB/s"),
        (Platform(stripe_overhead=0), "stripe_overhead 10000 cycles -> 0 cycles"),
        (Platform(weight_saving=0.5), "weight_saving 0 ratio -> 0.5 ratio"),
        (
            Platform(invocation=Range.exactly(7e-6)),
            "invocation 100 us (20 us to 500 us) -> 7 us",
        ),
        (
            Platform(cpu_clock=3e9, dram_energy=Range.exactly(0)),
            "cpu_clock 2 GHz -> 3 GHz, dram_energy 244 pJ/B (163 pJ/B to 325 pJ/B) -> 0 J/B",
        ),
    ],
    ids=str,
)
def test_platform_of_the_gate_file_is_not_blamed_on_the_tool(
    base: Report, platform: Platform, change: str
) -> None:
    head = estimated(platform, 5.0)
    for after in (head, stored(head)):
        assert compare(base, after).cause == f"the gate file changed: {change}"


def test_estimates_that_the_gate_file_asks_for_or_no_longer() -> None:
    plain = replace(DEFAULT, metrics={}, platform={})
    assert compare(plain, DEFAULT).cause == "the gate file changed: estimates none -> made"
    assert compare(DEFAULT, plain).cause == "the gate file changed: estimates made -> none"


def test_estimates_of_a_baseline_that_does_not_say_what_they_assumed() -> None:
    """Baselines of earlier versions: neither the tool nor the gate file can be blamed."""
    cause = compare(replace(DEFAULT, platform={}), estimated(Platform(), 2.0)).cause
    assert cause == (
        "what its accepted estimates assumed was not recorded: `platform:` of the gate file may "
        "have changed"
    )


def test_default_that_a_later_version_changed_is_a_change_of_the_tool() -> None:
    """A baseline keeps what a gate file overrides; what was a default then is one now."""
    text = baseline_text({"a": DEFAULT})
    assert '  "platform": {},\n' in text
    old = parse_baseline(text.replace('"version": "1.0"', '"version": "0.9"').encode(), "b.json")
    cause = compare(old["a"], estimated(Platform(), 2.0)).cause
    assert cause == "the tool changed: pytest-npu-compat 0.9 -> 1.0"


def test_baseline_names_what_a_gate_file_overrides_in_one_line() -> None:
    one = estimated(Platform(clock=0.25e9), 5.0)
    text = baseline_text({"a": one})
    (line,) = [line for line in text.splitlines() if "platform" in line]
    assert line == (
        '  "platform": {"clock": {"low": 250000000.0, "nominal": 250000000.0, '
        '"high": 250000000.0, "unit": "Hz"}},'
    )
    assert baseline_text({"a": stored(one)}) == text
    assert "platform" not in baseline_text({"a": report(op("a"))})


def test_constant_that_this_version_does_not_know_survives() -> None:
    later = {**DEFAULT.platform, "cache": Assumption(1, 2, 3, "MB", "a cache", "later")}
    text = baseline_text({"a": replace(DEFAULT, platform=later)})
    assert '"cache": {"low": 1, "nominal": 2, "high": 3, "unit": "MB"}' in text
    assert baseline_text(parse_baseline(text.encode(), "b.json")) == text
