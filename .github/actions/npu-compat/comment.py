"""Writes the comment on a pull request, or updates the one of the last run.

A comment that cannot be written is told and changes no verdict: on pull requests from forks, the token
may only read. Needs nothing but Python's standard library.

Environment: what GitHub sets, and ``INPUT_TOKEN``, ``INPUT_AUTHOR`` (whose comment is updated),
``INPUT_FILE`` (Markdown; missing if the run did not get that far) and ``INPUT_KEY`` (tells apart the
comments of several jobs).
"""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_CHARACTERS = 65_536
PER_PAGE = 100
MAX_PAGES = 50
TIMEOUT_SECONDS = 30
NO_VERDICT = "## ❌ NPU compatibility: no verdict\n\nThe run ended before it judged anything.\n"


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

    def find(self, marker: str, author: str) -> int | None:
        """Id of the first comment of an author that begins with a marker."""
        for page in range(1, MAX_PAGES + 1):
            query = f"per_page={PER_PAGE}&page={page}"
            comments = self._call("GET", f"{self._number}/comments?{query}")
            for comment in comments:
                login = (comment.get("user") or {}).get("login")
                if login == author and str(comment.get("body")).startswith(marker):
                    return int(comment["id"])
            if len(comments) < PER_PAGE:
                break
        return None

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


def marker_of(key: str) -> str:
    """An HTML comment by which a later run knows its own comment."""
    return f"<!-- npu-compat: {re.sub('[^A-Za-z0-9_.]+', '-', key)} -->"


def body_of(environ: Mapping[str, str]) -> str:
    """The comment: what the run says of itself, and where its log and reports are."""
    file = Path(environ["INPUT_FILE"])
    said = file.read_text(encoding="utf-8") if file.is_file() else NO_VERDICT
    run = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(environ)
    end = f"\n\n[Log and reports]({run})\n"
    begin = f"{marker_of(environ['INPUT_KEY'])}\n"
    # The run keeps to a limit that leaves room for these; a cut in the middle would break its tables.
    return f"{begin}{said[: MAX_CHARACTERS - len(begin) - len(end)]}{end}"


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
    api = Api(environ, number)
    body = body_of(environ)
    try:
        earlier = api.find(marker_of(environ["INPUT_KEY"]), environ["INPUT_AUTHOR"])
        if earlier is None:
            api.create(body)
        else:
            api.update(earlier, body)
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
