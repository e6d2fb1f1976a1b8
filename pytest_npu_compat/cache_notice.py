"""What a pytest run says of results of earlier runs that it did not read, also if xdist workers run it."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["DISTRUSTED", "notice", "take_notice"]

DISTRUSTED: pytest.StashKey[str] = pytest.StashKey()
"""Why results of earlier runs were not read."""

_WORKER_DISTRUSTED = "npu_compat_distrusted"


def notice(config: pytest.Config, why: str) -> None:
    """Remembers why results were not read, in a worker for the process that reports.

    Args:
        config: Of this process.
        why: One line.
    """
    config.stash[DISTRUSTED] = why
    if hasattr(config, "workeroutput"):
        config.workeroutput[_WORKER_DISTRUSTED] = why


def take_notice(node: Any) -> None:
    """Takes what an xdist worker says when it ends."""
    why = getattr(node, "workeroutput", {}).get(_WORKER_DISTRUSTED)
    if why:
        node.config.stash[DISTRUSTED] = why
