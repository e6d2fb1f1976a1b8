"""What a run of gates gave: every check with its verdict, and the reports they were judged on.

The record of a run is what every output is made from, whether the run was pytest's, that of
``npu-compat check``, or several merged ones.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pytest_npu_compat.analysis.checked import checked
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import Report

__all__ = [
    "RUN_SCHEMA_VERSION",
    "GateRun",
    "Note",
    "Outcome",
    "Status",
    "in_note_order",
    "in_order",
    "merge",
    "not_collected",
]

RUN_SCHEMA_VERSION = "1.1"

Part = TypeVar("Part")

Status = Literal["passed", "failed", "waived", "warned", "off", "not_analyzable"]
"""``failed`` and ``not_analyzable`` fail the build."""

RED: tuple[Status, ...] = ("failed", "not_analyzable")


@dataclass(frozen=True)
class Outcome:
    """One check of a run.

    Attributes:
        gate_file: Path of the gate file, relative to where the run was started.
        line: Of the threshold in the gate file, counted from 1.
        model: Name of the model, as in ids.
        target: Name of the target, as in ids.
        metric: Name of the metric.
        status: What came out.
        message: One line: the verdict.
        text: The whole text of a failure; equal to `message` if there is no more to say.
        limit: What was demanded, e.g. ``≥ 96%``.
        actual: What was found, e.g. ``97.4% (152/156 operators)``; None if there is no value.
        value: What was found, in the metric's base unit; None if there is no value.
        baseline: The baseline's value as text; None without one.
        gain: By how much the value is better than the baseline's, in the metric's base unit;
            negative if it is worse, None without a baseline.
        cause: What changed although the model file did not, e.g. versions of the rules.
        regressions: Operators that left the NPU since the baseline, as ``name: why``.
        waiver: Reason and date of an active or expired waiver; None without one.
    """

    gate_file: str
    line: int
    model: str
    target: str
    metric: str
    status: Status
    message: str
    text: str
    limit: str
    actual: str | None = None
    value: float | None = None
    baseline: str | None = None
    gain: float | None = None
    cause: str | None = None
    regressions: tuple[str, ...] = ()
    waiver: str | None = None

    @property
    def key(self) -> str:
        """Key of its report in `GateRun.reports`: ``npu-compat.yaml::detector[ethos-n78]``."""
        return f"{self.gate_file}::{self.model}[{self.target}]"

    @property
    def id(self) -> str:
        """As in test ids: ``npu-compat.yaml::detector[ethos-n78]::npu_ratio``."""
        return f"{self.key}::{self.metric}"

    @property
    def red(self) -> bool:
        """Whether it fails the build."""
        return self.status in RED


@dataclass(frozen=True)
class Note:
    """Something about a run that a reader must see although no check says it.

    Attributes:
        kind: What it is about, e.g. ``unused-waiver``.
        level: ``note`` or ``error``; an error fails the build.
        message: One line.
        gate_file: Where it belongs; empty if to no gate file.
        line: In the gate file, counted from 1; 0 for all of it.
    """

    kind: str
    level: Literal["note", "error"]
    message: str
    gate_file: str = ""
    line: int = 0


@dataclass(frozen=True)
class GateRun:
    """A run of one or more gates.

    Attributes:
        outcomes: Checks in the order of `in_order`.
        reports: What was judged, by `Outcome.key`.
        baselines: What it was compared with, by `Outcome.key`; only the models that have a baseline.
        notes: What else a reader must see.
        shard: What the run is called among the parts of a whole; empty if it is no part.
    """

    outcomes: tuple[Outcome, ...] = ()
    reports: Mapping[str, Report] = field(default_factory=dict)
    baselines: Mapping[str, Report] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    shard: str = ""

    @property
    def passed(self) -> bool:
        """Whether something was judged, and nothing of it fails the build."""
        errors = any(note.level == "error" for note in self.notes)
        return bool(self.outcomes) and not errors and not any(o.red for o in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values: the same run gives the same bytes."""
        return {
            "schema_version": RUN_SCHEMA_VERSION,
            "passed": self.passed,
            "outcomes": [
                {**dataclasses.asdict(o), "regressions": list(o.regressions)} for o in self.outcomes
            ],
            "reports": {key: report.to_dict() for key, report in self.reports.items()},
            "baselines": {key: report.to_dict() for key, report in self.baselines.items()},
            "notes": [dataclasses.asdict(note) for note in self.notes],
            **({"shard": self.shard} if self.shard else {}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GateRun:
        """The inverse of `to_dict`.

        Raises:
            ValueError: `data` is not a run of this major schema version.
        """
        if not isinstance(data, Mapping) or "outcomes" not in data:
            raise ValueError("not the record of a run")
        version = str(data.get("schema_version", ""))
        if version.split(".")[0] != RUN_SCHEMA_VERSION.split(".")[0]:
            raise ValueError(f"run schema {version or 'missing'} is not {RUN_SCHEMA_VERSION}")
        try:
            return cls(
                tuple(_read(Outcome, o) for o in data["outcomes"]),
                {key: Report.from_dict(r) for key, r in data["reports"].items()},
                {key: Report.from_dict(r) for key, r in data["baselines"].items()},
                tuple(_read(Note, note) for note in data["notes"]),
                _text(data.get("shard", "")),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not the record of a run: {error}") from error


def in_order(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """By gate file, model, target, and the order of the metrics table."""
    rank = {name: index for index, name in enumerate(METRICS)}
    return tuple(
        sorted(
            outcomes,
            key=lambda o: (o.gate_file, o.model, o.target, rank.get(o.metric, len(rank)), o.metric),
        )
    )


def in_note_order(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Errors first, then by place; each once."""
    return tuple(
        sorted(
            dict.fromkeys(notes),
            key=lambda n: (n.level != "error", n.gate_file, n.line, n.kind, n.message),
        )
    )


def merge(runs: Iterable[GateRun]) -> GateRun:
    """One run from the shards of a run. A check that several shards judged counts once, the worst.

    Args:
        runs: The shards, in any order: the result is the same.
    """
    shards = list(runs)
    outcomes = _worst(
        ((o.id, o) for run in shards for o in run.outcomes),
        lambda o: (_BADNESS.index(o.status), repr(o)),
    )
    judged = {outcome.gate_file for outcome in outcomes.values()}
    reports, baselines = (
        _worst(((key, r) for side in sides for key, r in side.items()), _report_badness)
        for sides in ([run.reports for run in shards], [run.baselines for run in shards])
    )
    return GateRun(
        in_order(outcomes.values()),
        reports,
        baselines,
        in_note_order(
            _of_a_part(note, run, outcomes)
            for run in shards
            for note in run.notes
            if not_collected(note) not in judged
        ),
    )


def not_collected(note: Note) -> str | None:
    """The gate file of which a note says that the run left it out; None if it says something else."""
    return note.gate_file if note.kind == "not-collected" else None


def _of_a_part(note: Note, run: GateRun, outcomes: Mapping[str, Outcome]) -> Note:
    """What a shard says of itself, so that it is true of the whole."""
    if note.kind != "nothing-judged" or not outcomes:
        return note
    name = f"part {run.shard}" if run.shard else "one of the merged runs"
    return replace(note, message=f"{name} judged nothing: see its selection")


_BADNESS: tuple[Status, ...] = ("off", "passed", "warned", "waived", "failed", "not_analyzable")


def _worst(items: Iterable[tuple[str, Part]], badness: Callable[[Part], Any]) -> dict[str, Part]:
    """Of several values of a key the worst; by key."""
    found: dict[str, Part] = {}
    for key, item in items:
        if key not in found or badness(item) > badness(found[key]):
            found[key] = item
    return dict(sorted(found.items()))


def _report_badness(report: Report) -> tuple[bool, str]:
    return not report.analyzed, json.dumps(report.to_dict(), sort_keys=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _read(kind: type[Part], data: Mapping[str, Any]) -> Part:
    return checked(kind, {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()})
