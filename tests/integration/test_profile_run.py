"""A gate whose target is declared in a file, through everything a run can do."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pytest_npu_compat.cli import main

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]
Bodies = Callable[[pytest.RunResult], dict[str, str]]
Outcomes = Callable[[pytest.RunResult], dict[str, str]]
Text = pytest.CaptureFixture[str]

PROFILE = """\
version: 1
name: acme-npu
rules: ACME SDK 2.1
defaults: {dtypes: int8}
operators:
  Conv: {kernel: "1..3", remedy: Use a 3x3 kernel.}
  Relu:
"""
GATE = """\
version: 1
targets:
  ethos-n78:
  acme: {profile: targets/acme.yaml}
thresholds: {npu_ratio: ">= 96%"}
models: [models/on_npu.onnx, models/half_on_npu.onnx]
"""
WITH_BASELINE = GATE.replace('">= 96%"', "{max_drop: 0pp}") + "baseline: npu-baseline.json\n"


@pytest.fixture
def profile(project: Path) -> Path:
    path = project / "targets" / "acme.yaml"
    path.parent.mkdir()
    path.write_text(PROFILE, encoding="utf-8")
    return path


@pytest.fixture
def two_targets(gate: Gate, profile: Path) -> Path:
    return gate(GATE)


def test_every_model_on_every_target(two_targets: Path, run: Run, bodies: Bodies) -> None:
    result = run()
    result.assert_outcomes(passed=2, failed=2)
    text = bodies(result)["half_on_npu[acme] npu_ratio"]
    assert text.startswith("npu_ratio 50.0% (1/2 operators), required ≥ 96%")
    for line in (
        "is:  kernel 4x4",
        "at:  conv_1",
        "allowed: 1 to 3",
        "what to do: Use a 3x3 kernel.",
    ):
        assert line in text
    assert "acme-npu" not in bodies(result)["half_on_npu[ethos-n78] npu_ratio"]


def test_single_target_by_node_id(two_targets: Path, run: Run, outcomes: Outcomes) -> None:
    wanted = "npu-compat.yaml::on_npu[acme]::npu_ratio"
    result = run(wanted)
    assert outcomes(result) == {wanted: "PASSED"}


def test_broken_profile_is_an_error_of_the_gate_with_both_places(
    two_targets: Path, profile: Path, run: Run
) -> None:
    profile.write_text(PROFILE.replace("kernel:", "kernal:"), encoding="utf-8")
    result = run()
    assert result.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    result.stdout.fnmatch_lines(["*npu-compat.yaml:4:*", "*targets/acme.yaml:6:10*kernal*"])
    assert "Traceback" not in result.stdout.str()


def test_profile_that_is_not_there(two_targets: Path, profile: Path, run: Run) -> None:
    profile.unlink()
    result = run()
    assert result.ret not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    result.stdout.fnmatch_lines(["*There is no file 'targets/acme.yaml'.*"])


@pytest.mark.parametrize("xdist", [[]], ids=["plain"])
def test_changed_profile_is_judged_anew(two_targets: Path, profile: Path, run: Run) -> None:
    run(cache=True).assert_outcomes(passed=2, failed=2)
    run(cache=True).stdout.fnmatch_lines(["4 of 4 analyses from cache*"])
    profile.write_text(PROFILE.replace("1..3", "1..4"), encoding="utf-8")
    result = run(cache=True)
    result.stdout.fnmatch_lines(["2 of 4 analyses from cache*"])
    result.assert_outcomes(passed=3, failed=1)


def test_changed_profile_is_no_change_of_the_model(
    gate: Gate, profile: Path, run: Run, bodies: Bodies
) -> None:
    gate(WITH_BASELINE)
    run("--npu-update-baseline")
    profile.write_text(PROFILE.replace("1..3", "1..2"), encoding="utf-8")
    result = run()
    text = bodies(result)["on_npu[acme] npu_ratio"]
    assert "50pp below the baseline's 100.0%" in text
    assert "the model file is the same, the target changed: rules ACME SDK 2.1 (profile " in text


@pytest.mark.usefixtures("two_targets")
class TestCommands:
    """The command line takes a profile where it takes a target."""

    @pytest.fixture(autouse=True)
    def _here(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(project)

    def test_analyze(self, capsys: Text) -> None:
        command = ["analyze", "--target", "targets/acme.yaml", "models/half_on_npu.onnx"]
        assert main(command) == 0
        printed = capsys.readouterr().out
        assert "models/half_on_npu.onnx on acme-npu" in printed
        assert "allowed: 1 to 3" in printed

    def test_analyze_shows_the_module(self, tmp_path: Path) -> None:
        out = tmp_path / "ir.txt"
        command = ["analyze", "--target", "targets/acme.yaml", "models/on_npu.onnx"]
        assert main([*command, "--dump-ir", str(out)]) == 0
        module = out.read_text(encoding="utf-8")
        assert "onnx.Conv" in module
        assert '"acme-npu"' in module

    def test_diff_of_two_models(self, capsys: Text) -> None:
        files = ["models/on_npu.onnx", "models/half_on_npu.onnx"]
        assert main(["diff", "--target", "targets/acme.yaml", *files]) == 1
        assert "50.0% (1/2)" in capsys.readouterr().out

    def test_check_is_as_red_as_pytest(self, capsys: Text) -> None:
        assert main(["check", "--json", "run.json"]) == 1
        assert "2 failed" in capsys.readouterr().out
        run = json.loads(Path("run.json").read_text(encoding="utf-8"))
        targets = {report["target"]["name"] for report in run["reports"].values()}
        assert targets == {"ethos-n78", "acme-npu"}

    def test_report(self, capsys: Text) -> None:
        assert main(["report", "--target", "targets/acme.yaml", "models/half_on_npu.onnx"]) == 0
        assert "acme-npu" in capsys.readouterr().out

    def test_variant_of_a_profile(self, capsys: Text) -> None:
        command = ["analyze", "--target", "targets/acme.yaml:big", "models/on_npu.onnx"]
        assert main(command) == 2
        assert "Traceback" not in capsys.readouterr().err

    def test_broken_profile(self, profile: Path, capsys: Text) -> None:
        profile.write_text(PROFILE.replace("Conv:", "Konv:"), encoding="utf-8")
        command = ["analyze", "--target", "targets/acme.yaml", "models/on_npu.onnx"]
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "targets/acme.yaml:6:3" in error
        assert "ONNX has no operator 'Konv'." in error

    def test_init_writes_a_gate_that_is_green(self, two_targets: Path, capsys: Text) -> None:
        two_targets.unlink()
        for path in Path("models").glob("*.onnx"):
            if path.stem not in ("on_npu", "half_on_npu"):
                path.unlink()
        assert main(["init", "--target", "targets/acme.yaml"]) == 0
        written = yaml.safe_load(Path("npu-compat.yaml").read_text(encoding="utf-8"))
        assert written["targets"] == {"acme-npu": {"profile": "targets/acme.yaml"}}
        capsys.readouterr()
        assert main(["check"]) == 0

    def test_revisions_have_their_own_profile(
        self, profile: Path, tmp_path: Path, capsys: Text, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shutil.rmtree("models")
        Path("models").mkdir()
        monkeypatch.setenv("HOME", str(tmp_path))
        shutil.copy(
            Path(__file__).parents[2] / "examples/zoo/models/mobilenet.onnx", "models/on_npu.onnx"
        )
        gate = GATE.replace(", models/half_on_npu.onnx", "")
        Path("npu-compat.yaml").write_text(gate, encoding="utf-8")
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "first"]):
            subprocess.run(["git", *command], check=True)
        profile.write_text(PROFILE.replace("1..3", "1..1"), encoding="utf-8")
        main(["diff", "--base", "HEAD"])
        printed = capsys.readouterr().out
        assert "on_npu[acme]" in printed
        assert "rules" in printed
