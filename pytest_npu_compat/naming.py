"""Keeps the ids of checks whole on their way through pytest, xdist and JUnit.

Pytest takes a ``[`` in an id for the start of a parametrization that ends the id. In
``gate.yaml::detector[ethos-n78]::npu_ratio`` it does not, and pytest 9.2 would write ``npu_ratio]``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

__all__ = ["CHECK_ID", "CheckNames", "recall", "restore"]

CHECK_ID = "npu_compat_id"
"""Attribute of a check's reports: its id as a plain string, which xdist carries unchanged."""


def restore(report: Any) -> None:
    """Gives a report that came from another process the id that it had there."""
    nodeid = getattr(report, CHECK_ID, None)
    if nodeid is None:
        return
    report.nodeid = nodeid
    structured = getattr(report, "id", None)
    if structured is not None:
        report._id = _in_tree(structured, nodeid)


def recall(config: pytest.Config) -> None:
    """Gives checks that failed in the last run the ids they have in this one, for ``--last-failed``."""
    plugin = config.pluginmanager.get_plugin("lfplugin")
    failed: dict[Any, bool] = getattr(plugin, "lastfailed", {})
    for known in list(failed):
        nodeid = str(known)
        # The id of a parametrized test ends with its bracket.
        if "]::" in nodeid and not nodeid.endswith("]"):
            failed[_in_tree(known, nodeid)] = failed.pop(known)


def _in_tree(structured: Any, nodeid: str) -> Any:
    """The id that a check has where it was collected.

    Pytest >= 9.2 keeps ids in parts; parsing the string, it would find a parametrization.
    """
    if not dataclasses.is_dataclass(structured) or isinstance(structured, type):
        return structured
    path, *names = nodeid.split("::")
    return dataclasses.replace(structured, path=path, names=tuple(names), params=None)


class CheckNames:
    """Names checks in a JUnit file: ``classname="gate.yaml.detector[ethos-n78]" name="npu_ratio"``.

    Args:
        config: Of the run that writes the file.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Sets the names before pytest derives its own from the id; those set first win."""
        nodeid = getattr(report, CHECK_ID, None)
        if nodeid is None:
            return
        from _pytest.junitxml import xml_key

        xml = self.config.stash.get(xml_key, None)
        if xml is None:
            return
        path, model, check = nodeid.split("::", 2)
        case = xml.node_reporter(report)
        case.add_attribute("classname", f"{path.replace('/', '.')}.{model}")
        case.add_attribute("name", check)
