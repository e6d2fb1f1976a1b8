"""Where an analysis runs: in the worker that all of this process share, or in this process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.run.request import AnalysisRequest

if TYPE_CHECKING:
    from pytest_npu_compat.run.worker import Worker

__all__ = ["IN_PROCESS", "analyze"]

IN_PROCESS = "NPU_COMPAT_IN_PROCESS"
"""Environment variable: ``1`` analyzes in this process, without limits, for a debugger's sake."""

_WORKERS: dict[int, Worker] = {}
"""By process id: a fork must not talk to the worker of the process it was forked from."""


def analyze(request: AnalysisRequest) -> Report:
    """Analyzes one model on one target.

    Never raises for anything about the model: what cannot be analyzed becomes a report whose status
    is ``not_analyzable``, with the reason.
    """
    if _in_process():
        from pytest_npu_compat.run import analysis

        return analysis.analyze(request)
    return _worker().analyze(request)


def _in_process() -> bool:
    # Windows neither passes sockets to children nor caps their memory by `resource`.
    return sys.platform == "win32" or os.environ.get(IN_PROCESS, "") not in ("", "0")


def _worker() -> Worker:
    from pytest_npu_compat.run.worker import Worker

    return _WORKERS.setdefault(os.getpid(), Worker())
