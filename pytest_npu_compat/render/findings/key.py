"""The key findings: the few sentences that a hurried reader takes along."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_npu_compat.analysis.report import ASSUMED_INT8
from pytest_npu_compat.render.findings.comparison import fraction
from pytest_npu_compat.render.findings.models import names
from pytest_npu_compat.render.findings.records import Cause, Comparison, ModelFacts, Placed
from pytest_npu_compat.render.findings.values import Listed, Statement, Value

__all__ = ["key_findings"]

MAX_EXCHANGES = 3


def key_findings(
    models: Sequence[ModelFacts], causes: Sequence[Cause], comparison: Comparison | None
) -> tuple[Statement, ...]:
    """What the run says at a glance, every figure of it measured."""
    analyzed = [(model, model.placed) for model in models if model.placed]
    failed = [model for model in models if not model.placed]
    found = []
    if analyzed:
        found += _overall(analyzed)
        found += _exchanges(comparison)
        found += _cause(causes, sum(placed.off for _, placed in analyzed))
        found += _islands([placed for _, placed in analyzed])
        found += _functions(analyzed)
        found += _doubts(analyzed)
        found += _forecast([model for model, _ in analyzed])
    if failed:
        values: dict[str, Value] = {
            "count": len(failed),
            "models": names(m.label.text for m in failed),
        }
        found.append(Statement("key.failed", values))
    return tuple(found)


def _overall(analyzed: Sequence[tuple[ModelFacts, Placed]]) -> list[Statement]:
    ordered = sorted(analyzed, key=lambda item: fraction(item[1].npu))
    (worst, low), (_, high) = ordered[0], ordered[-1]
    found = []
    if len(analyzed) == 1:
        found.append(Statement("key.single", {"model": worst.label, "npu": low.npu}))
    elif fraction(low.npu) == 1:
        found.append(Statement("key.all", {"count": len(analyzed)}))
    elif fraction(low.npu) == fraction(high.npu):
        found.append(Statement("key.equal", {"count": len(analyzed), "npu": low.npu}))
    else:
        best = names(m.label.text for m, p in analyzed if fraction(p.npu) == fraction(high.npu))
        least = names(m.label.text for m, p in analyzed if fraction(p.npu) == fraction(low.npu))
        values: dict[str, Value] = {"best": best, "high": high.npu, "worst": least, "low": low.npu}
        found.append(Statement("key.range", values))
    with_macs = [(model, placed.macs) for model, placed in analyzed if placed.macs]
    if with_macs:
        model, macs = min(with_macs, key=lambda item: fraction(item[1]))
        if fraction(macs) == 1:
            found.append(Statement("key.all_macs", {"count": len(with_macs)}))
        else:
            found.append(Statement("key.macs", {"model": model.label, "macs": macs}))
    return found


def _exchanges(comparison: Comparison | None) -> list[Statement]:
    found = []
    for exchange in comparison.exchanges[:MAX_EXCHANGES] if comparison else ():
        values: dict[str, Value] = {
            "before": exchange.before,
            "after": exchange.after,
            "old": exchange.old,
            "new": exchange.new,
            "count": exchange.count,
        }
        for figure in exchange.figures:
            name = figure.label.id.removeprefix("metric.")
            if name in ("npu", "partitions", "islands"):
                values |= {f"{name}_before": figure.before, f"{name}_after": figure.after}
        found.append(Statement("key.exchange", values))
    return found


def _cause(causes: Sequence[Cause], off: int) -> list[Statement]:
    """The most frequent cause, or all that are as frequent."""
    if not causes:
        return []
    cause = causes[0]
    first = [other for other in causes if other.operators == cause.operators]
    if len(first) > 1:
        named = [Statement("cause.named", {"rule": c.rule, "kinds": c.kinds}) for c in first]
        tied: dict[str, Value] = {
            "causes": Listed(tuple(named)),
            "operators": cause.operators,
            "off": off,
        }
        return [Statement("key.causes", tied)]
    values: dict[str, Value] = {
        "off": off,
        "kinds": cause.kinds,
        "rule": cause.rule,
        "message": cause.message,
    }
    if cause.operators == off:
        return [Statement("key.cause.only", values)]
    return [Statement("key.cause", {**values, "operators": cause.operators})]


def _islands(placed: Sequence[Placed]) -> list[Statement]:
    islands = sum(p.islands for p in placed)
    if not islands:
        return [Statement("key.no_islands", {"count": len(placed)})]
    values = {
        "islands": islands,
        "calls": sum(p.conversion_operators for p in placed),
        "cpu": sum(p.cpu_islands for p in placed),
        "models": sum(bool(p.islands) for p in placed),
    }
    return [Statement("key.islands", values)]


def _functions(analyzed: Sequence[tuple[ModelFacts, Placed]]) -> list[Statement]:
    differing = sum(fraction(p.functions) != fraction(p.npu) for _, p in analyzed)
    if not differing:
        return []
    return [Statement("key.functions", {"count": differing, "models": len(analyzed)})]


def _forecast(analyzed: Sequence[ModelFacts]) -> list[Statement]:
    """Float models whose figures hold only if they are quantized as assumed."""
    assumed = names(m.label.text for m in analyzed if m.quantization.text == ASSUMED_INT8)
    return [Statement("key.forecast", {"models": assumed})] if assumed.names else []


def _doubts(analyzed: Sequence[tuple[ModelFacts, Placed]]) -> list[Statement]:
    """What makes the figures less certain than they look."""
    sums = (
        ("key.hazards", sum(p.hazards for _, p in analyzed)),
        ("key.unknown", sum(p.unknown for _, p in analyzed)),
        ("key.estimate_only", sum(p.estimate_only for _, p in analyzed)),
    )
    return [Statement(id_, {"count": count}) for id_, count in sums if count]
