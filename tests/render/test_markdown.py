"""The page for people on GitHub: verdict first, nothing hidden, cut by entry below the limits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import runs
from cmarkgfm import github_flavored_markdown_to_html
from cmarkgfm.cmark import Options
from hypothesis import given
from hypothesis import strategies as st

from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome
from pytest_npu_compat.render.markdown import COMMENT_LIMIT, to_comment, to_markdown, verdict_line


def html(run: GateRun) -> str:
    return str(github_flavored_markdown_to_html(to_markdown(run), Options.CMARK_OPT_UNSAFE))


def test_verdict_comes_first() -> None:
    assert to_markdown(runs.all_kinds()).startswith(
        "## ❌ NPU compatibility: failed\n\n"
        "2 of 7 checks fail in 2 of 3 models, 1 waived, 1 warned, 1 switched off, 2 errors.\n"
    )
    green = GateRun((runs.outcome(status="passed"),))
    assert to_markdown(green).startswith(
        "## ✅ NPU compatibility: passed\n\n1 check of 1 model judged.\n"
    )


def test_run_without_checks_has_not_passed() -> None:
    assert "failed" in to_markdown(GateRun()).splitlines()[0]
    assert verdict_line(GateRun()) == "No check was judged"


def test_error_alone_fails_the_page() -> None:
    run = GateRun((runs.outcome(status="passed"),), notes=(Note("shards", "error", "2 of 3."),))
    assert "failed" in to_markdown(run).splitlines()[0]
    assert "1 error" in verdict_line(run)
    assert "### Errors\n\n- <code>2 of 3.</code>" in to_markdown(run)


def test_sections_in_the_order_of_importance() -> None:
    page = to_markdown(runs.all_kinds())
    places = [
        page.index(part)
        for part in (
            "### Left the NPU since the baseline",
            "| model | target |",
            "### Failures",
            "### Errors",
            "### Warnings",
            "### Waived",
            "### Notes",
        )
    ]
    assert places == sorted(places)


def test_table_has_figures_verdicts_and_the_baseline() -> None:
    page = html(runs.all_kinds())
    rows = [row.split("</td>") for row in page.split("<tr>")[2:]]
    cells = [[cell.split(">", 1)[-1].replace("<td>", "").strip() for cell in row] for row in rows]
    assert len(cells) == 3
    assert cells[0][2:6] == ["75.0% (3/4), was 100.0% (4/4)", "100.0%", "2", "1"]
    assert "npu_ratio" in cells[0][6]
    assert cells[1][2] == "-", "a model without figures has none"
    assert "lfs-pointer" in cells[1][6]
    assert "qdq_pairs" in cells[2][6], "a model that is not red stands behind"


def test_failure_holds_the_whole_text_and_its_place() -> None:
    page = to_markdown(runs.all_kinds())
    assert "<pre>\nnpu_ratio 44.0% (11/25 operators), required ≥ 96%\n\n14 of 25" in page
    assert "  14 × MaxPool   [maxpool-config]" in page
    assert "<code>gates/npu-compat.yaml&#58;4</code>" in page


def many(count: int) -> GateRun:
    outcomes = tuple(
        runs.outcome(f"model_{i}", regressions=(f"conv_{i}: why",)) for i in range(count)
    )
    return GateRun(outcomes, {o.key: runs.report(o.model) for o in outcomes})


def test_page_that_fits_is_whole() -> None:
    assert "Cut to" not in to_markdown(many(20), COMMENT_LIMIT)


def test_long_page_is_cut_by_entries_and_says_so() -> None:
    page = to_comment(many(1000))
    assert len(page.encode()) <= COMMENT_LIMIT - 500, "a marker and a link come to it"
    assert page.count("<details>") == page.count("</details>") > 10
    assert page.count("<pre>") == page.count("</pre>")
    last = page.splitlines()[-1]
    shown = page.count("<details>")
    assert last.startswith("**Cut to 64936 bytes.** Left out: ")
    assert f"{1000 - shown} of 1000 failures" in last
    assert "rows of the table" in last


@given(runs.runs(), st.integers(2000, 6000))
def test_never_longer_than_the_limit(run: GateRun, limit: int) -> None:
    page = to_markdown(run, limit)
    assert len(page.encode()) <= limit
    assert page.startswith("## ✅") == run.passed


def test_limit_too_low_for_a_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing"):
        to_markdown(GateRun(), 100)


def test_regressions_of_checks_that_pass_are_told() -> None:
    passed: Outcome = replace(runs.outcome(status="passed"), regressions=("conv_1: why",))
    assert "Left the NPU since the baseline" in to_markdown(GateRun((passed,)))


def test_one_long_failure_hides_no_other() -> None:
    text = "\n".join(["npu_ratio 44.0%, required ≥ 96%", *(["<" * 900] * 25)])
    failures = (runs.outcome("first", text=text), *(runs.outcome(f"m{i}") for i in range(3)))
    page = to_comment(GateRun(failures))
    for name in ("first", "m0", "m1", "m2"):
        assert f"| <code>{name}</code> |" in page
        assert f"<details><summary><code>{name}&#91;" in page
    assert "&lt;\n… (cut)\n</pre>" in page
    assert "Left out: lines of 1 of 4 failures." in page
    assert len(page.encode()) > 0.9 * COMMENT_LIMIT


@pytest.mark.parametrize("regressions", [(), ("conv: why",)])
def test_large_run_uses_the_room(regressions: tuple[str, ...]) -> None:
    outcomes = tuple(
        runs.outcome(f"model_{i // 3}", f"metric_{i % 3}", regressions=regressions)
        for i in range(3000)
    )
    page = to_comment(GateRun(outcomes))
    assert 0.96 * COMMENT_LIMIT < len(page.encode()) <= COMMENT_LIMIT - 500


def test_error_of_a_gate_file_tells_its_place_and_headline_once() -> None:
    text = "npu-compat.yaml:4:14: Unknown key.\n  4 | model: []\n    | ^"
    page = to_markdown(GateRun(notes=(Note("gate-error", "error", text, "npu-compat.yaml", 4),)))
    assert page.count("npu-compat.yaml") == page.count("Unknown key.") == 1
    assert "<pre>\n    4 | model: []\n      | ^\n  </pre>" in page


def test_regression_is_told_without_a_stutter() -> None:
    red = runs.outcome(regressions=("conv_1: kernel 3x3 -> 4x4",))
    page = to_markdown(GateRun((red,)))
    assert "</code>: <code>conv&#95;1&#58; kernel 3x3 -&#62; 4x4</code>" in page
