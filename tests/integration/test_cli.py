"""The `npu-compat` command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_npu_compat import __version__
from pytest_npu_compat.cli import main

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from pytest_npu_compat.cli import main; sys.exit(main())",
]


@pytest.fixture(autouse=True)
def _beside_the_models(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "on_npu.onnx", "half_on_npu.onnx", "leaky.onnx"]) == 0
    out = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in out.splitlines()[:4]]
    assert rows == [
        "model NPU ratio MAC parts Q/DQ verdict",
        "on_npu 100.0% (4/4) 100.0% 1 0 all on the NPU",
        "half_on_npu 50.0% (1/2) 36.0% 1 0 1 off the NPU",
        "leaky 100.0% (2/2) 100.0% 1 1 all on the NPU",
    ]
    assert "half_on_npu.onnx on ethos-n78:4tops-4ple" in out
    assert "[kernel-size]" in out
    assert "conv_0_dq1_dequantize -> leakyrelu_1 -> leakyrelu_1_quantize" in out


def test_json_of_one_model_is_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "half_on_npu.onnx", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema_version"] == "1.1"
    assert report["status"] == "analyzed"
    assert report["error"] is None
    assert report["model"]["path"] == "half_on_npu.onnx"
    assert report["target"] == {
        "name": "ethos-n78",
        "variant": "4tops-4ple",
        "options": {},
    }
    assert report["metrics"]["npu_ratio"] == {
        "value": 0.5,
        "unit": "ratio",
        "numerator": 1,
        "denominator": 2,
    }
    operators = {operator["name"]: operator for operator in report["operators"]}
    assert operators["conv_0"]["placement"] == "npu"
    assert operators["conv_1"]["placement"] == "cpu"
    assert operators["conv_1"]["reasons"][0]["rule"] == "kernel-size"


def test_json_of_several_models_is_an_array(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "leaky.onnx", "on_npu.onnx", "--format", "json"]) == 0
    reports = json.loads(capsys.readouterr().out)
    assert [report["model"]["name"] for report in reports] == ["leaky", "on_npu"]


def test_jsonl_is_one_report_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    models = ["on_npu.onnx", "missing.onnx", "leaky.onnx"]
    assert main(["analyze", *models, "--format", "jsonl"]) == 1
    reports = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [report["model"]["path"] for report in reports] == models
    assert [report["status"] for report in reports] == ["analyzed", "not_analyzable", "analyzed"]


@pytest.mark.parametrize("style", ["table", "json", "jsonl"])
def test_output_is_deterministic(style: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    arguments = ["analyze", "half_on_npu.onnx", "leaky.onnx", "missing.onnx", "--format", style]
    assert main(arguments) == 1
    first = capsysbinary.readouterr().out
    assert main(arguments) == 1
    assert capsysbinary.readouterr().out == first


def test_another_process_prints_the_same_bytes(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    arguments = ["analyze", "half_on_npu.onnx", "leaky.onnx", "--format", "json"]
    assert main(arguments) == 0
    here = capsysbinary.readouterr().out
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONIOENCODING": "utf-8"}
    there = subprocess.run([*COMMAND, *arguments], capture_output=True, env=environment, check=True)
    assert there.stdout.replace(b"\r\n", b"\n") == here
    assert there.stderr == b""


def test_terminal_without_unicode() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [*COMMAND, "analyze", "leaky.onnx"], capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0
    assert b"LeakyRelu on the NPU" in done.stdout
    assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("missing.onnx", "file-not-found"),
        ("pointer.onnx", "lfs-pointer"),
        ("corrupt.onnx", "invalid-model"),
        ("dynamic.onnx", "dynamic-shape"),
        ("model.tflite", "unsupported-format"),
    ],
)
def test_model_that_cannot_be_analyzed(
    model: str, code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", model, "--format", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "not_analyzable"
    assert report["error"]["code"] == code
    assert report["error"]["hint"]
    assert report["metrics"] == {}
    assert main(["analyze", model]) == 1
    out = capsys.readouterr().out
    assert code in out
    assert "%" not in out


def test_input_pins_dimensions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "dynamic.onnx", "--input", "image=1,16,8,8", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["metrics"]["npu_ratio"]["value"] == 1.0


@pytest.mark.parametrize("text", ["image", "image=", "=1,2", "image=1,x", "image=1,0", "image=-1"])
def test_malformed_input(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "dynamic.onnx", "--input", text]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == f"npu-compat: --input {text!r} is not of the form NAME=1,3,224,224\n"


def test_timeout_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "on_npu.onnx", "--timeout", "2 min", "--memory", "4 GB"]) == 0
    assert "100.0%" in capsys.readouterr().out
    # No process can read a network within a millisecond.
    assert main(["analyze", "on_npu.onnx", "--timeout", "1ms"]) == 1
    out = capsys.readouterr().out
    assert "timeout" in out
    assert "--timeout" in out
    assert "%" not in out


@pytest.mark.parametrize(
    ("option", "text", "message"),
    [
        ("--timeout", "120", "A time needs its unit: write, say, 120 s."),
        ("--memory", "4", "A size needs its unit: write, say, 4 GB."),
    ],
)
def test_malformed_limit(
    option: str, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", "on_npu.onnx", option, text]) == 2
    assert capsys.readouterr().err == f"npu-compat: {message}\n"


def test_verbose_analyzes_in_this_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("pytest_npu_compat.run.analysis.load", broken)
    assert main(["analyze", "on_npu.onnx", "--verbose"]) == 1
    assert "boom" in capsys.readouterr().out
    assert main(["analyze", "on_npu.onnx"]) == 0


def test_variant_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["analyze", "on_npu.onnx", "--target", "ethos-n78:1tops-2ple", "--format", "json"]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["target"]["variant"] == "1tops-2ple"


@pytest.mark.parametrize(
    ("target", "suggestion"),
    [("ethos-n77", "Did you mean 'ethos-n78'?"), ("ethos-n78:4tops", "4tops-4ple")],
)
@pytest.mark.parametrize("command", ["analyze", "explain"])
def test_unknown_target(
    command: str, target: str, suggestion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = "on_npu.onnx" if command == "analyze" else "Conv"
    assert main([command, topic, "--target", target]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("npu-compat: There is no ")
    assert suggestion in captured.err


@pytest.mark.parametrize("arguments", [[], ["analyze"], ["judge"], ["analyze", "a", "--format=x"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(arguments)
    assert error.value.code == 2
    assert "usage: npu-compat" in capsys.readouterr().err


def test_dump_ir(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "module.txt"
    assert main(["analyze", "half_on_npu.onnx", "--dump-ir", str(file)]) == 0
    text = file.read_text(encoding="utf-8")
    assert "class Module" in text
    before, _, body = text.partition("def main(")
    assert '"Codegen": "ethos-n78"' in before
    functions = re.findall(r"^    def (\w+)\(", before, re.MULTILINE)
    assert len(functions) == 1
    # The one partition is called from main, the convolution of 4x4 stays there.
    assert f"cls.{functions[0]}(" in body
    assert '"kernel_size": [4, 4]' in body
    assert '"kernel_size": [3, 3]' not in body


def test_dump_ir_takes_one_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "module.txt"
    assert main(["analyze", "on_npu.onnx", "leaky.onnx", "--dump-ir", str(file)]) == 2
    assert capsys.readouterr().err == "npu-compat: --dump-ir takes one model\n"
    assert not file.exists()


def test_dump_ir_of_a_broken_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "module.txt"
    assert main(["analyze", "pointer.onnx", "--dump-ir", str(file)]) == 1
    assert "lfs-pointer" in capsys.readouterr().err
    assert not file.exists()


def test_dump_ir_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "absent" / "module.txt"
    assert main(["analyze", "on_npu.onnx", "--dump-ir", str(file)]) == 2
    assert capsys.readouterr().err.startswith("npu-compat: --dump-ir cannot write ")


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("kernel-size", "1, 2, 3, 5, 7 or 9"),
        ("Kernel-Size", "1, 2, 3, 5, 7 or 9"),
        ("Conv", "qnn.conv2d"),
        ("conv", "qnn.conv2d"),
        ("Softmax", "never on the NPU"),
        ("not-quantized", "float"),
    ],
)
def test_explain(topic: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", topic]) == 0
    out = capsys.readouterr().out
    assert expected in out
    assert max(map(len, out.splitlines())) <= 80


def test_explain_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "kernel-siz"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no rule or operator 'kernel-siz'" in captured.err
    assert "Did you mean kernel-size" in captured.err


def test_every_rule_in_a_report_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyze", "half_on_npu.onnx", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    rules = {reason["rule"] for operator in report["operators"] for reason in operator["reasons"]}
    assert rules
    for rule in rules:
        assert main(["explain", rule]) == 0


def test_targets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets"]) == 0
    name, *lines = capsys.readouterr().out.splitlines()
    assert name == "ethos-n78"
    variants = [line for line in lines if line.startswith("  ")]
    assert [line for line in lines if line not in variants] == [
        f"{backend}  (backend of TVM)" for backend in ("nnapi", "tensorrt", "coreml", "example_npu")
    ]
    assert [line.strip() for line in variants if "(default)" in line] == ["4tops-4ple  (default)"]
    # Each can be given to --target.
    for line in variants:
        arguments = ["explain", "Conv", "--target", f"ethos-n78:{line.split()[0]}"]
        assert main(arguments) == 0


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["--version"])
    assert error.value.code == 0
    assert capsys.readouterr().out == f"npu-compat {__version__}\n"
