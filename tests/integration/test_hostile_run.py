"""Models with hostile names, from the file to every output of a run: nothing becomes markup or a command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import cmarkgfm
import jsonschema
import models
import onnx
import pytest
import xmlschema
from cmarkgfm.cmark import Options
from runs import HOSTILE

from pytest_npu_compat.cli import main
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.html import to_html
from pytest_npu_compat.render.schema import run_schema

DATA = Path(__file__).parents[1] / "data"
SARIF = json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
FORMATS = {"html": "html", "junit": "xml", "markdown": "md", "sarif": "sarif", "json": "json"}
GATE = """\
version: 1
thresholds: {npu_ratio: ">= 96%", qdq_pairs: 0}
models: ["hostile/*.onnx"]
"""
NAMES = [name for key, name in HOSTILE.items() if key != "surrogate"]  # is no UTF-8


def hostile_model(name: str) -> onnx.ModelProto:
    """The model that is half on the NPU, all its nodes, tensors and the graph renamed."""
    net = models.half_on_npu().build()
    tensors = {t: f"{name}{t}" for node in net.graph.node for t in (*node.input, *node.output)}
    for node in net.graph.node:
        node.input[:] = [tensors[t] for t in node.input]
        node.output[:] = [tensors[t] for t in node.output]
        node.name = f"{name}{node.name}"
    for infos in (net.graph.input, net.graph.output, net.graph.initializer, net.graph.value_info):
        for info in infos:
            info.name = tensors.get(info.name, info.name)
    net.graph.name = name
    return net


@pytest.fixture
def hostile(project: Path, gate: Callable[..., Path]) -> Path:
    folder = project / "hostile"
    folder.mkdir()
    for i, name in enumerate(NAMES):
        allowed = re.sub(r"[/\x00]", "_", name)[:60]
        path = folder / f"{i}{allowed}.onnx"
        path.write_bytes(hostile_model(name).SerializeToString())
    gate(GATE)
    return project


class Elements(HTMLParser):
    """Elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {key for key, _ in attrs}


def assert_harmless(project: Path, files: dict[str, str], printed: str) -> None:
    run = json.loads(files["json"])
    jsonschema.Draft202012Validator(run_schema()).validate(run)
    assert len(run["outcomes"]) == 2 * len(NAMES), "every model is judged"
    assert {o["status"] for o in run["outcomes"] if o["metric"] == "npu_ratio"} == {"failed"}

    jsonschema.Draft4Validator(SARIF).validate(json.loads(files["sarif"]))
    xmlschema.XMLSchema(DATA / "junit-10.xsd").validate(files["junit"])
    tags = {element.tag for element in ET.fromstring(files["junit"].encode()).iter()}
    assert tags <= {
        *("testsuites", "testsuite", "testcase", "failure", "properties", "property"),
        "system-out",
    }

    markdown = cmarkgfm.github_flavored_markdown_to_html(
        files["markdown"], Options.CMARK_OPT_UNSAFE
    )
    assert not {"a", "script", "img", "h1"} & set(Elements(markdown).tags)

    page = Elements(files["html"])
    assert not [name for name in page.attributes if name.startswith("on")]
    assert not {"iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert "<script>alert(1)" not in files["html"]
    empty = to_html(GateRun(()))
    assert page.tags.count("script") == Elements(empty).tags.count("script")

    for text in (*files.values(), printed):
        shown = json.dumps(json.loads(text)) if text is files["json"] else text
        # Libraries of the page contain such characters.
        assert not [c for c in shown if not c.isprintable() and c not in "\n\t" and c not in empty]
    longest = max(len(line) for line in printed.splitlines())
    assert longest < 2000


@pytest.fixture
def files(hostile: Path) -> Callable[[], dict[str, str]]:
    return lambda: {
        name: (hostile / f"run.{suffix}").read_text(encoding="utf-8")
        for name, suffix in FORMATS.items()
    }


def test_pytest(
    hostile: Path, run: Callable[..., pytest.RunResult], files: Callable[[], dict[str, str]]
) -> None:
    result = run(*(f"--npu-{name}=run.{suffix}" for name, suffix in FORMATS.items()))
    result.assert_outcomes(passed=len(NAMES), failed=len(NAMES))
    printed = result.stdout.str()
    assert_harmless(hostile, files(), printed)
    assert not re.findall(r"(?m)^\s*::|##\[", printed), "no command of GitHub's runner"


def test_check_in_a_job(
    hostile: Path,
    files: Callable[[], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(hostile)
    for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (hostile / variable).touch()
        monkeypatch.setenv(variable, str(hostile / variable))
    options = [f"--{name}=run.{suffix}" for name, suffix in FORMATS.items()]
    assert main(["check", "--github", *options]) == 1
    printed = capsys.readouterr().out
    assert_harmless(hostile, files(), printed)
    commands = re.findall(r"(?m)^\s*(::.*|.*##\[.*)$", printed)
    assert len(commands) == 11, "ten failures, and where the others are"
    own = re.compile(
        r"::error file=npu-compat\.yaml,line=\d+,title=|::(notice|warning|error) title="
    )
    assert all(own.match(command) for command in commands)
    summary = (hostile / "GITHUB_STEP_SUMMARY").read_text(encoding="utf-8")
    html = cmarkgfm.github_flavored_markdown_to_html(summary, Options.CMARK_OPT_UNSAFE)
    assert not {"a", "script", "img", "h1"} & set(Elements(html).tags)
    output = (hostile / "GITHUB_OUTPUT").read_text(encoding="utf-8")
    assert output.count("verdict<<") == 1
    assert "\nverdict=passed" not in output
