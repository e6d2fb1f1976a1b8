"""Estimates of a run: of which models there are some, why not of the others, and what they assume."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from pytest_npu_compat.analysis.costs import Assumption
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.platform import format_assumption
from pytest_npu_compat.render.findings.models import names
from pytest_npu_compat.render.findings.records import (
    Assumed,
    AssumedPlatform,
    EstimateFacts,
    ModelFacts,
)
from pytest_npu_compat.render.findings.values import Prose, Statement, Value, Verbatim

__all__ = ["estimates"]


def estimates(
    reports: Sequence[Report], models: Sequence[ModelFacts], *, asked: bool
) -> EstimateFacts | None:
    """What a page says of estimates; None if there are none and nobody asked for them.

    Args:
        reports: The reports of the run.
        models: The facts of each.
        asked: Whether the run was asked for estimates. A report without any does not tell.
    """
    if not asked and not any(
        r.estimate or m.estimates for r, m in zip(reports, models, strict=True)
    ):
        return None
    reasons: dict[tuple[str, tuple[tuple[str, Value], ...]], list[str]] = {}
    for report, model in zip(reports, models, strict=True):
        if not model.estimates:
            why = _missing(report, asked=asked)
            reasons.setdefault((why.id, tuple(why.values.items())), []).append(model.label.text)
    return EstimateFacts(
        some=any(model.estimates for model in models),
        missing=tuple(
            Statement(id_, {**dict(values), "models": names(labels)})
            for (id_, values), labels in reasons.items()
        ),
        platforms=_platforms(reports, models),
    )


def _missing(report: Report, *, asked: bool) -> Statement:
    """Why there are no estimates of a model."""
    info = report.estimate
    if not report.analyzed:
        return Statement("performance.missing.failed")
    if info is None:
        if not asked:
            return Statement("performance.missing.not_asked")
        return Statement("performance.missing.target", {"target": Verbatim(report.target.name)})
    if info.not_estimable:
        operators: dict[str, Value] = {"operators": names(info.not_estimable)}
        return Statement("performance.missing.operators", operators)
    return Statement("performance.missing.borders")


def _platforms(
    reports: Sequence[Report], models: Sequence[ModelFacts]
) -> tuple[AssumedPlatform, ...]:
    """The machines that are assumed: one, unless the reports come from several runs."""
    found: list[tuple[Mapping[str, Assumption], list[str]]] = []
    for report, model in zip(reports, models, strict=True):
        if not model.estimates or not report.platform:
            continue
        known = next((labels for platform, labels in found if platform == report.platform), None)
        if known is None:
            found.append((report.platform, [model.label.text]))
        else:
            known.append(model.label.text)
    return tuple(
        AssumedPlatform(
            models=names(labels) if len(found) > 1 else names([]),
            constants=tuple(_assumed(name, value) for name, value in platform.items()),
        )
        for platform, labels in found
    )


def _assumed(name: str, value: Assumption) -> Assumed:
    ranged = value.low != value.high
    return Assumed(
        name=Verbatim(name),
        nominal=_end(value, value.nominal),
        low=_end(value, value.low) if ranged else None,
        high=_end(value, value.high) if ranged else None,
        meaning=Prose(value.meaning),
    )


def _end(value: Assumption, number: float) -> Verbatim:
    """One number of a constant with its unit, as gate files write it."""
    return Verbatim(
        format_assumption(dataclasses.replace(value, low=number, nominal=number, high=number))
    )
