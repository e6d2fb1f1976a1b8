"""Checks that a run collected and did not judge: it stopped early, or something skipped them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Missed", "missed"]

SHOWN = 3
"""Checks that are named; the others are counted."""


@dataclass(frozen=True)
class Missed:
    """Checks of one gate file that nobody judged.

    Attributes:
        file: The gate file, as in node ids.
        names: The checks, ``detector[ethos-n78]::npu_ratio``.
        reasons: Why they were skipped; empty if they were not, but the run ended before them.
    """

    file: str
    names: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def text(self) -> str:
        """What is said of them, after the name of the gate file."""
        checks = "1 check was" if len(self.names) == 1 else f"{len(self.names)} checks were"
        shown = ", ".join(self.names[:SHOWN])
        more = f" and {len(self.names) - SHOWN} more" if len(self.names) > SHOWN else ""
        if self.reasons:
            return f"{checks} skipped ({'; '.join(self.reasons)}) and not judged: {shown}{more}"
        return f"{checks} collected and not judged, the run ended before: {shown}{more}"


def missed(
    collected: Collection[str], judged: Collection[str], skipped: Mapping[str, str]
) -> Iterator[Missed]:
    """Groups them by gate file, and the skipped ones apart.

    Args:
        collected: Node ids of all checks, without those that were deselected.
        judged: Node ids of checks that have an outcome, or whose error is reported elsewhere.
        skipped: Node id -> reason of those that a mark or a hook of the project skipped.
    """
    groups: dict[tuple[str, bool], list[str]] = {}
    for id_ in sorted(set(collected).difference(judged)):
        groups.setdefault((id_.split("::")[0], id_ in skipped), []).append(id_)
    for (file, were_skipped), ids in groups.items():
        reasons = dict.fromkeys(skipped[id_] for id_ in ids) if were_skipped else ()
        yield Missed(file, tuple(id_.partition("::")[2] for id_ in ids), tuple(reasons))
