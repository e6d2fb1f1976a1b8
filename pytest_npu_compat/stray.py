"""Gate files that a run should have judged and did not: the quietest way for a gate to be green."""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

import pytest

__all__ = ["GATE_FILES", "gate_patterns", "names_files", "stray_gates", "took_everything"]

GATE_FILES = ("npu-compat.yaml", "npu-compat.yml", "*.npu.yaml", "*.npu.yml")


def gate_patterns(config: pytest.Config) -> tuple[str, ...]:
    """Globs for names of gate files, those of the ini file included."""
    return (*GATE_FILES, *config.getini("npu_compat_files"))


DESELECTED: pytest.StashKey[bool] = pytest.StashKey()
"""Whether something was deselected, here or in an xdist worker."""


def stray_gates(
    session: pytest.Session, judged: Container[Path], broken: Container[str]
) -> Iterator[str]:
    """Gate files where the run began, none of whose checks it judged.

    A run that was restricted on the command line says nothing of what it left out; but one that
    judged nothing at all names every gate file in its reach.

    Args:
        session: The run.
        judged: Gate files of which a check was judged.
        broken: Gate files that could not be read, as node ids.
    """
    config = session.config
    if _restricted(session) and judged:
        return
    asked = config.args_source == pytest.Config.ArgsSource.ARGS
    start = config.invocation_params.dir
    places = [start / argument.split("::")[0] for argument in config.args] if asked else []
    for place in places or [config.rootpath]:
        for file in _gates_at(place, gate_patterns(config)):
            shown = file.relative_to(start).as_posix() if file.is_relative_to(start) else str(file)
            node = (
                file.relative_to(config.rootpath) if file.is_relative_to(config.rootpath) else file
            )
            if file not in judged and node.as_posix() not in broken:
                yield shown


def took_everything(session: pytest.Session) -> bool:
    """Whether the run was told to judge every gate file of the project."""
    config = session.config
    sources = pytest.Config.ArgsSource
    at_the_top = config.invocation_params.dir == config.rootpath
    asked = config.args_source == sources.ARGS or (
        config.args_source == sources.INVOCATION_DIR and not at_the_top
    )
    return not asked and not _restricted(session)


def names_files(session: pytest.Session) -> bool:
    """Whether the run was given nothing but files and tests by name."""
    config = session.config
    start = config.invocation_params.dir
    return config.args_source == pytest.Config.ArgsSource.ARGS and all(
        "::" in argument or (start / argument).is_file() for argument in config.args
    )


def _restricted(session: pytest.Session) -> bool:
    """Whether the run left something out because it was told to."""
    option = session.config.option
    filters = ("keyword", "markexpr", "deselect", "lf", "last_failed", "ignore", "ignore_glob")
    stopped = bool(session.shouldfail or session.shouldstop)
    deselected = session.config.stash.get(DESELECTED, False)  # by a plugin, e.g. pytest-split
    return stopped or deselected or any(getattr(option, name, None) for name in filters)


def _gates_at(place: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    if place.is_file():
        if any(place.match(pattern) for pattern in patterns):
            yield place
        return
    if place.is_dir():
        for file in sorted(place.iterdir()):
            if file.is_file() and any(file.match(pattern) for pattern in patterns):
                yield file
