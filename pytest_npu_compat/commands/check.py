"""`npu-compat check`: the verdicts of gate files without pytest."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pytest_npu_compat.analysis.comparison import compare
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_RED, UsageError
from pytest_npu_compat.commands.progress import progress
from pytest_npu_compat.gate import finding
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.judging import judge
from pytest_npu_compat.gate.loading import Gate, ModelChecks, load_gate
from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome
from pytest_npu_compat.gate.waiver import today
from pytest_npu_compat.render import outcomes
from pytest_npu_compat.render.outputs import finish
from pytest_npu_compat.render.terminal import run_lines
from pytest_npu_compat.render.words import counted
from pytest_npu_compat.run.analyses import Analyses
from pytest_npu_compat.run.cache import own_directory
from pytest_npu_compat.run_options import OUTPUT_FILES, RunOptions
from pytest_npu_compat.run_record import Record, Scope

__all__ = ["conclude", "find_gates", "output_files", "run"]


def run(arguments: argparse.Namespace) -> int:
    """Judges gate files, prints the verdict, and writes the outputs that were asked for.

    Returns:
        0 if everything was judged and passed, else 1.

    Raises:
        UsageError: A path does not exist, or there is no gate file.
    """
    options = RunOptions(
        strict=arguments.strict,
        strict_waivers=arguments.strict_waivers,
        updating=arguments.update_baseline,
        baseline=Path(arguments.baseline) if arguments.baseline else None,
        files=output_files(arguments),
        github=arguments.github,
        shard=arguments.shard,
    )
    files = [file for path in arguments.gates or ["."] for file in find_gates(Path(path))]
    if not files:
        raise UsageError("no gate file here; write npu-compat.yaml, or let `npu-compat init` do it")
    directory = Path(arguments.cache_dir)
    record = Record(options)
    analyses = Analyses(
        None if arguments.no_cache else partial(own_directory, directory),
        lambda why: record.add_note(Note("cache-not-read", "note", why)),
    )
    read = list(_read(files, record))
    for file, gate in read:
        for model in progress(gate.models, len(gate.models)):
            _judge(record, analyses, file, gate, model)
    if analyses.recalled:
        made = counted(len(analyses.reports), "analysis", "analyses")
        print(f"{len(analyses.recalled)} of {made} from cache (--no-cache makes them again)")
    scope = Scope(
        whole=not arguments.gates and len(read) == len(files),
        project=lambda: finding.find_gates(Path()),
    )
    return conclude(record.close(scope), options)


def conclude(run: GateRun, options: RunOptions) -> int:
    """Writes the outputs that were asked for, prints the verdict, and gives the exit code."""
    run, annotations = finish(run, options.files, os.environ if options.github else None)
    for line in run_lines(run, shutil.get_terminal_size().columns):
        print(line)
    print(annotations, end="")
    return EXIT_OK if run.passed else EXIT_RED


def output_files(arguments: argparse.Namespace) -> dict[str, Path]:
    """Outputs that were asked for, by name of the format."""
    return {
        name: Path(file) for name in OUTPUT_FILES if (file := getattr(arguments, name)) is not None
    }


def find_gates(path: Path) -> Iterator[Path]:
    """A gate file itself, or all gate files below a directory.

    Raises:
        UsageError: There is no such path.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise UsageError(f"there is no {path}")
    yield from finding.find_gates(path)


def _read(files: Sequence[Path], record: Record) -> Iterator[tuple[Path, Gate]]:
    for file in files:
        try:
            gate = load_gate(file, record.options.baseline, use=record.options.baseline_use)
        except GateError as error:
            record.add_note(_broken(file, error))
            continue
        yield file, gate


def _broken(file: Path, error: GateError) -> Note:
    text = error.render(file.as_posix())
    return Note("gate-error", "error", text, file.as_posix(), error.position.line)


def _judge(record: Record, analyses: Analyses, file: Path, gate: Gate, model: ModelChecks) -> None:
    """Analyzes a model, unless all its checks are switched off, and judges it."""
    shown = file.as_posix()
    asked = [check for check in model.checks if check.threshold.severity != "off"]
    for switched_off in (check for check in model.checks if check not in asked):
        record.add(outcomes.switched_off(shown, model, switched_off), file)
    if not asked:
        return
    report = analyses.get(model.request)
    accepted = None if record.options.updating else gate.accepted.get(model.id)
    comparison = compare(accepted, report) if accepted is not None else None
    for one in asked:
        judged = judge(one, report, comparison, today())
        outcome: Outcome = outcomes.outcome(shown, model, one, judged)
        record.add(outcome, file, report, accepted)
