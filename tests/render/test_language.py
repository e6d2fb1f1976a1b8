"""The catalogue of sentences and the translations of rules: complete, equal in both languages, used."""

from __future__ import annotations

import re
from collections import Counter
from string import Formatter

import pytest
from said import PACKAGE, rule_texts, said, strings

from pytest_npu_compat.model.errors import ERROR_CODES
from pytest_npu_compat.render.findings.values import (
    Bytes,
    Estimate,
    Message,
    Names,
    Phrase,
    Prose,
    Share,
    Value,
    Verbatim,
)
from pytest_npu_compat.render.language import (
    LANGUAGES,
    TEXTS,
    Language,
    _pattern,
    _translations,
    catalogue,
    translate,
)

PARTICLE = r"\}\W*?(은|는|이|가|을|를|과|와|으로|로|아|야|이나|나|이랑|랑)(?=[\s,.)]|$)"
"""A particle whose form depends on the word before it, right after a placeholder."""


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def numbers(text: str) -> Counter[str]:
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", text))


@pytest.mark.parametrize("id_", catalogue())
def test_a_sentence_is_the_same_in_both_languages(id_: str) -> None:
    sentence = catalogue()[id_]
    assert set(sentence) == set(LANGUAGES)
    english, korean = sentence["en"], sentence["ko"]
    assert placeholders(english) == placeholders(korean)
    assert numbers(english) == numbers(korean)
    assert not re.search("[가-힣]", english)


def test_no_particle_depends_on_a_value() -> None:
    texts = [sentence["ko"] for sentence in catalogue().values()] + list(_translations().values())
    assert [text for text in texts if re.search(PARTICLE, text)] == []


def test_the_search_for_particles_finds_some() -> None:
    for text in ("{model}은 크다", "{model}를", "`{model}`로 간다", "{a}와 {b}"):
        assert re.search(PARTICLE, text)
    for text in ("{model} 모델은 크다", "{count}개를", "{model}에서", "{npu}입니다"):
        assert not re.search(PARTICLE, text)


def test_every_sentence_is_used() -> None:
    sources = [*(PACKAGE / "render").rglob("*.py"), TEXTS / "analysis_report.md.j2"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    beginnings = re.findall(r"say\(\"([\w.]+\.)\" ~", source)
    beginnings += re.findall(r"f\"([a-z]+\.)\{", source)
    unused = [
        id_
        for id_ in catalogue()
        if f'"{id_}"' not in source
        and f'{id_.removesuffix(".further")}"' not in source
        and not id_.startswith(tuple(beginnings))
    ]
    assert unused == []


def test_every_error_has_a_sentence() -> None:
    assert {f"error.{code}" for code in ERROR_CODES} <= set(catalogue())


# Values


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567, "1,234,567"),
        (None, "–"),
        (Verbatim("conv_1"), "`conv_1`"),
        (Verbatim(""), "–"),
        (Names(()), "–"),
        (Names((Verbatim("a"), Verbatim("b"))), "`a`, `b`"),
        (Prose("Use 3x3."), "Use 3x3."),
        (Phrase("no bias"), "`no bias`"),
        (Message("model"), "Model"),
        (Share(2, 3), "66.7% (2/3)"),
        (Share(9999, 10000), "99.99% (9,999/10,000)"),
        (Bytes(134832), "134.8 kB"),
        (Estimate(3, 4, 12, "ms"), "4.00 ms (3.00 ms – 12.0 ms)"),
        (Estimate(0.0000312, 0.00004, 0.012, "ms"), "0.0400 µs (0.0312 µs – 12.0 µs)"),
        (Estimate(0, 0.1, 1234.5, "ms"), "0.100 ms (0 ms – 1,234 ms)"),
        (Estimate(1e-12, 1e-12, 1e-12, "ms"), "1e-09 µs"),
        (Estimate(0.0123, 0.0123, 0.0123, "x"), "0.0123 ×"),
        (Estimate(2, 2, 2, "x"), "2.00 ×"),
        (Estimate(1000, 2000, 3000, "bytes"), "2 kB (1 kB – 3 kB)"),
    ],
)
def test_values_are_shown(value: Value, shown: str) -> None:
    assert Language("en").show(value) == shown


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        ("no bias", "`바이어스 없음`"),
        ("its input 'x' is not quantized", "`양자화되지 않은 입력 'x'`"),
        ("at least 8, a multiple of 8", "`8 이상, 8의 배수`"),
        ("scale 1e-05, zero point -128", "`스케일 1e-05, 영점 -128`"),
        ("16384 (on 4tops-4ple)", "`16384 (4tops-4ple 기준)`"),
        ("4x4", "`4x4`"),
    ],
)
def test_values_in_words_are_translated(english: str, korean: str) -> None:
    assert Language("ko").show(Phrase(english)) == korean


def test_only_the_first_names_are_shown() -> None:
    names = Names(tuple(Verbatim(str(i)) for i in range(100)))
    assert Language("en").show(names).endswith("`5` and 94 more")
    assert Language("ko").show(names).endswith("`5` 외 94개")


@pytest.mark.parametrize("value", ["text", b"text", 1.5, object()])
def test_bare_text_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="harmless"):
        Language("en").show(value)  # type: ignore[arg-type]


def test_numbers_take_their_noun() -> None:
    say = Language("en").say
    assert say("status.off", count=1) == "⚠️ 1 operator off the NPU"
    assert say("status.off", count=1200) == "⚠️ 1,200 operators off the NPU"
    with pytest.raises(TypeError, match="noun"):
        say("status.off", count=Verbatim("many"))


# Translations of rules


@pytest.mark.parametrize("text", sorted({text for text in rule_texts() if text}))
def test_every_rule_is_translated(text: str) -> None:
    korean = translate(text)
    assert korean != text
    assert "{" not in korean
    assert numbers(korean) == numbers(text)


@pytest.mark.parametrize("english", _translations())
def test_a_translation_keeps_its_values(english: str) -> None:
    korean = _translations()[english]
    assert placeholders(english.replace("`", "")) == placeholders(korean.replace("`", ""))
    assert numbers(english) == numbers(korean)


@pytest.mark.parametrize(
    "text",
    [
        "Nobody wrote this.",
        "Use a 3x3 kernel for it.",
        "one to many",
        "conv of 4",
        "both of them",
        "a for b c",
    ],
)
def test_unknown_text_stays_as_it_is(text: str) -> None:
    """A short pattern is one of numbers, so that it cannot take a part of any sentence."""
    assert translate(text) == text


def test_values_inside_a_sentence_are_translated_too() -> None:
    text = "When channels are concatenated, every input must have a multiple of 16 of them."
    assert translate(text) == "채널을 연결할 때 각 입력의 채널 수 조건: 16의 배수."


@pytest.mark.parametrize(("where", "text"), sorted(set(said())))
def test_whatever_a_page_may_show_is_translated(where: str, text: str) -> None:
    assert re.search("[가-힣]", translate(text)), where
    assert numbers(translate(text)) == numbers(text)


def test_every_translation_is_of_something_the_code_says() -> None:
    known = {*strings(), *rule_texts()}
    stale = [
        english
        for english in _translations()
        if english not in known and not any(map(_pattern(english).fullmatch, known))
    ]
    assert stale == []
