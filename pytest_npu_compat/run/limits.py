"""How long an analysis may take and how much memory it may use: values, how written, how shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

__all__ = [
    "DEFAULT_LIMITS",
    "Limits",
    "parse_memory",
    "parse_timeout",
    "show_memory",
    "show_timeout",
]

SECONDS: Mapping[str, Fraction] = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
}

BYTES: Mapping[str, int] = {"GB": 10**9, "GiB": 2**30, "MB": 10**6, "MiB": 2**20}
"""In the order in which a size is shown: the first unit of which it is a whole multiple."""

MAX_TIMEOUT = 24 * 3600

MIN_MEMORY = 512 * 10**6
"""An analysis process holds about 220 MB before it reads a model."""

MAX_MEMORY = 10**15

NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
"""How the number of a time or size looks, here and in the JSON Schema of gate files."""

_QUANTITY = re.compile(rf"\s*({NUMBER})\s*([A-Za-z]*)\s*")


@dataclass(frozen=True)
class Limits:
    """What an analysis may use. Limits never change a report, only whether there is one.

    Attributes:
        timeout: Seconds for one model on one target, without the start of the process.
        memory: Bytes that the analysis process may hold; None for as much as the machine has.
    """

    timeout: float = 600.0
    memory: int | None = None


DEFAULT_LIMITS = Limits()


def parse_timeout(text: object) -> float:
    """Seconds of a time such as ``120 s``, ``2 min`` or ``500 ms``.

    Raises:
        ValueError: It is not a time with a unit, or not between 0 and 24 h.
    """
    number, unit = _quantity(text, SECONDS, "A time", "s", "120 s")
    seconds = number * SECONDS[unit]
    if not 0 < seconds <= MAX_TIMEOUT:
        raise ValueError("A timeout is more than 0 s and at most 24 h")
    return float(seconds)


def parse_memory(text: object) -> int:
    """Bytes of a size such as ``4 GB`` or ``512 MiB``.

    Raises:
        ValueError: It is not a size with a unit, or less than an analysis takes for itself.
    """
    number, unit = _quantity(text, BYTES, "A size", "GB", "4 GB")
    size = int(number * BYTES[unit])
    if not MIN_MEMORY <= size <= MAX_MEMORY:
        raise ValueError(
            f"An analysis needs some memory for itself: at least {show_memory(MIN_MEMORY)}"
        )
    return size


def show_timeout(seconds: float) -> str:
    """As a user would write it: ``120 s``."""
    return f"{seconds:g} s"


def show_memory(size: int) -> str:
    """As a user would write it: ``4 GB``, ``1.5 GiB`` as ``1536 MiB``."""
    for unit, factor in BYTES.items():
        if size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size / BYTES['MB']:g} MB"


def _quantity(
    text: object, units: Mapping[str, object], what: str, usual: str, example: str
) -> tuple[Fraction, str]:
    """Number and unit.

    Raises:
        ValueError: The message says what to write.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"{what} is written as {example}")
    match = _QUANTITY.fullmatch(str(text))
    if match is None:
        raise ValueError(f"{what} is written as {example}")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"{what} needs its unit: write, say, {number} {usual}")
    if unit not in units:
        raise ValueError(f"There is no unit {unit!r} here; write {', '.join(units)}")
    return Fraction(number), unit
