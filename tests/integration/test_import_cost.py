"""A run without checks does not pay for the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

PROBE = """\
import sys


def pytest_unconfigure():
    heavy = {"tvm", "onnx", "pydantic", "numpy", "yaml", "pytest_npu_compat.collection"}
    heavy.add("pytest_npu_compat.run.worker")
    print("imported:", *sorted(heavy & set(sys.modules)))
"""

GATE = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models: [models/on_npu.onnx]
"""


def _imported(pytester: pytest.Pytester, *arguments: str) -> set[str]:
    result = pytester.runpytest_subprocess(
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments
    )
    result.assert_outcomes(passed=1, deselected=1 if "-k" in arguments else 0)
    line = next(line for line in result.outlines if line.startswith("imported:"))
    return set(line.split()[1:])


@pytest.fixture(autouse=True)
def _code_and_probe(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(PROBE)
    pytester.makepyfile(test_code="def test_code():\n    assert True\n")


def test_no_gate_file(pytester: pytest.Pytester) -> None:
    assert _imported(pytester) == set()


def test_no_gate_file_with_junit(pytester: pytest.Pytester) -> None:
    assert _imported(pytester, "--junitxml=junit.xml") == set()


def test_gate_file_beside_the_tests_that_are_run(
    gate: Callable[..., Path], pytester: pytest.Pytester
) -> None:
    gate(GATE)
    # Pytest asks for a collector of each file of the directory, then collects one.
    assert _imported(pytester, "test_code.py") == {"pytest_npu_compat.collection"}


def test_no_check_selected(gate: Callable[..., Path], pytester: pytest.Pytester) -> None:
    gate(GATE)
    imported = _imported(pytester, "-k", "test_code")
    assert "pytest_npu_compat.collection" in imported
    assert not imported & {"tvm", "onnx", "pytest_npu_compat.run.worker"}
