"""How a green run could lie: what a reader must see although no check says it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from pytest_npu_compat.gate.loading import Gate, ModelChecks
from pytest_npu_compat.gate.outcome import Note, Outcome

__all__ = ["notes", "nothing_judged", "vanished"]

Level = Literal["note", "error"]


def notes(
    gate: Gate,
    shown: str,
    outcomes: Mapping[str, Outcome],
    *,
    strict: bool = False,
    strict_waivers: bool = False,
    updating: bool = False,
    filtered: bool = False,
    missed: Collection[str] = (),
) -> Iterator[Note]:
    """What a run shows of a gate file besides its checks.

    Args:
        gate: The gate file.
        shown: Its path as in the outcomes.
        outcomes: The checks of it that were judged, by ``detector[ethos-n78]::npu_ratio``.
        strict: Whether everything that a green run could hide is an error.
        strict_waivers: Whether an unused waiver is one.
        updating: Whether the baseline is being written.
        filtered: Whether checks were left out on purpose: of waivers, nothing is said then.
        missed: Checks of which it is said already that nobody judged them.
    """
    level: Level = "error" if strict else "note"
    absent = [] if filtered else _absent(gate, outcomes, missed)
    if absent:
        more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
        text = f"{shown}: nobody judged {', '.join(absent[:3])}{more}: does a conftest.py remove checks?"
        yield Note("not-judged", level, text, shown)
    complete = not (filtered or absent or missed)
    for line, text in _unused_waivers(gate, outcomes) if complete else ():
        yield Note(
            "unused-waiver",
            "error" if strict or strict_waivers else "note",
            f"waiver with nothing to excuse, remove it: {shown}:{line}: {text}",
            shown,
            line,
        )
    for model in gate.models:
        judged = [o for c in model.checks if (o := outcomes.get(_id(model, c.threshold.metric)))]
        if len(judged) == len(model.checks) and all(o.status in ("off", "waived") for o in judged):
            text = f"every check of {model.id} is off or waived: nothing can fail"
            yield Note("nothing-demanded", level, text, shown, model.line)
        if judged and gate.baseline is not None and not updating:
            yield from _compared(gate, model, shown, level, judged)


def vanished(
    baseline: Path, accepted: Iterable[str], known: Collection[str], *, strict: bool
) -> Iterator[Note]:
    """Entries of a baseline that no gate file knows.

    Args:
        baseline: The file.
        accepted: Its entries.
        known: Ids of all gate files that share it.
        strict: Whether that is an error.
    """
    for gone in sorted(set(accepted).difference(known)):
        text = f"{gone} is in {baseline.name}, but not judged any more: {_update('drops')}"
        yield Note("vanished-model", "error" if strict else "note", text)


def nothing_judged(*, strict: bool) -> Note:
    """Not one check was judged."""
    text = (
        "not one check of a gate file was judged: see the selection (-k, -m, ids), or write "
        "npu-compat.yaml (`npu-compat init`)"
    )
    return Note("nothing-judged", "error" if strict else "note", text)


def _id(model: ModelChecks, metric: str) -> str:
    return f"{model.id}::{metric}"


def _absent(gate: Gate, outcomes: Mapping[str, Outcome], missed: Collection[str]) -> list[str]:
    """Checks without an outcome, although the run left none out."""
    ids = [_id(model, c.threshold.metric) for model in gate.models for c in model.checks]
    return [id_ for id_ in ids if id_ not in outcomes and id_ not in missed]


def _unused_waivers(gate: Gate, outcomes: Mapping[str, Outcome]) -> Iterator[tuple[int, str]]:
    """Waivers all of whose checks were judged and passed, or are switched off."""
    covered: dict[int, list[Outcome | None]] = {}
    texts: dict[int, str] = {}
    for model in gate.models:
        for check in model.checks:
            if check.waiver is not None:
                waiver = check.waiver
                outcome = outcomes.get(_id(model, check.threshold.metric))
                covered.setdefault(waiver.line, []).append(outcome)
                texts[waiver.line] = f"{waiver.check}, until {waiver.until}: {waiver.reason}"
    for line, found in covered.items():
        if all(one is not None and one.status in ("passed", "off") for one in found):
            yield line, texts[line]


def _compared(
    gate: Gate, model: ModelChecks, shown: str, level: Level, judged: list[Outcome]
) -> Iterator[Note]:
    """What the baseline says of a model that was judged."""
    assert gate.baseline is not None
    name = gate.baseline.name
    if model.id not in gate.accepted:
        if any(o.status == "not_analyzable" for o in judged):
            return  # its checks fail already
        text = f"{model.id} is not in {name}, nothing was compared: {_update('adds')}"
        yield Note("not-in-baseline", level, text, shown, model.line)
        return
    lacking = [o.metric for o in judged if _lacks_base(model, o)]
    if lacking:
        text = (
            f"{name} has no {', '.join(lacking)} of {model.id}, nothing was compared: "
            f"{_update('adds')}"
        )
        yield Note("not-in-baseline", level, text, shown, model.line)
    causes = dict.fromkeys(o.cause for o in judged if o.cause)
    for cause in causes:
        text = f"{model.id} has other figures than in {name}, though its file is the same: {cause}"
        yield Note("tool-changed", "note", text, shown, model.line)
    better = [f"{o.metric} {o.baseline} -> {_figure(o)}" for o in judged if (o.gain or 0) > 0]
    all_judged = len(judged) == len(model.checks)  # a shard does not know the rest
    if better and all_judged and not any(o.red for o in judged):
        text = f"{model.id} is better than its baseline ({', '.join(better)}): {_update('keeps')}"
        yield Note("better-than-baseline", "note", text, shown, model.line)


def _lacks_base(model: ModelChecks, outcome: Outcome) -> bool:
    """Whether a largest drop or rise is demanded, and there is no figure to compare with."""
    drift = any(
        check.threshold.metric == outcome.metric and check.threshold.drift is not None
        for check in model.checks
    )
    return drift and outcome.value is not None and not outcome.baseline


def _figure(outcome: Outcome) -> str:
    return (outcome.actual or "").split(" (")[0]


def _update(verb: str) -> str:
    return f"`pytest --npu-update-baseline` {verb} it"
