"""A profile as plain values: which operators an NPU runs, and under which conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_npu_compat.target.profile.condition import Condition

__all__ = ["OperatorRule", "Profile"]


@dataclass(frozen=True)
class OperatorRule:
    """One form of an operator that the NPU runs.

    Attributes:
        conditions: Name of a property (see `properties.py`) and what is allowed of it, in the order
            in which they are reported.
        attributes: Name of an ONNX attribute and what is allowed of it.
        remedy: What users are told to do if a condition does not hold; empty for the general one.
    """

    conditions: tuple[tuple[str, Condition], ...] = ()
    attributes: tuple[tuple[str, Condition], ...] = ()
    remedy: str = ""


@dataclass(frozen=True)
class Profile:
    """An NPU declared by its user.

    Attributes:
        name: Name of the target in reports.
        rules: What the declaration follows, e.g. ``ACME SDK 2.1``.
        operators: Operator type, with its operator set before it if it is not ONNX's own, and the
            forms of it that the NPU runs.
    """

    name: str
    rules: str
    operators: tuple[tuple[str, tuple[OperatorRule, ...]], ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Operator types that the NPU runs in some form."""
        return tuple(kind for kind, _ in self.operators)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Profile:
        """The inverse of `dataclasses.asdict`, also after a trip through JSON."""
        operators = tuple(
            (kind, tuple(_rule(rule) for rule in rules)) for kind, rules in data["operators"]
        )
        return cls(data["name"], data["rules"], operators)


def _rule(data: Mapping[str, Any]) -> OperatorRule:
    return OperatorRule(
        _conditions(data["conditions"]), _conditions(data["attributes"]), data["remedy"]
    )


def _conditions(data: Any) -> tuple[tuple[str, Condition], ...]:
    return tuple(
        (name, Condition(**{**values, "one_of": tuple(values["one_of"])})) for name, values in data
    )
