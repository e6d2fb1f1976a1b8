"""The record of a run being made: outcomes come in, notes and the new baseline come of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.baseline import baseline_text, updated
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.integrity import notes, nothing_judged, vanished
from pytest_npu_compat.gate.loading import Gate, load_gate
from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome, in_note_order, in_order
from pytest_npu_compat.run_options import RunOptions

__all__ = ["Record", "replace_file"]


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

    def close(self, *, whole: bool, narrow: bool = False) -> GateRun:
        """The finished record; writes the baselines if that was asked for.

        Args:
            whole: Whether the run took every gate file there is. Only then is a model that none of
                them knows gone: gate files can share a baseline.
            narrow: Whether the run was given files by name, which need not be gate files.
        """
        strict = self.options.strict
        gates = dict(self._gates())
        if not self._outcomes and not any(note.level == "error" for note in self._notes):
            # A part of a whole may get nothing to judge; whether the whole did is for the merged run.
            part = narrow or bool(self.options.shard)
            self._notes.append(nothing_judged(strict=strict and not part))
        for shown, gate in gates.items():
            self._notes += notes(
                gate,
                shown,
                self._of(shown),
                strict=strict,
                strict_waivers=self.options.strict_waivers,
                updating=self.options.updating,
            )
        sharing = _by_baseline(gates)
        if self.options.updating:
            self._notes += self._write_baselines(sharing, whole=whole)
        elif whole:
            for file, gates_of in sharing.items():
                accepted, ids = gates_of[0][1].accepted, _ids(gates_of)
                self._notes += vanished(file, accepted, ids, strict=strict)
        return GateRun(
            in_order(self._outcomes.values()),
            dict(sorted(self._reports.items())),
            dict(sorted(self._accepted.items())),
            in_note_order(self._notes),
            self.options.shard,
        )

    def _gates(self) -> Iterator[tuple[str, Gate]]:
        for shown in sorted(self.paths):
            gate = self._gate(shown)
            if gate is not None:
                yield shown, gate

    def _gate(self, shown: str) -> Gate | None:
        options = self.options
        try:
            return load_gate(self.paths[shown], options.baseline, use=options.baseline_use)
        except GateError as error:  # it was valid when it was judged
            self._notes.append(Note("gate-error", "error", error.render(shown), shown))
            return None

    def _of(self, shown: str) -> dict[str, Outcome]:
        """Outcomes of one gate file by ``detector[ethos-n78]::npu_ratio``."""
        own = (o for o in self._outcomes.values() if o.gate_file == shown)
        return {f"{o.model}[{o.target}]::{o.metric}": o for o in own}

    def _write_baselines(
        self, by_file: Mapping[Path, Sequence[tuple[str, Gate]]], *, whole: bool
    ) -> Iterator[Note]:
        for file, sharing in by_file.items():
            ids = _ids(sharing)
            twice = sorted({id_ for id_ in ids if ids.count(id_) > 1})
            if twice:
                text = f"{file.name} was not written: two gate files share it and {twice[0]}"
                yield Note("baseline-not-written", "error", text)
                continue
            yield from self._write_baseline(file, sharing, ids if whole else None)

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
        text = f"{file.name} written: {len(new)} models" + (f", {gone} dropped" if gone else "")
        yield Note("baseline-written", "note", text)


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
