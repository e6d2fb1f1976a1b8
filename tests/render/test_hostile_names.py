"""Names from model and gate files are harmless in every output for CI."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import cmarkgfm
import jsonschema
import pytest
import runs
import xmlschema
from cmarkgfm.cmark import Options

from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.github import annotation_lines, format_outputs, outputs
from pytest_npu_compat.render.junit import to_junit
from pytest_npu_compat.render.markdown import to_markdown
from pytest_npu_compat.render.names import without_commands
from pytest_npu_compat.render.sarif import to_sarif

DATA = Path(__file__).parents[1] / "data"
JUNIT = xmlschema.XMLSchema(DATA / "junit-10.xsd")
SARIF = json.loads((DATA / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))

WRITERS = {
    "junit": to_junit,
    "sarif": to_sarif,
    "markdown": to_markdown,
    "annotations": annotation_lines,
    "outputs": lambda run: format_outputs(outputs(run)),
}


@pytest.fixture(params=list(runs.HOSTILE))
def run(request: pytest.FixtureRequest) -> GateRun:
    return runs.hostile_run(runs.HOSTILE[request.param])


@pytest.mark.parametrize("writer", WRITERS)
def test_no_control_characters_bounded_and_utf8(run: GateRun, writer: str) -> None:
    text = WRITERS[writer](run)
    parsed = ET.fromstring(text.encode()) if writer == "junit" else None
    shown = "".join(parsed.itertext()) if parsed is not None else text
    assert not [c for c in shown if not c.isprintable() and c != "\n"]
    assert len(text.encode()) < 150_000


def test_junit_is_valid_and_complete(run: GateRun) -> None:
    text = to_junit(run)
    JUNIT.validate(text)
    root = ET.fromstring(text.encode())
    tags = {element.tag for element in root.iter()} - {"property", "properties", "testsuites"}
    assert tags <= {"testsuite", "testcase", "failure", "error", "skipped", "system-out"}
    assert len(list(root.iter("testcase"))) == 7
    assert (root.get("failures"), root.get("errors")) == ("2", "1")


def test_sarif_is_valid_without_links_placeholders_and_absolute_paths(run: GateRun) -> None:
    log = json.loads(to_sarif(run).encode())
    jsonschema.Draft4Validator(SARIF).validate(log)
    results = log["runs"][0]["results"]
    assert len(results) == 5
    for result in results:
        messages = [result["message"]["text"]]
        messages += [place["message"]["text"] for place in result.get("relatedLocations", [])]
        for message in messages:
            assert "](" not in message
            assert not re.search(r"(?<!\{)(\{\{)*\{\d+\}", message)
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert re.fullmatch(r"[\w.~%/-]+", uri)
        assert not uri.startswith(("/", "../"))


class Page(HTMLParser):
    """What a browser would make of a page: elements, and text outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.bare: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in ("br", "hr", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"code", "pre"} & set(self.open):
            self.bare.append(data)


def page(text: str) -> Page:
    """As GitHub renders Markdown, raw HTML kept."""
    parsed = Page()
    html = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    parsed.feed(html)
    assert not parsed.open
    return parsed


TABLE = {"table", "thead", "tbody", "tr", "th", "td"}
ALLOWED = {"h2", "h3", "p", "ul", "li", "details", "summary", "pre", "code", *TABLE}


def test_markdown_makes_no_element_link_or_mention_of_a_name(run: GateRun) -> None:
    parsed = page(to_markdown(run))
    assert parsed.tags <= ALLOWED
    bare = "".join(parsed.bare)
    assert not re.search(r"@|https?:|www\.|#\d|GH-\d|deadbeef|alert", bare), "outside of code"
    assert bare.count("NPU compatibility") == 1


def test_markdown_table_keeps_its_columns(run: GateRun) -> None:
    rows = [line for line in to_markdown(run).splitlines() if line.startswith("| ")]
    assert {row.count("|") for row in rows} == {8}


def commands(text: str) -> Iterator[str]:
    """Commands that GitHub's runner finds in what a job prints."""
    for line in text.split("\n"):
        if line.lstrip().startswith("::"):
            yield line.lstrip().split(" ")[0]
        elif "##[" in line:
            yield line[line.index("##[") :]


def test_annotations_are_ours_alone(run: GateRun) -> None:
    text = annotation_lines(run)
    assert list(commands(text)) == ["::error"] * 3 + ["::warning"]
    assert len(text.split("\n")) == 5


def test_outputs_are_ours_alone(run: GateRun) -> None:
    text = format_outputs(outputs(run, runs.HOSTILE["delimiter"]))
    assert len(re.findall(r"^(?!npu-compat-)[\w-]+<<npu-compat-", text, re.MULTILINE)) == 8
    assert text.count("verdict<<") == 1


@pytest.mark.parametrize("name", list(runs.HOSTILE.values()), ids=list(runs.HOSTILE))
def test_text_of_a_failure_has_no_command(name: str) -> None:
    assert not list(commands(without_commands(f"{name}\n  {name}\n##[x]")))
