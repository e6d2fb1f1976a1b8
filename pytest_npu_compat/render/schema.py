"""JSON Schemas of the public formats, generated from the types: report, record of a run, gate file."""

from __future__ import annotations

import functools
from typing import Any

from pydantic import BaseModel, TypeAdapter

from pytest_npu_compat.analysis.costs import Assumption, EstimateInfo
from pytest_npu_compat.analysis.report import (
    SCHEMA_VERSION,
    Conversion,
    ErrorInfo,
    MetricValue,
    ModelInfo,
    OperatorInfo,
    PartitionInfo,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.outcome import RUN_SCHEMA_VERSION, Note, Outcome
from pytest_npu_compat.gate.profile_schema import ProfileFile
from pytest_npu_compat.gate.schema import GateFile
from pytest_npu_compat.render.gate_reference import PARTS, field_texts, summary

__all__ = ["gate_schema", "profile_schema", "report_schema", "run_schema"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def gate_schema() -> dict[str, Any]:
    """The schema of a gate file, for editors and for `check-jsonschema`."""
    schema = GateFile.model_json_schema()
    for _, model in PARTS:
        _describe(schema if model is GateFile else schema["$defs"][model.__name__], model)
    return {"$schema": DIALECT, **schema, "title": "npu-compat gate file"}


def profile_schema() -> dict[str, Any]:
    """The schema of a profile."""
    schema = ProfileFile.model_json_schema()
    _describe(schema, ProfileFile)
    return {"$schema": DIALECT, **schema, "title": "npu-compat profile"}


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Puts the texts of the reference where editors look for them."""
    schema["description"] = summary(model)
    for name, text in field_texts(model).items():
        field = schema["properties"][name]
        field["description"] = text.replace("``", "`")
        if field.get("default", "") is None and not _may_be_null(field):
            del field["default"]  # it only says that the key may be left out


def _may_be_null(field: dict[str, Any]) -> bool:
    return any(choice.get("type") == "null" for choice in field.get("anyOf", ()))


def report_schema() -> dict[str, Any]:
    """The schema of a report as `npu-compat analyze --format json` prints it."""
    definitions: dict[str, Any] = {}
    part = functools.partial(_part, definitions)
    properties: dict[str, Any] = {
        "schema_version": _version(SCHEMA_VERSION),
        "tool": part(ToolInfo),
        "model": part(ModelInfo),
        "target": part(TargetInfo),
        "status": {"enum": ["analyzed", "not_analyzable"]},
        "error": {"anyOf": [part(ErrorInfo), {"type": "null"}]},
        "metrics": {"type": "object", "additionalProperties": part(MetricValue)},
        "operators": {"type": "array", "items": part(OperatorInfo)},
        "partitions": {"type": "array", "items": part(PartitionInfo)},
        "conversions": {
            "type": "object",
            "properties": {"qdq_pairs": {"type": "array", "items": part(Conversion)}},
            "required": ["qdq_pairs"],
        },
    }
    only_with_estimates = {
        "estimate": part(EstimateInfo),
        "platform": {"type": "object", "additionalProperties": part(Assumption)},
    }
    return {
        "$schema": DIALECT,
        "title": "npu-compat report",
        "type": "object",
        "properties": {**properties, **only_with_estimates},
        "required": list(properties),
        "$defs": definitions,
    }


def run_schema() -> dict[str, Any]:
    """The schema of the record of a run: `pytest --npu-json`, `npu-compat check` and `merge --json`."""
    report = report_schema()
    definitions: dict[str, Any] = report.pop("$defs")
    del report["$schema"]
    definitions["Report"] = report
    reports = {"type": "object", "additionalProperties": {"$ref": "#/$defs/Report"}}
    properties = {
        "schema_version": _version(RUN_SCHEMA_VERSION),
        "passed": {"type": "boolean"},
        "outcomes": {"type": "array", "items": _part(definitions, Outcome)},
        "reports": reports,
        "baselines": reports,
        "notes": {"type": "array", "items": _part(definitions, Note)},
    }
    only_of_a_part = {"shard": {"type": "string"}}
    return {
        "$schema": DIALECT,
        "title": "npu-compat run",
        "type": "object",
        "properties": {**properties, **only_of_a_part},
        "required": list(properties),
        "$defs": definitions,
    }


def _part(definitions: dict[str, Any], kind: type) -> dict[str, Any]:
    """A reference to the schema of a type, which is put among the definitions."""
    schema = TypeAdapter(kind).json_schema(mode="serialization", ref_template="#/$defs/{model}")
    definitions.update(schema.pop("$defs", {}))
    definitions[kind.__name__] = schema
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _version(version: str) -> dict[str, Any]:
    """Any version that a reader of this one understands."""
    return {"type": "string", "pattern": rf"^{version.split('.')[0]}\.\d+$"}
