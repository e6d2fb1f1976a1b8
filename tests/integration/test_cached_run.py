"""A second run of an unchanged gate starts no analysis, says so, and judges alike."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]

GATE = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  qdq_pairs: 0
models: [models/on_npu.onnx, models/half_on_npu.onnx, models/corrupt.onnx]
"""

plain = pytest.mark.parametrize("xdist", [[]], ids=["plain"])

NO_ANALYSIS = """\
from pytest_npu_compat.run import dispatch


def analyze(request):
    raise RuntimeError(f"{request.name} is analyzed")


kept = dispatch._worker


def pytest_configure():
    dispatch._worker = lambda: type("Broken", (), {"analyze": staticmethod(analyze)})


def pytest_unconfigure():
    dispatch._worker = kept
"""


@pytest.fixture
def first(gate: Gate, run: Run, pytester: pytest.Pytester) -> pytest.RunResult:
    """A run that has filled the cache; whatever is analyzed after it ends in a traceback."""
    gate(GATE)
    result = run(cache=True)
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.no_fnmatch_line("*from cache*")
    pytester.makeconftest(NO_ANALYSIS)
    return result


def analyzed(result: pytest.RunResult) -> set[str]:
    return set(re.findall(r"RuntimeError: (\w+) is analyzed", result.stdout.str()))


def test_second_run_analyzes_nothing(
    first: pytest.RunResult,
    run: Run,
    outcomes: Outcomes,
    bodies: Callable[[pytest.RunResult], dict[str, str]],
) -> None:
    second = run(cache=True)
    assert analyzed(second) == set()
    assert outcomes(second) == outcomes(first)
    assert bodies(second) == bodies(first)
    second.stdout.fnmatch_lines(["3 of 3 analyses from cache (--npu-no-cache makes them again)"])


def test_second_run_imports_no_compiler_and_starts_no_process(
    gate: Gate, run_with: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import sys\n\n\n"
        "def pytest_unconfigure():\n"
        "    heavy = {'tvm', 'onnx', 'pytest_npu_compat.run.worker'} & set(sys.modules)\n"
        "    print('imported:', *sorted(heavy))\n"
    )
    gate(GATE)
    for imported in ("imported: pytest_npu_compat.run.worker", "imported:"):
        result = pytester.runpytest_subprocess("-p", "no:hypothesispytest")
        result.assert_outcomes(passed=3, failed=3)
        assert [line for line in result.outlines if line.startswith("imported:")] == [imported]


@plain
def test_changed_model_is_analyzed(first: pytest.RunResult, run: Run, project: Path) -> None:
    models = project / "models"
    (models / "on_npu.onnx").write_bytes((models / "leaky.onnx").read_bytes())
    second = run(cache=True)
    assert analyzed(second) == {"on_npu"}
    second.stdout.fnmatch_lines(["2 of 2 analyses from cache*"])


@plain
@pytest.mark.parametrize(
    "change",
    [
        "target: ethos-n78:1tops-2ple\n",
        "targets: {ethos-n78: {inline_non_compute_intensive_partitions: false}}\n",
    ],
    ids=["variant", "option"],
)
def test_changed_target_is_analyzed(
    change: str, first: pytest.RunResult, run: Run, gate: Gate
) -> None:
    gate(GATE + change)
    assert analyzed(run(cache=True)) == {"on_npu", "half_on_npu", "corrupt"}


@plain
def test_changed_threshold_is_judged_anew(
    first: pytest.RunResult, run: Run, gate: Gate, outcomes: Outcomes
) -> None:
    gate(GATE.replace("96%", "50%") + "limits: {timeout: 1 min}\n")
    second = run(cache=True)
    assert analyzed(second) == set()
    assert outcomes(second)["npu-compat.yaml::half_on_npu[ethos-n78]::npu_ratio"] == "PASSED"


@plain
def test_damaged_entries_are_analyzed(first: pytest.RunResult, run: Run, project: Path) -> None:
    entries = list((project / ".pytest_cache" / "d" / "npu-compat").iterdir())
    assert len(entries) == 3
    for path in entries:
        path.write_bytes(path.read_bytes().replace(b"0.5", b"1.0").replace(b"No", b"Yes")[:-2])
    assert analyzed(run(cache=True)) == {"on_npu", "half_on_npu", "corrupt"}


@pytest.mark.parametrize("option", ["--npu-no-cache", "--cache-clear", "-pno:cacheprovider"])
def test_switches(option: str, first: pytest.RunResult, run: Run) -> None:
    second = run(option, cache=True)
    assert analyzed(second) == {"on_npu", "half_on_npu", "corrupt"}
    second.stdout.no_fnmatch_line("*from cache*")


def test_without_cache_nothing_is_kept(gate: Gate, run: Run, project: Path) -> None:
    gate(GATE)
    run("--npu-no-cache", cache=True)
    assert not (project / ".pytest_cache" / "d" / "npu-compat").exists()


@plain
def test_cache_that_cannot_be_written_is_no_failure(gate: Gate, run: Run, project: Path) -> None:
    gate(GATE)
    (project / ".pytest_cache").mkdir()
    (project / ".pytest_cache" / "d").touch()
    result = run("-Wignore", cache=True)
    result.assert_outcomes(passed=3, failed=3)


def forged(directory: Path) -> None:
    """Makes every verdict that was kept a good one, under a checksum that is right."""
    entries = list(directory.glob("*.json"))
    assert entries
    for path in entries:
        kept = json.loads(path.read_bytes().partition(b"\n")[2])
        for metric in kept["report"]["metrics"].values():
            if metric["unit"] == "ratio":
                metric.update(value=1.0, numerator=metric["denominator"])
        payload = json.dumps(kept).encode()
        path.write_bytes(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)


def git(directory: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=directory, check=True, capture_output=True)


HALF = GATE.replace("models/on_npu.onnx, ", "").replace(", models/corrupt.onnx", "")
NOT_READ = "is checked in: its results are not read, and every model is analyzed again"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("checked_in", [True, False])
def test_verdicts_that_are_checked_in_count_nothing(
    checked_in: bool, gate: Gate, run: Run, project: Path
) -> None:
    gate(HALF)
    run(cache=True).assert_outcomes(passed=1, failed=1)
    directory = project / ".pytest_cache" / "d" / "npu-compat"
    forged(directory)
    git(project, "init", "-q")
    if checked_in:
        git(project, "add", "-f", ".pytest_cache")
    second = run("--npu-json=run.json", cache=True)
    notes = json.loads((project / "run.json").read_text(encoding="utf-8"))["notes"]
    if checked_in:
        assert [note["kind"] for note in notes] == ["cache-not-read"]
        second.assert_outcomes(passed=1, failed=1)
        second.stdout.fnmatch_lines([f"note: .pytest_cache/d/npu-compat {NOT_READ}*"])
        second.stdout.no_fnmatch_line("*from cache*")
    else:  # the forgery is one that would be believed
        second.assert_outcomes(passed=2)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_verdicts_that_are_checked_in_count_nothing_without_pytest(
    gate: Gate, npu_compat: Callable[..., subprocess.CompletedProcess[str]], project: Path
) -> None:
    gate(HALF)
    assert npu_compat("check", "--strict").returncode == 1
    forged(project / ".npu_compat_cache")
    git(project, "init", "-q")
    assert npu_compat("check", "--strict").returncode == 0
    git(project, "add", "-f", ".npu_compat_cache")
    done = npu_compat("check", "--strict", "--json=run.json")
    assert done.returncode == 1
    assert f"note: .npu_compat_cache {NOT_READ}" in done.stdout
    assert "from cache" not in done.stdout
    notes = json.loads((project / "run.json").read_text(encoding="utf-8"))["notes"]
    assert [note["kind"] for note in notes] == ["cache-not-read"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_verdict_of_a_fixture_does_not_come_with_the_repository(
    run: Run, pytester: pytest.Pytester, project: Path
) -> None:
    pytester.makepyfile(
        """
        def test_it(npu_compat):
            report = npu_compat.analyze("models/half_on_npu.onnx")
            npu_compat.check(report, npu_ratio=">= 96%")
        """
    )
    run(cache=True).assert_outcomes(failed=1)
    forged(project / ".pytest_cache" / "d" / "npu-compat")
    git(project, "init", "-q")
    git(project, "add", "-f", ".pytest_cache")
    second = run(cache=True)
    second.assert_outcomes(failed=1)
    second.stdout.fnmatch_lines([f"note: .pytest_cache/d/npu-compat {NOT_READ}*"])
