"""`platform:` in a gate file: every constant with its unit, and errors that say what to write."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.analysis.costs import Assumption, Range
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.gate.platform import UNITS, format_assumption, parse_platform
from pytest_npu_compat.gate.schema import PlatformEntry, QuantityRange

HEAD = 'version: 1\nthresholds: {estimated_latency: "<= 50 ms"}\nmodels: [m.onnx]\n'


def gate_of(directory: Path, text: str) -> Any:
    path = directory / "npu-compat.yaml"
    path.write_text(text, encoding="utf-8")
    return load_gate(path)


def test_schema_knows_every_constant_and_no_other() -> None:
    fields = {field.name: field for field in dataclasses.fields(Platform)}
    assert list(PlatformEntry.model_fields) == list(fields)
    for name, entry in PlatformEntry.model_fields.items():
        has_range = isinstance(fields[name].default, Range)
        assert (QuantityRange in getattr(entry.annotation, "__args__", ())) == has_range, name


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Platform)])
def test_default_is_read_back_as_it_is_shown(name: str) -> None:
    """A change that is shown can be written."""
    default = Platform().assumptions()[name]
    assert default.unit in UNITS
    shown = format_assumption(default).split(" (")[0]
    platform = parse_platform({name: shown})
    assert platform.assumptions()[name].nominal == pytest.approx(default.nominal)


def test_constants_reach_the_request(tmp_path: Path) -> None:
    text = f"""{HEAD}platform:
  clock: 1 GHz
  dram_bandwidth: 25.6 GB/s
  invocation: 250 us
  cpu_utilization: {{low: 10%, nominal: 20%, high: 30%}}
"""
    (model,) = gate_of(tmp_path, text).models
    assert model.request.estimate
    assert model.request.platform == dataclasses.replace(
        Platform(),
        clock=1e9,
        dram_bandwidth=25.6e9,
        invocation=Range.exactly(250e-6),
        cpu_utilization=Range(0.1, 0.2, 0.3),
    )


@pytest.mark.parametrize(
    ("thresholds", "estimate"),
    [
        ("{npu_ratio: '>= 96%'}", False),
        ("{npu_ratio: '>= 96%', estimated_speedup: '>= 2x'}", True),
        ("{npu_ratio: '>= 96%', estimated_speedup: off}", False),
    ],
)
def test_gate_asks_for_estimates_by_itself(tmp_path: Path, thresholds: str, estimate: bool) -> None:
    text = f"version: 1\nthresholds: {thresholds}\nplatform: {{clock: 1 GHz}}\nmodels: [m]\n"
    (model,) = gate_of(tmp_path, text).models
    assert model.request.estimate is estimate
    assert (model.request.platform == Platform()) is not estimate


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("clok: 1 GHz", "Unknown key 'clok'", "'clock'"),
        ("clock: 1", "Text is expected", ""),
        ("clock: '1'", "It has no unit; known: GHz, MHz", "clock: 1.25 GHz"),
        ("clock: 1 GB", "'GB' is no unit of clock", "clock: 1.25 GHz"),
        ("clock: fast", "'fast' is no value", "clock: 1.25 GHz"),
        ("clock: -1 GHz", "'-1 GHz' is no value", "clock: 1.25 GHz"),
        ("clock: 0 GHz", "more than nothing", "clock"),
        ("clock: {low: 1 GHz, nominal: 1 GHz, high: 1 GHz}", "Text is expected", ""),
        ("cpu_utilization: 120%", "at most 100%", "50%"),
        ("weight_saving: 101%", "at most 100%", "0%"),
        ("invocation: {low: 1 us, nominal: 2 us}", "'high' is missing", "high"),
        ("invocation: {low: 3 us, nominal: 2 us, high: 4 us}", "rises from low", "Sort"),
        ("invocation: {low: 1 s, nominal: 2 us, high: 4 us}", "'s' is no unit", "low: 100 us"),
        ("invocation: {lo: 1 us}", "Unknown key 'lo'", "'low'"),
    ],
)
def test_error_has_its_place(tmp_path: Path, line: str, message: str, hint: str) -> None:
    with pytest.raises(GateError) as caught:
        gate_of(tmp_path, f"{HEAD}platform:\n  {line}\n")
    error = caught.value
    assert error.position.line == 5
    assert error.position.column >= 3
    assert message in error.message
    assert hint in error.hint


def test_platform_that_is_no_mapping(tmp_path: Path) -> None:
    with pytest.raises(GateError):
        gate_of(tmp_path, f"{HEAD}platform: fast\n")


def test_nothing_under_platform_is_the_default(tmp_path: Path) -> None:
    (model,) = gate_of(tmp_path, f"{HEAD}platform:\n").models
    assert model.request.platform == Platform()


def test_range_is_shown_with_its_ends() -> None:
    shown = format_assumption(Assumption(20e-6, 100e-6, 500e-6, "s", "", ""))
    assert shown == "100 us (20 us to 500 us)"
    assert format_assumption(Assumption(0.5, 0.5, 0.5, "ratio", "", "")) == "50%"
