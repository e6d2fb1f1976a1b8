"""Whether a profile lets an operator run on its NPU, and which conditions do not hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_npu_compat.model.operator_form import ACTIVATION
from pytest_npu_compat.target.constraint import Level, Violation
from pytest_npu_compat.target.profile.condition import Condition, Scalar
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile
from pytest_npu_compat.target.profile.properties import PROPERTIES, Subject, Values

__all__ = ["judge"]

_OPEN = "not known before run time"


def judge(
    profile: Profile, rules: Sequence[OperatorRule], subject: Subject
) -> tuple[Violation, ...]:
    """Applies the rules of an operator type.

    Args:
        profile: The NPU.
        rules: Forms of the operator that the NPU runs, of which one must fit.
        subject: The operator.

    Returns:
        Nothing if one of the forms fits; else what is wrong with the form that fits best.
    """
    fused = _fused_activation(profile, subject)
    attempts = [(*fused, *_violations(profile, rule, subject)) for rule in rules]
    return min(attempts, key=len)


def _violations(profile: Profile, rule: OperatorRule, subject: Subject) -> list[Violation]:
    found = []
    for name, condition in rule.conditions:
        known = PROPERTIES[name]
        message = f"{known.message(condition)} on {profile.name}."
        values = known.read(subject)
        if not all(value is not None and condition.accepts(value) for value in values):
            remedy = _fixed_shape(values) or rule.remedy or known.remedy
            found.append(
                _violation(
                    name, message, f"{name.replace('_', ' ')} {_show(values)}", condition, remedy
                )
            )
    for name, condition in rule.attributes:
        values = _attribute(subject, name)
        if not all(value is not None and condition.accepts(value) for value in values):
            message = f"The attribute {name} must be {condition.text} on {profile.name}."
            actual = f"{name} {_show(values)}" if values != [None] else f"{name} not set"
            remedy = rule.remedy or f"Change {name} in the model."
            found.append(_violation(f"attribute-{name}", message, actual, condition, remedy))
    return found


def _fused_activation(profile: Profile, subject: Subject) -> tuple[Violation, ...]:
    """An activation that became part of an operator must be an operator of the NPU too."""
    activation = subject.call.attrs.get(ACTIVATION)
    if activation is None or activation in profile.kinds:
        return ()
    condition = Condition(one_of=tuple(sorted({"Clip", "Relu"} & set(profile.kinds))))
    return (
        _violation(
            "fused-activation",
            f"The activation that follows must be one that {profile.name} runs.",
            f"followed by {activation}",
            condition,
            "Use an activation that the NPU has.",
        ),
    )


def _violation(
    rule: str, message: str, actual: str, condition: Condition, remedy: str
) -> Violation:
    return Violation(
        rule.replace("_", "-"), Level.UNSUPPORTED, message, actual, condition.text, remedy
    )


def _attribute(subject: Subject, name: str) -> Values:
    """The values of an attribute; each element of a list counts."""
    value: Any = subject.call.attrs.get(name)
    values: list[Scalar | None] = list(value) if isinstance(value, (tuple, list)) else [value]
    return values


def _fixed_shape(values: Values) -> str:
    """The remedy for a dimension that is not known: another value cannot be chosen for it."""
    return "Export the model so that its shape does not depend on data." if None in values else ""


def _show(values: Values) -> str:
    shown = [_OPEN if value is None else str(value) for value in values]
    separator = "x" if all(isinstance(value, int) for value in values) else ", "
    return separator.join(dict.fromkeys(shown) if separator == ", " else shown)
