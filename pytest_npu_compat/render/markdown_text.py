"""Text that is not ours as Markdown: model files and rules must not be able to change a page."""

from __future__ import annotations

import re

from pytest_npu_compat.render.names import clean

__all__ = ["Markdown", "code", "prose"]

MAX_NAME = 80
MAX_PROSE = 600

_PLAIN = re.compile(r"[^`|<&$\\\s](?:[^`|<&$\\]*[^`|<&$\\\s])?")
"""What a code span shows as it is, also in a table."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~&$#!])")


class Markdown(str):
    """Text that may stand on a page as it is."""

    __slots__ = ()


def code(text: str, limit: int = MAX_NAME) -> Markdown:
    """A name as code: no Markdown, HTML, mention or link in it has any effect, also in a table.

    Args:
        text: A name from a model file, or a value in it.
        limit: Characters that are shown.
    """
    shown = clean(text, limit)
    if _PLAIN.fullmatch(shown):
        return Markdown(f"`{shown}`")
    # Code spans cannot hold every text (backticks, the pipes of a table): numeric references can.
    safe = "".join(c if c.isalnum() or c in " .,:;-()" else f"&#{ord(c)};" for c in shown)
    return Markdown(f"<code>{safe}</code>")


def prose(text: str, limit: int = MAX_PROSE) -> Markdown:
    """A sentence that may contain names from a model file.

    Args:
        text: Plain text, no Markdown.
        limit: Characters that are shown.
    """
    escaped = _SPECIAL.sub(r"\\\1", clean(" ".join(text.split()), limit))
    # GitHub makes links of addresses and mentions without any markup around them.
    escaped = re.sub(r"(?i)\b(https?|ftp)://", r"\1:<!-- -->//", escaped)
    escaped = re.sub(r"(?i)\bwww\.", "www<!-- -->.", escaped)
    return Markdown(escaped.replace("@", "@<!-- -->"))
