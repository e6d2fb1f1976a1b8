"""Errors of a gate file, with the place where they are: file:line:column, the line, a caret, a hint."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

__all__ = ["GateError", "Position", "ThresholdError"]


@dataclass(frozen=True)
class Position:
    """A place in a gate file; line and column count from 1."""

    line: int
    column: int


class GateError(Exception):
    """A gate file that is not valid.

    Args:
        path: The file.
        message: What is wrong.
        position: Where.
        source: The text of that line.
        hint: What to write instead.
    """

    def __init__(
        self, path: Path, message: str, position: Position, source: str = "", hint: str = ""
    ) -> None:
        self.path = path
        self.message = message
        self.position = position
        self.source = source
        self.hint = hint
        super().__init__(self.render(str(path)))

    def render(self, shown_path: str) -> str:
        """The error as text, with the path as the reader knows it."""
        lines = [f"{shown_path}:{self.position.line}:{self.position.column}: {self.message}"]
        if self.source:
            number = str(self.position.line)
            source = "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in self.source)
            before = "".join(_blank(c) for c in source[: self.position.column - 1])
            lines.append(f"  {number} | {source}")
            lines.append(f"  {' ' * len(number)} | {before}^")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class ThresholdError(ValueError):
    """A threshold that cannot be read.

    Args:
        message: What is wrong.
        hint: What to write instead.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _blank(character: str) -> str:
    """White space as wide as a character, so that a caret stands under what it points at."""
    if character == "\t":
        return "\t"
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "
