"""What changed since a baseline, in words: operators that left the NPU first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_npu_compat.analysis.comparison import Comparison, OperatorChange
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.wrapping import wrapped

__all__ = ["section", "since_baseline", "why_left"]

MAX_NAMES = 6
MAX_GROUPS = 8


def since_baseline(comparison: Comparison) -> list[str]:
    """Operators that left the NPU, and new ones that are not on it; nothing if there are none."""
    return [
        *section("left the NPU since the baseline:", comparison.left),
        *section("new since the baseline, and not on the NPU:", comparison.off_npu),
    ]


def why_left(change: OperatorChange) -> str:
    """One line: ``conv_12 left the NPU: kernel 3x3 -> 4x4``."""
    return f"{_name(change)} left the NPU: {_why(change)}"


def section(title: str, changes: Sequence[OperatorChange]) -> Iterator[str]:
    """A title and a line for each operator; nothing if there are none."""
    if not changes:
        return
    yield ""
    yield title
    groups: dict[str, list[OperatorChange]] = {}
    for change in changes:
        groups.setdefault(_why(change), []).append(change)
    for why, members in list(groups.items())[:MAX_GROUPS]:
        names = ", ".join(_name(change) for change in members[:MAX_NAMES])
        if len(members) > MAX_NAMES:
            names += f" … and {len(members) - MAX_NAMES} more"
        yield from wrapped("", f"{names}: {why}", indent=2)
    if len(groups) > MAX_GROUPS:
        rest = sum(len(members) for members in list(groups.values())[MAX_GROUPS:])
        yield f"  … and {rest} more"


def _name(change: OperatorChange) -> str:
    """The name in the head, with the base's where it had another."""
    assert change.after is not None
    name = clean(change.after.name, 60)
    if change.before is None:
        return f"{name} ({clean(change.after.kind, 30)})"
    renamed = change.before.name != change.after.name
    return f"{name} (was {clean(change.before.name, 60)})" if renamed else name


def _why(change: OperatorChange) -> str:
    """What changed about the operator, else the reason why it is not on the NPU; and the rule."""
    after = change.after
    assert after is not None
    rule = f" [{after.reasons[0].rule}]" if after.reasons and after.placement != "npu" else ""
    if change.differences:
        changed = [f"{what} {old} -> {new}" for what, old, new in change.differences]
        return f"{', '.join(changed)}{rule}"
    if not after.reasons:
        return "another reason than its own attributes"
    reason = after.reasons[0]
    return f"{reason.message} It is {clean(reason.actual)}.{rule}"
