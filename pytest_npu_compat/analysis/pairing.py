"""Which model of one state is which of another: a model that moved or has another name is no new one.

The surest first: the same id in the same gate file; the same model file; the same id in another gate
file; the same path; then whatever computes most alike.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pytest_npu_compat.analysis.comparison import Signature, signature
from pytest_npu_compat.analysis.report import Report

__all__ = ["Entry", "pair"]

MAX_PAIRS = 10_000
"""Pairs of models that are looked at by what they compute."""

ALIKE = 0.5
"""The part of two models' work that is the same if one became the other."""


@dataclass(frozen=True)
class Entry:
    """A model on a target in one state.

    Attributes:
        gate: Its gate file, relative to the repository; empty outside of gate files.
        id: ``detector[ethos-n78]``.
        report: What was found.
    """

    gate: str
    id: str
    report: Report

    @property
    def shown(self) -> str:
        """``gates/npu-compat.yaml::detector[ethos-n78]``."""
        return f"{self.gate}::{self.id}" if self.gate else self.id

    @property
    def path(self) -> str:
        """The model file, relative to the repository."""
        return posixpath.normpath(
            posixpath.join(posixpath.dirname(self.gate), self.report.model.path)
        )

    @property
    def target(self) -> str:
        """What the gate file calls the target."""
        return self.id.rpartition("[")[2]


def pair(old: Sequence[Entry], new: Sequence[Entry]) -> dict[int, int]:
    """Index in the new state -> index in the old one; each at most once."""
    pairs: dict[int, int] = {}
    for rule in _RULES:
        groups = _groups(old, rule, set(pairs.values()))
        for key, ours in _groups(new, rule, set(pairs)).items():
            _assign(pairs, old, groups.get(key, []), new, ours)
    for rule in (_label, _target):
        groups = _groups(old, rule, set(pairs.values()))
        for key, ours in _groups(new, rule, set(pairs)).items():
            _assign(pairs, old, groups.get(key, []), new, ours, at_least=ALIKE)
    return pairs


Rule = Callable[[Entry], Hashable]
"""What two entries have in common if they are the same; None if it says nothing."""


def _label(entry: Entry) -> Hashable:
    return entry.report.target.label


def _target(entry: Entry) -> Hashable:
    return entry.target


def _content(entry: Entry) -> Hashable:
    return entry.report.model.sha256 or None


def _both(one: Rule, other: Rule) -> Rule:
    return lambda entry: None if one(entry) is None else (one(entry), other(entry))


_RULES: tuple[Rule, ...] = (
    lambda entry: (entry.gate, entry.id),
    _both(_content, _label),
    _both(_content, _target),
    lambda entry: entry.id,
    _both(lambda entry: entry.path, _label),
    _both(lambda entry: entry.path, _target),
)


def _groups(entries: Sequence[Entry], rule: Rule, taken: set[int]) -> Mapping[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for index, entry in enumerate(entries):
        key = rule(entry)
        if index not in taken and key is not None:
            groups.setdefault(key, []).append(index)
    return groups


def _assign(
    pairs: dict[int, int],
    old: Sequence[Entry],
    theirs: Sequence[int],
    new: Sequence[Entry],
    ours: Sequence[int],
    at_least: float = 0.0,
) -> None:
    """Pairs two groups, the most alike first."""
    if len(theirs) * len(ours) > MAX_PAIRS:
        # Too many to look at each pair: what is surely the same stands in the same order.
        pairs.update({} if at_least else dict(zip(ours, theirs, strict=False)))
        return
    if len(theirs) == len(ours) == 1 and not at_least:
        pairs[ours[0]] = theirs[0]
        return
    work = {
        id(side[i]): _work(side[i]) for side, group in ((old, theirs), (new, ours)) for i in group
    }
    scores = [
        (-_alike(work[id(old[j])], work[id(new[i])]), -_close(old[j].shown, new[i].shown), i, j)
        for i in ours
        for j in theirs
    ]
    taken: set[int] = set()
    for alike, _, mine, its in sorted(scores):
        if -alike >= at_least and mine not in pairs and its not in taken:
            pairs[mine] = its
            taken.add(its)


def _work(entry: Entry) -> Counter[Signature]:
    """What multiplies: it stays when activations are exchanged. All operators if nothing does."""
    operators = entry.report.operators
    return Counter(signature(o) for o in [o for o in operators if o.macs] or operators)


def _alike(one: Counter[Signature], other: Counter[Signature]) -> float:
    """The part that two models share, from 0 to 1."""
    total = one.total() + other.total()
    return 2 * (one & other).total() / total if total else 0.0


def _close(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
