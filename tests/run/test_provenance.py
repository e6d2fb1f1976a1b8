"""Results that came with the repository are not read, however they are hidden."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_npu_compat.run import provenance
from pytest_npu_compat.run.analyses import Analyses
from pytest_npu_compat.run.provenance import distrust

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def run_git(directory: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree with a cache of its own, which git ignores."""
    top = tmp_path / "work"
    top.mkdir()
    run_git(top, "init", "-q")
    keep(top / ".npu_compat_cache")
    (top / ".npu_compat_cache" / ".gitignore").write_text("*\n")
    monkeypatch.chdir(top)
    return top


def keep(directory: Path) -> Path:
    directory.mkdir(parents=True)
    (directory / "a.json").write_text("{}")
    return directory


def test_own_results_are_read(repository: Path) -> None:
    run_git(repository, "add", "-A")
    assert distrust(Path(".npu_compat_cache")) is None


def test_no_work_tree(tmp_path: Path) -> None:
    assert distrust(keep(tmp_path / "cache")) is None


def test_checked_in_results_are_not(repository: Path) -> None:
    run_git(repository, "add", "-f", ".npu_compat_cache/a.json")
    assert distrust(Path(".npu_compat_cache")) == (
        ".npu_compat_cache is checked in: its results are not read, and every model is analyzed "
        "again; remove it from the repository"
    )


def test_one_checked_in_result_among_others_is_enough(repository: Path) -> None:
    run_git(repository, "add", "-f", ".npu_compat_cache/a.json")
    for name in "bcd":
        (repository / ".npu_compat_cache" / f"{name}.json").write_text("{}")
    (repository / ".npu_compat_cache" / "a.json").unlink()
    assert distrust(Path(".npu_compat_cache")) is not None


@pytest.mark.parametrize("name", ["ca[c]he", "c*", ":(top)x", "캐시", "a b"])
def test_any_name(repository: Path, name: str) -> None:
    own, theirs = keep(repository / "own" / name), keep(repository / "theirs" / name)
    keep(repository / "own" / "cache")
    run_git(repository, "add", "-f", "theirs", "own/cache")
    assert distrust(own) is None
    assert distrust(theirs) is not None


def test_name_in_another_case(repository: Path) -> None:
    """It is the same directory where cases are not told apart; elsewhere nobody has both."""
    run_git(repository, "add", "-f", ".npu_compat_cache")
    (repository / ".npu_compat_cache").rename(repository / ".NPU_compat_cache")
    assert distrust(Path(".NPU_compat_cache")) is not None


def test_link_to_what_is_checked_in(repository: Path) -> None:
    keep(repository / "models" / "d" / "npu-compat")
    (repository / ".pytest_cache").symlink_to("models")
    run_git(repository, "add", "-f", "models")
    assert distrust(repository / ".pytest_cache" / "d" / "npu-compat") is not None


def test_results_in_a_submodule(repository: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    keep(source)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        run_git(source, *command)
    run_git(repository, "submodule", "--quiet", "add", str(source), "cache")
    assert (repository / "cache" / ".git").is_file()
    assert distrust(Path("cache")) is not None


def test_work_tree_of_another_repository(repository: Path, tmp_path: Path) -> None:
    """Its `.git` is a file."""
    run_git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    tree = tmp_path / "tree"
    run_git(repository, "worktree", "add", "-q", str(tree))
    cache = keep(tree / "cache")
    assert distrust(cache) is None
    run_git(tree, "add", "cache")
    assert distrust(cache) is not None


def test_what_looks_like_a_repository_is_none(repository: Path, tmp_path: Path) -> None:
    """A bare repository can be checked in, with a configuration that names commands."""
    cache = repository / "cache"
    run_git(tmp_path, "init", "-q", "--bare", str(cache))
    (cache / "a.json").write_text("{}")
    (cache / "config").write_text(f"[core]\n bare = true\n fsmonitor = touch {tmp_path / 'ran'}\n")
    run_git(repository, "add", "-f", "cache")
    assert distrust(cache) is not None
    assert not (tmp_path / "ran").exists()


def test_environment_of_a_hook_misleads_nobody(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    run_git(tmp_path, "init", "-q", str(other))
    run_git(repository, "add", "-f", ".npu_compat_cache/a.json")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert distrust(Path(".npu_compat_cache")) is not None


def test_without_git_results_in_a_work_tree_are_not_read(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = keep(tmp_path / "cache")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    why = distrust(Path(".npu_compat_cache"))
    assert why
    assert why.startswith("git cannot tell whether .npu_compat_cache was checked in")
    assert distrust(outside) is None


def test_broken_repository(repository: Path) -> None:
    (repository / ".git" / "index").write_bytes(b"noise")
    why = distrust(Path(".npu_compat_cache"))
    assert why
    assert why.startswith("git cannot tell")


def test_nothing_is_asked_where_nothing_is_kept(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[object] = []
    real = subprocess.run

    def counting(*arguments: object, **options: object) -> object:
        calls.append(arguments)
        return real(*arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(provenance.subprocess, "run", counting)
    empty = repository / "empty"
    empty.mkdir()
    assert distrust(empty) is None
    assert distrust(repository / "missing") is None
    assert distrust(keep(tmp_path / "outside")) is None
    assert calls == []
    assert distrust(Path(".npu_compat_cache")) is None
    assert len(calls) == 1


def test_analyses_tell_once(repository: Path) -> None:
    run_git(repository, "add", "-f", ".npu_compat_cache/a.json")
    told: list[str] = []
    analyses = Analyses(lambda: Path(".npu_compat_cache"), told.append)
    assert analyses._cache is None
    assert analyses._cache is None
    assert len(told) == 1
