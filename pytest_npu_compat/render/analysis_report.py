"""The compatibility report: findings as a Markdown document, in English or Korean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pytest_npu_compat.render.findings import Findings
from pytest_npu_compat.render.findings.comparison import fraction
from pytest_npu_compat.render.findings.records import ModelFacts
from pytest_npu_compat.render.findings.values import Names, Share, Verbatim
from pytest_npu_compat.render.language import LANGUAGES, TEXTS, Language
from pytest_npu_compat.render.markdown_text import Markdown, code
from pytest_npu_compat.render.names import clean

__all__ = ["LANGUAGES", "analysis_report"]

MAX_LINES = 12
MAX_WIDTH = 150


def analysis_report(findings: Findings, language: str = "en", date: str = "") -> str:
    """The document.

    Args:
        findings: What it says.
        language: One of `LANGUAGES`.
        date: Day of the analysis as YYYY-MM-DD; left out if empty, so that the same run gives the
            same bytes.

    Raises:
        ValueError: There is no such language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"there is no language {language!r}; there are {', '.join(LANGUAGES)}")
    words = Language(language)
    environment = Environment(
        loader=FileSystemLoader(TEXTS),
        # HTML escaping would be the wrong one: `show` refuses whatever has not been made Markdown.
        autoescape=False,  # noqa: S701
        finalize=words.show,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("analysis_report.md.j2").render(
        f=findings,
        say=words.say,
        tell=words.tell,
        row=words.row,
        rule=lambda columns: Markdown("|" + " --- |" * columns),
        points=lambda statements: Markdown("; ".join(map(words.tell, statements))),
        chain=_chain,
        listing=_listing,
        above=lambda: _with_function_ratio(findings.analyzed, above=True),
        below=lambda: _with_function_ratio(findings.analyzed, above=False),
        rest=_rest,
        date=Verbatim(date),
    )
    return _squeezed(page)


def _chain(*parts: Iterable[str]) -> Markdown:
    """IR operators in order of execution."""
    return code(" → ".join(op for part in parts for op in part if op != "tuple"), 300)


def _listing(lines: tuple[str, ...]) -> Markdown:
    """Lines of IR. The fence is longer than any run of backticks that a name could bring."""
    shown = [clean(line, MAX_WIDTH).replace("`", "'") for line in lines[:MAX_LINES]]
    if len(lines) > MAX_LINES:
        shown[-1] = f"# … {len(lines) - MAX_LINES + 1}"
    return Markdown("\n".join(["```text", *shown, "```"]))


def _with_function_ratio(models: Iterable[ModelFacts], *, above: bool) -> Names:
    """Models whose function ratio is above (or below) their NPU ratio."""
    found = []
    for model in models:
        if model.placed:
            functions, npu = fraction(model.placed.functions), fraction(model.placed.npu)
            if (functions > npu) if above else (functions < npu):
                found.append(model.label)
    return Names(tuple(found))


def _rest(share: Share | None) -> int | None:
    """What is missing to the whole."""
    return None if share is None else share.whole - share.part


def _squeezed(page: str) -> str:
    """The page without runs of empty lines, which the template's branches leave behind."""
    lines: list[Any] = []
    for line in page.splitlines():
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines).rstrip() + "\n"
