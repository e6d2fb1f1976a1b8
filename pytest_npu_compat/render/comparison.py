"""What changed between two states of models, as text and as JSON."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_npu_compat.analysis.comparison import Comparison, MetricChange, OperatorChange, compare
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.changes import section
from pytest_npu_compat.render.names import clean

__all__ = ["Difference", "difference_lines", "to_plain"]


@dataclass(frozen=True)
class Difference:
    """Two states of a set of models.

    Attributes:
        base: What the accepted state is called.
        head: What the state that is judged is called.
        old: Reports of the base, by ``detector[ethos-n78]``, which is the head's name of a model that
            was found again under another one.
        new: Reports of the head.
        was: Head's name of such a model -> what the base calls it.
        moved: Base's name of a model -> what it is now, in another gate file.
        vanished: Whether the head does not have the gate file any more.
        gone_is_worse: Whether a model that is gone has to be looked at.
    """

    base: str
    head: str
    old: Mapping[str, Report]
    new: Mapping[str, Report]
    was: Mapping[str, str] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
    vanished: bool = False
    gone_is_worse: bool = True

    @functools.cached_property
    def comparisons(self) -> Mapping[str, Comparison]:
        """Of the models that both have."""
        return {key: compare(self.old[key], self.new[key]) for key in self.new if key in self.old}

    @property
    def worse(self) -> bool:
        """Whether an operator left the NPU, a metric got worse, or a model cannot be analyzed or is gone.

        Nobody can say that a model which nothing judges any more is as good as it was.
        """
        return (
            any(c.left or any(m.worse for m in c.metrics) for c in self.comparisons.values())
            or any(not report.analyzed for report in self.new.values())
            or (self.gone_is_worse and bool(self.gone))
        )

    @property
    def gone(self) -> tuple[str, ...]:
        """Models that only the base has."""
        return tuple(key for key in self.old if key not in self.new)

    @property
    def not_compared(self) -> tuple[str, ...]:
        """Models that both have, but of which the base's cannot be analyzed."""
        return tuple(key for key, c in self.comparisons.items() if not c.base.analyzed)


def difference_lines(difference: Difference) -> Iterator[str]:
    """The difference as text: models that changed, then those that came, went or stayed."""
    yield f"{clean(difference.base, 200)} -> {clean(difference.head, 200)}"
    same = [key for key, c in difference.comparisons.items() if c.unchanged and c.head.analyzed]
    for key, comparison in difference.comparisons.items():
        if key not in same:
            yield ""
            yield _named(difference, key)
            yield from (f"  {line}".rstrip() for line in _model(comparison))
    for key, report in difference.new.items():
        if key not in difference.old:
            yield ""
            yield f"{clean(key)}: new, {_summary(report)}"
    for key in difference.gone:
        yield ""
        yield f"{clean(key)}: gone"
    for key, now in difference.moved.items():
        yield ""
        yield f"{clean(key)}: moved to {clean(now, 200)}"
    if same:
        yield ""
        yield f"unchanged: {', '.join(_named(difference, key) for key in same)}"


def _named(difference: Difference, key: str) -> str:
    """``unet[ethos-n78] (was net[ethos-n78])``."""
    was = difference.was.get(key)
    return f"{clean(key)} (was {clean(was, 200)})" if was else clean(key)


def _model(comparison: Comparison) -> Iterator[str]:
    for side, report in (("before", comparison.base), ("now", comparison.head)):
        if report.error is not None:
            yield f"{side} not analyzable: {report.error.code}: {clean(report.error.message, 500)}"
            if side == "before" and report.error.code == "lfs-pointer":
                yield "  what to do: git lfs fetch origin, with the base's revision"
            elif report.error.hint:
                yield f"  what to do: {clean(report.error.hint, 500)}"
    if not comparison.base.analyzed:
        yield "nothing was compared"
    if not (comparison.base.analyzed and comparison.head.analyzed):
        return
    if comparison.cause:
        yield f"the model file is the same; {clean(comparison.cause, 500)}"
    width = max((len(change.name) for change in comparison.metrics), default=0)
    for change in comparison.metrics:
        figures = f"{_value(change.before)} -> {_value(change.after)}"
        yield f"{change.name.ljust(width)}  {figures}  {change.verdict}"
    yield from section("left the NPU:", comparison.left)
    yield from section("new, and not on the NPU:", comparison.off_npu)
    yield from section("came to the NPU:", comparison.joined)
    added = len(comparison.added) - len(comparison.off_npu)
    counts = ((added, "new on the NPU"), (len(comparison.removed), "gone"))
    counted = [f"{count} {what}" for count, what in counts if count]
    counted += [f"{len(comparison.renamed)} renamed"] if comparison.renamed else []
    if counted:
        yield ""
        yield f"operators: {', '.join(counted)}"


def _value(value: MetricValue | None) -> str:
    return "none" if value is None else format_value(value)


def _summary(report: Report) -> str:
    if report.error is not None:
        return f"not analyzable: {report.error.code}: {clean(report.error.message, 500)}"
    ratio = report.metrics.get("npu_ratio")
    return f"npu_ratio {_value(ratio)}"


def to_plain(difference: Difference) -> dict[str, Any]:
    """JSON-able values."""
    return {
        "base": difference.base,
        "head": difference.head,
        "worse": difference.worse,
        "models": {key: _plain(c) for key, c in difference.comparisons.items()},
        "new": [key for key in difference.new if key not in difference.old],
        "gone": list(difference.gone),
        "was": dict(difference.was),
        "moved": dict(difference.moved),
        "vanished": difference.vanished,
        "not_compared": list(difference.not_compared),
    }


def _plain(comparison: Comparison) -> dict[str, Any]:
    return {
        "unchanged": comparison.unchanged,
        "status": [comparison.base.status, comparison.head.status],
        "cause": comparison.cause,
        "metrics": {change.name: _metric(change) for change in comparison.metrics},
        "left": [_operator(change) for change in comparison.left],
        "joined": [_operator(change) for change in comparison.joined],
        "added": [_operator(change) for change in comparison.added],
        "removed": [_operator(change) for change in comparison.removed],
        "renamed": [_operator(change) for change in comparison.renamed],
    }


def _metric(change: MetricChange) -> dict[str, Any]:
    return {
        "before": change.before.value if change.before else None,
        "after": change.after.value if change.after else None,
        "unit": METRICS[change.name].unit,
        "worse": change.worse,
        "verdict": change.verdict,
    }


def _operator(change: OperatorChange) -> dict[str, Any]:
    reasons = change.after.reasons if change.after else ()
    return {
        "before": change.before.name if change.before else None,
        "after": change.after.name if change.after else None,
        "differences": [list(item) for item in change.differences],
        "rule": reasons[0].rule if reasons else None,
    }
