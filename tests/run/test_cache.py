"""A report is recalled only if the next analysis would come to the same one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import (
    ErrorInfo,
    MetricValue,
    ModelInfo,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.model.errors import ERROR_CODES
from pytest_npu_compat.run import cache as cache_module
from pytest_npu_compat.run.cache import DETERMINISTIC, Cache
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile

REPORT = Report(
    ToolInfo("1", "2", "3", "4"),
    ModelInfo("m", "m.onnx"),
    TargetInfo("t", "v"),
    "analyzed",
    metrics={"npu_ratio": MetricValue(0.5, "ratio", 1, 2)},
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    (tmp_path / "cache").mkdir()
    return Cache(tmp_path / "cache")


@pytest.fixture
def request_of_model(tmp_path: Path) -> AnalysisRequest:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"a model")
    return AnalysisRequest(str(path), "m", "m.onnx")


def keep(cache: Cache, request: AnalysisRequest, report: Report = REPORT) -> None:
    """As a run does: a report is kept of what could not be recalled."""
    assert cache.recall(request) is None
    cache.keep(request, report)


def entry(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache").iterdir()
    return path


def test_report_comes_back(cache: Cache, request_of_model: AnalysisRequest) -> None:
    keep(cache, request_of_model)
    assert cache.recall(request_of_model) == REPORT


def test_another_process_finds_it(
    cache: Cache, request_of_model: AnalysisRequest, tmp_path: Path
) -> None:
    keep(cache, request_of_model)
    assert Cache(tmp_path / "cache").recall(request_of_model) == REPORT


CHANGES: dict[str, Any] = {
    "name": "other",
    "shown_path": "models/m.onnx",
    "target": "other",
    "variant": "1tops-2ple",
    "options": (("sram_size", 1),),
    "inputs": (("image", (1, 3, 8, 8)),),
    "quantization": "assume-int8",
    "estimate": True,
    "profile": Profile("acme", "1", (("Conv", (OperatorRule(),)),)),
    "platform": dataclasses.replace(Platform(), cpu_cores=2),
}


@pytest.mark.parametrize(
    "field",
    [f.name for f in dataclasses.fields(AnalysisRequest) if f.name not in ("model", "limits")],
)
def test_another_request_is_analyzed(
    field: str, cache: Cache, request_of_model: AnalysisRequest
) -> None:
    keep(cache, request_of_model)
    change = CHANGES[field]
    assert cache.recall(dataclasses.replace(request_of_model, **{field: change})) is None


def test_limits_and_directory_change_no_report(
    cache: Cache, request_of_model: AnalysisRequest, tmp_path: Path
) -> None:
    keep(cache, request_of_model)
    moved = tmp_path / "moved" / "m.onnx"
    moved.parent.mkdir()
    Path(request_of_model.model).rename(moved)
    same = dataclasses.replace(request_of_model, model=str(moved), limits=Limits(1.0, 10**9))
    assert cache.recall(same) == REPORT


def test_changed_model_is_analyzed(cache: Cache, request_of_model: AnalysisRequest) -> None:
    path = Path(request_of_model.model)
    status = path.stat()
    keep(cache, request_of_model)
    path.write_bytes(b"A model")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.recall(request_of_model) is None
    path.write_bytes(b"a model")
    assert cache.recall(request_of_model) == REPORT


def test_renamed_model_is_analyzed(cache: Cache, request_of_model: AnalysisRequest) -> None:
    """Messages name the file."""
    keep(cache, request_of_model)
    renamed = Path(request_of_model.model).rename(Path(request_of_model.model).with_name("n.onnx"))
    assert cache.recall(dataclasses.replace(request_of_model, model=str(renamed))) is None


def test_another_tool_analyzes_again(
    cache: Cache, request_of_model: AnalysisRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cache, request_of_model)
    monkeypatch.setattr(cache_module, "_tool", lambda: "another")
    assert cache.recall(request_of_model) is None


@pytest.mark.parametrize("name", ["apache-tvm", "onnx", "numpy", "pytest-npu-compat"])
def test_tool_is_the_versions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache_module._tool.__wrapped__()
    version = cache_module.importlib.metadata.version
    monkeypatch.setattr(
        cache_module.importlib.metadata, "version", lambda n: "0" if n == name else version(n)
    )
    assert cache_module._tool.__wrapped__() != before


def test_tool_is_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "package"
    (package / "run").mkdir(parents=True)
    monkeypatch.setattr(cache_module, "__file__", str(package / "run" / "cache.py"))
    hashes = set()
    for name, text in (
        ("a.py", "1"),
        ("a.py", "2"),
        ("run/b.py", "1"),
        ("run/b.py", ""),
        ("c.yaml", ""),
    ):
        (package / name).write_text(text)
        hashes.add(cache_module._tool.__wrapped__())
    assert len(hashes) == 5
    assert cache_module._tool.__wrapped__() in hashes


def test_model_with_external_data_is_analyzed_each_time(
    cache: Cache, request_of_model: AnalysisRequest
) -> None:
    path = Path(request_of_model.model)
    for before in (0, cache_module.CHUNK_BYTES - 3, 2 * cache_module.CHUNK_BYTES):
        path.write_bytes(b"\0" * before + b"\x0a\x08location\x12\x01w" + b"\0" * 9)
        keep(cache, request_of_model)
        assert cache.recall(request_of_model) is None


def test_missing_model_is_looked_for_each_time(cache: Cache, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.onnx", tmp_path):
        request = AnalysisRequest(str(path), "m", "m.onnx")
        keep(cache, request)
        assert cache.recall(request) is None


@pytest.mark.parametrize("code", ERROR_CODES)
def test_only_errors_that_will_be_the_same_are_kept(
    code: str, cache: Cache, request_of_model: AnalysisRequest
) -> None:
    failure = dataclasses.replace(
        REPORT, status="not_analyzable", metrics={}, error=ErrorInfo(code, "No.", "Do.")
    )
    keep(cache, request_of_model, failure)
    assert cache.recall(request_of_model) == (failure if code in DETERMINISTIC else None)


def test_codes_exist_and_none_depends_on_the_machine() -> None:
    assert set(ERROR_CODES) >= DETERMINISTIC
    assert not {"timeout", "crashed", "out-of-memory", "file-not-found"} & DETERMINISTIC


def test_model_that_changed_while_it_was_analyzed_is_not_kept(
    cache: Cache, request_of_model: AnalysisRequest
) -> None:
    path = Path(request_of_model.model)
    assert cache.recall(request_of_model) is None
    path.write_bytes(b"another")
    cache.keep(request_of_model, REPORT)
    assert cache.recall(request_of_model) is None
    path.write_bytes(b"a model")
    assert cache.recall(request_of_model) is None


def reworded(data: bytes) -> bytes:
    """Another verdict under the old checksum."""
    return data.replace(b'"value": 0.5', b'"value": 1.0')


def resealed(data: bytes) -> bytes:
    """A well-formed entry that is no report."""
    payload = json.dumps({**json.loads(data.partition(b"\n")[2]), "report": {}}).encode()
    return hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


@pytest.mark.parametrize(
    "damage",
    [reworded, resealed, lambda data: data[:-1], lambda data: b"", lambda data: b"\xff" * 9],
    ids=["reworded", "resealed", "cut", "empty", "noise"],
)
def test_damaged_entry_is_analyzed_and_replaced(
    damage: Any, cache: Cache, request_of_model: AnalysisRequest, tmp_path: Path
) -> None:
    keep(cache, request_of_model)
    path = entry(tmp_path)
    data = path.read_bytes()
    assert damage(data) != data
    path.write_bytes(damage(data))
    keep(cache, request_of_model)
    assert cache.recall(request_of_model) == REPORT
    assert path.read_bytes() == data


def test_entry_of_another_model_is_no_answer(
    cache: Cache, request_of_model: AnalysisRequest, tmp_path: Path
) -> None:
    keep(cache, request_of_model)
    kept = entry(tmp_path).rename(tmp_path / "kept")
    Path(request_of_model.model).write_bytes(b"another")
    keep(cache, request_of_model)
    kept.replace(entry(tmp_path))
    assert cache.recall(request_of_model) is None


def test_size_is_bounded_and_the_oldest_goes_first(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    directory.mkdir()
    path = tmp_path / "m.onnx"
    path.write_bytes(b"a model")
    requests = [AnalysisRequest(str(path), name, "m.onnx") for name in ("old", "used", "new")]
    for age, request in zip((3, 2, 1), requests, strict=True):
        cache = Cache(directory)
        keep(cache, request)
        for file in directory.iterdir():
            os.utime(file, ns=(0, file.stat().st_mtime_ns - age * 10**9))
    size = sum(file.stat().st_size for file in directory.iterdir())
    assert Cache(directory).recall(requests[0]) == REPORT  # which makes "used" the oldest
    keep(Cache(directory, max_bytes=size), AnalysisRequest(str(path), "one more", "m.onnx"))
    kept = [Cache(directory).recall(request) is not None for request in requests]
    assert kept == [True, False, True]


def test_directory_that_cannot_be_written_is_no_failure(
    request_of_model: AnalysisRequest, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "gone")
    keep(cache, request_of_model)
    assert cache.recall(request_of_model) is None


def test_no_leftovers(cache: Cache, request_of_model: AnalysisRequest, tmp_path: Path) -> None:
    keep(cache, request_of_model)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".json"]
