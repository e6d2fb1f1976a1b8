"""Exit codes, and the error that ends a command with a sentence instead of a traceback."""

from __future__ import annotations

__all__ = ["EXIT_NOT_COMPARED", "EXIT_OK", "EXIT_RED", "EXIT_USAGE", "UsageError"]

EXIT_OK = 0
EXIT_RED = 1
EXIT_USAGE = 2
EXIT_NOT_COMPARED = 2
"""What was asked for could not be found out."""


class UsageError(Exception):
    """Arguments that do not make sense, or that name what cannot be read."""
