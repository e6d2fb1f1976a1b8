"""Text that is not ours: shown as it is, and without any effect on the page."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_npu_compat.render.markdown_text import Markdown, code, prose
from pytest_npu_compat.render.names import clean

NASTY = [
    "<script>alert(1)</script>",
    "a|b",
    "`code` ``more``",
    "[link](https://example.com)",
    "![image](x.png)",
    "**bold** _em_ ~~gone~~",
    "<!-- hidden",
    "# heading",
    "a\nb\n\n# heading",
    "trailing\\",
    "&lt;b&gt;",
    "$x$",
    " spaces ",
    "https://example.com and www.example.com",
    "\u202egnirts",
    "x" * 10_000,
]


def rendered(text: str) -> str:
    page = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text)
    assert isinstance(page, str)
    return page


def plain(html: str) -> str:
    text = re.sub(r"<!--.*?-->|</?\w+>", "", html)
    for entity, sign in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&amp;", "&")):
        text = text.replace(entity, sign)
    return text.strip("\n")


def test_a_plain_name_is_a_plain_code_span() -> None:
    assert code("/model.1/conv[0]/Conv") == "`/model.1/conv[0]/Conv`"


@pytest.mark.parametrize("name", NASTY)
def test_a_name_in_a_table_stays_in_its_cell(name: str) -> None:
    html = rendered(f"| a | b |\n| --- | --- |\n| {code(name)} | end |\n\nafter")
    cells = re.findall(r"<td>(.*?)</td>", html, re.DOTALL)
    assert len(cells) == 2
    assert cells[1] == "end"
    assert re.fullmatch(r"<code>[^<]*</code>", cells[0])
    assert plain(cells[0]).strip() == clean(name, 80).strip()
    assert "<p>after</p>" in html


@pytest.mark.parametrize("text", NASTY)
def test_a_sentence_stays_text(text: str) -> None:
    html = rendered(f"before {prose(text)} after")
    assert re.fullmatch(r"<p>before .*? after</p>\n", html, re.DOTALL)
    assert not re.search(r"<(?!/?p>|!-- -->)", html)
    shown = plain(html).removeprefix("before ").removesuffix(" after")
    assert shown.strip() == clean(" ".join(text.split()), 600).strip()


@given(st.text(max_size=200))
def test_any_name_is_shown_and_nothing_else(name: str) -> None:
    html = rendered(f"| a | b |\n| --- | --- |\n| {code(name or '-')} | end |")
    cells = re.findall(r"<td>(.*?)</td>", html, re.DOTALL)
    assert len(cells) == 2
    assert re.fullmatch(r"<code>[^<]*</code>", cells[0])


@given(st.text(max_size=200))
def test_any_sentence_makes_no_markup(text: str) -> None:
    html = rendered(f"before {prose(text)} after")
    assert not re.search(r"<(?!/?p>|!-- -->)", html)


@pytest.mark.parametrize("text", ["@user look", "mail a@b.org", "at https://x.org", "www.x.org"])
def test_nobody_is_mentioned_and_nothing_linked(text: str) -> None:
    shown = prose(text)
    assert not re.search(r"@\w|://\w|www\.", shown)


def test_lengths_are_bounded() -> None:
    assert len(code("<" * 10_000)) < 700
    assert len(prose("word " * 10_000)) < 1300


def test_both_are_markdown() -> None:
    assert isinstance(code("a"), Markdown)
    assert isinstance(prose("a"), Markdown)
