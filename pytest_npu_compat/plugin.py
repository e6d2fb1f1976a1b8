"""Pytest hooks and options, nothing else. Imports neither tvm nor onnx nor pydantic.

A run without gate files pays for this module alone; `collection` is imported when the first gate file
is found.
"""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_npu_compat.gate.finding import is_gate
from pytest_npu_compat.naming import CHECK_ID, CheckNames, recall, restore
from pytest_npu_compat.recording import WORKER_SAYS, Recorder, attach, worker_says
from pytest_npu_compat.run_options import GITHUB, OUTPUT_FILES, SHARD, RunOptions
from pytest_npu_compat.selection import SELECTION, widen
from pytest_npu_compat.stray import DESELECTED, gate_patterns

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_npu_compat.collection import CheckItem
    from pytest_npu_compat.fixture import NpuCompat

_RECORDER = "npu_compat_recorder"
_OPTIONS: pytest.StashKey[RunOptions] = pytest.StashKey()


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
        "--npu-strict",
        action="store_true",
        help="fail a run that only looks green: nothing judged, models missing from the baseline, "
        "every check off or waived, unused waivers",
    )
    group.addoption(
        "--npu-baseline",
        metavar="FILE",
        help="compare with this baseline instead of those that the gate files name",
    )
    group.addoption(
        "--npu-update-baseline",
        action="store_true",
        help="write this run's reports to the baseline, and compare with nothing",
    )
    for name, text in OUTPUT_FILES.items():
        group.addoption(f"--npu-{name}", metavar="FILE", help=f"write {text}")
    group.addoption("--npu-github", action="store_true", help=GITHUB)
    group.addoption(
        "--npu-shard", metavar="NAME", help=f"{SHARD}; the group of pytest-split by itself"
    )
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
    start = config.invocation_params.dir
    baseline = config.getoption("--npu-baseline")
    options = RunOptions(
        strict=config.getoption("--npu-strict"),
        strict_waivers=config.getoption("--npu-strict-waivers"),
        updating=config.getoption("--npu-update-baseline"),
        baseline=start / baseline if baseline else None,
        files={
            name: start / file
            for name in OUTPUT_FILES
            if (file := config.getoption(f"--npu-{name}"))
        },
        github=config.getoption("--npu-github"),
        shard=config.getoption("--npu-shard") or _group_of_pytest_split(config),
    )
    config.stash[_OPTIONS] = options
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(options, gate_patterns(config)), _RECORDER)
    if getattr(config.option, "xmlpath", None):
        config.pluginmanager.register(CheckNames(config), "npu_compat_names")


def _group_of_pytest_split(config: pytest.Config) -> str:
    """``3/14``; empty if pytest-split has no part in the run."""
    group, splits = (config.getoption(name, None) for name in ("group", "splits"))
    return f"{group}/{splits}" if group and splits else ""


@pytest.fixture
def npu_compat(request: pytest.FixtureRequest) -> NpuCompat:
    """Analyzes models (`npu_compat.analyze`) and judges them (`npu_compat.check`)."""
    from pytest_npu_compat.collection import analyses
    from pytest_npu_compat.fixture import NpuCompat

    return NpuCompat(request.path.parent, analyses(request.config).analyze)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Judges the models that a test's markers name."""
    for marker in item.iter_markers("npu_compat"):
        from pytest_npu_compat.collection import analyses
        from pytest_npu_compat.fixture import judge_marker

        judge_marker(item, marker, analyses(item.config).analyze)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Gate files become collectors."""
    if not is_gate(file_path, gate_patterns(parent.config)):
        return None
    from pytest_npu_compat.collection import GateYaml

    selection = parent.config.stash.get(SELECTION, None)
    asked = selection.asked(file_path) if selection else {}
    options = parent.config.stash[_OPTIONS]
    return GateYaml.from_parent(
        parent,
        path=file_path,
        asked=asked,
        baseline=options.baseline,
        updating=options.updating,
    )


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
    if report.when == "call":
        attach(report, cast("CheckItem", item), item.config.stash[_OPTIONS])
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable() -> Generator[None, Any, Any]:
    """Restores the ids of checks that ran in an xdist worker."""
    report = yield
    restore(report)
    return report


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Remembers that the run is one of a part, e.g. a group of pytest-split."""
    checks = [item for item in items if hasattr(item, "checks")]
    if checks:
        checks[0].config.stash[DESELECTED] = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Lets an xdist worker say what it alone knows."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[WORKER_SAYS] = worker_says(session.config)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """One line for each model and target, then what no check says."""
    recorder = terminalreporter.config.pluginmanager.get_plugin(_RECORDER)
    if recorder is None:
        return
    rows, notes = recorder.rows(), list(recorder.lines())
    if not rows and not notes:
        return
    terminalreporter.section("NPU compatibility")
    if rows:
        from pytest_npu_compat.render.table import table

        for line in table(rows, shutil.get_terminal_size().columns):
            terminalreporter.write_line(line)
    for line in [*notes, *recorder.annotations.splitlines()]:
        terminalreporter.write_line(line)
