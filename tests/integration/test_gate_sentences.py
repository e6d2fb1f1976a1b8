"""Sentences of the gate file's contract that no other test holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from plain import KERNEL, op

from pytest_npu_compat.analysis.metrics import Facts, measure

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]


def test_model_that_nobody_imports(
    gate: Gate, run: Run, project: Path, bodies: Callable[[pytest.RunResult], dict[str, str]]
) -> None:
    (project / "models" / "net.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3")
    gate("version: 1\nthresholds: {npu_ratio: '>= 1%', hazards: 0}\nmodels: [models/net.tflite]\n")
    result = run()
    result.assert_outcomes(failed=2)
    for check in ("npu_ratio", "hazards"):
        text = bodies(result)[f"net[ethos-n78] {check}"]
        assert text.startswith(f"{check} not judged: unsupported-format: net.tflite ")
        assert "what to do: Convert it to ONNX" in text


def test_only_what_is_placed_on_the_npu_counts() -> None:
    """Neither an operator of which nothing is known nor one that can only be estimated."""
    operators = [
        op("a"),
        op("b", placement="unknown"),
        op("c", placement="cpu", supported="estimate-only", reasons=(KERNEL,)),
        op("d", placement="cpu", supported=True),
    ]
    found = measure(Facts(operators, (), (), host_ops=0))
    assert found["npu_ratio"].numerator == 1
    assert found["npu_ratio"].denominator == 4
    assert (found["npu_operators"].value, found["unknown_operators"].value) == (1, 1)
    assert found["npu_mac_ratio"].value == 0.25
