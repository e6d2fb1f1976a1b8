"""Values that come from a file: parts of a report whose types are what they claim to be."""

from __future__ import annotations

import dataclasses
import functools
import typing
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import TypeAdapter

__all__ = ["checked"]

Part = TypeVar("Part")


def checked(kind: type[Part], values: Mapping[str, Any]) -> Part:
    """A dataclass of values whose types are compared with its annotations.

    Args:
        kind: A dataclass.
        values: Of its fields; values of later minor versions, which it does not know, are left out.

    Raises:
        ValueError: A value has another type.
        TypeError: A value is missing.
    """
    from pydantic import ValidationError

    adapters = _adapters(typing.cast("Any", kind))
    known = {name: value for name, value in values.items() if name in adapters}
    name = ""
    try:
        for name, value in known.items():
            adapters[name].validate_python(value, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise ValueError(f"{name} of {kind.__name__}: {problem}") from error
    return kind(**known)


@functools.cache
def _adapters(kind: Any) -> dict[str, TypeAdapter[Any]]:
    """A validator for each field."""
    from pydantic import TypeAdapter

    hints = typing.get_type_hints(kind)
    return {field.name: TypeAdapter(hints[field.name]) for field in dataclasses.fields(kind)}
