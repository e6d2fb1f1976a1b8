"""Waivers in a gate file: reason and date are mandatory, and the check must exist."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import Gate, load_gate
from pytest_npu_compat.gate.waiver import Waiver

HEAD = """\
version: 1
thresholds: {qdq_pairs: 0, hazards: 0}
models:
  - path: a.onnx
    waivers:
"""


def load(waivers: str, directory: Path) -> Gate:
    path = directory / "npu-compat.yaml"
    path.write_text(HEAD + waivers, encoding="utf-8")
    return load_gate(path)


def test_waiver_belongs_to_its_check(tmp_path: Path) -> None:
    gate = load("      - {check: hazards, until: 2027-01-31, reason: why}\n", tmp_path)
    waivers = {c.threshold.metric: c.waiver for c in gate.models[0].checks}
    assert waivers["qdq_pairs"] is None
    assert waivers["hazards"] == Waiver("hazards", date(2027, 1, 31), "why", 6, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("      - {check: hazards, until: 2027-01-31}\n", "'reason' is missing"),
        ("      - {check: hazards, reason: why}\n", "'until' is missing"),
        (
            "      - {check: hazards, until: 2027-01-31, reason: ' '}\n",
            "6:53: A waiver needs a reason",
        ),
        ("      - {check: hazards, until: soon, reason: why}\n", "6:33: A waiver ends on a day"),
        (
            "      - {check: hazards, until: 20270131, reason: why}\n",
            "6:33: A waiver ends on a day",
        ),
        ("      - {check: npu_ratio, until: 2027-01-31, reason: why}\n", "no check 'npu_ratio'"),
        ("      - {check: hazard, until: 2027-01-31, reason: why}\n", "Did you mean 'hazards'"),
        (
            "      - {check: hazards, until: 2027-01-31, reason: why}\n" * 2,
            "waived twice",
        ),
    ],
)
def test_waiver_that_is_not_complete(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(GateError) as caught:
        load(text, tmp_path)
    assert message in str(caught.value)


def test_waiver_ends_on_its_day() -> None:
    waiver = Waiver("hazards", date(2027, 1, 31), "why", 1, 1)
    assert waiver.active(date(2027, 1, 30))
    assert not waiver.active(date(2027, 1, 31))
