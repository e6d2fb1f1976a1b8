"""Rows of the summary: what a report says, and what its checks say."""

from __future__ import annotations

import runs

from pytest_npu_compat.analysis.report import (
    ErrorInfo,
    MetricValue,
    ModelInfo,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.terminal import report_row, run_lines, run_rows


def report_with(error: ErrorInfo | None = None, **metrics: MetricValue) -> Report:
    return Report(
        tool=ToolInfo("1", "2", "3", "4"),
        model=ModelInfo("m", "m.onnx"),
        target=TargetInfo("ethos-n78", "4tops-4ple"),
        status="not_analyzable" if error else "analyzed",
        error=error,
        metrics=metrics,
    )


def test_row_of_an_analyzed_model() -> None:
    report = report_with(
        npu_ratio=MetricValue(55 / 60, "ratio", 55, 60),
        npu_mac_ratio=MetricValue(0.99, "ratio", 99, 100),
        npu_partitions=MetricValue(3, "count"),
        qdq_pairs=MetricValue(0, "count"),
    )
    assert report_row("m[t]", report) == {
        "model": "m[t]",
        "NPU ratio": "91.7% (55/60)",
        "MAC": "99.0%",
        "parts": "3",
        "Q/DQ": "0",
        "verdict": "",
    }


def test_almost_all_is_not_shown_as_all() -> None:
    report = report_with(npu_mac_ratio=MetricValue(0.99999, "ratio", 99_999, 100_000))
    assert report_row("m", report)["MAC"] == "99.999%"


def test_missing_metric_is_a_dash() -> None:
    row = report_row("m", report_with(npu_ratio=MetricValue(1.0, "ratio", 2, 2)))
    assert (row["NPU ratio"], row["MAC"], row["parts"]) == ("100.0% (2/2)", "-", "-")


def test_row_of_a_model_that_could_not_be_analyzed() -> None:
    row = report_row("m[t]", report_with(ErrorInfo("corrupt", "message", "hint")))
    assert row == {"model": "m[t]", "verdict": "corrupt"}


def test_verdict_names_the_checks_that_are_not_green() -> None:
    detector, keyword, pointer = run_rows(runs.all_kinds())
    assert (detector["model"], detector["target"]) == ("detector", "ethos-n78")
    assert detector["verdict"] == "failed"
    assert detector["checks"] == "1 failed: npu_ratio; 1 waived: qdq_pairs"
    assert (keyword["verdict"], keyword["checks"]) == ("warned", "1 warned: qdq_pairs")
    assert pointer["verdict"] == "lfs-pointer"
    assert "checks" not in pointer, "the code of the error says it"


def test_verdict_of_green_and_of_switched_off_checks() -> None:
    rows = run_rows(GateRun((runs.outcome("a", status="passed"), runs.outcome("b", status="off"))))
    assert [(row["verdict"], row["checks"]) for row in rows] == [("passed", ""), ("off", "")]


def test_red_model_and_green_model_do_not_look_alike_at_80_columns() -> None:
    names = ("mobilenet_v2_int8", "mobilenet_v3_int8")
    outcomes = [
        runs.outcome(name, metric, status)
        for name, ratio in zip(names, ("failed", "passed"), strict=True)
        for metric, status in (("npu_ratio", ratio), ("qdq_pairs", "warned"), ("hazards", "warned"))
    ]
    run = GateRun(tuple(outcomes), {o.key: runs.report(o.model) for o in outcomes})
    lines = list(run_lines(run, 80))
    start = next(i for i, line in enumerate(lines) if line.startswith("model on ethos-n78"))
    assert lines[start : start + 5] == [
        "model on ethos-n78  NPU ratio    MAC     parts  Q/DQ  verdict",
        "mobilenet_v2_int8   75.0% (3/4)  100.0%  2      1     failed",
        "  1 failed: npu_ratio; 2 warned: qdq_pairs, hazards",
        "mobilenet_v3_int8   75.0% (3/4)  100.0%  2      1     warned",
        "  2 warned: qdq_pairs, hazards",
    ]


def test_models_of_one_name_are_told_apart_by_their_gate_file() -> None:
    outcomes = tuple(runs.outcome("m", gate_file=f"{place}/npu-compat.yaml") for place in "ab")
    run = GateRun(outcomes, {o.key: runs.report("m") for o in outcomes})
    text = "\n".join(run_lines(run, 120))
    assert "\na/npu-compat.yaml::m  75.0%" in text
    assert "\nb/npu-compat.yaml::m  75.0%" in text
