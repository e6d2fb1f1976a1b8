"""A child process that answers JSON lines over a channel of its own, within a deadline.

The channel is a socket that the child inherits. Whatever it prints goes to a pipe of which the end
is kept, so that no output of a library can be taken for an answer.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import socket
import subprocess
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Child", "ChildDiedError", "ChildTimeoutError", "ChildTooLargeError"]

TAIL_BYTES = 4096
"""How much of the end of a child's output is kept."""

CHUNK_BYTES = 1 << 16

SECONDS_BETWEEN_LOOKS = 0.02
"""At the memory of a child whose memory is limited."""

SECONDS_TO_DIE = 10.0
"""For a process whose channel is closed or that was killed; only an unresponsive disk takes longer."""


class ChildDiedError(Exception):
    """A child that ended, or that does not keep to the protocol.

    Args:
        status: As `subprocess.Popen.returncode`: negative for a signal. None for a child that answered
            something else than a JSON object.
        output: The end of what it printed.
    """

    def __init__(self, status: int | None, output: str) -> None:
        super().__init__(f"status {status}: {output[-200:]}")
        self.status = status
        self.output = output


class ChildTimeoutError(Exception):
    """A child that did not answer in time."""


class ChildTooLargeError(Exception):
    """A child that took more memory than it may."""


class Child:
    """A running child process.

    It ends with this object or with this process, whichever ends first: it is killed when this object
    is closed or collected, and sees the end of its channel if this process is killed.

    Args:
        command: Program and arguments; the number of the channel's file descriptor is appended.
        environment: Of the child.

    Raises:
        OSError: There is no such program, or no process can be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._channel, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(  # noqa: S603 - the caller's own command
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                env=dict(environment),
            )
        assert process.stdout is not None
        self._process = process
        self._output = process.stdout
        self._tail = b""
        os.set_blocking(self._output.fileno(), False)
        self._channel.settimeout(0.0)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._selector.register(self._output, selectors.EVENT_READ)
        self._end = weakref.finalize(
            self, _end, process, self._selector, self._channel, self._output
        )

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Sends a JSON object of at most a few kilobytes.

        Raises:
            ChildDiedError: Nobody is there to read it.
        """
        self._tail = b""
        try:
            self._channel.settimeout(SECONDS_TO_DIE)
            self._channel.sendall(json.dumps(message).encode() + b"\n")
            self._channel.settimeout(0.0)
        except OSError:
            raise self._died() from None

    def receive(self, timeout: float, memory: int | None = None) -> dict[str, Any]:
        """Waits for a JSON object.

        Memory is watched, not capped by `setrlimit`: where an allocation fails, libraries say that a
        file is invalid, or go on with less, and the answer would be wrong. Only Linux can be asked.

        Args:
            timeout: In seconds.
            memory: Bytes that the child may ever have held in memory; None for any.

        Raises:
            ChildTimeoutError: None came in time.
            ChildTooLargeError: The child took more memory.
            ChildDiedError: The child ended, or sent something else.
        """
        line = self._line(time.monotonic() + timeout, memory)
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            raise ChildDiedError(None, self._printed())
        return message

    def close(self) -> None:
        """Kills the process; it has nothing to save."""
        self._end()

    def _line(self, deadline: float, memory: int | None) -> bytes:
        parts: list[bytes] = []
        while True:
            if memory is not None and _peak_memory(self.pid) > memory:
                raise ChildTooLargeError
            if parts and parts[-1].endswith(b"\n"):
                return b"".join(parts)
            wait = deadline - time.monotonic()
            if wait <= 0:
                raise ChildTimeoutError
            if memory is not None:
                wait = min(wait, SECONDS_BETWEEN_LOOKS)
            for key, _ in self._selector.select(wait):
                data = _read(key.fd)
                if key.fileobj is self._output:
                    self._keep(data)
                elif not data:
                    raise self._died()
                else:
                    parts.append(data)

    def _keep(self, data: bytes | None) -> None:
        if data == b"":  # it closed its output, and may still answer
            self._selector.unregister(self._output)
        self._tail = (self._tail + (data or b""))[-TAIL_BYTES:]

    def _died(self) -> ChildDiedError:
        """Waits for the end of a child that has closed its channel."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(SECONDS_TO_DIE)
        return ChildDiedError(self._process.returncode, self._printed())

    def _printed(self) -> str:
        while data := _read(self._output.fileno()):
            self._tail = (self._tail + data)[-TAIL_BYTES:]
        return self._tail.decode("utf-8", "replace")


def _read(descriptor: int) -> bytes | None:
    """What is there to read; empty at the end, None if there is nothing yet."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:  # the other end was reset
        return b""


def _peak_memory(pid: int) -> int:
    """Most bytes that a process has held in memory so far; 0 where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    match = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def _end(process: subprocess.Popen[bytes], *resources: Any) -> None:
    for resource in resources:
        resource.close()
    process.kill()  # does nothing in a fork, of which this process is no child
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(SECONDS_TO_DIE)
