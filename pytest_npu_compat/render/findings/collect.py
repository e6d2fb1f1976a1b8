"""Reports -> findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.render.findings.causes import advise, find_causes
from pytest_npu_compat.render.findings.comparison import compare
from pytest_npu_compat.render.findings.estimates import estimates
from pytest_npu_compat.render.findings.islands import Wanted, islands
from pytest_npu_compat.render.findings.key import key_findings
from pytest_npu_compat.render.findings.models import breakdown, facts_of, kind_rows, labels, names
from pytest_npu_compat.render.findings.records import Findings
from pytest_npu_compat.render.findings.values import Verbatim
from pytest_npu_compat.run.excerpt import Excerpt

__all__ = ["find"]


def find(
    reports: Sequence[Report],
    excerpts: Mapping[Wanted, Excerpt] | None = None,
    *,
    estimate: bool = False,
) -> Findings:
    """All that a compatibility report says, computed from the reports of a run.

    Args:
        reports: At least one, in the order of the page.
        excerpts: The IR of what `wanted_excerpts` names; without it the page shows none.
        estimate: Whether estimates were asked for, so that a page says why there are none.

    Raises:
        ValueError: There are no reports.
    """
    if not reports:
        raise ValueError("a compatibility report needs at least one model")
    shown = labels(reports)
    models = tuple(facts_of(report, label) for report, label in zip(reports, shown, strict=True))
    causes = find_causes(reports, shown)
    comparison = compare(reports, models, excerpts or {})
    tool = reports[0].tool
    return Findings(
        tool={
            "version": Verbatim(tool.version),
            "tvm": Verbatim(tool.tvm),
            "rules": Verbatim(tool.rules),
        },
        targets=names(report.target.label for report in reports),
        models=models,
        key=key_findings(models, causes, comparison),
        breakdowns=tuple(
            breakdown(report, label)
            for report, label in zip(reports, shown, strict=True)
            if report.analyzed
        ),
        causes=causes,
        islands=islands(reports, shown, excerpts or {}),
        comparison=comparison,
        kinds=kind_rows([operator for report in reports for operator in report.operators]),
        advice=advise(reports, shown, models),
        estimates=estimates(reports, models, asked=estimate),
    )
