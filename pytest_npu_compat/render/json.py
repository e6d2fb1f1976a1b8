"""Reports as JSON and JSON lines: deterministic, one layout for both."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.outcome import GateRun

__all__ = ["run_to_json", "to_json", "to_jsonl"]


def to_json(reports: Sequence[Report]) -> str:
    """One report as an object, several as an array."""
    values = [report.to_dict() for report in reports]
    return json.dumps(values[0] if len(values) == 1 else values, indent=2, ensure_ascii=False)


def to_jsonl(reports: Sequence[Report]) -> str:
    """One report per line."""
    return "\n".join(json.dumps(report.to_dict(), ensure_ascii=False) for report in reports)


def run_to_json(run: GateRun) -> str:
    """The record of a run; `npu-compat merge` and `npu-compat diff` read it."""
    return json.dumps(run.to_dict(), ensure_ascii=False, indent=1) + "\n"
