"""Names from model files, which are not trusted: harmless in every output, of bounded length."""

from __future__ import annotations

__all__ = ["clean"]


def clean(text: str, limit: int = 120) -> str:
    """A name from a model file, harmless in a terminal and of bounded length."""
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= limit else f"{printable[: limit - 1]}…"
