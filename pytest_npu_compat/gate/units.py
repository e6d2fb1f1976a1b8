"""Units of metrics: how they are written in gate files and shown in results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from pytest_npu_compat.analysis.report import MetricValue

__all__ = ["UNIT_SCALES", "format_limit", "format_value"]

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
}
"""Unit of a metric -> suffix in a gate file -> factor to the base unit."""


def format_limit(limit: Fraction, unit: str) -> str:
    """A limit as the user would write it."""
    if unit == "ratio":
        return f"{_decimal(limit * 100)}%"
    if unit == "bytes":
        return _bytes(int(limit))
    return _decimal(limit)


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
    if value.unit == "bytes":
        return _bytes(int(value.value))
    return f"{value.value:g}" if value.value < 1e6 else f"{int(value.value)}"


def _percent(exact: Fraction, near: Sequence[Fraction]) -> str:
    """With one decimal, or as many as it takes not to look like a limit that it misses."""
    shown = ""
    for decimals in range(1, 7):
        shown = f"{float(exact * 100):.{decimals}f}"
        if all(exact == limit or Fraction(shown) != limit * 100 for limit in near):
            break
    return f"{shown}%"


def _decimal(value: Fraction) -> str:
    return str(int(value)) if value.denominator == 1 else f"{float(value):g}"


def _bytes(value: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if value >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value} B"
