"""Gate file -> pytest.File -> model collector -> check items.

What reads and judges gates is imported where it is used: pytest also makes a collector of a gate file
that merely lies beside a test file it was given.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest._code.code import (
    ExceptionInfo,
    ReprEntryNative,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
    TerminalRepr,
)

if TYPE_CHECKING:
    from pytest_npu_compat.analysis.report import Report
    from pytest_npu_compat.gate.loading import Check, ModelChecks
    from pytest_npu_compat.gate.threshold import CheckResult
    from pytest_npu_compat.run import AnalysisRequest
    from pytest_npu_compat.run.cache import Cache

__all__ = ["Analyses", "CheckItem", "GateYaml", "NpuCompatWarning"]


class NpuCompatWarning(UserWarning):
    """A check of severity ``warn`` that does not hold."""


class CheckFailedError(Exception):
    """A check that does not hold.

    Args:
        result: What was demanded and found.
    """

    def __init__(self, result: CheckResult) -> None:
        super().__init__(result.message)
        self.result = result


@dataclass
class Analyses:
    """The analyses of a run: each model is judged once for each target.

    Attributes:
        cache_directory: Makes and names the directory for results of earlier runs; None for none.
        reports: What has been analyzed in this process so far.
        recalled: What of it came from an earlier run.
    """

    cache_directory: Callable[[], Path] | None = None
    reports: dict[AnalysisRequest, Report] = field(default_factory=dict)
    recalled: set[AnalysisRequest] = field(default_factory=set)

    def get(self, request: AnalysisRequest) -> Report:
        """The report of a request, analyzed when it is first asked for."""
        if request not in self.reports:
            self.reports[request] = self._recall(request) or self._analyze(request)
        return self.reports[request]

    @functools.cached_property
    def _cache(self) -> Cache | None:
        from pytest_npu_compat.run.cache import Cache

        try:
            return Cache(self.cache_directory()) if self.cache_directory else None
        except OSError:  # a directory that is read only is no reason to fail
            return None

    def _recall(self, request: AnalysisRequest) -> Report | None:
        report = self._cache.recall(request) if self._cache else None
        if report is not None:
            self.recalled.add(request)
        return report

    def _analyze(self, request: AnalysisRequest) -> Report:
        from pytest_npu_compat.run import analyze

        report = analyze(request)
        if self._cache:
            self._cache.keep(request, report)
        return report


ANALYSES: pytest.StashKey[Analyses] = pytest.StashKey()


class GateYaml(pytest.File):
    """A gate file."""

    def __init__(self, *, asked: Mapping[str, set[str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.asked = asked

    def collect(self) -> Iterator[pytest.Collector]:
        """One collector for each model and target.

        Raises:
            CollectError: The gate file is not valid.
        """
        from pytest_npu_compat.gate.errors import GateError
        from pytest_npu_compat.gate.loading import load_gate

        try:
            gate = load_gate(self.path)
        except GateError as error:
            raise self.CollectError(error.render(_relative(self.path))) from None
        for checks in gate.models:
            yield ModelCollector.from_parent(
                self, name=checks.id, checks=checks, asked=self.asked.get(checks.id, set())
            )


class ModelCollector(pytest.Collector):
    """One model on one target. Its checks share one analysis."""

    def __init__(self, *, checks: ModelChecks, asked: set[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.checks = checks
        self.asked = asked

    def collect(self) -> Iterator[pytest.Item]:
        """One item for each threshold.

        Raises:
            CollectError: A check was asked for that the model does not have.
        """
        names = [check.threshold.metric for check in self.checks.checks]
        for name in sorted(self.asked.difference(names)):
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(names)}."
            raise self.CollectError(f"{self.nodeid} has no check {name!r}. {hint}")
        for check in self.checks.checks:
            yield CheckItem.from_parent(self, name=check.threshold.metric, check=check)


class CheckItem(pytest.Item):
    """One threshold on one model for one target."""

    def __init__(self, *, check: Check, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check
        self.result: CheckResult | None = None

    @property
    def checks(self) -> ModelChecks:
        """The model and target it belongs to."""
        parent = self.parent
        assert isinstance(parent, ModelCollector)
        return parent.checks

    def runtest(self) -> None:
        """Judges the model.

        Raises:
            CheckFailedError: The threshold does not hold, or the model cannot be analyzed.
        """
        threshold = self.check.threshold
        if threshold.severity == "off":
            # The place that is reported is then the gate file's, not this one.
            raise pytest.skip.Exception(
                f"{threshold.metric} is switched off", _use_item_location=True
            )
        from pytest_npu_compat.gate.threshold import evaluate
        from pytest_npu_compat.gate.waiver import today

        analyses = self.config.stash[ANALYSES]
        result = evaluate(threshold, analyses.get(self.checks.request))
        self.result = result
        self.user_properties.extend(_properties(result))
        if result.passed:
            return
        waiver = self.check.waiver
        if waiver is not None and result.status == "failed":
            if waiver.active(today()):
                pytest.xfail(f"waived until {waiver.until}: {waiver.reason} ({result.message})")
            expired = f"{result.message}; its waiver expired on {waiver.until} ({waiver.reason})"
            result = dataclasses.replace(result, message=expired)
        if threshold.severity == "warn" and result.status == "failed":
            try:
                self.warn(NpuCompatWarning(f"{self.checks.id}: {result.message}"))
            except NpuCompatWarning:  # the run turns warnings into errors
                raise CheckFailedError(result) from None
            return
        raise CheckFailedError(result)

    def repr_failure(
        self, excinfo: ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        """The failure as text; a defect of the plugin keeps its traceback.

        A `ReprExceptionInfo` is the one representation that keeps a one-line summary and survives the
        serialization between xdist processes.
        """
        error = excinfo.value
        if not isinstance(error, CheckFailedError):
            return super().repr_failure(excinfo, style)
        from pytest_npu_compat.render.text import explain_failure

        text = explain_failure(error.result)
        crash = ReprFileLocation(
            _relative(self.path), self.check.line, f"{self.checks.id}: {error.result.message}"
        )
        return ReprExceptionInfo(
            reprtraceback=ReprTraceback([ReprEntryNative([f"{text}\n"])], None, style="native"),
            reprcrash=crash,
        )

    @property
    def recalled(self) -> bool:
        """Whether the analysis is that of an earlier run."""
        return self.checks.request in self.config.stash[ANALYSES].recalled

    @property
    def waiver_use(self) -> dict[str, object] | None:
        """What this check says of its waiver; None if it has none or was not judged."""
        waiver = self.check.waiver
        if waiver is None or self.result is None:
            return None
        place = f"{_relative(self.path)}:{waiver.line}"
        return {
            "id": place,
            "shown": f"{place}: {waiver.check}, until {waiver.until}: {waiver.reason}",
            "covers": waiver.covers,
            "needed": not self.result.passed,
        }

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Line of the threshold in the gate file, counted from 0."""
        return self.path, self.check.line - 1, f"{self.checks.id} {self.name}"


def _properties(result: CheckResult) -> list[tuple[str, object]]:
    """What the JUnit file carries for archives and scripts."""
    report = result.report
    actual = result.actual.value if result.actual else ""
    return [
        ("npu.metric", result.threshold.metric),
        ("npu.actual", actual),
        ("npu.limit", result.threshold.show()),
        ("npu.target", f"{report.target.name}:{report.target.variant}"),
        ("npu.model_sha256", report.model.sha256),
    ]


def _relative(path: Path) -> str:
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
