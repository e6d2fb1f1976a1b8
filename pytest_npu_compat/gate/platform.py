"""The constants of estimates as gate files write them: ``clock: 1.25 GHz`` -> Platform, and back."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pytest_npu_compat.analysis.costs import Assumption, Range
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.gate.units import format_number

__all__ = ["ENDS", "QUANTITY", "PlatformError", "format_assumption", "parse_platform"]

UNITS: Mapping[str, Mapping[str, Fraction]] = {
    "Hz": {"GHz": Fraction(10**9), "MHz": Fraction(10**6)},
    "B/s": {"GB/s": Fraction(10**9), "MB/s": Fraction(10**6)},
    "s": {
        "us": Fraction(1, 10**6),
        "µs": Fraction(1, 10**6),
        "ms": Fraction(1, 10**3),
    },
    "ratio": {"%": Fraction(1, 100)},
    "cycles": {"cycles": Fraction(1)},
    "cores": {"cores": Fraction(1)},
    "MAC/cycle": {"MAC/cycle": Fraction(1)},
    "op/cycle": {"op/cycle": Fraction(1)},
    "J": {"pJ": Fraction(1, 10**12), "nJ": Fraction(1, 10**9)},
    "J/B": {"pJ/B": Fraction(1, 10**12), "nJ/B": Fraction(1, 10**9)},
}
"""Base unit -> suffix in a gate file -> factor. The first is the one that values are shown in."""

ENDS = ("low", "nominal", "high")
QUANTITY = r"\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*[A-Za-zµ%/]+\s*"
"""How a value with its unit looks, for the JSON Schema; which unit a constant has is told here."""

_QUANTITY = re.compile(r"\s*(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(?P<unit>[A-Za-zµ%/]*)\s*")
_MAY_BE_ZERO = {"weight_saving", "stripe_overhead", "invocation"}


class PlatformError(ValueError):
    """A constant that cannot be read.

    Args:
        key: The constant, and the end of its range if it is one.
        message: What is wrong.
        hint: What to write instead.
    """

    def __init__(self, key: tuple[str, ...], message: str, hint: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message
        self.hint = hint


def parse_platform(raw: Mapping[str, Any]) -> Platform:
    """Reads the constants that a gate file overrides.

    Args:
        raw: Names of existing constants with their values as written: ``12 GB/s``, or for a constant
            with a range also ``{low: 20 us, nominal: 100 us, high: 500 us}``.

    Raises:
        PlatformError: A value cannot be read.
    """
    defaults = {field.name: field for field in dataclasses.fields(Platform)}
    values: dict[str, float | Range] = {}
    for name, value in raw.items():
        field = defaults[name]
        unit = field.metadata["unit"]
        if isinstance(field.default, Range):
            values[name] = _range(name, value, unit)
        else:
            values[name] = _quantity((name,), value, unit)
    changes: Any = values
    return dataclasses.replace(Platform(), **changes)


def _range(name: str, raw: Any, unit: str) -> Range:
    if not isinstance(raw, Mapping):
        return Range.exactly(_quantity((name,), raw, unit))
    ends = {key: _quantity((name, key), raw[key], unit) for key in ENDS if key in raw}
    if len(ends) < len(ENDS) or len(raw) > len(ENDS):
        example = f"Write {name}: {{low: …, nominal: …, high: …}}, or one value."
        raise PlatformError((name,), "A range has low, nominal and high.", example)
    found = Range(**ends)
    if not found.low <= found.nominal <= found.high:
        raise PlatformError(
            (name,), "A range rises from low over nominal to high.", "Sort its values."
        )
    return found


def _quantity(key: tuple[str, ...], raw: Any, unit: str) -> float:
    scales = UNITS[unit]
    known = next(iter(scales))
    hint = f"Write, say, {key[-1]}: {_example(key[0], unit)}."
    match = _QUANTITY.fullmatch(raw) if isinstance(raw, str) and len(raw) <= 60 else None
    if match is None:
        if isinstance(raw, Mapping):
            raise PlatformError(key, f"{key[0]} is one value, not a range.", hint)
        raise PlatformError(key, f"{raw!r} is no value with the unit {known}.", hint)
    if match["unit"] not in scales:
        units = ", ".join(scales)
        what = f"{match['unit']!r} is no unit of {key[0]}" if match["unit"] else "It has no unit"
        raise PlatformError(key, f"{what}; known: {units}.", hint)
    value = Fraction(match["number"]) * scales[match["unit"]]
    if value == 0 and key[0] not in _MAY_BE_ZERO:
        raise PlatformError(key, f"{key[0]} is more than nothing.", hint)
    if unit == "ratio" and value > 1:
        raise PlatformError(key, f"{key[0]} is at most 100%.", hint)
    return float(value)


def _example(name: str, unit: str) -> str:
    nominal = Platform().assumptions()[name].nominal
    return _show(nominal, unit)


def _show(value: float, unit: str) -> str:
    suffix, factor = next(iter(UNITS[unit].items()))
    number = format_number(Fraction(f"{float(Fraction(value) / factor):.6g}"))
    return f"{number}%" if suffix == "%" else f"{number} {suffix}"


def format_assumption(assumption: Assumption) -> str:
    """A constant as a gate file writes it: ``12 GB/s``, ``100 us (20 us to 500 us)``."""
    nominal, low, high = (
        _show(value, assumption.unit)
        for value in (assumption.nominal, assumption.low, assumption.high)
    )
    return nominal if low == high else f"{nominal} ({low} to {high})"
