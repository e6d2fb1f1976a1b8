"""Why a run did not read the results of earlier runs, kept until it ends."""

from __future__ import annotations

import pytest

__all__ = ["DISTRUSTED", "notice"]

DISTRUSTED: pytest.StashKey[str] = pytest.StashKey()
"""One line; not there if results were read, or there were none."""


def notice(config: pytest.Config, why: str) -> None:
    """Remembers why results were not read."""
    config.stash[DISTRUSTED] = why
