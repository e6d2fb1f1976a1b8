"""What pydantic says of a YAML document -> what the document's author is told, and where."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pydantic import ValidationError

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.yaml_tree import YamlTree

__all__ = ["Detail", "common_error", "nearest", "place", "telling"]

Detail = dict[str, Any]
"""One error of a `ValidationError`."""

_EXPECTED = {
    "dict_type": "A mapping is expected here",
    "model_type": "A mapping is expected here",
    "list_type": "A list is expected here",
    "string_type": "Text is expected here",
    "string_pattern_mismatch": "A name has no white space, brackets or colons",
}
"""Kind of pydantic's error -> what the reader of a YAML file is told."""


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
    message = _EXPECTED.get(kind) or str(detail["msg"]).removeprefix("Value error, ")
    return tree.error(where, f"{message}.", "", key=last == "[key]")


def nearest(name: str, known: Sequence[str]) -> str:
    """The valid spelling next to a name, or all of them."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known here: {', '.join(known)}."
