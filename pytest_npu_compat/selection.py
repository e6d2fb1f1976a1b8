"""Selecting single checks by node id: ``gate.yaml::detector[ethos-n78]::npu_ratio``.

Pytest takes everything after the first ``[`` of an argument for a parametrization, so it would look for
a model named ``detector[ethos-n78]::npu_ratio``. Such arguments are widened to the model before
collection, and the other checks are deselected after it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["Selection", "widen"]


@dataclass(frozen=True)
class Selection:
    """Single checks that were asked for.

    Attributes:
        checks: (file, model id) -> names of the checks.
        others: The arguments that were left as they are, as (path, names).
    """

    checks: dict[tuple[Path, str], set[str]] = field(default_factory=dict)
    others: tuple[tuple[Path, str], ...] = ()

    def keeps(self, file: Path, model: str, check: str) -> bool:
        """Whether a collected check was asked for."""
        wanted = self.checks.get((file, model))
        if wanted is None or check in wanted:
            return True
        return any(
            (file == path or path in file.parents) and names in ("", model, model.split("[")[0])
            for path, names in self.others
        )

    def asked(self, file: Path) -> dict[str, set[str]]:
        """Model id -> names of the checks that were asked for in a gate file."""
        return {model: checks for (path, model), checks in self.checks.items() if path == file}


def widen(arguments: Sequence[str], directory: Path) -> tuple[list[str], Selection]:
    """Replaces node ids of checks by those of their models.

    Args:
        arguments: As given on the command line.
        directory: Where pytest was started.

    Returns:
        The arguments for pytest, without duplicates, and what was asked for.
    """
    widened: dict[str, None] = {}
    selection = Selection()
    others: list[tuple[Path, str]] = []
    for argument in arguments:
        path, _, names = argument.partition("::")
        # As pytest does it: symbolic links stay.
        file = Path(os.path.abspath(directory / path))  # noqa: PTH100
        model, bracket, check = names.partition("]::")
        if bracket and "[" in model and check:
            selection.checks.setdefault((file, f"{model}]"), set()).add(check)
            widened[f"{path}::{model}]"] = None
        else:
            others.append((file, names))
            widened[argument] = None
    return list(widened), Selection(selection.checks, tuple(others))


SELECTION: pytest.StashKey[Selection] = pytest.StashKey()
