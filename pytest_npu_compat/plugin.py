"""Pytest hooks and options, nothing else. Imports neither tvm nor onnx nor pydantic.

A run without gate files pays for this module alone; `collection` is imported when the first gate file
is found.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_npu_compat.naming import CHECK_ID, CheckNames, recall, restore
from pytest_npu_compat.selection import SELECTION, widen
from pytest_npu_compat.waivers import WAIVER, WaiverWatch

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_npu_compat.fixture import NpuCompat

GATE_FILES = ("npu-compat.yaml", "npu-compat.yml", "*.npu.yaml", "*.npu.yml")

_ROW = "npu_compat_row"
_WATCH = "npu_compat_waivers"


def pytest_addoption(parser: pytest.Parser) -> None:
    """https://docs.pytest.org/en/stable/reference/reference.html#pytest.hookspec.pytest_addoption."""
    parser.addini(
        "npu_compat_files",
        type="args",
        default=[],
        help="more globs for names of gate files, besides npu-compat.yaml and *.npu.yaml",
    )
    group = parser.getgroup("npu-compat", "NPU compatibility")
    group.addoption(
        "--npu-strict-waivers",
        action="store_true",
        help="fail a full run in which a waiver had nothing to excuse",
    )
    group.addoption(
        "--npu-no-cache",
        action="store_true",
        help="analyze every model again, and keep no results for the next run",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and names checks in the JUnit file if there is to be one."""
    config.addinivalue_line(
        "markers",
        "npu_compat(model, target=..., variant=..., inputs=..., METRIC=THRESHOLD, ...): "
        "judge a model before the test runs, e.g. npu_compat(model='a.onnx', npu_ratio='>= 96%')",
    )
    if not hasattr(config, "workerinput"):
        watch = WaiverWatch(config.getoption("--npu-strict-waivers"))
        config.pluginmanager.register(watch, _WATCH)
    if getattr(config.option, "xmlpath", None):
        config.pluginmanager.register(CheckNames(config), "npu_compat_names")


@pytest.fixture
def npu_compat(request: pytest.FixtureRequest) -> NpuCompat:
    """Analyzes models (`npu_compat.analyze`) and judges them (`npu_compat.check`)."""
    from pytest_npu_compat.fixture import NpuCompat

    return NpuCompat(request.path.parent)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Judges the models that a test's markers name."""
    for marker in item.iter_markers("npu_compat"):
        from pytest_npu_compat.fixture import judge_marker

        judge_marker(item, marker)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Gate files become collectors."""
    patterns = (*GATE_FILES, *parent.config.getini("npu_compat_files"))
    if not any(file_path.match(pattern) for pattern in patterns):
        return None
    from pytest_npu_compat.collection import ANALYSES, Analyses, GateYaml

    parent.config.stash.setdefault(ANALYSES, Analyses(_cache_directory(parent.config)))
    selection = parent.config.stash.get(SELECTION, None)
    asked = selection.asked(file_path) if selection else {}
    return GateYaml.from_parent(parent, path=file_path, asked=asked)


def _cache_directory(config: pytest.Config) -> Callable[[], Path] | None:
    """What makes the directory for results of earlier runs; pytest's `--cache-clear` empties it."""
    cache = getattr(config, "cache", None)  # there is none with `-p no:cacheprovider`
    if cache is None or config.getoption("--npu-no-cache"):
        return None
    return lambda: Path(cache.mkdir("npu-compat"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Widens node ids of single checks, which pytest cannot resolve, to their models."""
    config = session.config
    recall(config)
    if any("]::" in argument for argument in config.args):
        config.args[:], config.stash[SELECTION] = widen(config.args, config.invocation_params.dir)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the checks that were collected only because their model had to be."""
    selection = config.stash.get(SELECTION, None)
    if selection is None:
        return
    from pytest_npu_compat.collection import CheckItem

    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        asked = not isinstance(item, CheckItem) or selection.keeps(
            item.path, item.checks.id, item.name
        )
        (kept if asked else dropped).append(item)
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Gives the report of a check what the summary shows, as a plain value that xdist can carry."""
    report = yield
    if not hasattr(item, "checks"):
        return report
    setattr(report, CHECK_ID, item.nodeid)
    result = getattr(item, "result", None)
    if report.when == "call" and result is not None:
        from pytest_npu_compat.render.terminal import report_row

        warned = str(int(report.passed and not result.passed))
        row = report_row(item.checks.id, result.report)
        setattr(
            report,
            _ROW,
            {**row, "warned": warned, "recalled": int(getattr(item, "recalled", False))},
        )
        setattr(report, WAIVER, getattr(item, "waiver_use", None))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable() -> Generator[None, Any, Any]:
    """Restores the ids of checks that ran in an xdist worker."""
    report = yield
    restore(report)
    return report


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """One line for each model and target."""
    rows: dict[str, dict[str, Any]] = {}
    for outcome in ("passed", "failed", "xfailed", "xpassed"):
        for report in terminalreporter.stats.get(outcome, []):
            row = getattr(report, _ROW, None)
            if row is None:
                continue
            file = report.nodeid.split("::")[0]
            fresh = {**row, "failed": 0, "warnings": 0, "waived": 0}
            known = rows.setdefault(f"{file}::{row['model']}", fresh)
            known["failed"] += outcome == "failed"
            known["waived"] += outcome == "xfailed"
            known["warnings"] += int(row["warned"])
            known["recalled"] = min(known["recalled"], row["recalled"])
    if not rows:
        return
    from pytest_npu_compat.render.terminal import table

    shown = [{**row, "verdict": _verdict(row)} for row in rows.values()]
    terminalreporter.section("NPU compatibility")
    width = shutil.get_terminal_size().columns
    for line in table(shown, width):
        terminalreporter.write_line(line)
    recalled = sum(row["recalled"] for row in rows.values())
    if recalled:
        note = f"{recalled} of {len(rows)} analyses from cache (--npu-no-cache makes them again)"
        terminalreporter.write_line(note)
    watch = terminalreporter.config.pluginmanager.get_plugin(_WATCH)
    if watch is None:
        return
    level = "ERROR" if watch.strict else "note"
    for line in watch.unused():
        terminalreporter.write_line(f"{level}: waiver with nothing to excuse, remove it: {line}")


def _verdict(row: dict[str, Any]) -> str:
    if row["verdict"]:
        return str(row["verdict"])
    words = [f"{row['failed']} failed"] if row["failed"] else []
    words += [f"{row['waived']} waived"] if row["waived"] else []
    words += [f"{row['warnings']} warned"] if row["warnings"] else []
    return ", ".join(words) or "passed"
