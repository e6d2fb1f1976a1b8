"""What the HTML page says about a run, before it is laid out."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.comparison import Comparison, compare
from pytest_npu_compat.analysis.report import HazardInfo, OperatorInfo, Reason, Report
from pytest_npu_compat.gate.outcome import GateRun, Outcome, Status
from pytest_npu_compat.render.html_figures import (
    PLACEMENTS,
    KindRow,
    MetricRow,
    ShareBar,
    kinds_of,
    metrics_of,
    placement_of,
    shares_of,
)
from pytest_npu_compat.render.text import group_by_reason
from pytest_npu_compat.render.words import counted, plural

__all__ = ["STATUSES", "ModelView", "PageView", "page_view", "verdict"]

STATUSES: Mapping[Status, tuple[str, str]] = {
    "not_analyzable": ("‼", "not analyzable"),
    "failed": ("✗", "failed"),
    "warned": ("!", "warned"),
    "waived": ("~", "waived"),
    "passed": ("✓", "passed"),
    "off": ("–", "off"),
}
"""Mark and word of each status, the worst first: colour is never the only signal."""


@dataclass(frozen=True)
class ModelView:
    """All about one model on one target.

    Attributes:
        id: Of its section in the page.
        key: As in `GateRun.reports`.
        name: ``detector[ethos-n78]``; the whole key if another gate file has one of that name.
        status: The worst of its checks; None if none judged it.
        report: What was found.
        outcomes: Its checks.
        metrics: Those that have a value, had one, or are judged.
        kinds: The most frequent first.
        shares: Of the operators and of the work.
        groups: Operators that are not on the NPU by kind and reason, the most frequent first.
        comparison: With the baseline; None without one.
    """

    id: str
    key: str
    name: str
    status: Status | None
    report: Report
    outcomes: tuple[Outcome, ...]
    metrics: tuple[MetricRow, ...]
    kinds: tuple[KindRow, ...]
    shares: tuple[ShareBar, ...]
    groups: Sequence[tuple[str, Reason, list[OperatorInfo]]]
    comparison: Comparison | None

    @functools.cached_property
    def numbers(self) -> Mapping[str, int]:
        """Name of an operator -> its place in the order of execution, counted from 1."""
        return {o.name: number for number, o in enumerate(self.report.operators, 1)}

    @property
    def numbered(self) -> Iterable[tuple[int, OperatorInfo]]:
        """All operators with their places, counted from 1."""
        return enumerate(self.report.operators, 1)

    @property
    def inner(self) -> int:
        """Partitions that run only parts of operators, which count as elsewhere."""
        whole = {operator.partition for operator in self.report.operators}
        return sum(partition.id not in whole for partition in self.report.partitions)

    @property
    def green(self) -> bool:
        """Whether its checks, of which there is one at least, all pass or are off."""
        statuses = {outcome.status for outcome in self.outcomes}
        return "passed" in statuses and statuses <= {"passed", "off"}

    @property
    def hazards(self) -> Sequence[tuple[HazardInfo, list[OperatorInfo]]]:
        """Operators with hazards by rule."""
        groups: dict[str, tuple[HazardInfo, list[OperatorInfo]]] = {}
        for operator in self.report.operators:
            for hazard in operator.hazards:
                groups.setdefault(hazard.rule, (hazard, []))[1].append(operator)
        return list(groups.values())

    @property
    def strips(self) -> Mapping[str, str]:
        """Placement -> SVG path of a strip that is as long as the network and one unit high."""
        paths = dict.fromkeys(PLACEMENTS, "")
        start = 0
        operators = self.report.operators
        for placement, run in itertools.groupby(map(placement_of, operators)):
            width = len(list(run))
            paths[placement] += f"M{start} 0h{width}v1h-{width}z"
            start += width
        return {placement: path for placement, path in paths.items() if path}


@dataclass(frozen=True)
class PageView:
    """The page.

    Attributes:
        passed: Whether the run holds.
        verdict: The same in a sentence.
        counts: Checks by status, those that occur, the worst first.
        outcomes: All checks, the worst first.
        models: All models, the worst first.
    """

    passed: bool
    verdict: str
    counts: Mapping[Status, int]
    outcomes: tuple[Outcome, ...]
    models: tuple[ModelView, ...]

    @property
    def sections(self) -> Mapping[str, str]:
        """Key of a report -> id of its section."""
        return {model.key: model.id for model in self.models}

    @property
    def repeats(self) -> Mapping[str, str]:
        """Id of a check -> metric of an earlier check of its model whose text explains the same."""
        told: dict[tuple[str, str], str] = {}
        found = {}
        for outcome in self.outcomes:
            explained = outcome.text.partition("\n")[2]
            first = told.setdefault((outcome.key, explained), outcome.metric)
            if explained and first != outcome.metric:
                found[outcome.id] = first
        return found

    @property
    def baselines(self) -> bool:
        """Whether anything was compared."""
        return any(o.baseline for o in self.outcomes)


def page_view(run: GateRun) -> PageView:
    """Prepares a run for the page."""
    order = list(STATUSES)
    outcomes = tuple(sorted(run.outcomes, key=lambda o: order.index(o.status)))
    by_key: dict[str, list[Outcome]] = {key: [] for key in run.reports}
    for outcome in run.outcomes:
        by_key.setdefault(outcome.key, []).append(outcome)

    def badness(key: str) -> int:
        statuses = [order.index(o.status) for o in by_key[key]]
        return min(statuses, default=0 if run.reports[key].error else len(order))

    keys = sorted(run.reports, key=badness)
    found = Counter(o.status for o in outcomes)
    short = {key: key.partition("::")[2] or key for key in keys}
    shared = Counter(short.values())
    names = {key: name if shared[name] == 1 else key for key, name in short.items()}
    return PageView(
        run.passed,
        verdict(run),
        {status: found[status] for status in order if found[status]},
        outcomes,
        tuple(
            _model(
                f"m{number}", key, names[key], run.reports[key], by_key[key], run.baselines.get(key)
            )
            for number, key in enumerate(keys, 1)
        ),
    )


def verdict(run: GateRun) -> str:
    """What came out, in a sentence."""
    if not run.outcomes:
        return "Nothing was judged"
    red = [o for o in run.outcomes if o.red]
    errors = sum(note.level == "error" for note in run.notes)
    parts = []
    if red:
        models = len({o.key for o in red})
        parts.append(
            f"{len(red)} of {counted(len(run.outcomes), 'check')} "
            f"{plural(len(red), 'fails', 'fail')}, in {counted(models, 'model')}"
        )
    if errors:
        parts.append(counted(errors, "error") + " outside the checks")
    if parts:
        return "; ".join(parts)
    excused = [
        word for word in ("waived", "warned", "off") if any(o.status == word for o in run.outcomes)
    ]
    passed = sum(o.status == "passed" for o in run.outcomes)
    if not excused:
        return "The check holds" if passed == 1 else f"All {passed} checks hold"
    found = Counter(o.status for o in run.outcomes)
    rest = ", ".join(f"{found[word]} {word}" for word in STATUSES if word in excused)
    holding = plural(passed, "holds", "hold")
    return f"{passed} of {counted(len(run.outcomes), 'check')} {holding}; {rest}"


def _model(
    id_: str,
    key: str,
    name: str,
    report: Report,
    outcomes: Sequence[Outcome],
    baseline: Report | None,
) -> ModelView:
    comparison = compare(baseline, report) if baseline else None
    statuses = {o.status for o in outcomes}
    return ModelView(
        id_,
        key,
        name,
        next((status for status in STATUSES if status in statuses), None),
        report,
        tuple(outcomes),
        tuple(metrics_of(report, outcomes, comparison)),
        tuple(kinds_of(report.operators)),
        tuple(shares_of(report.operators)),
        group_by_reason(report.operators),
        comparison,
    )
