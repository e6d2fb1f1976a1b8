"""Git LFS pointers: small texts that lie where a file should be whose content was not fetched."""

from __future__ import annotations

__all__ = ["FETCH", "is_pointer"]

FETCH = "Run `git lfs pull` (in GitHub Actions: `actions/checkout` with `lfs: true`)."
"""What to do about a pointer."""

_PREFIX = b"version https://git-lfs.github.com/spec/"


def is_pointer(data: bytes) -> bool:
    """Whether a file's content is a pointer."""
    return data.startswith(_PREFIX)
