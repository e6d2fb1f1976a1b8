"""The end of a pytest run: what was seen of checks becomes the record and its outputs.

Imported when there is something to say: a run without gate files does not pay for it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.collection import relative
from pytest_npu_compat.gate.outcome import RED, GateRun, Note, Outcome
from pytest_npu_compat.render.outputs import finish
from pytest_npu_compat.run_record import Record, Scope

if TYPE_CHECKING:
    from pytest_npu_compat.missed import Missed
    from pytest_npu_compat.run_options import RunOptions

__all__ = ["Seen", "close"]


@dataclass(frozen=True)
class Seen:
    """What the process that reports has seen of a run.

    Attributes:
        root: What node ids are relative to.
        start: Where the run was started.
        checks: Node id -> what a check said of itself.
        broken: Node id -> error of a gate file, or around a check.
        gates: Gate files that were collected.
        stray: Names of those that were not.
        missed: Checks that were collected and not judged.
        distrusted: Why results of earlier runs were not read; empty if they were.
        green: Whether pytest itself has seen no failure.
    """

    root: Path
    start: Path
    checks: Mapping[str, Mapping[str, Any]]
    broken: Mapping[str, str]
    gates: Sequence[Path]
    stray: Sequence[str]
    missed: Sequence[Missed]
    distrusted: str
    green: bool


def close(
    seen: Seen,
    options: RunOptions,
    *,
    whole: bool,
    filtered: bool,
    named: bool,
    project: Callable[[], Iterable[Path]],
) -> tuple[GateRun, str]:
    """Makes the record of a run, and writes the outputs that were asked for.

    Args:
        seen: What was seen of it.
        options: What the command line says of it.
        whole: See `Scope`, as for the other three.
        filtered: Whether checks were left out.
        named: Whether the run was given nothing but files by name.
        project: Finds all gate files of the project.

    Returns:
        The record, and annotations for GitHub.
    """
    record = Record(options)
    for value in seen.checks.values():
        plain = value["outcome"]
        outcome = Outcome(**{**plain, "regressions": tuple(plain["regressions"])})
        reports = [
            Report.from_dict(json.loads(value[key])) if key in value else None
            for key in ("report", "accepted")
        ]
        record.add(outcome, Path(value["path"]), *reports)
    broken = {(seen.root / id_.split("::")[0]).resolve() for id_ in seen.broken}
    for path in seen.gates:
        if path.resolve() not in broken:
            record.add_gate(relative(path, seen.start), path)
    for note in _notes(seen, strict=options.strict):
        record.add_note(note)
    missed: dict[str, list[str]] = {}
    for some in seen.missed:
        missed.setdefault(relative(seen.root / some.file, seen.start), []).extend(some.names)
    run = record.close(Scope(whole, filtered, named, project, missed))
    return finish(run, options.files, os.environ if options.github else None)


def _notes(seen: Seen, *, strict: bool) -> list[Note]:
    found = []
    if seen.distrusted:
        found.append(Note("cache-not-read", "note", seen.distrusted))
    for file, text in seen.broken.items():
        place = re.match(r"(.+?\.ya?ml):(\d+):\d+: ", text)
        shown, line = (place[1], int(place[2])) if place else (file.split("::")[0], 0)
        found.append(Note("gate-error", "error", text, shown, line))
    for file in seen.stray:
        text = f"{file} lies here, but this run did not collect it"
        found.append(Note("not-collected", "error" if strict else "note", text, file))
    for some in seen.missed:
        file = relative(seen.root / some.file, seen.start)
        level: Literal["note", "error"] = "note" if some.reasons and not strict else "error"
        found.append(Note("not-judged", level, f"{file}: {some.text}", file))
    red = [id_ for id_, value in seen.checks.items() if value["outcome"]["status"] in RED]
    if red and seen.green:
        more = f" and {len(red) - 1} more" if len(red) > 1 else ""
        text = (
            f"{red[0]}{more} failed, and pytest was told not to mind (an xfail mark?): use a waiver"
        )
        found.append(Note("excused-elsewhere", "error", text))
    return found
