"""`npu-compat report`: models in, the compatibility report out."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_RED, UsageError
from pytest_npu_compat.commands.progress import progress
from pytest_npu_compat.commands.requests import requests
from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.render.analysis_report import analysis_report
from pytest_npu_compat.render.findings import Wanted, find, wanted_excerpts
from pytest_npu_compat.run import AnalysisRequest, analyze
from pytest_npu_compat.run.excerpt import Excerpt, excerpts

__all__ = ["compatibility_report", "run", "today"]


def run(arguments: argparse.Namespace) -> int:
    """Writes the report on models.

    Returns:
        0 if every model could be analyzed, else 1.

    Raises:
        UsageError: The arguments do not make sense, or the file cannot be written.
    """
    asked = requests(arguments, arguments.models)
    try:
        text, complete = compatibility_report(asked, arguments.lang, today())
    except ModelError as error:
        print(f"npu-compat: {error.message} {error.hint}", file=sys.stderr)
        return EXIT_RED
    if not arguments.output:
        sys.stdout.write(text)
    else:
        try:
            Path(arguments.output).write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise UsageError(f"--output {arguments.output!r}: {error.strerror}") from error
    return EXIT_OK if complete else EXIT_RED


def compatibility_report(
    asked: Sequence[AnalysisRequest], language: str = "en", date: str = ""
) -> tuple[str, bool]:
    """Analyzes models and writes the report on them.

    Args:
        asked: At least one model.
        language: ``en`` or ``ko``.
        date: Day of the analysis as YYYY-MM-DD; left out if empty.

    Returns:
        The report in Markdown, and whether every model could be analyzed.
    """
    reports = [analyze(request) for request in progress(asked, len(asked))]
    estimate = any(request.estimate for request in asked)
    findings = find(reports, _excerpts(asked, reports), estimate=estimate)
    return analysis_report(findings, language, date), all(r.analyzed for r in reports)


def today() -> str:
    """The day in UTC; that of SOURCE_DATE_EPOCH, if set, so that a report can be made again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = dt.datetime.now(dt.timezone.utc)
    if epoch.isdecimal():
        now = dt.datetime.fromtimestamp(int(epoch), dt.timezone.utc)
    return now.date().isoformat()


def _excerpts(
    asked: Sequence[AnalysisRequest], reports: Sequence[Report]
) -> Mapping[Wanted, Excerpt]:
    """The IR that the report shows. A model is read again for it, the few that have any."""
    wanted: dict[int, list[Wanted]] = {}
    for item in wanted_excerpts(reports):
        wanted.setdefault(item.model, []).append(item)
    return {
        item: excerpt
        for model, items in wanted.items()
        for item, excerpt in zip(
            items, excerpts(asked[model], [i.operators for i in items]), strict=True
        )
    }
