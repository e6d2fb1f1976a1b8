"""Names from model files, which are not trusted: harmless in every output, of bounded length."""

from __future__ import annotations

import re

__all__ = ["clean", "clean_lines", "headline", "without_commands"]

MAX_LINES_LENGTH = 20_000

_COMMAND = re.compile(r"^(\s*):(?=:)|#(?=#\[)", re.MULTILINE)
"""What GitHub's runner takes for a command: ``::`` that begins a line, ``##[`` anywhere."""


def clean(text: str, limit: int = 120) -> str:
    """A name from a model file, harmless in a terminal and of bounded length."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= limit else f"{printable[: limit - 1]}…"


def headline(text: str, limit: int = 120) -> str:
    """The first line of a text, e.g. of an error that goes on with its place in the file."""
    return clean(text.split("\n", 1)[0], limit)


def clean_lines(text: str, limit: int = MAX_LINES_LENGTH) -> str:
    """A text of several lines, each harmless in a terminal; cut at the end of a line."""
    kept: list[str] = []
    for line in text.splitlines():
        kept.append(clean(line, 1000).rstrip())
        limit -= len(kept[-1]) + 1
        if limit < 0:
            return "\n".join([*kept[:-1], "… (cut)"])
    return "\n".join(kept)


def without_commands(text: str) -> str:
    """A text in which GitHub's runner finds no command, when it is printed in a job.

    A name such as ``##[set-output name=verdict]passed`` would otherwise set an output of the step, and
    ``::stop-commands::`` silence the annotations.
    """
    return _COMMAND.sub(lambda match: f"{match[0]}?", text)
