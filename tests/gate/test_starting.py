"""The floor of today's values: they hold, and one operator less does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import op, ratio, report, value

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.evaluation import evaluate
from pytest_npu_compat.gate.starting import LeftOut, floor, gate_text
from pytest_npu_compat.gate.threshold import parse_threshold


@pytest.mark.parametrize(
    ("metric", "figure", "limit"),
    [
        ("npu_ratio", ratio(4, 4), ">= 100%"),
        ("npu_ratio", ratio(152, 156), ">= 97%"),
        ("npu_ratio", ratio(155, 156), ">= 99%"),
        ("npu_ratio", ratio(983, 1000), ">= 98.3%"),
        ("npu_mac_ratio", ratio(999_999, 1_000_000), ">= 99.99%"),
        ("npu_ratio", ratio(0, 7), ""),
        ("qdq_pairs", value("qdq_pairs", 0), "0"),
        ("qdq_pairs", value("qdq_pairs", 3), "<= 3"),
        ("npu_operators", value("npu_operators", 0), ""),
        ("boundary_bytes", value("boundary_bytes", 10**9), "<= 1000000000"),
    ],
    ids=str,
)
def test_floor(metric: str, figure: MetricValue, limit: str) -> None:
    assert floor(figure, METRICS[metric].better) == limit


def holds(metric: str, limit: str, figure: MetricValue) -> bool:
    return evaluate(parse_threshold(metric, limit), report(metrics={metric: figure})).passed


@given(st.integers(1, 3000).flatmap(lambda d: st.tuples(st.integers(0, d), st.just(d))))
@settings(deadline=None)
def test_a_ratio_keeps_its_floor_and_one_operator_less_does_not(parts: tuple[int, int]) -> None:
    on, of = parts
    limit = floor(ratio(on, of), "up")
    assert bool(limit) is bool(on)  # nothing is worse than nothing
    if on:
        assert holds("npu_ratio", limit, ratio(on, of))
        assert not holds("npu_ratio", limit, ratio(on - 1, of))


@given(st.integers(0, 10**7), st.sampled_from(["qdq_pairs", "npu_partitions", "npu_operators"]))
@settings(deadline=None)
def test_a_count_keeps_its_floor_and_one_worse_does_not(number: int, metric: str) -> None:
    better = METRICS[metric].better
    figure = value(metric, number)
    limit = floor(figure, better)
    if not number and better == "up":
        assert not limit  # nothing is worse than nothing
        return
    shape = int(limit) if limit == "0" else limit
    assert evaluate(parse_threshold(metric, shape), report(metrics={metric: figure})).passed
    worse = replace(figure, value=number + (1 if better == "down" else -1))
    if worse.value >= 0:
        assert not evaluate(parse_threshold(metric, shape), report(metrics={metric: worse})).passed


def model(path: str, figure: MetricValue) -> Report:
    one = report(op(), metrics={"npu_ratio": figure})
    return replace(one, model=replace(one.model, path=path))


def test_text() -> None:
    reports = [model("a.onnx", ratio(1, 2)), model("b c.onnx", ratio(2, 2))]
    left_out = [LeftOut("bad\x1b.onnx", "lfs-pointer: a\nb", "Run `git lfs pull`.")]
    text = gate_text(reports, left_out, "target: ethos-n78", "s.json")
    assert text.startswith("# yaml-language-server: $schema=s.json\n")
    assert text.endswith(
        """\
models:
  - path: a.onnx   # 50.0% (1/2 operators) on the NPU
    thresholds:
      npu_ratio: ">= 50%"
  - path: "b c.onnx"   # 100.0% (2/2 operators) on the NPU
    thresholds:
      npu_ratio: ">= 100%"

# Left out, because they cannot be analyzed:
#  - "bad\\u001b.onnx"   # lfs-pointer: a b
#    Run `git lfs pull`.
"""
    )


def test_ratio_that_cannot_get_worse_has_no_floor() -> None:
    reports = [model("a.onnx", ratio(0, 2)), model("b.onnx", ratio(1, 2))]
    text = gate_text(reports, [], "target: ethos-n78", "s.json")
    assert "- path: a.onnx   # 0.0% (0/2 operators) on the NPU\n  - path: b.onnx" in text
    assert text.count("npu_ratio:") == 1


def test_limits_that_all_share_stand_once() -> None:
    text = gate_text(
        [model("a.onnx", ratio(1, 2))] * 1, [], 'target: "ethos-n78:1tops-2ple"', "s.json"
    )
    assert 'target: "ethos-n78:1tops-2ple"' in text
    assert text.count("npu_ratio:") == 1
    assert 'thresholds:                  # hold for every model\n  npu_ratio: ">= 50%"' in text
