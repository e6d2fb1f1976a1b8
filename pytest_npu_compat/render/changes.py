"""What changed since a baseline, in words: operators that left the NPU first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_npu_compat.analysis.comparison import Comparison, OperatorChange
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.wrapping import wrapped

__all__ = ["LEFT", "section", "since_baseline", "why_left"]

LEFT = "left the NPU since the baseline:"
"""Title of the list in a failure's text."""

MAX_NAMES = 6
MAX_GROUPS = 8


def since_baseline(comparison: Comparison) -> list[str]:
    """Operators that left the NPU, and new ones that are not on it; nothing if there are none."""
    return [
        *section(LEFT, comparison.left),
        *section("new since the baseline, and not on the NPU:", comparison.off_npu, brief=True),
    ]


def why_left(change: OperatorChange) -> str:
    """One line: ``conv_12: kernel 3x3 -> 4x4``."""
    return f"{_name(change)}: {_why(change)}"


def section(title: str, changes: Sequence[OperatorChange], *, brief: bool = False) -> Iterator[str]:
    """A title and the operators, grouped by what happened to them; nothing if there are none.

    Args:
        title: What they have in common.
        changes: The operators.
        brief: Whether the reasons are told elsewhere, so that their rules will do.
    """
    if not changes:
        return
    yield ""
    yield title
    groups: dict[str, list[OperatorChange]] = {}
    for change in changes:
        groups.setdefault(_rule(change) if brief else _why(change), []).append(change)
    for why, members in list(groups.items())[:MAX_GROUPS]:
        names = ", ".join(_name(change) for change in members[:MAX_NAMES])
        if len(members) > MAX_NAMES:
            names += f" … and {len(members) - MAX_NAMES} more"
        yield from wrapped("", f"{names}{'' if brief else ':'} {why}", indent=2)
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
    if change.differences:
        changed = [f"{what} {old} -> {new}" for what, old, new in change.differences]
        return f"{', '.join(changed)} {_rule(change)}".rstrip()
    if not after.reasons:
        return "another reason than its own attributes"
    return f"{after.reasons[0].message} {_rule(change)}"


def _rule(change: OperatorChange) -> str:
    after = change.after
    off = after is not None and after.placement != "npu"
    return f"[{after.reasons[0].rule}]" if after is not None and off and after.reasons else ""
