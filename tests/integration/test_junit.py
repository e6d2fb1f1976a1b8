"""What a CI server reads from the JUnit file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import junitparser
import pytest


def _properties(case: ET.Element) -> dict[str, str]:
    return {p.get("name", ""): p.get("value", "") for p in case.iter("property")}


def test_names(red: Any) -> None:
    names = {(case.get("classname"), case.get("name")) for case in red.cases.values()}
    built = ["on_npu", "half_on_npu", "leaky", "pinned"]
    broken = ["missing", "pointer", "corrupt", "dynamic"]
    assert names == {
        (f"npu-compat.yaml.{model}[ethos-n78]", check)
        for model in built + broken
        for check in ("npu_ratio", "qdq_pairs")
    }


def test_names_with_directories(
    gate: Callable[..., Path],
    project: Path,
    run: Callable[..., pytest.RunResult],
) -> None:
    gate(
        'version: 1\nthresholds: {npu_ratio: ">= 96%"}\nmodels: [../models/on_npu.onnx]\n',
        "gates/edge.npu.yaml",
    )
    run("--junitxml=junit.xml", "gates/edge.npu.yaml").assert_outcomes(passed=1)
    (case,) = ET.parse(project / "junit.xml").iter("testcase")
    assert case.get("classname") == "gates.edge.npu.yaml.on_npu[ethos-n78]"
    assert case.get("name") == "npu_ratio"


def test_message_is_the_verdict_and_the_body_the_whole_text(
    red: Any, bodies: Callable[[pytest.RunResult], dict[str, str]]
) -> None:
    failure = red.cases["half_on_npu[ethos-n78]::npu_ratio"].find("failure")
    assert failure.get("message") == (
        "half_on_npu[ethos-n78]: npu_ratio 50.0% (1/2 operators), required ≥ 96%"
    )
    text = bodies(red.result)["half_on_npu[ethos-n78] npu_ratio"]
    assert failure.text.strip() == text


def test_every_message_is_one_line(red: Any) -> None:
    failures = [failure for case in red.cases.values() for failure in case.iter("failure")]
    assert len(failures) == 10
    for failure in failures:
        assert "\n" not in failure.get("message")
        assert "what to do: " in failure.text


def test_counts(red: Any) -> None:
    suite = next(ET.fromstring(red.junit).iter("testsuite"))
    counted = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": "16", "failures": "10", "errors": "0", "skipped": "0"}


def test_another_library_reads_the_same(red: Any) -> None:
    parsed = junitparser.JUnitXml.fromstring(red.junit)
    (suite,) = list(parsed)
    failed = {
        f"{case.classname}::{case.name}": case.result[0].message
        for case in suite
        if case.result and isinstance(case.result[0], junitparser.Failure)
    }
    assert (suite.tests, suite.failures, len(failed)) == (16, 10, 10)
    assert failed["npu-compat.yaml.half_on_npu[ethos-n78]::npu_ratio"] == (
        "half_on_npu[ethos-n78]: npu_ratio 50.0% (1/2 operators), required ≥ 96%"
    )


def test_properties_of_a_judged_model(red: Any, built: Path) -> None:
    sha256 = hashlib.sha256((built / "half_on_npu.onnx").read_bytes()).hexdigest()
    assert _properties(red.cases["half_on_npu[ethos-n78]::npu_ratio"]) == {
        "npu.metric": "npu_ratio",
        "npu.actual": "0.5",
        "npu.limit": "≥ 96%",
        "npu.baseline": "",
        "npu.target": "ethos-n78:4tops-4ple",
        "npu.model_sha256": sha256,
        "npu.quantization": "qdq",
    }
    passed = _properties(red.cases["on_npu[ethos-n78]::qdq_pairs"])
    assert (passed["npu.actual"], passed["npu.limit"]) == ("0", "exactly 0")


def test_properties_of_a_model_that_was_not_judged(red: Any) -> None:
    for model in ("missing", "pointer", "corrupt", "dynamic"):
        properties = _properties(red.cases[f"{model}[ethos-n78]::npu_ratio"])
        assert properties["npu.actual"] == "", model
        assert properties["npu.metric"] == "npu_ratio", model


def test_same_file_with_and_without_xdist(red_runs: Mapping[str, Any]) -> None:
    def said(run: Any) -> dict[str, Any]:
        return {
            name: (_properties(case), [f.get("message") for f in case.iter("failure")])
            for name, case in run.cases.items()
        }

    assert said(red_runs["plain"])
    assert said(red_runs["plain"]) == said(red_runs["xdist"])


def test_ordinary_tests_keep_their_names(
    pytester: pytest.Pytester, run_with: Callable[..., pytest.RunResult]
) -> None:
    pytester.makepyfile(
        test_code="import pytest\n@pytest.mark.parametrize('a', ['x]::y'])\ndef test_code(a): pass\n"
    )
    run_with([], "--junitxml=junit.xml").assert_outcomes(passed=1)
    (case,) = ET.parse(pytester.path / "junit.xml").iter("testcase")
    assert (case.get("classname"), case.get("name")) == ("test_code", "test_code[x]::y]")
