"""The HTML page in a browser, opened as a file: it works, says nothing on the console, loads nothing.

Needs the extra ``browser`` and Chromium; skips without them.
"""

from __future__ import annotations

import itertools
import re
import runpy
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import html_runs
import pytest

from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.html import to_html

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
FLAGS += ["--disable-background-networking"]
MANY = 3000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as driver:
        found = found or driver.chromium.executable_path
        if not Path(found).exists():
            pytest.skip("needs Chromium: install it or run `playwright install chromium`")
        chromium = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


class Opened:
    """A page, and what it did that it should not."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page = page
        self.bad: list[str] = []
        page.on("console", lambda message: self.bad.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.bad.append(f"error: {error}"))
        page.on("dialog", lambda dialog: self.bad.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self._requested(request.url, path.as_uri()))
        page.goto(path.as_uri())

    def _requested(self, url: str, own: str) -> None:
        if url != own and not url.startswith("data:"):
            self.bad.append(f"request: {url}")


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Opens the page of a run; afterwards nothing must have gone wrong in it."""
    opened: list[Opened] = []
    contexts = []

    def show(run: GateRun, **options: Any) -> Any:
        path = tmp_path / f"run{len(opened)}.html"
        path.write_text(to_html(run), encoding="utf-8")
        contexts.append(browser.new_context(**options))
        opened.append(Opened(contexts[-1].new_page(), path))
        return opened[-1].page

    yield show
    for context in contexts:
        context.close()
    assert [bad for page in opened for bad in page.bad] == []


def section(run: GateRun, name: str, page: Any) -> Any:
    return page.locator("section.model").filter(has=page.locator("h2", has_text=name))


def visible_checks(page: Any) -> list[str]:
    found = page.locator("#checks-table tbody:visible").all()
    return [body.get_attribute("data-status") for body in found]


def test_checks_are_filtered_by_status_model_and_text(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run())
    assert len(visible_checks(page)) == 5
    page.get_by_role("button", name="passed").click()
    assert "passed" not in visible_checks(page)
    assert page.locator("#filtered").inner_text() == "4 of 5 checks shown"
    page.locator("#filter-text").fill("NPU_partitions")
    assert visible_checks(page) == ["warned"]
    page.keyboard.press("Escape")
    assert len(visible_checks(page)) == 4
    page.locator("#filter-model").select_option(label="broken[ethos-n78]")
    assert visible_checks(page) == ["not_analyzable"]


def test_checks_are_sorted_by_keyboard(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run())
    head = page.locator("th[data-sort=model]")
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    models = page.locator("#checks-table th.model bdi").all_inner_texts()
    assert (models, head.get_attribute("aria-sort")) == (sorted(models), "ascending")
    page.keyboard.press("Enter")
    models = page.locator("#checks-table th.model bdi").all_inner_texts()
    assert models == sorted(models, reverse=True)


def test_click_on_an_operator_shows_all_about_it(open_page: Any) -> None:
    run = html_runs.mixed_run()
    model = section(run, "bad", open_page(run))
    model.locator("[role=option]").nth(1).click()
    detail = model.locator(".detail").inner_text()
    for part in ("2. Conv pool", "CPU", "1×16×?×8", "1,000 (25.0% of the model)", "was on the NPU"):
        assert part in detail
    for part in ("kernel-size", "Kernels are small.", "10x4", "1, 2, 3, 5, 7, 9", "Use 3x3."):
        assert part in detail
    model.locator("[role=option]").nth(0).click()
    assert "wrong-zero" in model.locator(".detail").inner_text()
    assert (
        "P0: 1 operator, in 1 tensor, 512 B, out 2 tensors, 64 B"
        in model.locator(".detail").inner_text()
    )


def test_picture_is_usable_by_keyboard_alone(open_page: Any) -> None:
    run = html_runs.mixed_run()
    page = open_page(run)
    model = section(run, "bad", page)
    picture, detail = model.locator(".picture"), model.locator(".detail h4")
    picture.focus()
    page.keyboard.press("ArrowRight")
    assert "1. Conv stem" in detail.inner_text()
    active = picture.get_attribute("aria-activedescendant")
    option = page.locator(f"#{active}")
    assert option.get_attribute("aria-selected") == "true"
    assert option.get_attribute("aria-label") == "Conv stem, 1 of 4, NPU, partition 0"
    page.keyboard.press("n")
    assert "2. Conv pool" in detail.inner_text()
    page.keyboard.press("End")
    assert "4. Conv tail" in detail.inner_text()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent").startswith("4. Conv tail")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "listbox"
    page.keyboard.press("Escape")
    assert "Choose an operator" in model.locator(".detail").inner_text()
    assert model.locator("[aria-selected=true]").count() == 0


def test_tab_reaches_every_control_and_shows_where_it_is(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run())
    reached = []
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "(() => { const e = document.activeElement; return [e.className, e.dataset.do ?? '',"
                " getComputedStyle(e).outlineStyle]; })()"
            )
        )
    classes = {name for css, do, _ in reached for name in (*css.split(), do)}
    assert {"skip", "chip", "picture", "wide", "in"} <= classes
    assert "out" not in classes  # a toolbar is one stop; arrows move within it
    assert [css for css, _, outline in reached if css and outline == "none"] == []


def test_toolbar_zooms_and_seeks(open_page: Any) -> None:
    run = html_runs.run_of(
        html_runs.report(*(html_runs.operator(f"c{i}") for i in range(30)), name="m")
    )
    page = open_page(run)
    width = page.locator("[role=option] rect").first

    def step() -> float:
        page.evaluate("new Promise(requestAnimationFrame)")
        return float(width.get_attribute("width"))

    before = step()
    page.get_by_role("button", name="Zoom in").click()
    assert step() > before * 1.3
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")  # zoom out
    assert step() == pytest.approx(before, rel=0.1)
    box = page.locator(".picture svg").first.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 100)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "before => document.querySelector('[role=option] rect').width.baseVal.value > before * 1.2",
        arg=before,
    )
    page.keyboard.up("Control")
    page.get_by_role("button", name="whole network").click()
    assert step() == pytest.approx(before, rel=0.01)
    page.locator("[data-do=find]").fill("C17")
    page.keyboard.press("Enter")
    assert "18. Conv c17" in page.locator(".detail").inner_text()
    assert page.get_by_role("button", name="next operator off the NPU").is_disabled()


def test_wheel_alone_scrolls_the_page(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run())
    page.evaluate("scrollTo(0, 1e6)")
    page.locator(".picture").first.scroll_into_view_if_needed()
    width = page.locator("[role=option] rect").first
    before = width.get_attribute("width")
    page.locator(".picture").first.hover()
    top = page.evaluate("scrollY")
    page.mouse.wheel(0, -200)
    page.wait_for_function("top => scrollY < top", arg=top)
    assert width.get_attribute("width") == before


def test_link_to_an_operator_chooses_it(open_page: Any) -> None:
    run = html_runs.mixed_run()
    model = section(run, "bad", open_page(run))
    model.get_by_role("link", name="pool").click()
    assert "2. Conv pool" in model.locator(".detail").inner_text()


def test_many_operators_stay_few_elements(open_page: Any) -> None:
    operators = [
        html_runs.operator(f"c{i}", "cpu" if i % 50 == 49 else "npu", i // 50) for i in range(MANY)
    ]
    page = open_page(html_runs.run_of(html_runs.report(*operators)))
    picture = page.locator(".picture")
    picture.scroll_into_view_if_needed()
    picture.focus()
    page.keyboard.press("End")
    assert "3000. Conv c2999" in page.locator(".detail").inner_text()
    count = "document.querySelectorAll('.picture *').length"
    assert page.evaluate(count) < 1500
    for _ in range(12):
        page.keyboard.press("+")
    page.evaluate("new Promise(requestAnimationFrame)")
    shown = page.locator("[role=option]").all_text_contents()
    assert any("c2999" in text for text in shown)
    assert page.evaluate(count) < 1500


def test_hostile_names_do_nothing(open_page: Any) -> None:
    run = html_runs.hostile_run()
    page = open_page(run)
    for model in page.locator("section.model").all()[:2]:
        model.scroll_into_view_if_needed()
        model.locator(".picture").focus()
        for _ in html_runs.HOSTILE:
            page.keyboard.press("ArrowRight")
            page.keyboard.press("Enter")
            page.keyboard.press("Escape")
        assert model.locator(".detail img, .detail script").count() == 0
    page.locator("#filter-text").fill("<script>")
    assert len(visible_checks(page)) == sum("<script>" in text for text in html_runs.HOSTILE)


def test_tables_are_there_without_scripts(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run(), java_script_enabled=False)
    assert page.locator("#checks-table tbody:visible").count() == 5
    assert page.locator(".toolbar:visible, .controls:visible, .picture:visible").count() == 0
    assert page.locator(".fallback:visible").count() == 2
    page.locator("summary", has_text="4 operators").click()
    assert page.locator("table.operators:visible", has_text="kernel-size").count() == 1


def test_paper_shows_what_is_folded(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run())
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.block:not([open])").count() == 0
    page.emulate_media(media="print")
    assert page.locator("table.operators:visible", has_text="kernel-size").count() == 1
    assert page.locator(".toolbar:visible, .controls:visible, .detail:visible").count() == 0
    assert page.locator("section.model .picture [role=option]").count() == 6
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("table.operators:visible").count() == 0


def test_paper_lists_no_operators_of_a_green_model_and_says_so(open_page: Any) -> None:
    run = html_runs.mixed_run()
    page = open_page(run)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    good, bad = section(run, "good", page), section(run, "bad", page)
    assert good.locator("table.operators:visible").count() == 0
    assert "not listed one by one" in good.locator(".paper:visible").inner_text()
    assert (bad.locator("table.operators:visible").count(), bad.locator(".paper").count()) == (1, 0)
    page.emulate_media(media="screen")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator(".paper:visible").count() == 0
    good.locator("summary", has_text="2 operators").click()
    assert good.locator("table.operators:visible").count() == 1


def pages(page: Any) -> int:
    return len(re.findall(rb"/Type /Page\b", page.pdf(format="A4")))


def test_paper_is_not_wasted(open_page: Any) -> None:
    """A page for each of ten green models with 200 operators, not six."""
    models = [
        html_runs.report(*(html_runs.operator(f"c{i}") for i in range(200)), name=f"m{number}")
        for number in range(10)
    ]
    assert pages(open_page(html_runs.run_of(*models))) <= 12


def test_explanation_stays_with_its_check_on_paper(open_page: Any) -> None:
    """Thirty checks of a third of a page each: were they torn, the last page would be another."""
    text = "\n".join(["npu_ratio", *(f"line {i}" for i in range(1, 36))])
    outcomes = [replace(html_runs.outcome(f"m{i}", "failed"), text=text) for i in range(30)]
    page = open_page(GateRun(tuple(outcomes)))
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    height = page.locator("#checks-table tbody").first.bounding_box()["height"]
    assert height > 300
    whole = pages(page)
    page.add_style_tag(content="@media print { .checks tbody { break-inside: auto !important; } }")
    assert whole > pages(page), "whole checks leave room at the foot of a page"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_of_colours(open_page: Any, scheme: str) -> None:
    """WCAG 2.2: 4.5 : 1 for text, 3 : 1 for shapes and the focus ring."""
    page = open_page(html_runs.mixed_run(), color_scheme=scheme)
    names = [
        "ground",
        "raised",
        "ink",
        "quiet",
        "link",
        "focus",
        "npu",
        "cpu",
        "unknown",
        "on",
        "hatch",
        "good",
        "bad",
        "warn",
    ]
    colours = page.evaluate(
        "names => Object.fromEntries(names.map(name => [name,"
        " getComputedStyle(document.documentElement).getPropertyValue('--' + name)]))",
        names,
    )
    light = {name: luminance(colour) for name, colour in colours.items()}
    for text in ("ink", "quiet", "link", "good", "bad", "warn", "npu", "cpu", "unknown"):
        for ground in ("ground", "raised"):
            assert contrast(light[text], light[ground]) >= 4.5, (text, ground)
    for ground in ("npu", "cpu", "unknown", "hatch"):
        assert contrast(light["on"], light[ground]) >= 4.5, ground
    assert contrast(light["focus"], light["ground"]) >= 3


def luminance(colour: str) -> float:
    digits = colour.strip().removeprefix("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(part, 16) / 255 for part in re.findall("..", digits)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_narrow_window_does_not_scroll_sideways(open_page: Any) -> None:
    page = open_page(html_runs.mixed_run(), viewport={"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for figure in page.locator(".models tbody .number").all():
        box = figure.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= 400
    labels = [
        f.evaluate("e => getComputedStyle(e, '::before').content")
        for f in page.locator(".models tbody tr").nth(1).locator(".number").all()
    ]
    assert labels == ['"NPU ratio"', '"MAC ratio"', '"partitions"', '"Q/DQ pairs"']
    limits = page.locator(".metrics .unbroken span.unbroken, .limit .unbroken").all()
    assert limits
    assert {limit.evaluate("e => e.getClientRects().length") for limit in limits} == {1}


def test_picture_marks_partitions_islands_and_transfers(open_page: Any) -> None:
    run = html_runs.mixed_run()
    picture = section(run, "bad", open_page(run)).locator(".picture")
    assert picture.locator(".container").count() == 2
    assert picture.locator(".count").all_text_contents() == ["P0 · 1 operator", "P1 · 1 operator"]
    assert picture.locator("path.arrow").count() == 4
    assert picture.locator(".bytes.in").all_text_contents() == ["512 B", "512 B"]
    assert picture.locator(".bytes.out").all_text_contents() == ["64 B", "64 B"]
    blocks = [b.get_attribute("class") for b in picture.locator("[role=option] rect").all()]
    assert blocks == ["block npu", "block cpu", "block npu", "block unknown"]
    assert picture.locator(".alarm").all_text_contents() == ["!", "◆"]


def test_every_transfer_is_labelled_where_there_is_room(open_page: Any) -> None:
    """The first partition is narrow and lies at the margin: its bytes stand on the other side."""
    operators = [
        html_runs.operator(f"c{i}", "cpu" if i % 3 else "npu", i // 3, macs=2_360_000)
        for i in range(25)
    ]
    report = html_runs.report(*operators)
    sized = (replace(p, input_bytes=12_288, output_bytes=16_384) for p in report.partitions)
    run = html_runs.run_of(replace(report, partitions=tuple(sized)))
    page = open_page(run, viewport={"width": 1400, "height": 800})
    picture = page.locator(".picture")
    picture.scroll_into_view_if_needed()
    assert picture.locator(".bytes.out").count() == picture.locator(".bytes.in").count() == 9
    boxes = [label.bounding_box() for label in picture.locator(".bytes").all()]
    for one, other in itertools.combinations(boxes, 2):
        apart = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert apart or abs(one["y"] - other["y"]) > 8


def test_scale_of_the_bars_does_not_lie_under_them(open_page: Any) -> None:
    page = open_page(html_runs.run_of(html_runs.report(html_runs.operator("c", macs=2_360_000))))
    picture = page.locator(".picture")
    picture.scroll_into_view_if_needed()
    scale = picture.locator(".scale").bounding_box()
    assert picture.locator(".scale").text_content() == "≤ 2.36M"
    assert scale["x"] + scale["width"] <= picture.locator("path.npu").first.bounding_box()["x"]


def test_labels_of_kinds_stay_within_the_chart(open_page: Any) -> None:
    placements = ("npu", "cpu") * 20
    now = html_runs.report(*(html_runs.operator(f"c{i}", p) for i, p in enumerate(placements)))
    before = html_runs.report(*(html_runs.operator(f"c{i}") for i in range(40)))
    run = html_runs.run_of(now)
    page = open_page(
        GateRun(run.outcomes, run.reports, dict.fromkeys(run.reports, before)),
        viewport={"width": 1000, "height": 800},
    )
    chart = page.locator("[data-chart=kinds]")
    chart.scroll_into_view_if_needed()
    edge = chart.bounding_box()
    label = chart.locator("text", has_text="20 NPU · 20 CPU").bounding_box()
    assert label["x"] + label["width"] <= edge["x"] + edge["width"]


def test_partitions_of_parts_of_operators_are_explained(open_page: Any) -> None:
    """On a backend that knows no conversions, partitions exist and no operator is on the NPU."""
    whole = html_runs.report(html_runs.operator("a"), html_runs.operator("b"))
    off = tuple(replace(o, placement="cpu", partition=None) for o in whole.operators)
    page = open_page(html_runs.run_of(replace(whole, operators=off)))
    assert "1 of 1 partition runs only parts of operators" in page.locator(".network").inner_text()


def test_picture_of_the_documentation_can_be_remade(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    script = runpy.run_path(str(root / "docs" / "html_picture.py"))
    run = script["run"]()
    assert any(o.model == script["MODEL"] and o.red for o in run.outcomes)
    names = {operator.name for report in run.reports.values() for operator in report.operators}
    assert script["CHOSEN"] in names
