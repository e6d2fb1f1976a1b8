"""``">= 96%"`` -> Threshold."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.errors import ThresholdError
from pytest_npu_compat.gate.kinds import Kinds, parse_kinds
from pytest_npu_compat.gate.units import (
    UNIT_SCALES,
    format_change,
    format_limit,
    format_number,
)

__all__ = [
    "Bound",
    "Drift",
    "Threshold",
    "ThresholdError",
    "example",
    "parse_threshold",
]

SEVERITIES = ("error", "warn", "off")
DRIFT_KEYS = {"up": "max_drop", "down": "max_rise"}
"""Better direction of a metric -> key of the largest change for the worse."""
KINDS_METRIC = "cpu_operators"
"""The metric whose threshold can also say which kinds are meant."""

_COMPARISONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_SHOWN = {">=": "≥", "<=": "≤", "==": "exactly", ">": ">", "<": "<"}
_QUANTITY = re.compile(
    r"\s*(?P<op>>=|<=|==|=|>|<|≥|≤)?\s*(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*(?P<unit>[A-Za-zµ%×]*)\s*"
)


@dataclass(frozen=True)
class Bound:
    """One comparison that must hold.

    Attributes:
        comparison: ``>=``, ``<=``, ``==``, ``>`` or ``<``.
        limit: In the metric's base unit (a ratio of 96% is 24/25).
    """

    comparison: str
    limit: Fraction

    def holds(self, value: Fraction) -> bool:
        """Whether a value satisfies it."""
        return _COMPARISONS[self.comparison](value, self.limit)

    def can_hold(self, unit: str) -> bool:
        """Whether any value in this unit satisfies it; none is negative, no ratio is above 100%."""
        lowest = self.comparison == "<" and self.limit <= 0
        return not lowest and not (unit == "ratio" and self.comparison == ">" and self.limit >= 1)

    def can_fail(self, unit: str) -> bool:
        """Whether any value in this unit does not satisfy it."""
        lowest = self.comparison == ">=" and self.limit <= 0
        return not lowest and not (unit == "ratio" and self.comparison == "<=" and self.limit >= 1)

    def show(self, unit: str) -> str:
        """As in failure texts: ``≥ 96%``."""
        return f"{_SHOWN[self.comparison]} {format_limit(self.limit, unit)}"


@dataclass(frozen=True)
class Drift:
    """By how much a metric may be worse than the baseline.

    Attributes:
        limit: In the metric's base unit (0.5 percentage points are 1/200).
        better: The metric's better direction: ``up`` if it must not drop, else ``down``.
    """

    limit: Fraction
    better: str

    def can_fail(self, unit: str) -> bool:
        """Whether a change in this unit can be larger."""
        return unit != "ratio" or self.limit < 1

    def allowed(self, unit: str) -> str:
        """The limit as the user would write it: ``0.5pp``."""
        if unit == "ratio":
            return format_change(self.limit, unit)
        return format_limit(self.limit, unit)

    def show(self, unit: str) -> str:
        """As in failure texts: ``at most 0.5pp below the baseline``."""
        where = "below" if self.better == "up" else "above"
        return f"at most {self.allowed(unit)} {where} the baseline"


@dataclass(frozen=True)
class Threshold:
    """What a gate file demands of one metric.

    Attributes:
        metric: Name of the metric.
        bounds: All must hold.
        severity: ``error``, ``warn`` or ``off``.
        kinds: Of ``cpu_operators`` alone: which kinds may be among them.
        drift: How much worse than the baseline it may be; None if that is not demanded.
    """

    metric: str
    bounds: tuple[Bound, ...]
    severity: str = "error"
    kinds: Kinds | None = None
    drift: Drift | None = None

    def show(self) -> str:
        """As in failure texts: ``≥ 96%``."""
        unit = METRICS[self.metric].unit
        limits = [bound.show(unit) for bound in self.bounds]
        limits += [self.kinds.show()] if self.kinds else []
        limits += [self.drift.show(unit)] if self.drift else []
        return " and ".join(limits)


def parse_threshold(metric: str, raw: Any) -> Threshold:
    """Reads a threshold in its short form (``">= 96%"``, ``0``) or long form (a mapping).

    Args:
        metric: Name of an existing metric.
        raw: The value in the gate file.

    Raises:
        ThresholdError: It is not a threshold on this metric.
    """
    if isinstance(raw, dict):
        threshold = _parse_mapping(metric, raw)
    elif raw is False or raw == "off":  # YAML reads a bare `off` as false
        return Threshold(metric, (), "off")
    else:
        threshold = Threshold(metric, (_parse_bound(metric, raw, default="=="),))
    _refuse_decided(threshold)
    return threshold


def _refuse_decided(threshold: Threshold) -> None:
    """A threshold whose outcome is known before any model is looked at is a slip of the pen."""
    metric, unit = METRICS[threshold.metric], METRICS[threshold.metric].unit
    for bound in threshold.bounds:
        if not bound.can_hold(unit):
            limit = format_limit(bound.limit, unit)
            raise ThresholdError(
                f"{metric.name} is never {bound.comparison} {limit}, so nothing can pass.",
                f'Write "{bound.comparison}= {limit}".',
            )
    parts = (*threshold.bounds, *((threshold.drift,) if threshold.drift else ()))
    if parts and not threshold.kinds and not any(part.can_fail(unit) for part in parts):
        raise ThresholdError(
            f"{threshold.show()} is true of any {metric.name}, so nothing can fail.",
            f'Write, say, "{example(metric.name)}"; `off` removes a check.',
        )


def _parse_mapping(metric: str, raw: dict[str, Any]) -> Threshold:
    kinds = ("allow", "deny") if metric == KINDS_METRIC else ()
    drift = DRIFT_KEYS[METRICS[metric].better]
    known = ("min", "max", "exactly", drift, *kinds, "severity")
    unknown = [key for key in raw if key not in known]
    if unknown and unknown[0] in DRIFT_KEYS.values():
        raise ThresholdError(
            f"{metric} gets worse in the other direction than {unknown[0]} says.",
            f"Write {drift}.",
        )
    if unknown:
        raise ThresholdError(
            f"A threshold on {metric} has no key {unknown[0]!r}.",
            f"Keys are {', '.join(known[:-1])} and severity.",
        )
    severity = raw.get("severity", "error")
    # YAML reads a bare `off` as false.
    severity = "off" if severity is False else severity
    if severity not in SEVERITIES:
        raise ThresholdError(
            f"{severity!r} is no severity.", f"Write one of {', '.join(SEVERITIES)}."
        )
    bounds = tuple(
        _parse_bound(metric, raw[key], only=comparison)
        for key, comparison in (("min", ">="), ("max", "<="), ("exactly", "=="))
        if key in raw
    )
    only = parse_kinds(raw) if "allow" in raw or "deny" in raw else None
    allowed = _parse_drift(metric, drift, raw[drift]) if drift in raw else None
    if not bounds and only is None and allowed is None and severity != "off":
        raise ThresholdError(
            "The threshold sets no bound.", f"Give it min, max, exactly or {drift}."
        )
    limits = {bound.comparison: bound.limit for bound in bounds}
    if ">=" in limits and "<=" in limits and limits[">="] > limits["<="]:
        raise ThresholdError("min is above max, so nothing can pass.", "Exchange the two.")
    if "==" in limits and len(bounds) > 1:
        raise ThresholdError("exactly excludes min and max.", "Keep one of them.")
    return Threshold(metric, bounds, severity, only, allowed)


def _parse_drift(metric: str, key: str, raw: Any) -> Drift:
    """A change: percentage points for ratios, else the metric's own unit."""
    unit, better = METRICS[metric].unit, METRICS[metric].better
    change = {"ratio": "0.5pp", "count": "2", "bytes": "10 kB"}.get(unit, format_change(1, unit))
    number = str(raw) if type(raw) in (int, float) and unit != "ratio" else raw
    match = _QUANTITY.fullmatch(number) if isinstance(number, str) and len(number) <= 60 else None
    if match is None or match["op"] or Fraction(match["number"]) < 0:
        raise ThresholdError(f"{raw!r} is no {key} of {metric}.", f"Write, say, {key}: {change}.")
    if unit != "ratio":
        return Drift(_scaled(metric, unit, str(raw), match["number"], match["unit"], ""), better)
    if match["unit"] != "pp":
        raise ThresholdError(
            f"{raw!r} leaves open what it is a part of: a ratio changes by percentage points.",
            f"Write {key}: {match['number']}pp.",
        )
    if Fraction(match["number"]) > 100:
        raise ThresholdError(f"A ratio changes by at most 100pp; {raw!r} is more.", "")
    return Drift(_scaled(metric, unit, str(raw), match["number"], "%", ""), better)


def _parse_bound(metric: str, raw: Any, *, default: str = "==", only: str = "") -> Bound:
    unit = METRICS[metric].unit
    better = METRICS[metric].better
    written = f'Write, say, "{example(metric)}".'
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ThresholdError(f"{raw!r} is no limit for {metric}.", written)
    if not isinstance(raw, str):
        if unit == "ratio":
            raise ThresholdError(
                f"{raw} has no unit, and {metric} is a ratio.",
                _ratio_hint(Fraction(str(raw)), "" if only else ">="),
            )
        if "" not in UNIT_SCALES[unit] or (METRICS[metric].estimated and not only):
            raise ThresholdError(f"{raw} says too little of {metric}.", written)
        if isinstance(raw, float) and not raw.is_integer():
            raise ThresholdError(f"{metric} is a whole number, {raw} is not.", "")
        if raw < 0:
            raise ThresholdError(f"{metric} is never negative, {raw} is.", "")
        return Bound(only or default, Fraction(int(raw)))
    match = _QUANTITY.fullmatch(raw) if len(raw) <= 60 else None
    if match is None:
        raise ThresholdError(f"{raw[:60]!r} is no limit for {metric}.", written)
    comparison = {"≥": ">=", "≤": "<=", "=": "=="}.get(match["op"] or "", match["op"] or "")
    if comparison and only:
        raise ThresholdError(
            f"{raw!r} has a comparison, which min, max and exactly already say.",
            "Leave the sign out.",
        )
    sign = "" if only else comparison or ">="
    limit = _scaled(metric, unit, raw, match["number"], match["unit"], sign)
    if not comparison and not only and unit == "ratio":
        shown = format_limit(limit, unit)
        floor = f'">= {shown}" (or "== {shown}")' if limit else f'"== {shown}"'
        raise ThresholdError(
            f"{raw!r} does not say whether more or less is meant.", f"Write {floor}."
        )
    if not comparison and not only and METRICS[metric].estimated:
        raise ThresholdError(
            f"{raw!r} does not say whether more or less is meant; an estimate is never exact.",
            f'Write "{"<=" if better == "down" else ">="} {raw.strip()}".',
        )
    return Bound(only or comparison or default, limit)


def _scaled(metric: str, unit: str, raw: str, number: str, suffix: str, sign: str) -> Fraction:
    scales = UNIT_SCALES[unit]
    if unit == "ratio" and not suffix:
        raise ThresholdError(
            f"{raw!r} has no unit, and {metric} is a ratio.", _ratio_hint(Fraction(number), sign)
        )
    if not suffix and suffix not in scales:
        raise ThresholdError(
            f"{raw!r} has no unit, and {metric} needs one.", f'Write, say, "{example(metric)}".'
        )
    if suffix not in scales:
        known = ", ".join(repr(s) for s in scales if s) or "none"
        raise ThresholdError(
            f"{suffix!r} is no unit of {metric}.",
            f"Units: {known}; bare numbers have none." if "" in scales else f"Units: {known}.",
        )
    value = Fraction(number) * scales[suffix]
    if unit == "ratio" and not 0 <= value <= 1:
        raise ThresholdError(f"A ratio lies between 0% and 100%; {number}% does not.", "")
    if unit != "ratio" and value < 0:
        raise ThresholdError(f"{metric} is never negative, {number} is.", "")
    if unit in ("count", "bytes") and value.denominator != 1:
        raise ThresholdError(f"{metric} is a whole number, {number} {suffix} is not.", "")
    return value


def _ratio_hint(number: Fraction, sign: str) -> str:
    percent = number * 100 if 0 <= number <= 1 else number
    shown = f"{format_number(percent)}%" if 0 <= percent <= 100 else "96%"
    bound = Bound(sign or "==", Fraction(percent) / 100)
    if not bound.can_hold("ratio") or not bound.can_fail("ratio"):
        shown = "96%"  # an example that can pass and fail
    return f'Write "{sign} {shown}".' if sign else f"Write {shown}."


def example(metric: str) -> str:
    """A threshold on a metric that makes sense, as one writes it: ``>= 96%``."""
    unit, better = METRICS[metric].unit, METRICS[metric].better
    number = {"ratio": "96%", "bytes": "2 MB", "ms": "50 ms", "x": "4x"}.get(unit, "3")
    return f"{'>=' if better == 'up' else '<='} {number}"
