"""A run as SARIF 2.1.0, for GitHub's code scanning: a result for each check that is not simply green.

Sources: the OASIS standard, and what GitHub's documentation says of the part it reads and of its limits.
Waived checks are results of level ``note`` with a suppression, since GitHub does not read suppressions.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from pytest_npu_compat import __version__
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome, Status
from pytest_npu_compat.render.names import clean, clean_lines
from pytest_npu_compat.render.notes import placed
from pytest_npu_compat.render.sarif_rules import descriptors, related
from pytest_npu_compat.render.words import counted

__all__ = ["MAX_RELATED", "MAX_RELATED_TOTAL", "MAX_RESULTS", "to_sarif"]

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

MAX_RESULTS = 25_000
"""GitHub refuses a run with more results, and shows the 5,000 most severe."""
MAX_RELATED = 100
"""Locations of a result that GitHub shows; it refuses more than 1,000."""
MAX_RELATED_TOTAL = 50_000
"""Keeps the file below the 10 MB that GitHub takes, compressed."""

_LEVELS: dict[Status, str] = {
    "failed": "error",
    "not_analyzable": "error",
    "warned": "warning",
    "waived": "note",
}
_ORDER = ("error", "warning", "note")


def to_sarif(run: GateRun) -> str:
    """A run as SARIF. It has a result of level ``error`` exactly if the run has not passed.

    Results stand at the threshold in the gate file; the operators that caused them are related
    locations in the model file. Paths are relative to where the run was started, which should be the
    root of the repository; none is absolute. Results above GitHub's limit are left out, the mildest
    first, and a notification says so.
    """
    results = sorted(_results(run), key=lambda result: _ORDER.index(result["level"]))
    kept = results[:MAX_RESULTS]
    trimmed = _trim_related(kept)
    told: list[tuple[str, str]] = [(n.level, placed(n)) for n in run.notes if n.level != "error"]
    if len(results) > len(kept):
        told.append(
            (
                "warning",
                f"{len(results) - len(kept)} of {counted(len(results), 'result')} left out.",
            )
        )
    if trimmed:
        told.append(("note", f"{counted(trimmed, 'related location')} left out."))
    rules = descriptors(run)
    index = {rule["id"]: place for place, rule in enumerate(rules)}
    for result in kept:
        if result["ruleId"] in index:
            result["ruleIndex"] = index[result["ruleId"]]
    notifications = [{"level": level, "message": {"text": _text(text)}} for level, text in told]
    invocation = {
        "executionSuccessful": bool(run.outcomes),
        "toolExecutionNotifications": notifications,
    }
    driver = {
        "name": "npu-compat",
        "semanticVersion": __version__,
        "rules": rules,
    }
    log = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": "npu-compat/"},
                "columnKind": "unicodeCodePoints",
                "invocations": [invocation],
                "results": kept,
            }
        ],
    }
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _results(run: GateRun) -> Iterator[dict[str, Any]]:
    for outcome in run.outcomes:
        if outcome.status in _LEVELS:
            yield _result(run, outcome)
    somewhere = run.outcomes[0].gate_file if run.outcomes else "npu-compat.yaml"
    errors = [note for note in run.notes if note.level == "error"]
    if not run.outcomes:
        errors.append(Note("nothing-judged", "error", "No check was judged."))
    for note in errors:
        yield {
            "ruleId": clean(note.kind) or "error",
            "level": "error",
            "message": {"text": _lines(note.message or note.kind or note.level)},
            # GitHub takes no result without a place.
            "locations": [_place(note.gate_file or somewhere, max(note.line, 1))],
            "partialFingerprints": _fingerprints(f"{note.gate_file}::{note.kind}::{note.message}"),
        }


def _result(run: GateRun, outcome: Outcome) -> dict[str, Any]:
    location = _place(outcome.gate_file, max(outcome.line, 1))
    name = clean(f"{outcome.model}[{outcome.target}]")
    location["logicalLocations"] = [{"name": name, "kind": "module"}]
    left = "".join(f"\nLeft the NPU: {_text(entry)}" for entry in outcome.regressions[:20])
    result: dict[str, Any] = {
        "ruleId": clean(outcome.metric),
        "level": _LEVELS[outcome.status],
        "message": {"text": f"{_text(f'{name}: {outcome.message}')}{left}"},
        "locations": [location],
        "partialFingerprints": _fingerprints(outcome.id),
    }
    report = run.reports.get(outcome.key)
    metric = METRICS.get(outcome.metric)
    if report is not None and metric is not None and report.analyzed:
        uri = _uri(posixpath.join(posixpath.dirname(outcome.gate_file), report.model.path))
        result["relatedLocations"] = [
            {
                "id": number,
                "message": {"text": _text(text)},
                "physicalLocation": {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}},
                "logicalLocations": [{"name": clean(operator), "kind": "operator"}],
            }
            for number, (operator, text) in enumerate(related(metric, report), start=1)
        ]
    if outcome.status == "waived":
        why = clean(outcome.waiver or outcome.message, 1000)
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _trim_related(results: list[dict[str, Any]]) -> int:
    """Cuts related locations to what GitHub takes; returns how many are left out."""
    spare, left_out = MAX_RELATED_TOTAL, 0
    for result in results:
        found = result.get("relatedLocations", [])
        kept = found[: min(MAX_RELATED, spare)]
        spare -= len(kept)
        left_out += len(found) - len(kept)
        if found:
            result["relatedLocations"] = kept
    return left_out


def _place(file: str, line: int) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": _uri(file), "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": line},
        }
    }


def _uri(path: str) -> str:
    """A path below the root of the repository; of one that is not, the file's name alone."""
    normal = posixpath.normpath(path)
    if normal.startswith(("/", "../")) or re.match(r"[A-Za-z]:", normal) or normal in (".", ".."):
        normal = posixpath.basename(normal.replace("\\", "/")).lstrip(".") or "unknown"
    return quote(normal, errors="replace")


def _fingerprints(identity: str) -> dict[str, str]:
    """What tells GitHub that a result is the one of the last run although lines have moved.

    GitHub reads ``primaryLocationLineHash`` alone. Made from the check, not from the line, it also
    keeps apart the models that share a threshold.
    """
    digest = hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:32]
    return {"primaryLocationLineHash": f"{digest}:1", "npuCompatCheck/v1": digest}


def _text(text: str) -> str:
    """Plain text of a message, in which SARIF knows placeholders (``{0}``) and links (``[a](b)``)."""
    return _without_markup(clean(text, 1000)) or "?"


def _lines(text: str) -> str:
    return _without_markup(clean_lines(text, 1000)) or "?"


def _without_markup(plain: str) -> str:
    return plain.replace("{", "{{").replace("}", "}}").replace("](", "] (")
