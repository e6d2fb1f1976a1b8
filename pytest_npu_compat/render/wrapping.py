"""Labelled paragraphs of plain text that fit a terminal."""

from __future__ import annotations

import textwrap

from pytest_npu_compat.render.names import clean

__all__ = ["wrapped"]

WIDTH = 79


def wrapped(label: str, text: str, *, indent: int) -> list[str]:
    """Lines of a text behind a label, with a hanging indent; none if there is no text."""
    text = clean(text, 1000)
    if not text:
        return []
    first = " " * indent + label
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_on_hyphens=False,
    )
