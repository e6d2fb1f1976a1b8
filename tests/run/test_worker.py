"""An analysis process that misbehaves costs one model its verdict, and nobody else anything."""

from __future__ import annotations

import dataclasses
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import models
import onnx
import pytest

from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.run import analysis
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.run.worker import Worker

COMMAND = [sys.executable, str(Path(__file__).with_name("misbehaving.py"))]
SHORT = Limits(timeout=0.3)
CAPPED = Limits(memory=512 * 10**6)

needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux waits for strangers")
needs_cap = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much")


def request_of(name: str, limits: Limits | None = None) -> AnalysisRequest:
    return AnalysisRequest(f"{name}.onnx", name, f"{name}.onnx", limits=limits or Limits())


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker(COMMAND)
    yield worker
    worker.close()


def verdict(worker: Worker, name: str, limits: Limits | None = None) -> tuple[str, str]:
    """Code and message of what a model got."""
    report = worker.analyze(request_of(name, limits))
    assert report.error is not None
    assert report.status == "not_analyzable"
    assert report.model.name == name
    assert report.error.hint
    return report.error.code, report.error.message


def is_judged(worker: Worker, name: str) -> bool:
    report = worker.analyze(request_of(name))
    return report.analyzed and report.model.name == name


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def ends(descriptor: int) -> bool:
    """Whether the process of a pidfd ends before long."""
    return bool(select.select([descriptor], [], [], 60)[0])


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("segfault", "crashed", "The analysis crashed: signal SIGSEGV (Segmentation fault)."),
        (
            "exit",
            "crashed",
            "The analysis crashed: it ended with exit status 3; its last words: second / third.",
        ),
        ("raises", "crashed", "RuntimeError: boom"),
        ("killed", "out-of-memory", "The analysis ran out of memory."),
        ("bad_alloc", "out-of-memory", "The analysis ran out of memory."),
        ("garbage", "crashed", "it did not keep to the protocol"),
        ("list", "crashed", "it did not keep to the protocol"),
        ("no report", "crashed", "answered no report"),
    ],
)
def test_a_dead_analysis_has_a_reason_and_no_consequences(
    name: str, code: str, message: str, worker: Worker
) -> None:
    got, said = verdict(worker, name)
    assert got == code
    assert message in said
    assert is_judged(worker, "next")


def test_timeout(worker: Worker) -> None:
    assert is_judged(worker, "before")
    pid = worker.pid
    assert pid is not None
    code, message = verdict(worker, "hangs", SHORT)
    assert (code, message) == ("timeout", "The analysis took longer than 0.3 s and was ended.")
    assert has_ended(pid)
    assert is_judged(worker, "after")


@needs_cap
def test_memory_cap(worker: Worker) -> None:
    code, message = verdict(worker, "eats", CAPPED)
    assert (code, message) == ("out-of-memory", "The analysis needs more than 512 MB of memory.")
    assert is_judged(worker, "after")


@needs_cap
def test_too_large_a_model_is_not_taken_for_an_invalid_one(tmp_path: Path) -> None:
    """Protobuf calls a message invalid when it cannot allocate memory for it."""
    weights = onnx.TensorProto(data_type=onnx.TensorProto.UINT8, dims=[2 * 10**8], name="weights")
    weights.raw_data = bytes(2 * 10**8)
    model = onnx.load(models.save(models.on_npu(), tmp_path))
    model.graph.initializer.append(weights)
    path = tmp_path / "large.onnx"
    onnx.save(model, path)
    worker = Worker()
    for limits, code in ((CAPPED, "out-of-memory"), (Limits(), None)):
        report = worker.analyze(AnalysisRequest(str(path), "large", "large.onnx", limits=limits))
        assert (report.error.code if report.error else None) == code
    worker.close()


@needs_cap
def test_memory_that_an_earlier_model_took_does_not_count(worker: Worker) -> None:
    assert is_judged(worker, "large")
    assert worker.analyze(request_of("small", CAPPED)).analyzed


def test_cap_of_one_model_is_not_that_of_the_next(worker: Worker) -> None:
    assert worker.analyze(request_of("small", CAPPED)).analyzed
    pid = worker.pid
    assert worker.analyze(request_of("any")).analyzed
    assert worker.pid == pid


def test_output_is_not_taken_for_an_answer(worker: Worker) -> None:
    assert is_judged(worker, "prints")
    assert is_judged(worker, "next")


def test_one_process_serves_many_models(worker: Worker) -> None:
    assert worker.pid is None
    pids = set()
    for name in ("a", "b", "c"):
        assert is_judged(worker, name)
        pids.add(worker.pid)
    assert len(pids) == 1


def test_what_an_earlier_model_broke_is_not_blamed_on_the_next(worker: Worker) -> None:
    assert is_judged(worker, "poison")
    assert is_judged(worker, "fragile")


def test_process_that_ended_while_idle_is_replaced(worker: Worker) -> None:
    assert is_judged(worker, "before")
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)
    assert is_judged(worker, "after")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["/nowhere/python"], "No such file or directory"),
        ([sys.executable, "-c", "raise SystemExit(4)"], "exit status 4"),
        ([sys.executable, "-c", "import no_such_compiler"], "No module named 'no_such_compiler'"),
    ],
    ids=["no program", "exits", "import fails"],
)
def test_process_that_cannot_be_started(command: list[str], why: str) -> None:
    worker = Worker(command)
    code, message = verdict(worker, "any")
    assert code == "crashed"
    assert message.startswith("The analysis process cannot be started: ")
    assert why in message
    assert worker.pid is None


def test_close_leaves_no_process(worker: Worker) -> None:
    assert is_judged(worker, "any")
    pid = worker.pid
    assert pid is not None
    worker.close()
    assert has_ended(pid)
    assert is_judged(worker, "again")


def test_forgotten_worker_leaves_no_process() -> None:
    worker = Worker(COMMAND)
    assert is_judged(worker, "any")
    pid = worker.pid
    assert pid is not None
    del worker
    assert has_ended(pid)


def test_interruption_ends_the_analysis(worker: Worker) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    assert is_judged(worker, "before")
    pid = worker.pid
    assert pid is not None
    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            worker.analyze(request_of("hangs"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert has_ended(pid)
    assert is_judged(worker, "after")


def test_fork_does_not_end_the_process_of_its_parent(worker: Worker) -> None:
    assert is_judged(worker, "before")
    pid = worker.pid
    child = os.fork()
    if child == 0:
        worker.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert is_judged(worker, "after")
    assert worker.pid == pid


KILLED = """\
import os, signal, sys
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.run.worker import Worker

worker = Worker([sys.executable, {script!r}])
assert worker.analyze(AnalysisRequest("any", "any", "any")).analyzed
print(worker.pid, flush=True)
sys.stdin.readline()  # until the test holds on to the process
signal.setitimer(signal.ITIMER_REAL, 0.2)  # ends this process by its default action
worker.analyze(AnalysisRequest("{name}", "{name}", "{name}", limits=Limits(timeout=1.0)))
os.kill(os.getpid(), signal.SIGKILL)
"""


@needs_pidfd
@pytest.mark.parametrize("name", ["hangs", "idle"])
def test_no_orphan_outlives_a_killed_run(name: str) -> None:
    code = KILLED.format(script=COMMAND[1], name=name)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        descriptor = os.pidfd_open(int(run.stdout.readline()))
        try:
            run.stdin.write("\n")
            run.stdin.flush()
            assert run.wait(60) in (-signal.SIGALRM, -signal.SIGKILL)
            assert ends(descriptor)
        finally:
            os.close(descriptor)


def test_same_report_as_in_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_worker: Worker
) -> None:
    models.save(models.half_on_npu(), tmp_path)
    shared_worker.analyze(request_of("missing"))
    monkeypatch.chdir(tmp_path)  # the process was started elsewhere
    for name in ("half_on_npu", "missing"):
        plain = request_of(name)
        estimated = dataclasses.replace(plain, estimate=True, platform=Platform(clock=1e9))
        for request in (plain, estimated):
            assert shared_worker.analyze(request) == analysis.analyze(request)


def test_limits_are_no_part_of_a_report(tmp_path: Path, shared_worker: Worker) -> None:
    path = models.save(models.leaky(), tmp_path)
    request = AnalysisRequest(str(path), "leaky", "leaky.onnx")
    limited = dataclasses.replace(request, limits=Limits(30.0, 10**9))
    assert shared_worker.analyze(request) == shared_worker.analyze(limited)


@pytest.fixture(scope="module")
def shared_worker() -> Iterator[Worker]:
    """A worker that really analyzes."""
    worker = Worker()
    yield worker
    worker.close()
