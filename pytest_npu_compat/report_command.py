"""The `npu-compat report` command: models in, the compatibility report out."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_npu_compat.analysis.report import Report
    from pytest_npu_compat.render.findings import Wanted
    from pytest_npu_compat.run import AnalysisRequest
    from pytest_npu_compat.run.excerpt import Excerpt

__all__ = ["compatibility_report", "today"]


def compatibility_report(
    requests: Sequence[AnalysisRequest], language: str = "en", date: str = ""
) -> tuple[str, bool]:
    """Analyzes models and writes the report on them.

    Args:
        requests: At least one model.
        language: ``en`` or ``ko``.
        date: Day of the analysis as YYYY-MM-DD; left out if empty.

    Returns:
        The report in Markdown, and whether every model could be analyzed.
    """
    from pytest_npu_compat.render.analysis_report import analysis_report
    from pytest_npu_compat.render.findings import find
    from pytest_npu_compat.run import analyze

    reports = [analyze(request) for request in requests]
    findings = find(reports, _excerpts(requests, reports))
    return analysis_report(findings, language, date), all(r.analyzed for r in reports)


def today() -> str:
    """The day in UTC; that of SOURCE_DATE_EPOCH, if set, so that a report can be made again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    now = dt.datetime.now(dt.timezone.utc)
    if epoch.isdecimal():
        now = dt.datetime.fromtimestamp(int(epoch), dt.timezone.utc)
    return now.date().isoformat()


def _excerpts(
    requests: Sequence[AnalysisRequest], reports: Sequence[Report]
) -> Mapping[Wanted, Excerpt]:
    """The IR that the report shows. A model is read again for it, the few that have any."""
    from pytest_npu_compat.render.findings import wanted_excerpts
    from pytest_npu_compat.run.excerpt import excerpts

    wanted: dict[int, list[Wanted]] = {}
    for item in wanted_excerpts(reports):
        wanted.setdefault(item.model, []).append(item)
    return {
        item: excerpt
        for model, items in wanted.items()
        for item, excerpt in zip(
            items, excerpts(requests[model], [i.operators for i in items]), strict=True
        )
    }
