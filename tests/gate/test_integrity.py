"""Integrity: what a green run could hide is said, and nothing is said of what was not judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from plain import op, report

from pytest_npu_compat.gate.baseline import baseline_text
from pytest_npu_compat.gate.integrity import notes, nothing_judged, vanished
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.gate.outcome import Note, Outcome, Status

GATE = """\
version: 1
baseline: b.json
thresholds: {npu_ratio: ">= 96%", qdq_pairs: 0}
models:
  - a.onnx
  - path: b.onnx
    waivers:
      - {check: qdq_pairs, until: 2999-01-31, reason: later}
"""
ALL = ("a[ethos-n78]", "b[ethos-n78]")


def outcome(model: str, metric: str, status: Status, **fields: Any) -> Outcome:
    return Outcome(
        "g.yaml", 3, model, "ethos-n78", metric, status, "message", "text", "≥ 96%", **fields
    )


def judged(status: Status = "passed", **others: Status | Outcome | None) -> dict[str, Outcome]:
    """All four checks with one status, but some: ``a_npu_ratio="failed"``, or None for not judged."""
    found = {}
    for model in "ab":
        for metric in ("npu_ratio", "qdq_pairs"):
            given = others.get(f"{model}_{metric}", status)
            if given is not None:
                one = given if isinstance(given, Outcome) else outcome(model, metric, given)
                found[f"{model}[ethos-n78]::{metric}"] = one
    return found


def said(
    tmp_path: Path,
    outcomes: dict[str, Outcome],
    accepted: tuple[str, ...] = ALL,
    gate: str = GATE,
    **options: Any,
) -> list[Note]:
    (tmp_path / "b.json").write_text(
        baseline_text({key: report(op()) for key in accepted}), encoding="utf-8"
    )
    path = tmp_path / "g.npu.yaml"
    path.write_text(gate, encoding="utf-8")
    return list(notes(load_gate(path), "g.yaml", outcomes, **options))


def kinds(found: list[Note]) -> list[tuple[str, str]]:
    return [(note.kind, note.level) for note in found]


def test_run_that_hides_nothing_says_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, judged(b_qdq_pairs="waived"), strict=True) == []


@pytest.mark.parametrize(
    ("options", "level"),
    [({}, "note"), ({"strict": True}, "error"), ({"strict_waivers": True}, "error")],
)
def test_unused_waiver(tmp_path: Path, options: dict[str, bool], level: str) -> None:
    (note,) = said(tmp_path, judged(), **options)
    assert note == Note(
        "unused-waiver",
        level,  # type: ignore[arg-type]
        "waiver with nothing to excuse, remove it: g.yaml:8: qdq_pairs, until 2999-01-31: later",
        "g.yaml",
        8,
    )


@pytest.mark.parametrize("status", ["waived", "failed", "not_analyzable", "warned"])
def test_waiver_of_a_check_that_did_not_pass_is_not_unused(tmp_path: Path, status: Status) -> None:
    assert said(tmp_path, judged(b_qdq_pairs=status)) == []


def test_waiver_of_a_check_that_is_off_is_unused(tmp_path: Path) -> None:
    assert kinds(said(tmp_path, judged(b_qdq_pairs="off"))) == [("unused-waiver", "note")]


def test_waivers_are_judged_on_full_runs_only(tmp_path: Path) -> None:
    """A selection that happens to leave nothing out of this file is one all the same."""
    for outcomes in (judged(), judged(b_qdq_pairs=None), judged(a_npu_ratio=None)):
        assert said(tmp_path, outcomes, filtered=True, strict=True, strict_waivers=True) == []


@pytest.mark.parametrize(("strict", "level"), [(False, "note"), (True, "error")])
def test_check_that_something_took_away(tmp_path: Path, strict: bool, level: str) -> None:
    outcomes = judged(a_npu_ratio=None)
    (note,) = said(tmp_path, outcomes, strict=strict)
    assert (note.kind, note.level, note.gate_file) == ("not-judged", level, "g.yaml")
    assert "nobody judged a[ethos-n78]::npu_ratio: does a conftest.py" in note.message
    known = said(tmp_path, outcomes, missed=("a[ethos-n78]::npu_ratio",))
    assert known == [], "it is said already, and waivers need all checks"


def test_waiver_for_several_models_is_used_by_one_of_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").touch()
    gate = GATE.replace("  - a.onnx\n", "").replace("b.onnx", '"*.onnx"')
    assert said(tmp_path, judged(b_qdq_pairs="waived"), gate=gate) == []
    assert said(tmp_path, judged(a_qdq_pairs=None), gate=gate, filtered=True) == []
    assert kinds(said(tmp_path, judged(), gate=gate)) == [("unused-waiver", "note")]


@pytest.mark.parametrize(("strict", "level"), [(False, "note"), (True, "error")])
def test_model_of_which_nothing_can_fail(tmp_path: Path, strict: bool, level: str) -> None:
    outcomes = judged(b_npu_ratio="off", b_qdq_pairs="waived")
    (note,) = said(tmp_path, outcomes, strict=strict)
    assert (note.kind, note.level, note.line) == ("nothing-demanded", level, 6)
    assert note.message == "every check of b[ethos-n78] is off or waived: nothing can fail"
    part = judged(b_npu_ratio="off", b_qdq_pairs=None)
    assert said(tmp_path, part, strict=strict, filtered=True) == []


@pytest.mark.parametrize(("strict", "level"), [(False, "note"), (True, "error")])
def test_model_that_the_baseline_lacks(tmp_path: Path, strict: bool, level: str) -> None:
    outcomes = judged(b_qdq_pairs="waived")
    (note,) = said(tmp_path, outcomes, ("b[ethos-n78]",), strict=strict)
    assert (note.kind, note.level, note.line) == ("not-in-baseline", level, 5)
    assert note.message == (
        "a[ethos-n78] is not in b.json, nothing was compared: `pytest --npu-update-baseline` adds it"
    )
    unjudged = judged(b_qdq_pairs="waived", a_npu_ratio=None, a_qdq_pairs=None)
    assert said(tmp_path, unjudged, ("b[ethos-n78]",), strict=strict, filtered=True) == []
    broken = judged("not_analyzable", b_npu_ratio="passed", b_qdq_pairs="waived")
    assert said(tmp_path, broken, ("b[ethos-n78]",), strict=strict) == []
    assert said(tmp_path, outcomes, ("b[ethos-n78]",), updating=True) == []


@pytest.mark.parametrize(("strict", "level"), [(False, "note"), (True, "error")])
def test_figure_that_the_baseline_lacks(tmp_path: Path, strict: bool, level: str) -> None:
    """A metric that was added to the gate after the baseline was written is compared with nothing."""
    gate = GATE.replace('npu_ratio: ">= 96%"', "npu_ratio: {max_drop: 1pp}")
    here = outcome("b", "npu_ratio", "passed", value=1.0, baseline="100.0%")
    gone = outcome("a", "npu_ratio", "passed", value=1.0)
    outcomes = judged(b_qdq_pairs="waived", b_npu_ratio=here, a_npu_ratio=gone)
    (note,) = said(tmp_path, outcomes, gate=gate, strict=strict)
    assert (note.kind, note.level, note.line) == ("not-in-baseline", level, 5)
    assert note.message == (
        "b.json has no npu_ratio of a[ethos-n78], nothing was compared: "
        "`pytest --npu-update-baseline` adds it"
    )
    assert said(tmp_path, outcomes, gate=gate, updating=True) == []


@pytest.mark.parametrize(("strict", "level"), [(False, "note"), (True, "error")])
def test_model_that_vanished(strict: bool, level: str) -> None:
    baseline = Path("some/b.json")
    (note,) = vanished(baseline, [*ALL, "old[ethos-n78]"], ALL, strict=strict)
    assert (note.kind, note.level) == ("vanished-model", level)
    assert note.message == (
        "old[ethos-n78] is in b.json, but not judged any more: "
        "`pytest --npu-update-baseline` drops it"
    )
    assert list(vanished(baseline, ALL, [*ALL, "new[ethos-n78]"], strict=strict)) == []


def test_better_than_the_baseline_is_a_nudge_even_if_strict(tmp_path: Path) -> None:
    better = outcome("a", "qdq_pairs", "passed", actual="1", baseline="3", gain=2.0)
    outcomes = judged(b_qdq_pairs="waived", a_qdq_pairs=better)
    (note,) = said(tmp_path, outcomes, strict=True)
    assert (note.kind, note.level) == ("better-than-baseline", "note")
    assert note.message == (
        "a[ethos-n78] is better than its baseline (qdq_pairs 3 -> 1): "
        "`pytest --npu-update-baseline` keeps it"
    )
    red = judged(b_qdq_pairs="waived", a_qdq_pairs=better, a_npu_ratio="failed")
    assert said(tmp_path, red) == [], "a failure must not be accepted by the way"


def test_tool_that_changed_is_named_once_for_each_model(tmp_path: Path) -> None:
    cause = "the tool changed: rules a -> b"
    ones = {
        f"a_{metric}": outcome("a", metric, "passed", cause=cause, gain=-1.0)
        for metric in ("npu_ratio", "qdq_pairs")
    }
    (note,) = said(tmp_path, judged(b_qdq_pairs="waived", **ones))
    assert (note.kind, note.level) == ("tool-changed", "note")
    assert note.message == (
        f"a[ethos-n78] has other figures than in b.json, though its file is the same: {cause}"
    )


def test_nothing_judged() -> None:
    assert nothing_judged(strict=False).level == "note"
    assert nothing_judged(strict=True).level == "error"
