"""Exit codes, and the error that ends a command with a sentence instead of a traceback."""

from __future__ import annotations

__all__ = ["EXIT_OK", "EXIT_RED", "EXIT_USAGE", "UsageError"]

EXIT_OK = 0
EXIT_RED = 1
EXIT_USAGE = 2


class UsageError(Exception):
    """Arguments that do not make sense, or that name what cannot be read."""
