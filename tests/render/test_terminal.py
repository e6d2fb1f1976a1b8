"""The summary table: one line for each model, within the terminal's width."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.report import (
    ErrorInfo,
    MetricValue,
    ModelInfo,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.render.terminal import report_row, table


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


def test_table() -> None:
    rows = [
        {"model": "first[t]", "NPU ratio": "91.7% (55/60)", "MAC": "99.0%", "verdict": "2 failed"},
        {"model": "b[t]", "verdict": "corrupt"},
    ]
    assert list(table(rows)) == [
        "model     NPU ratio      MAC    verdict",
        "first[t]  91.7% (55/60)  99.0%  2 failed",
        "b[t]      -              -      corrupt",
    ]


def row_of(name: str, **cells: str) -> dict[str, Any]:
    return {
        "model": name,
        "NPU ratio": "91.7% (550/600)",
        "MAC": "99.0%",
        "parts": "12",
        "Q/DQ": "100",
        "verdict": "3 failed",
        **cells,
    }


@pytest.mark.parametrize("length", [1, 32, 33, 34, 79, 80, 81, 1000, 10_000])
def test_table_fits_the_terminal_with_a_name_of_any_length(length: int) -> None:
    name = ("a" * length)[:-1] + "z"
    header, first, second = table([row_of(name), row_of("short")])
    assert all(len(line) <= 80 for line in (header, first, second))
    assert first.index("91.7%") == second.index("91.7%") == header.index("NPU ratio")
    shown = first.split(" ")[0]
    assert shown == name if length <= 33 else ("…" in shown and shown.endswith("z"))


@given(
    names=st.lists(st.text(st.characters(categories=["L", "N", "P"]), min_size=1), min_size=1),
    width=st.integers(72, 200),
)
@settings(max_examples=150, deadline=None)
def test_table_fits_any_usual_terminal(names: list[str], width: int) -> None:
    lines = list(table([row_of(name * 9) for name in names], width))
    assert len(lines) == len(names) + 1
    assert all(len(line) <= width for line in lines)


def test_narrow_terminal_keeps_the_name_readable() -> None:
    _, line = table([row_of("n" * 50)], 20)
    assert line.startswith("nnnnnn…nnnnn  91.7%")


def test_models_with_similar_names_stay_distinct_at_both_ends() -> None:
    prefix, suffix = "x" * 60, "y" * 60
    _, *lines = table([row_of(f"a{prefix}"), row_of(f"b{prefix}"), row_of(f"{suffix}c[t]")])
    assert [line[0] for line in lines] == ["a", "b", "y"]
    assert "c[t]  " in lines[2]
