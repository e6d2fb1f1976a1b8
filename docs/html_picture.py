"""Writes the picture of docs/html-page.md: needs the extra ``browser`` and Chromium.

The page is that of the gate of `examples/zoo`, with an operator chosen.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.judging import judge
from pytest_npu_compat.gate.loading import load_gate
from pytest_npu_compat.gate.outcome import GateRun, Outcome
from pytest_npu_compat.gate.waiver import today
from pytest_npu_compat.render.html import to_html
from pytest_npu_compat.render.outcomes import outcome
from pytest_npu_compat.run import analyze

HERE = Path(__file__).parent
GATE = Path("examples/zoo/npu-compat.yaml")
MODEL = "silu_detector"
CHOSEN = "mul_5"
SIZE = {"width": 1180, "height": 800}


def run() -> GateRun:
    """The gate of the example, judged."""
    found: list[Outcome] = []
    reports: dict[str, Report] = {}
    for model in load_gate(GATE).models:
        report = analyze(model.request)
        for check in model.checks:
            judged = judge(check, report, None, today())
            found.append(outcome(GATE.as_posix(), model, check, judged))
        reports[found[-1].key] = report
    return GateRun(tuple(found), reports)


def main() -> None:
    """Takes the picture."""
    os.chdir(HERE.parent)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        path = Path(folder, "run.html")
        path.write_text(to_html(run()), encoding="utf-8")
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=SIZE)
        page.goto(path.as_uri())
        model = page.locator("section.model", has_text=f"{MODEL}[")
        model.evaluate("section => section.scrollIntoView()")
        search = model.locator("[data-do=find]")
        search.fill(CHOSEN)
        search.press("Enter")
        search.fill("")
        search.blur()
        page.screenshot(path=HERE / "html-page.png")
        browser.close()


if __name__ == "__main__":
    main()
