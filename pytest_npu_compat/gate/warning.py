"""The warning that a check of severity ``warn`` ends in."""

from __future__ import annotations

__all__ = ["NpuCompatWarning"]


class NpuCompatWarning(UserWarning):
    """A check of severity ``warn`` that does not hold."""
