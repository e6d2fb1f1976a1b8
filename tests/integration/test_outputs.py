"""All outputs of one run: the same however it ran, each read back by another library."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import junitparser
import pytest
import xmlschema

from pytest_npu_compat.render.schema import run_schema

DATA = Path(__file__).parents[1] / "data"
SARIF = json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
SUFFIX = {
    "html": "html",
    "junit": "xml",
    "markdown": "md",
    "sarif": "sarif",
    "json": "json",
    "comment": "comment",
}
GATE = """\
version: 1
thresholds:
  npu_ratio: ">= 96%"
  qdq_pairs: {max: 0, severity: warn}
models:
  - models/on_npu.onnx
  - {path: models/leaky.onnx, thresholds: {npu_mac_ratio: {min: 1%, severity: off}}}
  - path: models/half_on_npu.onnx
    waivers: [{check: qdq_pairs, until: 2099-01-01, reason: "soon"}]
  - models/pointer.onnx
"""
CHECKS = 9

Files = Mapping[str, str]


def options(prefix: str = "--npu-") -> list[str]:
    return [f"{prefix}{name}=out/run.{suffix}" for name, suffix in SUFFIX.items()]


def read(project: Path) -> Files:
    texts = {}
    for name, suffix in SUFFIX.items():
        file = project / "out" / f"run.{suffix}"
        texts[name] = file.read_text(encoding="utf-8")
        file.unlink()
    return texts


def assert_valid(files: Files) -> None:
    """Each format follows its schema."""
    xmlschema.XMLSchema(DATA / "junit-10.xsd").validate(files["junit"])
    jsonschema.Draft4Validator(SARIF).validate(json.loads(files["sarif"]))
    jsonschema.Draft202012Validator(run_schema()).validate(json.loads(files["json"]))


def assert_red(files: Files) -> None:
    """Each format says that the run did not pass."""
    assert json.loads(files["json"])["passed"] is False
    suites = junitparser.JUnitXml.fromstring(files["junit"].encode())
    results = [r for suite in suites for case in suite for r in case.result]
    assert any(isinstance(r, (junitparser.Failure, junitparser.Error)) for r in results)
    levels = {r["level"] for r in json.loads(files["sarif"])["runs"][0]["results"]}
    assert "error" in levels
    assert "passed" not in files["markdown"].splitlines()[0].lower()
    assert "FAILED" in files["html"] or "failed" in files["html"].lower()


@pytest.fixture
def both(
    gate: Callable[..., Path], project: Path, run_with: Callable[..., pytest.RunResult]
) -> Mapping[str, Files]:
    gate(GATE)
    found = {}
    for name, workers in (("plain", []), ("xdist", ["-n", "2"])):
        run_with(workers, *options())
        found[name] = read(project)
    return found


def test_files_of_a_red_run(
    both: Mapping[str, Files], project: Path, npu_compat: Callable[..., Any]
) -> None:
    assert both["plain"] == both["xdist"]
    files = both["plain"]
    assert files["comment"] == files["markdown"], "short as it is"
    assert npu_compat("check", *options("--")).returncode == 1
    assert read(project) == files, "`npu-compat check` writes the same"
    assert npu_compat("merge", "--help").returncode == 0
    assert_valid(files)
    assert_red(files)
    outcomes = json.loads(files["json"])["outcomes"]
    assert len(outcomes) == CHECKS
    suites = junitparser.JUnitXml.fromstring(files["junit"].encode())
    assert sum(suite.tests for suite in suites) >= CHECKS
    for outcome in outcomes:
        assert outcome["model"] in files["html"]
        assert outcome["metric"] in files["html"]


def test_output_that_cannot_be_written(
    gate: Callable[..., Path], project: Path, run: Callable[..., pytest.RunResult]
) -> None:
    gate(GATE.split("  - {path")[0])
    (project / "taken.xml").mkdir()
    result = run("--npu-junit=taken.xml")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: *taken.xml cannot be written: *"])


def test_gate_error_is_red_in_every_format(
    gate: Callable[..., Path], project: Path, run: Callable[..., pytest.RunResult]
) -> None:
    gate(GATE.replace("qdq_pairs", "qdq_pears"))
    assert run(*options()).ret != 0
    files = read(project)
    assert_valid(files)
    assert_red(files)
    for name, text in files.items():
        said = html.unescape(text)
        assert "There is no metric 'qdq_pears'." in said, name
        assert "hint: Did you mean 'qdq_pairs'?" in said, name
        assert "?  3 |" not in said, f"{name}: lines are kept apart"


def test_run_that_judged_nothing_is_green_in_no_format(
    gate: Callable[..., Path], project: Path, run: Callable[..., pytest.RunResult]
) -> None:
    gate(GATE)
    assert run(*options(), "-k", "typo").ret != 0
    files = read(project)
    assert_valid(files)
    assert json.loads(files["json"])["passed"] is False
    assert_red(files)


def test_crashed_xdist_worker_is_red_in_every_format(
    gate: Callable[..., Path],
    project: Path,
    pytester: pytest.Pytester,
    run_with: Callable[..., pytest.RunResult],
) -> None:
    gate(GATE)
    pytester.makeconftest(
        "import os\n"
        "def pytest_runtest_call(item):\n"
        "    if 'leaky' in item.nodeid and 'npu_ratio' in item.name:\n"
        "        os._exit(1)\n"
    )
    assert run_with(["-n", "2"], *options()).ret != 0
    files = read(project)
    assert_valid(files)
    assert_red(files)
    for name, text in files.items():
        assert "leaky" in text, name
