"""Threshold x Report (x baseline) -> CheckResult."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from pytest_npu_compat.analysis.comparison import Comparison
from pytest_npu_compat.analysis.metrics import METRICS, Metric
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.names import one_line
from pytest_npu_compat.gate.threshold import Threshold
from pytest_npu_compat.gate.units import format_change, format_value

__all__ = ["CheckResult", "evaluate", "offending_kinds"]


@dataclass(frozen=True)
class CheckResult:
    """One threshold on one model for one target.

    Attributes:
        threshold: What was demanded.
        report: What was judged.
        status: ``passed``, ``failed`` or ``not_analyzable``.
        message: One line: the verdict.
        actual: The metric's value, None if there is none.
        comparison: With the baseline; None if the model is not in it.
    """

    threshold: Threshold
    report: Report
    status: str
    message: str
    actual: MetricValue | None
    comparison: Comparison | None = None

    @property
    def passed(self) -> bool:
        """Whether the threshold holds. What could not be judged has not passed."""
        return self.status == "passed"

    @property
    def baseline(self) -> MetricValue | None:
        """The metric's value in the baseline, None if there is none."""
        if self.comparison is None:
            return None
        return self.comparison.base.metrics.get(self.threshold.metric)

    @property
    def gain(self) -> Fraction | None:
        """By how much the metric is better than in the baseline; None if that cannot be said."""
        if self.actual is None or self.baseline is None:
            return None
        change = _exact(self.actual) - _exact(self.baseline)
        return change if METRICS[self.threshold.metric].better == "up" else -change


def evaluate(
    threshold: Threshold, report: Report, comparison: Comparison | None = None
) -> CheckResult:
    """Judges a report by a threshold.

    A model that could not be analyzed fails, and so does a metric that could not be computed: green
    means judged and passed. A drift is judged only where there is something to compare with.

    Args:
        threshold: What is demanded.
        report: Of the model.
        comparison: Of the baseline's report with this one, if the model is in the baseline.
    """
    metric = METRICS[threshold.metric]
    if report.error is not None or not report.analyzed:
        code = report.error.code if report.error else "unknown"
        text = report.error.message if report.error else "no reason was recorded"
        message = f"{metric.name} not judged: {code}: {text}"
        return CheckResult(threshold, report, "not_analyzable", one_line(message), None)
    value = report.metrics.get(threshold.metric)
    if value is None:
        message = one_line(f"{metric.name} not judged: {_missing(metric, report)}")
        return CheckResult(threshold, report, "not_analyzable", message, None)
    result = CheckResult(threshold, report, "passed", "", value, comparison)
    exact = _exact(value)
    broken = [bound for bound in threshold.bounds if not bound.holds(exact)]
    drifted = _drifted(result)
    offending = offending_kinds(threshold, report)
    shown = format_value(value, near=[bound.limit for bound in threshold.bounds], of=metric.of)
    if offending and not broken and not drifted:
        assert threshold.kinds is not None
        shown, limits = f"include {offending}", f"allowed {threshold.kinds.show()}"
    else:
        demanded = broken or ([] if drifted else threshold.bounds)
        limits = " and ".join(bound.show(metric.unit) for bound in demanded)
        kinds = threshold.kinds.show() if threshold.kinds and not drifted else ""
        limits = f"required {limits or kinds}" if limits or kinds else ""
    parts = [limits, _compared(result, drifted=drifted)]
    message = ", ".join([f"{metric.name} {shown}", *(part for part in parts if part)])
    status = "failed" if broken or drifted or offending else "passed"
    return CheckResult(threshold, report, status, one_line(message), value, comparison)


def offending_kinds(threshold: Threshold, report: Report) -> str:
    """Operators that a threshold forbids on the CPU, as ``3 MaxPool, 1 Slice``; empty if none."""
    kinds = threshold.kinds
    if kinds is None:
        return ""
    found = Counter(o.kind for o in report.operators if kinds.offends(o))
    return ", ".join(f"{count} {kind}" for kind, count in found.most_common())


def _missing(metric: Metric, report: Report) -> str:
    """Why a report of an analyzed model lacks a metric."""
    if not metric.estimated:
        return "the model has nothing to divide by"
    if report.estimate is None:
        return "the report was made without estimates, or its target has no model of costs"
    unknown = report.estimate.not_estimable
    if not unknown:
        return "there is nothing to estimate"
    more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    return (
        f"the cost of {', '.join(unknown[:3])}{more} cannot be told: a shape or what it computes is "
        "not known before run time"
    )


def _exact(value: MetricValue) -> Fraction:
    if value.denominator:
        return Fraction(value.numerator or 0, value.denominator)
    return Fraction(value.value)


def _drifted(result: CheckResult) -> bool:
    drift, gain = result.threshold.drift, result.gain
    return drift is not None and gain is not None and -gain > drift.limit


def _compared(result: CheckResult, *, drifted: bool) -> str:
    """What the baseline says, in a few words; empty if there is none and none was asked for."""
    metric, drift = METRICS[result.threshold.metric], result.threshold.drift
    if result.comparison is None:
        return "not compared: not in the baseline" if drift else ""
    if result.baseline is None or result.gain is None:
        return f"not compared: the baseline has no {metric.name}" if drift else ""
    before = format_value(result.baseline).split(" (")[0]
    if not result.gain:
        return "unchanged since the baseline"
    change = format_change(abs(result.gain), metric.unit)
    rose = (result.gain > 0) == (metric.better == "up")
    text = f"{change} {'above' if rose else 'below'} the baseline's {before}"
    if drifted and drift is not None:
        text += f" ({drift.allowed(metric.unit)} allowed)"
    if result.comparison.cause:
        text += f"; the model file is the same, {result.comparison.cause}"
    return text
