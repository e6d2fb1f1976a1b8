"""`npu-compat diff`: what changed between two reports, baselines, runs, models or git revisions."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_npu_compat.analysis.pairing import Entry, pair
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.branch import differences
from pytest_npu_compat.commands.errors import EXIT_NOT_COMPARED, EXIT_OK, EXIT_RED, UsageError
from pytest_npu_compat.commands.requests import requests
from pytest_npu_compat.gate.baseline import BaselineError, parse_baseline
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.model.lfs import FETCH, is_pointer
from pytest_npu_compat.render.comparison import Difference, difference_lines, to_plain
from pytest_npu_compat.run import AnalysisRequest, analyze

__all__ = ["run"]

Reports = Mapping[str, Report]
"""Id of a model on a target -> report."""


def run(arguments: argparse.Namespace) -> int:
    """Compares two files, or the models of gate files between git revisions.

    Returns:
        0 if everything was compared and nothing got worse, 1 if something got worse or is gone, else 2.

    Raises:
        UsageError: What is to be compared is not there.
    """
    gone_is_worse = not arguments.allow_gone
    if arguments.base is not None:
        found = differences(
            arguments.sides,
            arguments.base,
            arguments.head,
            exact=arguments.exact,
            gone_is_worse=gone_is_worse,
        )
    elif len(arguments.sides) == 2:
        base, head = requests(arguments, arguments.sides)
        found = [_sides(base, head, gone_is_worse=gone_is_worse)]
    else:
        raise UsageError("diff takes two files, or --base REV")
    return _print(found, arguments.style)


def _sides(base: AnalysisRequest, head: AnalysisRequest, *, gone_is_worse: bool) -> Difference:
    """Compares two files: models, reports, baselines or records of runs.

    Args:
        base: The accepted side; its file may also be JSON.
        head: The side that is judged.
        gone_is_worse: Whether a model that is gone has to be looked at.

    Raises:
        UsageError: A file is none of these.
    """
    old, new = _read(base), _read(head)
    before = [Entry("", key, report) for key, report in old.items()]
    after = [Entry("", key, report) for key, report in new.items()]
    one_each = len(before) == len(after) == 1  # two files of one model, whatever the names
    pairs = {0: 0} if one_each else pair(before, after)
    again = {after[i].id: before[j] for i, j in pairs.items()}
    was = {key: entry.id for key, entry in again.items() if entry.id != key}
    found = {entry.id for entry in again.values()}
    gone = {key: report for key, report in old.items() if key not in found}
    return Difference(
        base.shown_path,
        head.shown_path,
        {**{key: entry.report for key, entry in again.items()}, **gone},
        new,
        was={} if one_each else was,
        gone_is_worse=gone_is_worse,
    )


def _print(found: Sequence[Difference], style: str) -> int:
    if style == "json":
        print(json.dumps([to_plain(d) for d in found], indent=2, ensure_ascii=False))
    else:
        for number, difference in enumerate(found):
            if number:
                print()
            for line in difference_lines(difference):
                print(line)
    if any(difference.worse for difference in found):
        return EXIT_RED
    return EXIT_NOT_COMPARED if any(difference.not_compared for difference in found) else EXIT_OK


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
    if is_pointer(data):
        raise UsageError(f"{side.shown_path} is a Git LFS pointer. {FETCH}")
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
