"""What a failure says, in the terminal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

Bodies = Callable[[pytest.RunResult], dict[str, str]]


def test_names_rule_and_remedy_of_a_placement(red: Any, bodies: Bodies) -> None:
    text = bodies(red.result)["half_on_npu[ethos-n78] npu_ratio"]
    assert text.splitlines()[0] == "npu_ratio 50.0% (1/2 operators), required ≥ 96%"
    assert "[kernel-size]" in text
    assert re.search(r"is: +4x4$", text, re.MULTILINE)
    assert re.search(r"at: +conv_1$", text, re.MULTILINE)
    assert re.search(r"allowed: +1, 2, 3, 5, 7 or 9$", text, re.MULTILINE)
    assert "what to do: " in text


def test_names_the_nodes_of_an_island(red: Any, bodies: Bodies) -> None:
    text = bodies(red.result)["leaky[ethos-n78] qdq_pairs"]
    assert text.splitlines()[0] == "qdq_pairs 1, required exactly 0"
    assert "1 × LeakyRelu on the NPU" in text
    assert "conv_0_dq1_dequantize -> leakyrelu_1 -> leakyrelu_1_quantize" in text
    assert "what to do: " in text


def test_every_failed_check_has_its_text(red: Any, bodies: Bodies) -> None:
    texts = bodies(red.result)
    assert set(texts) == {
        "half_on_npu[ethos-n78] npu_ratio",
        "leaky[ethos-n78] qdq_pairs",
        *(
            f"{model}[ethos-n78] {check}"
            for model in ("missing", "pointer", "corrupt", "dynamic")
            for check in ("npu_ratio", "qdq_pairs")
        ),
    }
    for title, text in texts.items():
        assert text.startswith(title.split()[1]), title
        assert "what to do: " in text, title


def test_same_text_with_and_without_xdist(red_runs: Mapping[str, Any], bodies: Bodies) -> None:
    plain, xdist = (bodies(red_runs[name].result) for name in ("plain", "xdist"))

    def without_directory(texts: dict[str, str]) -> dict[str, str]:
        return {title: re.sub(r"\S*/models/", "", text) for title, text in texts.items()}

    assert plain
    assert without_directory(plain) == without_directory(xdist)


def test_no_python_in_any_failure(red: Any) -> None:
    shown = red.result.stdout.str() + red.result.stderr.str() + red.junit
    assert "Traceback" not in shown
    assert ".py:" not in shown
    assert "CheckFailedError" not in shown


def test_one_line_in_the_short_summary(red: Any) -> None:
    lines = [line for line in red.result.outlines if line.startswith("FAILED ")]
    assert len(lines) == 10
    assert (
        "FAILED npu-compat.yaml::half_on_npu[ethos-n78]::npu_ratio - half_on_npu[ethos-n78]: "
        "npu_ratio 50.0% (1/2 operators), required ≥ 96%" in lines
    )
    assert (
        "FAILED npu-compat.yaml::leaky[ethos-n78]::qdq_pairs - leaky[ethos-n78]: "
        "qdq_pairs 1, required exactly 0" in lines
    )


@pytest.mark.parametrize("style", ["short", "line", "native", "long"])
def test_traceback_styles_show_the_same_gate(
    style: str, gate: Callable[..., Any], run_with: Callable[..., pytest.RunResult]
) -> None:
    gate('version: 1\nthresholds: {npu_ratio: ">= 96%"}\nmodels: [models/half_on_npu.onnx]\n')
    result = run_with([], f"--tb={style}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*npu_ratio 50.0% (1/2 operators), required ≥ 96%"])
    result.stdout.no_fnmatch_line("*.py:*")
    result.stdout.no_fnmatch_line("*Traceback*")
