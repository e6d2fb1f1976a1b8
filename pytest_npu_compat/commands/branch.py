"""What a branch does to the models of gate files: those of two states of a repository, paired."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from pytest_npu_compat.analysis.pairing import Entry, pair
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.check import find_gates
from pytest_npu_compat.commands.errors import UsageError
from pytest_npu_compat.commands.revisions import Revision, checked_out, merge_base
from pytest_npu_compat.commands.tree import Tree
from pytest_npu_compat.render.comparison import Difference

__all__ = ["differences"]

Judged = Mapping[Path, Mapping[str, Report]]
"""Gate file -> id of a model on a target -> report."""


def differences(
    places: Sequence[str],
    base: str,
    head: str | None,
    *,
    exact: bool = False,
    gone_is_worse: bool = True,
) -> list[Difference]:
    """Compares the models of gate files between git revisions.

    Args:
        places: Gate files or directories; the working directory if there are none.
        base: The revision to compare with; the point where the head left it is taken.
        head: The revision that is judged; the files as they lie here if None.
        exact: Whether to take the base itself.
        gone_is_worse: Whether a model that is gone has to be looked at.

    Returns:
        One for each gate file of the head, then one for each that is gone.

    Raises:
        UsageError: There is no such revision or gate file.
    """
    asked = [Path(place) for place in places or ["."]]
    here = [gate for place in asked if place.exists() for gate in find_gates(place)]
    directory = _directory([*here, *asked][0])
    from_ = merge_base(base, directory, base if exact else head or "HEAD")
    to = merge_base(head, directory, head) if head else None
    top = from_.top.resolve()
    wheres = [_where(place, top) for place in asked]
    for gate in here:
        _where(gate, top)  # none of them is left out silently
    with ExitStack() as stack:
        old_tree = _tree(from_, top, stack)
        new_tree = _tree(to, top, stack) if to else Tree("the working tree", top, top)
        old_gates, new_gates = _gates(old_tree, wheres), _gates(new_tree, wheres)
        if not old_gates and not new_gates:
            _refuse_missing(places, wheres, (old_tree.root, new_tree.root))
        # A gate file that is new here may have come from elsewhere in the repository.
        sources = _gone(old_tree, new_tree) if set(new_gates) - set(old_gates) else []
        old = {gate: old_tree.judged(gate) for gate in old_gates}
        old.update((gate, _tried(old_tree, gate)) for gate in sources if gate not in old)
        new = {gate: new_tree.judged(gate) for gate in new_gates}
    return list(
        _compared(
            old,
            new,
            [gate for gate in old_gates if gate not in new],
            (from_.shown, to.shown if to else "working tree"),
            gone_is_worse=gone_is_worse,
        )
    )


def _compared(
    old: Judged,
    new: Judged,
    vanished: Sequence[Path],
    names: tuple[str, str],
    *,
    gone_is_worse: bool,
) -> Iterator[Difference]:
    before, after = _entries(old), _entries(new)
    pairs = pair(before, after)
    found = {before[j].shown: after[i] for i, j in pairs.items()}
    for gate in (*new, *vanished):
        where = gate.as_posix()
        ours = [(entry, pairs.get(i)) for i, entry in enumerate(after) if entry.gate == where]
        theirs = [entry for entry in before if entry.gate == where]
        again = {entry.id: before[j] for entry, j in ours if j is not None}
        gone = {entry.id: entry.report for entry in theirs if entry.shown not in found}
        yield Difference(
            f"{where} at {names[0]}",
            "gone" if gate in vanished else names[1],
            {**{key: entry.report for key, entry in again.items()}, **gone},
            {entry.id: entry.report for entry, _ in ours},
            was={
                key: entry.id if entry.gate == where else entry.shown
                for key, entry in again.items()
                if (entry.gate, entry.id) != (where, key)
            },
            moved={
                entry.id: found[entry.shown].shown
                for entry in theirs
                if entry.shown in found and found[entry.shown].gate != where
            },
            vanished=gate in vanished,
            gone_is_worse=gone_is_worse,
        )


def _entries(judged: Judged) -> list[Entry]:
    return [
        Entry(gate.as_posix(), key, report)
        for gate, reports in judged.items()
        for key, report in reports.items()
    ]


def _directory(place: Path) -> Path:
    """The directory of a gate file, or the nearest that is there: the place may be in the base only."""
    around = place.resolve() if place.is_dir() else place.parent.resolve()
    return next(directory for directory in (around, *around.parents) if directory.is_dir())


def _where(place: Path, top: Path) -> Path:
    """A gate file or directory relative to the top; the top itself for what lies around it.

    Raises:
        UsageError: It is not in the repository.
    """
    # A gate file may be a symbolic link: the link is what the repository has.
    real = place.resolve() if place.is_dir() else place.parent.resolve() / place.name
    if top.is_relative_to(real):
        return Path()
    if not real.is_relative_to(top):
        raise UsageError(f"{place.name} is not in the git repository {top.name}")
    return real.relative_to(top)


def _tree(revision: Revision, top: Path, stack: ExitStack) -> Tree:
    return Tree(revision.shown, stack.enter_context(checked_out(revision)).resolve(), top)


def _gates(tree: Tree, wheres: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(gate for where in wheres for gate in tree.gates(where)))


def _gone(old: Tree, new: Tree) -> list[Path]:
    """Gate files of the whole repository that only the base has."""
    here = set(new.gates(Path()))
    return [gate for gate in old.gates(Path()) if gate not in here]


def _tried(tree: Tree, gate: Path) -> Mapping[str, Report]:
    """Reports of a gate file that nobody asked for: if it is not valid, it is no source of models."""
    try:
        return tree.judged(gate)
    except UsageError:
        return {}


def _refuse_missing(places: Sequence[str], wheres: Sequence[Path], roots: Sequence[Path]) -> None:
    for place, where in zip(places, wheres, strict=False):
        if not any((root / where).exists() for root in roots):
            raise UsageError(f"there is no {place}")
    raise UsageError("no gate file here")
