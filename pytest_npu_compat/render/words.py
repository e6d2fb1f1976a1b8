"""Numbers in sentences, where one thing is not many."""

from __future__ import annotations

__all__ = ["counted", "plural"]


def counted(number: int, one: str, many: str = "") -> str:
    """``1 check``, ``12 checks``: a number with its noun."""
    return f"{number} {plural(number, one, many)}"


def plural(number: int, one: str, many: str = "") -> str:
    """The word that stands with a number; of a noun its plural with s, unless another is given."""
    return one if number == 1 else many or f"{one}s"
