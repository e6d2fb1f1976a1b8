"""Why operators are off the NPU, over all models, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import NamedTuple

from pytest_npu_compat.analysis.report import Conversion, HazardInfo, OperatorInfo, Reason, Report
from pytest_npu_compat.render.findings.models import names, phrases
from pytest_npu_compat.render.findings.records import Advice, Cause, ModelFacts
from pytest_npu_compat.render.findings.values import (
    Message,
    Names,
    Prose,
    Statement,
    Value,
    Verbatim,
)
from pytest_npu_compat.render.text import ISLAND_REMEDY
from pytest_npu_compat.target.byoc import BACKENDS, FLOAT_REMEDY

__all__ = ["advise", "find_causes"]


class _Member(NamedTuple):
    """An operator of a model, and the reason or hazard that it is listed for."""

    label: str
    operator: OperatorInfo
    why: Reason | HazardInfo


def find_causes(reports: Sequence[Report], labels: Sequence[Verbatim]) -> tuple[Cause, ...]:
    """The rules that keep operators off the NPU, the most frequent first."""
    groups = _grouped(_off(reports, labels), lambda m: (m.why.rule, m.why.message))
    return tuple(_cause(members) for members in sorted(groups, key=lambda group: -len(group)))


def _cause(members: Sequence[_Member]) -> Cause:
    why = members[0].why
    return Cause(
        rule=Verbatim(why.rule),
        message=Prose(why.message),
        kinds=names(m.operator.kind for m in members),
        actual=phrases(m.why.actual for m in members if m.why.actual),
        allowed=phrases(_allowed(m.why) for m in members if _allowed(m.why) not in m.why.message),
        operators=len(members),
        macs=sum(m.operator.macs for m in members),
        first=Verbatim(members[0].label),
        at=_at(members),
        models=names(m.label for m in members),
        more=_further(members),
    )


def advise(
    reports: Sequence[Report], labels: Sequence[Verbatim], models: Sequence[ModelFacts]
) -> tuple[Advice, ...]:
    """What to do: what cannot be judged, what is computed wrongly, then what gains most."""
    members = _off(reports, labels)
    reasons = _grouped(members, lambda m: (m.why.rule, m.why.remedy))
    gains = [
        (sum(m.operator.macs for m in group), len(group), _for_reason(group)) for group in reasons
    ]
    advised = {group[0].why.remedy for group in reasons}
    gains += [
        (0, count, advice)
        for count, advice in _for_islands(reports, labels)
        if advice.action.text not in advised
    ]
    gains.sort(key=lambda gain: gain[:2], reverse=True)
    return (*_for_errors(models), *_for_hazards(reports, labels), *(gain[2] for gain in gains))


def _for_reason(members: Sequence[_Member]) -> Advice:
    macs = sum(m.operator.macs for m in members)
    further = _further(members)
    values: dict[str, Value] = {
        "rule": Verbatim(members[0].why.rule),
        "kinds": names(m.operator.kind for m in members),
        "operators": len(members),
        "macs": macs,
        "further": further,
    }
    id_ = "advice.macs" if macs else "advice.operators"
    return Advice(
        why=Statement(f"{id_}.further" if further.names else id_, values),
        action=Prose(members[0].why.remedy),
        models=names(m.label for m in members),
        at=_at(members),
    )


def _for_islands(
    reports: Sequence[Report], labels: Sequence[Verbatim]
) -> Iterator[tuple[int, Advice]]:
    """How many Q/DQ pairs there are, and what to do about them."""
    remedies: dict[str, list[tuple[str, Conversion]]] = {}
    for label, report in zip(labels, reports, strict=True):
        # With TVM's own backends every quantized operator is a pair, one with an integer form too.
        remedy = FLOAT_REMEDY if report.target.name in BACKENDS else ISLAND_REMEDY
        for island in report.qdq_pairs:
            remedies.setdefault(remedy, []).append((label.text, island))
    for remedy, found in remedies.items():
        values = {
            "islands": len(found),
            "calls": sum(island.calls for _, island in found),
            "cpu": sum(island.placement != "npu" for _, island in found),
        }
        advice = Advice(
            why=Statement("advice.islands", values),
            action=Prose(remedy),
            models=names(label for label, _ in found),
            at=names(island.operator for label, island in found if label == found[0][0]),
        )
        yield len(found), advice


def _for_errors(models: Sequence[ModelFacts]) -> list[Advice]:
    groups: dict[tuple[str, Prose], list[Verbatim]] = {}
    for model in models:
        if model.hint:
            groups.setdefault((model.error_code, model.hint), []).append(model.label)
    return [
        Advice(
            why=Statement("advice.error", {"error": Message(f"error.{code}")}),
            action=hint,
            models=Names(tuple(failed)),
            at=Names(()),
        )
        for (code, hint), failed in groups.items()
    ]


def _for_hazards(reports: Sequence[Report], labels: Sequence[Verbatim]) -> list[Advice]:
    members = [
        _Member(label.text, operator, hazard)
        for label, report in zip(labels, reports, strict=True)
        for operator in report.operators
        for hazard in operator.hazards
    ]
    return [
        Advice(
            why=Statement(
                "advice.hazard",
                {
                    "rule": Verbatim(group[0].why.rule),
                    "operators": len(group),
                    "message": Prose(group[0].why.message),
                },
            ),
            action=Prose(group[0].why.remedy),
            models=names(m.label for m in group),
            at=_at(group),
        )
        for group in _grouped(members, lambda m: (m.why.rule, m.why.remedy))
    ]


def _off(reports: Sequence[Report], labels: Sequence[Verbatim]) -> list[_Member]:
    return [
        _Member(label.text, operator, operator.reasons[0])
        for label, report in zip(labels, reports, strict=True)
        for operator in report.operators
        if operator.placement != "npu" and operator.reasons
    ]


def _allowed(why: Reason | HazardInfo) -> str:
    return (why.allowed or "") if isinstance(why, Reason) else ""


def _at(members: Sequence[_Member]) -> Names:
    """Where it is in the first model: nodes of several models may have the same names."""
    return names(m.operator.name for m in members if m.label == members[0].label)


def _further(members: Sequence[_Member]) -> Names:
    """Rules that some of the operators break besides the first."""
    return names(
        reason.rule
        for m in members
        for reason in m.operator.reasons[1:]
        if reason.rule != m.why.rule
    )


def _grouped(members: Sequence[_Member], key: Callable[[_Member], Hashable]) -> list[list[_Member]]:
    groups: dict[Hashable, list[_Member]] = {}
    for member in members:
        groups.setdefault(key(member), []).append(member)
    return list(groups.values())
