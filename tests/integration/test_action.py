"""The composite action, step for step as GitHub runs it: the scripts it calls, and what it is made of."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import junitparser
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / ".github" / "actions" / "npu-compat"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
METADATA = yaml.safe_load((ACTION / "action.yml").read_text(encoding="utf-8"))
STEPS = METADATA["runs"]["steps"]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts need bash")

GREEN = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models: [models/on_npu.onnx]
"""
RED = GREEN.replace("on_npu", "half_on_npu")


@dataclass
class Job:
    """A job on GitHub's runner: files that steps write to, and the environment they share."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        runner = self.root / "runner"
        runner.mkdir()
        event = runner / "event.json"
        event.write_text('{"pull_request": {"number": 7}}', encoding="utf-8")
        for name in ("summary", "output", "env"):
            (runner / name).touch()
        self.environment = {
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_STEP_SUMMARY": str(runner / "summary"),
            "GITHUB_OUTPUT": str(runner / "output"),
            "GITHUB_ENV": str(runner / "env"),
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_JOB": "gate",
            "GITHUB_WORKFLOW": "CI",
            "GITHUB_WORKFLOW_REF": "octo/models/.github/workflows/ci.yml@refs/pull/7/merge",
            "GITHUB_REPOSITORY": "octo/models",
            "GITHUB_SERVER_URL": "https://github.example",
            "GITHUB_RUN_ID": "42",
            "GITHUB_RUN_ATTEMPT": "1",
            "RUNNER_TEMP": str(runner),
            **self.environment,
        }

    def step(self, call: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Runs what a step's `run` says, with its inputs in the environment."""
        here = str(Path(sys.executable).parent)
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", call],
            cwd=self.root,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("GITHUB_", "INPUT_"))},
                **self.environment,
                "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
                **{f"INPUT_{name.upper()}": value for name, value in inputs.items()},
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def gate(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        return self.step(step("gate")["run"], **inputs)

    def identify(self, **inputs: str) -> dict[str, str]:
        """Runs the first step of a use of the action, and hands its environment to those that follow."""
        given = {"name": "", "artifact": "", "index": "0", "total": "1"}
        done = self.step(step("identify")["run"], **{**given, **inputs})
        assert done.returncode == 0, done.stderr
        env = (self.root / "runner" / "env").read_text(encoding="utf-8")
        self.environment |= dict(line.split("=", 1) for line in env.splitlines())
        return self.outputs

    def comment(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Comments as the action does, after a gate."""
        given = {
            "token": "secret",
            "author": "bot[bot]",
            "name": "",
            "id": "gate",
            "file": f"{self.outputs.get('directory', '')}/comment.md",
        }
        return self.step(step("comment")["run"], **{**given, **inputs})

    def again(self, run: int, attempt: int = 1) -> None:
        """Another run of the workflow."""
        self.environment |= {"GITHUB_RUN_ID": str(run), "GITHUB_RUN_ATTEMPT": str(attempt)}

    @property
    def summary(self) -> str:
        return (self.root / "runner" / "summary").read_text(encoding="utf-8")

    @property
    def outputs(self) -> dict[str, str]:
        """What steps have put out, both ways of writing it."""
        text = (self.root / "runner" / "output").read_text(encoding="utf-8")
        found = dict(re.findall(r"(?m)^([\w-]+)=(.*)$", text))
        long = re.findall(r"(?ms)^([\w-]+)<<(\S+)\n(.*?)\n?^\2$", text)
        return {**found, **{name: value for name, _, value in long}}


def step(identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = next(s for s in STEPS if s.get("id") == identifier)
    return found


@pytest.fixture
def job(project: Path) -> Job:
    return Job(project)


@pytest.mark.parametrize("command", ["check", "pytest"])
def test_green(job: Job, gate: Callable[..., Path], command: str) -> None:
    gate(GREEN)
    done = job.gate(command=command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "::error" not in done.stdout
    assert (job.outputs["verdict"], job.outputs["failed"]) == ("passed", "0")
    assert job.outputs["lowest-npu-ratio"] == "1"
    assert job.summary.startswith("## ✅ NPU compatibility: passed")


@pytest.mark.parametrize("command", ["check", "pytest"])
def test_red(job: Job, gate: Callable[..., Path], command: str) -> None:
    gate(RED)
    done = job.gate(command=command)
    assert done.returncode == 1
    annotations = [line for line in done.stdout.splitlines() if line.startswith("::")]
    assert len(annotations) == 1
    assert annotations[0].startswith("::error file=npu-compat.yaml,line=2,title=half_on_npu")
    assert "at:  conv_1" in annotations[0]
    assert (job.outputs["verdict"], job.outputs["failed"]) == ("failed", "1")
    assert job.summary.startswith("## ❌ NPU compatibility: failed")
    directory = Path(job.outputs["directory"])
    assert {path.name for path in directory.iterdir()} == {
        *("run.json", "junit.xml", "report.html", "results.sarif", "comment.md")
    }
    suites = junitparser.JUnitXml.fromfile(str(directory / "junit.xml"))
    assert sum(suite.failures for suite in suites) == 1
    assert all(name in job.outputs for name in METADATA["outputs"])


def test_error_of_the_gate_file(job: Job, gate: Callable[..., Path]) -> None:
    gate(GREEN.replace("npu_ratio", "npu_ration"))
    done = job.gate()
    assert done.returncode == 1
    assert "::error file=npu-compat.yaml,line=2,title=gate-error::" in done.stdout
    assert "Did you mean 'npu_ratio'?" in done.stdout
    assert job.outputs["verdict"] == "failed"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "left no record of what it judged"),
        ({"args": "nowhere"}, "left no record of what it judged"),
        ({"command": "pytest", "args": "test_other.py", "strict": "false"}, "no check was judged"),
        ({"command": "pytest", "args": "-p\nno:npu_compat"}, "left no record of what it judged"),
        ({"command": "lint"}, "command is check or pytest"),
        ({"strict": "yes"}, "strict is true or false"),
    ],
    ids=["no gate", "no such path", "other tests", "no plugin", "command", "strict"],
)
def test_nothing_judged_is_red(job: Job, inputs: Mapping[str, str], said: str) -> None:
    (job.root / "test_other.py").write_text("def test_other(): pass\n", encoding="utf-8")
    done = job.gate(**inputs)
    assert done.returncode != 0
    assert re.search(rf"(?m)^::error .*{said}", done.stdout)
    assert job.outputs.get("verdict", "failed") == "failed"


def test_run_that_is_killed_says_so_on_a_line_of_its_own(
    job: Job, gate: Callable[..., Path]
) -> None:
    """Some checks may have been judged by then; only the record is missing."""
    gate(GREEN)
    (job.root / "z").mkdir()
    text = "import os, sys\n\n\ndef test_end():\n    sys.stdout.flush()\n    os._exit(3)\n"
    (job.root / "z" / "test_end.py").write_text(text, encoding="utf-8")
    done = job.gate(command="pytest")
    assert done.returncode == 3
    assert "npu-compat.yaml ." in done.stdout
    (said,) = (line for line in done.stdout.splitlines() if "::error" in line)
    assert said == (
        "::error title=npu-compat::The run ended with code 3 and left no record of what it judged; "
        "the log says why."
    )


def test_inputs_become_arguments_as_they_are(job: Job, gate: Callable[..., Path]) -> None:
    gate(RED, "some gates/a.npu.yaml")
    (job.root / "some gates" / "models").symlink_to(job.root / "models")
    quirk = 'some gates\n\n--strict-waivers\r\n--cache-dir=$(touch pwned) "; touch pwned'
    done = job.gate(args=quirk, strict="false")
    assert done.returncode == 1
    assert "half_on_npu" in done.stdout
    assert not (job.root / "pwned").exists()
    assert (job.root / '$(touch pwned) "; touch pwned').is_dir()


def test_baseline(job: Job, gate: Callable[..., Path]) -> None:
    gate(GREEN.replace('">= 96%"', "{max_drop: 0pp}"))
    assert job.gate(baseline="missing.json").returncode == 1
    assert "missing.json" in job.summary


@pytest.mark.parametrize(
    ("inputs", "id_", "artifact"),
    [
        ({}, "gate", "npu-compat-gate"),
        ({"index": "2", "total": "3"}, "gate-2", "npu-compat-gate-2"),
        ({"name": "detectors"}, "detectors", "npu-compat-detectors"),
        ({"name": "모델 게이트"}, "모델 게이트", "npu-compat-모델 게이트"),
        ({"name": "d", "index": "0", "total": "2"}, "d-0", "npu-compat-d-0"),
        ({"name": 'a/b:"c"*,\\|<>?\nid=x'}, "a-b--c-------- id=x".replace(" ", "-"), None),
        ({"artifact": "mine"}, "gate", "mine"),
        ({"artifact": "none"}, "gate", "none"),
        ({"artifact": "a\nid=evil"}, "gate", "a-id=evil"),
    ],
    ids=str,
)
def test_identity(job: Job, inputs: dict[str, str], id_: str, artifact: str | None) -> None:
    outputs = job.identify(**inputs)
    assert outputs == {"id": id_, "artifact": artifact or f"npu-compat-{id_}"}


def test_uses_in_one_job_have_identities_of_their_own(job: Job) -> None:
    names = ("", "", "red", "gate", "red", "gate-2", "e", "")
    found = [job.identify(name=name)["id"] for name in names]
    assert found == ["gate", "gate-2", "red", "gate-3", "red-2", "gate-2-2", "e", "gate-4"]
    assert len(set(found)) == len(names)


def test_failed_upload_says_what_to_do(job: Job) -> None:
    (call,) = (s["run"] for s in STEPS if "upload-failed" in s.get("run", ""))
    said = job.step(call).stdout
    assert said.startswith("::error title=npu-compat::The reports were not uploaded.")
    assert said.count("\n") == 1


def test_prepare_removes_verdicts_that_were_checked_in(job: Job) -> None:
    kept = [job.root / ".npu_compat_cache" / "a.json", job.root / ".pytest_cache/d/npu-compat/b"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.touch()
    done = job.step(step("prepare")["run"])
    assert done.returncode == 0, done.stderr
    assert not any(path.parent.exists() for path in kept)
    assert Path(job.outputs["pip-cache"]).name == "pip"
    assert job.outputs["platform"].endswith("-".join(map(str, sys.version_info[:2])))


@pytest.mark.parametrize(
    ("version", "code", "installed"),
    [
        ("", 0, str(ROOT)),
        ("1.2.3", 0, "pytest-npu-compat==1.2.3"),
        ("installed", 0, ""),
        ("1 --index-url=evil", 2, ""),
        ("-r/etc/passwd", 2, ""),
    ],
)
def test_install(job: Job, version: str, code: int, installed: str) -> None:
    """Nothing is downloaded here: pip is one that writes down what it is asked for."""
    tools = job.root / "tools"
    tools.mkdir()
    fake = tools / "python"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{job.root}/asked"\n', encoding="utf-8")
    fake.chmod(0o755)
    (call,) = (s["run"] for s in STEPS if "install.sh" in s.get("run", ""))
    done = job.step(f'PATH="{tools}:$PATH"; {call}', version=version)
    assert done.returncode == code, done.stderr
    asked = job.root / "asked"
    words = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
    assert words[-1:] == ([installed] if installed else [])


@dataclass
class Comments:
    """A stand-in for GitHub's API: the comments of pull request 7."""

    url: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    refuse: int = 0

    def add(self, body: str, login: str) -> None:
        self.entries.append({"id": len(self.entries), "body": body, "user": {"login": login}})

    def answer(self, method: str, path: str, body: str) -> Any:
        """Answers a request as the API does.

        Raises:
            LookupError: There is no such place.
        """
        place, _, query = path.partition("?")
        base = "/repos/octo/models/issues"
        if (method, place) == ("GET", f"{base}/7/comments"):
            asked = dict(pair.split("=") for pair in query.split("&"))
            size, page = int(asked["per_page"]), int(asked["page"])
            return self.entries[size * (page - 1) : size * page]
        if (method, place) == ("POST", f"{base}/7/comments"):
            self.add(json.loads(body)["body"], "bot[bot]")
            return self.entries[-1]
        if method == "PATCH" and place.startswith(f"{base}/comments/"):
            entry = self.entries[int(place.rpartition("/")[2])]
            entry["body"] = json.loads(body)["body"]
            return entry
        raise LookupError(path)


@pytest.fixture
def api(job: Job) -> Iterator[Comments]:
    comments = Comments()

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            comments.requests.append(self.command)
            comments.tokens.add(self.headers.get("Authorization"))
            code, answer = comments.refuse or 200, {}
            if not comments.refuse:
                answer = comments.answer(self.command, self.path, body)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        do_GET = do_POST = do_PATCH = _handle  # noqa: N815 - as http.server calls them

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    comments.url = f"http://127.0.0.1:{server.server_port}"
    job.environment["GITHUB_API_URL"] = comments.url
    yield comments
    server.shutdown()
    server.server_close()


def test_comment_is_written_once_and_then_updated(
    job: Job, api: Comments, gate: Callable[..., Path]
) -> None:
    api.add("looks good", "someone")
    gate(RED)
    job.gate()
    assert job.comment().returncode == 0
    assert len(api.entries) == 2
    first = api.entries[1]["body"]
    marker = r"<!-- npu-compat: [0-9a-f]{32} run 42\.1 -->"
    assert re.match(rf"{marker}\n## ❌ NPU compatibility: failed", first)
    assert first.endswith("[Log and reports](https://github.example/octo/models/actions/runs/42)\n")
    assert first.splitlines()[-1].startswith("`gate`: ")
    gate(GREEN)
    job.again(run=43)
    job.gate()
    done = job.comment()
    assert (done.returncode, done.stdout) == (0, "")
    assert len(api.entries) == 2
    assert "## ✅ NPU compatibility: passed" in api.entries[1]["body"]
    assert api.tokens == {"Bearer secret"}


def written(job: Job, api: Comments, **inputs: str) -> str:
    """First line of the comment that a gate has just written."""
    before = [entry["body"] for entry in api.entries]
    assert job.comment(**inputs).returncode == 0
    (new,) = (entry["body"] for entry in api.entries if entry["body"] not in before)
    return str(new.splitlines()[0])


@pytest.mark.parametrize(
    "other",
    [
        {"name": "모델 게이트"},
        {"name": "타겟 검사"},
        {"name": "a/b"},
        {"name": "a:b"},
        {"id": "gate-2"},
        {"id": "gate-1"},
    ],
    ids=str,
)
def test_comments_of_two_gates_of_a_job_are_two(
    job: Job, api: Comments, other: dict[str, str]
) -> None:
    """Also if what is special in their names is all that differs."""
    mine = [written(job, api, name=name) for name in ("", "게이트 검사", "a b")]
    theirs = written(job, api, **other)
    assert len(api.entries) == 4
    assert theirs not in mine


@pytest.mark.parametrize(
    "change",
    [
        {"GITHUB_JOB": "other"},
        {"GITHUB_WORKFLOW": "모델"},
        {"GITHUB_WORKFLOW_REF": "octo/models/.github/workflows/nightly.yml@refs/pull/7/merge"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_comments_of_two_jobs_and_workflows_are_two(
    job: Job, api: Comments, change: dict[str, str]
) -> None:
    first = written(job, api)
    job.environment |= change
    assert written(job, api) != first
    assert len(api.entries) == 2


def test_ref_of_the_workflow_makes_no_other_comment(job: Job, api: Comments) -> None:
    written(job, api)
    job.environment["GITHUB_WORKFLOW_REF"] = "octo/models/.github/workflows/ci.yml@refs/heads/x"
    job.again(run=43)
    job.comment()
    assert len(api.entries) == 1


def test_green_gate_does_not_replace_the_comment_of_a_red_one_of_the_same_run(
    job: Job, api: Comments, gate: Callable[..., Path]
) -> None:
    """Two calls of a reusable workflow without names: GitHub shows no difference between them."""
    for run in (42, 43):
        job.again(run=run)
        said = []
        for text in (RED, GREEN):
            gate(text)
            job.gate()
            said.append(job.comment().stdout)
        assert said[0] == ""
        assert said[1].startswith("::warning title=npu-compat::Another gate of this run")
        verdicts = ["failed" in e["body"].split("\n")[1] for e in api.entries]
        assert verdicts == [True, False]
        assert all(f"actions/runs/{run})" in entry["body"] for entry in api.entries)


def test_repeated_attempt_updates_its_comment(job: Job, api: Comments) -> None:
    written(job, api)
    job.again(run=42, attempt=2)
    assert job.comment().stdout == ""
    assert len(api.entries) == 1
    assert " run 42.2 -->" in api.entries[0]["body"]


def test_comment_of_another_job_or_author_is_left_alone(job: Job, api: Comments) -> None:
    marker = written(job, api)
    mine = api.entries.pop()["body"]
    earlier = marker.replace("42.1", "41.1")
    digest = marker.split()[2]
    other = earlier.replace(digest, digest[::-1])
    api.add(f"{earlier}\nnot yours", "someone")
    api.add(f"{other}\nanother job", "bot[bot]")
    assert job.comment().returncode == 0
    assert [entry["body"] for entry in api.entries] == [
        f"{earlier}\nnot yours",
        f"{other}\nanother job",
        mine,
    ]
    assert mine.startswith(f"{marker}\n## ❌ NPU compatibility: no verdict")


def test_own_comment_is_found_on_a_later_page(job: Job, api: Comments) -> None:
    for i in range(250):
        api.add(f"comment {i}", "someone")
    written(job, api)
    job.again(run=43)
    api.requests.clear()
    job.comment()
    assert len(api.entries) == 251
    assert api.requests == ["GET", "GET", "GET", "PATCH"]


def test_name_of_a_gate_is_harmless_in_its_comment(job: Job, api: Comments) -> None:
    job.comment(id="`<b> @all [x](y)`" + "x" * 200)
    shown = api.entries[0]["body"].splitlines()[-1]
    assert re.fullmatch(r"`'<b> @all \[x\]\(y\)'x+`: \[Log and reports\]\(\S+\)", shown)


def test_long_comment_fits(job: Job, api: Comments, tmp_path: Path) -> None:
    file = tmp_path / "long.md"
    file.write_text("é" * 100_000, encoding="utf-8")
    job.comment(file=str(file))
    assert len(api.entries[0]["body"]) == 65_536


@pytest.mark.parametrize(
    ("status", "said"),
    [(403, "::notice title=npu-compat::"), (500, "::warning title=npu-compat::")],
)
def test_comment_that_is_refused_changes_no_verdict(
    job: Job, api: Comments, status: int, said: str
) -> None:
    """Tokens of pull requests from forks may only read."""
    api.refuse = status
    done = job.comment()
    assert done.returncode == 0
    assert done.stdout.startswith(said)
    assert "Traceback" not in done.stderr


def test_unreachable_api_and_runs_without_pull_request(job: Job) -> None:
    job.environment["GITHUB_API_URL"] = "http://127.0.0.1:9"
    assert job.comment().stdout.startswith("::warning title=npu-compat::No comment")
    Path(job.environment["GITHUB_EVENT_PATH"]).write_text("{}", encoding="utf-8")
    done = job.comment()
    assert (done.returncode, done.stdout.split("::")[1]) == (0, "notice title=npu-compat")


def calls(tree: Any) -> Iterator[str]:
    """All that `run:` says anywhere in a file."""
    if isinstance(tree, dict):
        if isinstance(tree.get("run"), str):
            yield tree["run"]
        for value in tree.values():
            yield from calls(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from calls(value)


@pytest.mark.parametrize("file", [ACTION / "action.yml", *WORKFLOWS], ids=lambda f: f.name)
def test_yaml_holds_no_logic(file: Path) -> None:
    """A step calls one thing; what comes from outside reaches it through the environment."""
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    for call in calls(tree):
        assert "${{" not in call
        assert "\n" not in call.strip()
        assert not re.search(r"&&|\|\||;|\bif\b|\|", call), call


@pytest.mark.parametrize("file", [ACTION / "action.yml", *WORKFLOWS], ids=lambda f: f.name)
def test_actions_are_pinned_and_tokens_are_not_left_behind(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for name, comment in used:
        own = name.startswith("$/")
        assert own or re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name), name
        assert own or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), comment
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


DOCS = ROOT / "docs" / "ci.md"
DOCUMENTED = [
    block
    for block in re.findall(r"```yml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    if "jobs:" in block
]


@pytest.mark.parametrize("block", DOCUMENTED, ids=["action", "workflow"])
def test_documented_workflows(block: str, tmp_path: Path) -> None:
    """What people copy: valid, and every input in it is one that there is."""
    workflow = yaml.safe_load(block)
    (job,) = workflow["jobs"].values()
    if "steps" in job:
        given, known = job["steps"][-1]["with"], METADATA["inputs"]
        assert job["steps"][-1]["uses"].endswith(
            f"/pytest-npu-compat/{ACTION.relative_to(ROOT)}@REF"
        )
    else:
        (file,) = (f for f in WORKFLOWS if f.name == "npu-compat.yml")
        called = yaml.safe_load(file.read_text(encoding="utf-8"))
        given, known = job["with"], called[True]["workflow_call"]["inputs"]  # YAML's "on"
        assert job["uses"].endswith(f"/pytest-npu-compat/{file.relative_to(ROOT)}@REF")
    assert set(given) <= set(known)
    linter = installed("actionlint")
    path = tmp_path / "workflow.yml"
    path.write_text(block, encoding="utf-8")
    done = subprocess.run([linter, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_input_of_the_action_is_documented_and_has_its_default() -> None:
    rows = re.findall(r"(?m)^\| (`.*?) \|.*\| (.*?) ?\|$", DOCS.read_text(encoding="utf-8"))
    documented = {name.strip("`") for names, _ in rows for name in names.split(", ")}
    assert documented == set(METADATA["inputs"])
    defaults = {
        names.strip("`"): default.strip("`")
        for names, default in rows
        if re.fullmatch(r"`[^`]+`", default) and "," not in names
    }
    assert set(defaults) == {"command", "strict", "python-version"}
    assert defaults == {name: METADATA["inputs"][name]["default"] for name in defaults}


def test_documented_matrix_of_gates() -> None:
    text = DOCS.read_text(encoding="utf-8")
    (block,) = (b for b in re.findall(r"```yml\n(.*?)```", text, re.DOTALL) if "matrix:" in b)
    (job,) = yaml.safe_load(block).values()
    (file,) = (f for f in WORKFLOWS if f.name == "npu-compat.yml")
    known = yaml.safe_load(file.read_text(encoding="utf-8"))[True]["workflow_call"]["inputs"]
    assert "name" in job["with"]
    assert set(job["with"]) <= set(known)


def installed(linter: str) -> str:
    """Path of a linter; skips the test if it is not there."""
    beside = Path(sys.executable).with_name(linter)
    found = str(beside) if beside.exists() else shutil.which(linter)
    if found is None:
        pytest.skip(f"{linter} is not installed; `make lint` runs it")
    return found


AS_WORKFLOW = ROOT / ".ci" / "lint_action.py"
LINTERS = {
    "actionlint": ["actionlint", *map(str, WORKFLOWS)],
    "shellcheck": ["shellcheck", *map(str, sorted(ACTION.glob("*.sh")))],
    "zizmor": ["zizmor", "--offline", "--quiet", str(ROOT / ".github")],
}


@pytest.mark.parametrize("linter", LINTERS)
def test_linters_have_nothing_to_say(linter: str) -> None:
    command = [installed(linter), *LINTERS[linter][1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_linter_has_nothing_to_say_of_the_steps_of_the_action() -> None:
    done = linted_action(ACTION / "action.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps.gate.outputs.verdict", "steps.gaet.outputs.verdict", '"gaet" is not defined'),
        ("inputs.strict", "inputs.strikt", '"strikt" is not defined'),
        ("inputs.baseline", "inputs.basline", '"basline" is not defined'),
        ("always() && inputs", "alwyas() && inputs", 'undefined function "alwyas"'),
        ('cat "$GITHUB_ACTION_PATH/upload-failed.txt"', "cat $GITHUB_ACTION_PATH/x", "SC2086"),
    ],
)
def test_linter_sees_the_steps_of_the_action(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = (ACTION / "action.yml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "action.yml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    done = linted_action(path)
    assert done.returncode == 1
    assert said in done.stdout


def linted_action(path: Path) -> subprocess.CompletedProcess[str]:
    for linter in ("actionlint", "shellcheck"):
        installed(linter)
    command = [sys.executable, str(AS_WORKFLOW), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_lint_runs_in_ci_and_takes_the_action_and_all_workflows() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipe = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    assert "actionlint -shellcheck $(BIN)/shellcheck $(WORKFLOWS)" in recipe
    assert ".ci/lint_action.py $(ACTION)" in recipe
    assert f"\nACTION = {(ACTION / 'action.yml').relative_to(ROOT)}\n" in makefile
    ci = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    assert "make lint" in calls(ci["jobs"]["lint"])
