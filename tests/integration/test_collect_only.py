"""Collecting a gate is cheap: no analysis process, no compiler, no ONNX; no model is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

GATE = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  hazards: 0
models: [models/on_npu.onnx, models/missing.onnx]
"""

IDS = [
    "npu-compat.yaml::on_npu[ethos-n78]::npu_ratio",
    "npu-compat.yaml::on_npu[ethos-n78]::hazards",
    "npu-compat.yaml::missing[ethos-n78]::npu_ratio",
    "npu-compat.yaml::missing[ethos-n78]::hazards",
]


def test_collection_imports_no_compiler(
    gate: Callable[..., Path], pytester: pytest.Pytester
) -> None:
    gate(GATE)
    pytester.makeconftest(
        "import sys\n\n\n"
        "def pytest_unconfigure():\n"
        "    heavy = {'tvm', 'onnx', 'pydantic', 'pytest_npu_compat.run.worker'}\n"
        "    names = heavy & set(sys.modules)\n"
        "    print('imported:', *sorted(names))\n"
    )
    arguments = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-q"]
    result = pytester.runpytest_subprocess(*arguments, "--collect-only")
    assert result.ret == pytest.ExitCode.OK
    assert [line for line in result.outlines if "::" in line] == IDS
    result.stdout.fnmatch_lines(["imported: pydantic"])
    # The probe does see what a run imports: the compiler is in a process of its own.
    result = pytester.runpytest_subprocess(*arguments)
    result.stdout.fnmatch_lines(["imported: pydantic pytest_npu_compat.run.worker"])


def test_tree(gate: Callable[..., Path], run: Callable[..., pytest.RunResult]) -> None:
    gate(GATE)
    result = run("--collect-only")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "*<GateYaml npu-compat.yaml>",
            "*<ModelCollector on_npu?ethos-n78?>",
            "*<CheckItem npu_ratio>",
            "*<CheckItem hazards>",
            "*<ModelCollector missing?ethos-n78?>",
        ]
    )


def test_collection_obeys_the_selection(
    gate: Callable[..., Path], run_with: Callable[..., pytest.RunResult]
) -> None:
    gate(GATE)
    result = run_with([], "--collect-only", "-q", IDS[1])
    assert [line for line in result.outlines if "::" in line] == [IDS[1]]
