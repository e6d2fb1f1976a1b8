"""SARIF: valid, within GitHub's limits, stable, and red exactly if the run is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import runs
from hypothesis import given, settings

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.outcome import GateRun, Note
from pytest_npu_compat.render import sarif
from pytest_npu_compat.render.sarif import to_sarif

DATA = Path(__file__).parents[1] / "data"
SCHEMA = json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
VALID = jsonschema.Draft4Validator(SCHEMA)


def read(run: GateRun) -> dict[str, Any]:
    log = json.loads(to_sarif(run).encode())
    VALID.validate(log)
    (only,) = log["runs"]
    return dict(only)


def levels(run: GateRun) -> list[tuple[str, str]]:
    return [(result["ruleId"], result["level"]) for result in read(run)["results"]]


def test_red_and_warned_checks_are_results_the_worst_first() -> None:
    assert levels(runs.all_kinds()) == [
        ("npu_ratio", "error"),
        ("npu_ratio", "error"),
        ("unused-waiver", "error"),
        ("shards", "error"),
        ("qdq_pairs", "warning"),
        ("qdq_pairs", "note"),
    ]


def test_green_run_has_no_result() -> None:
    assert levels(GateRun((runs.outcome(status="passed"),))) == []


def test_result_stands_at_the_threshold_with_operators_in_the_model() -> None:
    result = read(runs.all_kinds())["results"][0]
    (place,) = result["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "gates/npu-compat.yaml"
    assert place["physicalLocation"]["region"] == {"startLine": 4}
    assert place["logicalLocations"][0]["name"] == "detector[ethos-n78]"
    (operator,) = result["relatedLocations"]
    assert operator["logicalLocations"][0]["name"] == "pool_0"
    assert operator["physicalLocation"]["artifactLocation"]["uri"] == "gates/models/detector.onnx"
    assert "kernel 5x5" in operator["message"]["text"]
    assert "Left the NPU: pool_0" in result["message"]["text"]


@pytest.mark.parametrize(
    ("metric", "operators"),
    [("npu_ratio", ["pool_0"]), ("qdq_pairs", ["leaky_1"]), ("hazards", ["mean"])],
)
def test_related_operators_are_those_of_the_metric(metric: str, operators: list[str]) -> None:
    red = runs.outcome(metric=metric)
    (result,) = read(GateRun((red,), {red.key: runs.report("detector")}))["results"]
    names = [place["logicalLocations"][0]["name"] for place in result["relatedLocations"]]
    assert names == operators


def test_waived_check_is_suppressed_with_its_reason() -> None:
    waived = read(runs.all_kinds())["results"][-1]
    assert waived["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "until 2099-01-31: with the next training",
        }
    ]


def test_rules_are_metrics_and_those_that_reports_name() -> None:
    driver = read(runs.all_kinds())["tool"]["driver"]
    names = [rule["id"] for rule in driver["rules"]]
    assert names[: len(METRICS)] == list(METRICS)
    assert names[len(METRICS) :] == ["maxpool-config", "wide-mean"]
    for result in read(runs.all_kinds())["results"]:
        if "ruleIndex" in result:
            assert names[result["ruleIndex"]] == result["ruleId"]


def test_fingerprint_survives_line_moves_and_tells_models_apart() -> None:
    def prints(*outcomes: Any) -> list[str]:
        results = read(GateRun(outcomes))["results"]
        return [result["partialFingerprints"]["primaryLocationLineHash"] for result in results]

    one, moved, other = runs.outcome(), runs.outcome(line=99), runs.outcome("other")
    assert prints(one) == prints(moved) == prints(replace(one, message="worse"))
    assert len(set(prints(one, other, runs.outcome(metric="qdq_pairs")))) == 3


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a/gate.yaml", "a/gate.yaml"),
        ("./a/../b/gate file.yaml", "b/gate%20file.yaml"),
        ("/srv/secret/gate.yaml", "gate.yaml"),
        ("../../other/gate.yaml", "gate.yaml"),
        ("C:\\users\\me\\gate.yaml", "gate.yaml"),
        ("..", "unknown"),
        ("", "unknown"),
        ("a/%2e%2e/x?y#z.yaml", "a/%252e%252e/x%3Fy%23z.yaml"),
    ],
)
def test_paths_are_relative(path: str, uri: str) -> None:
    (result,) = read(GateRun((runs.outcome(gate_file=path),)))["results"]
    found = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert found == {"uri": uri, "uriBaseId": "%SRCROOT%"}


def test_run_without_checks_is_an_error() -> None:
    assert levels(GateRun()) == [("nothing-judged", "error")]
    assert read(GateRun())["invocations"][0]["executionSuccessful"] is False


def test_cut_keeps_the_errors_and_says_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sarif.MAX_RESULTS <= 25_000
    monkeypatch.setattr(sarif, "MAX_RESULTS", 3)
    warned = [runs.outcome(f"w{i}", status="warned") for i in range(5)]
    red = [runs.outcome(f"r{i}") for i in range(2)]
    cut = read(GateRun((*warned, *red)))
    assert [result["level"] for result in cut["results"]] == ["error", "error", "warning"]
    (notice,) = cut["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == "4 of 7 results left out."


def test_related_locations_are_cut_for_each_result_and_for_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sarif, "MAX_RELATED_TOTAL", 150)
    red = [runs.outcome(f"m{i}") for i in range(3)]
    reports = {o.key: runs.report(o.model, off=130) for o in red}
    cut = read(GateRun(tuple(red), reports))
    assert [len(result["relatedLocations"]) for result in cut["results"]] == [100, 50, 0]
    (notice,) = cut["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == "240 related locations left out."


def test_notes_that_are_no_errors_are_notifications() -> None:
    run = GateRun((runs.outcome(status="passed"),), notes=(Note("baseline", "note", "None yet."),))
    assert levels(run) == []
    (notice,) = read(run)["invocations"][0]["toolExecutionNotifications"]
    assert (notice["level"], notice["message"]["text"]) == ("note", "None yet.")


@settings(max_examples=50)
@given(runs.runs())
def test_valid_and_red_exactly_if_the_run_is(run: GateRun) -> None:
    results = read(run)["results"]
    assert any(result["level"] == "error" for result in results) != run.passed
    for result in results:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert not uri.startswith(("/", "../", "file:"))
