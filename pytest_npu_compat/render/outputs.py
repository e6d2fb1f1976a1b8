"""The files that a run can be written to: one row for each format."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pytest_npu_compat.gate.outcome import GateRun, Note, in_note_order

__all__ = ["OUTPUTS", "Output", "finish"]


@dataclass(frozen=True)
class Output:
    """A format.

    Attributes:
        module: Under `pytest_npu_compat.render`; imported only when the format is asked for.
        function: `GateRun` -> text.
    """

    module: str
    function: str

    def render(self, run: GateRun) -> str:
        """The run as text."""
        module = importlib.import_module(f"pytest_npu_compat.render.{self.module}")
        text: str = getattr(module, self.function)(run)
        return text


OUTPUTS: Mapping[str, Output] = MappingProxyType(
    {
        "html": Output("html", "to_html"),
        "junit": Output("junit", "to_junit"),
        "markdown": Output("markdown", "to_markdown"),
        "comment": Output("markdown", "to_comment"),
        "sarif": Output("sarif", "to_sarif"),
        "json": Output("json", "run_to_json"),
    }
)
"""Name of an option, without its prefix -> format."""


PREFERRED = ("html", "markdown", "junit", "json")
"""Formats that a person would open, the best first."""


def finish(
    run: GateRun, files: Mapping[str, Path], environ: Mapping[str, str] | None = None
) -> tuple[GateRun, str]:
    """Writes a run to files, whose directories are made, and speaks to GitHub Actions.

    Args:
        run: What is written.
        files: By name of the format.
        environ: Environment of the step of a GitHub workflow; None elsewhere.

    Returns:
        The run, with an error for each file that could not be written, and the annotations to print.
    """
    problems = []
    for name, file in files.items():
        text = OUTPUTS[name].render(run)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            text = f"{file} cannot be written: {error.strerror}"
            problems.append(Note("output-not-written", "error", text))
    annotations = ""
    if environ is not None:
        github = importlib.import_module("pytest_npu_compat.render.github")
        report = next((str(files[name]) for name in PREFERRED if name in files), "")
        try:
            annotations = github.publish(run, environ, report)
        except OSError as error:
            text = f"{error.filename} cannot be written: {error.strerror}"
            problems.append(Note("output-not-written", "error", text))
    return dataclasses.replace(run, notes=in_note_order([*run.notes, *problems])), annotations
