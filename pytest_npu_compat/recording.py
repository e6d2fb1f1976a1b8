"""What the process that reports learns of checks, which may run in xdist workers, and how a run ends.

What the record needs travels as plain values on pytest's own reports, which xdist carries.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_npu_compat.cache_notice import DISTRUSTED
from pytest_npu_compat.gate.finding import is_gate
from pytest_npu_compat.missed import missed
from pytest_npu_compat.naming import CHECK_ID
from pytest_npu_compat.stray import (
    DESELECTED,
    collected,
    collected_gates,
    is_filtered,
    names_files,
    project_gates,
    stray_gates,
    took_everything,
    was_told_to_ignore,
)

if TYPE_CHECKING:
    from pytest_npu_compat.collection import CheckItem
    from pytest_npu_compat.gate.outcome import GateRun, Outcome
    from pytest_npu_compat.run_options import RunOptions

__all__ = ["CHECK", "WORKER_SAYS", "Recorder", "attach", "worker_says"]

CHECK = "npu_compat_check"
"""Attribute of a check's report: what `Recorder` reads."""

WORKER_SAYS = "npu_compat"
"""Key of what an xdist worker says when it ends."""

_GREEN = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

_SENT: pytest.StashKey[set[str]] = pytest.StashKey()


def worker_says(config: pytest.Config) -> dict[str, Any]:
    """What only an xdist worker knows: of checks that were deselected, of gate files, of its cache."""
    return {
        "deselected": config.stash.get(DESELECTED, False),
        "distrusted": config.stash.get(DISTRUSTED, ""),
        "collected": collected_gates(config),
    }


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
        item.outcome = outcomes.defect(
            relative(item.path, item.config.invocation_params.dir), item.checks, item.check, message
        )
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
        patterns: Globs for names of gate files.
        run: The record, once the run is over; None if no gate file had a part in it.
        annotations: What GitHub Actions reads from the output.
    """

    options: RunOptions
    patterns: tuple[str, ...]
    run: GateRun | None = None
    annotations: str = ""
    _checks: dict[str, dict[str, Any]] = field(default_factory=dict)
    _broken: dict[str, str] = field(default_factory=dict)
    _skipped: dict[str, str] = field(default_factory=dict)
    _collected: set[str] = field(default_factory=set)
    _distrusted: str = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes what a check says of itself."""
        value: dict[str, Any] | None = getattr(report, CHECK, None)
        if value is not None:
            self._checks[report.nodeid] = value
        elif not is_gate(report.nodeid.split("::")[0], self.patterns):
            return
        elif report.failed:
            # An error around a check, e.g. an xdist worker that crashed: nobody judged it.
            reason = report.longreprtext.strip().splitlines() or ["no reason was recorded"]
            self._broken[report.nodeid] = f"{report.nodeid}: {reason[-1]}"
        elif report.skipped and report.when == "setup":
            # By a mark or a hook of the project; a check that is `off` skips itself, and says so.
            skipped = report.longrepr
            reason = [str(skipped[2] if isinstance(skipped, tuple) else skipped)]
            self._skipped[getattr(report, CHECK_ID, report.nodeid)] = reason[0]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes what an xdist worker says when it ends."""
        said = getattr(node, "workeroutput", {}).get(WORKER_SAYS)
        if said:
            stash = node.config.stash
            stash[DESELECTED] = stash.get(DESELECTED, False) or said["deselected"]
            if said["distrusted"]:
                stash[DISTRUSTED] = said["distrusted"]
            for path in said["collected"]:
                collected(node.config, path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Takes the checks that an xdist worker has collected."""
        self._collected.update(i for i in ids if is_gate(i.split("::")[0], self.patterns))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Takes the error of a gate file that could not be read."""
        file = report.nodeid.split("::")[0]
        if report.failed and is_gate(file, self.patterns):
            self._broken[file] = str(report.longrepr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Closes the record, writes what was asked for, and fails a run that only looked green."""
        if session.config.option.collectonly:
            return
        config = session.config
        root = config.rootpath
        self._distrusted = config.stash.get(DISTRUSTED, "")
        self._collected.update(item.nodeid for item in session.items if hasattr(item, "checks"))
        left = list(missed(self._collected, {*self._checks, *self._broken}, self._skipped))
        gates = collected_gates(config)
        found = {Path(path).resolve() for path in gates}
        found |= {(root / id_.split("::")[0]).resolve() for id_ in self._collected}
        options = self.options
        narrow = names_files(session)
        demanded = options.needs_reports or (options.strict and not narrow)
        deep = bool(demanded or found)
        quiet = bool(session.shouldfail or session.shouldstop) or (
            bool(self._checks) and was_told_to_ignore(config)
        )
        stray = [] if quiet else list(stray_gates(session, found, deep=deep))
        if self._checks or self._broken or left or stray or found or demanded:
            from pytest_npu_compat.closing import Seen, close

            seen = Seen(
                root=root,
                start=config.invocation_params.dir,
                checks=self._checks,
                broken=self._broken,
                gates=[*map(Path, gates)],
                stray=stray,
                missed=left,
                distrusted=self._distrusted,
                green=session.exitstatus in _GREEN,
            )
            self.run, self.annotations = close(
                seen,
                options,
                whole=took_everything(session) and not (stray or left or self._broken),
                filtered=is_filtered(session) or bool(self._broken),
                named=narrow,
                project=lambda: project_gates(config),
            )
        notes = self.run.notes if self.run is not None else ()
        errors = any(note.level == "error" for note in notes)
        if errors and session.exitstatus in _GREEN:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

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
        if self.run is None and self._distrusted:  # a fixture analyzed models, no gate did
            yield f"note: {clean(self._distrusted, 1000)}"
        for note in self.run.notes if self.run else ():
            level = "ERROR" if note.level == "error" else "note"
            first = note.message.split("\n")[0]  # pytest shows the whole of an error
            yield f"{level}: {clean(first, 1000)}"
