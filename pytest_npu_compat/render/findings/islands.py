"""Q/DQ pairs over all models, and which lines of IR would show them best."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.report import Conversion, OperatorInfo, Report
from pytest_npu_compat.render.findings.models import names
from pytest_npu_compat.render.findings.records import Island
from pytest_npu_compat.render.findings.values import Verbatim
from pytest_npu_compat.run.excerpt import Excerpt

__all__ = ["Pair", "Wanted", "islands", "pairs", "wanted_excerpts"]

MAX_PAIRS = 10
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


@dataclass(frozen=True)
class Pair:
    """Two models that are the same operator by operator, except that one kind became another.

    Attributes:
        before: Position in the run of the one with fewer Q/DQ pairs.
        after: Position of the other.
        old: The kind in the first.
        new: The kind in the second.
        count: How many.
    """

    before: int
    after: int
    old: str
    new: str
    count: int


def wanted_excerpts(reports: Sequence[Report]) -> tuple[Wanted, ...]:
    """The operators of which the page shows the IR: one island of each sort, and what replaces it."""
    found = [_wanted(reports, first) for first in _sorts(reports).values()]
    # One for each exchange is enough, however many models have made it.
    exchanges = {(pair.old, pair.new): pair for pair in reversed(pairs(reports))}
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


def pairs(reports: Sequence[Report]) -> list[Pair]:
    """Models that differ in one kind of operator, as a swapped activation makes them."""
    found = []
    for before, after in itertools.combinations(range(len(reports)), 2):
        if len(reports[before].qdq_pairs) > len(reports[after].qdq_pairs):
            before, after = after, before
        swapped = _swapped(reports[before].operators, reports[after].operators)
        if swapped:
            found.append(Pair(before, after, *swapped))
        if len(found) == MAX_PAIRS:
            break
    return found


def _swapped(
    before: Sequence[OperatorInfo], after: Sequence[OperatorInfo]
) -> tuple[str, str, int] | None:
    """The one kind that became another, and how often; None if the models differ in more."""
    if len(before) != len(after):
        return None
    kinds: Counter[tuple[str, str]] = Counter()
    for old, new in zip(before, after, strict=True):
        if (old.output_shape, old.macs) != (new.output_shape, new.macs):
            return None
        if old.kind != new.kind:
            kinds[old.kind, new.kind] += 1
    if len(kinds) != 1:
        return None
    ((old_kind, new_kind), count) = kinds.popitem()
    return old_kind, new_kind, count
