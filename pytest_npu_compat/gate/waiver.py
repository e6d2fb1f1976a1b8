"""Waivers: a reason and a date until which a failing check is expected to fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timezone

__all__ = ["Waiver", "today"]


@dataclass(frozen=True)
class Waiver:
    """An excuse for one check of one entry of a gate file.

    Attributes:
        check: Name of the metric.
        until: The first day on which it excuses nothing any more.
        reason: Why the check may fail.
        line: Where it stands in the gate file.
        covers: Number of checks that it could excuse: models of the entry x targets.
    """

    check: str
    until: date
    reason: str
    line: int
    covers: int

    def active(self, day: date) -> bool:
        """Whether it excuses anything on a day."""
        return day < self.until


def today() -> date:
    """The date in UTC, the same for every machine that judges."""
    return datetime.now(tz=timezone.utc).date()
