"""`npu-compat diff`: what changed between two reports, baselines, runs, models or git revisions."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.check import find_gates
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_RED, UsageError
from pytest_npu_compat.commands.progress import progress
from pytest_npu_compat.commands.requests import requests
from pytest_npu_compat.commands.revisions import checked_out, merge_base
from pytest_npu_compat.gate.baseline import BaselineError, parse_baseline
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.comparison import Difference, difference_lines, to_plain
from pytest_npu_compat.run import AnalysisRequest, analyze

__all__ = ["diff_revisions", "diff_sides", "run"]

Reports = Mapping[str, Report]
"""Id of a model on a target -> report."""


def run(arguments: argparse.Namespace) -> int:
    """Compares two files, or the models of gate files between git revisions.

    Returns:
        0 if nothing got worse, else 1.

    Raises:
        UsageError: What is to be compared is not there.
    """
    if arguments.base is not None:
        return diff_revisions(
            arguments.sides, arguments.base, arguments.head, arguments.style, exact=arguments.exact
        )
    if len(arguments.sides) != 2:
        raise UsageError("diff takes two files, or --base REV")
    base, head = requests(arguments, arguments.sides)
    return diff_sides(base, head, arguments.style)


def diff_sides(base: AnalysisRequest, head: AnalysisRequest, style: str) -> int:
    """Compares two files: models, reports, baselines or records of runs.

    Args:
        base: The accepted side; its file may also be JSON.
        head: The side that is judged.
        style: ``text`` or ``json``.

    Returns:
        0 if nothing got worse, else 1.

    Raises:
        UsageError: A file is none of these.
    """
    old, new = _read(base), _read(head)
    if len(old) == len(new) == 1 and not old.keys() & new.keys():
        old = dict(
            zip(new, old.values(), strict=True)
        )  # two files of one model, whatever the names
    return _print([Difference(base.shown_path, head.shown_path, old, new)], style)


def diff_revisions(
    gates: Sequence[str], base: str, head: str | None, style: str, *, exact: bool = False
) -> int:
    """Compares the models of gate files between git revisions.

    Args:
        gates: Gate files or directories; the working directory if there are none.
        base: The revision to compare with; the point where the head left it is taken.
        head: The revision that is judged; the files as they lie here if None.
        style: ``text`` or ``json``.
        exact: Whether to take the base itself.

    Returns:
        0 if nothing got worse, else 1.

    Raises:
        UsageError: There is no such revision or gate file.
    """
    found = [file for path in gates or ["."] for file in find_gates(Path(path))]
    # A gate file may be a symbolic link: the link is what the repository has.
    files = [file.parent.resolve() / file.name for file in found]
    if not files:
        raise UsageError("no gate file here")
    directory = files[0].parent
    from_ = merge_base(base, directory, base if exact else head or "HEAD")
    to = merge_base(head, directory, head) if head else None
    top = from_.top.resolve()
    for file in files:
        if not file.is_relative_to(top):
            raise UsageError(f"{file.name} is not in the git repository {top.name}")
    differences = []
    with checked_out(from_) as old_tree:
        for file in files:
            where = file.relative_to(top)
            old = _judged(old_tree / where, from_.shown)
            if to is None:
                new = _judged(file, "the working tree")
            else:
                with checked_out(to) as new_tree:
                    new = _judged(new_tree / where, to.shown)
            title = f"{where.as_posix()} at {from_.shown}"
            differences.append(Difference(title, to.shown if to else "working tree", old, new))
    return _print(differences, style)


def _print(differences: Sequence[Difference], style: str) -> int:
    if style == "json":
        print(json.dumps([to_plain(d) for d in differences], indent=2, ensure_ascii=False))
    else:
        for difference in differences:
            for line in difference_lines(difference):
                print(line)
    return EXIT_RED if any(difference.worse for difference in differences) else EXIT_OK


def _judged(gate: Path, revision: str) -> Reports:
    """Reports of all models of a gate file; none if the revision does not have the file."""
    if not gate.exists():
        return {}
    try:
        models = load_gate(gate, use="ignore").models
    except GateError as error:
        raise UsageError(f"at {revision}: {error.render(gate.name)}") from error
    return {model.id: analyze(model.request) for model in progress(models, len(models))}


def _read(side: AnalysisRequest) -> Reports:
    path = Path(side.model)
    if path.suffix.lower() not in (".json", ".jsonl"):
        if not path.is_file():
            raise UsageError(f"there is no {side.shown_path}")
        report = analyze(side)
        return {_id(report): report}
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{side.shown_path} cannot be read: {error.strerror}") from error
    try:
        return _parsed(data, path)
    except BaselineError as error:
        raise UsageError(f"{error.message} {error.hint}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{side.shown_path}: {str(error)[:200]}") from error


def _parsed(data: bytes, path: Path) -> Reports:
    if path.suffix.lower() == ".jsonl":
        return _by_id([json.loads(line) for line in data.splitlines() if line.strip()])
    content = json.loads(data)
    if isinstance(content, dict) and "models" in content:
        return parse_baseline(data, path.name)
    if isinstance(content, dict) and "outcomes" in content:
        run = GateRun.from_dict(content)
        return _keyed([(key.split("::", 1)[1], key, report) for key, report in run.reports.items()])
    return _by_id(content if isinstance(content, list) else [content])


def _by_id(contents: Sequence[Any]) -> Reports:
    reports = [Report.from_dict(content) for content in contents]
    return _keyed([(_id(r), f"{r.model.path}[{r.target.name}]", r) for r in reports])


def _keyed(reports: Sequence[tuple[str, str, Report]]) -> Reports:
    """Reports by their first key, or by their second where two of them share the first."""
    count = Counter(key for key, _, _ in reports)
    return {key if count[key] == 1 else longer: report for key, longer, report in reports}


def _id(report: Report) -> str:
    return f"{report.model.name}[{report.target.name}]"
