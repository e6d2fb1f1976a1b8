"""The other side of `Worker`: answers requests line by line until the channel is closed.

Nothing here may outlive the process that asked: an idle child sees the end of its channel, a busy one
is ended by an alarm soon after its deadline, even inside native code that never returns.
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pytest_npu_compat.run.request import AnalysisRequest

if TYPE_CHECKING:
    from pytest_npu_compat.analysis.report import Report

__all__ = ["main", "serve"]

GRACE = 5.0
"""Seconds after which a child whose parent did not end it ends itself."""


def main(channel: int) -> None:
    """Analyzes models until the channel is closed.

    Args:
        channel: File descriptor of a connected socket.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which decides
    from pytest_npu_compat.run.analysis import analyze, preload

    preload()
    serve(channel, analyze)


def serve(channel: int, analyze: Callable[[AnalysisRequest], Report]) -> None:
    """Says that it is ready, then answers each request with a report.

    Args:
        channel: File descriptor of a connected socket.
        analyze: Makes a report of a request.
    """
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with (
        socket.socket(fileno=channel) as connection,
        connection.makefile("rwb") as stream,
        contextlib.suppress(BrokenPipeError, ConnectionResetError),  # nobody waits any more
    ):
        connection.set_inheritable(False)
        stream.write(b'{"ready": true}\n')
        stream.flush()
        for line in stream:
            request = AnalysisRequest.from_dict(json.loads(line))
            with _alarm(request.limits.timeout + GRACE):
                report = analyze(request)
            stream.write(json.dumps(report.to_dict()).encode() + b"\n")
            stream.flush()


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Ends this process if what follows takes longer."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
