"""A constraint is one small function; its docstring is the message users read.

The idea is Vela's: the rule, its documentation and its error message are one text, so they cannot
drift apart. ``{allowed}`` in a docstring is replaced by the allowed value.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Broken", "Constraint", "Level", "Violation", "constraint", "verdict", "violations"]

Op = TypeVar("Op")


class Level(str, enum.Enum):
    """What the NPU's compiler says of an operator. Only `SUPPORTED` counts as on the NPU."""

    SUPPORTED = "supported"
    ESTIMATE_ONLY = "estimate-only"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Broken:
    """What a check function returns when its constraint does not hold.

    Attributes:
        actual: The value in the model.
        allowed: The value that would be accepted, where it differs from the constraint's own.
        remedy: What to do, where it differs from the constraint's own.
    """

    actual: str
    allowed: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Violation:
    """A constraint that an operator breaks.

    Attributes:
        rule: Id of the constraint.
        level: What the NPU says of the operator because of it.
        message: The rule, in the user's words.
        actual: The value in the model.
        allowed: The value that would be accepted; empty if none would.
        remedy: What to do about it.
    """

    rule: str
    level: Level
    message: str
    actual: str
    allowed: str
    remedy: str


@dataclass(frozen=True)
class Constraint(Generic[Op]):
    """A rule about operators of type `Op` on an NPU.

    Attributes:
        rule: Id, unique within a target, in kebab case.
        level: The verdict on operators that break it.
        allowed: What is accepted, for all variants.
        remedy: What a user can do.
        source: Where the rule is written in the reference.
        check: Returns `Broken` when the operator breaks the rule.
    """

    rule: str
    level: Level
    allowed: str
    remedy: str
    source: str
    check: Callable[[Op, Any], Broken | None]

    @property
    def message(self) -> str:
        """The rule with its general allowed value."""
        return self._text(self.allowed)

    def _text(self, allowed: str) -> str:
        text = inspect.getdoc(self.check) or self.rule
        return " ".join(text.split("\n\n")[0].split()).replace("{allowed}", allowed)

    def violation(self, op: Op, npu: Any) -> Violation | None:
        """Applies the rule to an operator."""
        broken = self.check(op, npu)
        if broken is None:
            return None
        allowed = broken.allowed or self.allowed
        return Violation(
            rule=self.rule,
            level=self.level,
            message=self._text(allowed),
            actual=broken.actual,
            allowed=allowed,
            remedy=broken.remedy or self.remedy,
        )


def constraint(
    rule: str,
    *,
    source: str,
    remedy: str,
    allowed: str = "",
    level: Level = Level.UNSUPPORTED,
) -> Callable[[Callable[[Op, Any], Broken | None]], Constraint[Op]]:
    """Turns a check function into a `Constraint`; its docstring becomes the message."""

    def decorate(check: Callable[[Op, Any], Broken | None]) -> Constraint[Op]:
        if not check.__doc__:
            raise TypeError(f"constraint {rule} has no docstring, which is its message")
        return Constraint(rule, level, allowed, remedy, source, check)

    return decorate


def violations(op: Op, npu: Any, constraints: Sequence[Constraint[Any]]) -> tuple[Violation, ...]:
    """All constraints that an operator breaks, in the order the reference checks them.

    Later checks may presuppose earlier ones (a height needs a rank), so a check that cannot be
    computed after another one failed is skipped.
    """
    found: list[Violation] = []
    for rule in constraints:
        try:
            violation = rule.violation(op, npu)
        except (IndexError, KeyError, ValueError, ZeroDivisionError):
            if not found:
                raise
            continue
        if violation is not None:
            found.append(violation)
    return tuple(found)


def verdict(found: Sequence[Violation]) -> Level:
    """The level of the first broken constraint, as the reference stops there."""
    return found[0].level if found else Level.SUPPORTED
