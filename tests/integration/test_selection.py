"""Choosing models and checks on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]
Gate = Callable[..., Path]

FILE = "npu-compat.yaml"
GATE = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  qdq_pairs: 0
models: [models/on_npu.onnx, models/half_on_npu.onnx]
"""
GOOD = f"{FILE}::on_npu[ethos-n78]"
HALF = f"{FILE}::half_on_npu[ethos-n78]"
GOOD_BOTH = [f"{GOOD}::npu_ratio", f"{GOOD}::qdq_pairs"]
HALF_BOTH = [f"{HALF}::npu_ratio", f"{HALF}::qdq_pairs"]
OUTCOMES = dict.fromkeys(GOOD_BOTH + HALF_BOTH, "PASSED") | {f"{HALF}::npu_ratio": "FAILED"}


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        pytest.param([GOOD], GOOD_BOTH, id="model"),
        pytest.param([f"{HALF}::qdq_pairs"], [f"{HALF}::qdq_pairs"], id="check"),
        pytest.param(
            [f"{HALF}::qdq_pairs", f"{GOOD}::npu_ratio"],
            [f"{HALF}::qdq_pairs", f"{GOOD}::npu_ratio"],
            id="two checks",
        ),
        pytest.param(
            [f"{GOOD}::npu_ratio", FILE], GOOD_BOTH + HALF_BOTH, id="check and whole file"
        ),
        pytest.param(["-k", "half and qdq"], [f"{HALF}::qdq_pairs"], id="check by keyword"),
    ],
)
def test_selection(
    arguments: list[str], ids: list[str], gate: Gate, run: Run, outcomes: Outcomes
) -> None:
    gate(GATE)
    result = run(*arguments)
    assert outcomes(result) == {name: OUTCOMES[name] for name in ids}
    assert result.ret == ("FAILED" in outcomes(result).values())


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        pytest.param(GOOD_BOTH, GOOD_BOTH, id="both checks of a model"),
        pytest.param([GOOD, f"{GOOD}::npu_ratio"], GOOD_BOTH, id="model and its check"),
        pytest.param(
            [f"{HALF}::qdq_pairs", GOOD], [f"{HALF}::qdq_pairs", *GOOD_BOTH], id="check and model"
        ),
        pytest.param(
            [f"{GOOD}::npu_ratio", "."],
            GOOD_BOTH + HALF_BOTH,
            id="check and directory",
            marks=pytest.mark.skipif(
                pytest.version_tuple < (9,),
                reason="pytest 8 ignores a directory beside a node id in it, of any test file",
            ),
        ),
        pytest.param(
            [f"{GOOD}::qdq_pairs", f"{FILE}::on_npu"], GOOD_BOTH, id="check and model, no target"
        ),
        pytest.param(["-k", "half_on_npu"], HALF_BOTH, id="model by keyword"),
        pytest.param(
            ["--deselect", f"{HALF}::npu_ratio"], [*GOOD_BOTH, f"{HALF}::qdq_pairs"], id="deselect"
        ),
        pytest.param(["--deselect", HALF], GOOD_BOTH, id="deselect model"),
    ],
)
def test_more_selections(
    arguments: list[str], ids: list[str], gate: Gate, run_with: Run, outcomes: Outcomes
) -> None:
    gate(GATE)
    result = run_with([], *arguments)
    assert outcomes(result) == {name: OUTCOMES[name] for name in ids}


def test_single_check_counts_the_others_as_deselected(gate: Gate, run_with: Run) -> None:
    gate(GATE)
    run_with([], f"{GOOD}::qdq_pairs").assert_outcomes(passed=1, deselected=1)


def test_checks_of_two_gate_files(gate: Gate, run: Run, outcomes: Outcomes) -> None:
    gate(GATE)
    gate(GATE, "more.npu.yaml")
    wanted = [f"{GOOD}::npu_ratio", f"{GOOD}::qdq_pairs".replace(FILE, "more.npu.yaml")]
    result = run(*wanted)
    assert outcomes(result) == dict.fromkeys(wanted, "PASSED")


def test_check_named_from_a_subdirectory(
    gate: Gate, project: Path, run: Run, outcomes: Outcomes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate(GATE)
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    wanted = f"../{GOOD}::qdq_pairs"
    result = run("--rootdir", project, wanted)
    assert outcomes(result) == {wanted: "PASSED"}


def test_check_named_through_a_symbolic_link(
    gate: Gate, project: Path, run_with: Run, outcomes: Outcomes
) -> None:
    gate(GATE)
    (project / "link").symlink_to(project, target_is_directory=True)
    result = run_with([], f"link/{GOOD}::qdq_pairs")
    assert outcomes(result) == {f"link/{GOOD}::qdq_pairs": "PASSED"}


@pytest.mark.parametrize(
    ("check", "hint"),
    [("qdq_pair", "Did you mean 'qdq_pairs'?"), ("xyz", "It has npu_ratio, qdq_pairs.")],
)
def test_unknown_check_is_an_error(check: str, hint: str, gate: Gate, run_with: Run) -> None:
    gate(GATE)
    result = run_with([], f"{GOOD}::{check}", f"{HALF}::qdq_pairs")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    assert f"{GOOD} has no check {check!r}. {hint}" in result.outlines
    result.stdout.no_fnmatch_line("*.py:*")


def test_unknown_check_is_not_green_with_xdist(gate: Gate, run: Run) -> None:
    gate(GATE)
    result = run(f"{GOOD}::typo", f"{HALF}::qdq_pairs")
    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED)
    assert f"{GOOD} has no check 'typo'. It has npu_ratio, qdq_pairs." in result.outlines


def test_unknown_model_is_pytests_to_report(gate: Gate, run_with: Run) -> None:
    gate(GATE)
    result = run_with([], f"{FILE}::absent[ethos-n78]::npu_ratio")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: not found: *::absent*"])


def test_last_failed_runs_the_failed_check_alone(gate: Gate, run: Run, outcomes: Outcomes) -> None:
    gate(GATE)
    assert len(outcomes(run(cache=True))) == 4
    assert outcomes(run("--lf", cache=True)) == {f"{HALF}::npu_ratio": "FAILED"}


def test_last_failed_forgets_a_check_that_passes_again(
    gate: Gate, project: Path, run_with: Run
) -> None:
    gate(GATE)
    stored = project / ".pytest_cache/v/cache/lastfailed"
    run_with([], cache=True)
    assert f"{HALF}::npu_ratio" in stored.read_text()
    gate(GATE.replace("96%", "10%"))
    run_with([], cache=True)
    assert stored.read_text() == "{}"
