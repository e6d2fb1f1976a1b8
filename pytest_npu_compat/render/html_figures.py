"""The figures of one model on the HTML page: metrics, kinds of operators, shares by placement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.comparison import Comparison
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, OperatorInfo, Report
from pytest_npu_compat.gate.outcome import Outcome
from pytest_npu_compat.gate.units import format_value

__all__ = [
    "PLACEMENTS",
    "KindRow",
    "MetricRow",
    "ShareBar",
    "kinds_of",
    "metrics_of",
    "placement_of",
    "shares_of",
]

PLACEMENTS: Mapping[str, str] = {"npu": "NPU", "cpu": "CPU", "unknown": "unknown"}
"""Placement -> its word, in the order in which they are shown."""


@dataclass(frozen=True)
class MetricRow:
    """A metric of one model.

    Attributes:
        name: Of the metric.
        definition: What it counts.
        better: ``up`` or ``down``.
        value: With what it was computed from; ``no value`` if there is none.
        check: The gate's check on it, None if the gate does not judge it.
        before: The baseline's value if it differs, else empty.
        change: ``worse`` or ``better`` if it differs, else empty.
    """

    name: str
    definition: str
    better: str
    value: str
    check: Outcome | None
    before: str = ""
    change: str = ""


@dataclass(frozen=True)
class KindRow:
    """Operators of one kind: how many and how much work, by placement."""

    kind: str
    count: Mapping[str, int]
    macs: Mapping[str, int]

    @property
    def operators(self) -> int:
        """All of them, wherever they run."""
        return sum(self.count.values())


@dataclass(frozen=True)
class ShareBar:
    """What part of something has one placement.

    Attributes:
        of: What is shared out: ``operators`` or ``MACs``.
        placement: ``npu``, ``cpu`` or ``unknown``.
        share: From 0 to 1.
        text: The same in words: ``97.4% (152/156)``.
    """

    of: str
    placement: str
    share: float
    text: str


def placement_of(operator: OperatorInfo) -> str:
    """One of `PLACEMENTS`; a report of a later version may know more."""
    return operator.placement if operator.placement in PLACEMENTS else "unknown"


def metrics_of(
    report: Report, outcomes: Sequence[Outcome], comparison: Comparison | None
) -> Iterator[MetricRow]:
    """Those that have a value, had one, or are judged."""
    checks = {o.metric: o for o in outcomes}
    moved = {change.name: change for change in comparison.metrics} if comparison else {}
    for name, metric in METRICS.items():
        value, change = report.metrics.get(name), moved.get(name)
        if value is None and name not in checks and change is None:
            continue
        yield MetricRow(
            name,
            metric.definition,
            metric.better,
            _text(value, metric.of),
            checks.get(name),
            _text(change.before, metric.of) if change else "",
            change.verdict if change else "",
        )


def _text(value: MetricValue | None, of: str) -> str:
    return "no value" if value is None else format_value(value, of=of)


def kinds_of(operators: Sequence[OperatorInfo]) -> Iterator[KindRow]:
    """The most frequent first."""
    found = Counter(o.kind for o in operators)
    counts = Counter((o.kind, placement_of(o)) for o in operators)
    macs: Counter[tuple[str, str]] = Counter()
    for operator in operators:
        macs[operator.kind, placement_of(operator)] += operator.macs
    for kind in sorted(found, key=lambda kind: (-found[kind], kind)):
        yield KindRow(
            kind,
            {placement: counts[kind, placement] for placement in PLACEMENTS},
            {placement: macs[kind, placement] for placement in PLACEMENTS},
        )


def shares_of(operators: Sequence[OperatorInfo]) -> Iterator[ShareBar]:
    """Of the operators and of the work; placements that nothing has are left out."""
    placed = Counter(placement_of(o) for o in operators)
    macs: Counter[str] = Counter()
    for operator in operators:
        macs[placement_of(operator)] += operator.macs
    for of, parts in (("operators", placed), ("MACs", macs)):
        total = sum(parts.values())
        for placement in PLACEMENTS:
            if parts[placement]:
                share = parts[placement] / total
                value = MetricValue(share, "ratio", parts[placement], total)
                yield ShareBar(of, placement, share, format_value(value))
