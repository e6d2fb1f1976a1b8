"""The record of a run: it survives JSON, and the records of shards make one, in whatever order."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import ERROR, any_report, op, report

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.outcome import (
    GateRun,
    Note,
    Outcome,
    Status,
    in_note_order,
    in_order,
    merge,
)


def outcome(status: Status = "passed", **fields: Any) -> Outcome:
    values: dict[str, Any] = {
        "gate_file": "npu-compat.yaml",
        "line": 3,
        "model": "net",
        "target": "ethos-n78",
        "metric": "npu_ratio",
        "message": "npu_ratio 50%",
        "text": "npu_ratio 50%\n\nbecause",
        "limit": "≥ 96%",
        **fields,
    }
    return Outcome(status=status, **values)


OUTCOMES = st.builds(
    outcome,
    status=st.sampled_from(get_args(Status)),
    gate_file=st.sampled_from(["a.yaml", "b.yaml"]),
    metric=st.sampled_from(["npu_ratio", "qdq_pairs"]),
    message=st.sampled_from(["one", "two"]),
    actual=st.none() | st.just("50%"),
    value=st.none() | st.just(0.5),
    gain=st.none() | st.floats(-1, 1),
    regressions=st.lists(st.text(max_size=3), max_size=2).map(tuple),
)
NOTES = st.builds(
    Note,
    st.sampled_from(["unused-waiver", "stale"]),
    st.sampled_from(["note", "error"]),
    st.text(max_size=3),
    st.sampled_from(["", "a.yaml"]),
    st.integers(0, 3),
)


@st.composite
def runs(draw: st.DrawFn) -> GateRun:
    outcomes = draw(st.lists(OUTCOMES, max_size=4, unique_by=lambda o: o.id))
    keys = sorted({o.key for o in outcomes})
    choice = st.sampled_from([*keys, "x::y[z]"])
    return GateRun(
        in_order(outcomes),
        dict(sorted(draw(st.dictionaries(choice, any_report(), max_size=2)).items())),
        dict(sorted(draw(st.dictionaries(choice, any_report(), max_size=2)).items())),
        in_note_order(draw(st.lists(NOTES, max_size=3))),
    )


@given(runs())
@settings(deadline=None, max_examples=30)
def test_any_run_survives_json(run: GateRun) -> None:
    text = json.dumps(run.to_dict())
    back = GateRun.from_dict(json.loads(text))
    assert back == run
    assert json.dumps(back.to_dict()) == text


@given(st.lists(runs(), max_size=3))
@settings(deadline=None, max_examples=30)
def test_order_of_shards_does_not_matter(shards: list[GateRun]) -> None:
    merged = [merge(order) for order in itertools.permutations(shards)]
    assert all(json.dumps(one.to_dict()) == json.dumps(merged[0].to_dict()) for one in merged)


@given(runs(), runs())
@settings(deadline=None, max_examples=30)
def test_merging_again_changes_nothing(one: GateRun, other: GateRun) -> None:
    assert merge([one]) == one
    assert merge([one, one]) == one
    both = merge([one, other])
    assert merge([both, one]) == both
    assert merge([merge([one]), merge([other])]) == both


@given(runs(), runs())
@settings(deadline=None, max_examples=30)
def test_merged_run_passes_only_if_no_shard_is_red(one: GateRun, other: GateRun) -> None:
    both = merge([one, other])
    red = any(
        any(o.red for o in run.outcomes) or any(n.level == "error" for n in run.notes)
        for run in (one, other)
    )
    assert both.passed == (bool(both.outcomes) and not red)


def test_name_of_a_part_is_kept_and_is_not_that_of_the_whole() -> None:
    part = GateRun((outcome(),), shard="3/14")
    assert part.to_dict()["shard"] == "3/14"
    assert GateRun.from_dict(part.to_dict()) == part
    assert "shard" not in merge([part]).to_dict()
    assert "shard" not in GateRun().to_dict()


def test_file_that_another_part_judged_was_collected() -> None:
    def left_out(file: str) -> Note:
        return Note("not-collected", "error", f"{file} lies here", file)

    here, nowhere = left_out("npu-compat.yaml"), left_out("a.npu.yaml")
    other = Note("else", "note", "npu-compat.yaml lies here", "npu-compat.yaml")
    part = GateRun(notes=(here, nowhere, other))
    assert merge([part, GateRun((outcome(),))]).notes == (nowhere, other)
    assert merge([part]).notes == in_note_order([here, nowhere, other])


def test_worst_verdict_of_a_check_wins() -> None:
    order: list[Status] = ["off", "passed", "warned", "waived", "failed", "not_analyzable"]
    for better, worse in itertools.pairwise(order):
        a, b = GateRun((outcome(better),)), GateRun((outcome(worse),))
        assert merge([a, b]).outcomes[0].status == worse


def test_report_of_a_merged_run_is_the_one_that_was_judged_worst() -> None:
    good, bad = report(op()), report(error=ERROR)
    key = outcome().key
    runs_ = [
        GateRun((outcome("passed"),), {key: good}),
        GateRun((outcome("not_analyzable"),), {key: bad}),
    ]
    for order in (runs_, runs_[::-1]):
        assert merge(order).reports == {key: bad}


def test_a_run_of_nothing_has_not_passed() -> None:
    assert not GateRun().passed
    assert not merge([]).passed
    assert GateRun((outcome(),)).passed
    assert not GateRun((outcome(),), notes=(Note("k", "error", "m"),)).passed
    assert GateRun((outcome(),), notes=(Note("k", "note", "m"),)).passed


@pytest.mark.parametrize(
    ("status", "red"),
    [
        ("passed", False),
        ("failed", True),
        ("waived", False),
        ("warned", False),
        ("off", False),
        ("not_analyzable", True),
    ],
)
def test_what_fails_the_build(status: Status, red: bool) -> None:
    assert outcome(status).red == red
    assert GateRun((outcome(status),)).passed != red


def test_ids_are_those_of_tests() -> None:
    one = outcome(metric="qdq_pairs")
    assert one.key == "npu-compat.yaml::net[ethos-n78]"
    assert one.id == "npu-compat.yaml::net[ethos-n78]::qdq_pairs"


def test_outcomes_are_in_the_order_of_the_metrics_table() -> None:
    shuffled = [outcome(metric=name) for name in sorted(METRICS)]
    assert [o.metric for o in in_order(shuffled)] == list(METRICS)


def test_notes_are_sorted_and_each_is_there_once() -> None:
    notes = [
        Note("b", "note", "x", "g", 2),
        Note("a", "note", "x", "g", 1),
        Note("z", "error", "e"),
    ]
    assert in_note_order([*notes, *notes]) == (notes[2], notes[1], notes[0])


RUN = GateRun((outcome("failed", regressions=("a: b",)),), {outcome().key: report(op())}).to_dict()


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"outcomes": []},
        {**RUN, "schema_version": "2.0"},
        {**RUN, "outcomes": [{}]},
        {**RUN, "outcomes": None},
        {**RUN, "outcomes": ["x"]},
        {**RUN, "reports": []},
        {**RUN, "reports": {"a": {}}},
        {key: v for key, v in RUN.items() if key != "notes"},
        {**RUN, "outcomes": [{**RUN["outcomes"][0], "status": "great"}]},
        {**RUN, "outcomes": [{**RUN["outcomes"][0], "line": "3"}]},
        {**RUN, "notes": [{"kind": "k", "level": "panic", "message": "m"}]},
        {**RUN, "shard": 3},
    ],
    ids=range(15),
)
def test_what_is_no_record_of_a_run(data: Any) -> None:
    with pytest.raises(ValueError, match=r"run|report"):
        GateRun.from_dict(data)


def test_record_of_a_later_minor_version_can_be_read() -> None:
    later = {**RUN, "schema_version": "1.9", "more": 1}
    later["outcomes"] = [{**RUN["outcomes"][0], "later": [1]}]
    assert GateRun.from_dict(later).to_dict()["outcomes"] == RUN["outcomes"]


def test_report_of_a_run_is_a_whole_report() -> None:
    found = GateRun.from_dict(RUN).reports[outcome().key]
    assert isinstance(found, Report)
    assert replace(found) == report(op())
