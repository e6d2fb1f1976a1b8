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
        "json": Output("json", "run_to_json"),
    }
)
"""Name of an option, without its prefix -> format."""


def finish(run: GateRun, files: Mapping[str, Path]) -> GateRun:
    """Writes a run to files; directories are made.

    Args:
        run: What is written.
        files: By name of the format.

    Returns:
        The run, with an error for each file that could not be written.
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
    return dataclasses.replace(run, notes=in_note_order([*run.notes, *problems]))
