"""Profile file -> `Profile`. Every error names file, line and column, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_npu_compat.gate.errors import GateError, Position
from pytest_npu_compat.gate.explaining import common_error, nearest, place, telling
from pytest_npu_compat.gate.kinds import OWN_KINDS
from pytest_npu_compat.gate.profile_schema import ConditionEntry, ProfileFile, RuleEntry
from pytest_npu_compat.gate.yaml_tree import YamlTree, parse
from pytest_npu_compat.target.profile.condition import (
    EXAMPLES,
    Condition,
    ConditionError,
    parse_condition,
)
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile
from pytest_npu_compat.target.profile.properties import PROPERTIES
from pytest_npu_compat.target.registry import target_names

__all__ = ["load_profile"]


def load_profile(path: Path) -> Profile:
    """Reads a profile file.

    Raises:
        GateError: It cannot be read or is not a valid profile.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GateError(path, f"Cannot be read: {error.strerror}.", Position(1, 1)) from error
    tree = parse(path, data)
    if not isinstance(tree.value, dict):
        raise tree.error((), "A profile is a mapping.", "Start with `version: 1`.")
    try:
        schema = ProfileFile.model_validate(tree.value)
    except ValidationError as error:
        raise _schema_error(tree, error) from error
    if schema.name in target_names():
        raise tree.error(
            ("name",), f"{schema.name} is a target of its own.", "Give the profile another name."
        )
    return _Reader(tree, schema).run()


def _schema_error(tree: YamlTree, error: ValidationError) -> GateError:
    detail = telling(error)
    where = place(tree.value, detail["loc"])
    if where == ("version",) and detail["type"] != "missing":
        return tree.error(where, "This version reads profiles of version 1.", "`version: 1`")
    if where == ("name",) and detail["type"] == "string_pattern_mismatch":
        return tree.error(
            where, "A name has letters, digits, - and _ only.", "Write, say, acme-npu."
        )
    within = [part for part in where if part in PROPERTIES] or where[-2:-1] == ("attributes",)
    if within and detail["type"] != "extra_forbidden":
        return tree.error(where, "This is no condition.", EXAMPLES)
    return common_error(tree, detail, _known_keys)


def _known_keys(where: tuple[Any, ...]) -> Sequence[str]:
    if len(where) == 1:
        return list(ProfileFile.model_fields)
    if where[-2] in (*PROPERTIES, "attributes") or where[-3:-2] == ("attributes",):
        return list(ConditionEntry.model_fields)
    return list(RuleEntry.model_fields)


class _Reader:
    def __init__(self, tree: YamlTree, schema: ProfileFile) -> None:
        self.tree = tree
        self.schema = schema
        self.value: dict[str, Any] = tree.value
        self.defaults = self.value.get("defaults") or {}

    def run(self) -> Profile:
        """Reads every rule, those that only the defaults are about included."""
        self._rule("", {}, ("defaults",))
        self._check_default_attributes()
        operators = tuple(
            (kind, self._rules(kind, value)) for kind, value in self.value["operators"].items()
        )
        return Profile(self.schema.name, self.schema.rules, operators)

    def _rules(self, kind: str, value: Any) -> tuple[OperatorRule, ...]:
        where = ("operators", kind)
        self._check_kind(kind, where)
        if value is None:
            value = {}
        if isinstance(value, dict):
            return (self._rule(kind, value, where),)
        if not value:
            raise self.tree.error(where, f"{kind} has no form that fits.", "Leave it out.")
        return tuple(self._rule(kind, form, (*where, i)) for i, form in enumerate(value))

    def _check_default_attributes(self) -> None:
        """A default that no operator has would never be looked at."""
        known = {
            name for kind in self.value["operators"] for name in self._attributes_of(kind) or ()
        }
        for name in self.defaults.get("attributes", {}):
            if name not in known:
                place = ("defaults", "attributes", name)
                message = f"No operator of this profile has an attribute {name!r}."
                raise self.tree.error(place, message, nearest(name, sorted(known)), key=True)

    def _check_kind(self, kind: str, where: tuple[Any, ...]) -> None:
        """An operator set of one's own can hold anything; ONNX's does not."""
        from pytest_npu_compat.model.onnx_operators import operator_kinds

        known = [*operator_kinds(), *OWN_KINDS]
        if "." not in kind and kind not in known:
            message = f"ONNX has no operator {kind!r}."
            raise self.tree.error(where, message, nearest(kind, known), key=True)

    def _rule(self, kind: str, own: dict[str, Any], where: tuple[Any, ...]) -> OperatorRule:
        conditions = []
        for name, known_property in PROPERTIES.items():
            if own.get(name) is not None:
                self._check_has(kind, known_property.attribute, (*where, name))
                conditions.append((name, self._condition(own[name], (*where, name))))
            elif name not in own and self.defaults.get(name) is not None:
                place = ("defaults", name)
                conditions.append((name, self._condition(self.defaults[name], place)))
        attributes = {
            name: self._condition(value, ("defaults", "attributes", name))
            for name, value in self.defaults.get("attributes", {}).items()
            if not kind or name in (self._attributes_of(kind) or ())
        }
        for name, value in own.get("attributes", {}).items():
            place = (*where, "attributes", name)
            known = self._attributes_of(kind)
            if known is not None and name not in known:
                message = f"{kind} has no attribute {name!r}."
                raise self.tree.error(place, message, nearest(name, known), key=True)
            attributes[name] = self._condition(value, place)
        remedy = own.get("remedy") or self.defaults.get("remedy") or ""
        return OperatorRule(tuple(conditions), tuple(attributes.items()), remedy.strip())

    def _check_has(self, kind: str, attribute: str, where: tuple[Any, ...]) -> None:
        """A condition on what an operator never has would hold for every one of them."""
        known = self._attributes_of(kind)
        if attribute and known is not None and attribute not in known:
            message = f"{kind} has no {where[-1]}: ONNX gives it no attribute {attribute!r}."
            raise self.tree.error(where, message, "Leave it out.", key=True)

    def _attributes_of(self, kind: str) -> Sequence[str] | None:
        """Names of an operator's attributes; None for an operator set of one's own."""
        from pytest_npu_compat.model.onnx_operators import attribute_names

        return None if "." in kind or kind in OWN_KINDS else attribute_names(kind)

    def _condition(self, value: Any, where: tuple[Any, ...]) -> Condition:
        try:
            return parse_condition(value)
        except ConditionError as error:
            raise self.tree.error(where, f"{error}.") from error
