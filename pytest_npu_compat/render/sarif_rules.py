"""What SARIF says of metrics, placement rules and operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pytest_npu_compat.analysis.metrics import METRICS, Metric
from pytest_npu_compat.analysis.report import HazardInfo, Reason, Report
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.names import clean

__all__ = ["descriptors", "related"]

MAX_RULES = 20_000
"""Below the 25,000 rules that GitHub takes of a run."""


def descriptors(run: GateRun) -> list[dict[str, Any]]:
    """All metrics, then the rules and hazards that the reports name, by id."""
    rules: dict[str, Reason | HazardInfo] = {}
    for report in run.reports.values():
        for operator in report.operators:
            named: tuple[Reason | HazardInfo, ...] = (*operator.reasons, *operator.hazards)
            for rule in named:
                rules.setdefault(clean(rule.rule) or "?", rule)
    found = [_descriptor(m.name, m.definition, "", "metric") for m in METRICS.values()]
    for name in sorted(rules)[:MAX_RULES]:
        if name not in METRICS:
            rule = rules[name]
            kind = "hazard" if isinstance(rule, HazardInfo) else "placement"
            found.append(_descriptor(name, rule.message, rule.remedy, kind))
    return found


def _descriptor(name: str, meaning: str, remedy: str, tag: str) -> dict[str, Any]:
    short = clean(meaning.split(". ")[0].rstrip("."), 200) or name
    text = clean(f"{meaning} What to do: {remedy}" if remedy else meaning, 1000) or name
    return {
        "id": name,
        "shortDescription": {"text": f"{short}."},
        "fullDescription": {"text": text},
        "help": {"text": text},
        "properties": {"tags": ["npu", tag]},
    }


def related(metric: Metric, report: Report) -> Iterator[tuple[str, str]]:
    """Operators that a failure of a metric is about, with what is said of each."""
    if metric.explained_by == "islands":
        for island in report.qdq_pairs:
            nodes = " -> ".join(island.nodes)
            yield island.operator, f"{nodes}: an island of float operators ({island.placement})"
        return
    for operator in report.operators:
        hazards = metric.explained_by == "hazards"
        said = operator.hazards if hazards else operator.reasons[: operator.placement != "npu"]
        for rule in said:
            text = f"{operator.name} ({operator.kind}), {rule.rule}: {rule.message}"
            yield operator.name, f"{text} Is: {rule.actual}. What to do: {rule.remedy}"
