"""What changed since a baseline, in words: operators that left the NPU first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_npu_compat.analysis.comparison import Comparison, OperatorChange
from pytest_npu_compat.analysis.report import OperatorInfo
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.wrapping import wrapped

__all__ = ["since_baseline", "why_left"]

MAX_LISTED = 8


def since_baseline(comparison: Comparison) -> list[str]:
    """Operators that left the NPU, and new ones that are not on it; nothing if there are none."""
    return [
        *_section("left the NPU since the baseline:", comparison.left),
        *_section("new since the baseline, and not on the NPU:", comparison.off_npu),
    ]


def why_left(change: OperatorChange) -> str:
    """One line: ``conv_12 left the NPU: kernel 3x3 -> 4x4``."""
    return f"{_name(change)} left the NPU: {_why(change)}"


def _section(title: str, changes: Sequence[OperatorChange]) -> Iterator[str]:
    if not changes:
        return
    yield ""
    yield title
    for change in changes[:MAX_LISTED]:
        after = change.after
        assert after is not None
        rule = f"   [{after.reasons[0].rule}]" if after.reasons else ""
        yield from wrapped("", f"{_name(change)}: {_why(change)}{rule}", indent=2)
    if len(changes) > MAX_LISTED:
        yield f"  … and {len(changes) - MAX_LISTED} more"


def _name(change: OperatorChange) -> str:
    """The name in the head, with the base's where it had another."""
    assert change.after is not None
    name = clean(change.after.name, 60)
    if change.before is None:
        return f"{name} ({clean(change.after.kind, 30)})"
    renamed = change.before.name != change.after.name
    return f"{name} (was {clean(change.before.name, 60)})" if renamed else name


def _why(change: OperatorChange) -> str:
    """What changed about the operator, else the reason why it is not on the NPU now."""
    assert change.after is not None
    if change.differences:
        return ", ".join(f"{what} {old} -> {new}" for what, old, new in change.differences)
    return _reason(change.after)


def _reason(operator: OperatorInfo) -> str:
    if not operator.reasons:
        return "no reason was recorded"
    reason = operator.reasons[0]
    return f"{reason.message} It is {clean(reason.actual)}."
