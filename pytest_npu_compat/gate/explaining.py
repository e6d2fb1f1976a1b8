"""What pydantic says of a YAML document -> what the document's author is told, and where."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.yaml_tree import YamlTree

__all__ = ["Detail", "common_error", "nearest", "place", "telling"]

Detail = dict[str, Any]
"""One error of a `ValidationError`."""


def telling(error: ValidationError) -> Detail:
    """The error that says most."""
    details = sorted(
        error.errors(include_url=False),
        key=lambda d: (
            d["loc"] != ("version",) or d["type"] == "missing",  # all else may follow from it
            d["type"] != "extra_forbidden",
            -len(d["loc"]),
        ),
    )
    return dict(details[0])


def place(value: Any, loc: Iterable[Any]) -> tuple[Any, ...]:
    """What is a place in the file of pydantic's path, which also names branches of unions."""
    where = []
    for part in loc:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int)
        ):
            value = value[part]
            where.append(part)
    return tuple(where)


def common_error(
    tree: YamlTree, detail: Detail, known_keys: Callable[[tuple[Any, ...]], Sequence[str]]
) -> GateError:
    """What holds for every kind of file.

    Args:
        tree: The document.
        detail: What is wrong with it.
        known_keys: The keys that may stand beside the last one of a path.
    """
    where, last = place(tree.value, detail["loc"]), detail["loc"][-1]
    kind = detail["type"]
    if kind == "extra_forbidden":
        return tree.error(
            where, f"Unknown key {last!r}.", nearest(str(last), known_keys(where)), key=True
        )
    if kind == "missing":
        return tree.error(where, f"The key {last!r} is missing.", f"Add `{last}:`.")
    message, hint = _told(kind, detail)
    return tree.error(where, f"{message}.", hint, key=last == "[key]")


def _told(kind: str, detail: Detail) -> tuple[str, str]:
    """What is wrong, without the full stop, and what to write."""
    given, context = detail.get("input"), detail.get("ctx", {})
    plain = str(given) if type(given) in (str, int, float) else ""
    plain = plain if len(plain) <= 60 and plain.isprintable() else ""
    if kind in ("dict_type", "model_type"):
        colon = plain and re.match(r"\w+:\S", plain)
        hint = "Put a space behind the colon." if colon else "Write `key: value`, one on a line."
        return "A mapping is expected here", hint
    if kind == "list_type":
        return "A list is expected here", f"Write [{plain}]." if plain else "Write, say, [a, b]."
    if kind == "string_type":
        return "Text is expected here", f'Write "{plain}".' if plain else ""
    if kind == "string_pattern_mismatch":
        return "A name has no white space, brackets or colons", "Write, say, detector-int8."
    if kind == "literal_error":
        expected = str(context.get("expected", ""))
        known = re.findall(r"'([^']*)'", expected)
        none = "none of" if len(known) > 1 else "not"
        return f"{repr(plain) if plain else 'This'} is {none} {expected}", nearest(plain, known)
    if kind == "too_short":
        what = "list" if context.get("field_type") == "List" else "mapping"
        return f"The {what} is empty", "Give it an entry, or leave the key out if it is not needed."
    if kind == "string_too_short":
        return "The text is empty", "Write it, or leave the key out if it is not needed."
    if kind in ("int_type", "int_parsing", "int_from_float"):
        return "A whole number is expected here", "Write digits alone, e.g. 8."
    if kind == "greater_than_equal":
        return f"The number must be at least {context['ge']}", f"Write {context['ge']} or more."
    if kind in ("bool_type", "bool_parsing"):
        return "Yes or no is expected here", "Write true or false."
    return str(detail["msg"]).removeprefix("Value error, "), ""


def nearest(name: str, known: Sequence[str]) -> str:
    """The valid spelling next to a name, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known here: {', '.join(known)}."
