"""A gate with a backend of TVM beside Ethos-N78, through everything a run can do."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from models import half_on_npu, leaky, wide

from pytest_npu_compat.cli import main

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]
Bodies = Callable[[pytest.RunResult], dict[str, str]]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]
Command = Callable[..., subprocess.CompletedProcess[str]]
Text = pytest.CaptureFixture[str]

GATE = """\
version: 1
targets:
  ethos-n78: {variant: 4tops-4ple}
  phone: {backend: nnapi}
thresholds: {npu_ratio: ">= 96%"}
models:
  - models/half_on_npu.onnx
  - {path: models/float.onnx, targets: [phone]}
  - {path: models/float_leaky.onnx, targets: [phone]}
"""
DROP = """\
version: 1
baseline: npu-baseline.json
targets: {phone: {backend: nnapi}}
thresholds: {npu_ratio: {max_drop: 0pp}}
models: [models/float.onnx]
"""


def save_float(net: object, path: Path) -> None:
    path.write_bytes(net.build_float().SerializeToString())  # type: ignore[attr-defined]


@pytest.fixture
def two_targets(gate: Gate, project: Path) -> Path:
    save_float(half_on_npu(), project / "models" / "float.onnx")
    save_float(leaky(), project / "models" / "float_leaky.onnx")
    return gate(GATE)


def test_every_model_on_both_targets(
    two_targets: Path, run: Run, bodies: Bodies, outcomes: Outcomes
) -> None:
    result = run()
    found = {name.split("::", 1)[1]: outcome for name, outcome in outcomes(result).items()}
    assert found == {
        "half_on_npu[ethos-n78]::npu_ratio": "FAILED",  # its 4x4 kernel
        "half_on_npu[phone]::npu_ratio": "FAILED",  # its conversions
        "float[phone]::npu_ratio": "PASSED",
        "float_leaky[phone]::npu_ratio": "FAILED",
    }
    texts = bodies(result)
    assert "[kernel-size]" in texts["half_on_npu[ethos-n78] npu_ratio"]
    assert "2 × Conv   [conversion-on-cpu]" in texts["half_on_npu[phone] npu_ratio"]
    leaky_text = texts["float_leaky[phone] npu_ratio"]
    assert leaky_text.startswith("npu_ratio 50.0% (1/2 operators), required ≥ 96%")
    assert "TVM's table of nnapi has no pattern for relax.nn.leakyrelu" in leaky_text
    assert "at:  leakyrelu_1" in leaky_text
    assert "Traceback" not in result.stdout.str()


def test_operator_that_left_the_backend_is_named(
    gate: Gate, project: Path, run: Run, bodies: Bodies
) -> None:
    save_float(wide(), project / "models" / "float.onnx")
    gate(DROP)
    run("--npu-update-baseline").assert_outcomes(passed=1)
    net = wide()
    net.finish(net.activate(net.layers[-1].output, "leaky"))
    save_float(net, project / "models" / "float.onnx")
    result = run()
    result.assert_outcomes(failed=1)
    assert "leakyrelu_2" in bodies(result)["float[phone] npu_ratio"]


def test_unchanged_models_come_from_the_cache(two_targets: Path, run: Run) -> None:
    run(cache=True)
    run(cache=True).stdout.fnmatch_lines(["4 of 4 analyses from cache*"])


@pytest.mark.usefixtures("two_targets")
class TestCommands:
    """The command line takes a backend where it takes a target."""

    @pytest.fixture(autouse=True)
    def _here(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project)

    def test_analyze(self, capsys: Text) -> None:
        command = ["analyze", "--target", "nnapi", "--format", "json", "models/float.onnx"]
        assert main(command) == 0
        report = json.loads(capsys.readouterr().out)
        assert report["target"] == {"name": "nnapi", "variant": "", "options": {}}
        assert {o["composite"] for o in report["operators"]} == {"nnapi.conv2d"}

    def test_analyze_shows_the_module(self, tmp_path: Path, npu_compat: Command) -> None:
        out = tmp_path / "ir.txt"
        command = ["analyze", "--target", "coreml", "models/float.onnx", "--dump-ir", str(out)]
        assert npu_compat(*command).returncode == 0
        module = out.read_text(encoding="utf-8")
        assert 'R.func_attr({"Codegen": "coreml"})' in module
        assert "R.nn.conv2d" in module

    @pytest.mark.parametrize("language", ["en", "ko"])
    def test_report(self, language: str, npu_compat: Command) -> None:
        models = ["models/float_leaky.onnx", "models/leaky.onnx"]
        done = npu_compat("report", "--target", "nnapi", "--lang", language, *models)
        assert done.returncode == 0, done.stderr
        assert "no-pattern" in done.stdout
        assert "conversion-on-cpu" in done.stdout

    def test_check_writes_what_pytest_would(self, capsys: Text) -> None:
        assert main(["check", "--json", "run.json"]) == 1
        run = json.loads(Path("run.json").read_text(encoding="utf-8"))
        assert {report["target"]["name"] for report in run["reports"].values()} == {
            "ethos-n78",
            "nnapi",
        }

    def test_variant_of_a_backend(self, capsys: Text) -> None:
        assert main(["analyze", "--target", "nnapi:big", "models/float.onnx"]) == 2
        assert "nnapi is a backend of TVM, which has no variant big." in capsys.readouterr().err

    def test_init_writes_a_gate_that_is_green(self, two_targets: Path, capsys: Text) -> None:
        two_targets.unlink()
        for path in Path("models").glob("*.onnx"):
            if "float" not in path.stem:
                path.unlink()
        assert main(["init", "--target", "nnapi"]) == 0
        assert "target: nnapi\n" in Path("npu-compat.yaml").read_text(encoding="utf-8")
        assert main(["check"]) == 0
