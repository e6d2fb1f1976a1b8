"""`npu-compat init`: a gate file for the models of a repository, green on the day it is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pytest_npu_compat.cli import main
from pytest_npu_compat.commands.init import find_models
from pytest_npu_compat.gate.loading import load_gate

Text = pytest.CaptureFixture[str]
Put = Callable[..., None]

GATE, SCHEMA = Path("npu-compat.yaml"), Path("npu-compat.schema.json")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def put(built: Path) -> Put:
    """Copies one of the small models to places."""

    def copy(name: str, *places: str) -> None:
        for place in places:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(built / f"{name}.onnx", place)

    return copy


def git_init() -> None:
    subprocess.run(["git", "init", "-q"], check=True)


def written() -> str:
    return GATE.read_text(encoding="utf-8")


def test_gate_file_is_green_right_away_and_gives_nothing_away(put: Put, capsys: Text) -> None:
    put("on_npu", "models/on_npu.onnx")
    put("half_on_npu", "models/half_on_npu.onnx")
    put("leaky", "other/leaky.onnx")
    assert main(["init"]) == 0
    printed = capsys.readouterr().out
    assert "npu-compat.yaml written: 3 models" in printed
    assert main(["check", "--strict"]) == 0
    gate = yaml.safe_load(written())
    limits = {
        entry["path"]: {**gate["thresholds"], **entry.get("thresholds", {})}
        for entry in gate["models"]
    }
    assert limits["models/on_npu.onnx"]["npu_ratio"] == ">= 100%"
    assert limits["models/half_on_npu.onnx"]["npu_ratio"] == ">= 50%"
    assert limits["models/half_on_npu.onnx"]["npu_mac_ratio"] == ">= 36%"
    assert limits["other/leaky.onnx"]["qdq_pairs"] == "<= 1"
    assert limits["models/on_npu.onnx"]["qdq_pairs"] == 0
    put("half_on_npu", "models/on_npu.onnx")
    capsys.readouterr()
    assert main(["check"]) == 1, "one operator less breaks it"
    assert "npu_ratio 50.0% (1/2 operators), required ≥ 100%" in capsys.readouterr().out


def test_the_baseline_of_the_comment_works_as_it_says(put: Put) -> None:
    put("half_on_npu", "half.onnx")
    main(["init"])
    line = "# baseline: npu-baseline.json\n"
    assert line in written()
    GATE.write_text(written().replace(line, line[2:]), encoding="utf-8")
    assert main(["check", "--update-baseline"]) == 0
    assert main(["check", "--strict"]) == 0


def test_variant_is_written(put: Put, capsys: Text) -> None:
    put("on_npu", "a.onnx")
    assert main(["init", "--target", "ethos-n78:1tops-2ple"]) == 0
    assert load_gate(GATE).models[0].request.variant == "1tops-2ple"
    assert main(["init", "--target", "nobody"]) == 2
    assert "nobody" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["file", "dangling link", "directory"])
def test_nothing_is_overwritten(kind: str, put: Put, capsys: Text) -> None:
    put("on_npu", "a.onnx")
    if kind == "file":
        GATE.write_text("mine", encoding="utf-8")
    elif kind == "directory":
        GATE.mkdir()
    else:
        GATE.symlink_to("gone.yaml")
    assert main(["init"]) == 2
    assert capsys.readouterr().err == (
        "npu-compat: npu-compat.yaml exists, and init never overwrites\n"
    )
    assert kind != "file" or written() == "mine"
    assert not Path("gone.yaml").exists()
    assert not SCHEMA.exists()


def test_schema_that_is_there_is_kept(put: Put) -> None:
    put("on_npu", "a.onnx")
    SCHEMA.write_text("mine", encoding="utf-8")
    assert main(["init"]) == 0
    assert SCHEMA.read_text(encoding="utf-8") == "mine"


def test_schema_of_the_first_line_accepts_the_file(put: Put) -> None:
    """With the tool that people run in their hooks; and refuses what the loader refuses."""
    put("on_npu", "a b/ü.onnx", "a/net.onnx", "b/net.onnx")
    put("half_on_npu", "half.onnx")
    assert main(["init"]) == 0
    reference = written().splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", reference, str(GATE)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    GATE.write_text(written().replace("models:", "model:"), encoding="utf-8")
    assert subprocess.run(command, check=False, capture_output=True).returncode == 1


def test_ignored_and_foreign_files_are_left_out_of_a_repository(put: Put) -> None:
    git_init()
    Path(".gitignore").write_text("build/\nscratch*.onnx\n", encoding="utf-8")
    put("on_npu", "tracked.onnx", "sub/new.onnx", "dist/kept.onnx")
    put("on_npu", "build/a.onnx", "scratch1.onnx", ".git/b.onnx")
    put("on_npu", "env/lib/c.onnx", "node_modules/d.onnx")
    Path("env/pyvenv.cfg").touch()
    subprocess.run(["git", "add", "tracked.onnx"], check=True)
    subprocess.run(["git", "add", "-f", "build/a.onnx"], check=True)
    assert find_models(Path()) == ["build/a.onnx", "dist/kept.onnx", "sub/new.onnx", "tracked.onnx"]
    assert find_models(Path("sub")) == ["new.onnx"]


def test_files_that_git_lists_but_that_are_gone_are_left_out(put: Put) -> None:
    git_init()
    put("on_npu", "a.onnx", "b.onnx")
    subprocess.run(["git", "add", "-A"], check=True)
    Path("a.onnx").unlink()
    assert find_models(Path()) == ["b.onnx"]


@pytest.mark.parametrize("git", ["repository", "none"])
def test_without_git_the_same_models_are_found(
    git: str, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("on_npu", "a.onnx", "sub/B.ONNX", "env/lib/c.onnx", ".venv/d.onnx", "venv/e.onnx")
    Path("env/pyvenv.cfg").touch()
    if git == "repository":
        git_init()
    else:
        monkeypatch.setenv("PATH", str(Path.cwd()))
    assert find_models(Path()) == ["a.onnx", "sub/B.ONNX"]


HOSTILE = [
    "a b.onnx",
    "a_b.onnx",
    "[x].onnx",
    "x?*.onnx",
    "quote\"'.onnx",
    "line\u2028.onnx",
    "new\nline.onnx",
    "tab\t.onnx",
    "\N{GRINNING FACE}ü.onnx",
    "#c: d.onnx",
    "-x.onnx",
    "{y}.onnx",
    "&z.onnx",
    "!t.onnx",
    "%p.onnx",
    "\\u0041.onnx",
    "true.onnx",
    "sub/true.onnx",
    "1.onnx",
    "sub/1.onnx",
    "~.onnx",
    "sub/~.onnx",
    "net.onnx",
    "a/net.onnx",
    "a_net.onnx",
    "::.onnx",
    "l" * 220 + ".onnx",
]


def test_hostile_names(put: Put, capsys: Text) -> None:
    """Each is one model of the gate file, whatever YAML, globs and ids make of its characters."""
    put("on_npu", *HOSTILE)
    assert main(["init"]) == 0
    gate = load_gate(GATE)
    assert sorted(model.request.shown_path for model in gate.models) == sorted(HOSTILE)
    assert len({model.id for model in gate.models}) == len(HOSTILE)
    assert all(line.isprintable() for line in written().splitlines())
    assert main(["check"]) == 0


@pytest.mark.parametrize("name", ["del\x7f.onnx", "\x85.onnx", "\x1b.onnx"])
def test_control_characters_in_names_are_left_out_visibly(
    name: str, put: Put, capsys: Text
) -> None:
    put("on_npu", "a.onnx", name)
    assert main(["init"]) == 0
    printed = capsys.readouterr().out
    assert "npu-compat.yaml written: 1 model" in printed
    assert "its name has characters that a gate file cannot hold" in printed
    assert "its name has characters that a gate file cannot hold" in written()
    assert all(line.isprintable() for line in (*printed.splitlines(), *written().splitlines()))
    assert main(["check"]) == 0


def test_name_that_no_text_can_hold_is_left_out_visibly(put: Put, capsys: Text) -> None:
    put("on_npu", "a.onnx")
    with open(b"bad\xff.onnx", "wb") as file:  # noqa: PTH123 - a path of bytes
        file.write(Path("a.onnx").read_bytes())
    if b"bad\xff.onnx" not in os.listdir(b"."):  # noqa: PTH208
        pytest.skip("this file system takes only text as names")
    assert main(["init"]) == 0
    printed = capsys.readouterr().out
    assert "npu-compat.yaml written: 1 model" in printed
    assert "left out: bad\N{REPLACEMENT CHARACTER}.onnx" in printed
    assert "# Left out" in written()
    assert main(["check"]) == 0


def test_models_that_cannot_be_analyzed_are_visible(put: Put, capsys: Text) -> None:
    put("on_npu", "good.onnx")
    put("pointer", "pointer.onnx")
    put("corrupt", "evil\x1b[31m.onnx")
    put("dynamic", "dynamic.onnx")
    assert main(["init"]) == 0
    printed = capsys.readouterr().out
    assert "npu-compat.yaml written: 1 model" in printed
    for name, code in (("pointer", "lfs-pointer"), ("dynamic", "dynamic-shape")):
        assert f"left out: {name}.onnx: {code}: " in printed
        assert f'#  - "{name}.onnx"   # {code}: ' in written()
    assert "\x1b" not in printed + written()
    assert [model.id for model in load_gate(GATE).models] == ["good[ethos-n78]"]


def test_no_model_that_can_be_analyzed(put: Put, capsys: Text) -> None:
    put("pointer", "pointer.onnx")
    assert main(["init"]) == 2
    error = capsys.readouterr().err
    assert "none of the models can be analyzed:\n  pointer.onnx: lfs-pointer: " in error
    assert not GATE.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no *.onnx in repo/ or below"),
        (["gone"], "there is no directory gone"),
    ],
)
def test_nothing_to_write(arguments: list[str], message: str, capsys: Text) -> None:
    assert main(["init", *arguments]) == 2
    assert capsys.readouterr().err == f"npu-compat: {message}\n"
    assert not GATE.exists()
