"""The summary table: readable and unambiguous within the terminal's width, whatever the names are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pytest_npu_compat.render.table import table


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
    names=st.lists(
        st.text(st.characters(categories=["L", "M", "N", "P", "So"]), min_size=1),
        min_size=1,
        unique=True,
    ),
    targets=st.lists(st.text(st.characters(categories=["L", "N"]), max_size=30), max_size=3),
    width=st.integers(72, 200),
)
@settings(max_examples=150, deadline=None)
def test_table_fits_any_usual_terminal(names: list[str], targets: list[str], width: int) -> None:
    if width < 80:
        targets = targets[:1]
    rows = [
        row_of(name * 9, target=targets[i % len(targets)] if targets else "")
        for i, name in enumerate(names)
    ]
    lines = list(table(rows, width))
    assert len(lines) >= len(names) + 1
    assert all(cell_len(line) <= width for line in lines)
    assert len(set(lines)) == len(lines), "no two models look alike"


def test_narrow_terminal_keeps_the_name_readable() -> None:
    _, line = table([row_of("n" * 50)], 20)
    assert line.startswith("nnnnnn…nnnnn  91.7%")


def test_models_with_similar_names_stay_distinct_at_both_ends() -> None:
    prefix, suffix = "x" * 60, "y" * 60
    _, *lines = table([row_of(f"a{prefix}"), row_of(f"b{prefix}"), row_of(f"{suffix}c[t]")])
    assert [line[0] for line in lines] == ["a", "b", "y"]
    assert "c[t]  " in lines[2]


def test_names_that_differ_in_the_middle_stand_whole_above_their_rows() -> None:
    names = [f"{'x' * 40}{version}{'y' * 40}" for version in ("v2", "v3")]
    _, *lines = table([row_of(names[0]), row_of("short"), row_of(names[1])])
    assert lines[:3] == [names[0][:80], names[0][80:], lines[2]]
    assert lines[2].split() == ["91.7%", "(550/600)", "99.0%", "12", "100", "3", "failed"]
    assert lines[3].startswith("short  ")
    assert lines[2].index("91.7%") == lines[3].index("91.7%")
    assert "".join(lines[4:6]) == names[1]


def test_only_target_is_told_once() -> None:
    rows = [row_of("a", target="ethos-n78"), row_of("b", target="ethos-n78")]
    head, *lines = table(rows)
    assert head.startswith("model on ethos-n78  NPU ratio")
    assert [line.split()[:2] for line in lines] == [["a", "91.7%"], ["b", "91.7%"]]


def test_several_targets_have_a_column() -> None:
    head, *lines = table([row_of("a", target="ethos-n78"), row_of("a", target="phone")])
    assert head.split()[:4] == ["model", "target", "NPU", "ratio"]
    assert [line.split()[:2] for line in lines] == [["a", "ethos-n78"], ["a", "phone"]]


def test_checks_stand_in_the_row_where_they_fit_and_below_where_they_do_not() -> None:
    rows = [
        row_of("a", verdict="failed", checks="1 failed: npu_ratio; 2 warned: hazards, qdq_pairs"),
        row_of("b", verdict="passed", checks=""),
    ]
    _, *wide = table(rows, 120)
    assert [line.partition("  100   ")[2] for line in wide] == [rows[0]["checks"], "passed"]
    _, *narrow = table(rows, 72)
    assert [narrow[0].split()[-1], narrow[1]] == ["failed", f"  {rows[0]['checks']}"]
    assert narrow[2].split()[-1] == "passed"
    assert len(narrow) == 3


def test_columns_stand_below_each_other_with_wide_and_combining_characters() -> None:
    names = ("검출기_모델", "ascii", "e\u0301e\u0301", "检测🚀", "검" * 40, "\U0001f680" * 40)
    head, *lines = table([row_of(name) for name in names])
    starts = {cell_len(line.partition("91.7%")[0]) for line in lines}
    assert starts == {head.index("NPU ratio")}
    assert all(cell_len(line) <= 80 for line in lines)


def test_cut_leaves_no_accent_on_the_ellipsis() -> None:
    for accents in range(1, 9):
        _, line = table([row_of("a" * 40 + "o" + "\u0301" * accents + "b" * 11)], 60)
        assert "…\u0301" not in line
