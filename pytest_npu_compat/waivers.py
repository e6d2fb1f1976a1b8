"""Waivers that have nothing to excuse: reported after full runs, an error on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

__all__ = ["WAIVER", "WaiverUse", "WaiverWatch"]

WAIVER = "npu_compat_waiver"
"""Attribute of a check's report: what is known of its waiver, as a plain value that xdist can carry."""


@dataclass
class WaiverUse:
    """What a run has seen of one waiver."""

    shown: str
    covers: int
    judged: int = 0
    needed: bool = False


@dataclass(eq=False)  # pytest keeps plugins in sets
class WaiverWatch:
    """Counts the checks that each waiver covers, in the process that reports.

    A waiver is unused only if every check it covers was judged and none needed it: a run that was
    filtered says nothing.

    Attributes:
        strict: Whether an unused waiver fails the run.
    """

    strict: bool
    uses: dict[str, WaiverUse] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts a check."""
        known: dict[str, Any] | None = getattr(report, WAIVER, None)
        if known is not None:
            use = self.uses.setdefault(known["id"], WaiverUse(known["shown"], known["covers"]))
            use.judged += 1
            use.needed = use.needed or known["needed"]

    def unused(self) -> list[str]:
        """Waivers that can be removed."""
        return [u.shown for u in self.uses.values() if u.judged >= u.covers and not u.needed]

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fails a run that passed but for unused waivers."""
        if self.strict and self.unused() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
