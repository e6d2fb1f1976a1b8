"""Why a model cannot be analyzed: a closed list of codes that is part of the report's contract."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ERROR_CODES", "ErrorCode", "ModelError"]

ErrorCode = Literal[
    "file-not-found",
    "lfs-pointer",
    "invalid-model",
    "unsupported-format",
    "unsafe-external-data",
    "dynamic-shape",
    "nothing-to-judge",
    "already-quantized",
    "importer-error",
    "target-not-available",
    "crashed",
    "timeout",
    "out-of-memory",
]

ERROR_CODES: tuple[str, ...] = get_args(ErrorCode)


class ModelError(Exception):
    """A model that cannot be analyzed, for a reason the user can act on.

    Args:
        code: One of `ERROR_CODES`.
        message: What is wrong, in one or two sentences.
        hint: What to do about it.
    """

    def __init__(self, code: ErrorCode, message: str, hint: str) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.hint = hint
