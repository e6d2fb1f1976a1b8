"""Reports kept by the content they were made from, so that no model is analyzed twice.

A key covers all that can change a report: the bytes of the model, the request, this package's own
source and the versions of what it computes with. So an entry is never out of date; it is only ever
not found.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import logging
import os
import tempfile
from pathlib import Path

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.run.request import AnalysisRequest

__all__ = ["Cache", "own_directory"]

MAX_BYTES = 200 * 10**6

PRUNE_EVERY = 64
"""Entries written between two looks at the size of the directory."""

CHUNK_BYTES = 1 << 20

EXTERNAL_DATA = b"location"
"""Key under which an ONNX tensor names the file that holds its data; no such tensor lacks it."""

CACHE_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55"
"""First line of a CACHEDIR.TAG, see https://bford.info/cachedir/."""

DISTRIBUTIONS = ("pytest-npu-compat", "apache-tvm", "onnx", "numpy", "protobuf")

DETERMINISTIC = frozenset(
    {
        "lfs-pointer",
        "invalid-model",
        "unsupported-format",
        "dynamic-shape",
        "nothing-to-judge",
        "importer-error",
    }
)
"""Errors that follow from the file alone. A timeout or a crash may not happen the next time."""

logger = logging.getLogger(__name__)


class Cache:
    """Reports in a directory, which several processes may share.

    A cache never fails: what cannot be read is analyzed, what cannot be written is left out.

    Args:
        directory: An existing directory of its own.
        max_bytes: Beyond this size, the entries that were used least recently are removed.
    """

    def __init__(self, directory: Path, max_bytes: int = MAX_BYTES) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._written = 0
        self._keys: dict[AnalysisRequest, str | None] = {}

    def recall(self, request: AnalysisRequest) -> Report | None:
        """The report that was kept of this request and model, if there is one."""
        key = self._keys[request] = _key(request)
        if key is None:
            return None
        path = self._path(key)
        try:
            report = _decode(path.read_bytes(), key)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            logger.debug("entry %s is damaged: %s", path, error)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return report

    def keep(self, request: AnalysisRequest, report: Report) -> None:
        """Keeps a report for later, if the next analysis must come to the same one.

        Args:
            request: For which `recall` found nothing.
            report: What the analysis came to.
        """
        key = self._keys.pop(request, None)
        if key is None or (report.error is not None and report.error.code not in DETERMINISTIC):
            return
        if _key(request) != key:
            return  # the file was written while it was analyzed
        try:
            self._write(self._path(key), _encode(report, key))
        except OSError as error:
            logger.debug("report of %s is not kept: %s", request.shown_path, error)

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}.json"

    def _write(self, path: Path, data: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._directory, suffix=".tmp")
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - mkstemp has opened it
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        if self._written % PRUNE_EVERY == 0:
            self._prune()
        self._written += 1

    def _prune(self) -> None:
        """Removes what was used least recently, leftovers of killed processes included."""
        entries = []
        for path in self._directory.iterdir():
            if path.suffix not in (".json", ".tmp"):
                continue
            with contextlib.suppress(OSError):  # another process prunes too
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        total = 0
        for _, size, path in sorted(entries, reverse=True):
            total += size
            if total > self._max_bytes:
                with contextlib.suppress(OSError):
                    path.unlink()


def own_directory(path: Path) -> Path:
    """Makes a directory for a cache that neither git nor backups take notice of.

    Raises:
        OSError: It cannot be made.
    """
    path.mkdir(parents=True, exist_ok=True)
    marks = {".gitignore": "*\n", "CACHEDIR.TAG": f"{CACHE_SIGNATURE}\n"}
    for name, text in marks.items():
        if not (path / name).exists():
            (path / name).write_text(text, encoding="utf-8")
    return path


def _encode(report: Report, key: str) -> bytes:
    payload = json.dumps({"key": key, "report": report.to_dict()}).encode()
    return hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def _decode(data: bytes, key: str) -> Report:
    """The inverse of `_encode`.

    Raises:
        ValueError: The data is not what was written under this key.
    """
    checksum, _, payload = data.partition(b"\n")
    if checksum != hashlib.sha256(payload).hexdigest().encode():
        raise ValueError("wrong checksum")
    entry = json.loads(payload)
    if not isinstance(entry, dict) or entry.get("key") != key:
        raise ValueError("entry of another key")
    return Report.from_dict(entry["report"])


def _key(request: AnalysisRequest) -> str | None:
    """Hash of all that the report depends on; None for what is not kept."""
    content = _hash_of(Path(request.model))
    if content is None:
        return None
    # Messages name the file, but its directory only as the user wrote it.
    asked = {**request.to_dict(), "model": Path(request.model).name}
    del asked["limits"]  # they decide whether there is a report, not what it says
    parts = {"content": content, "request": asked, "tool": _tool()}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _hash_of(path: Path) -> str | None:
    """Hash of a model file; None if it cannot be read or data in other files belongs to it."""
    digest = hashlib.sha256()
    before = b""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                if EXTERNAL_DATA in before + chunk:
                    return None
                before = chunk[-len(EXTERNAL_DATA) :]
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


@functools.cache
def _tool() -> str:
    """Hash of this package's source, so that a checkout is never stale, and of all versions."""
    digest = hashlib.sha256()
    for name in DISTRIBUTIONS:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    root = Path(__file__).resolve().parents[1]
    files = (path for path in root.rglob("*") if path.suffix != ".pyc" and path.is_file())
    for path in sorted(files):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()} {len(source)}\n".encode())
        digest.update(source)
    return digest.hexdigest()
