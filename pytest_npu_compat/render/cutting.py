"""A page that must not exceed so many bytes: what fits of its sections, and what is left out of them.

Room is shared out in two steps of the same kind: between the sections, then between the entries of a
section. Who needs little gets it whole, the others get equally much, and nobody's rest is wasted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["Cut", "Entry", "Section", "cut", "size"]

FAIR = 8_000
"""Bytes that an entry may always take if they are there: many entries are not all cut to nothing."""
LEAST = 300
"""Bytes below which the beginning of an entry says nothing."""
MARK = "… (cut)\n"


@dataclass(frozen=True)
class Entry:
    """A part of a section, e.g. a row of a table; one with lines can be cut behind any of them.

    Attributes:
        before: Markdown in front of the lines, always whole.
        lines: Each with its line break.
        after: Markdown behind the lines, always whole.
    """

    before: str
    lines: Sequence[str] = ()
    after: str = ""

    @property
    def whole(self) -> str:
        """All of it."""
        return "".join([self.before, *self.lines, self.after])

    def within(self, room: int) -> str:
        """All of it if that fits, else its beginning; nothing if that would not say much."""
        if size(self.whole) <= room:
            return self.whole
        room -= size(self.before) + size(MARK) + size(self.after)
        kept: list[str] = []
        for line in self.lines:
            room -= size(line)
            if room < 0:
                break
            kept.append(line)
        text = "".join([self.before, *kept, MARK, self.after])
        return text if kept and size(text) >= LEAST else ""


@dataclass(frozen=True)
class Section:
    """A part of the page that can be cut between its entries.

    Attributes:
        of: What the entries are, as told if some are left out.
        before: Markdown in front of the first entry.
        entries: The most important first.
    """

    of: str
    before: str
    entries: Sequence[Entry]

    def text(self, entries: Iterable[str]) -> str:
        """The section with these entries; nothing if there are none."""
        shown = "".join(entries)
        return f"{self.before}{shown}\n" if shown else ""

    @property
    def whole(self) -> str:
        """The section with all entries."""
        return self.text(entry.whole for entry in self.entries)


@dataclass(frozen=True)
class Cut:
    """What fits.

    Attributes:
        text: Of all sections.
        missing: What is left out, e.g. ``3 of 4 failures``.
    """

    text: str
    missing: Sequence[str]


def size(text: str) -> int:
    """Bytes of UTF-8."""
    return len(text.encode())


def cut(sections: Sequence[Section], room: int) -> Cut:
    """As much of the sections as fits.

    Args:
        sections: In the order of the page.
        room: Bytes.
    """
    needs = [size(section.whole) for section in sections]
    share = _level(needs, room)
    pages: list[str] = []
    missing: list[str] = []
    carried = room - sum(min(need, share) for need in needs)
    for section, need in zip(sections, needs, strict=True):
        allowed = min(need, share) + carried
        text, left_out = _section(section, allowed)
        carried = allowed - size(text)
        pages.append(text)
        missing += left_out
    return Cut("".join(pages), missing)


def _section(section: Section, room: int) -> tuple[str, list[str]]:
    room -= size(section.before) + 1
    most = max(_level([size(entry.whole) for entry in section.entries], room), FAIR)
    shown: list[str] = []
    shortened = 0
    for entry in section.entries:
        text = entry.within(min(room, most))
        room -= size(text)
        shown.append(text)
        shortened += text not in ("", entry.whole)
    gone, every = shown.count(""), len(shown)
    missing = [f"{gone} of {every} {section.of}"] if gone else []
    missing += [f"lines of {shortened} of {every} {section.of}"] if shortened else []
    return section.text(shown), missing


def _level(needs: Sequence[int], room: int) -> int:
    """The most that one may take so that all together take no more than the room."""
    left, waiting = max(room, 0), sorted(needs)
    for position, need in enumerate(waiting):
        share = left // (len(waiting) - position)
        if need > share:
            return share
        left -= need
    return waiting[-1] if waiting else 0
