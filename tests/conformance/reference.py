"""The reference data: what TVM 0.18 with Arm's support library 23.02 gave, unpacked into memory."""

from __future__ import annotations

import functools
import json
import tarfile
from pathlib import Path
from typing import Any

__all__ = ["networks", "unit_cases", "vectors"]

DATA = Path(__file__).parent / "data"


@functools.cache
def _archive(name: str) -> dict[str, bytes]:
    with tarfile.open(DATA / name, "r:xz") as archive:
        files = {}
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            files[member.name] = content.read()
        return files


def vectors() -> tuple[dict[str, Any], dict[str, bytes]]:
    """Verdicts by file name, and the files: one operator each."""
    files = _archive("vectors.tar.xz")
    return json.loads(files["verdicts.json"]), files


def networks() -> tuple[dict[str, Any], dict[str, bytes]]:
    """Golden results by file name, and the files: whole networks with zeroed weights."""
    files = _archive("networks.tar.xz")
    return json.loads(files["goldens.json"]), files


def unit_cases() -> list[dict[str, Any]]:
    """Cases at the level of operator parameters, graphs and options."""
    cases: list[dict[str, Any]] = json.loads(_archive("unit_cases.tar.xz")["unit_cases.json"])[
        "cases"
    ]
    return cases
