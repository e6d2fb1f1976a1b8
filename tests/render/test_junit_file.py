"""The JUnit file that we write ourselves: valid, complete, and red exactly if the run is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import runs
import xmlschema
from hypothesis import given
from junitparser import Error, Failure, JUnitXml, Skipped

from pytest_npu_compat.gate.outcome import GateRun, Note
from pytest_npu_compat.render.junit import to_junit

SCHEMA = xmlschema.XMLSchema(Path(__file__).parents[1] / "data" / "junit-10.xsd")


def read(run: GateRun) -> Any:
    text = to_junit(run)
    SCHEMA.validate(text)
    return JUnitXml.fromstring(text.encode())


def cases(run: GateRun) -> dict[str, Any]:
    return {f"{case.classname}::{case.name}": case for suite in read(run) for case in suite}


def test_a_suite_for_each_model_and_target_and_a_case_for_each_check() -> None:
    suites = {suite.name: len(list(suite)) for suite in read(runs.all_kinds())}
    assert suites == {
        "gates/npu-compat.yaml::detector[ethos-n78]": 4,
        "gates/npu-compat.yaml::keyword[ethos-n78]": 2,
        "gates/npu-compat.yaml::pointer[ethos-n78]": 1,
        "npu-compat": 2,
    }


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("detector[ethos-n78]::npu_ratio", Failure),
        ("pointer[ethos-n78]::npu_ratio", Error),
        ("detector[ethos-n78]::qdq_pairs", Skipped),
        ("detector[ethos-n78]::hazards", Skipped),
        ("detector[ethos-n78]::npu_mac_ratio", None),
        ("keyword[ethos-n78]::qdq_pairs", None),
    ],
)
def test_status_of_a_check(case: str, kind: type | None) -> None:
    result = cases(runs.all_kinds())[f"gates.npu-compat.yaml.{case}"].result
    assert [type(entry) for entry in result] == ([kind] if kind else [])


def test_failure_has_one_line_and_the_whole_text_with_its_place() -> None:
    (failure,) = cases(runs.all_kinds())[
        "gates.npu-compat.yaml.detector[ethos-n78]::npu_ratio"
    ].result
    assert failure.message == "npu_ratio 44.0% (11/25 operators), required ≥ 96%"
    assert "  14 × MaxPool   [maxpool-config]" in failure.text
    assert failure.text.endswith("gates/npu-compat.yaml:4")


def test_error_carries_the_code_of_the_model() -> None:
    (error,) = cases(runs.all_kinds())["gates.npu-compat.yaml.pointer[ethos-n78]::npu_ratio"].result
    assert error.type == "lfs-pointer"


def test_waiver_and_warning_are_told() -> None:
    found = cases(runs.all_kinds())
    (skipped,) = found["gates.npu-compat.yaml.detector[ethos-n78]::qdq_pairs"].result
    assert skipped.message.startswith("waived: until 2099-01-31: with the next training: qdq_pairs")
    warned = found["gates.npu-compat.yaml.keyword[ethos-n78]::qdq_pairs"]
    assert warned.system_out.startswith("warning: qdq_pairs 44.0%")


def test_properties_of_a_check_stand_on_its_suite() -> None:
    suite = next(iter(read(runs.all_kinds())))
    properties = {p.name: p.value for p in suite.properties()}
    assert properties["npu.target"] == "ethos-n78:4tops-4ple"
    assert properties["npu.model_sha256"] == "ab" * 32
    assert properties["npu.npu_ratio.actual"] == "44.0% (11/25 operators)"
    assert properties["npu.npu_ratio.value"] == "0.44"
    assert properties["npu.npu_ratio.limit"] == "≥ 96%"
    assert properties["npu.qdq_pairs.waiver"] == "until 2099-01-31: with the next training"
    assert "npu.npu_ratio.baseline" not in properties


def test_baseline_is_a_property() -> None:
    (suite,) = read(GateRun((runs.outcome(baseline="99.0% (99/100)"),)))
    assert {p.name: p.value for p in suite.properties()}[
        "npu.npu_ratio.baseline"
    ] == "99.0% (99/100)"


def test_notes_of_level_error_fail_and_others_are_output() -> None:
    suite = list(read(runs.all_kinds()))[-1]
    assert [(case.name, case.result[0].text) for case in suite] == [
        ("unused-waiver", "gates/npu-compat.yaml:9: The waiver of line 9 excuses nothing."),
        ("shards", "2 of 3 shards are there."),
    ]
    told = ET.fromstring(to_junit(runs.all_kinds()).encode()).findtext("testsuite/system-out")
    assert told == "gates/npu-compat.yaml: keyword is not in the baseline."


def test_run_without_checks_fails() -> None:
    (case,) = cases(GateRun()).values()
    assert isinstance(case.result[0], Failure)


def test_failure_without_a_text_still_fails() -> None:
    red = GateRun((runs.outcome(message="", text=""),))
    assert (read(red).failures, read(red).errors) == (1, 0)


@given(runs.runs())
def test_file_is_valid_and_red_exactly_if_the_run_is(run: GateRun) -> None:
    text = to_junit(run)
    SCHEMA.validate(text)
    root = ET.fromstring(text.encode())
    bad = len(list(root.iter("failure"))) + len(list(root.iter("error")))
    assert bad == int(root.get("failures", "")) + int(root.get("errors", ""))
    assert (bad == 0) == run.passed
    assert len(list(root.iter("testcase"))) == int(root.get("tests", ""))


def test_error_of_a_gate_file_tells_its_place_once() -> None:
    text = "npu-compat.yaml:4:14: Unknown key.\n  4 | model: []"
    run = GateRun(notes=(Note("gate-error", "error", text, "npu-compat.yaml", 4),))
    failures = [f for f in ET.fromstring(to_junit(run).encode()).iter("failure") if f.text]
    assert failures[0].text == text
