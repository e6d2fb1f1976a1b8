"""Q/DQ pairs over all models, and which lines of IR would show them best."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.report import Conversion, Report
from pytest_npu_compat.render.findings.models import names
from pytest_npu_compat.render.findings.pairs import MAX_PAIRS, Pair, pairs
from pytest_npu_compat.render.findings.records import Island
from pytest_npu_compat.render.findings.values import Verbatim
from pytest_npu_compat.run.excerpt import Excerpt

__all__ = ["Wanted", "exchanged", "islands", "wanted_excerpts"]

MAX_EXCERPTS = 6


@dataclass(frozen=True)
class Wanted:
    """Operators whose IR a page wants to show.

    Attributes:
        model: Position of the model in the run.
        operators: Names of neighbouring operators.
    """

    model: int
    operators: tuple[str, ...]


def wanted_excerpts(reports: Sequence[Report]) -> tuple[Wanted, ...]:
    """The operators of which the page shows the IR: one island of each sort, and what replaces it."""
    found = [_wanted(reports, first) for first in _sorts(reports).values()]
    # One for each exchange is enough, however many models have made it.
    shown = list(itertools.islice(pairs(reports), MAX_PAIRS))
    exchanges = {(pair.old, pair.new): pair for pair in reversed(shown)}
    found += [exchanged(reports, pair) for pair in exchanges.values()]
    return tuple(dict.fromkeys(found))[:MAX_EXCERPTS]


def exchanged(reports: Sequence[Report], pair: Pair) -> Wanted:
    """The first operator that a pair exchanges, as it is in the first model."""
    both = zip(reports[pair.before].operators, reports[pair.after].operators, strict=True)
    return Wanted(pair.before, (next(old.name for old, new in both if old.kind != new.kind),))


def islands(
    reports: Sequence[Report], labels: Sequence[Verbatim], excerpts: Mapping[Wanted, Excerpt]
) -> tuple[Island, ...]:
    """The Q/DQ pairs by the kind of their float operator and their placement."""
    members: dict[tuple[str, str], list[tuple[int, Conversion]]] = {}
    for sort, model, island in _all(reports):
        members.setdefault(sort, []).append((model, island))
    first = _sorts(reports)
    found = [
        Island(
            kind=Verbatim(sort[0]),
            placement=sort[1],
            count=len(found),
            calls=sum(island.calls for _, island in found),
            models=names(labels[model].text for model, _ in found),
            first=labels[first[sort][0]],
            nodes=names(first[sort][1].nodes),
            excerpt=excerpts.get(_wanted(reports, first[sort])),
        )
        for sort, found in members.items()
    ]
    return tuple(sorted(found, key=lambda island: -island.count))


def _all(reports: Sequence[Report]) -> Iterator[tuple[tuple[str, str], int, Conversion]]:
    for model, report in enumerate(reports):
        kinds = {operator.name: operator.kind for operator in report.operators}
        for island in report.qdq_pairs:
            yield (kinds.get(island.operator, "?"), island.placement), model, island


def _sorts(reports: Sequence[Report]) -> dict[tuple[str, str], tuple[int, Conversion]]:
    """Kind and placement -> the first island of that sort."""
    first: dict[tuple[str, str], tuple[int, Conversion]] = {}
    for sort, model, island in _all(reports):
        first.setdefault(sort, (model, island))
    return first


def _wanted(reports: Sequence[Report], island: tuple[int, Conversion]) -> Wanted:
    """All operators of an island, not only the one that names it."""
    model, conversion = island
    nodes = set(conversion.nodes)
    inside = [o.name for o in reports[model].operators if o.nodes and set(o.nodes) <= nodes]
    return Wanted(model, tuple(inside) or (conversion.operator,))
