"""`npu-compat merge`: one verdict from the records of several runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_npu_compat.commands.check import print_run
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_RED, UsageError
from pytest_npu_compat.gate.outcome import GateRun, Note, in_note_order, merge
from pytest_npu_compat.render.outputs import finish

__all__ = ["merge_runs", "read_run"]


def merge_runs(paths: Sequence[str], expected: int | None, files: Mapping[str, Path]) -> int:
    """Merges records, prints the verdict, and writes the outputs that were asked for.

    Args:
        paths: Records that runs wrote with ``--npu-json`` or ``--json``.
        expected: How many there must be; None if that is not known.
        files: Outputs to write, by name of the format.

    Returns:
        0 if everything was judged and passed, else 1.

    Raises:
        UsageError: A file is no record.
    """
    run = merge([read_run(Path(path)) for path in paths])
    here = len({Path(path).resolve() for path in paths})
    if expected is not None and here != expected:
        text = f"{here} of {expected} shards are here: what the others judged is not known"
        note = Note("missing-shard", "error", text)
        run = replace(run, notes=in_note_order([*run.notes, note]))
    run = finish(run, files)
    print_run(run)
    return EXIT_OK if run.passed else EXIT_RED


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
