"""Gate file -> pytest.File -> model collector -> check items.

What reads and judges gates is imported where it is used: pytest also makes a collector of a gate file
that merely lies beside a test file it was given.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
from collections.abc import Iterator, Mapping
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

from pytest_npu_compat.cache_notice import notice

if TYPE_CHECKING:
    from pytest_npu_compat.analysis.comparison import Comparison
    from pytest_npu_compat.analysis.report import Report
    from pytest_npu_compat.gate.evaluation import CheckResult
    from pytest_npu_compat.gate.loading import Check, ModelChecks
    from pytest_npu_compat.gate.outcome import Outcome
    from pytest_npu_compat.run.analyses import Analyses

__all__ = ["CheckItem", "GateYaml", "NpuCompatWarning", "analyses", "relative"]


class NpuCompatWarning(UserWarning):
    """A check of severity ``warn`` that does not hold."""


class CheckFailedError(Exception):
    """A check that does not hold.

    Args:
        outcome: What was demanded and found.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


_ANALYSES: pytest.StashKey[Analyses] = pytest.StashKey()


def analyses(config: pytest.Config) -> Analyses:
    """The analyses of this process; pytest's `--cache-clear` empties what earlier runs have kept."""
    from pytest_npu_compat.run.analyses import Analyses

    if _ANALYSES not in config.stash:
        # There is no cache with `-p no:cacheprovider`.
        cache = None if config.getoption("--npu-no-cache") else getattr(config, "cache", None)
        directory = None if cache is None else lambda: Path(cache.mkdir("npu-compat"))
        config.stash[_ANALYSES] = Analyses(directory, functools.partial(notice, config))
    return config.stash[_ANALYSES]


class GateYaml(pytest.File):
    """A gate file.

    Args:
        asked: Names of the checks that were asked for, by model and target.
        baseline: Taken instead of the baseline that the file names.
        updating: Whether the baseline is being written.
    """

    def __init__(
        self,
        *,
        asked: Mapping[str, set[str]],
        baseline: Path | None = None,
        updating: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.asked = asked
        self.baseline = baseline
        self.updating = updating

    def collect(self) -> Iterator[pytest.Collector]:
        """One collector for each model and target.

        Raises:
            CollectError: The gate file is not valid.
        """
        from pytest_npu_compat.gate.errors import GateError
        from pytest_npu_compat.gate.loading import load_gate
        from pytest_npu_compat.stray import collected

        collected(self.config, str(self.path))
        try:
            gate = load_gate(self.path, self.baseline, use="write" if self.updating else "read")
        except GateError as error:
            shown = relative(self.path, self.config.invocation_params.dir)
            raise self.CollectError(error.render(shown)) from None
        for checks in gate.models:
            accepted = None if self.updating else gate.accepted.get(checks.id)
            asked = self.asked.get(checks.id, set())
            yield ModelCollector.from_parent(
                self, name=checks.id, checks=checks, accepted=accepted, asked=asked
            )


class ModelCollector(pytest.Collector):
    """One model on one target. Its checks share one analysis.

    Args:
        checks: What must hold of it.
        accepted: Its report in the baseline, None if it is not compared.
        asked: Names of the checks that were asked for, none for all.
    """

    def __init__(
        self, *, checks: ModelChecks, accepted: Report | None, asked: set[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.checks = checks
        self.accepted = accepted
        self.asked = asked

    @functools.cached_property
    def report(self) -> Report:
        """The report of the model."""
        return analyses(self.config).get(self.checks.request)

    @functools.cached_property
    def comparison(self) -> Comparison | None:
        """With the baseline; None if the model is not in it."""
        if self.accepted is None:
            return None
        from pytest_npu_compat.analysis.comparison import compare

        return compare(self.accepted, self.report)

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
        self.outcome: Outcome | None = None

    @property
    def model(self) -> ModelCollector:
        """The model and target it belongs to."""
        assert isinstance(self.parent, ModelCollector)
        return self.parent

    @property
    def checks(self) -> ModelChecks:
        """What must hold of its model on its target."""
        return self.model.checks

    def runtest(self) -> None:
        """Judges the model.

        Raises:
            CheckFailedError: The threshold does not hold, or the model cannot be analyzed.
        """
        from pytest_npu_compat.gate.judging import judge
        from pytest_npu_compat.gate.waiver import today
        from pytest_npu_compat.render import outcomes

        where = (self._shown_path, self.checks, self.check)
        if self.check.threshold.severity == "off":
            self.outcome = outcomes.switched_off(*where)
            # The place that is reported is then the gate file's, not this one.
            raise pytest.skip.Exception(self.outcome.message, _use_item_location=True)
        judged = judge(self.check, self.model.report, self.model.comparison, today())
        self.outcome = outcome = outcomes.outcome(*where, judged)
        self.user_properties.extend(_properties(outcome, judged.result))
        if outcome.status == "waived":
            if not self.config.getoption("runxfail"):
                pytest.xfail(f"{outcome.waiver} ({outcome.message})")
            self.outcome = dataclasses.replace(outcome, status="failed")
        if outcome.status == "warned":
            try:
                self.warn(NpuCompatWarning(f"{self.checks.id}: {outcome.message}"))
            except NpuCompatWarning:  # the run turns warnings into errors
                self.outcome = dataclasses.replace(outcome, status="failed")
        if self.outcome.red:
            raise CheckFailedError(self.outcome)

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
        outcome = error.outcome
        crash = ReprFileLocation(
            self._shown_path, self.check.line, f"{self.checks.id}: {outcome.message}"
        )
        entry = ReprEntryNative([f"{outcome.text}\n"])
        return ReprExceptionInfo(
            reprtraceback=ReprTraceback([entry], None, style="native"), reprcrash=crash
        )

    @property
    def _shown_path(self) -> str:
        return relative(self.path, self.config.invocation_params.dir)

    @property
    def recalled(self) -> bool:
        """Whether the analysis is that of an earlier run."""
        return self.checks.request in analyses(self.config).recalled

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Line of the threshold in the gate file, counted from 0."""
        return self.path, self.check.line - 1, f"{self.checks.id} {self.name}"


def _properties(outcome: Outcome, result: CheckResult) -> list[tuple[str, object]]:
    """What the JUnit file carries for archives and scripts."""
    report = result.report
    return [
        ("npu.metric", outcome.metric),
        ("npu.actual", "" if outcome.value is None else outcome.value),
        ("npu.limit", outcome.limit),
        ("npu.baseline", outcome.baseline or ""),
        ("npu.target", report.target.label),
        ("npu.model_sha256", report.model.sha256),
        ("npu.quantization", report.model.quantization),
    ]


def relative(path: Path, start: Path) -> str:
    """A path as the user knows it: relative to where the run was started, if it lies below.

    Args:
        path: Absolute.
        start: Where the run was started; tests may change the working directory.
    """
    try:
        return path.relative_to(start).as_posix()
    except ValueError:
        return str(path)
