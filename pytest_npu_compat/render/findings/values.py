"""What facts are made of: numbers, names, ids of sentences. They have no language.

Text that comes from a model file or a rule has a type of its own. So nothing can reach a page without
passing the function that makes that type harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

__all__ = [
    "Bytes",
    "Estimate",
    "Listed",
    "Message",
    "Names",
    "Phrase",
    "Prose",
    "Share",
    "Statement",
    "Value",
    "Verbatim",
]


@dataclass(frozen=True, order=True)
class Verbatim:
    """Text shown as it is: a name from a model file, a value in it, an id."""

    text: str


@dataclass(frozen=True)
class Phrase:
    """A value as a rule puts it, in English; shown as it is, unless a page knows a translation."""

    text: str


@dataclass(frozen=True)
class Names:
    """Several names, of which a page shows the first few."""

    names: tuple[Verbatim | Phrase, ...]


@dataclass(frozen=True)
class Prose:
    """A sentence of a rule, in English; a page may know a translation."""

    text: str


@dataclass(frozen=True)
class Message:
    """A word or sentence of the catalogue, by its id."""

    id: str


@dataclass(frozen=True)
class Share:
    """A part of a whole; `whole` is not 0."""

    part: int
    whole: int


@dataclass(frozen=True)
class Bytes:
    """A size."""

    size: int


@dataclass(frozen=True)
class Estimate:
    """An estimated figure with its range, in a unit such as ``ms``."""

    low: float
    value: float
    high: float
    unit: str


@dataclass(frozen=True)
class Listed:
    """Several statements in one sentence, of which a page shows the first few."""

    statements: tuple[Statement, ...]


Value: TypeAlias = (
    int | Verbatim | Phrase | Names | Listed | Prose | Message | Share | Bytes | Estimate | None
)
"""What a sentence or a cell can show; None where there is nothing to show."""


@dataclass(frozen=True)
class Statement:
    """A sentence: its id in the catalogue, and what it speaks of."""

    id: str
    values: Mapping[str, Value] = field(default_factory=dict)
