"""Text in columns of a terminal, where a Hangul syllable takes two cells and a combining accent none."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

__all__ = ["chopped", "cut_end", "cut_middle", "padded", "width"]


def width(text: str) -> int:
    """Cells that a text takes in a terminal."""
    return cell_len(text)


def padded(text: str, cells: int) -> str:
    """A text with spaces behind it, so that the next column begins where it should."""
    return text + " " * (cells - width(text))


def cut_end(text: str, cells: int) -> str:
    """A text of at most so many cells, with an ellipsis at the end if it is cut."""
    return text if width(text) <= cells else f"{_first(text, cells - 1)}…"


def cut_middle(text: str, cells: int) -> str:
    """A text of at most so many cells, with an ellipsis in the middle if it is cut."""
    if width(text) <= cells:
        return text
    keep = cells - 1
    return f"{_first(text, keep - keep // 2)}…{_last(text, keep // 2)}"


def chopped(text: str, cells: int) -> Iterator[str]:
    """A text in pieces of at most so many cells, at least two; nothing of it is lost."""
    while text:
        piece = _first(text, cells)
        yield piece
        text = text[len(piece) :]


def _first(text: str, cells: int) -> str:
    # Characters can be narrower together than alone: the whole piece is measured.
    count = 0
    while count < len(text) and width(text[: count + 1]) <= cells:
        count += 1
    return text[:count]


def _last(text: str, cells: int) -> str:
    start = len(text)
    while start and width(text[start - 1 :]) <= cells:
        start -= 1
    # What combines with a character that was cut off would combine with the ellipsis.
    while start < len(text) and not width(text[start]):
        start += 1
    return text[start:]
