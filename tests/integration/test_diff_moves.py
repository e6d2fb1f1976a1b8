"""`npu-compat diff --base`: gate files and models that moved, were renamed or are gone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import models
import pytest

from pytest_npu_compat.cli import main

Text = pytest.CaptureFixture[str]
Put = Callable[[str, str], None]

GATE = """\
version: 1
thresholds: {npu_ratio: ">= 1%"}
models: ["*.onnx"]
"""
PROFILE = """\
version: 1
name: acme
rules: "ACME 1"
operators:
  Conv:
    - {kernel: [1, 3]}
"""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit() -> str:
    git("add", "-A")
    git("commit", "-qm", "state")
    return git("rev-parse", "HEAD")[:7]


@pytest.fixture(scope="session")
def small(built: Path) -> Path:
    models.save(models.wide(), built)
    return built


@pytest.fixture
def put(small: Path) -> Put:
    """Copies one of the small models to a path."""

    def copy(name: str, to: str) -> None:
        Path(to).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(small / f"{name}.onnx", to)

    return copy


@pytest.fixture
def base(tmp_path: Path, git_home: None, monkeypatch: pytest.MonkeyPatch, put: Put) -> str:
    """``main`` with the gates ``a`` and ``z``, a branch ``work``; hash of the fork."""
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")
    git("init", "-q", "-b", "main")
    put("leaky", "a/leaky.onnx")
    put("wide", "z/net.onnx")
    for gate in ("a", "z"):
        Path(gate, "npu-compat.yaml").write_text(GATE, encoding="utf-8")
    found = commit()
    git("switch", "-qc", "work")
    return found


def blocks(capsys: Text) -> list[str]:
    """What was printed, without empty lines; each paragraph as one text."""
    return capsys.readouterr().out.strip().split("\n\n")


def test_gate_file_that_is_gone(base: str, capsys: Text) -> None:
    git("rm", "-rq", "z")
    assert main(["diff", "--base", "main"]) == 1
    assert blocks(capsys) == [
        f"a/npu-compat.yaml at main ({base}) -> working tree",
        "unchanged: leaky[ethos-n78]",
        f"z/npu-compat.yaml at main ({base}) -> gone",
        "net[ethos-n78]: gone",
    ]
    assert main(["diff", "--base", "main", "--format", "json"]) == 1
    kept, gone = json.loads(capsys.readouterr().out)
    assert (kept["worse"], kept["vanished"], kept["gone"]) == (False, False, [])
    assert (gone["worse"], gone["vanished"], gone["gone"]) == (True, True, ["net[ethos-n78]"])
    assert main(["diff", "--base", "main", "--allow-gone"]) == 0
    assert "net[ethos-n78]: gone" in blocks(capsys)


@pytest.mark.parametrize("place", ["z", "z/npu-compat.yaml"])
def test_place_that_only_the_base_has(place: str, base: str, capsys: Text) -> None:
    git("rm", "-rq", "z")
    assert main(["diff", "--base", "main", place]) == 1
    assert blocks(capsys) == [
        f"z/npu-compat.yaml at main ({base}) -> gone",
        "net[ethos-n78]: gone",
    ]
    assert main(["diff", "--base", "main", "a"]) == 0, "what was not asked for is not told"
    assert main(["diff", "--base", "main", "nowhere"]) == 2
    assert capsys.readouterr().err == "npu-compat: there is no nowhere\n"


def test_from_around_the_repository(
    base: str, put: Put, monkeypatch: pytest.MonkeyPatch, capsys: Text
) -> None:
    put("half_on_npu", "z/net.onnx")
    monkeypatch.chdir("..")
    assert main(["diff", "--base", "main"]) == 1
    assert f"z/npu-compat.yaml at main ({base}) -> working tree" in blocks(capsys)
    put("wide", "elsewhere/net.onnx")
    Path("elsewhere/npu-compat.yaml").write_text(GATE, encoding="utf-8")
    assert main(["diff", "--base", "main", "repo", "elsewhere"]) == 2
    assert capsys.readouterr().err == "npu-compat: elsewhere is not in the git repository repo\n"
    assert main(["diff", "--base", "main", "repo", "."]) == 2
    error = capsys.readouterr().err
    assert error == "npu-compat: npu-compat.yaml is not in the git repository repo\n"


def test_last_gate_file_that_is_gone(base: str, capsys: Text) -> None:
    git("rm", "-rq", "a", "z")
    assert main(["diff", "--base", "main"]) == 1
    printed = capsys.readouterr().out
    assert "leaky[ethos-n78]: gone" in printed
    assert "net[ethos-n78]: gone" in printed


@pytest.mark.parametrize("places", [[], ["y"]], ids=["everything", "the new place"])
@pytest.mark.parametrize("file", ["net", "renamed"])
def test_model_that_was_broken_as_its_gate_file_moved(
    file: str, places: list[str], base: str, put: Put, capsys: Text
) -> None:
    git("mv", "z", "y")
    Path("y/net.onnx").unlink()
    put("half_on_npu", f"y/{file}.onnx")
    assert main(["diff", "--base", "main", *places]) == 1
    found = blocks(capsys)
    (changed,) = [block for block in found if " (was " in block]
    title, figures, *_ = changed.splitlines()
    assert title == f"{file}[ethos-n78] (was z/npu-compat.yaml::net[ethos-n78])"
    assert figures.split(maxsplit=1) == ["npu_ratio", "100.0% (2/2) -> 50.0% (1/2)  worse"]
    assert not [block for block in found if block.endswith(": gone") or ": new" in block]
    moved = f"net[ethos-n78]: moved to y/npu-compat.yaml::{file}[ethos-n78]"
    assert (moved in found) == (not places)


def test_gate_file_that_only_moved(base: str, capsys: Text) -> None:
    git("mv", "z", "y")
    assert main(["diff", "--base", "main"]) == 0
    assert blocks(capsys)[1:] == [
        "unchanged: leaky[ethos-n78]",
        f"y/npu-compat.yaml at main ({base}) -> working tree",
        "unchanged: net[ethos-n78] (was z/npu-compat.yaml::net[ethos-n78])",
        f"z/npu-compat.yaml at main ({base}) -> gone",
        "net[ethos-n78]: moved to y/npu-compat.yaml::net[ethos-n78]",
    ]


def test_two_revisions_are_what_they_are_wherever_the_working_tree_is(
    base: str, put: Put, capsys: Text
) -> None:
    git("mv", "z", "y")
    put("half_on_npu", "y/net.onnx")
    head = commit()
    git("switch", "-q", "main")
    assert main(["diff", "--base", "main", "--head", "work"]) == 1
    printed = capsys.readouterr().out
    assert f"y/npu-compat.yaml at main ({base}) -> work ({head})" in printed
    assert "net[ethos-n78] (was z/npu-compat.yaml::net[ethos-n78])" in printed


def test_model_that_was_renamed(base: str, put: Put, capsys: Text) -> None:
    git("mv", "z/net.onnx", "z/better.onnx")
    assert main(["diff", "--base", "main", "z"]) == 0
    assert blocks(capsys)[1:] == ["unchanged: better[ethos-n78] (was net[ethos-n78])"]
    put("half_on_npu", "z/better.onnx")
    assert main(["diff", "--base", "main", "z", "--format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert found["was"] == {"better[ethos-n78]": "net[ethos-n78]"}
    assert found["new"] == found["gone"] == []
    assert found["models"]["better[ethos-n78]"]["metrics"]["npu_ratio"]["worse"]


def test_model_whose_id_was_renamed(base: str, put: Put, capsys: Text) -> None:
    gate = GATE.replace('"*.onnx"', "{path: net.onnx, name: detector}")
    Path("z/npu-compat.yaml").write_text(gate, encoding="utf-8")
    put("half_on_npu", "z/net.onnx")
    assert main(["diff", "--base", "main", "z"]) == 1
    assert "detector[ethos-n78] (was net[ethos-n78])" in capsys.readouterr().out


def test_renamed_model_that_cannot_be_analyzed_any_more(base: str, put: Put, capsys: Text) -> None:
    gate = GATE.replace('"*.onnx"', "{path: net.onnx, name: detector}")
    Path("z/npu-compat.yaml").write_text(gate, encoding="utf-8")
    put("corrupt", "z/net.onnx")
    assert main(["diff", "--base", "main", "z"]) == 1
    assert "  now not analyzable: invalid-model: " in capsys.readouterr().out


def test_gate_file_elsewhere_that_was_not_valid_in_the_base(
    base: str, put: Put, capsys: Text
) -> None:
    """Where a new gate file's models could have come from, nobody asked for it to be valid."""
    git("switch", "-q", "main")
    Path("z/npu-compat.yaml").write_text("version: 1\n", encoding="utf-8")
    commit()
    git("mv", "z", "y")
    Path("y/npu-compat.yaml").write_text(GATE, encoding="utf-8")
    assert main(["diff", "--base", "main", "y"]) == 0
    assert blocks(capsys)[1:] == ["net[ethos-n78]: new, npu_ratio 100.0% (2/2)"]
    assert main(["diff", "--base", "main"]) == 2
    assert "z/npu-compat.yaml:1:1: " in capsys.readouterr().err


def test_backend_of_tvm_under_another_name(base: str, put: Put, capsys: Text) -> None:
    gate = GATE.replace("thr", "targets: {NAME: {backend: nnapi}}\nthr").replace(">= 1", ">= 0.1")
    git("switch", "-q", "main")
    path = Path("z/npu-compat.yaml")
    path.write_text(gate.replace("NAME", "phone"), encoding="utf-8")
    commit()
    assert main(["diff", "--base", "main", "z"]) == 0
    assert blocks(capsys)[1:] == ["unchanged: net[phone]"]
    path.write_text(gate.replace("NAME", "mobile"), encoding="utf-8")
    assert main(["diff", "--base", "main", "z"]) == 0
    assert blocks(capsys)[1:] == ["unchanged: net[mobile] (was net[phone])"]
    path.write_text(gate.replace("NAME", "phone").replace("nnapi", "tensorrt"), encoding="utf-8")
    main(["diff", "--base", "main", "z", "--format", "json"])
    (found,) = json.loads(capsys.readouterr().out)
    cause = found["models"]["net[phone]"]["cause"]
    assert cause in (None, "the gate file changed: target nnapi -> tensorrt")


@pytest.mark.parametrize("path", ["{top}/z/net.onnx", "{top}/z/*.onnx", "{link}/z/net.onnx"])
def test_absolute_path_is_that_of_each_revision(
    path: str, base: str, put: Put, capsys: Text
) -> None:
    """Both revisions were judged by the file of the working tree, which has not changed since then."""
    top = Path.cwd()
    link = top.parent / "link"
    link.symlink_to(top)
    written = path.format(top=top, link=link)
    git("switch", "-q", "main")
    Path("z/npu-compat.yaml").write_text(GATE.replace("*.onnx", written), encoding="utf-8")
    commit()
    put("half_on_npu", "z/net.onnx")
    assert main(["diff", "--base", "main", "z"]) == 1
    printed = capsys.readouterr().out
    assert "100.0% (2/2) -> 50.0% (1/2)  worse" in printed
    assert "npu-compat-" not in printed, "no temporary directory is shown"
    commit()
    assert main(["diff", "--base", "main~1", "--head", "main", "z"]) == 1


@pytest.mark.parametrize("top", ["repo", "link"])
def test_absolute_glob_finds_what_each_revision_has(top: str, base: str, capsys: Text) -> None:
    Path("../link").symlink_to(Path.cwd())
    git("switch", "-q", "main")
    glob = f"{Path.cwd().parent}/{top}/z/*.onnx"
    Path("z/npu-compat.yaml").write_text(GATE.replace("*.onnx", glob), encoding="utf-8")
    commit()
    git("mv", "z/net.onnx", "z/later.onnx")
    assert main(["diff", "--base", "main", "z"]) == 0
    assert blocks(capsys)[1:] == ["unchanged: later[ethos-n78] (was net[ethos-n78])"]


def test_absolute_path_is_the_same_path_in_each_revision(base: str, put: Put, capsys: Text) -> None:
    """Nothing else tells that a model with another id, which cannot be analyzed, is the same."""
    git("switch", "-q", "main")
    gate = GATE.replace('"*.onnx"', f"{{path: {Path.cwd()}/z/net.onnx, name: NAME}}")
    Path("z/npu-compat.yaml").write_text(gate.replace("NAME", "one"), encoding="utf-8")
    commit()
    Path("z/npu-compat.yaml").write_text(gate.replace("NAME", "two"), encoding="utf-8")
    put("corrupt", "z/net.onnx")
    assert main(["diff", "--base", "main", "z"]) == 1
    assert "two[ethos-n78] (was one[ethos-n78])" in capsys.readouterr().out


def test_absolute_path_of_a_model_that_the_base_does_not_have(base: str, capsys: Text) -> None:
    top = Path.cwd()
    git("switch", "-q", "main")
    gate = Path("z/npu-compat.yaml")
    gate.write_text(GATE.replace("*.onnx", f"{top}/z/later.onnx"), encoding="utf-8")
    commit()
    git("mv", "z/net.onnx", "z/later.onnx")
    assert main(["diff", "--base", "main", "z"]) == 2
    before = f"  before not analyzable: file-not-found: {top}/z/later.onnx does not exist."
    assert before in capsys.readouterr().out.splitlines()
    gate.write_text(GATE.replace("*.onnx", f"{top}/z/later*"), encoding="utf-8")
    commit()
    git("mv", "z/later.onnx", "z/net.onnx")
    gate.write_text(GATE, encoding="utf-8")
    assert main(["diff", "--base", "main~1", "--head", "main", "z"]) == 2
    assert main(["diff", "--base", "main", "z"]) == 0


def test_absolute_path_of_a_profile(base: str, capsys: Text) -> None:
    git("switch", "-q", "main")
    gate = GATE.replace("thr", f"targets: {{ours: {{profile: {Path.cwd()}/acme.yaml}}}}\nthr")
    Path("z/npu-compat.yaml").write_text(gate.replace(">= 1%", ">= 0.1%"), encoding="utf-8")
    Path("acme.yaml").write_text(PROFILE, encoding="utf-8")
    commit()
    Path("acme.yaml").write_text(PROFILE.replace("[1, 3]", "1"), encoding="utf-8")
    assert main(["diff", "--base", "main", "z"]) == 1
    assert "the model file is the same; the target changed: rules ACME 1" in capsys.readouterr().out


def test_absolute_link_of_the_repository(base: str, put: Put, capsys: Text) -> None:
    git("switch", "-q", "main")
    git("mv", "z/net.onnx", "net.onnx")
    Path("z/net.onnx").symlink_to(Path.cwd() / "net.onnx")
    commit()
    put("half_on_npu", "net.onnx")
    assert main(["diff", "--base", "main", "z"]) == 1
    assert "100.0% (2/2) -> 50.0% (1/2)  worse" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["absolute", "relative", "link"])
def test_model_outside_of_the_repository_is_refused(
    kind: str, base: str, put: Put, capsys: Text
) -> None:
    """No revision has it: it would be compared with itself."""
    outside = Path.cwd().parent / "outside.onnx"
    put("wide", str(outside))
    paths = {"absolute": str(outside), "relative": "../../outside.onnx", "link": "linked.onnx"}
    if kind == "link":
        Path("z/linked.onnx").symlink_to(outside)
    git("switch", "-q", "main")
    Path("z/npu-compat.yaml").write_text(GATE.replace("*.onnx", paths[kind]), encoding="utf-8")
    found = commit()
    assert main(["diff", "--base", "main", "z"]) == 2
    assert capsys.readouterr().err == (
        f"npu-compat: {paths[kind]} of z/npu-compat.yaml is not in the git repository repo, so there "
        f"is nothing of main ({found}) to compare\n"
    )


def test_hook_in_a_linked_worktree(
    base: str, put: Put, monkeypatch: pytest.MonkeyPatch, capsys: Text
) -> None:
    """Git exports where the repository is, and then takes a sub-directory for the worktree's top."""
    git("worktree", "add", "-q", "../linked", "-b", "other")
    monkeypatch.chdir("../linked")
    put("half_on_npu", "z/net.onnx")
    git("add", "-A")
    directory = Path(git("rev-parse", "--absolute-git-dir"))
    index = (directory / "index").read_bytes()
    monkeypatch.setenv("GIT_DIR", str(directory))
    monkeypatch.setenv("GIT_INDEX_FILE", str(directory / "index"))
    monkeypatch.setenv("GIT_PREFIX", "")
    for start, places in ((".", ["z"]), ("z", [])):
        monkeypatch.chdir(start)
        assert main(["diff", "--base", "main", *places]) == 1
        printed = capsys.readouterr().out
        assert f"z/npu-compat.yaml at main ({base}) -> working tree" in printed
        assert "100.0% (2/2) -> 50.0% (1/2)  worse" in printed
    assert (directory / "index").read_bytes() == index
    assert os.environ["GIT_DIR"] == str(directory)


def test_configuration_of_the_environment_is_kept(
    base: str, monkeypatch: pytest.MonkeyPatch, capsys: Text
) -> None:
    """It may be what makes the repository safe for this user; here it makes git fail."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.abbrev")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "no number")
    assert main(["diff", "--base", "main"]) == 2


def test_platform_of_the_gate_file(base: str, capsys: Text) -> None:
    gate = GATE.replace('npu_ratio: ">= 1%"', 'estimated_latency: "<= 9 s"')
    git("switch", "-q", "main")
    path = Path("z/npu-compat.yaml")
    path.write_text(gate, encoding="utf-8")
    commit()
    assert main(["diff", "--base", "main", "z", "--format", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["models"]["net[ethos-n78]"]["cause"] is None, "nothing moved"
    path.write_text(gate + "platform: {clock: 0.25 GHz}\n", encoding="utf-8")
    assert main(["diff", "--base", "main", "z"]) == 1
    cause = "  the model file is the same; the gate file changed: clock 1.25 GHz -> 250 MHz"
    assert cause in capsys.readouterr().out.splitlines()
    path.write_text(GATE, encoding="utf-8")
    main(["diff", "--base", "main", "z"])
    assert "the gate file changed: estimates made -> none" in capsys.readouterr().out
