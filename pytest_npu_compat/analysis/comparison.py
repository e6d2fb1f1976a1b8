"""Two reports of one model: which operators are the same, which left the NPU, and what moved the figures.

Operators are matched by name and, where names changed, by structure: exporters number nodes anew when
one is inserted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pytest_npu_compat.analysis.cause import Changes, explanation, setting_changes, tool_changes
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, OperatorInfo, Report

__all__ = ["Comparison", "MetricChange", "OperatorChange", "compare"]

MAX_ALIGNED = 4_000_000
"""Pairs of operators that are aligned by structure; more than that takes minutes."""


@dataclass(frozen=True)
class OperatorChange:
    """An operator before and after.

    Attributes:
        before: In the base; None if it is new.
        after: In the head; None if it is gone.
    """

    before: OperatorInfo | None
    after: OperatorInfo | None

    @property
    def differences(self) -> tuple[tuple[str, str, str], ...]:
        """What shapes it and changed: (name, before, after)."""
        if self.before is None or self.after is None:
            return ()
        old, new = _shaping(self.before), _shaping(self.after)
        if old["kind"] != new["kind"]:
            return (("kind", old["kind"], new["kind"]),)  # the rest follows from it
        names = dict.fromkeys([*old, *new])
        return tuple(
            (name, old.get(name, "none"), new.get(name, "none"))
            for name in names
            if old.get(name) != new.get(name)
        )


@dataclass(frozen=True)
class MetricChange:
    """A metric that moved.

    Attributes:
        name: Of the metric.
        before: In the base; None if it had no value.
        after: In the head; None if it has no value.
    """

    name: str
    before: MetricValue | None
    after: MetricValue | None

    @property
    def worse(self) -> bool:
        """Whether it moved in the wrong direction, or lost its value."""
        return self.verdict == "worse"

    @property
    def verdict(self) -> str:
        """``worse``, ``better``, ``new``, or nothing if its direction says nothing."""
        if not METRICS[self.name].telling:
            return ""
        if self.before is None:
            return "new"
        if self.after is None:
            return "worse"
        rose = self.after.value > self.before.value
        return "better" if rose == (METRICS[self.name].better == "up") else "worse"


@dataclass(frozen=True)
class Comparison:
    """What changed from one report to another.

    Attributes:
        base: The accepted state.
        head: The state that is judged.
        metrics: Metrics that moved, in the order of the metrics table.
        left: Operators that were on the NPU and are not any more, in the head's order.
        joined: Operators that were not on the NPU and are now.
        added: Operators that the base does not have.
        removed: Operators that the head does not have.
        renamed: Operators that only have another name.
    """

    base: Report
    head: Report
    metrics: tuple[MetricChange, ...]
    left: tuple[OperatorChange, ...]
    joined: tuple[OperatorChange, ...]
    added: tuple[OperatorChange, ...]
    removed: tuple[OperatorChange, ...]
    renamed: tuple[OperatorChange, ...]

    @property
    def setting_changes(self) -> Changes:
        """Settings of the gate file that differ: (what, before, after)."""
        return setting_changes(self.base, self.head)

    @property
    def tool_changes(self) -> Changes:
        """Versions that differ: (what, before, after)."""
        return tool_changes(self.base, self.head)

    @property
    def cause(self) -> str | None:
        """What changed although the model file did not; None if the file changed, or nothing moved."""
        if not self.head.model.sha256 or self.head.model.sha256 != self.base.model.sha256:
            return None
        return None if self.unchanged else explanation(self.base, self.head)

    @property
    def off_npu(self) -> tuple[OperatorChange, ...]:
        """New operators that are not on the NPU."""
        return tuple(c for c in self.added if c.after is not None and c.after.placement != "npu")

    @property
    def unchanged(self) -> bool:
        """Whether nothing moved: neither a figure nor the place of an operator."""
        return not (self.metrics or self.left or self.joined or self.added or self.removed)


def compare(base: Report, head: Report) -> Comparison:
    """Compares two reports; either may be of a model that could not be analyzed."""
    pairs = list(_pairs(base.operators, head.operators))
    both = [c for c in pairs if c.before is not None and c.after is not None]
    return Comparison(
        base,
        head,
        metrics=tuple(_metrics(base.metrics, head.metrics)),
        left=tuple(c for c in both if _on_npu(c.before) and not _on_npu(c.after)),
        joined=tuple(c for c in both if _on_npu(c.after) and not _on_npu(c.before)),
        added=tuple(c for c in pairs if c.before is None),
        removed=tuple(c for c in pairs if c.after is None),
        renamed=tuple(c for c in both if c.before and c.after and c.before.name != c.after.name),
    )


def _metrics(
    base: Mapping[str, MetricValue], head: Mapping[str, MetricValue]
) -> Iterator[MetricChange]:
    for name in METRICS:
        before, after = base.get(name), head.get(name)
        if (before and before.value) != (after and after.value):
            yield MetricChange(name, before, after)


def _on_npu(operator: OperatorInfo | None) -> bool:
    return operator is not None and operator.placement == "npu"


def _shaping(operator: OperatorInfo) -> dict[str, str]:
    shape = "x".join("?" if dim is None else str(dim) for dim in operator.output_shape)
    return {"kind": operator.kind, **operator.attributes, "output shape": shape or "scalar"}


Signature = tuple[str, tuple[int | None, ...], int, tuple[tuple[str, str], ...]]


def _signature(operator: OperatorInfo) -> Signature:
    """What an operator is, whatever it is called."""
    attributes = tuple(sorted(operator.attributes.items()))
    return operator.kind, operator.output_shape, operator.macs, attributes


def _place(operator: OperatorInfo, *, replaced: bool) -> tuple[object, ...]:
    """What stays of an operator that was changed: its output, and its kind unless it was replaced."""
    return (operator.output_shape,) if replaced else (operator.output_shape, operator.kind)


def _pairs(base: Sequence[OperatorInfo], head: Sequence[OperatorInfo]) -> Iterator[OperatorChange]:
    """All operators of both, matched where they are the same; in the head's order, then the gone."""
    matched = _match(base, head)
    for index, operator in enumerate(head):
        before = matched.get(index)
        yield OperatorChange(None if before is None else base[before], operator)
    taken = set(matched.values())
    for index, operator in enumerate(base):
        if index not in taken:
            yield OperatorChange(operator, None)


def _match(base: Sequence[OperatorInfo], head: Sequence[OperatorInfo]) -> dict[int, int]:
    """Index in the head -> index in the base.

    The surest first: same name and structure; then the same structure in the same order; then the
    same name; then the same output at the same place between matched neighbours.
    """
    matched: dict[int, int] = {}

    def left_over() -> tuple[list[int], list[int]]:
        taken = set(matched.values())
        return [i for i in range(len(base)) if i not in taken], [
            i for i in range(len(head)) if i not in matched
        ]

    exact: dict[tuple[str, Signature], list[int]] = {}
    for index in reversed(range(len(base))):
        exact.setdefault((base[index].name, _signature(base[index])), []).append(index)
    for index, operator in enumerate(head):
        # Names need not be unique: the first is the first.
        if same := exact.get((operator.name, _signature(operator))):
            matched[index] = same.pop()
    old, new = left_over()
    if len(old) * len(new) <= MAX_ALIGNED:
        _align(
            matched,
            [(i, _signature(base[i])) for i in old],
            [(i, _signature(head[i])) for i in new],
        )
    old, new = left_over()
    names = {base[i].name: i for i in old}
    for index in new:
        before = names.pop(head[index].name, None)
        if before is not None:
            matched[index] = before
    old, new = left_over()
    for old_gap, new_gap in _gaps(matched, old, new):
        # As many as before: each was replaced. Otherwise only what is of the same kind is the same.
        replaced = len(old_gap) == len(new_gap)
        old_places = [(i, _place(base[i], replaced=replaced)) for i in old_gap]
        new_places = [(i, _place(head[i], replaced=replaced)) for i in new_gap]
        _align(matched, old_places, new_places)
    return matched


def _align(
    matched: dict[int, int],
    old: Sequence[tuple[int, object]],
    new: Sequence[tuple[int, object]],
) -> None:
    """Matches what is equal in the longest common order."""
    blocks = SequenceMatcher(
        None, [key for _, key in old], [key for _, key in new], autojunk=False
    ).get_matching_blocks()
    for block in blocks:
        for offset in range(block.size):
            matched[new[block.b + offset][0]] = old[block.a + offset][0]


def _gaps(
    matched: Mapping[int, int], old: Sequence[int], new: Sequence[int]
) -> Iterator[tuple[list[int], list[int]]]:
    """What is left over between the same matched neighbours in both."""
    befores = sorted((after, before) for after, before in matched.items())
    gaps: dict[int, tuple[list[int], list[int]]] = {}
    for index in new:
        neighbour = max((b for a, b in befores if a < index), default=-1)
        gaps.setdefault(neighbour, ([], []))[1].append(index)
    for index in old:
        neighbour = max((b for _, b in befores if b < index), default=-1)
        if neighbour in gaps:
            gaps[neighbour][0].append(index)
    yield from ((a, b) for a, b in gaps.values() if a and b)
