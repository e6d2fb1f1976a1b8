"""The typed profile file. Its pydantic models are also the source of the published JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, create_model

from pytest_npu_compat.target.profile.properties import PROPERTIES

__all__ = ["ConditionEntry", "ConditionText", "ProfileFile", "RuleEntry"]

NpuName = Annotated[str, StringConstraints(max_length=60, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


def _whole(value: Any) -> Any:
    """1.0 and true equal 1, and are not what a version looks like."""
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConditionEntry(_Closed):
    """Bounds of a property or attribute.

    Attributes:
        min: Smallest value.
        max: Largest value.
        multiple_of: What the value must be a multiple of.
    """

    min: float | None = None
    max: float | None = None
    multiple_of: int | None = None


ConditionText = bool | int | float | str | list[bool | int | float | str] | ConditionEntry


class _RuleBase(_Closed):
    """One form of an operator that the NPU runs: all conditions must hold.

    Attributes:
        attributes: Conditions on ONNX attributes, by name.
        remedy: What users are told to do if a condition does not hold.
    """

    attributes: dict[str, ConditionText] = Field(default_factory=dict)
    remedy: Sentence | None = None


def _rule_entry() -> type[_RuleBase]:
    """The base with one key for each property."""
    fields: dict[str, Any] = {
        name: (ConditionText | None, Field(default=None, description=known.definition))
        for name, known in PROPERTIES.items()
    }
    made: type[_RuleBase] = create_model(
        "RuleEntry", __base__=_RuleBase, __doc__=_RuleBase.__doc__, **fields
    )
    return made


RuleEntry = _rule_entry()


class ProfileFile(_Closed):
    """A profile: an NPU that its user declares.

    Attributes:
        version: Of this format.
        name: Name of the NPU in reports.
        rules: What the profile follows, e.g. ``ACME SDK 2.1``.
        defaults: Conditions on every operator, unless its own rule has the same key.
        operators: Operator types that the NPU runs, each with one form, several (one must fit), or
            nothing if the defaults say all.
    """

    version: Annotated[Literal[1], BeforeValidator(_whole)]
    name: NpuName
    rules: Sentence
    defaults: RuleEntry | None = None  # type: ignore[valid-type]
    operators: dict[str, RuleEntry | list[RuleEntry] | None] = Field(min_length=1)  # type: ignore[valid-type]
