"""Presets are valid thresholds, and demand that nothing is computed wrongly."""

from __future__ import annotations

import pytest
import yaml

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.presets import PRESETS, preset_text
from pytest_npu_compat.gate.threshold import parse_threshold


@pytest.mark.parametrize("name", PRESETS)
def test_preset_is_a_valid_section_of_a_gate_file(name: str) -> None:
    thresholds = yaml.safe_load(preset_text(name))["thresholds"]
    assert thresholds == dict(PRESETS[name])
    for metric, limit in thresholds.items():
        assert metric in METRICS
        assert parse_threshold(metric, limit).bounds


@pytest.mark.parametrize("name", PRESETS)
def test_preset_demands_no_hazards(name: str) -> None:
    assert PRESETS[name]["hazards"] == 0
