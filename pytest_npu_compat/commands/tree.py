"""The files of a revision or of the working tree: which gate files they have, and what their models are."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.check import find_gates
from pytest_npu_compat.commands.errors import UsageError
from pytest_npu_compat.commands.progress import progress
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.run import AnalysisRequest, analyze

__all__ = ["Tree"]


@dataclass(frozen=True)
class Tree:
    """A state of a repository.

    Attributes:
        shown: What it is called.
        root: Where its files lie.
        top: Top of the repository's working tree; `root` itself for the files as they lie there.
    """

    shown: str
    root: Path
    top: Path

    def gates(self, where: Path) -> Iterator[Path]:
        """The gate file, or all gate files below a directory, relative to the top.

        Args:
            where: Relative to the top; it need not exist.
        """
        place = self.root / where
        if place.exists():
            yield from (file.relative_to(self.root) for file in find_gates(place))

    def judged(self, gate: Path) -> Mapping[str, Report]:
        """Reports of all models of a gate file by id; none if it is a link that leads nowhere.

        Args:
            gate: Relative to the top.

        Raises:
            UsageError: The gate file is not valid, or names models that are not in the repository.
        """
        file = self.root / gate
        if not file.exists():
            return {}
        try:
            relocate = None if self.root == self.top else self._relocated
            models = load_gate(file, use="ignore", relocate=relocate).models
        except GateError as error:
            text = error.render(gate.as_posix()).replace(str(self.root), str(self.top))
            raise UsageError(f"at {self.shown}: {text}") from error
        requests = [(model.id, self._inside(model.request, gate)) for model in models]
        return {key: self._analyzed(request) for key, request in progress(requests, len(requests))}

    def _relocated(self, path: str) -> str:
        """An absolute path or glob below the top -> the same below the root."""
        if not Path(path).is_absolute():
            return path
        parts = Path(os.path.normpath(path)).parts
        plain = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
        pattern = Path(*parts[plain:])
        # The repository may have been reached through a link, which must not be followed inside of it.
        for start in (Path(*parts[:plain]), Path(*parts[:plain]).resolve()):
            if start.is_relative_to(self.top):
                return str(self.root / start.relative_to(self.top) / pattern)
        return path

    def _inside(self, request: AnalysisRequest, gate: Path) -> AnalysisRequest:
        """The request for a model of this tree; its path is shown as in the gate file.

        A revision does not have what lies elsewhere: it would be compared with itself.
        """
        if self.root == self.top:
            return request
        model = Path(request.model)
        real = model.resolve()
        if real.is_relative_to(self.top):  # an absolute link of the repository
            model = self.root / real.relative_to(self.top)
            real = model.resolve()
        if not real.is_relative_to(self.root):
            raise UsageError(
                f"{request.shown_path} of {gate.as_posix()} is not in the git repository "
                f"{self.top.name}, so there is nothing of {self.shown} to compare"
            )
        shown = request.shown_path.replace(str(self.root), str(self.top))
        return replace(request, model=str(model), shown_path=shown)

    def _analyzed(self, request: AnalysisRequest) -> Report:
        """The report, which names files as if they lay where the repository is."""
        report = analyze(request)
        if report.error is None:
            return report
        message = report.error.message.replace(str(self.root), str(self.top))
        return replace(report, error=replace(report.error, message=message))
