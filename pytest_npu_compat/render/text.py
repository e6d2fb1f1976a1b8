"""Plain text for terminals and logs: what a failure teaches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import (
    ASSUMED_INT8,
    Conversion,
    OperatorInfo,
    Reason,
    Report,
)
from pytest_npu_compat.gate.evaluation import CheckResult
from pytest_npu_compat.render.changes import since_baseline
from pytest_npu_compat.render.estimates import describe_estimates
from pytest_npu_compat.render.names import clean, without_commands
from pytest_npu_compat.render.words import counted, plural
from pytest_npu_compat.render.wrapping import wrapped

__all__ = ["ISLAND_REMEDY", "NO_CONVERSIONS", "describe", "explain_failure", "group_by_reason"]

ISLAND_REMEDY = (
    "Use an activation with an integer form (ReLU, ReLU6) and quantize again; quantize constants and "
    "every float operator between quantized ones."
)
"""What to do about Q/DQ pairs."""

NO_CONVERSIONS = "conversion-on-cpu"
"""Rule of targets that run float operators only."""

MAX_NAMES = 6
MAX_GROUPS = 12
FORECAST = "A forecast: a float model, judged as if it had been quantized (assume-int8)."


def explain_failure(result: CheckResult) -> str:
    """The text of a failure: the verdict first, then the operators that caused it, by reason."""
    return without_commands("\n".join(_explain(result)).rstrip())


def _explain(result: CheckResult) -> list[str]:
    lines = [result.message]
    report = result.report
    if result.status == "not_analyzable":
        if report.error:
            lines += ["", *wrapped("what to do: ", report.error.hint, indent=2)]
        return lines
    if report.model.quantization == ASSUMED_INT8:
        lines.append(FORECAST)
    if result.comparison is not None:
        lines += since_baseline(result.comparison)
    explained_by = METRICS[result.threshold.metric].explained_by
    if explained_by == "islands":
        lines += ["", *_islands(report)]
    elif explained_by == "hazards":
        lines += ["", *_hazards(report)]
    elif explained_by == "estimates":
        lines += ["", describe_estimates(report)]
    else:
        kinds = result.threshold.kinds
        only = [o for o in report.operators if kinds.offends(o)] if kinds else []
        lines += ["", *_placements(report, only)]
    return lines


def group_by_reason(
    operators: Iterable[OperatorInfo],
) -> list[tuple[str, Reason, list[OperatorInfo]]]:
    """Operators that are not on the NPU by kind and first reason, the most frequent first."""
    groups: dict[tuple[str, str, str], list[OperatorInfo]] = {}
    for operator in operators:
        if operator.placement != "npu" and operator.reasons:
            reason = operator.reasons[0]
            groups.setdefault((operator.kind, reason.rule, reason.message), []).append(operator)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [(key[0], members[0].reasons[0], members) for key, members in ordered]


def _placements(report: Report, only: Sequence[OperatorInfo] = ()) -> list[str]:
    """Operators that are not on the NPU, by reason; `only` some of them if there are any."""
    groups = group_by_reason(only or report.operators)
    if not groups:
        return ["Every operator is on the NPU."]
    off = [o for o in report.operators if o.placement != "npu"]
    unknown = sum(o.placement == "unknown" for o in off)
    estimate = sum(o.supported == "estimate-only" for o in off)
    every = counted(len(report.operators), "operator")
    lines = [f"{len(off)} of {every} {plural(len(off), 'is', 'are')} not on the NPU"]
    if unknown:
        verb = plural(unknown, "it does", "they do")
        lines.append(f"  {unknown} of them unknown: no statement can be made, so {verb} not count")
    if estimate:
        them = plural(estimate, "it", "them")
        lines.append(
            f"  {estimate} of them estimate-only: the NPU's compiler can only estimate {them}"
        )
    for kind, reason, members in groups[:MAX_GROUPS]:
        lines += ["", f"  {len(members)} × {clean(kind, 30)}   [{reason.rule}]"]
        lines += wrapped("", reason.message, indent=4)
        for actual, named in _by_actual(members):
            lines += wrapped("is:  ", clean(actual), indent=4)
            lines += wrapped("at:  ", _names([o.name for o in named]), indent=4)
        if reason.allowed:
            lines += wrapped("allowed: ", reason.allowed, indent=4)
        lines += wrapped("what to do: ", reason.remedy, indent=4)
        more = {r.rule for o in members for r in o.reasons[1:]}
        if more:
            lines += wrapped("also: ", ", ".join(sorted(more)), indent=4)
    if len(groups) > MAX_GROUPS:
        lines += ["", f"  … and {counted(len(groups) - MAX_GROUPS, 'more reason')}"]
    return lines


def _by_actual(members: Sequence[OperatorInfo]) -> list[tuple[str, list[OperatorInfo]]]:
    values: dict[str, list[OperatorInfo]] = {}
    for operator in members:
        values.setdefault(operator.reasons[0].actual, []).append(operator)
    shown = list(values.items())
    if len(shown) <= 4:
        return shown
    rest = [operator for _, named in shown[3:] for operator in named]
    return [*shown[:3], (f"{len(shown) - 3} other values", rest)]


def _islands(report: Report) -> list[str]:
    if not report.qdq_pairs:
        return ["No dequantize/quantize islands."]
    kinds = {operator.name: operator.kind for operator in report.operators}
    groups: dict[tuple[str, str], list[Conversion]] = {}
    for island in report.qdq_pairs:
        groups.setdefault((kinds.get(island.operator, "?"), island.placement), []).append(island)
    lines = ["dequantize -> float -> quantize islands in the integer graph:"]
    for (kind, placement), islands in sorted(groups.items(), key=lambda item: -len(item[1])):
        where = "on the NPU" if placement == "npu" else "on the CPU"
        extra = sum(island.calls for island in islands)
        lines += [
            "",
            f"  {len(islands)} × {clean(kind, 30)} {where}, {counted(extra, 'IR operator')}",
        ]
        lines += wrapped("first: ", " -> ".join(clean(n) for n in islands[0].nodes), indent=4)
        lines += wrapped("at:    ", _names([i.operator for i in islands]), indent=4)
    return [*lines, "", *wrapped("what to do: ", _island_remedy(report), indent=2)]


def _island_remedy(report: Report) -> str:
    """On a target that has no conversions at all, another activation would change nothing."""
    reasons = (reason for operator in report.operators for reason in operator.reasons)
    return next((r.remedy for r in reasons if r.rule == NO_CONVERSIONS), ISLAND_REMEDY)


def _hazards(report: Report) -> list[str]:
    lines = ["accepted by the real stack, then computed wrongly or not built:"]
    for operator in report.operators:
        for hazard in operator.hazards:
            lines += ["", f"  {clean(operator.kind, 30)}   [{hazard.rule}]"]
            lines += wrapped("at:  ", clean(operator.name), indent=4)
            lines += wrapped("", hazard.message, indent=4)
            lines += wrapped("is:  ", clean(hazard.actual), indent=4)
            lines += wrapped("what to do: ", hazard.remedy, indent=4)
    return lines


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, 60) for name in names[:MAX_NAMES])
    return shown if len(names) <= MAX_NAMES else f"{shown} … and {len(names) - MAX_NAMES} more"


def describe(report: Report) -> str:
    """A report in words: what is not on the NPU and why, islands, hazards."""
    return without_commands("\n".join(_describe(report)).rstrip())


def _describe(report: Report) -> list[str]:
    title = f"{clean(report.model.path)} on {report.target.label}"
    if report.error is not None:
        lines = [
            title,
            *wrapped("", clean(f"{report.error.code}: {report.error.message}", 600), indent=2),
        ]
        return [*lines, *wrapped("what to do: ", report.error.hint, indent=2)]
    lines = [title, *(_placements(report))]
    if report.model.quantization == ASSUMED_INT8:
        lines.insert(1, FORECAST)
    if report.qdq_pairs:
        lines += ["", *_islands(report)]
    if any(operator.hazards for operator in report.operators):
        lines += ["", *_hazards(report)]
    return lines
