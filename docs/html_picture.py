"""Writes the picture of docs/html-page.md: needs the extra ``browser`` and Chromium.

The page is that of the gate of `examples/zoo`, with an operator chosen.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.loading import ModelChecks, load_gate
from pytest_npu_compat.gate.outcome import GateRun, Outcome
from pytest_npu_compat.gate.threshold import evaluate
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.html import to_html
from pytest_npu_compat.render.text import explain_failure
from pytest_npu_compat.run import analyze

HERE = Path(__file__).parent
GATE = Path("examples/zoo/npu-compat.yaml")
MODEL = "silu_detector"
CHOSEN = "mul_5"
SIZE = {"width": 1180, "height": 800}


def outcomes(checks: ModelChecks, report: Report) -> Iterator[Outcome]:
    """Judges one model."""
    for check in checks.checks:
        result = evaluate(check.threshold, report)
        metric, actual = check.threshold.metric, result.actual
        yield Outcome(
            GATE.as_posix(),
            check.line,
            checks.model,
            checks.target,
            metric,
            "passed" if result.passed else "failed",
            result.message,
            result.message if result.passed else explain_failure(result),
            check.threshold.show(),
            format_value(actual, of=METRICS[metric].of) if actual else None,
            actual.value if actual else None,
        )


def run() -> GateRun:
    """The gate of the example, judged."""
    found: list[Outcome] = []
    reports: dict[str, Report] = {}
    for checks in load_gate(GATE).models:
        report = analyze(checks.request)
        found += outcomes(checks, report)
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
