"""The published schemas: generated from the types, valid, and true of real files."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import runs
import yaml
from hypothesis import given
from models import half_on_npu, leaky, on_npu, save

from pytest_npu_compat import analyze
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.schema import gate_schema, report_schema, run_schema

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {"npu-compat": gate_schema(), "report": report_schema(), "run": run_schema()}


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("folder", ["docs", "pytest_npu_compat/data"])
def test_published_schema_is_the_generated_one(name: str, folder: str) -> None:
    published = json.loads((ROOT / folder / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert published == SCHEMAS[name]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_schema_is_valid(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("make", [on_npu, half_on_npu, leaky], ids=lambda m: m.__name__)
def test_report_follows_its_schema(make: Any, tmp_path: Path) -> None:
    report = json.loads(json.dumps(analyze(save(make(), tmp_path)).to_dict()))
    jsonschema.validate(report, SCHEMAS["report"])


def test_report_of_a_missing_model_follows_its_schema(tmp_path: Path) -> None:
    report = json.loads(json.dumps(analyze(tmp_path / "nope.onnx").to_dict()))
    jsonschema.validate(report, SCHEMAS["report"])


def test_report_without_metrics_does_not() -> None:
    report = analyze(ROOT / "nope.onnx").to_dict()
    del report["metrics"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, SCHEMAS["report"])


RUN = jsonschema.Draft202012Validator(SCHEMAS["run"])


@given(runs.runs())
def test_run_follows_its_schema(run: GateRun) -> None:
    RUN.validate(json.loads(json.dumps(run.to_dict())))


@pytest.mark.parametrize("key", ["passed", "outcomes", "reports", "baselines", "notes"])
def test_run_of_which_a_part_is_missing_does_not(key: str) -> None:
    run = json.loads(json.dumps(runs.all_kinds().to_dict()))
    RUN.validate(run)
    del run[key]
    assert not RUN.is_valid(run)


def test_part_of_a_run_follows_its_schema() -> None:
    run = json.loads(json.dumps(dataclasses.replace(runs.all_kinds(), shard="3/14").to_dict()))
    RUN.validate(run)
    assert not RUN.is_valid({**run, "shard": 3})


def test_run_with_an_unknown_status_or_a_broken_report_does_not() -> None:
    run = json.loads(json.dumps(runs.all_kinds().to_dict()))
    assert not RUN.is_valid({**run, "outcomes": [{**run["outcomes"][0], "status": "fine"}]})
    assert not RUN.is_valid({**run, "reports": {"a": {}}})


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/npu-compat.yaml")), ids=str)
def test_example_gates_follow_the_schema(path: Path) -> None:
    gate = yaml.safe_load(path.read_text(encoding="utf-8"))
    jsonschema.validate(gate, SCHEMAS["npu-compat"])


@pytest.mark.parametrize(
    "broken", [{"version": 2}, {"modles": []}, {"models": []}, {"thresholds": {"npu_ratio": []}}]
)
def test_broken_gate_does_not(broken: dict[str, Any]) -> None:
    gate = {"version": 1, "models": ["m.onnx"], **broken}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(gate, SCHEMAS["npu-compat"])
