"""Baselines: reports of an accepted state, checked in beside the gate file.

One line for each figure and each operator, in a fixed order, so that a change of the baseline reads as
a change of the model. Texts that explain reasons are left out: they change with the tool. So are the
constants of estimates that are at their defaults: a gate file that overrides another one is another line.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.names import one_line
from pytest_npu_compat.model.lfs import FETCH, is_pointer

__all__ = [
    "BASELINE_VERSION",
    "BaselineError",
    "baseline_text",
    "parse_baseline",
    "read_baseline",
    "updated",
]

BASELINE_VERSION = 1
MAX_BYTES = 200_000_000

_HINT = "Write it anew with `pytest --npu-update-baseline`."


class BaselineError(ValueError):
    """A baseline that cannot be used.

    Args:
        message: What is wrong.
        hint: What to do.
    """

    def __init__(self, message: str, hint: str = _HINT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def rewritable(self) -> bool:
        """Whether writing it anew is what to do."""
        return self.hint == _HINT


def read_baseline(path: Path) -> dict[str, Report]:
    """Reads a baseline: ``detector[ethos-n78]`` -> report.

    Raises:
        BaselineError: There is no such file, or it is no baseline.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BaselineError(f"{path.name} is larger than {MAX_BYTES // 10**6} MB.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise BaselineError(f"There is no baseline {path.name}.") from None
    except OSError as error:
        raise BaselineError(f"{path.name} cannot be read: {error.strerror}.", "") from error
    return parse_baseline(data, path.name)


def parse_baseline(data: bytes, name: str) -> dict[str, Report]:
    """Reads the content of a baseline.

    Args:
        data: The file's bytes.
        name: Of the file, for errors.

    Raises:
        BaselineError: It is no baseline.
    """
    if is_pointer(data):
        raise BaselineError(f"{name} is a Git LFS pointer.", FETCH)
    if b"\n<<<<<<< " in data or data.startswith(b"<<<<<<< "):
        raise BaselineError(f"{name} has merge conflicts.")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{name} is not JSON: {one_line(error, 200)}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("models"), dict):
        raise BaselineError(f"{name} is not a baseline.")
    version = content.get("version")
    if type(version) is not int or version != BASELINE_VERSION:
        raise BaselineError(
            f"{name} is a baseline of version {one_line(version, 20)}, this tool reads "
            f"{BASELINE_VERSION}."
        )
    try:
        _json(content).encode()  # JSON can spell halves of characters, which no file can hold
        return {key: Report.from_dict(_completed(e)) for key, e in content["models"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{name} is damaged: {one_line(error, 200)}.") from error


def updated(
    old: Mapping[str, Report], judged: Mapping[str, Report], known: Iterable[str] | None
) -> dict[str, Report]:
    """The entries of a new baseline.

    Args:
        old: Entries so far.
        judged: Reports of this run; what could not be analyzed keeps its old entry.
        known: All ids of the gate file after a full run, so that models which are gone are dropped;
            None after a run of a part.
    """
    kept = {key: e for key, e in old.items() if known is None or key in set(known)}
    return {**kept, **{key: report for key, report in judged.items() if report.analyzed}}


def baseline_text(entries: Mapping[str, Report]) -> str:
    """The content of a baseline file: sorted, the same entries give the same bytes."""
    models = [f"{_json(key)}: {_entry(report)}" for key, report in sorted(entries.items())]
    body = ",\n".join(models)
    return f'{{\n"version": {BASELINE_VERSION},\n"models": {{\n{body}\n}}\n}}\n'


def _entry(report: Report) -> str:
    data = report.to_dict()
    operators = [_without(o, ("nodes", "composite", "estimate")) for o in data["operators"]]
    for operator in operators:
        operator["reasons"] = [_without(r, ("message", "remedy")) for r in operator["reasons"]]
        operator["hazards"] = [_without(h, ("message", "remedy")) for h in operator["hazards"]]
    heads = [f"  {_json(key)}: {_json(data[key])}" for key in _HEADS]
    metrics = [f"    {_json(name)}: {_json(value)}" for name, value in data["metrics"].items()]
    lines = [
        *heads,
        *([f'  "platform": {_json(_overridden(report))}'] if report.platform else []),
        '  "metrics": {\n' + ",\n".join(metrics) + "\n  }",
        '  "operators": [\n' + ",\n".join(f"    {_json(o)}" for o in operators) + "\n  ]",
    ]
    return "{\n" + ",\n".join(lines) + "\n}"


def _overridden(report: Report) -> dict[str, dict[str, Any]]:
    """The constants of the estimates that are not at their defaults; their texts change with the tool."""
    defaults = _defaults()
    constants = {name: dataclasses.asdict(value) for name, value in report.platform.items()}
    return {
        name: _without(constant, _TEXTS)
        for name, constant in constants.items()
        if _without(constant, _TEXTS) != _without(defaults.get(name, {}), _TEXTS)
    }


def _defaults() -> dict[str, dict[str, Any]]:
    constants = Platform().assumptions()
    return {name: dataclasses.asdict(constant) for name, constant in constants.items()}


_TEXTS = ("meaning", "source")
_HEADS = ("schema_version", "tool", "model", "target")


def _completed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with the parts of a report that a baseline leaves out."""
    empty = {"message": "", "remedy": ""}
    operators = [
        {
            "nodes": [],
            "composite": None,
            **operator,
            "reasons": [{**empty, **reason} for reason in operator["reasons"]],
            "hazards": [{**empty, **hazard} for hazard in operator["hazards"]],
        }
        for operator in entry["operators"]
    ]
    platform = {}
    if "platform" in entry:
        texts = dict.fromkeys(_TEXTS, "")
        given = {name: {**texts, **constant} for name, constant in entry["platform"].items()}
        platform = {**_defaults(), **given}
    return {
        "status": "analyzed",
        "error": None,
        "partitions": [],
        "conversions": {"qdq_pairs": []},
        **entry,
        "operators": operators,
        "platform": platform,
    }


def _without(data: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in keys}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
