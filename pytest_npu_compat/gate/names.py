"""Names that come from files and paths, made fit for ids and for lines of text."""

from __future__ import annotations

from pathlib import Path

__all__ = ["id_part", "model_name", "one_line"]


def id_part(text: str) -> str:
    """A text without the characters that ids use themselves, white space, or control characters."""
    return "".join("_" if c in "[]:" or c.isspace() or not c.isprintable() else c for c in text)


def model_name(path: str) -> str:
    """Name of a model in ids unless the gate file gives one: the file name without suffix."""
    return id_part(Path(path).stem or path)


def one_line(text: object, limit: int = 500) -> str:
    """Without line breaks and escape sequences, which names in a model may contain."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    line = line.replace("##[", "#?#[")  # a command to GitHub's runner, wherever it stands
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
