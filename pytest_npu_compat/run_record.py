"""The record of a run being made: outcomes come in, notes and the new baseline come of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.baseline import baseline_text, updated
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.integrity import notes, nothing_judged, vanished
from pytest_npu_compat.gate.loading import Gate, load_gate
from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome, in_note_order, in_order
from pytest_npu_compat.render.words import counted
from pytest_npu_compat.run_options import RunOptions

__all__ = ["Record", "Scope", "replace_file"]


@dataclass(frozen=True)
class Scope:
    """What a run was told to judge.

    Attributes:
        whole: Every gate file of the project: only then are entries of a baseline dropped.
        filtered: Checks were left out, so that nothing is said of what only all of them tell.
        named: Nothing but files by name, which need not be gate files.
        project: Finds all gate files of the project, which can share a baseline with those that were
            judged; not asked if there is no baseline.
        missed: Checks that are reported as not judged, by gate file: ``detector[ethos-n78]::npu_ratio``.
    """

    whole: bool = False
    filtered: bool = False
    named: bool = False
    project: Callable[[], Iterable[Path]] = tuple
    missed: Mapping[str, Collection[str]] = field(default_factory=dict, hash=False)


@dataclass
class Record:
    """The record of a run.

    Attributes:
        options: What the command line says of the run.
        paths: Gate files of the run, by the name under which outcomes know them.
    """

    options: RunOptions
    paths: dict[str, Path] = field(default_factory=dict)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)
    _reports: dict[str, Report] = field(default_factory=dict)
    _accepted: dict[str, Report] = field(default_factory=dict)
    _notes: list[Note] = field(default_factory=list)

    def add(
        self,
        outcome: Outcome,
        path: Path,
        report: Report | None = None,
        accepted: Report | None = None,
    ) -> None:
        """Takes the outcome of a check.

        Args:
            outcome: Of the check.
            path: Its gate file.
            report: Of its model; once is enough.
            accepted: The model's report in the baseline; once is enough.
        """
        self._outcomes[outcome.id] = outcome
        self.paths[outcome.gate_file] = path
        if report is not None:
            self._reports[outcome.key] = report
        if accepted is not None:
            self._accepted[outcome.key] = accepted

    def add_note(self, note: Note) -> None:
        """Takes something that a reader must see although no check says it."""
        self._notes.append(note)

    def add_gate(self, shown: str, path: Path) -> None:
        """Takes a gate file that belongs to the run, whether or not a check of it was judged."""
        self.paths.setdefault(shown, path)

    def close(self, scope: Scope) -> GateRun:
        """The finished record; writes the baselines if that was asked for."""
        strict = self.options.strict
        gates = dict(self._gates())
        if not self._outcomes and not any(note.level == "error" for note in self._notes):
            # A part of a whole may get nothing to judge; whether the whole did is for the merged run.
            part = scope.named or bool(self.options.shard)
            self._notes.append(nothing_judged(strict=strict and not part))
        for shown, gate in gates.items():
            self._notes += notes(
                gate,
                shown,
                self._of(shown),
                strict=strict,
                strict_waivers=self.options.strict_waivers,
                updating=self.options.updating,
                filtered=scope.filtered,
                missed=scope.missed.get(shown, ()),
            )
        self._notes += self._baselines(gates, scope)
        return GateRun(
            in_order(self._outcomes.values()),
            dict(sorted(self._reports.items())),
            dict(sorted(self._accepted.items())),
            in_note_order(self._notes),
            self.options.shard,
        )

    def _baselines(self, gates: Mapping[str, Gate], scope: Scope) -> Iterator[Note]:
        """What is said of the baselines of gate files that were judged, after writing them."""
        judged = _by_baseline(gates)
        if not judged:
            return
        others, unread = self._others(gates, scope.project())
        everywhere = _by_baseline({**gates, **others})
        for file, sharing in judged.items():
            all_ids = _ids(everywhere[file])
            twice = sorted({id_ for id_ in all_ids if all_ids.count(id_) > 1})
            if twice:
                names = " and ".join(
                    sorted(s for s, g in everywhere[file] if twice[0] in _ids([(s, g)]))
                )
                text = (
                    f"{names} share {file.name}, and both have {twice[0]}: "
                    "give one of the models another name"
                )
                yield Note("shared-entry", "error", text)
            if self.options.updating and twice:
                yield Note("baseline-not-written", "error", f"{file.name} was not written")
            elif self.options.updating:
                known = all_ids if scope.whole and not unread else None
                yield from self._write_baseline(file, sharing, known)
            elif not scope.filtered and not unread:
                accepted = sharing[0][1].accepted
                yield from vanished(file, accepted, all_ids, strict=self.options.strict)

    def _others(
        self, gates: Mapping[str, Gate], project: Iterable[Path]
    ) -> tuple[dict[str, Gate], bool]:
        """The project's other gate files, and whether one of them cannot be read."""
        own = {self.paths[shown].resolve() for shown in gates}
        found, unread = {}, False
        for path in project:
            if path.resolve() in own:
                continue
            try:
                options = self.options
                found[Path(os.path.relpath(path)).as_posix()] = load_gate(
                    path, options.baseline, use=options.baseline_use
                )
            except GateError:
                unread = True
        return found, unread

    def _gates(self) -> Iterator[tuple[str, Gate]]:
        for shown in sorted(self.paths):
            gate = self._gate(shown)
            if gate is not None:
                yield shown, gate

    def _gate(self, shown: str) -> Gate | None:
        options = self.options
        try:
            return load_gate(self.paths[shown], options.baseline, use=options.baseline_use)
        except GateError as error:
            if not any(n.kind == "gate-error" and n.gate_file == shown for n in self._notes):
                # It was valid when it was judged.
                self._notes.append(Note("gate-error", "error", error.render(shown), shown))
            return None

    def _of(self, shown: str) -> dict[str, Outcome]:
        """Outcomes of one gate file by ``detector[ethos-n78]::npu_ratio``."""
        own = (o for o in self._outcomes.values() if o.gate_file == shown)
        return {f"{o.model}[{o.target}]::{o.metric}": o for o in own}

    def _write_baseline(
        self, file: Path, sharing: Sequence[tuple[str, Gate]], known: Sequence[str] | None
    ) -> Iterator[Note]:
        judged = {
            model.id: self._reports[key]
            for shown, gate in sharing
            for model in gate.models
            if (key := f"{shown}::{model.id}") in self._reports
        }
        old = sharing[0][1].accepted
        new = updated(old, judged, known)
        for id_ in sorted(id_ for id_, report in judged.items() if not report.analyzed):
            text = f"{id_} could not be analyzed: {file.name} keeps what it says of it"
            yield Note("baseline-not-written", "error", text)
        try:
            replace_file(file, baseline_text(new))
        except OSError as error:
            text = f"{file.name} cannot be written: {error.strerror}"
            yield Note("baseline-not-written", "error", text)
            return
        gone = len(set(old) - set(new))
        text = f"{file.name} written: {counted(len(new), 'model')}"
        yield Note("baseline-written", "note", f"{text}, {gone} dropped" if gone else text)


def _by_baseline(gates: Mapping[str, Gate]) -> dict[Path, list[tuple[str, Gate]]]:
    """Gate files that share a baseline, with the names under which outcomes know them."""
    found: dict[Path, list[tuple[str, Gate]]] = {}
    for shown, gate in gates.items():
        if gate.baseline is not None:
            found.setdefault(gate.baseline.resolve(), []).append((shown, gate))
    return dict(sorted(found.items()))


def _ids(sharing: Iterable[tuple[str, Gate]]) -> list[str]:
    return [model.id for _, gate in sharing for model in gate.models]


def replace_file(file: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
