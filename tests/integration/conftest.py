"""A project with small models and a gate file, in which pytest runs with and without xdist.

Runs without xdist happen in this process, whose worker imports TVM once; runs with xdist in their own.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import models
import pytest

import pytest_npu_compat
from pytest_npu_compat.run import AnalysisRequest, analyze

# Pytester forgets the modules that a run in this process was the first to import, but their packages
# still hold them as attributes: what a later test replaces by name would be in a forgotten module.
for _module in pkgutil.walk_packages(pytest_npu_compat.__path__, "pytest_npu_compat."):
    importlib.import_module(_module.name)

WITH_XDIST = ["-n", "2", "--dist", "loadscope"]

RED_GATE = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  qdq_pairs: 0
models:
  - models/on_npu.onnx
  - models/half_on_npu.onnx
  - models/leaky.onnx
  - models/missing.onnx
  - models/pointer.onnx
  - models/corrupt.onnx
  - models/dynamic.onnx
  - {path: models/dynamic.onnx, name: pinned, inputs: {image: [1, 16, 8, 8]}}
"""


@dataclass(frozen=True)
class Finished:
    """A run that is over: what it printed, how it ended, its JUnit file."""

    result: pytest.RunResult
    junit: str

    @property
    def cases(self) -> dict[str, ET.Element]:
        """``model[target]::check`` -> test case."""
        suite = ET.fromstring(self.junit)
        return {
            f"{case.get('classname', '').removeprefix('npu-compat.yaml.')}::{case.get('name')}": case
            for case in suite.iter("testcase")
        }


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the small models, built once, and two files that are none."""
    directory = tmp_path_factory.mktemp("built")
    for net in (models.on_npu(), models.half_on_npu(), models.leaky()):
        models.save(net, directory)
    models.on_npu().save(directory / "dynamic.onnx", dynamic=True)
    (directory / "corrupt.onnx").write_bytes(b"\x08\x07not protobuf at all\xff\xff")
    (directory / "pointer.onnx").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1048576\n"
    )
    # The worker starts here, beside this process, and imports TVM for all runs.
    for path in sorted(directory.glob("*.onnx")):
        analyze(AnalysisRequest(str(path), path.stem, path.name))
    return directory


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs under test must not see who runs them."""
    for name in ("CI", "BUILD_NUMBER", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def git_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without a git configuration, and no repository above the test's directory."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "a@example.com")


@pytest.fixture
def project(pytester: pytest.Pytester, built: Path) -> Path:
    """A directory with the models under ``models/``; pytest will start there."""
    shutil.copytree(built, pytester.path / "models")
    return pytester.path


@pytest.fixture
def gate(project: Path) -> Callable[..., Path]:
    """Writes a gate file beside the models."""

    def write(text: str, name: str = "npu-compat.yaml") -> Path:
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture(params=[[], WITH_XDIST], ids=["plain", "xdist"])
def xdist(request: pytest.FixtureRequest) -> list[str]:
    """Options with which each behaviour is the same."""
    return list(request.param)


@pytest.fixture
def run_with(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Runs pytest in the project with the given options for xdist."""

    def run(options: list[str], *arguments: str | Path, cache: bool = False) -> pytest.RunResult:
        everything = ["-p", "no:hypothesispytest", "-rA", *options, *map(str, arguments)]
        if not cache:
            everything = ["-p", "no:cacheprovider", *everything]
        if options:
            return pytester.runpytest_subprocess(*everything)
        return pytester.runpytest_inprocess(*everything)

    return run


@pytest.fixture
def run(
    run_with: Callable[..., pytest.RunResult], xdist: list[str]
) -> Callable[..., pytest.RunResult]:
    """Runs pytest in the project, once with and once without xdist."""
    return lambda *arguments, **options: run_with(xdist, *arguments, **options)


@pytest.fixture
def npu_compat(pytester: pytest.Pytester) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in the project."""
    start = "import sys; from pytest_npu_compat.cli import main; sys.exit(main())"

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", start, *map(str, arguments)]
        return subprocess.run(
            command, cwd=pytester.path, capture_output=True, encoding="utf-8", check=False
        )

    return run


@pytest.fixture
def outcomes() -> Callable[[pytest.RunResult], dict[str, str]]:
    """Reads a run's short summary: id -> outcome."""

    def read(result: pytest.RunResult) -> dict[str, str]:
        found = (re.match(r"(PASSED|FAILED|ERROR) (\S+)", line) for line in result.outlines)
        return {match[2]: match[1] for match in found if match}

    return read


@pytest.fixture
def bodies() -> Callable[[pytest.RunResult], dict[str, str]]:
    """Reads what a run says about failures: title -> text, without the worker's name."""

    def read(result: pytest.RunResult) -> dict[str, str]:
        texts: dict[str, list[str]] = {}
        title = ""
        for line in result.outlines:
            heading = re.fullmatch(r"_+ (.+?) _+", line)
            if heading:
                title = heading[1]
                texts[title] = []
            elif line.startswith(("====", "----")):
                title = ""
            elif title and not line.startswith("[gw"):
                texts[title].append(line)
        return {title: "\n".join(lines).rstrip() for title, lines in texts.items()}

    return read


@pytest.fixture(scope="session")
def red_cache() -> dict[str, Finished]:
    """Runs of the red gate, shared by all tests that only read what came out."""
    return {}


@pytest.fixture
def red_runs(
    gate: Callable[..., Path],
    project: Path,
    run_with: Callable[..., pytest.RunResult],
    red_cache: dict[str, Finished],
) -> Mapping[str, Finished]:
    """A gate with models that pass, fail and cannot be analyzed, ``plain`` and with ``xdist``."""
    if not red_cache:
        gate(RED_GATE)
        for name, options in (("plain", []), ("xdist", WITH_XDIST)):
            result = run_with(options, "--junitxml=junit.xml")
            junit = (project / "junit.xml").read_text(encoding="utf-8")
            red_cache[name] = Finished(result, junit)
    return red_cache


@pytest.fixture(params=["plain", "xdist"])
def red(request: pytest.FixtureRequest, red_runs: Mapping[str, Finished]) -> Finished:
    """One of the runs of the red gate."""
    return red_runs[request.param]
