"""Baseline files: what is written can be read, in any checkout; what is damaged is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import ERROR, KERNEL, any_report, op, report

from pytest_npu_compat.analysis.comparison import compare
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import HazardInfo, Report
from pytest_npu_compat.gate import baseline
from pytest_npu_compat.gate.baseline import (
    BaselineError,
    baseline_text,
    parse_baseline,
    read_baseline,
    updated,
)
from pytest_npu_compat.gate.evaluation import evaluate
from pytest_npu_compat.gate.threshold import parse_threshold
from pytest_npu_compat.render.comparison import Difference, difference_lines
from pytest_npu_compat.render.text import explain_failure

HAZARD = HazardInfo("h", "It computes wrongly.", "3", "Do not.")
NET = report(
    op("conv_1", attributes={"kernel": "3x3"}, hazards=(HAZARD,)),
    op("ü", "Softmax", "cpu", output_shape=(1, None)),
    name="net",
    platform=Platform(clock=2e9).assumptions(),
)
ENTRIES = {"net[ethos-n78]": NET, "a b[ethos-n78]": report(op("x"), name="a b")}
TEXT = baseline_text(ENTRIES)


def parse(text: str | bytes) -> dict[str, Report]:
    return parse_baseline(text.encode() if isinstance(text, str) else text, "b.json")


def test_round_trip_keeps_what_is_compared() -> None:
    back = parse(TEXT)
    assert list(back) == sorted(ENTRIES)
    found = compare(back["net[ethos-n78]"], NET)
    assert found.unchanged
    assert found.renamed == found.tool_changes == found.setting_changes == ()
    old, new = back["net[ethos-n78]"].operators[1], NET.operators[1]
    assert (old.name, old.reasons[0].rule, old.reasons[0].actual) == (
        new.name,
        KERNEL.rule,
        KERNEL.actual,
    )


def test_what_was_read_is_written_as_the_same_bytes() -> None:
    assert baseline_text(parse(TEXT)) == TEXT


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), any_report(), max_size=3))
@settings(deadline=None, max_examples=50)
def test_any_entries_survive(entries: dict[str, Report]) -> None:
    text = baseline_text(entries)
    back = parse(text)
    assert baseline_text(back) == text
    assert baseline_text(dict(reversed(entries.items()))) == text
    assert all(compare(back[key], entry).unchanged for key, entry in entries.items())


def test_layout_is_made_for_diffs() -> None:
    lines = TEXT.splitlines()
    assert TEXT.endswith("}\n")
    assert [line for line in lines if line.startswith('"') and "[" in line] == [
        '"a b[ethos-n78]": {',
        '"net[ethos-n78]": {',
    ]
    assert sum('"name": "conv_1"' in line for line in lines) == 1
    assert sum('"npu_ratio": {' in line for line in lines) == 2
    assert [line for line in lines if "ü" in line], "names are not escaped"


def test_texts_that_change_with_the_tool_are_left_out() -> None:
    assert KERNEL.rule in TEXT
    for text in (KERNEL.message, KERNEL.remedy, HAZARD.message, HAZARD.remedy):
        assert text not in TEXT


def test_one_changed_operator_is_one_changed_line() -> None:
    other = replace(NET, operators=(replace(NET.operators[0], macs=99), NET.operators[1]))
    changed = baseline_text({**ENTRIES, "net[ethos-n78]": other}).splitlines()
    before = TEXT.splitlines()
    assert len(changed) == len(before)
    assert sum(a != b for a, b in zip(before, changed, strict=True)) == 1


LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n"
CONFLICT = TEXT.replace('"models"', '<<<<<<< HEAD\n"models"\n=======\n"models"\n>>>>>>> main\n', 1)
AT_THE_START = f"<<<<<<< HEAD\n{TEXT}=======\n{TEXT}>>>>>>> main\n"
NEWER = TEXT.replace('"version": 1', '"version": 2')


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (LFS, "b.json is a Git LFS pointer.", "git lfs pull"),
        (CONFLICT, "b.json has merge conflicts.", "--npu-update-baseline"),
        (AT_THE_START, "b.json has merge conflicts.", "--npu-update-baseline"),
        (NEWER, "b.json is a baseline of version 2, this tool reads 1.", "--npu-update-baseline"),
        (TEXT[: len(TEXT) // 2], "b.json is not JSON: ", "--npu-update-baseline"),
        ("", "b.json is not JSON: ", "--npu-update-baseline"),
        ("[" * 200_000, "b.json is not JSON: ", "--npu-update-baseline"),
        (b"\xff\xfe\x00", "b.json is not JSON: ", "--npu-update-baseline"),
        ("[]", "b.json is not a baseline.", "--npu-update-baseline"),
        ("{}", "b.json is not a baseline.", "--npu-update-baseline"),
        ('{"version": 1, "models": []}', "b.json is not a baseline.", "--npu-update-baseline"),
        ('{"version": true, "models": {}}', "of version True", "--npu-update-baseline"),
        ('{"models": {}}', "of version None", "--npu-update-baseline"),
        ('{"version": 1, "models": {"a": 1}}', "b.json is damaged: ", "--npu-update-baseline"),
        ('{"version": 1, "models": {"a": {}}}', "b.json is damaged: ", "--npu-update-baseline"),
        (TEXT.replace('"kind": "Conv"', '"kind": 3'), "damaged: ", "--npu-update-baseline"),
        (TEXT.replace('"macs": 8', '"macs": "8"'), "damaged: ", "--npu-update-baseline"),
        (TEXT.replace('"value": 0.5', '"value": NaN'), "damaged: ", "--npu-update-baseline"),
        (TEXT.replace('"value": 0.5', '"value": "0.5"'), "damaged: ", "--npu-update-baseline"),
        (TEXT.replace('"version": "1.0"', '"version": null'), "damaged: ", "--npu-update"),
        (TEXT.replace('"nominal": 2000000000.0', '"nominal": NaN'), "damaged: ", "--npu-update"),
        (TEXT.replace('"platform": {', '"platform": [], "x": {'), "damaged: ", "--npu-update"),
        (TEXT.replace('"conv_1"', '"\\ud800"'), "damaged: ", "--npu-update-baseline"),
    ],
    ids=lambda v: str(v)[:20],
)
def test_damaged_baseline(text: str | bytes, message: str, hint: str) -> None:
    with pytest.raises(BaselineError) as caught:
        parse(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.message.isprintable()


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"There is no baseline gone\.json"):
        read_baseline(tmp_path / "gone.json")
    with pytest.raises(BaselineError, match="cannot be read: Is a directory"):
        read_baseline(tmp_path)
    with pytest.raises(BaselineError, match="cannot be read"):
        read_baseline(tmp_path / ("x" * 300))


def test_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.json"
    path.write_text(TEXT, encoding="utf-8")
    assert read_baseline(path).keys() == ENTRIES.keys()
    monkeypatch.setattr(baseline, "MAX_BYTES", 10)
    with pytest.raises(BaselineError, match=r"b\.json is larger than"):
        read_baseline(path)


def test_later_minor_version_can_be_read() -> None:
    text = TEXT.replace('"kind": "Conv"', '"kind": "Conv", "later": [1]')
    assert compare(parse(text)["net[ethos-n78]"], NET).unchanged


def usable(data: bytes) -> None:
    """Either an error, or entries with which everything can be done that a run does."""
    try:
        entries = parse(data)
    except BaselineError as error:
        refused = error
        entries = {}
    else:
        refused = BaselineError("")
    assert refused.message.isprintable()
    baseline_text(updated(entries, {}, None)).encode()
    for entry in entries.values():
        found = compare(entry, NET)
        for metric in ("npu_ratio", "cpu_operators", "boundary_bytes"):
            limit = parse_threshold(metric, {"exactly": "1%" if "ratio" in metric else 77})
            explain_failure(evaluate(limit, NET, found)).encode()
        "".join(difference_lines(Difference("a", "b", {"m": entry}, {"m": NET}))).encode()


@given(st.binary(max_size=100))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    usable(data)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**500), 10**500)
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["npu", "cpu", "ratio", "\ud800", "1.1"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


def places(value: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a tree of JSON."""
    found = [where]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found += places(inner, (*where, key))
    return found


PLACES = places(json.loads(TEXT))[1:]


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES | st.just(...)), min_size=1, max_size=2))
@settings(deadline=None, max_examples=150)
def test_any_change_of_a_value(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    content = json.loads(TEXT)
    for where, new in changes:
        inner = content
        try:
            for key in where[:-1]:
                inner = inner[key]
            if new is ...:
                del inner[where[-1]]
            else:
                inner[where[-1]] = new
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took it away
    usable(json.dumps(content).encode())


@given(
    st.integers(0, len(TEXT)),
    st.integers(0, 30),
    st.sampled_from(["", "{", '"', "9", "null", "\0"]),
)
@settings(deadline=None, max_examples=60)
def test_any_change_of_the_text(start: int, length: int, new: str) -> None:
    usable((TEXT[:start] + new + TEXT[start + length :]).encode())


A, B, C = (report(op(name), name=name) for name in "abc")
BROKEN = report(name="a", error=ERROR)


@pytest.mark.parametrize(
    ("old", "judged", "known", "new"),
    [
        ({}, {"a": A}, ["a"], {"a": A}),
        ({"a": B}, {"a": A}, ["a"], {"a": A}),
        ({"a": A, "b": B}, {"a": C}, None, {"a": C, "b": B}),
        ({"a": A, "b": B}, {"a": C}, ["a"], {"a": C}),
        ({"a": A}, {"a": BROKEN}, ["a"], {"a": A}),
        ({}, {"a": BROKEN}, ["a"], {}),
        ({"a": A}, {}, None, {"a": A}),
    ],
    ids=["first", "new", "part", "vanished", "broken", "broken and new", "nothing"],
)
def test_updated(
    old: dict[str, Report],
    judged: dict[str, Report],
    known: list[str] | None,
    new: dict[str, Report],
) -> None:
    assert updated(old, judged, known) == new
    assert updated(old, judged, iter(known) if known is not None else None) == new
