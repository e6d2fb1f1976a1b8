"""Models that cannot be analyzed, and gate files that are not valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., pytest.RunResult]
Bodies = Callable[[pytest.RunResult], dict[str, str]]
Gate = Callable[..., Path]


@pytest.mark.parametrize(
    ("model", "code", "named"),
    [
        ("missing", "file-not-found", "missing.onnx"),
        ("pointer", "lfs-pointer", "git lfs pull"),
        ("corrupt", "invalid-model", "corrupt.onnx"),
        ("dynamic", "dynamic-shape", "[batch, 16, height, width]"),
    ],
)
def test_every_check_fails_with_the_models_own_reason(
    model: str, code: str, named: str, red: Any, bodies: Bodies
) -> None:
    texts = bodies(red.result)
    for check in ("npu_ratio", "qdq_pairs"):
        text = texts[f"{model}[ethos-n78] {check}"]
        assert text.startswith(f"{check} not judged: {code}: ")
        assert named in text
        assert "%" not in text


def test_other_models_are_still_judged(
    red: Any, outcomes: Callable[[pytest.RunResult], dict[str, str]]
) -> None:
    found = outcomes(red.result)
    assert found["npu-compat.yaml::on_npu[ethos-n78]::npu_ratio"] == "PASSED"
    # This one comes after all the broken ones.
    assert found["npu-compat.yaml::pinned[ethos-n78]::npu_ratio"] == "PASSED"


def test_pinning_inputs_makes_a_dynamic_model_judgeable(red: Any) -> None:
    assert red.cases["pinned[ethos-n78]::npu_ratio"].find("failure") is None
    assert red.cases["dynamic[ethos-n78]::npu_ratio"].find("failure") is not None


def test_pins_that_do_not_fit_say_so(gate: Gate, run_with: Run, bodies: Bodies) -> None:
    gate(
        'version: 1\nthresholds: {npu_ratio: ">= 96%"}\nmodels:\n'
        "  - {path: models/dynamic.onnx, name: wrong, inputs: {image: [1, 3, 8, 8]}}\n"
        "  - {path: models/dynamic.onnx, name: stray, inputs: {imagine: [1, 16, 8, 8]}}\n"
    )
    texts = bodies(run_with([]))
    assert "[1, 3, 8, 8] does not fit" in texts["wrong[ethos-n78] npu_ratio"]
    assert "no input 'imagine'" in texts["stray[ethos-n78] npu_ratio"]


INVALID = {
    "unknown metric": ('  npu_ration: ">= 96%"', "npu_ration", "npu_ratio"),
    "ratio without unit": ("  npu_ratio: 0.96", "0.96", "96%"),
    "contradiction": ("  npu_ratio: {min: 98%, max: 96%}", "{min", "min"),
    "unknown severity": ("  qdq_pairs: {max: 0, severity: loud}", "loud", "loud"),
}


@pytest.mark.parametrize("name", INVALID)
def test_invalid_gate_file(name: str, gate: Gate, run_with: Run) -> None:
    line, at, _ = INVALID[name]
    gate(f"version: 1\nthresholds:\n{line}\nmodels: [models/on_npu.onnx]\n")
    result = run_with([])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    lines = result.outlines
    where = next(i for i, text in enumerate(lines) if text.startswith("npu-compat.yaml:3:"))
    column = int(lines[where].split(":")[2])
    assert line in lines[where + 1]
    # The caret stands under the column that is named, on the thing that is wrong.
    offset = lines[where + 1].index(line)
    assert lines[where + 2].index("^") == offset + column - 1
    assert line[column - 1 :].startswith(at) or at in line[column - 1 :]
    shown = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in shown
    assert ".py:" not in shown


@pytest.mark.parametrize("name", INVALID)
def test_invalid_gate_file_says_what_to_write(name: str, gate: Gate, run_with: Run) -> None:
    line, _, suggested = INVALID[name]
    gate(f"version: 1\nthresholds:\n{line}\nmodels: [models/on_npu.onnx]\n")
    assert suggested in run_with([]).stdout.str()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("version: 1\nmodels: [\n", id="no yaml"),
        pytest.param("- just\n- a list\n", id="a list"),
        pytest.param("version: 1\nversion: 1\nmodels: [a.onnx]\n", id="duplicate key"),
        pytest.param("version: 2\nmodels: [a.onnx]\n", id="other version"),
        pytest.param(
            "version: 1\nthresholds: {qdq_pairs: 0}\nmodels: [models/nothing*.onnx]\n", id="glob"
        ),
        pytest.param(
            "version: 1\nthresholds: {qdq_pairs: 0}\nmodels: [models/leaky.onnx, models/l*.onnx]\n",
            id="one id twice",
        ),
        pytest.param("version: 1\nmodels: ['\x00']\n", id="control character"),
    ],
)
def test_no_gate_file_ends_in_a_traceback(text: str, gate: Gate, run_with: Run) -> None:
    gate(text)
    result = run_with([])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=1)
    result.stdout.re_match_lines([r"npu-compat\.yaml:\d+:\d+: "])
    shown = result.stdout.str() + result.stderr.str()
    assert "Traceback" not in shown
    assert ".py:" not in shown


def test_invalid_gate_file_is_red_with_xdist(gate: Gate, run: Run) -> None:
    gate("version: 1\nthresholds:\n  npu_ration: 1\nmodels: [models/on_npu.onnx]\n")
    result = run()
    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED)
    result.stdout.re_match_lines([r"npu-compat\.yaml:3:3: .*npu_ration"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_defect_of_the_plugin_keeps_its_traceback(
    gate: Gate, run_with: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("pytest_npu_compat.run.analyses.analyze", broken)
    gate("version: 1\nthresholds: {qdq_pairs: 0}\nmodels: [models/on_npu.onnx]\n")
    result = run_with([])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RuntimeError: a defect*"])


def test_crash_of_the_analysis_is_a_reason(
    gate: Gate, run_with: Run, bodies: Bodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("boom\nover two lines")

    monkeypatch.setenv("NPU_COMPAT_IN_PROCESS", "1")
    monkeypatch.setattr("pytest_npu_compat.run.analysis.load", broken)
    gate("version: 1\nthresholds: {qdq_pairs: 0}\nmodels: [models/on_npu.onnx]\n")
    result = run_with([])
    result.assert_outcomes(failed=1)
    text = bodies(result)["on_npu[ethos-n78] qdq_pairs"]
    assert text.startswith("qdq_pairs not judged: crashed: ")
    assert "RuntimeError: boom over two lines" in text.splitlines()[0]
