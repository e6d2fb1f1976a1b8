"""Writes the comment on a pull request, or updates the one of the last run.

A comment that cannot be written is told and changes no verdict: on pull requests from forks, the token
may only read. Needs nothing but Python's standard library.

Environment: what GitHub sets, and ``INPUT_TOKEN``, ``INPUT_AUTHOR`` (whose comment is updated),
``INPUT_FILE`` (Markdown; missing if the run did not get that far), ``INPUT_NAME`` (what the user calls the
gate) and ``INPUT_ID`` (what `identify.sh` calls it).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_CHARACTERS = 65_536
MAX_NAME = 100
PER_PAGE = 100
MAX_PAGES = 50
TIMEOUT_SECONDS = 30
NO_VERDICT = "## ❌ NPU compatibility: no verdict\n\nThe run left no record of what it judged.\n"


SHARED = (
    "::warning title=npu-compat::Another gate of this run comments under the same name, so this one "
    "wrote a comment of its own. Give each a `name`."
)


@dataclass(frozen=True)
class Marker:
    """The first line of a comment, by which later runs know it.

    Attributes:
        gate: Digest of what tells this gate apart from the others of a pull request. A digest, because
            names are in all scripts, and what one might strip from them can be all that differs.
        run: Run and attempt, in which a gate writes one comment.
    """

    gate: str
    run: str

    @property
    def line(self) -> str:
        """As an HTML comment."""
        return f"{self.begin}{self.run} -->\n"

    @property
    def begin(self) -> str:
        """What the lines of all runs of this gate begin with."""
        return f"<!-- npu-compat: {self.gate} run "


class Api:
    """The comments of one pull request."""

    def __init__(self, environ: Mapping[str, str], number: int) -> None:
        self._base = f"{environ['GITHUB_API_URL']}/repos/{environ['GITHUB_REPOSITORY']}/issues"
        self._number = number
        self._headers = {
            "Authorization": f"Bearer {environ['INPUT_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
            "User-Agent": "pytest-npu-compat",
        }

    def bodies(self, author: str) -> Iterator[tuple[int, str]]:
        """Id and text of all comments of an author."""
        for page in range(1, MAX_PAGES + 1):
            query = f"per_page={PER_PAGE}&page={page}"
            comments = self._call("GET", f"{self._number}/comments?{query}")
            for comment in comments:
                if (comment.get("user") or {}).get("login") == author:
                    yield int(comment["id"]), str(comment.get("body"))
            if len(comments) < PER_PAGE:
                break

    def create(self, body: str) -> None:
        """Writes a new comment."""
        self._call("POST", f"{self._number}/comments", body)

    def update(self, comment: int, body: str) -> None:
        """Replaces a comment."""
        self._call("PATCH", f"comments/{comment}", body)

    def _call(self, method: str, path: str, body: str | None = None) -> Any:
        data = None if body is None else json.dumps({"body": body}).encode()
        request = urllib.request.Request(f"{self._base}/{path}", data, self._headers, method=method)
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            return json.load(answer)


def marker_of(environ: Mapping[str, str]) -> Marker:
    """The marker of the comment that this gate writes.

    The workflow is its file, since two can have one title, without the ref at which it runs.
    """
    workflow = environ.get("GITHUB_WORKFLOW_REF", "").partition("@")[0]
    names = ("GITHUB_WORKFLOW", "GITHUB_JOB", "INPUT_NAME", "INPUT_ID")
    parts = [workflow, *(environ.get(name, "") for name in names)]
    gate = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    return Marker(gate, f"{environ['GITHUB_RUN_ID']}.{environ.get('GITHUB_RUN_ATTEMPT', '1')}")


def body_of(environ: Mapping[str, str]) -> str:
    """The comment: what the run says of itself, which gate it is, and where its log and reports are."""
    file = Path(environ["INPUT_FILE"])
    said = file.read_text(encoding="utf-8") if file.is_file() else NO_VERDICT
    run = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(environ)
    shown = environ.get("INPUT_ID", "").replace("`", "'")[:MAX_NAME]
    end = f"\n\n{f'`{shown}`: ' if shown else ''}[Log and reports]({run})\n"
    begin = marker_of(environ).line
    # The run keeps to a limit that leaves room for these; a cut in the middle would break its tables.
    return f"{begin}{said[: MAX_CHARACTERS - len(begin) - len(end)]}{end}"


def write(api: Api, environ: Mapping[str, str]) -> bool:
    """Updates the comment that an earlier run of this gate has written, or writes the first one.

    A comment of this very run is that of another gate under the same name: it stays, whatever it says.

    Returns:
        Whether there is such another gate.
    """
    marker, body = marker_of(environ), body_of(environ)
    own = [
        (id_, text)
        for id_, text in api.bodies(environ["INPUT_AUTHOR"])
        if text.startswith(marker.begin)
    ]
    earlier = [id_ for id_, text in own if not text.startswith(marker.line.rstrip())]
    if earlier:
        api.update(earlier[0], body)
    else:
        api.create(body)
    return len(earlier) < len(own)


def pull_request_of(environ: Mapping[str, str]) -> int | None:
    """Number of the pull request that the workflow runs for."""
    event = json.loads(Path(environ["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    number = (event.get("pull_request") or {}).get("number")
    return int(number) if number else None


def main(environ: Mapping[str, str]) -> int:
    """Comments.

    Returns:
        0: the verdict is that of the gate, whatever becomes of the comment.
    """
    number = pull_request_of(environ)
    if number is None:
        print("::notice title=npu-compat::No comment: this run is not about a pull request.")
        return 0
    try:
        if write(Api(environ, number), environ):
            print(SHARED)
    except urllib.error.HTTPError as error:
        if error.code in (401, 403, 404):
            why = "the token may not write comments (permissions: pull-requests: write; never on forks)"
            print(f"::notice title=npu-compat::No comment: {why}.")
        else:
            print(f"::warning title=npu-compat::No comment: GitHub answered {error.code}.")
    except (OSError, ValueError) as error:
        print(f"::warning title=npu-compat::No comment: {type(error).__name__}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
