"""A check of a gate file on a report -> the verdict, waivers and severity included."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date

from pytest_npu_compat.analysis.comparison import Comparison
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.evaluation import CheckResult, evaluate
from pytest_npu_compat.gate.loading import Check
from pytest_npu_compat.gate.outcome import Status

__all__ = ["Judged", "judge"]


@dataclass(frozen=True)
class Judged:
    """The verdict on a check.

    Attributes:
        status: What comes of it.
        result: What was demanded and found.
        waiver: What its waiver says, active or expired; None if it has none or needs none.
    """

    status: Status
    result: CheckResult
    waiver: str | None = None


def judge(check: Check, report: Report, comparison: Comparison | None, day: date) -> Judged:
    """Judges a check that is not switched off.

    Args:
        check: Of the gate file.
        report: Of the model.
        comparison: Of the baseline's report with this one, if the model is in the baseline.
        day: Today, for waivers.
    """
    result = evaluate(check.threshold, report, comparison)
    if result.status == "passed":
        return Judged("passed", result)
    if result.status != "failed":
        return Judged("not_analyzable", result)
    waiver = check.waiver
    if waiver is None:
        return Judged("warned" if check.threshold.severity == "warn" else "failed", result)
    if waiver.active(day):
        return Judged("waived", result, f"waived until {waiver.until}: {waiver.reason}")
    expired = f"its waiver expired on {waiver.until} ({waiver.reason})"
    result = dataclasses.replace(result, message=f"{result.message}; {expired}")
    return Judged("warned" if check.threshold.severity == "warn" else "failed", result, expired)
