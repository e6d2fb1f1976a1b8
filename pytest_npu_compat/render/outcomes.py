"""A judged check as the record that every output is made from."""

from __future__ import annotations

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.judging import Judged
from pytest_npu_compat.gate.loading import Check, ModelChecks
from pytest_npu_compat.gate.outcome import Outcome
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.changes import why_left
from pytest_npu_compat.render.text import explain_failure

__all__ = ["defect", "outcome", "switched_off"]


def outcome(gate_file: str, model: ModelChecks, check: Check, judged: Judged) -> Outcome:
    """The record of a check.

    Args:
        gate_file: Path of the gate file as the reader knows it.
        model: The model and target.
        check: What was demanded of it.
        judged: The verdict.
    """
    result = judged.result
    comparison, gain = result.comparison, result.gain
    metric = METRICS[check.threshold.metric]
    near = [bound.limit for bound in check.threshold.bounds]
    left = comparison.left if comparison is not None and judged.status != "passed" else ()
    return Outcome(
        gate_file=gate_file,
        line=check.line,
        model=model.model,
        target=model.target,
        metric=metric.name,
        status=judged.status,
        message=result.message,
        text=result.message if result.passed else explain_failure(result),
        limit=check.threshold.show(),
        actual=format_value(result.actual, near=near, of=metric.of) if result.actual else None,
        value=result.actual.value if result.actual else None,
        baseline=format_value(result.baseline).split(" (")[0] if result.baseline else None,
        gain=None if gain is None else float(gain),
        cause=comparison.cause if comparison is not None and gain else None,
        regressions=tuple(why_left(change) for change in left),
        waiver=judged.waiver,
    )


def switched_off(gate_file: str, model: ModelChecks, check: Check) -> Outcome:
    """The record of a check of severity ``off``: it is visible, and judges nothing."""
    message = f"{check.threshold.metric} is switched off"
    return Outcome(
        gate_file=gate_file,
        line=check.line,
        model=model.model,
        target=model.target,
        metric=check.threshold.metric,
        status="off",
        message=message,
        text=message,
        limit="off",
    )


def defect(gate_file: str, model: ModelChecks, check: Check, message: str) -> Outcome:
    """The record of a check that could not even be judged because of a defect of this tool."""
    return Outcome(
        gate_file=gate_file,
        line=check.line,
        model=model.model,
        target=model.target,
        metric=check.threshold.metric,
        status="not_analyzable",
        message=message,
        text=message,
        limit=check.threshold.show(),
    )
