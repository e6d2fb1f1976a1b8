"""`npu-compat diff`: what changed between two files, or between git revisions."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import models
import pytest
from qdq import Net

from pytest_npu_compat.cli import main

Git = Callable[..., str]
Text = pytest.CaptureFixture[str]

GATE = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models: ["models/*.onnx"]
"""
DROPPED = [
    "net[ethos-n78]",
    "  npu_ratio      100.0% (2/2) -> 50.0% (1/2)  worse",
    "  left the NPU:",
    "    conv_1: kernel 3x3 -> 4x4, padding 1x1x1x1 -> 1x1x2x2 [kernel-size]",
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, git_home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory of its own, which is to be a repository."""
    (tmp_path / "repo" / "models").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "repo")


@pytest.fixture(scope="session")
def wide(built: Path) -> Path:
    return models.save(models.wide(), built)


@pytest.fixture
def put(built: Path, wide: Path) -> Callable[..., Path]:
    """Copies one of the small models into the repository."""

    def copy(name: str, to: str = "models/net.onnx") -> Path:
        path = Path(to)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(built / f"{name}.onnx", path)
        return path

    return copy


@pytest.fixture
def git() -> Git:
    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    return run


@pytest.fixture
def commit(git: Git) -> Callable[[str], str]:
    """Commits everything; the short hash."""

    def all_of_it(message: str) -> str:
        git("add", "-A")
        git("commit", "-qm", message)
        return git("rev-parse", "HEAD")[:7]

    return all_of_it


@pytest.fixture
def branched(git: Git, put: Callable[..., Path], commit: Callable[[str], str]) -> str:
    """``main`` with a model on the NPU, a branch ``work`` on which half of it left; hash of the fork."""
    git("init", "-q", "-b", "main")
    Path("npu-compat.yaml").write_text(GATE, encoding="utf-8")
    put("wide")
    base = commit("base")
    git("switch", "-qc", "work")
    put("half_on_npu")
    commit("work")
    return base


def other(path: Path) -> None:
    """A model that has nothing in common with the small ones."""
    net = Net("other", (1, 8, 4, 4))
    net.finish(net.conv("image", 8, 1))
    path.parent.mkdir(exist_ok=True)
    net.save(path)


def in_order(lines: list[str], text: str) -> None:
    """The lines stand in the text, in this order."""
    rest = text.splitlines()
    for line in lines:
        assert line in rest, f"{line!r} is not in\n{text}"
        rest = rest[rest.index(line) + 1 :]


def test_two_models(put: Callable[..., Path], capsys: Text) -> None:
    put("wide", "old.onnx")
    put("half_on_npu", "new.onnx")
    assert main(["diff", "old.onnx", "new.onnx"]) == 1
    printed = capsys.readouterr().out
    in_order(["old.onnx -> new.onnx", "new[ethos-n78]", *DROPPED[1:]], printed)
    assert main(["diff", "new.onnx", "old.onnx"]) == 0
    printed = capsys.readouterr().out
    in_order(["  npu_ratio      50.0% (1/2) -> 100.0% (2/2)  better"], printed)
    in_order(["  came to the NPU:"], printed)
    assert main(["diff", "old.onnx", "old.onnx"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "unchanged: old[ethos-n78]"


def test_every_kind_of_side(put: Callable[..., Path], capsys: Text) -> None:
    """A model, a report, reports in lines, a baseline and the record of a run say the same of it."""
    sides: dict[str, list[str]] = {}
    gate = Path("npu-compat.yaml")
    gate.write_text(GATE.replace("thr", "baseline: b.json\nthr"), encoding="utf-8")
    for side, name in (("old", "wide"), ("new", "half_on_npu")):
        put(name)
        capsys.readouterr()
        copied = str(shutil.copy(put(name), f"{side}.onnx"))
        main(["analyze", "models/net.onnx", "--format", "json"])
        Path(f"{side}.report.json").write_text(capsys.readouterr().out, encoding="utf-8")
        main(["analyze", "models/net.onnx", "--format", "jsonl"])
        Path(f"{side}.jsonl").write_text(capsys.readouterr().out, encoding="utf-8")
        main(["check", "--update-baseline", "--json", f"{side}.run.json"])
        Path("b.json").rename(f"{side}.baseline.json")
        files = [f"{side}.{kind}" for kind in ("report.json", "jsonl", "baseline.json", "run.json")]
        sides[side] = [copied, *files]
    for old in sides["old"]:
        for new in sides["new"]:
            capsys.readouterr()
            assert main(["diff", old, new]) == 1
            in_order([f"{old} -> {new}", *DROPPED[1:]], capsys.readouterr().out)


def test_json(put: Callable[..., Path], capsys: Text) -> None:
    put("wide", "old.onnx")
    put("half_on_npu", "new.onnx")
    assert main(["diff", "old.onnx", "new.onnx", "--format", "json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["base"], found["head"], found["worse"]) == ("old.onnx", "new.onnx", True)
    changes = found["models"]["new[ethos-n78]"]
    assert changes["metrics"]["npu_ratio"] == {
        "before": 1.0,
        "after": 0.5,
        "unit": "ratio",
        "worse": True,
        "verdict": "worse",
    }
    (left,) = changes["left"]
    assert (left["before"], left["after"], left["rule"]) == ("conv_1", "conv_1", "kernel-size")
    assert ["kernel", "3x3", "4x4"] in left["differences"]


def test_models_of_one_name_in_two_places_are_all_compared(
    put: Callable[..., Path], capsys: Text
) -> None:
    """A report or a record with two models of one name must not lose one of them."""
    gate = GATE.replace('"models/*.onnx"', "net.onnx")
    for directory in ("a", "b"):
        Path(directory).mkdir()
        (Path(directory) / "npu-compat.yaml").write_text(gate, encoding="utf-8")
        put("wide", f"{directory}/net.onnx")
    paths = ["a/net.onnx", "b/net.onnx"]
    outputs = {}
    for side, name in (("old", "wide"), ("new", "half_on_npu")):
        put(name, "a/net.onnx")
        capsys.readouterr()
        main(["check", "--json", f"{side}.run.json"])
        capsys.readouterr()
        main(["analyze", *paths, "--format", "json"])
        outputs[side] = capsys.readouterr().out
        Path(f"{side}.json").write_text(outputs[side], encoding="utf-8")
    assert main(["diff", "old.run.json", "new.run.json"]) == 1
    assert main(["diff", "old.json", "new.json"]) == 1


@pytest.mark.parametrize(
    "sides",
    [
        ["a.json"],
        ["a.json", "b.json", "c.json"],
        ["gone.json", "gone.json"],
        ["gone.onnx", "gone.onnx"],
        ["models", "models"],
        ["empty.json", "empty.json"],
        ["list.json", "list.json"],
        ["conflict.json", "conflict.json"],
        ["nan.json", "nan.json"],
    ],
    ids=" ".join,
)
def test_sides_that_are_none(sides: list[str], capsys: Text) -> None:
    Path("empty.json").write_text("")
    Path("list.json").write_text("[1, 2]")
    Path("conflict.json").write_text('<<<<<<< HEAD\n{"models": {}}\n=======\n>>>>>>> x\n')
    Path("nan.json").write_text('{"version": NaN, "models": {"a": NaN}}')
    assert main(["diff", *sides]) == 2
    printed, error = capsys.readouterr()
    assert printed == ""
    assert error.startswith("npu-compat: ")
    assert len(error.splitlines()) == 1


def test_model_that_cannot_be_analyzed_is_worse(put: Callable[..., Path], capsys: Text) -> None:
    put("on_npu", "old.onnx")
    put("pointer", "new.onnx")
    assert main(["diff", "old.onnx", "new.onnx"]) == 1
    printed = capsys.readouterr().out
    assert "  now not analyzable: lfs-pointer: " in printed
    assert "what to do:" in printed


@pytest.mark.parametrize("code", ["pointer", "corrupt", "dynamic"])
def test_base_that_cannot_be_analyzed_compares_nothing(
    code: str, put: Callable[..., Path], capsys: Text
) -> None:
    put(code, "old.onnx")
    put("on_npu", "new.onnx")
    assert main(["diff", "old.onnx", "new.onnx"]) == 2
    printed = capsys.readouterr().out
    assert "  before not analyzable: " in printed
    assert "  nothing was compared" in printed.splitlines()
    assert main(["diff", "old.onnx", "new.onnx", "--format", "json"]) == 2
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["worse"], found["not_compared"]) == (False, ["new[ethos-n78]"])
    assert main(["diff", "old.onnx", "old.onnx"]) == 1


@pytest.mark.parametrize("side", ["l.json", "l.jsonl"])
def test_side_that_is_a_pointer(side: str, put: Callable[..., Path], capsys: Text) -> None:
    put("pointer", side)
    for sides in ([side, side], ["models/net.onnx", side]):
        put("on_npu")
        assert main(["diff", *sides]) == 2
        printed, error = capsys.readouterr()
        assert printed == ""
        assert error.startswith(f"npu-compat: {side} is a Git LFS pointer. Run `git lfs pull`")


def test_working_tree_against_a_branch(branched: str, git: Git, capsys: Text) -> None:
    assert main(["diff", "--base", "main"]) == 1
    title = f"npu-compat.yaml at main ({branched}) -> working tree"
    in_order([title, *DROPPED], capsys.readouterr().out)


def test_merge_base_is_compared_with_and_not_the_tip(
    branched: str,
    git: Git,
    put: Callable[..., Path],
    commit: Callable[[str], str],
    capsys: Text,
) -> None:
    """Main went on to a model that is also half on the CPU; that excuses nothing."""
    git("switch", "-q", "main")
    put("half_on_npu")
    put("leaky", "models/more.onnx")
    tip = commit("later on main")
    git("switch", "-q", "work")
    assert main(["diff", "--base", "main"]) == 1
    in_order([f"npu-compat.yaml at main ({branched}) -> working tree"], capsys.readouterr().out)
    assert main(["diff", "--base", "main", "--exact"]) == 1
    printed = capsys.readouterr().out
    in_order([f"npu-compat.yaml at main ({tip}) -> working tree", "more[ethos-n78]: gone"], printed)
    assert main(["diff", "--base", "main", "--exact", "--allow-gone"]) == 0


def test_branch_that_is_behind_has_changed_nothing(branched: str, git: Git, capsys: Text) -> None:
    git("switch", "-q", "main")
    assert main(["diff", "--base", "work"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "unchanged: net[ethos-n78]"


def test_two_revisions(branched: str, git: Git, capsys: Text) -> None:
    head = git("rev-parse", "HEAD")[:7]
    shutil.rmtree("models")
    Path("models").mkdir()
    assert main(["diff", "--base", "main", "--head", "work", "npu-compat.yaml"]) == 1
    title = f"npu-compat.yaml at main ({branched}) -> work ({head})"
    in_order([title, *DROPPED], capsys.readouterr().out)


def test_new_and_gone_models(branched: str, put: Callable[..., Path], capsys: Text) -> None:
    """A model that nothing judges any more is not as good as it was; a reviewer has to say so."""
    Path("models/net.onnx").unlink()
    other(Path("models/more.onnx"))
    assert main(["diff", "--base", "main"]) == 1
    printed = capsys.readouterr().out
    in_order(["more[ethos-n78]: new, npu_ratio 100.0% (1/1)", "", "net[ethos-n78]: gone"], printed)
    assert main(["diff", "--base", "main", "--allow-gone"]) == 0
    assert capsys.readouterr().out == printed


def test_gate_that_the_base_does_not_have(branched: str, capsys: Text) -> None:
    other(Path("more/net.onnx"))
    gate = Path("more/npu-compat.yaml")
    gate.write_text(GATE.replace("models/*", "*"), encoding="utf-8")
    assert main(["diff", "--base", "main", "more"]) == 0
    in_order(["net[ethos-n78]: new, npu_ratio 100.0% (1/1)"], capsys.readouterr().out)


def test_gate_that_was_broken_in_the_base(
    branched: str, commit: Callable[[str], str], capsys: Text
) -> None:
    Path("npu-compat.yaml").write_text("version: 1\nmodel: []\n", encoding="utf-8")
    broken = commit("broken")
    Path("npu-compat.yaml").write_text(GATE, encoding="utf-8")
    assert main(["diff", "--base", "HEAD"]) == 2
    error = capsys.readouterr().err
    assert f"at HEAD ({broken}): npu-compat.yaml:2:1: Unknown key 'model'." in error


def everything(directory: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_checkout_and_index_are_not_touched(
    branched: str, git: Git, put: Callable[..., Path]
) -> None:
    put("leaky", "models/staged.onnx")
    git("add", "models/staged.onnx")
    put("on_npu", "models/untracked.onnx")
    git("status")  # refreshes the index
    before = everything(Path.cwd())
    assert main(["diff", "--base", "main"]) == 1
    assert main(["diff", "--base", "main", "--head", "work"]) == 1
    assert everything(Path.cwd()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "nobody"], "there is no revision 'nobody' here"),
        (["--base", "main", "--head", "nobody"], "there is no revision 'nobody' here"),
        (["--base=--upload-pack=x"], "'--upload-pack=x' is no revision"),
        (["--base", "main", "models"], "no gate file here"),
        (["--base", "main", "gone.yaml"], "there is no gone.yaml"),
        (["--base", "other"], "other and HEAD have no common history"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_revisions_that_are_not_there(
    arguments: list[str], message: str, branched: str, git: Git, capsys: Text
) -> None:
    git("switch", "-q", "--orphan", "other")
    git("commit", "-qm", "other", "--allow-empty")
    git("switch", "-q", "work")
    assert main(["diff", *arguments]) == 2
    assert capsys.readouterr().err == f"npu-compat: {message}\n"


def test_no_repository(capsys: Text) -> None:
    Path("npu-compat.yaml").write_text(GATE, encoding="utf-8")
    assert main(["diff", "--base", "main"]) == 2
    assert capsys.readouterr().err == "npu-compat: this is no git repository\n"


def test_no_git(branched: str, monkeypatch: pytest.MonkeyPatch, capsys: Text) -> None:
    monkeypatch.setenv("PATH", str(Path.cwd() / "models"))
    assert main(["diff", "--base", "main"]) == 2
    assert "git is not installed" in capsys.readouterr().err


def test_gate_file_of_another_repository(branched: str, git: Git, capsys: Text) -> None:
    """A symbolic link that leads out of the repository is in it, and so is new."""
    Path("../other.npu.yaml").write_text(GATE.replace("models/", "repo/models/"), encoding="utf-8")
    assert main(["diff", "--base", "main", "npu-compat.yaml", "../other.npu.yaml"]) == 2
    message = "npu-compat: other.npu.yaml is not in the git repository repo\n"
    assert capsys.readouterr().err == message
    Path("linked.npu.yaml").symlink_to("../other.npu.yaml")
    assert main(["diff", "--base", "main", "linked.npu.yaml"]) == 0
    assert "net[ethos-n78]: new" in capsys.readouterr().out


def test_shallow_clone_says_so(
    branched: str, git: Git, monkeypatch: pytest.MonkeyPatch, capsys: Text
) -> None:
    source = Path.cwd().as_uri()
    git("clone", "-q", "--depth", "1", "--branch", "work", "--no-single-branch", source, "../c")
    monkeypatch.chdir("../c")
    for base, problem in (
        ("origin/main", "origin/main and HEAD have no common history"),
        ("v1.0", "there is no revision 'v1.0' here"),
    ):
        assert main(["diff", "--base", base]) == 2
        assert capsys.readouterr().err == (
            f"npu-compat: {problem}: the clone is shallow; fetch the history (git fetch --unshallow, "
            "or fetch-depth: 0 of actions/checkout)\n"
        )


def pointer_to(path: Path) -> tuple[str, str]:
    """The pointer that Git LFS keeps instead of a file, and where it puts its content."""
    oid = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"
    return text, f".git/lfs/objects/{oid[:2]}/{oid[2:4]}/{oid}"


@pytest.mark.parametrize("present", [True, False], ids=["content here", "content missing"])
def test_git_lfs(
    present: bool,
    git: Git,
    wide: Path,
    put: Callable[..., Path],
    commit: Callable[[str], str],
    capsys: Text,
) -> None:
    """A filter that is not installed, as on a build machine without git-lfs, must not matter."""
    git("init", "-q", "-b", "main")
    Path("npu-compat.yaml").write_text(GATE, encoding="utf-8")
    text, content = pointer_to(wide)
    Path("models/net.onnx").write_text(text, encoding="utf-8")
    Path(".gitattributes").write_text("*.onnx filter=lfs diff=lfs merge=lfs -text\n")
    commit("base")
    git("config", "filter.lfs.clean", "cat")
    git("config", "filter.lfs.smudge", "git-lfs-that-is-not-there smudge -- %f")
    git("config", "filter.lfs.process", "git-lfs-that-is-not-there filter-process")
    git("config", "filter.lfs.required", "true")
    if present:
        Path(content).parent.mkdir(parents=True)
        shutil.copy(wide, content)
    put("half_on_npu")
    before = everything(Path.cwd())
    code = main(["diff", "--base", "main"])
    printed, error = capsys.readouterr()
    assert error == ""
    if present:
        assert code == 1
        in_order(DROPPED, printed)
    else:
        assert code == 2
        assert "  before not analyzable: lfs-pointer: " in printed
        assert "  nothing was compared" in printed
        assert "git lfs fetch" in printed
    assert everything(Path.cwd()) == before


def test_hook_environment_is_not_followed(
    branched: str, git: Git, monkeypatch: pytest.MonkeyPatch, capsys: Text
) -> None:
    """A commit hook runs with git's own variables set; the index it names is the user's."""
    monkeypatch.setenv("GIT_INDEX_FILE", str(Path.cwd() / ".git" / "index"))
    before = everything(Path.cwd())
    assert main(["diff", "--base", "main"]) == 1
    assert everything(Path.cwd()) == before
