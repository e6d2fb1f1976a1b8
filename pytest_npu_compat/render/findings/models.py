"""Each model of the run by itself: its label, its figures, its operators by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_npu_compat.analysis.report import MetricValue, OperatorInfo, Report
from pytest_npu_compat.render.findings.groups import group_of
from pytest_npu_compat.render.findings.records import Breakdown, KindRow, ModelFacts, Placed
from pytest_npu_compat.render.findings.values import (
    Bytes,
    Estimate,
    Names,
    Phrase,
    Prose,
    Share,
    Verbatim,
)

__all__ = ["breakdown", "facts_of", "kind_rows", "labels", "names", "phrases"]

ESTIMATES = (
    "estimated_latency",
    "estimated_speedup",
    "estimated_energy_ratio",
    "estimated_dram_bytes",
)
"""Metrics that a report has only if they were asked for."""

MAX_KINDS = 30


def names(texts: Iterable[str]) -> Names:
    """Distinct names in the order in which they come."""
    return Names(tuple(Verbatim(text) for text in dict.fromkeys(texts)))


def phrases(texts: Iterable[str]) -> Names:
    """Distinct values of rules in the order in which they come."""
    return Names(tuple(Phrase(text) for text in dict.fromkeys(texts)))


def labels(reports: Sequence[Report]) -> list[Verbatim]:
    """What each report is called: as short as tells them apart."""
    targets = {report.target for report in reports}
    shown = [report.model.name for report in reports]
    times = Counter(shown)
    shown = [
        report.model.path if times[name] > 1 else name
        for name, report in zip(shown, reports, strict=True)
    ]
    if len(targets) > 1:
        shown = [
            f"{name}[{report.target.label}]" for name, report in zip(shown, reports, strict=True)
        ]
    seen: Counter[str] = Counter()
    unique = []
    for name in shown:
        seen[name] += 1
        unique.append(Verbatim(f"{name} #{seen[name]}" if seen[name] > 1 else name))
    return unique


def facts_of(report: Report, label: Verbatim) -> ModelFacts:
    """The figures of a model, or why there are none."""
    model, error = report.model, report.error
    return ModelFacts(
        label=label,
        path=Verbatim(model.path),
        sha256=Verbatim(model.sha256[:12]) if model.sha256 else None,
        nodes=model.nodes,
        quantization=Verbatim(model.quantization),
        placed=_placed(report) if report.analyzed else None,
        error_code=error.code if error else "",
        error=Prose(error.message) if error else None,
        hint=Prose(error.hint) if error else None,
        estimates={
            name: _estimate(report.metrics[name]) for name in ESTIMATES if name in report.metrics
        },
    )


def _placed(report: Report) -> Placed:
    def count(name: str) -> int:
        return int(report.metrics[name].value)

    return Placed(
        functions=_share(report.metrics["npu_function_ratio"]),
        npu=_share(report.metrics["npu_ratio"]),
        macs=_share(report.metrics["npu_mac_ratio"]) if "npu_mac_ratio" in report.metrics else None,
        partitions=count("npu_partitions"),
        boundaries=count("boundaries"),
        boundary_bytes=Bytes(count("boundary_bytes")),
        host_ops=count("host_ops"),
        islands=count("qdq_pairs"),
        cpu_islands=count("cpu_qdq_pairs"),
        conversion_operators=count("conversion_operators"),
        hazards=count("hazards"),
        unknown=count("unknown_operators"),
        estimate_only=sum(o.supported == "estimate-only" for o in report.operators),
    )


def _share(ratio: MetricValue) -> Share:
    assert ratio.numerator is not None
    assert ratio.denominator
    return Share(ratio.numerator, ratio.denominator)


def _estimate(value: MetricValue) -> Estimate:
    """A figure with its range; one without a range is its own."""
    low, high = getattr(value, "low", None), getattr(value, "high", None)
    return Estimate(
        value.value if low is None else low,
        value.value,
        value.value if high is None else high,
        value.unit,
    )


def breakdown(report: Report, label: Verbatim) -> Breakdown:
    """The operators of a model by kind."""
    return Breakdown(label, len(report.operators), kind_rows(report.operators))


def kind_rows(operators: Sequence[OperatorInfo], limit: int = MAX_KINDS) -> tuple[KindRow, ...]:
    """Operators by kind, the most frequent first; kinds beyond the limit share the last row."""
    kinds: dict[str, list[OperatorInfo]] = {}
    for operator in operators:
        kinds.setdefault(operator.kind, []).append(operator)
    groups = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    macs = sum(operator.macs for operator in operators)
    rows = [_row(Verbatim(kind), members, len(operators), macs) for kind, members in groups[:limit]]
    rest = [operator for _, members in groups[limit:] for operator in members]
    if rest:
        rows.append(_row(None, rest, len(operators), macs))
    return tuple(rows)


def _row(
    kind: Verbatim | None, members: Sequence[OperatorInfo], operators: int, macs: int
) -> KindRow:
    on = [operator for operator in members if operator.placement == "npu"]
    own_macs = sum(operator.macs for operator in members)
    return KindRow(
        kind=kind,
        group=group_of(kind.text if kind else "", own_macs),
        operators=Share(len(on), len(members)),
        share=Share(len(members), operators),
        macs=Share(own_macs, macs) if macs else None,
        support=_support(members, len(on)),
        composites=names(o.composite for o in on if o.composite),
        rules=names(o.reasons[0].rule for o in members if o.placement != "npu" and o.reasons),
    )


def _support(members: Sequence[OperatorInfo], on: int) -> str:
    """What the target says of a kind, as far as this model shows it."""
    if on:
        return "full" if on == len(members) else "part"
    if all(operator.placement == "unknown" for operator in members):
        return "unknown"
    if all(operator.supported is True for operator in members):
        return "returned"
    estimated = all(operator.supported == "estimate-only" for operator in members)
    return "estimate-only" if estimated else "none"
