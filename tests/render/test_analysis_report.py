"""The compatibility report as a page: true in both languages, harmless, in one piece."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence

import pytest
import reports as make
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import HazardInfo, OperatorInfo, Report
from pytest_npu_compat.model.onnx_file import FEW_ELEMENTS
from pytest_npu_compat.render.analysis_report import LANGUAGES, analysis_report
from pytest_npu_compat.render.findings import find, wanted_excerpts
from pytest_npu_compat.run.excerpt import Excerpt

TAGS = {
    *("h1", "h2", "h3", "h4", "p", "ul", "ol", "li", "hr", "strong", "em", "code", "pre"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
"""The only elements of a page."""

MARKER = re.compile(r"#+ |\||```| *(- |1\. )|")
"""What makes a line a heading, a row, an item or code."""

HEADINGS = {
    "en": [
        "Summary",
        "NPU partitioning by model",
        "Operator breakdown",
        "Root causes",
        "Comparison of the models",
        "Performance",
        "Operators by placement",
        "Recommendations",
        "What this rests on",
    ],
    "ko": [
        "핵심 요약",
        "모델별 NPU 파티셔닝 결과",
        "오퍼레이터별 상세 분석",
        "근본 원인 분석",
        "모델 간 비교",
        "성능 영향 분석",
        "NPU vs CPU 오퍼레이터 분류",
        "향후 개발 방향",
        "분석 근거",
    ],
}

CLEAN = make.report(make.on_npu("c1"), make.on_npu("r1", "Relu"), name="clean")
ACTIVATION = make.on_npu("r1", "LeakyRelu")
LEAKY = make.report(make.on_npu("c1"), ACTIVATION, name="leaky", islands=[make.island(ACTIVATION)])
BAD = make.report(
    make.on_npu("c1", hazards=(HazardInfo("pad-value", "Padded.", "3", "Pad with 0."),)),
    *(make.on_cpu(f"s{i}") for i in range(9)),
    make.on_cpu("k1", "Conv", make.KERNEL, make.SLICE, macs=12_345),
    make.on_cpu("u1", "LSTM", placement="unknown"),
    make.on_cpu("e1", "MaxPool", supported="estimate-only"),
    dataclasses.replace(make.on_cpu("x1", "Silent"), reasons=()),
    name="bad",
    partitions=4,
)
ESTIMATED = dataclasses.replace(
    CLEAN,
    model=dataclasses.replace(CLEAN.model, name="estimated"),
    metrics={
        **CLEAN.metrics,
        "estimated_latency": make.Ranged(41.0, "ms", low=20.5, high=99.0),
        "estimated_dram_bytes": make.Ranged(3e6, "bytes", low=2e6, high=4e6),
    },
    platform=Platform().assumptions(),
)

RUNS = {
    "one clean": [CLEAN],
    "one leaky": [LEAKY],
    "one failed": [make.failed()],
    "all failed": [make.failed("a"), make.failed("b", "crashed")],
    "some failed": [make.failed(), CLEAN, BAD],
    "exchange": [CLEAN, LEAKY],
    "equal": [CLEAN, dataclasses.replace(CLEAN)],
    "everything": [BAD, CLEAN, LEAKY, ESTIMATED, make.failed()],
    "no macs": [make.report(make.on_npu("r", "Relu"))],
    "nothing on the NPU": [make.report(make.on_cpu("s"), partitions=0)],
}


def page(reports: Sequence[Report], language: str = "en", **options: str) -> str:
    lines = ("lv1: int8[1] = clip(lv0)",)
    excerpt = Excerpt(("qnn.conv2d",), ("clip",), lines, frozenset(["int8"]))
    excerpts = dict.fromkeys(wanted_excerpts(reports), excerpt)
    return analysis_report(find(reports, excerpts), language, **options)


def section(text: str, heading: str) -> str:
    return re.split(r"^#{2,} ", text.split(f" {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[
        0
    ]


def numbers(line: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", line))


def tables(text: str) -> list[list[int]]:
    """The number of cells in each row of each table, as a renderer sees them."""
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return [
        [len(re.findall("<t[hd]", row)) for row in re.findall("<tr>.*?</tr>", table, re.DOTALL)]
        for table in re.findall("<table>.*?</table>", html, re.DOTALL)
    ]


@pytest.mark.parametrize("run", RUNS)
def test_both_languages_say_the_same_figures(run: str) -> None:
    english, korean = (page(RUNS[run], language).splitlines() for language in ("en", "ko"))
    assert len(english) == len(korean)
    for line, other in zip(english, korean, strict=True):
        assert numbers(line) == numbers(other), (line, other)
        assert MARKER.match(line).group() == MARKER.match(other).group()  # type: ignore[union-attr]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("run", RUNS)
def test_the_page_is_in_one_piece(run: str, language: str) -> None:
    text = page(RUNS[run], language)
    for rows in tables(text):
        assert len(set(rows)) == 1
    assert len(tables(text)) == len(re.findall(r"^\| --- \|", text, re.MULTILINE))
    assert "\n\n\n" not in text
    assert not re.search(r"None|Undefined|\{|\}|  +\|| +$", text, re.MULTILINE)
    assert text.endswith("\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_all_sections_are_there_in_order(language: str) -> None:
    found = re.findall(r"^## (.*)$", page(RUNS["everything"], language), re.MULTILINE)
    assert found == HEADINGS[language]


def test_korean_has_no_english_sentences_but_those_of_unknown_rules() -> None:
    text = re.sub("`[^`]*`", "", page([CLEAN, LEAKY, make.failed()], "ko"))
    assert re.findall(r"\b(?:the|of|and|with|operators|models|pairs)\b", text) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_run_gives_the_same_bytes(language: str) -> None:
    assert page(RUNS["everything"], language) == page(RUNS["everything"], language)


def test_date_is_shown_only_if_given() -> None:
    assert "- **Date**: `2031-02-03`" in page([CLEAN], date="2031-02-03")
    assert "Date" not in page([CLEAN])


def test_unknown_language() -> None:
    with pytest.raises(ValueError, match="there is no language 'de'; there are en, ko"):
        page([CLEAN], "de")


# Statements that hold only sometimes


def test_failed_model_is_a_row_and_a_finding() -> None:
    text = page([CLEAN, make.failed(message="Input has no height.")])
    assert "| `broken` | – | – | – | – | ❌ failed: a dimension is open |" in text
    assert "- **Not analyzable**: 1 model (`broken`)." in text
    assert "- `broken`: Input has no height." in text
    assert "2 models, of which 1 could be analyzed" in text


def test_partition_table() -> None:
    text = section(page([BAD]), "Functions")
    assert "| `bad` | 5 | 4 | 1 | 80.0% | ⚠️ 13 operators off the NPU |" in text


def test_hazard_is_not_hidden_by_a_full_ratio() -> None:
    hazard = HazardInfo("pad-value", "Padded.", "3", "Pad with 0.")
    text = page([make.report(make.on_npu("c1", hazards=(hazard,)))])
    assert "⚠️ all on the NPU, 1 hazard |" in text
    assert "✅ all on the NPU" in page([CLEAN])


def test_why_the_ratios_differ_is_said_only_where_they_do() -> None:
    different = section(page([BAD]), "What the function ratio hides")
    assert "The function ratio counts functions" in different
    assert "The function ratio is above the NPU ratio: `bad`." in different
    half = make.report(make.on_npu("c"), make.on_cpu("s"))
    same = section(page([half]), "What the function ratio hides")
    assert "counts functions" not in same
    assert "are equal (1 model)" in same
    assert "is below the NPU ratio: `clean`" in page([CLEAN])


def test_no_partition_is_no_amplification() -> None:
    text = section(page(RUNS["nothing on the NPU"]), "Partitioning amplification")
    assert "- `net`: no NPU function; the CPU runs everything." in text
    assert "- `bad`: 1 function becomes 4 NPU functions (×4)" in page([BAD])


def test_estimates_are_marked_or_missing() -> None:
    with_them = section(page([ESTIMATED, CLEAN]), "Estimates")
    assert "nothing was timed" in with_them
    assert "41.0 ms (20.5 ms – 99.0 ms) | – | – | 3 MB (2 MB – 4 MB) |" in with_them
    assert "not estimated" not in with_them
    assert "- No estimates of `clean`: they were not asked for.\n" in with_them
    assert "| `clean` | – | – | – | – |" in with_them
    without = section(page([CLEAN]), "Estimates")
    assert "not estimated; run with `--estimate`" in without
    assert "|" not in without


def test_the_machine_that_estimates_assume_is_shown() -> None:
    text = section(page([ESTIMATED]), "Estimates")
    assert "The estimates assume this machine" in text
    assert "| `invocation` | `100 us` | `20 us` | `500 us` | Time from the CPU's call" in text
    assert "| `clock` | `1.25 GHz` | – | – | Clock of the NPU |" in text
    assert "above 1 the NPU gains" in text
    fast = dataclasses.replace(ESTIMATED, platform=Platform(clock=2e9).assumptions())
    both = section(page([ESTIMATED, fast]), "Estimates")
    assert "The estimates of `models/clean.onnx #2` assume this machine" in both
    assert "assume this machine" not in page([CLEAN])


def test_no_advice_if_nothing_is_wrong() -> None:
    assert section(page([CLEAN]), "Recommendations").startswith("\nNothing: all models")
    for run in ([LEAKY], [BAD], [make.failed()]):
        text = section(page(run), "Recommendations")
        assert "Nothing:" not in text
        assert text.count("\n1. ") >= 1


def test_islands_are_shown_with_their_ir() -> None:
    text = page([CLEAN, LEAKY])
    causes = section(text, "`LeakyRelu`: 1 pair on the NPU")
    assert "```text\nlv1: int8[1] = clip(lv0)\n```" in causes
    assert "`r1_dq`, `r1`, `r1_q`" in causes
    assert "- `qnn.conv2d → clip`" in causes
    assert "No Q/DQ pairs" not in text
    assert "No Q/DQ pairs (1 model)." in section(page([CLEAN]), "Conversion overhead (Q/DQ pairs)")


@pytest.mark.parametrize(
    ("language", "dtypes", "said"),
    [
        ("en", ["int8", "uint8"], "`Relu` in `clean` stays in integers:"),
        (
            "en",
            ["float32"],
            "`Relu` in `clean` is computed in float, without conversions of its own:",
        ),
        ("ko", ["int8"], "`clean` 모델의 `Relu` 처리 (정수 상태 유지):"),
        ("ko", ["float32"], "`clean` 모델의 `Relu` 처리 (자체 변환 없이 float 연산):"),
    ],
)
def test_what_an_operator_without_conversions_computes_in(
    language: str, dtypes: list[str], said: str
) -> None:
    excerpt = Excerpt((), ("op",), (), frozenset(dtypes))
    reports = [CLEAN, LEAKY]
    findings = find(reports, dict.fromkeys(wanted_excerpts(reports), excerpt))
    (line,) = re.findall(r"^.*`Relu`.*:$", analysis_report(findings, language), re.MULTILINE)
    assert line == said


def test_without_excerpts_there_is_no_ir() -> None:
    assert "```" not in analysis_report(find([LEAKY]))


def test_long_excerpt_is_cut() -> None:
    lines = tuple(f"lv{i}: int8[1] = op(lv)" for i in range(40))
    excerpts = dict.fromkeys(wanted_excerpts([LEAKY]), Excerpt((), ("op",), lines, frozenset()))
    text = analysis_report(find([LEAKY], excerpts))
    block = text.split("```text\n")[1].split("\n```")[0].splitlines()
    assert len(block) == 12
    assert block[-1] == "# … 29"


def test_one_model_is_not_compared() -> None:
    text = section(page([CLEAN]), "Comparison of the models")
    assert text.strip().startswith("A comparison needs two analyzed models; this run has 1.")


def test_causes_as_frequent_as_each_other() -> None:
    model = make.report(make.on_cpu("s"), make.on_cpu("c", "Conv", make.KERNEL))
    assert (
        "- **Most frequent causes**: `operator-not-supported` (`Slice`), `kernel-size` (`Conv`), "
        "each with 1 of the 2 operators off the NPU.\n"
    ) in page([model])
    assert (
        "- **Cause**: `operator-not-supported` (`Slice`), for 1 operator; no other is off the NPU. "
        "Slice has no form.\n"
    ) in page([make.report(make.on_cpu("s"))])
    many = [
        make.on_cpu(f"o{i}", f"K{i}", dataclasses.replace(make.SLICE, rule=f"r{i}"))
        for i in range(9)
    ]
    assert "`r5` (`K5`) and 3 more, each with 1 of the 9 operators" in page([make.report(*many)])


def test_equal_models_are_compared_in_one_line() -> None:
    half = make.report(make.on_npu("c1"), make.on_cpu("s1"))
    named = [dataclasses.replace(half.model, name=f"m{i}") for i in range(25)]
    models = [dataclasses.replace(half, model=model) for model in named]
    text = section(page([CLEAN, *models]), "Comparison of the models")
    assert (
        "- 25 models (`m0`, `m1`, `m2`, `m3`, `m4`, `m5` and 19 more), each against `clean`: 1 operator"
    ) in text
    assert text.count(" against ") == 1


def test_a_rule_is_shown_with_the_kinds_that_break_it() -> None:
    models = [make.on_cpu(k, k, dataclasses.replace(make.SLICE, message=k)) for k in ("A", "B")]
    text = page([make.report(*models)])
    assert "- `operator-not-supported` (`A`) in `net`: `A`.\n" in text
    assert "- `operator-not-supported` (`B`) in `net`: `B`.\n" in text


def test_operators_without_a_reason_are_stated() -> None:
    assert "1 operator is off the NPU without a reason" in page([BAD])
    assert "without a reason" not in page([CLEAN])


def test_pairs_that_are_left_out_are_told() -> None:
    models = [make.report(make.on_npu("a", f"Kind{i}"), name=f"m{i}") for i in range(6)]
    assert " The first 10 pairs are shown; there are more.\n" in page(models)
    assert " 모델 쌍이 더 있으나 처음 10개만 표시합니다.\n" in page(models, "ko")
    fewer = page(models[:5])
    assert "Scales, values of constants and the connections between operators were not" in fewer
    assert "there are more" not in fewer


@pytest.mark.parametrize("language", LANGUAGES)
def test_constants_that_can_play_a_part_are_told(language: str) -> None:
    """The figure is the importer's; a page must not import that, and ONNX with it."""
    assert f"{FEW_ELEMENTS:,}" in page([CLEAN], language).splitlines()[-1]


# Names from model files

NASTY = [
    "<script>alert(1)</script>",
    "a|b|c",
    "`x` ```",
    "```\n# heading",
    "[x](https://example.com)",
    "\u202eevil\u2066\u200f",
    "n" * 10_000,
    "</code></td><td>",
    "@someone",
    "\\|",
    "{{ 7 * 7 }}{% raw %}",
    "{model}",
    "\x1b[31mred",
]


def renamed(name: str) -> list[Report]:
    """A run in which the name stands wherever a model file can put one."""
    reason = dataclasses.replace(make.KERNEL, message=f"{name} has no form.", actual=name)
    activation = make.on_npu(name, name)
    twin = make.on_npu(name, "Other")

    def model(*operators: OperatorInfo, **fields: object) -> Report:
        report = make.report(*operators, **fields)  # type: ignore[arg-type]
        info = dataclasses.replace(report.model, name=name + fields["name"], path=name)  # type: ignore[operator]
        return dataclasses.replace(report, model=info)

    off = make.on_cpu(f"{name}2", name, reason, composite=name)
    return [
        model(activation, off, name="1", islands=[make.island(activation)]),
        model(twin, off, name="2"),
        make.failed(name, message=name),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", NASTY)
def test_names_are_harmless(name: str, language: str) -> None:
    reports = renamed(name)
    excerpt = Excerpt((name,), (name,), (f"lv: int8 = {name}()",), frozenset(["int8"]))
    excerpts = dict.fromkeys(wanted_excerpts(reports), excerpt)
    text = analysis_report(find(reports, excerpts), language)
    usual = analysis_report(find(renamed("usual")), language)
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    tags = set(re.findall(r"<(/?\w+)", re.sub("<!-- -->", "", html)))
    assert {tag.strip("/") for tag in tags} <= TAGS
    assert all(len(set(rows)) == 1 for rows in tables(text))
    headings = [line for line in text.splitlines() if line.startswith("#") and "`" not in line]
    known = [line for line in usual.splitlines() if line.startswith("#")]
    assert [h for h in headings if "<code>" not in h and h not in known] == []
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert "<script" not in re.sub(r"```text.*?```", "", html, flags=re.DOTALL)
    # A name of any length takes a bounded part of a line.
    assert max(map(len, text.splitlines())) < 6_000
    # Code mentions nobody, neither in a block nor in a span.
    prose = re.sub(r"```text.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    assert not re.search(r"@\w", prose)


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_any_name_leaves_the_tables_whole(name: str) -> None:
    text = analysis_report(find(renamed(name)))
    assert all(len(set(rows)) == 1 for rows in tables(text))
    assert len(tables(text)) == len(re.findall(r"^\| --- \|", text, re.MULTILINE))
