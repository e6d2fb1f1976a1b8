"""A gate file becomes test items; the exit code says whether the gate holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.run import AnalysisRequest, analyses

Run = Callable[..., pytest.RunResult]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]
Gate = Callable[..., Path]

GREEN = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  npu_partitions: "<= 1"
models: [models/on_npu.onnx]
"""

COUNTED = """\
version: 1
thresholds: {npu_ratio: ">= 10%", npu_mac_ratio: ">= 10%", npu_partitions: "<= 9", qdq_pairs: "<= 9"}
models: [models/on_npu.onnx, models/half_on_npu.onnx, models/leaky.onnx]
"""

COUNTING_CONFTEST = """\
from pathlib import Path

from pytest_npu_compat.run import analyses

analyze = analyses.analyze


def counting(request):
    with Path(__file__).with_name("judged.txt").open("a") as file:
        file.write(f"{request.name}\\n")
    return analyze(request)


analyses.analyze = counting
"""


def test_green_run(gate: Gate, run: Run, outcomes: Outcomes) -> None:
    gate(GREEN)
    result = run()
    assert result.ret == pytest.ExitCode.OK
    assert outcomes(result) == {
        "npu-compat.yaml::on_npu[ethos-n78]::npu_ratio": "PASSED",
        "npu-compat.yaml::on_npu[ethos-n78]::npu_partitions": "PASSED",
    }


def test_red_run(red: Any, outcomes: Outcomes) -> None:
    assert red.result.ret == pytest.ExitCode.TESTS_FAILED
    found = outcomes(red.result)
    assert len(found) == 16
    assert {name for name, outcome in found.items() if outcome == "PASSED"} == {
        "npu-compat.yaml::on_npu[ethos-n78]::npu_ratio",
        "npu-compat.yaml::on_npu[ethos-n78]::qdq_pairs",
        "npu-compat.yaml::half_on_npu[ethos-n78]::qdq_pairs",
        "npu-compat.yaml::leaky[ethos-n78]::npu_ratio",
        "npu-compat.yaml::pinned[ethos-n78]::npu_ratio",
        "npu-compat.yaml::pinned[ethos-n78]::qdq_pairs",
    }


def test_ids_carry_no_numbers_of_the_gate(gate: Gate, run_with: Run, outcomes: Outcomes) -> None:
    gate(GREEN)
    before = outcomes(run_with([]))
    gate(GREEN.replace("96%", "42%").replace("<= 1", "<= 777"))
    after = outcomes(run_with([]))
    assert len(before) == 2
    assert before == after
    assert not any(limit in name for name in after for limit in ("42", "777", "%"))


@pytest.mark.parametrize("name", ["edge.npu.yaml", "edge.npu.yml", "npu-compat.yml"])
def test_names_of_gate_files(name: str, gate: Gate, run_with: Run, outcomes: Outcomes) -> None:
    gate(GREEN, name)
    result = run_with([])
    assert set(outcomes(result)) == {
        f"{name}::on_npu[ethos-n78]::npu_ratio",
        f"{name}::on_npu[ethos-n78]::npu_partitions",
    }


def test_other_yaml_files_are_left_alone(gate: Gate, run_with: Run) -> None:
    gate(GREEN, "other.yaml")
    assert run_with([]).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_ini_option_adds_globs(
    gate: Gate, run_with: Run, outcomes: Outcomes, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nnpu_compat_files = gate-*.yaml limits.yml")
    for name in ("gate-a.yaml", "limits.yml", "npu-compat.yaml", "unrelated.yaml"):
        gate(GREEN, name)
    found = outcomes(run_with([]))
    assert {name.partition("::")[0] for name in found} == {
        "gate-a.yaml",
        "limits.yml",
        "npu-compat.yaml",
    }
    assert set(found.values()) == {"PASSED"}


def test_gate_file_as_argument(gate: Gate, run_with: Run, outcomes: Outcomes) -> None:
    gate(GREEN)
    gate(GREEN, "other.npu.yaml")
    result = run_with([], "other.npu.yaml")
    assert result.ret == pytest.ExitCode.OK
    assert {name.partition("::")[0] for name in outcomes(result)} == {"other.npu.yaml"}


def test_two_targets_are_told_apart_by_their_ids(
    gate: Gate, run_with: Run, outcomes: Outcomes
) -> None:
    gate(
        "version: 1\n"
        "targets: {ethos-n78: {variant: 1tops-2ple}}\n"
        'thresholds: {npu_ratio: ">= 96%"}\n'
        "models: [models/on_npu.onnx, {path: models/on_npu.onnx, name: again}]\n"
    )
    assert set(outcomes(run_with([]))) == {
        "npu-compat.yaml::on_npu[ethos-n78]::npu_ratio",
        "npu-compat.yaml::again[ethos-n78]::npu_ratio",
    }


def test_gates_run_beside_ordinary_tests(
    gate: Gate, run: Run, outcomes: Outcomes, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nnpu_compat_files = limits.yml")
    pytester.makepyfile(test_code="def test_code():\n    assert True\n")
    gate(GREEN, "limits.yml")
    result = run()
    assert result.ret == pytest.ExitCode.OK
    assert outcomes(result) == {
        "limits.yml::on_npu[ethos-n78]::npu_ratio": "PASSED",
        "limits.yml::on_npu[ethos-n78]::npu_partitions": "PASSED",
        "test_code.py::test_code": "PASSED",
    }


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["plain", "xdist"])
def test_test_that_changes_the_directory_changes_no_name(
    options: list[str], gate: Gate, run_with: Run, pytester: pytest.Pytester
) -> None:
    gate("version: 1\nthresholds: {npu_ratio: '>= 96%'}\nmodels: [models/half_on_npu.onnx]\n")
    pytester.makepyfile(
        test_first="import os\n\n\ndef test_moves(tmp_path):\n    os.chdir(tmp_path)\n"
    )
    result = run_with(options, "--npu-json=run.json", "test_first.py", "npu-compat.yaml")
    result.assert_outcomes(passed=1, failed=1)
    record = json.loads((pytester.path / "run.json").read_text(encoding="utf-8"))
    assert [check["gate_file"] for check in record["outcomes"]] == ["npu-compat.yaml"]


def test_each_model_is_judged_once(
    gate: Gate, run_with: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate(COUNTED)
    judged: list[str] = []
    analyze = analyses.analyze

    def counting(request: AnalysisRequest) -> Any:
        judged.append(request.name)
        return analyze(request)

    monkeypatch.setattr(analyses, "analyze", counting)
    run_with([]).assert_outcomes(passed=12)
    assert judged == ["on_npu", "half_on_npu", "leaky"]


def test_each_model_is_judged_once_by_four_workers(
    gate: Gate, run_with: Run, pytester: pytest.Pytester
) -> None:
    gate(COUNTED)
    pytester.makeconftest(COUNTING_CONFTEST)
    run_with(["-n", "4", "--dist", "loadscope"]).assert_outcomes(passed=12)
    judged = (pytester.path / "judged.txt").read_text().split()
    assert sorted(judged) == ["half_on_npu", "leaky", "on_npu"]


def _section(result: pytest.RunResult) -> list[str]:
    """Lines of the section on NPU compatibility."""
    start = next(i for i, line in enumerate(result.outlines) if " NPU compatibility " in line)
    lines = []
    for line in result.outlines[start + 1 :]:
        if line.startswith("==="):
            break
        lines.append(line)
    return lines


def test_summary_has_one_row_per_model(red: Any) -> None:
    heading, *rows = _section(red.result)
    columns = ["model", "on", "ethos-n78", "NPU", "ratio", "MAC", "parts", "Q/DQ", "verdict"]
    assert heading.split() == columns
    said = {row.split()[0]: " ".join(row.split()[1:]) for row in rows}
    assert len(rows) == len(said) == 8
    assert said == {
        "on_npu": "100.0% (4/4) 100.0% 1 0 passed",
        "half_on_npu": "50.0% (1/2) 36.0% 1 0 1 failed: npu_ratio",
        "leaky": "100.0% (2/2) 100.0% 1 1 1 failed: qdq_pairs",
        "missing": "- - - - file-not-found",
        "pointer": "- - - - lfs-pointer",
        "corrupt": "- - - - invalid-model",
        "dynamic": "- - - - dynamic-shape",
        "pinned": "100.0% (4/4) 100.0% 1 0 passed",
    }


def test_summary_fits_a_narrow_terminal(
    gate: Gate, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    long = "detector_with_a_name_that_nobody_would_want_to_read_in_a_terminal_twice"
    gate(
        'version: 1\nthresholds: {npu_ratio: ">= 96%"}\n'
        f"models: [{{path: models/on_npu.onnx, name: {long}}}, models/missing.onnx]\n"
    )
    lines = _section(run())
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert "…" in "".join(lines)


def test_no_summary_without_checks(run_with: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_code="def test_code():\n    assert True\n")
    result = run_with([])
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*NPU compatibility*")
