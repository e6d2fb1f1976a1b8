"""Runs that end before all checks were judged: none of their outputs may say that the gate passed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_npu_compat.cli import main

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]

GREEN = """\
version: 1
thresholds: {npu_ratio: ">= 96%", hazards: 0}
models: [models/on_npu.onnx]
"""
RED = GREEN.replace("on_npu", "half_on_npu")
OUTPUTS = ("--npu-json=run.json", "--npu-markdown=run.md", "--npu-html=run.html")


def record(project: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((project / "run.json").read_text(encoding="utf-8"))
    return found


def said(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "not judged" in line and not line.startswith(" ")]


@pytest.fixture
def two_gates(gate: Gate, project: Path, pytester: pytest.Pytester) -> Path:
    """A green gate, a test that fails, and a red gate behind it."""
    gate(GREEN.replace("models/", "../models/"), "a/npu-compat.yaml")
    (project / "m").mkdir()
    (project / "m" / "test_m.py").write_text("def test_m(): assert False\n")
    gate(RED.replace("models/", "../models/"), "z/npu-compat.yaml")
    return project


def test_run_that_stops_at_a_failing_test_is_not_passed(
    two_gates: Path, run_with: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run_with([], "--npu-strict", "-x", "a", "m", "z", *OUTPUTS)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = "z/npu-compat.yaml: 2 checks were collected and not judged, the run ended before: "
    assert said(result) == [
        f"ERROR: {text}half_on_npu[ethos-n78]::hazards, half_on_npu[ethos-n78]::npu_ratio"
    ]
    assert record(two_gates)["passed"] is False
    assert "passed" not in (two_gates / "run.md").read_text(encoding="utf-8").splitlines()[0]
    monkeypatch.chdir(two_gates)
    assert main(["merge", "run.json", "--expect", "1"]) == 1


def test_run_in_workers_that_stops_is_not_passed(two_gates: Path, run_with: Run) -> None:
    # One worker that takes one test at a time: which checks it judges before the failure does not vary.
    options = ["-n", "1", "--maxschedchunk", "1", "-x"]
    result = run_with(options, "m", "a", "z", *OUTPUTS)
    assert result.ret != pytest.ExitCode.OK
    assert record(two_gates)["passed"] is False
    assert any(line.startswith("ERROR: z/npu-compat.yaml: 2 checks were") for line in said(result))


@pytest.mark.parametrize("how", ["session.shouldstop = 'time is up'", "raise KeyboardInterrupt"])
def test_run_that_is_stopped_inside_a_gate_is_not_passed(
    how: str, gate: Gate, run_with: Run, project: Path, pytester: pytest.Pytester
) -> None:
    gate(GREEN)
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.hookimpl(trylast=True)\n"
        "def pytest_runtest_logfinish(nodeid):\n"
        "    global session\n"
        f"    {how}\n"
        "def pytest_sessionstart(session):\n"
        "    globals()['session'] = session\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--npu-strict", *OUTPUTS)
    assert result.ret != pytest.ExitCode.OK
    (line,) = said(result)
    assert line.startswith("ERROR: npu-compat.yaml: 1 check was collected and not judged")
    assert "did not collect it" not in result.stdout.str()
    assert record(project)["passed"] is False


@pytest.mark.parametrize("strict", [False, True])
def test_check_that_the_project_skips_is_named(
    strict: bool, gate: Gate, run: Run, project: Path, pytester: pytest.Pytester
) -> None:
    gate(GREEN)
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.skip(reason='too slow'))\n"
    )
    result = run(*(["--npu-strict"] if strict else []), *OUTPUTS)
    level = "ERROR" if strict else "note"
    text = "npu-compat.yaml: 1 check was skipped (Skipped: too slow) and not judged: "
    assert said(result) == [f"{level}: {text}on_npu[ethos-n78]::npu_ratio"]
    assert result.ret == (pytest.ExitCode.TESTS_FAILED if strict else pytest.ExitCode.OK)
    assert record(project)["passed"] is not strict


def test_whole_run_says_nothing_of_it(gate: Gate, run: Run) -> None:
    gate(GREEN)
    assert said(run("--npu-strict")) == []
