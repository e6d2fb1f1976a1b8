"""Models whose analysis crashes, hangs or takes too much memory, in gates and in the fixture."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]
Bodies = Callable[[pytest.RunResult], dict[str, str]]

MISBEHAVING = Path(__file__).parents[1] / "run" / "misbehaving.py"

CONFTEST = f"""\
from pytest_npu_compat.run import dispatch
from pytest_npu_compat.run.worker import Worker

kept = dispatch._worker
worker = Worker([{sys.executable!r}, {str(MISBEHAVING)!r}, "--real"])


def pytest_configure():
    dispatch._worker = lambda: worker


def pytest_unconfigure():
    dispatch._worker = kept
    worker.close()
"""

GATE = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  qdq_pairs: 0
models:
  - models/on_npu.onnx
  - {path: models/on_npu.onnx, name: NAME}
  - {path: models/on_npu.onnx, name: after}
limits: LIMITS
"""

CASES = {
    "segfault": ("{}", "crashed: The analysis crashed: signal SIGSEGV"),
    "hangs": ("{timeout: 5 s}", "timeout: The analysis took longer than 5 s and was ended."),
    "eats": ("{memory: 512 MB}", "out-of-memory: The analysis needs more than 512 MB of memory."),
}


@pytest.fixture(autouse=True)
def _misbehaving_worker(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)


@pytest.mark.parametrize("name", CASES)
def test_every_check_of_the_model_fails_and_no_other(
    name: str,
    gate: Gate,
    run: Run,
    bodies: Bodies,
    outcomes: Callable[[pytest.RunResult], dict[str, str]],
) -> None:
    if name == "eats" and sys.platform != "linux":
        pytest.skip("only Linux says how much memory a process takes")
    limits, reason = CASES[name]
    gate(GATE.replace("NAME", name).replace("LIMITS", limits))
    result = run()
    result.assert_outcomes(passed=4, failed=2)
    found = outcomes(result)
    texts = bodies(result)
    for check in ("npu_ratio", "qdq_pairs"):
        text = texts[f"{name}[ethos-n78] {check}"]
        assert text.startswith(f"{check} not judged: {reason}")
        assert "Traceback" not in text
        for other in ("on_npu", "after"):
            assert found[f"npu-compat.yaml::{other}[ethos-n78]::{check}"] == "PASSED"


def test_fixture(project: Path, pytester: pytest.Pytester, xdist: list[str]) -> None:
    (project / "segfault.onnx").touch()
    pytester.makepyfile(
        """
        def test_dies(npu_compat):
            npu_compat.check(npu_compat.analyze("segfault.onnx"), npu_ratio=">= 1%")

        def test_lives(npu_compat):
            npu_compat.check(npu_compat.analyze("models/on_npu.onnx"), npu_ratio=">= 96%")
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *xdist)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*npu_ratio not judged: crashed: The analysis crashed: *SIGSEGV*"])
