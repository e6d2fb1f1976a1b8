"""Estimates in a run: asked for by a threshold, an option or an argument; the same with xdist."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from pytest_npu_compat.cli import main
from pytest_npu_compat.render.schema import report_schema

Run = Callable[..., pytest.RunResult]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]
Bodies = Callable[[pytest.RunResult], dict[str, str]]
Gate = Callable[..., Path]

GATE = """\
version: 1
thresholds:
  estimated_latency: "<= 1 s"
  estimated_speedup: ">= 1000x"
  estimated_dram_bytes: "<= 1 MB"
platform: {invocation: 7 us}
models: [models/half_on_npu.onnx]
"""

UNKNOWN = """\
version: 1
thresholds: {estimated_latency: "<= 1 s", estimated_energy_ratio: ">= 0.1x"}
models: [models/mystery.onnx]
"""

FIXTURE = """\
import pytest


def test_asked_for(npu_compat):
    report = npu_compat.analyze("models/on_npu.onnx", estimate=True)
    npu_compat.check(report, estimated_latency="<= 1 s")


def test_not_asked_for(npu_compat):
    npu_compat.check(npu_compat.analyze("models/on_npu.onnx"), estimated_latency="<= 1 s")


@pytest.mark.npu_compat(model="models/on_npu.onnx", estimated_latency="<= 1 s")
def test_marked(): ...
"""


def test_threshold_on_an_estimate_asks_for_it(
    gate: Gate, run: Run, outcomes: Outcomes, bodies: Bodies
) -> None:
    gate(GATE)
    result = run()
    prefix = "npu-compat.yaml::half_on_npu[ethos-n78]::"
    assert outcomes(result) == {
        f"{prefix}estimated_latency": "PASSED",
        f"{prefix}estimated_speedup": "FAILED",
        f"{prefix}estimated_dram_bytes": "PASSED",
    }
    (text,) = bodies(result).values()
    assert "× (an estimate: " in text.splitlines()[0]
    assert "required ≥ 1000×" in text.splitlines()[0]
    assert "ESTIMATES, not measurements" in text
    assert "what each CPU island costs" in text
    assert "invocation 7 us;" in " ".join(text.split())


def test_model_that_cannot_be_estimated_fails_and_names_the_operator(
    gate: Gate, run: Run, outcomes: Outcomes, project: Path
) -> None:
    from builder import Builder

    b = Builder()
    b.output(b.op("Einsum", [b.conv(b.input(1, 16, 8, 8))], "sum", equation="nchw->nch"))
    (project / "models" / "mystery.onnx").write_bytes(b.model().SerializeToString())
    gate(UNKNOWN)
    result = run()
    assert set(outcomes(result).values()) == {"FAILED"}
    assert "not judged: the cost of sum cannot be told" in result.stdout.str()


def test_fixture_and_marker(
    project: Path, pytester: pytest.Pytester, run: Run, outcomes: Outcomes
) -> None:
    pytester.makepyfile(test_it=FIXTURE)
    result = run()
    assert outcomes(result) == {
        "test_it.py::test_asked_for": "PASSED",
        "test_it.py::test_not_asked_for": "FAILED",
        "test_it.py::test_marked": "PASSED",
    }
    assert "the report was made without estimates" in result.stdout.str()


@pytest.mark.parametrize("style", ["json", "jsonl"])
def test_json_follows_the_schema(
    style: str, built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built)
    assert main(["analyze", "half_on_npu.onnx", "--estimate", "--format", style]) == 0
    first = capsys.readouterr().out
    assert main(["analyze", "half_on_npu.onnx", "--estimate", "--format", style]) == 0
    assert capsys.readouterr().out == first
    report = json.loads(first)
    jsonschema.validate(report, report_schema())
    assert report["platform"]["dram_bandwidth"] == {
        "low": 12e9,
        "nominal": 12e9,
        "high": 12e9,
        "unit": "B/s",
        "meaning": "Bandwidth of the DRAM that CPU and NPU share",
        "source": report["platform"]["clock"]["source"],
    }
    assert set(report["operators"][0]["estimate"]) == {
        "mce_cycles",
        "dram_read_bytes",
        "dram_write_bytes",
        "latency_us",
    }
    assert report["metrics"]["estimated_latency"]["unit"] == "ms"
    assert [i["operators"] for i in report["estimate"]["cpu_islands"]] == [["conv_1"]]


def test_table_ends_with_the_estimates(
    built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(built)
    assert main(["analyze", "on_npu.onnx", "missing.onnx", "--estimate"]) == 1
    out = capsys.readouterr().out
    assert out.count("ESTIMATES, not measurements") == 1
    assert "MCE cycles" in out
    assert main(["analyze", "on_npu.onnx"]) == 0
    assert "ESTIMATES" not in capsys.readouterr().out
