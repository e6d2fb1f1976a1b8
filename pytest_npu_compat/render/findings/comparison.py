"""The models of a run beside each other: ranking, differences, exchanged operators."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.render.findings.islands import Wanted, exchanged
from pytest_npu_compat.render.findings.models import names
from pytest_npu_compat.render.findings.pairs import MAX_PAIRS, Pair, pairs
from pytest_npu_compat.render.findings.records import (
    Comparison,
    Difference,
    Exchange,
    Figure,
    ModelFacts,
    Placed,
)
from pytest_npu_compat.render.findings.values import Message, Names, Share, Statement, Verbatim
from pytest_npu_compat.run.excerpt import Excerpt

__all__ = ["compare", "fraction"]


def compare(
    reports: Sequence[Report], models: Sequence[ModelFacts], excerpts: Mapping[Wanted, Excerpt]
) -> Comparison | None:
    """Compares the analyzed models; None if there are fewer than two."""
    analyzed = [(model.placed, i) for i, model in enumerate(models) if model.placed]
    if len(analyzed) < 2:
        return None
    analyzed.sort(key=lambda item: _merit(item[0]), reverse=True)
    merits = [_merit(placed) for placed, _ in analyzed]
    best = analyzed[0][1]
    found = list(itertools.islice(pairs(reports), MAX_PAIRS + 1))
    return Comparison(
        ranking=tuple((merits.index(_merit(placed)) + 1, models[i]) for placed, i in analyzed),
        differences=_differences(
            reports, models, best, [i for placed, i in analyzed if _merit(placed) != merits[0]]
        ),
        exchanges=tuple(_exchange(reports, models, pair, excerpts) for pair in found[:MAX_PAIRS]),
        cut=len(found) > MAX_PAIRS,
    )


def fraction(share: Share | None) -> Fraction:
    """The exact value of a share; 0 for a share of nothing."""
    return Fraction(share.part, share.whole) if share else Fraction(0)


def _merit(placed: Placed) -> tuple[Fraction, Fraction, int, int]:
    """What a model is ranked by: NPU ratio, MAC ratio, few Q/DQ pairs, few partitions."""
    return (fraction(placed.npu), fraction(placed.macs), -placed.islands, -placed.partitions)


def _off(report: Report) -> Counter[str]:
    return Counter(o.kind for o in report.operators if o.placement != "npu")


def _differences(
    reports: Sequence[Report], models: Sequence[ModelFacts], best: int, others: Sequence[int]
) -> tuple[Difference, ...]:
    """Why models are not the best; what is the same for several is said once."""
    found: list[tuple[tuple[Statement, ...], list[Verbatim]]] = []
    for other in others:
        points = _points(reports, models, best, other)
        alike = next((members for known, members in found if known == points), None)
        if alike is None:
            found.append((points, [models[other].label]))
        else:
            alike.append(models[other].label)
    return tuple(
        Difference(Names(tuple(members)), models[best].label, points) for points, members in found
    )


def _points(
    reports: Sequence[Report], models: Sequence[ModelFacts], best: int, other: int
) -> tuple[Statement, ...]:
    """Why a model is not the best."""
    a, b = models[best].placed, models[other].placed
    assert a
    assert b
    found = []
    worse = _off(reports[other]) - _off(reports[best])
    if worse:
        kinds = names(kind for kind, _ in worse.most_common())
        found.append(Statement("difference.off", {"count": b.off, "best": a.off, "kinds": kinds}))
    for id_, ours, theirs in (
        ("difference.islands", b.islands, a.islands),
        ("difference.partitions", b.partitions, a.partitions),
    ):
        if ours > theirs:
            found.append(Statement(id_, {"count": ours, "best": theirs}))
    if not found:
        figures = {"npu": b.npu, "best": a.npu, "macs": b.macs, "best_macs": a.macs}
        found.append(Statement("difference.ratio", figures))
    return tuple(found)


def _exchange(
    reports: Sequence[Report],
    models: Sequence[ModelFacts],
    pair: Pair,
    excerpts: Mapping[Wanted, Excerpt],
) -> Exchange:
    before, after = models[pair.before], models[pair.after]
    assert before.placed
    assert after.placed
    excerpt = excerpts.get(exchanged(reports, pair))
    figures = [
        Figure(Message(f"metric.{name}"), getattr(before.placed, name), getattr(after.placed, name))
        for name in (
            "npu",
            "macs",
            "partitions",
            "boundary_bytes",
            "islands",
            "cpu_islands",
            "conversion_operators",
            "hazards",
        )
    ]
    figures += [
        Figure(Message(f"metric.{name}"), value, after.estimates[name])
        for name, value in before.estimates.items()
        if name in after.estimates
    ]
    return Exchange(
        before=before.label,
        after=after.label,
        old=Verbatim(pair.old),
        new=Verbatim(pair.new),
        count=pair.count,
        same=all(figure.before == figure.after for figure in figures),
        figures=tuple(figures),
        unconverted=excerpt if excerpt and excerpt.arithmetic else None,
    )
