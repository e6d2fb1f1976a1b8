"""The files of a git revision, laid out in a temporary directory; the user's checkout is not touched."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_npu_compat.commands.errors import UsageError

__all__ = ["Revision", "checked_out", "merge_base"]

LFS_POINTER = re.compile(
    rb"version https://git-lfs[^\n]*\n(?:[^\n]*\n)*?oid sha256:([0-9a-f]{64})\n"
)
MAX_POINTER = 1024

_NO_FILTERS = [
    part
    for setting in ("smudge=", "process=", "required=false")
    for part in ("-c", f"filter.lfs.{setting}")
]
"""Git LFS would fetch what is missing from the network; what is present is found without it."""


@dataclass(frozen=True)
class Revision:
    """A commit.

    Attributes:
        name: As the user calls it.
        commit: Its hash.
        top: The repository's top directory.
    """

    name: str
    commit: str
    top: Path

    @property
    def shown(self) -> str:
        """``origin/main (1a2b3c4)``."""
        return f"{self.name} ({self.commit[:7]})"


def merge_base(name: str, directory: Path, head: str = "HEAD") -> Revision:
    """The commit at which a branch left another: what a pull request is compared with.

    Args:
        name: The other branch, or any revision.
        directory: Somewhere in the repository.
        head: The branch that is judged.

    Raises:
        UsageError: There is no repository or no such revision, or the clone is too shallow.
    """
    top = Path(_git(directory, "rev-parse", "--show-toplevel", error="this is no git repository"))
    shallow = _git(directory, "rev-parse", "--is-shallow-repository") == "true"
    hint = (
        ": the clone is shallow; fetch the history (git fetch --unshallow, or fetch-depth: 0 of "
        "actions/checkout)"
    )
    for revision in (name, head):
        if revision.startswith("-"):
            raise UsageError(f"{revision!r} is no revision")
        missing = f"there is no revision {revision!r} here{hint if shallow else ''}"
        _git(directory, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", error=missing)
    apart = f"{name} and {head} have no common history{hint if shallow else ''}"
    return Revision(name, _git(directory, "merge-base", name, head, error=apart), top)


@contextmanager
def checked_out(revision: Revision) -> Iterator[Path]:
    """A directory with the files of a revision; Git LFS files whose content is here are resolved.

    A pointer whose content is not here stays a pointer, which analysis names as such.
    """
    with tempfile.TemporaryDirectory(prefix="npu-compat-") as name:
        directory = Path(name)
        tree = directory / "tree"
        environment = {"GIT_INDEX_FILE": str(directory / "index")}
        _git(revision.top, "read-tree", revision.commit, env=environment)
        prefix = f"--prefix={tree.as_posix()}/"
        _git(revision.top, *_NO_FILTERS, "checkout-index", "--all", prefix, env=environment)
        tree.mkdir(exist_ok=True)  # a revision may have no file at all
        common = _git(revision.top, "rev-parse", "--git-common-dir")
        _resolve_pointers(tree, revision.top / common / "lfs" / "objects")
        yield tree


def _resolve_pointers(tree: Path, objects: Path) -> None:
    for file in tree.rglob("*"):
        if file.is_symlink() or not file.is_file() or file.stat().st_size > MAX_POINTER:
            continue
        match = LFS_POINTER.match(file.read_bytes())
        if match is None:
            continue
        oid = match[1].decode()
        content = objects / oid[:2] / oid[2:4] / oid
        if content.is_file():
            file.unlink()
            shutil.copyfile(content, file)


def _git(
    directory: Path, *arguments: str, error: str = "", env: Mapping[str, str] | None = None
) -> str:
    """What git answers.

    Raises:
        UsageError: There is no git, or it fails.
    """
    done = _run(["-C", str(directory), *arguments], {**_environment(), **(env or {})})
    if done.returncode:
        detail = done.stderr.strip().splitlines()
        raise UsageError(error or f"git {arguments[0]}: {detail[-1] if detail else 'failed'}")
    return done.stdout.strip()


def _environment() -> dict[str, str]:
    """This process's variables without those that point git to another repository, index or worktree.

    Git sets them for its hooks, and then takes a sub-directory for the top of the worktree. What they
    say is found from the directory just as well. Configuration is kept: it may be what makes the
    repository safe for this user.
    """
    return {name: value for name, value in os.environ.items() if name not in _pointing()}


@functools.cache
def _pointing() -> frozenset[str]:
    names = _run(["rev-parse", "--local-env-vars"], os.environ).stdout.split()
    return frozenset(name for name in names if not name.startswith("GIT_CONFIG"))


def _run(arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - a list of arguments, no shell
            ["git", *arguments],  # noqa: S607 - git of the user's PATH
            check=False,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=env,
        )
    except FileNotFoundError:
        raise UsageError("git is not installed, so revisions cannot be compared") from None
