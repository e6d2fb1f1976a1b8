"""The analyses of a run: recalled where an earlier run has made them, else made and kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.run.cache import Cache
from pytest_npu_compat.run.dispatch import analyze
from pytest_npu_compat.run.provenance import distrust
from pytest_npu_compat.run.request import AnalysisRequest

__all__ = ["Analyses"]


@dataclass
class Analyses:
    """The analyses of a run.

    Attributes:
        cache_directory: Makes and names the directory for results of earlier runs; None for none.
        tell: Is told why results of earlier runs are not read.
        reports: What `get` has found in this process so far.
        recalled: What came from an earlier run.
    """

    cache_directory: Callable[[], Path] | None = None
    tell: Callable[[str], object] = print
    reports: dict[AnalysisRequest, Report] = field(default_factory=dict)
    recalled: set[AnalysisRequest] = field(default_factory=set)

    def get(self, request: AnalysisRequest) -> Report:
        """The report of a model that does not change during the run."""
        if request not in self.reports:
            self.reports[request] = self.analyze(request)
        return self.reports[request]

    def analyze(self, request: AnalysisRequest) -> Report:
        """The report of a model as its file is now; never raises for anything about the model."""
        report = self._cache.recall(request) if self._cache else None
        if report is not None:
            self.recalled.add(request)
            return report
        report = analyze(request)
        if self._cache:
            self._cache.keep(request, report)
        return report

    @functools.cached_property
    def _cache(self) -> Cache | None:
        if self.cache_directory is None:
            return None
        try:
            directory = self.cache_directory()
            why = distrust(directory)
        except OSError:  # a directory that is read only is no reason to fail
            return None
        if why is None:
            return Cache(directory)
        self.tell(why)
        return None
