"""The HTML page: all of a run is in it, and nothing but that."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import html_runs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.outcome import GateRun, Note
from pytest_npu_compat.render import html
from pytest_npu_compat.render.html import to_html
from pytest_npu_compat.render.html_data import model_data
from pytest_npu_compat.render.html_view import page_view, verdict

VENDOR = Path(html.__file__).parents[1] / "data" / "html" / "vendor"


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, texts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


def rows(text: str, table: str) -> list[str]:
    """Texts of the rows of all tables of a class."""
    bodies = re.findall(rf'<table class="{table}".*?</table>', text, re.DOTALL)
    return [re.sub(r"<[^>]*>", "", row) for body in bodies for row in body.split("<tr")[2:]]


def test_same_run_gives_the_same_bytes() -> None:
    assert to_html(html_runs.mixed_run()) == to_html(html_runs.mixed_run())


def test_every_operator_is_in_the_table_and_in_the_data() -> None:
    names = [f"block_{i}/conv" for i in range(40)]
    text = to_html(html_runs.run_of(html_runs.report(*map(html_runs.operator, names))))
    assert [n for n in names if not any(n in row for row in rows(text, "operators"))] == []
    assert [o["name"] for o in Page(text).data[0]["operators"]] == names


def test_many_operators_leave_the_table_to_those_off_the_npu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(html, "MAX_ROWS", 3)
    text = to_html(html_runs.mixed_run())
    found = " ".join(rows(text, "operators"))
    assert "pool" in found
    assert "conv_a" not in found
    assert "Many operators: this table lists those" in text
    assert {o["name"] for m in Page(text).data for o in m["operators"]} >= {"conv_a", "pool"}


def test_every_metric_with_a_value_is_shown() -> None:
    report = html_runs.report(html_runs.operator("a"))
    text = to_html(html_runs.run_of(report))
    shown = " ".join(rows(text, "metrics"))
    assert [name for name in METRICS if name in report.metrics and name not in shown] == []


def test_checks_stand_worst_first_with_their_place() -> None:
    text = to_html(html_runs.mixed_run())
    statuses = re.findall(r'<tbody data-status="(\w+)"', text)
    assert statuses == ["not_analyzable", "failed", "warned", "passed", "off"]
    assert "npu-compat.yaml:7" in text


def test_failure_teaches_without_scripts() -> None:
    text = Page(to_html(html_runs.mixed_run())).text
    for part in ("kernel-size", "Kernels are small.", "10x4", "1, 2, 3, 5, 7, 9", "Use 3x3."):
        assert part in text
    for part in ("wrong-zero", "invalid-model", "Export it again.", "A waiver has nothing to"):
        assert part in text


def test_operators_that_left_the_npu_are_named() -> None:
    run = html_runs.mixed_run()
    text = to_html(run)
    card = text.partition("Since the baseline")[2].partition("</div>")[0]
    assert "Left the NPU" in card
    assert "pool" in card
    assert "stem" not in card
    without = to_html(GateRun(run.outcomes, run.reports, {}, run.notes))
    assert "Since the baseline</h3>" not in without


def test_data_of_an_operator() -> None:
    model = next(m for m in page_view(html_runs.mixed_run()).models if "bad" in m.key)
    data = model_data(model)
    stem, pool, head, tail = data["operators"]
    assert (stem["partition"], head["partition"], "partition" in pool) == (0, 1, False)
    assert pool["left"] is True
    assert "left" not in stem
    assert stem["shape"] == "1×16×?×8"
    assert tail["placement"] == "unknown"
    rule, actual = pool["reasons"][0]
    assert (data["rules"][rule]["rule"], actual) == ("kernel-size", "10x4")
    assert [(p["first"], p["last"]) for p in data["partitions"]] == [(0, 0), (2, 2)]


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (GateRun(), "Nothing was judged"),
        (GateRun((html_runs.outcome(),)), "The check holds"),
        (
            GateRun((html_runs.outcome(), html_runs.outcome("n", "waived"))),
            "1 of 2 checks holds; 1 waived",
        ),
        (GateRun((html_runs.outcome(status="failed"),)), "1 of 1 check fails, in 1 model"),
        (
            GateRun((html_runs.outcome(),), notes=(Note("x", "error", "broken"),)),
            "1 error outside the checks",
        ),
    ],
)
def test_verdict(run: GateRun, said: str) -> None:
    assert verdict(run) == said
    text = to_html(run)
    assert ("Passed</span>" in text, "Failed</span>" in text) == (run.passed, not run.passed)
    assert said in text


def test_nothing_is_loaded() -> None:
    page = Page(to_html(html_runs.mixed_run()))
    loading = [
        (tag, value)
        for tag, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href", "data", "action", "srcset", "xlink:href", "formaction")
        and value is not None
        and not value.startswith("#")
    ]
    assert loading == [("link", "data:,")]
    style = to_html(GateRun()).partition("<style>")[2].partition("</style>")[0]
    assert re.findall(r"url\((?!#)", style) == []
    assert "@import" not in style


def test_policy_knows_every_script() -> None:
    page = Page(to_html(html_runs.mixed_run()))
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("'sha256-") == len(page.scripts) - 1  # the data is no script
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "unsafe-eval" not in policy


def test_hostile_names_stay_names() -> None:
    text = to_html(html_runs.hostile_run())
    page = Page(text)
    text.encode("utf-8")  # a lone surrogate would not be writable
    harmless = Page(to_html(html_runs.mixed_run()))
    assert len(page.scripts) == len(harmless.scripts)
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in harmless.elements}
    names = {name for _, attributes in page.elements for name in attributes}
    assert [name for name in names if name.startswith("on")] == []
    assert "<script>alert(1)</script>" in page.text
    assert "{{7*7}}" in page.text
    assert "long" * 600 not in text
    markup = text.replace("\n", "")
    assert [c for c in "\x00\x1b\u202e\u2028\ud800" if c in markup] == []
    raw = text.partition('id="data">')[2].partition("</script>")[0]
    assert not re.search("[<>&\u2028\u2029]", raw)
    assert page.data[0]["operators"][0]["name"] == "<script>alert(1)</script>"


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_name_is_kept_out_of_the_markup(name: str) -> None:
    operator = html_runs.operator(name, "cpu", kind=name)
    page = Page(to_html(html_runs.run_of(html_runs.report(operator, name="m"))))
    plain = Page(to_html(html_runs.run_of(html_runs.report(html_runs.operator("x", "cpu")))))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in plain.elements]
    assert len(page.data) == 1


def test_models_of_one_name_are_told_apart_by_their_gate_file() -> None:
    run = html_runs.run_of(html_runs.report(html_runs.operator("a")))
    assert [m.name for m in page_view(run).models] == ["m[ethos-n78]"]
    (report,) = run.reports.values()
    keys = ("a.yaml::m[ethos-n78]", "b.yaml::m[ethos-n78]")
    both = page_view(GateRun(run.outcomes, dict.fromkeys(keys, report)))
    assert tuple(m.name for m in both.models) == keys


def test_placement_of_a_later_version_is_unknown() -> None:
    report = html_runs.report(html_runs.operator("a", "dsp"))
    data = Page(to_html(html_runs.run_of(report))).data
    assert data[0]["operators"][0]["placement"] == "unknown"


def test_vendored_libraries_are_those_of_the_readme() -> None:
    readme = (VENDOR / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `(\S+\.js)` .*`([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    present = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in VENDOR.glob("*.js")}
    assert listed == present
    assert len(present) == 2


def test_page_without_data_is_light() -> None:
    assert len(to_html(GateRun()).encode()) < 1_000_000


def test_error_of_a_gate_file_tells_its_place_and_headline_once() -> None:
    text = "npu-compat.yaml:4:14: Unknown key.\n  4 | model: []\n    | ^"
    run = GateRun(notes=(Note("gate-error", "error", text, "npu-compat.yaml", 4),))
    shown = Page(to_html(run)).text
    assert shown.count("npu-compat.yaml") == shown.count("Unknown key.") == 1
    assert "4 | model: []" in shown


def test_limit_stays_on_one_line_and_is_the_same_text() -> None:
    message = "npu_ratio 50.0% <b>, required ≥ 96%, exactly 0"
    check = replace(html_runs.outcome(status="failed"), message=message, text=message)
    text = to_html(GateRun((check,)))
    assert '<span class="unbroken">≥ 96%</span>, <span class="unbroken">exactly 0</span>' in text
    assert message in Page(text).text
    assert "<b>" not in text


def test_same_explanation_is_told_once_on_paper() -> None:
    first = html_runs.outcome(status="failed")
    same = replace(
        html_runs.outcome(status="failed", metric="npu_mac_ratio"),
        text=f"npu_mac_ratio\n{first.text.partition(chr(10))[2]}",
    )
    other = replace(html_runs.outcome(status="failed", metric="hazards"), text="hazards\n\n  else")
    elsewhere = replace(html_runs.outcome("n", "failed"), text=first.text)
    view = page_view(GateRun((first, same, other, elsewhere)))
    assert view.repeats == {same.id: "npu_ratio"}
    assert to_html(GateRun((first, same))).count('<details class="screen">') == 1
