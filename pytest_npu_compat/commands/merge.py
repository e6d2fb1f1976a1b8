"""`npu-compat merge`: one verdict from the records of several runs."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from pytest_npu_compat.commands.check import conclude, output_files
from pytest_npu_compat.commands.errors import UsageError
from pytest_npu_compat.gate.outcome import GateRun, Note, in_note_order, merge
from pytest_npu_compat.run_options import RunOptions

__all__ = ["read_run", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Merges records, prints the verdict, and writes the outputs that were asked for.

    Returns:
        0 if everything was judged and passed, else 1.

    Raises:
        UsageError: A file is no record.
    """
    paths, expected = arguments.records, arguments.expect
    merged = merge([read_run(Path(path)) for path in paths])
    here = len({Path(path).resolve() for path in paths})
    if expected is not None and here != expected:
        text = f"{here} of {expected} shards are here: what the others judged is not known"
        note = Note("missing-shard", "error", text)
        merged = replace(merged, notes=in_note_order([*merged.notes, note]))
    return conclude(merged, RunOptions(files=output_files(arguments), github=arguments.github))


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
