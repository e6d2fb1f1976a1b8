"""`quantization: assume-int8` in a gate file, on the command line, in the fixture and the marker."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from float_twin import float_twin
from models import half_on_npu, on_npu

from pytest_npu_compat.cli import main
from pytest_npu_compat.fixture import NpuCompat
from pytest_npu_compat.run import AnalysisRequest, analyze

Run = Callable[..., pytest.RunResult]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]
Gate = Callable[..., Path]

FORECAST = "A forecast: a float model, judged as if it had been quantized (assume-int8)."

GATE = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models:
  - {path: models/float_good.onnx, quantization: assume-int8}
  - {path: models/float_half.onnx, quantization: assume-int8}
  - {path: models/float_good.onnx, name: as_it_is}
  - {path: models/on_npu.onnx, quantization: assume-int8}
"""


def write(directory: Path) -> None:
    for name, net in (("float_good", on_npu()), ("float_half", half_on_npu())):
        onnx.save(float_twin(net.build()), directory / f"{name}.onnx")


def test_gate_file(project: Path, gate: Gate, run: Run, outcomes: Outcomes) -> None:
    write(project / "models")
    # Imports TVM in this process, as the project's other models do.
    analyze(AnalysisRequest(str(project / "models" / "float_good.onnx"), "m", "m.onnx"))
    gate(GATE)
    result = run("--junitxml=junit.xml")
    found = {
        name.split("::")[1].split("[")[0]: outcome for name, outcome in outcomes(result).items()
    }
    assert found == {
        "float_good": "PASSED",
        "float_half": "FAILED",
        "as_it_is": "FAILED",
        "on_npu": "FAILED",
    }
    text = result.stdout.str()
    assert text.count(FORECAST) == 1
    assert text.index("npu_ratio 50.0%") < text.index(FORECAST) < text.index("[kernel-size]")
    assert "already-quantized: The model is quantized already" in text
    assert re.search(r"^float_good \(assumed int8\) +100\.0%", text, re.MULTILINE)
    assert re.search(r"^as_it_is  ", text, re.MULTILINE)
    junit = (project / "junit.xml").read_text(encoding="utf-8")
    assert junit.count('name="npu.quantization" value="assumed-int8"') == 2


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path)
    model = str(tmp_path / "float_half.onnx")
    assert main(["analyze", model, "--assume-int8"]) == 0
    table = capsys.readouterr().out
    assert "float_half (assumed int8)" in table
    assert table.count(FORECAST) == 1
    assert main(["analyze", model, "--assume-int8", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["quantization"] == "assumed-int8"
    assert main(["analyze", model]) == 0
    assert "assume" not in capsys.readouterr().out


def test_quantized_model_on_the_command_line(
    built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", str(built / "on_npu.onnx"), "--assume-int8"]) == 1
    text = capsys.readouterr().out
    assert "already-quantized" in text
    assert "Remove `quantization: assume-int8`" in " ".join(text.split())


def test_fixture(tmp_path: Path) -> None:
    write(tmp_path)
    subject = NpuCompat(tmp_path)
    for model in ("float_good.onnx", onnx.load(tmp_path / "float_good.onnx")):
        report = subject.analyze(model, quantization="assume-int8")
        subject.check(report, npu_ratio=">= 96%")
        with pytest.raises(pytest.fail.Exception, match=r"0\.0%"):
            subject.check(subject.analyze(model), npu_ratio=">= 96%")


def test_marker(pytester: pytest.Pytester) -> None:
    write(pytester.path)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.npu_compat(
            model="float_good.onnx", quantization="assume-int8", npu_ratio=">= 96%"
        )
        def test_assumed(): ...

        @pytest.mark.npu_compat(model="float_good.onnx", quantization="int4", npu_ratio=">= 96%")
        def test_other(): ...
        """
    )
    result = pytester.runpytest_subprocess("-rA")
    result.assert_outcomes(passed=1, failed=1)
    assert "quantization 'int4' is not known; it can be 'assume-int8'" in result.stdout.str()
