"""Estimates in words: always called estimates, the expensive first, every assumption named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from builder import Builder
from models import half_on_npu, save

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.costs import EstimateInfo
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.render.estimates import describe_estimates


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return analyze(save(half_on_npu(), tmp_path_factory.mktemp("models")), estimate=True)


def test_every_estimate_and_every_assumption_is_named(report: Report) -> None:
    text = describe_estimates(report)
    assert text.startswith("ESTIMATES, not measurements")
    for name, metric in METRICS.items():
        assert (name in text) == metric.estimated
    words = " ".join(text.split())
    for field in dataclasses.fields(Platform):
        assert f"{field.name} " in words
    assert "dram_bandwidth 12 GB/s" in words
    assert "invocation 100 us (20 us to 500 us)" in words
    assert all(len(line) <= 80 for line in text.splitlines())


def test_expensive_operators_come_first(report: Report) -> None:
    lines = describe_estimates(report).splitlines()
    table = [line.split() for line in lines if line.lstrip().startswith("conv_")]
    by_name = {o.name: o.estimate for o in report.operators}
    times = [by_name[row[0]].latency_us.nominal for row in table if len(row) > 1]  # type: ignore[union-attr]
    assert len(times) == 2
    assert times == sorted(times, reverse=True)
    assert {row[0]: row[2] for row in table if len(row) > 1} == {"conv_0": "NPU", "conv_1": "CPU"}


def test_cpu_island_has_its_cost(report: Report) -> None:
    text = describe_estimates(report)
    island = text.split("what each CPU island costs")[1].splitlines()
    assert "us, 1.024 kB to and from the NPU" in island[1]
    assert island[2].strip() == "conv_1"


def test_report_without_estimates_says_so(report: Report) -> None:
    assert describe_estimates(dataclasses.replace(report, estimate=None)) == (
        "No estimates were made."
    )


def test_operator_whose_cost_cannot_be_told_is_named(report: Report) -> None:
    info = EstimateInfo(None, None, not_estimable=("lstm_7",))
    text = describe_estimates(dataclasses.replace(report, estimate=info))
    assert text == "No estimates: the cost of lstm_7 cannot be told."


def test_lstm_in_a_file_gives_no_estimate(tmp_path: Path) -> None:
    b = Builder()
    x = b.op("Einsum", [b.input(1, 16, 8, 8)], "sum", equation="nchw->nch")
    b.output(x)
    path = tmp_path / "m.onnx"
    path.write_bytes(b.model().SerializeToString())
    report = analyze(path, estimate=True)
    assert report.error is None
    assert report.estimate is not None
    assert report.estimate.not_estimable == ("sum",)
    assert not any(metric.estimated for name, metric in METRICS.items() if name in report.metrics)
