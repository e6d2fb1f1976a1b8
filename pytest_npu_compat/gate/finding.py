"""Gate files by name: which there are below a directory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

__all__ = ["GATE_FILES", "SKIPPED_DIRECTORIES", "find_gates", "is_gate"]

GATE_FILES = ("npu-compat.yaml", "npu-compat.yml", "*.npu.yaml", "*.npu.yml")

SKIPPED_DIRECTORIES = {"node_modules", "build", "dist", "venv", "__pycache__"}
"""Never searched, besides hidden directories and virtual environments of other names."""


def is_gate(path: str | PurePath, patterns: Sequence[str] = GATE_FILES) -> bool:
    """Whether a file of this name is a gate file."""
    return any(PurePath(path).match(pattern) for pattern in patterns)


def find_gates(directory: Path, patterns: Sequence[str] = GATE_FILES) -> Iterator[Path]:
    """All gate files below a directory, in the order of their paths."""
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(d for d in directories if _is_searched(Path(place, d)))
        for name in sorted(names):
            if is_gate(name, patterns):
                yield Path(place) / name


def _is_searched(directory: Path) -> bool:
    return (
        not directory.name.startswith(".")
        and directory.name not in SKIPPED_DIRECTORIES
        and not (directory / "pyvenv.cfg").exists()
    )
