"""What the command line says of a run of gates, be it pytest's or that of `npu-compat check`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["GITHUB", "OUTPUT_FILES", "SHARD", "RunOptions"]

OUTPUT_FILES = {
    "html": "a self-contained page: every check, a picture of every model",
    "junit": "a JUnit file: a suite for each model and target, a case for each check",
    "markdown": "a summary of the run",
    "comment": "the summary, cut to what GitHub takes as a comment on a pull request",
    "sarif": "results for code scanning",
    "json": "the record of the run: every verdict and report; `npu-compat merge` reads it",
}
"""Name of an output option -> its help. `render/outputs.py` writes them."""

GITHUB = "print annotations for GitHub Actions, and write the summary and outputs of the step"

SHARD = (
    "what this run is called among the parts of a whole, e.g. 3/14: `npu-compat merge` tells parts "
    "that judged nothing apart by it"
)


@dataclass(frozen=True)
class RunOptions:
    """What the command line says of a run.

    Attributes:
        strict: Whether everything that a green run could hide is an error.
        strict_waivers: Whether an unused waiver is one.
        updating: Whether the baseline is written.
        baseline: Taken instead of the baselines that gate files name.
        files: Outputs to write, by name of the format.
        github: Whether to speak to GitHub Actions.
        shard: What the run is called among the parts of a whole; empty if it is no part.
    """

    strict: bool = False
    strict_waivers: bool = False
    updating: bool = False
    baseline: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    github: bool = False
    shard: str = ""

    @property
    def needs_reports(self) -> bool:
        """Whether the record must hold whole reports, not only verdicts."""
        return bool(self.files) or self.updating or self.github

    @property
    def baseline_use(self) -> Literal["read", "write"]:
        """What the run does with baselines."""
        return "write" if self.updating else "read"
