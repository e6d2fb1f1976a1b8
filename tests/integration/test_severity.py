"""Severity: ``warn`` reports without failing, ``off`` removes a check visibly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]

WARN = """\
version: 1
thresholds:
  npu_ratio: {min: 96%, severity: warn}
  hazards: 0
models: [models/half_on_npu.onnx]
"""
OFF = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  hazards: 0
models:
  - path: models/half_on_npu.onnx
    thresholds:
      npu_ratio: off
"""


def test_warn_is_shown_and_passes(gate: Gate, run: Run) -> None:
    gate(WARN)
    result = run()
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "npu-compat.yaml::half_on_npu?ethos-n78?::npu_ratio",
            "*npu-compat.yaml:3: NpuCompatWarning: half_on_npu?ethos-n78?: npu_ratio 50.0% *≥ 96%",
            "half_on_npu * 1 warned: npu_ratio",
        ]
    )


def test_warn_that_holds_is_silent(gate: Gate, run_with: Run) -> None:
    gate(WARN.replace("half_on_npu", "on_npu"))
    run_with([]).assert_outcomes(passed=2, warnings=0)


def test_warnings_as_errors_fail(
    gate: Gate, run: Run, bodies: Callable[[pytest.RunResult], dict[str, str]]
) -> None:
    gate(WARN)
    result = run("-W", "error")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=1)
    text = bodies(result)["half_on_npu[ethos-n78] npu_ratio"]
    assert text.startswith("npu_ratio 50.0% (1/2 operators), required ≥ 96%")
    assert "[kernel-size]" in text
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str()


def test_model_that_cannot_be_judged_fails_a_warning_too(gate: Gate, run_with: Run) -> None:
    gate(WARN.replace("half_on_npu", "missing"))
    result = run_with([])
    result.assert_outcomes(failed=2)


def test_off_is_skipped_visibly(gate: Gate, run: Run) -> None:
    gate(OFF)
    result = run()
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*npu-compat.yaml:8: npu_ratio is switched off"])
    result.stdout.no_fnmatch_line("*.py:*")


def test_all_off_judges_nothing(gate: Gate, run_with: Run) -> None:
    gate(OFF.replace('">= 96%"', "off").replace("hazards: 0", "hazards: off"))
    result = run_with([])
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(
        ["note: every check of half_on_npu* is off or waived: nothing can*"]
    )
