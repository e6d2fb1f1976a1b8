"""A persistent process that analyzes models, so that no model can take the run down or hold it up."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import sys
import threading
from collections.abc import Sequence

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.run.failures import (
    crashed,
    not_analyzable,
    not_started,
    out_of_memory,
    timed_out,
)
from pytest_npu_compat.run.limits import Limits, show_timeout
from pytest_npu_compat.run.process import (
    Child,
    ChildDiedError,
    ChildTimeoutError,
    ChildTooLargeError,
)
from pytest_npu_compat.run.request import AnalysisRequest

__all__ = ["Worker"]

STARTUP_TIMEOUT = 300.0
"""Seconds for the start of the process, TVM's import included; a cold network disk is slow."""

MODULES_AS_HERE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from pytest_npu_compat.run.serve import main; main(int(sys.argv[2]))"
)
"""`python -m` would look for modules in the working directory first, where models are."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""No analysis multiplies matrices, and a buffer for each core would count as its memory."""

OUT_OF_MEMORY = re.compile(r"MemoryError|bad_alloc|out of memory|cannot allocate memory", re.I)

BLAMED_WHEN_FRESH = ("crashed", "out-of-memory")
"""What an earlier model may have caused: only a process that has seen no other one can tell."""


class Worker:
    """Analyzes models one after the other in a process of their own.

    The process starts with the first request. If it crashes, hangs or runs out of memory, the model
    gets a report that says so, and the next model a new process.

    Args:
        command: What to start instead of this package's `run.serve`; see `Child`.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._command = command
        self._child: Child | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Id of the process; None while there is none."""
        return None if self._child is None else self._child.pid

    def analyze(self, request: AnalysisRequest) -> Report:
        """Analyzes one model on one target.

        Never raises for anything about the model, as `run.analysis.analyze`.
        """
        with self._lock:
            used = self._child is not None
            report = self._attempt(request)
            if used and _is_blamed(report):
                report = self._attempt(request)
            return report

    def close(self) -> None:
        """Ends the process. Another request starts a new one."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _attempt(self, request: AnalysisRequest) -> Report:
        """One try; leaves a process that can judge the next model, or none."""
        try:
            report = self._ask(request)
        except ModelError as error:
            report = not_analyzable(request, error)
            self.close()
        except BaseException:
            self.close()  # e.g. Ctrl-C: it is still busy with this model
            raise
        if _is_blamed(report):
            self.close()
        return report

    def _ask(self, request: AnalysisRequest) -> Report:
        """What the process answers.

        Raises:
            ModelError: It does not.
        """
        if self._child is None:
            self._child = self._start()
        # The process has a working directory of its own.
        absolute = dataclasses.replace(request, model=os.path.abspath(request.model))  # noqa: PTH100
        limits = request.limits
        try:
            self._child.send(absolute.to_dict())
            return Report.from_dict(self._child.receive(limits.timeout, limits.memory))
        except ChildTimeoutError:
            raise timed_out(limits) from None
        except ChildTooLargeError:
            raise out_of_memory(limits) from None
        except ChildDiedError as death:
            raise _verdict(death, limits) from None
        except ValueError as error:
            raise crashed(f"the analysis process answered no report ({error})") from None

    def _start(self) -> Child:
        """Starts a process and waits until it is ready.

        Raises:
            ModelError: It cannot be started.
        """
        command = self._command or [sys.executable, "-c", MODULES_AS_HERE, json.dumps(sys.path)]
        try:
            child = Child(command, {**os.environ, **ONE_THREAD})
        except OSError as error:
            raise not_started(error.strerror or str(error)) from None
        try:
            child.receive(STARTUP_TIMEOUT)
        except ChildTimeoutError:
            why = f"it was not ready after {show_timeout(STARTUP_TIMEOUT)}"
        except ChildDiedError as death:
            why = _ending(death)
        except BaseException:  # e.g. Ctrl-C
            child.close()
            raise
        else:
            return child
        child.close()
        raise not_started(why)


def _is_blamed(report: Report) -> bool:
    return report.error is not None and report.error.code in BLAMED_WHEN_FRESH


def _verdict(death: ChildDiedError, limits: Limits) -> ModelError:
    """What the end of the process says about the model."""
    if death.status == -signal.SIGALRM:  # its own alarm, if this process was stopped meanwhile
        return timed_out(limits)
    # Linux ends the process that holds most memory with SIGKILL; nobody else sends it here.
    if death.status == -signal.SIGKILL or OUT_OF_MEMORY.search(death.output):
        return out_of_memory(limits)
    return crashed(_ending(death))


def _ending(death: ChildDiedError) -> str:
    """How a process ended, with its last words: ``signal SIGSEGV (Segmentation fault)``."""
    if death.status is None:
        how = "it did not keep to the protocol"
    elif death.status < 0:
        how = _signal(-death.status)
    else:
        how = f"it ended with exit status {death.status}"
    lines = [" ".join(line.split()) for line in death.output.splitlines() if line.strip()]
    return f"{how}; its last words: {' / '.join(lines[-2:])[-300:]}" if lines else how


def _signal(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # a real-time signal
        name = str(number)
    description = signal.strsignal(number)
    return f"signal {name} ({description})" if description else f"signal {name}"
