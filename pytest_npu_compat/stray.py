"""Gate files that a run should have judged and did not: the quietest way for a gate to be green."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

from pytest_npu_compat.gate.finding import GATE_FILES, find_gates, is_gate

__all__ = [
    "DESELECTED",
    "collected",
    "collected_gates",
    "gate_patterns",
    "is_filtered",
    "names_files",
    "project_gates",
    "stray_gates",
    "took_everything",
    "was_told_to_ignore",
]

_COLLECTED: pytest.StashKey[set[str]] = pytest.StashKey()

DESELECTED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether a check was deselected, here or in an xdist worker."""


def collected(config: pytest.Config, path: str) -> None:
    """Remembers that a gate file was collected, valid or not."""
    config.stash.setdefault(_COLLECTED, set()).add(path)


def collected_gates(config: pytest.Config) -> list[str]:
    """Paths of the gate files that were collected."""
    found: set[str] = config.stash.get(_COLLECTED, set())
    return sorted(found)


def gate_patterns(config: pytest.Config) -> tuple[str, ...]:
    """Globs for names of gate files, those of the ini file included."""
    return (*GATE_FILES, *config.getini("npu_compat_files"))


def project_gates(config: pytest.Config) -> Iterator[Path]:
    """All gate files of the project, wherever pytest looks for tests."""
    return find_gates(config.rootpath, gate_patterns(config))


def stray_gates(
    session: pytest.Session, collected: Container[Path], *, deep: bool
) -> Iterator[str]:
    """Gate files in the reach of a run that it did not collect.

    Args:
        session: The run.
        collected: Gate files that it collected, without symbolic links.
        deep: Whether directories are searched to their bottom. That costs time, which a run that has
            nothing to do with gates does not pay.
    """
    config = session.config
    patterns = gate_patterns(config)
    start = config.invocation_params.dir
    for place in _reach(config):
        if place.is_file():
            found = iter([place] if is_gate(place, patterns) else [])
        elif deep:
            found = find_gates(place, patterns)
        else:
            found = (file for file in _listed(place) if is_gate(file, patterns))
        for file in found:
            if file.resolve() not in collected:
                yield (
                    file.relative_to(start).as_posix() if file.is_relative_to(start) else str(file)
                )


def _reach(config: pytest.Config) -> list[Path]:
    """Where a run looks: what it was given on the command line, else where the project begins."""
    start = config.invocation_params.dir
    if config.args_source != pytest.Config.ArgsSource.ARGS:
        return [config.rootpath]
    places = [Path(os.path.abspath(start / arg.split("::")[0])) for arg in config.args]  # noqa: PTH100 - keeps links
    return list(dict.fromkeys(places))


def _listed(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def was_told_to_ignore(config: pytest.Config) -> bool:
    """Whether the command line itself, and no configuration, leaves files out."""
    words = ("--ignore", "--lf", "--last-failed", "--sw", "--stepwise")
    return any(str(argument).startswith(words) for argument in config.invocation_params.args)


def took_everything(session: pytest.Session) -> bool:
    """Whether the run was told to judge every gate file of the project, and did."""
    config = session.config
    sources = pytest.Config.ArgsSource
    at_the_top = config.invocation_params.dir == config.rootpath
    asked = config.args_source == sources.ARGS or (
        config.args_source == sources.INVOCATION_DIR and not at_the_top
    )
    return not asked and not is_filtered(session) and not was_told_to_ignore(config)


def names_files(session: pytest.Session) -> bool:
    """Whether the run was given nothing but files and tests by name."""
    config = session.config
    start = config.invocation_params.dir
    return config.args_source == pytest.Config.ArgsSource.ARGS and all(
        "::" in argument or (start / argument).is_file() for argument in config.args
    )


def is_filtered(session: pytest.Session) -> bool:
    """Whether the run left checks out: they were deselected or not named, or it ended before them."""
    config = session.config
    ended = bool(session.shouldfail or session.shouldstop)
    ended |= session.exitstatus == pytest.ExitCode.INTERRUPTED
    return (
        ended
        or config.stash.get(DESELECTED, False)
        or any("::" in argument for argument in config.args)
        or any(getattr(config.option, name, None) for name in ("lf", "last_failed"))
    )
