"""The paths that a gate file names, taken to another place: those of a checkout of another revision."""

from __future__ import annotations

from collections.abc import Callable

from pytest_npu_compat.gate.schema import GateFile, ModelEntry, TargetEntry

__all__ = ["relocated"]


def relocated(schema: GateFile, relocate: Callable[[str], str]) -> GateFile:
    """A gate file with other paths of models and profiles.

    Args:
        schema: The gate file as it was read.
        relocate: Path or glob as written -> what to take instead.
    """

    def model(entry: str | ModelEntry) -> str | ModelEntry:
        if isinstance(entry, str):
            return relocate(entry)
        return entry.model_copy(update={"path": relocate(entry.path)})

    def target(entry: TargetEntry | None) -> TargetEntry | None:
        if entry is None or entry.profile is None:
            return entry
        return entry.model_copy(update={"profile": relocate(entry.profile)})

    targets = schema.targets and {name: target(entry) for name, entry in schema.targets.items()}
    return schema.model_copy(
        update={"models": [model(entry) for entry in schema.models], "targets": targets}
    )
