"""`npu-compat merge`: one verdict from the records of several runs."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_npu_compat.commands.check import conclude, find_gates, output_files
from pytest_npu_compat.commands.errors import UsageError
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.gate.outcome import GateRun, Note, in_note_order, merge, not_collected
from pytest_npu_compat.run_options import RunOptions
from pytest_npu_compat.run_record import Record, Scope

__all__ = ["read_run", "run"]

OF_THE_WHOLE = ("unused-waiver", "nothing-demanded", "better-than-baseline", "vanished-model")
"""Kinds of notes that a run of a part cannot know, and that the gate files tell anew."""


def run(arguments: argparse.Namespace) -> int:
    """Merges records, prints the verdict, and writes the outputs that were asked for.

    Returns:
        0 if everything was judged and passed, else 1.

    Raises:
        UsageError: A file is no record, or there are no gate files where they should be.
    """
    runs = _distinct([read_run(Path(path)) for path in arguments.records])
    merged = merge(runs)
    options = RunOptions(
        strict=arguments.strict,
        strict_waivers=arguments.strict_waivers,
        files=output_files(arguments),
        github=arguments.github,
    )
    if arguments.gates:
        merged = _with_gates(merged, [Path(path) for path in arguments.gates], options)
    copies = len(arguments.records) - len(runs)
    problems = [*_missing(runs, copies, arguments.expect), *_differing(runs)]
    merged = replace(merged, notes=in_note_order([*merged.notes, *problems]))
    return conclude(merged, options)


def _distinct(runs: Sequence[GateRun]) -> list[GateRun]:
    """Without the copies: the same record under two names is one shard, and another is missing."""
    return list({json.dumps(run.to_dict(), sort_keys=True): run for run in runs}.values())


def _missing(runs: Sequence[GateRun], copies: int, expected: int | None) -> Iterator[Note]:
    found = len(runs)
    if expected is None or found == expected:
        return
    if found > expected:
        text = f"{found} records are here, {expected} were expected: is one of an earlier run?"
        yield Note("missing-shard", "error", text)
        return
    twice = f" ({copies} given twice)" if copies else ""
    text = f"{found} of {expected} shards are here{twice}: what the others judged is not known"
    if copies and any(not run.outcomes and not run.shard for run in runs):
        text += "; parts that judged nothing are told apart by --npu-shard"
    yield Note("missing-shard", "error", text)


def _differing(runs: Sequence[GateRun]) -> Iterator[Note]:
    """Parts of which there are several records: one may stand in for a part that is missing."""
    counts = Counter(run.shard for run in runs if run.shard)
    for shard, count in counts.items():
        if count > 1:
            text = f"{count} records of part {shard} differ: is one of an earlier run?"
            yield Note("missing-shard", "error", text)


def _with_gates(run: GateRun, places: Sequence[Path], options: RunOptions) -> GateRun:
    """The run with what only the gate files say of all shards together.

    Args:
        run: Of all shards.
        places: Gate files, or directories of them, named from where the shards were started.
        options: Say what is an error.

    Raises:
        UsageError: There is no gate file.
    """
    files = {file.as_posix(): file for place in places for file in find_gates(place)}
    if not files:
        raise UsageError("no gate file there; name them as in the shards: --gates .")
    record = Record(options)
    for outcome in run.outcomes:
        key = outcome.key
        file = files.get(outcome.gate_file, Path(outcome.gate_file))
        record.add(outcome, file, run.reports.get(key), run.baselines.get(key))
    judged = {outcome.id for outcome in run.outcomes}
    notes = [
        note
        for note in run.notes
        # What lies at the places and was judged nowhere is told below.
        if note.kind not in OF_THE_WHOLE and not_collected(note) not in files
    ]
    for note in [
        *notes,
        *(n for shown, file in files.items() for n in _unjudged(shown, file, judged)),
    ]:
        record.add_note(note)
    return record.close(Scope(whole=True, project=files.values))


def _unjudged(shown: str, file: Path, judged: set[str]) -> Iterator[Note]:
    """Checks of a gate file that are in no record."""
    try:
        gate = load_gate(file)
    except GateError as error:
        text = error.render(shown).split("\n")[0]
        yield Note("gate-error", "error", text, shown, error.position.line)
        return
    ids = [
        f"{model.id}::{check.threshold.metric}" for model in gate.models for check in model.checks
    ]
    left = [id_ for id_ in ids if f"{shown}::{id_}" not in judged]
    if left:
        more = f" and {len(left) - 3} more" if len(left) > 3 else ""
        text = f"no run judged {len(left)} of {len(ids)} checks: {', '.join(left[:3])}{more}"
        yield Note("not-judged", "error", text, shown)


def read_run(path: Path) -> GateRun:
    """The record of a run.

    Raises:
        UsageError: The file is none.
    """
    try:
        return GateRun.from_dict(json.loads(path.read_bytes()))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {str(error)[:200]}") from error
