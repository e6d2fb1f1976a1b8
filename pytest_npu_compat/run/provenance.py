"""Whether the results of earlier runs are those of earlier runs, and did not come with the repository.

A branch that is judged could bring along results that nobody has computed: their checksum is no signature.
What git tracks was not written by a run.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ["distrust"]

TIMEOUT_SECONDS = 60


def distrust(directory: Path) -> str | None:
    """Why the results in a directory must not be read; None if they may be.

    Costs a call of git if there are results and they lie in a work tree, and nothing otherwise.
    """
    path = directory.resolve()  # a link that is checked in leads to what is checked in
    if not any(path.glob("*.json")):
        return None
    top = next((place for place in (path, *path.parents) if (place / ".git").exists()), None)
    if top is None:
        return None
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    anew = "its results are not read, and every model is analyzed again"
    try:
        tracked = _tracked(top, path)
    except (OSError, subprocess.SubprocessError):
        return f"git cannot tell whether {shown.as_posix()} was checked in: {anew}"
    if tracked:
        return f"{shown.as_posix()} is checked in: {anew}; remove it from the repository"
    return None


def _tracked(top: Path, path: Path) -> bool:
    """Whether git tracks anything there.

    The repository is named and not looked for: what is checked in can look like a repository itself, and
    git would take its word, and its configuration. So it is asked also if another user owns the files.

    Raises:
        OSError: There is no git.
        SubprocessError: It fails.
    """
    place = path.relative_to(top).as_posix()
    command = [
        *("git", f"--git-dir={top / '.git'}", f"--work-tree={top}", "-c", "core.fsmonitor=false"),
        # File systems that do not tell cases apart open what is tracked under another one.
        *("ls-files", "-z", "--", f":(top,literal,icase){'' if place == '.' else place}"),
    ]
    environment = {name: v for name, v in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
        command,
        cwd=top,
        env=environment,
        capture_output=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
    )
    return bool(done.stdout)
