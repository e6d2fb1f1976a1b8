"""Units of metrics: how they are written in gate files and shown in results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from pytest_npu_compat.analysis.report import MetricValue

__all__ = ["UNIT_SCALES", "format_change", "format_limit", "format_number", "format_value"]

MAX_DECIMALS = 100

UNIT_SCALES: Mapping[str, Mapping[str, Fraction]] = {
    "ratio": {"%": Fraction(1, 100)},
    "count": {"": Fraction(1)},
    "bytes": {
        "": Fraction(1),
        "B": Fraction(1),
        "kB": Fraction(10**3),
        "KB": Fraction(10**3),
        "MB": Fraction(10**6),
        "GB": Fraction(10**9),
        "KiB": Fraction(2**10),
        "MiB": Fraction(2**20),
        "GiB": Fraction(2**30),
    },
    "ms": {
        "ms": Fraction(1),
        "s": Fraction(10**3),
        "us": Fraction(1, 10**3),
        "µs": Fraction(1, 10**3),
    },
    "x": {"x": Fraction(1), "×": Fraction(1)},
}
"""Unit of a metric -> suffix in a gate file -> factor to the base unit."""

_SUFFIXES = {"ms": " ms", "x": "×"}


def format_limit(limit: Fraction, unit: str) -> str:
    """A limit as the user would write it."""
    if unit == "ratio":
        return f"{format_number(limit * 100)}%"
    if unit == "bytes":
        return _exact_bytes(int(limit))
    if unit in _SUFFIXES:
        return f"{format_number(limit)}{_SUFFIXES[unit]}"
    return format_number(limit)


def format_change(change: Fraction | int, unit: str) -> str:
    """By how much two values differ: ``0.5pp`` for ratios, else in the metric's own unit."""
    if unit == "count":
        return format_number(Fraction(change))
    if unit != "ratio":
        return _plain(MetricValue(float(change), unit), ())
    exact = Fraction(change) * 100
    for decimals in (1, 2, 4, 8):
        if shown := Fraction(_rounded(exact, decimals)):
            return f"{format_number(shown)}pp"
    return f"{float(exact):.1g}pp" if exact else "0pp"


def format_value(value: MetricValue, near: Sequence[Fraction] = (), of: str = "") -> str:
    """A value with what it was computed from: ``91.7% (55/60 operators)``.

    Args:
        value: The value.
        near: Limits from which the shown figure must be distinguishable.
        of: What a ratio counts.
    """
    if value.unit == "ratio" and value.denominator:
        exact = Fraction(value.numerator or 0, value.denominator)
        counted = f"{value.numerator}/{value.denominator} {of}".rstrip()
        return f"{_percent(exact, near)} ({counted})"
    if value.low is not None and value.high is not None:
        low, high = (_plain(MetricValue(end, value.unit), ()) for end in (value.low, value.high))
        return f"{_plain(value, near)} (an estimate: {low} to {high})"
    return _plain(value, near)


def _plain(value: MetricValue, near: Sequence[Fraction]) -> str:
    if value.unit == "bytes":
        return _bytes(int(value.value), near)
    if value.unit in _SUFFIXES:
        return f"{_decimal(Fraction(value.value), near)}{_SUFFIXES[value.unit]}"
    return f"{value.value:g}" if value.value < 1e6 else f"{int(value.value)}"


def _percent(exact: Fraction, near: Sequence[Fraction]) -> str:
    """With one decimal, or as many as it takes to stand on its side of each limit.

    Nothing and everything are limits too: 9999 of 10000 are not 100.0%.
    """
    shown = ""
    for decimals in range(1, MAX_DECIMALS):
        shown = _rounded(exact * 100, decimals)
        if _faithful(Fraction(shown) / 100, exact, (*near, Fraction(0), Fraction(1))):
            break
    return f"{shown}%"


def _bytes(value: int, near: Sequence[Fraction]) -> str:
    """With four digits, or as many as it takes to stand on its side of each limit."""
    if value in near:
        return _exact_bytes(value)
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value < factor:
            continue
        for decimals in range(max(4 - len(str(value // factor)), 0), 10):
            shown = _rounded(Fraction(value, factor), decimals)
            if _faithful(Fraction(shown) * factor, Fraction(value), near):
                return f"{format_number(Fraction(shown))} {unit}"
    return f"{value} B"


def _decimal(value: Fraction, near: Sequence[Fraction]) -> str:
    """With three digits, or as many as it takes to stand on its side of each limit."""
    whole = len(str(int(value))) if value >= 1 else 0
    for decimals in range(max(3 - whole, 0), MAX_DECIMALS):
        shown = _rounded(value, decimals)
        if _faithful(Fraction(shown), value, near) and (not value or Fraction(shown)):
            break
    return shown


def _faithful(shown: Fraction, exact: Fraction, near: Sequence[Fraction]) -> bool:
    """Whether a rounded figure compares with every limit as the exact one does."""
    return all((shown > limit, shown == limit) == (exact > limit, exact == limit) for limit in near)


def _exact_bytes(value: int) -> str:
    """In the unit that takes the fewest characters, the largest of several: ``2 MB``, ``1 MiB``."""
    scales = {
        unit: factor for unit, factor in UNIT_SCALES["bytes"].items() if unit not in ("", "KB")
    }
    texts = [
        (f"{format_number(value / factor)} {unit}", -factor)
        for unit, factor in scales.items()
        if value >= factor or unit == "B"
    ]
    return min(texts, key=lambda item: (len(item[0]), item[1]))[0]


def format_number(value: Fraction) -> str:
    """All digits of a number that has finitely many decimals."""
    for decimals in range(MAX_DECIMALS):
        if (value * 10**decimals).denominator == 1:
            return _rounded(value, decimals)
    return f"{float(value):g}"


def _rounded(value: Fraction, decimals: int) -> str:
    """As ``format(value, f".{decimals}f")``, without the detour over floats."""
    digits = str(round(abs(value) * 10**decimals)).rjust(decimals + 1, "0")
    sign = "-" if value < 0 else ""
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"
