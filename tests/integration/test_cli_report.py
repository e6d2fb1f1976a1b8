"""`npu-compat report`: the compatibility report of real models."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import onnx
import pytest
from builder import Builder
from onnx import TensorProto, helper

from pytest_npu_compat.cli import main
from pytest_npu_compat.commands.report import today

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

PROFILE = EXAMPLES / "own_npu" / "targets" / "acme.yaml"

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")

COMMAND = [
    sys.executable,
    "-c",
    "import sys; from pytest_npu_compat.cli import main; sys.exit(main())",
]


@pytest.fixture(autouse=True)
def _beside_the_models(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(built)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")


def test_report_of_several_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "on_npu.onnx", "half_on_npu.onnx", "leaky.onnx"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# NPU compatibility report\n\n- **Date**: `2030-03-17`\n")
    assert "| `half_on_npu` | 2 | 1 | 1 | 50.0% | ⚠️ 1 operator off the NPU |" in out
    assert "= nn.leaky_relu(lv" in out
    assert "`kernel-size` (`Conv`) in `half_on_npu`: `conv_1`." in out


def test_korean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "half_on_npu.onnx", "--lang", "ko"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# NPU 호환성 상세 분석 보고서\n")
    assert "지원되는 커널을 사용합니다" in out


@pytest.mark.parametrize("model", ["missing.onnx", "pointer.onnx", "corrupt.onnx", "dynamic.onnx"])
def test_model_that_cannot_be_analyzed(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "on_npu.onnx", model]) == 1
    captured = capsys.readouterr()
    assert f"| `{Path(model).stem}` | – | – | – | – | ❌ failed: " in captured.out
    assert "| `on_npu` | 2 | 1 | 1 | 50.0% | ✅ all on the NPU |" in captured.out
    assert captured.err == ""


def test_what_to_do_about_an_open_dimension(capsys: pytest.CaptureFixture[str]) -> None:
    """The command has an option for it, and no gate file."""
    assert main(["report", "dynamic.onnx"]) == 1
    assert re.search(r"`--input image=1,16,\w+,\w+.` on the command line", capsys.readouterr().out)


@pytest.mark.parametrize("target", ["nnapi", "tensorrt", "ethos-n78", str(PROFILE)])
def test_every_target_in_korean(
    target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quantized and float models, rules that users or TVM declare: no sentence left in English."""
    models = [
        *map(str, sorted(Path().glob("*.onnx"))),
        *map(str, (EXAMPLES / "zoo").rglob("*.onnx")),
        *float_models(tmp_path),
    ]
    pages = []
    for language in ("en", "ko"):
        main(["report", *models, "--lang", language, "--target", target, "--estimate"])
        pages.append(capsys.readouterr().out)
    english, korean = (page.splitlines() for page in pages)
    for line, other in zip(english, korean, strict=True):
        assert Counter(NUMBER.findall(line)) == Counter(NUMBER.findall(other))
    words = r".*\b(?:the|of|must|be|its|is|use|with|for|not)\b.*"
    assert re.findall(words, without_code(pages[1])) == []


def float_models(directory: Path) -> list[str]:
    """Two models of one node on a float input, which differ in that node; TVM knows one of them."""
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 16, 8, 8]) for n in "xy"]
    imports = [helper.make_opsetid("", 13), helper.make_opsetid("custom", 1)]
    paths = []
    for kind, domain in (("Foo", "custom"), ("Softmax", "")):
        node = helper.make_node(kind, ["x"], ["y"], "n", domain=domain)
        graph = helper.make_graph([node], "g", tensors[:1], tensors[1:])
        paths.append(directory / f"{kind}.onnx")
        onnx.save(helper.make_model(graph, opset_imports=imports), paths[-1])
    return [str(path) for path in paths]


def without_code(page: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`|<code>.*?</code>", "", page, flags=re.DOTALL)


def test_example_models_are_reported_alike_in_both_languages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real rules with real values: every figure in both languages, no sentence left in English."""
    monkeypatch.chdir(EXAMPLES)
    models = sorted(str(path) for path in Path().rglob("*.onnx"))
    pages = []
    for language in ("en", "ko"):
        assert main(["report", *models, "--lang", language]) == 1
        pages.append(capsys.readouterr().out)
    english, korean = (page.splitlines() for page in pages)
    for line, other in zip(english, korean, strict=True):
        assert Counter(NUMBER.findall(line)) == Counter(NUMBER.findall(other))
    assert re.findall(r".*\b(?:the|of|must|be|its|use)\b.*", without_code(pages[1])) == []
    assert re.search(r"\bthe\b", pages[0])


def test_a_float_operator_is_not_said_to_stay_in_integers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two float models that differ in their only operator, beside one that has a Q/DQ pair."""
    assert main(["report", *float_models(tmp_path), "leaky.onnx"]) == 0
    out = capsys.readouterr().out
    assert "`Foo` in `Foo` is computed in float, without conversions of its own:\n\n- `" in out
    assert "stays in integers" not in out


def test_an_activation_is_not_blamed_for_a_pool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The models differ in the activation and in the pool; output shapes are equal."""

    def save(name: str, activation: str, kernel: int, pad: int) -> str:
        builder = Builder()
        x = builder.qdq(builder.conv(builder.input(1, 16, 16, 16), name="first"))
        x = builder.qdq(builder.op(activation, [x], "activation"))
        pool = {"kernel_shape": [kernel] * 2, "strides": [2, 2], "pads": [pad] * 4}
        x = builder.qdq(builder.op("MaxPool", [x], "pool", **pool))
        builder.output(builder.qdq(builder.conv(x, name="last")))
        onnx.save(builder.model(), tmp_path / name)
        return str(tmp_path / name)

    relu, leaky = save("relu.onnx", "Relu", 2, 0), save("leaky.onnx", "LeakyRelu", 2, 0)
    both = save("both.onnx", "LeakyRelu", 3, 1)
    assert main(["report", relu, both]) == 0
    assert "`Relu` against" not in capsys.readouterr().out
    assert main(["report", relu, leaky]) == 0
    assert "### `Relu` against `LeakyRelu`" in capsys.readouterr().out


def test_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "on_npu.onnx", "missing.onnx", "--estimate"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^\| `on_npu` \| [\d.]+ [mµ]s \([\d.]+ µs – ", out, re.MULTILINE)
    assert "- No estimates of `missing`: not analyzable.\n" in out
    assert "| `cpu_cores` | `4 cores` | – | – | Cores of the CPU |" in out
    assert "run with `--estimate`" not in out


def test_estimates_of_a_target_without_a_model_of_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["report", "on_npu.onnx", "leaky.onnx", "--estimate", "--target", "nnapi"]) == 0
    out = capsys.readouterr().out
    assert "- No estimates of `on_npu`, `leaky`: `nnapi` has no model of time and energy.\n" in out
    assert "run with `--estimate`" not in out


def test_output_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "report.md"
    assert main(["report", "leaky.onnx", "--lang", "ko", "-o", str(file)]) == 0
    assert capsys.readouterr().out == ""
    written = file.read_bytes()
    assert main(["report", "leaky.onnx", "--lang", "ko"]) == 0
    assert written == capsys.readouterr().out.encode()


def test_output_file_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "on_npu.onnx", "-o", str(tmp_path / "absent" / "report.md")]) == 2
    assert capsys.readouterr().err.startswith("npu-compat: --output ")


def test_input_and_target_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dynamic.onnx", "--input", "image=1,16,8,8", "--target", "ethos-n78:1tops-2ple"]
    assert main(["report", *arguments]) == 0
    assert "- **NPU target**: `ethos-n78:1tops-2ple`" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["a.onnx", "--lang", "de"]])
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["report", *arguments])
    assert error.value.code == 2
    assert "usage: npu-compat report" in capsys.readouterr().err


def test_another_process_writes_the_same_bytes(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    arguments = ["report", "half_on_npu.onnx", "leaky.onnx", "--lang", "ko"]
    assert main(arguments) == 0
    here = capsysbinary.readouterr().out
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONIOENCODING": "utf-8"}
    there = subprocess.run([*COMMAND, *arguments], capture_output=True, env=environment, check=True)
    assert there.stdout.replace(b"\r\n", b"\n") == here
    assert there.stderr == b""


def test_the_day_is_a_date(monkeypatch: pytest.MonkeyPatch) -> None:
    assert today() == "2030-03-17"
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert today() >= "2025-01-01"


def test_model_that_changes_in_between(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pytest_npu_compat.commands import report
    from pytest_npu_compat.model.errors import ModelError

    def gone(*_: object) -> None:
        raise ModelError("invalid-model", "leaky.onnx changed.", "Run it again.")

    monkeypatch.setattr(report, "excerpts", gone)
    assert main(["report", "leaky.onnx"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "npu-compat: leaky.onnx changed. Run it again.\n"
