"""What the process that reports learns of checks, which may run in xdist workers, and how a run ends.

What the record needs travels as plain values on pytest's own reports, which xdist carries.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_npu_compat.stray import DESELECTED, names_files, stray_gates, took_everything

if TYPE_CHECKING:
    from pytest_npu_compat.collection import CheckItem
    from pytest_npu_compat.gate.outcome import GateRun, Outcome
    from pytest_npu_compat.run_options import RunOptions

__all__ = ["CHECK", "WORKER_DESELECTED", "Recorder", "attach"]

CHECK = "npu_compat_check"
"""Attribute of a check's report: what `Recorder` reads."""

WORKER_DESELECTED = "npu_compat_deselected"
"""Key of what an xdist worker says when it ends: whether it deselected something."""

_SENT: pytest.StashKey[set[str]] = pytest.StashKey()


def attach(report: pytest.TestReport, item: CheckItem, options: RunOptions) -> None:
    """Puts what the record needs of a check on its report; a model's reports go with its first check.

    Args:
        report: Of the check.
        item: The check.
        options: What the command line says of the run.
    """
    from pytest_npu_compat.collection import relative
    from pytest_npu_compat.render import outcomes

    if item.outcome is None:
        message = "the check ended with an error that is a defect of pytest-npu-compat"
        item.outcome = outcomes.defect(relative(item.path), item.checks, item.check, message)
        setattr(report, CHECK, {"outcome": _plain(item.outcome), "path": str(item.path)})
        return
    value: dict[str, Any] = {"outcome": _plain(item.outcome), "path": str(item.path)}
    sent = item.config.stash.setdefault(_SENT, set())
    key = item.outcome.key
    if options.needs_reports and key not in sent and item.outcome.status != "off":
        sent.add(key)
        value["report"] = json.dumps(item.model.report.to_dict())
        if item.model.accepted is not None:
            value["accepted"] = json.dumps(item.model.accepted.to_dict())
    if "report" in vars(item.model):  # it was judged
        from pytest_npu_compat.render.terminal import report_row

        value["row"] = report_row(item.checks.model, item.model.report)
        value["recalled"] = item.recalled
    setattr(report, CHECK, value)


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {**dataclasses.asdict(outcome), "regressions": list(outcome.regressions)}


@dataclass(eq=False)  # pytest keeps plugins in sets
class Recorder:
    """Collects what checks say of themselves, and closes the run.

    Attributes:
        options: What the command line says of the run.
        run: The record, once the run is over; None if no gate file had a part in it.
        annotations: What GitHub Actions reads from the output.
    """

    options: RunOptions
    run: GateRun | None = None
    annotations: str = ""
    _checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    _broken: dict[str, str] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes what a check says of itself."""
        value: dict[str, Any] | None = getattr(report, CHECK, None)
        if value is not None:
            self._checks[report.nodeid] = value
        elif report.failed and report.nodeid.split("::")[0].endswith((".yaml", ".yml")):
            # An error around a check, e.g. an xdist worker that crashed: nobody judged it.
            reason = report.longreprtext.strip().splitlines() or ["no reason was recorded"]
            self._broken[report.nodeid] = f"{report.nodeid}: {reason[-1]}"

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes what an xdist worker says when it ends; it alone knows what was deselected."""
        if getattr(node, "workeroutput", {}).get(WORKER_DESELECTED):
            node.config.stash[DESELECTED] = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Takes the error of a gate file that could not be read."""
        file = report.nodeid.split("::")[0]
        if report.failed and file.endswith((".yaml", ".yml")):
            self._broken[file] = str(report.longrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Closes the record, writes what was asked for, and fails a run that only looked green."""
        if session.config.option.collectonly:
            return
        seen = {Path(value["path"]) for value in self._checks.values()}
        stray = list(stray_gates(session, seen, self._broken))
        options = self.options
        narrow = names_files(session)
        demanded = options.needs_reports or (options.strict and not narrow)
        if self._checks or self._broken or stray or demanded:
            whole = took_everything(session) and not stray and not self._broken
            self._close(stray, whole=whole, narrow=narrow)
        notes = self.run.notes if self.run is not None else ()
        errors = any(note.level == "error" for note in notes)
        green = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if errors and session.exitstatus in green:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _close(self, stray: list[str], *, whole: bool, narrow: bool) -> None:
        """Imports what makes the record: a run without gate files does not pay for it."""
        from pytest_npu_compat.analysis.report import Report
        from pytest_npu_compat.gate.outcome import Note, Outcome
        from pytest_npu_compat.render.outputs import finish
        from pytest_npu_compat.run_record import Record

        record = Record(self.options)
        for value in self._checks.values():
            plain = value["outcome"]
            outcome = Outcome(**{**plain, "regressions": tuple(plain["regressions"])})
            reports = [
                Report.from_dict(json.loads(value[key])) if key in value else None
                for key in ("report", "accepted")
            ]
            record.add(outcome, Path(value["path"]), *reports)
        for file, text in self._broken.items():
            place = re.match(r"(.+?\.ya?ml):(\d+):\d+: ", text)
            shown, line = (place[1], int(place[2])) if place else (file.split("::")[0], 0)
            record.add_note(Note("gate-error", "error", text, shown, line))
        for file in stray:
            text = f"{file} lies here, but this run did not collect it"
            record.add_note(Note("not-collected", "error" if self.options.strict else "note", text))
        environ = os.environ if self.options.github else None
        run = record.close(whole=whole, narrow=narrow)
        self.run, self.annotations = finish(run, self.options.files, environ)

    def rows(self) -> list[Mapping[str, str]]:
        """One row of the summary table for each model and target that was judged."""
        from pytest_npu_compat.render.terminal import judged

        judgements: dict[str, list[dict[str, Any]]] = {}
        for nodeid, value in self._checks.items():
            if "row" in value:
                judgements.setdefault(nodeid.rpartition("::")[0], []).append(value)
        rows = []
        for values in judgements.values():
            first = values[0]["outcome"]
            statuses = {v["outcome"]["metric"]: v["outcome"]["status"] for v in values}
            rows.append(judged(values[0]["row"], first["target"], first["gate_file"], statuses))
        return rows

    def lines(self) -> Iterator[str]:
        """What the terminal says besides the table."""
        from pytest_npu_compat.render.names import clean
        from pytest_npu_compat.render.words import counted

        recalled: dict[str, bool] = {}
        for nodeid, value in self._checks.items():
            if "row" in value:
                model = nodeid.rpartition("::")[0]
                recalled[model] = recalled.get(model, True) and value["recalled"]
        if any(recalled.values()):
            share = f"{sum(recalled.values())} of {counted(len(recalled), 'analysis', 'analyses')}"
            yield f"{share} from cache (--npu-no-cache makes them again)"
        for note in self.run.notes if self.run else ():
            level = "ERROR" if note.level == "error" else "note"
            first = note.message.split("\n")[0]  # pytest shows the whole of an error
            yield f"{level}: {clean(first, 1000)}"
