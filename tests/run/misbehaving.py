"""An analysis process that does what a model's name says: `misbehaving.py [--real] CHANNEL`.

With ``--real``, models of any other name are analyzed; else they get a report of nothing.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from pytest_npu_compat.analysis.report import ModelInfo, Report, TargetInfo, ToolInfo
from pytest_npu_compat.run import analysis, serve
from pytest_npu_compat.run.request import AnalysisRequest

ANSWERS = {"garbage": b"garbage\n", "list": b"[]\n", "no report": b'{"schema_version": "9.0"}\n'}

seen: list[str] = []


def nothing(request: AnalysisRequest) -> Report:
    return Report(
        ToolInfo("1", "2", "3", "4"),
        ModelInfo(request.name, request.shown_path),
        TargetInfo(request.target, "v"),
        "analyzed",
    )


def hang() -> None:
    while True:
        signal.pause()


def misbehave(name: str) -> None:
    if name == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif name == "exit":
        os.write(2, b"first\n\nsecond\nthird\n")
        os._exit(3)
    elif name == "raises":
        raise RuntimeError("boom")
    elif name == "bad_alloc":
        os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
        os.abort()
    elif name == "eats":
        eaten = []
        while True:
            eaten.append(b"x" * 2**24)
    elif name == "large":
        bytes(6 * 10**8).count(1)
    elif name == "hangs":
        hang()
    elif name in ANSWERS:
        os.write(int(sys.argv[-1]), ANSWERS[name])
        hang()
    elif name == "prints":
        for stream in (1, 2):
            os.write(stream, b'{"schema_version": "1.0"}\n' * 40_000)
    elif name == "fragile" and "poison" in seen:
        os.abort()


def analyze(request: AnalysisRequest) -> Report:
    misbehave(request.name)
    seen.append(request.name)
    return analysis.analyze(request) if "--real" in sys.argv else nothing(request)


if __name__ == "__main__":
    serve.GRACE = 0.2
    if "--real" in sys.argv:
        analysis.preload()
    print("printed before anything is asked", Path(__file__).name, flush=True)
    serve.serve(int(sys.argv[-1]), analyze)
