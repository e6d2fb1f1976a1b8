"""What a profile allows of one property: ``"<= 7"``, ``[1, 2]``, ``{min: 8, multiple_of: 8}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["EXAMPLES", "Condition", "ConditionError", "Scalar", "parse_condition"]

Scalar: TypeAlias = bool | int | float | str

_COMPARISON = re.compile(r"(<=|>=|==)\s*(-?\d+(?:\.\d+)?)")
_SPAN = re.compile(r"(-?\d+)\s*\.\.\s*(-?\d+)")
EXAMPLES = 'Write a value, [1, 2], "<= 7", "1..7" or {min: 1, max: 7}'
"""What a condition looks like."""

_KEYS = ("min", "max", "multiple_of")


class ConditionError(ValueError):
    """Something that is no condition; the message says what to write."""


@dataclass(frozen=True)
class Condition:
    """Allowed values of one property. All that is given must hold.

    Attributes:
        min: Smallest value.
        max: Largest value.
        multiple_of: What the value must be a multiple of.
        one_of: The only values; empty if any value within the other bounds will do.
    """

    min: float | None = None
    max: float | None = None
    multiple_of: int | None = None
    one_of: tuple[Scalar, ...] = ()

    def accepts(self, value: Scalar) -> bool:
        """Whether a value is allowed; text is never within bounds."""
        if self.one_of:
            return any(_equal(value, allowed) for allowed in self.one_of)
        if isinstance(value, str):
            return False
        return (
            (self.min is None or value >= self.min)
            and (self.max is None or value <= self.max)
            and (self.multiple_of is None or value % self.multiple_of == 0)
        )

    @property
    def text(self) -> str:
        """In words, e.g. ``1 to 7`` or ``one of 1, 2``."""
        if self.one_of:
            values = ", ".join(_show(value) for value in self.one_of)
            return values if len(self.one_of) == 1 else f"one of {values}"
        parts = []
        if self.min is not None and self.max is not None:
            parts.append(f"{_show(self.min)} to {_show(self.max)}")
        elif self.min is not None:
            parts.append(f"at least {_show(self.min)}")
        elif self.max is not None:
            parts.append(f"at most {_show(self.max)}")
        if self.multiple_of is not None:
            parts.append(f"a multiple of {self.multiple_of}")
        return ", ".join(parts)


def parse_condition(value: Any) -> Condition:
    """Reads a condition as written in YAML.

    Args:
        value: A number or word (exactly that), a list (one of those), ``"<= 7"``, ``">= 2"``,
            ``"1..7"``, or a mapping with ``min``, ``max`` and ``multiple_of``.

    Raises:
        ConditionError: It is none of these, or nothing fulfils it.
    """
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list):
        if not value or not all(map(_is_value, value)):
            raise ConditionError("A list names allowed values, e.g. [1, 2]")
        return Condition(one_of=tuple(value))
    if isinstance(value, str):
        if match := _COMPARISON.fullmatch(value.strip()):
            sign, number = match[1], float(match[2])
            if sign == "==":
                return Condition(one_of=(number,))
            return Condition(max=number) if sign == "<=" else Condition(min=number)
        if match := _SPAN.fullmatch(value.strip()):
            return _bounded(Condition(min=float(match[1]), max=float(match[2])))
        if not _is_value(value):
            raise ConditionError(EXAMPLES)
        return Condition(one_of=(value,))
    if isinstance(value, (bool, int, float)):
        return Condition(one_of=(value,))
    raise ConditionError(EXAMPLES)


def _is_value(value: Any) -> bool:
    """Whether something can be equal to a property: a comparison in a list could not."""
    if isinstance(value, str):
        return re.fullmatch(r"\w[\w.+-]*", value) is not None
    return isinstance(value, (bool, int, float))


def _mapping(value: Mapping[Any, Any]) -> Condition:
    for key, number in value.items():
        if key not in _KEYS:
            raise ConditionError(f"There is no bound {key!r}; known: {', '.join(_KEYS)}")
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise ConditionError(f"{key} is a number")
    multiple = value.get("multiple_of")
    if multiple is not None and (not isinstance(multiple, int) or multiple < 1):
        raise ConditionError("multiple_of is a whole number above 0")
    if not value:
        raise ConditionError("An empty mapping allows anything; leave it out")
    return _bounded(Condition(value.get("min"), value.get("max"), multiple))


def _bounded(condition: Condition) -> Condition:
    if condition.min is not None and condition.max is not None and condition.min > condition.max:
        raise ConditionError("The lowest value is above the highest: nothing can be both")
    return condition


def _equal(value: Scalar, allowed: Scalar) -> bool:
    """True is no number here, while 1 and 1.0 are equal."""
    if isinstance(value, (bool, str)) or isinstance(allowed, (bool, str)):
        return type(value) is type(allowed) and value == allowed
    return value == allowed


def _show(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
