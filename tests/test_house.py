"""The house: what is imported when, generated pages, documented commands, examples."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pytest_npu_compat import cli
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.baseline import baseline_text
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.gate.profile_file import load_profile
from pytest_npu_compat.render.gate_reference import gate_reference_page
from pytest_npu_compat.render.profile_reference import profile_reference_page
from pytest_npu_compat.render.rules import explain, supported_operators_page
from pytest_npu_compat.run import analyze
from pytest_npu_compat.run_options import OUTPUT_FILES

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("examples/**/*.md")])


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("module", ["pytest_npu_compat", "pytest_npu_compat.plugin"])
def test_plugin_imports_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, {module}; print([m for m in ('tvm', 'onnx', 'pydantic') if m in sys.modules])"
    )
    assert python(code) == "[]"


def test_reading_a_gate_imports_no_compiler() -> None:
    code = (
        "import sys, pathlib; from pytest_npu_compat.gate.loading import load_gate; "
        f"load_gate(pathlib.Path({str(ROOT / 'examples' / 'v3' / 'npu-compat.yaml')!r})); "
        "print([m for m in ('tvm', 'onnx') if m in sys.modules])"
    )
    assert python(code) == "[]"


def test_generated_pages_are_current() -> None:
    page = (ROOT / "docs" / "ethos-n78-operators.md").read_text(encoding="utf-8")
    assert page == supported_operators_page()
    reference = (ROOT / "docs" / "gate-file.md").read_text(encoding="utf-8")
    assert reference == gate_reference_page()
    profile = (ROOT / "docs" / "profile-file.md").read_text(encoding="utf-8")
    assert profile == profile_reference_page()
    metrics = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)`", metrics, re.MULTILINE) == list(METRICS)


def test_report_of_the_v3_family_is_current() -> None:
    path = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec
    assert spec.loader
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)

    def without_versions(page: str) -> list[str]:
        return [line for line in page.splitlines() if "pytest-npu-compat `" not in line]

    page = (ROOT / "docs" / "v3-report.ko.md").read_text(encoding="utf-8")
    assert without_versions(page) == without_versions(generate.v3_report("ko"))
    beside = (ROOT / "docs" / "v3-report.md").read_text(encoding="utf-8")
    assert generate.v3_figures() in beside


def blocks(language: str) -> list[tuple[str, str]]:
    """Code blocks of all pages as (page:number, text)."""
    found = []
    for page in DOCS:
        text = page.read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)):
            found.append((f"{page.relative_to(ROOT)}:{number}", block))
    return found


COMMANDS = [
    (where, line)
    for where, block in blocks("sh")
    for line in block.splitlines()
    if line.startswith(("npu-compat ", "pytest"))
]

STAGE_GATE = """\
version: 1
baseline: npu-baseline.json
thresholds: {npu_ratio: {min: 90%, max_drop: 0.5pp}}
models: [../examples/zoo/models/mobilenet.onnx]
"""


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository as the documentation presumes it: example models, a gate with a baseline."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for pattern in ("npu-compat.yaml", "*.npu.yaml"):
        for gate in (tmp_path / "examples").rglob(pattern):
            gate.unlink()
    (tmp_path / "gate").mkdir()
    gate = tmp_path / "gate" / "npu-compat.yaml"
    gate.write_text(STAGE_GATE, encoding="utf-8")
    models = load_gate(gate, use="ignore").models
    accepted = {model.id: analyze(model.request) for model in models}
    gate.with_name("npu-baseline.json").write_text(baseline_text(accepted), encoding="utf-8")
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"],
        ["update-ref", "refs/remotes/origin/main", "HEAD"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("where", "line"), COMMANDS, ids=[line for _, line in COMMANDS])
def test_documented_command_works(
    where: str, line: str, stage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = shlex.split(line, comments=True)
    if command[0] == "pytest":
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=stage, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"
        return
    if command[1] == "merge":
        assert cli.main(["check", "gate", "--json", command[2]]) == 0
    may_be_red = command[1] in ("diff", "check")
    assert cli.main(command[1:]) in ((0, 1) if may_be_red else (0,)), where
    assert capsys.readouterr().out


def test_every_option_of_the_report_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["report", "--help"])
    usage = capsys.readouterr().out.partition("positional arguments")[0]
    page = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(-[\w-]+)", page, re.MULTILINE))
    assert documented == set(re.findall(r"\[(-[\w-]+)", usage)) - {"-h"}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_documented_pytest_options_are_written_as_the_pages_say(page: Path) -> None:
    """With a space, pytest takes an existing file for a place to find its configuration."""
    files = "|".join([*OUTPUT_FILES, "baseline"])
    text = page.read_text(encoding="utf-8")
    assert not re.findall(rf"--npu-(?:{files}) +[\w./]+\.\w+", text)


def test_documented_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    used = {
        target
        for page in [*DOCS, ROOT / "CONTRIBUTING.md"]
        for target in re.findall(r"(?m)(?:^|`)make (\w+)", page.read_text(encoding="utf-8"))
    }
    assert used
    assert used <= set(re.findall(r"^(\w+):", makefile, re.MULTILINE))


@pytest.mark.parametrize(("where", "block"), blocks("yaml"), ids=[w for w, _ in blocks("yaml")])
def test_documented_gate_file_is_valid(where: str, block: str, tmp_path: Path) -> None:
    """Fragments are completed to a gate file; models are empty files, for loading does not read them."""
    documented = yaml.safe_load(block)
    if "operators" in documented:
        profile = tmp_path / "profile.yaml"
        profile.write_text(block, encoding="utf-8")
        assert load_profile(profile).operators, where
        return
    gate = {"version": 1, "thresholds": {"qdq_pairs": 0}, "models": ["m.onnx"], **documented}
    shutil.copytree(ROOT / "examples" / "own_npu" / "targets", tmp_path / "targets")
    for entry in gate["models"]:
        name = entry if isinstance(entry, str) else entry["path"]
        path = tmp_path / name.replace("*", "x")
        path.parent.mkdir(exist_ok=True)
        path.touch()
    file = tmp_path / "npu-compat.yaml"
    file.write_text(yaml.safe_dump(gate, sort_keys=False), encoding="utf-8")
    assert load_gate(file, use="ignore").models, where


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*DOCS, ROOT / "CONTRIBUTING.md"]:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_examples_behave_as_documented() -> None:
    demo = [sys.executable, str(ROOT / "examples" / "demo.py")]
    run = subprocess.run(demo, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-3000:]
    assert "9 models pass the gate, 7 fail it on purpose" in run.stdout


def test_example_models_are_built_from_code(tmp_path: Path) -> None:
    """The models in the repository are what `build_models.py` writes."""
    import build_models

    net = build_models.v3(4, "leaky")
    path = tmp_path / "model.onnx"
    net.save(path)
    kept = ROOT / "examples" / "v3" / "models" / "level4_leaky.onnx"
    import onnx

    ours, theirs = onnx.load(path), onnx.load(kept)
    assert [n.op_type for n in ours.graph.node] == [n.op_type for n in theirs.graph.node]
    kinds = [layer.kind for layer in net.layers]
    assert (kinds.count("Conv"), kinds.count("Concat")) == (67, 19)


@pytest.mark.parametrize(
    "topic", ["maxpool-config", "Conv", "Softmax", "no-mac-region", "pad-value"]
)
def test_explain_answers(topic: str) -> None:
    assert len(explain(topic).splitlines()) > 2
