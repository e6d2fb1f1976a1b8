"""Models that differ in one kind of operator only, as a swapped activation makes them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.report import OperatorInfo, Report

__all__ = ["MAX_PAIRS", "Pair", "pairs"]

MAX_PAIRS = 10
"""How many pairs a page shows."""

_WITHOUT_ATTRIBUTES = "1.0"
"""The version of reports that say nothing of attributes: of them nobody can tell what differs."""

_OF_THE_KIND = ("alpha", "minimum", "maximum", "input type")
"""Attributes that another kind of operator changes by itself."""


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


def pairs(reports: Sequence[Report]) -> Iterator[Pair]:
    """The pairs of a run, in its order.

    Kinds, output shapes, multiply-accumulates and attributes are compared. A report does not know
    scales, the values of constants, and which operator reads which.
    """
    for before, after in itertools.combinations(range(len(reports)), 2):
        if _WITHOUT_ATTRIBUTES in (reports[before].schema_version, reports[after].schema_version):
            continue
        if len(reports[before].qdq_pairs) > len(reports[after].qdq_pairs):
            before, after = after, before
        swapped = _swapped(reports[before].operators, reports[after].operators)
        if swapped:
            yield Pair(before, after, *swapped)


def _swapped(
    before: Sequence[OperatorInfo], after: Sequence[OperatorInfo]
) -> tuple[str, str, int] | None:
    """The one kind that became another, and how often; None if the models differ in more."""
    if len(before) != len(after):
        return None
    kinds: Counter[tuple[str, str]] = Counter()
    for old, new in zip(before, after, strict=True):
        if not _alike(old, new):
            return None
        if old.kind != new.kind:
            kinds[old.kind, new.kind] += 1
    if len(kinds) != 1:
        return None
    ((old_kind, new_kind), count) = kinds.popitem()
    return old_kind, new_kind, count


def _alike(old: OperatorInfo, new: OperatorInfo) -> bool:
    """Whether two operators differ at most in their kind, and in what that brings with it."""
    # A node more is an activation that became part of the operator.
    if (old.output_shape, old.macs, len(old.nodes)) != (new.output_shape, new.macs, len(new.nodes)):
        return False
    if old.kind == new.kind:
        return old.attributes == new.attributes
    shared = (old.attributes.keys() & new.attributes.keys()).difference(_OF_THE_KIND)
    return _only(old.attributes, shared) == _only(new.attributes, shared)


def _only(attributes: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: attributes[name] for name in names}
