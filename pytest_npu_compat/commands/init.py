"""`npu-compat init`: a gate file for the models of a repository, with today's values as the floor."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.errors import EXIT_OK, UsageError
from pytest_npu_compat.commands.progress import progress
from pytest_npu_compat.commands.requests import target_of
from pytest_npu_compat.gate.finding import SKIPPED_DIRECTORIES
from pytest_npu_compat.gate.presets import preset_text
from pytest_npu_compat.gate.starting import LeftOut, gate_text
from pytest_npu_compat.gate.yaml_tree import CONTROL
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.words import counted
from pytest_npu_compat.run import AnalysisRequest, analyze

__all__ = ["find_models", "init", "run"]

GATE = "npu-compat.yaml"
SCHEMA = "npu-compat.schema.json"


def run(arguments: argparse.Namespace) -> int:
    """Writes a gate file, or prints a preset.

    Returns:
        0.

    Raises:
        UsageError: There is a gate file already, or no model, or it cannot be written.
    """
    if arguments.preset:
        print(preset_text(arguments.preset))
        return EXIT_OK
    return init(Path(arguments.directory), arguments.target)


def init(directory: Path, target: str) -> int:
    """Writes a gate file, and beside it the schema that editors complete and check it by.

    Args:
        directory: Where the gate file is written; models are searched below.
        target: ``NAME``, ``NAME:VARIANT`` or the path of a profile.

    Returns:
        0.

    Raises:
        UsageError: There is a gate file already, or no model, or it cannot be written.
    """
    gate = directory / GATE
    request = target_of(target)
    if not directory.is_dir():
        raise UsageError(f"there is no directory {directory}")
    if gate.exists() or gate.is_symlink():
        raise UsageError(f"{gate} exists, and init never overwrites")
    models = find_models(directory)
    if not models:
        raise UsageError(f"there is no *.onnx in {directory.resolve().name}/ or below")
    spelled = [model for model in models if _is_text(model)]
    reports = list(progress(_analyze(directory, spelled, request), len(spelled)))
    analyzed = [report for report in reports if report.analyzed]
    left_out = [*map(_left_out, (report for report in reports if report.error is not None))]
    left_out += [_unspelled(model) for model in models if model not in spelled]
    if not analyzed:
        reasons = "".join(f"\n  {_line(model)}" for model in left_out)
        raise UsageError(f"none of the models can be analyzed:{reasons}")
    text = gate_text(analyzed, left_out, _target_line(request, target, directory), SCHEMA)
    try:
        with gate.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        schema = directory / SCHEMA
        if not schema.exists():
            schema.write_text(_schema(), encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from error
    print(f"{gate} written: {counted(len(analyzed), 'model')}")
    for model in left_out:
        print(f"  left out: {_line(model)}")
    print("run `pytest`; then keep the state with a baseline, see the comments in the file")
    return EXIT_OK


def _target_line(request: AnalysisRequest, target: str, directory: Path) -> str:
    """The target as a line of the gate file; a profile's path is relative to it."""
    if request.profile is None:
        return f"target: {json.dumps(target) if ':' in target else target}"
    path = Path(os.path.relpath(target, directory)).as_posix()
    return f"targets: {{{request.profile.name}: {{profile: {json.dumps(path)}}}}}"


def _left_out(report: Report) -> LeftOut:
    assert report.error is not None
    error = report.error
    return LeftOut(report.model.path, f"{error.code}: {error.message}", error.hint)


def _unspelled(model: str) -> LeftOut:
    shown = os.fsencode(model).decode("utf-8", errors="replace")
    return LeftOut(shown, "its name has characters that a gate file cannot hold", "Rename it.")


def _line(model: LeftOut) -> str:
    return clean(f"{model.path}: {model.why}", 500)


def _is_text(name: str) -> bool:
    """Whether a gate file can hold a name: UTF-8 without control characters."""
    return not CONTROL.search(name)


def find_models(directory: Path) -> list[str]:
    """Paths of the ONNX files below a directory; what git ignores and foreign packages left out."""
    try:
        listed = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            ["git", "-C", str(directory), *_LIST, ":(icase)*.onnx"],  # noqa: S607
            check=True,
            capture_output=True,
        ).stdout
        names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
        found = [name for name in names if not _foreign(directory, name)]
    except (OSError, subprocess.CalledProcessError):
        found = list(_walk(directory))
    return sorted(name for name in found if (directory / name).is_file())


_LIST = ("ls-files", "--cached", "--others", "-z", "--exclude-standard", "--")
_FOREIGN = SKIPPED_DIRECTORIES - {"build", "dist"}
"""Directories of packages; what git is not told to ignore of the others belongs to the project."""


def _foreign(directory: Path, name: str) -> bool:
    """Whether a file lies in a hidden directory, a virtual environment, or among foreign packages."""
    return any(
        part.name.startswith(".") or part.name in _FOREIGN or _is_environment(directory / part)
        for part in Path(name).parents
        if part.name
    )


def _is_environment(directory: Path) -> bool:
    return (directory / "pyvenv.cfg").is_file()


def _walk(directory: Path) -> Iterator[str]:
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(
            d
            for d in directories
            if not (d.startswith(".") or d in SKIPPED_DIRECTORIES)
            and not _is_environment(Path(place) / d)
        )
        for name in names:
            if name.lower().endswith(".onnx"):
                yield (Path(place) / name).relative_to(directory).as_posix()


def _analyze(directory: Path, models: Sequence[str], request: AnalysisRequest) -> Iterator[Report]:
    for model in models:
        path = str((directory / model).resolve())
        yield analyze(replace(request, model=path, name=Path(model).stem, shown_path=model))


def _schema() -> str:
    return (resources.files("pytest_npu_compat") / "data" / SCHEMA).read_text("utf-8")
