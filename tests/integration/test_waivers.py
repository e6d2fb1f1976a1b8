"""Waivers: expected failure until the date, failure from then on, reported when there is nothing left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]

WAIVED = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  hazards: 0
models:
  - path: models/MODEL.onnx
    waivers:
      - check: npu_ratio
        until: UNTIL
        reason: "kernel replaced with the next training (#42)"
"""


def waived(model: str, until: str) -> str:
    return WAIVED.replace("MODEL", model).replace("UNTIL", until)


def test_active_waiver_expects_the_failure(gate: Gate, run: Run) -> None:
    gate(waived("half_on_npu", "2999-01-31"))
    result = run("-rx")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, xfailed=1)
    text = result.stdout.str()
    assert "waived until 2999-01-31: kernel replaced with the next training (#42)" in text
    assert "npu_ratio 50.0% (1/2 operators), required ≥ 96%" in text
    assert "1 waived" in text
    assert "nothing to excuse" not in text


def test_expired_waiver_fails_and_names_the_date(
    gate: Gate, run: Run, bodies: Callable[[pytest.RunResult], dict[str, str]]
) -> None:
    gate(waived("half_on_npu", "2020-01-31"))
    result = run()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    first = bodies(result)["half_on_npu[ethos-n78] npu_ratio"].splitlines()[0]
    assert "its waiver expired on 2020-01-31" in first
    assert "#42" in first


@pytest.mark.parametrize("until", ["2999-01-31", "2020-01-31"])
def test_unused_waiver_is_reported_and_fails_only_on_request(
    gate: Gate, run: Run, until: str
) -> None:
    gate(waived("on_npu", until))
    result = run()
    assert result.ret == pytest.ExitCode.OK
    assert (
        "note: waiver with nothing to excuse, remove it: npu-compat.yaml:8" in result.stdout.str()
    )
    strict = run("--npu-strict-waivers")
    assert strict.ret == pytest.ExitCode.TESTS_FAILED
    assert "ERROR: waiver with nothing to excuse" in strict.stdout.str()


def test_filtered_run_says_nothing_of_waivers(gate: Gate, run: Run) -> None:
    gate(waived("*on_npu", "2999-01-31"))
    full = run("--npu-strict-waivers")
    assert full.ret == pytest.ExitCode.OK
    full.assert_outcomes(passed=3, xfailed=1)
    for options in (["-k", "hazards"], ["-k", "on_npu and not half and npu_ratio"]):
        filtered = run("--npu-strict-waivers", *options)
        assert filtered.ret == pytest.ExitCode.OK
        assert "nothing to excuse" not in filtered.stdout.str()


@pytest.mark.parametrize(
    "options",
    [["-k", "npu_ratio"], ["npu-compat.yaml::on_npu[ethos-n78]::npu_ratio"]],
    ids=" ".join,
)
def test_waiver_whose_check_alone_was_judged_is_not_judged(
    options: list[str], gate: Gate, run: Run
) -> None:
    """Nothing of what it excuses is left out, and the run is one of a part all the same."""
    gate(waived("on_npu", "2999-01-31"))
    result = run("--npu-strict-waivers", *options)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    assert [line for line in result.outlines if line.startswith(("note: ", "ERROR: "))] == []


def test_single_check_with_a_used_waiver(gate: Gate, run: Run) -> None:
    gate(waived("half_on_npu", "2999-01-31"))
    result = run("npu-compat.yaml::half_on_npu[ethos-n78]::npu_ratio")
    result.assert_outcomes(xfailed=1)


def test_waiver_does_not_excuse_a_model_that_cannot_be_analyzed(gate: Gate, run: Run) -> None:
    gate(waived("nope", "2999-01-31"))
    result = run()
    result.assert_outcomes(failed=2)
    assert "nothing to excuse" not in result.stdout.str()
