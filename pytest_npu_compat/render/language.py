"""The sentences of the compatibility report in each of its languages, and values in them."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any, TypeVar

import yaml

from pytest_npu_compat.analysis.report import MetricValue
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.findings.values import (
    Bytes,
    Estimate,
    Listed,
    Message,
    Names,
    Phrase,
    Prose,
    Share,
    Statement,
    Value,
    Verbatim,
)
from pytest_npu_compat.render.markdown_text import Markdown, code, prose

__all__ = ["LANGUAGES", "Language", "catalogue", "translate"]

LANGUAGES = ("en", "ko")

TEXTS = Path(__file__).parent / "templates"

Item = TypeVar("Item")

MAX_NAMES = 6
MAX_DECIMALS = 6


_PLACEHOLDER = re.compile(r"\{(\w+)(?::(num|word))?\}")

_VALUES: Mapping[str | None, str] = {
    None: ".+?",
    "num": r"-?[\d.]+(?:e[+-]?\d+)?",
    "word": r"\S+",
}
"""What a placeholder stands for. A short pattern says so, or it would match any sentence."""


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Id of a sentence -> language -> text with placeholders."""
    text = (TEXTS / "analysis_report.yaml").read_text(encoding="utf-8")
    sentences: dict[str, dict[str, str]] = yaml.safe_load(text)
    return sentences


@functools.cache
def _translations() -> Mapping[str, str]:
    text = (TEXTS / "rules.ko.yaml").read_text(encoding="utf-8")
    translations: dict[str, str] = yaml.safe_load(text)
    return translations


@functools.cache
def _with_placeholders() -> tuple[tuple[re.Pattern[str], str], ...]:
    """The sentences of rules that carry a value, as patterns, the most specific first."""
    found = [english for english in _translations() if "{" in english]
    found.sort(key=lambda english: -len(_PLACEHOLDER.sub("", english)))
    return tuple((_pattern(english), _translations()[english]) for english in found)


def _pattern(english: str) -> re.Pattern[str]:
    """Matches a sentence with values in its placeholders."""
    parts, end = [], 0
    for found in _PLACEHOLDER.finditer(english):
        parts += [re.escape(english[end : found.start()]), f"(?P<{found[1]}>{_VALUES[found[2]]})"]
        end = found.end()
    return re.compile("".join([*parts, re.escape(english[end:])]), re.DOTALL)


def translate(text: str) -> str:
    """A rule's sentence in Korean; unchanged if there is no translation of it."""
    known = _translations().get(text)
    if known is not None:
        return known
    for pattern, korean in _with_placeholders():
        match = pattern.fullmatch(text)
        if match:
            return korean.format_map({k: translate(v) for k, v in match.groupdict().items()})
    return text


class Language:
    """Says things in one language.

    Args:
        code: ``en`` or ``ko``.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        self._formatter = _Sentence(self)

    def say(self, id_: str, **values: Value | Markdown) -> Markdown:
        """A sentence or word of the catalogue with its values filled in."""
        return Markdown(self._formatter.vformat(catalogue()[id_][self.code], (), values))

    def tell(self, statement: Statement) -> Markdown:
        """A statement as a sentence."""
        return self.say(statement.id, **statement.values)

    def row(self, *cells: Value | Markdown) -> Markdown:
        """A row of a table."""
        return Markdown(f"| {' | '.join(self.show(cell) for cell in cells)} |")

    def show(self, value: Value | Markdown) -> Markdown:
        """A value as Markdown.

        Raises:
            TypeError: It is bare text, of which nobody can tell whether it is harmless.
        """
        if isinstance(value, Markdown):
            return value
        if isinstance(value, Names):
            return self._first(value.names, self.show)
        if isinstance(value, Listed):
            return self._first(value.statements, self.tell)
        if isinstance(value, Message):
            return self.say(value.id)
        if isinstance(value, Verbatim):
            return code(value.text) if value.text else self.show(None)
        if isinstance(value, Phrase):
            return code(self._own(value.text))
        if isinstance(value, Prose):
            return prose(self._own(value.text))
        return Markdown(_figure(value))

    def _own(self, text: str) -> str:
        """What a rule says, in this language."""
        return translate(text) if self.code == "ko" else text

    def _first(self, items: Sequence[Item], show: Callable[[Item], Markdown]) -> Markdown:
        """The first of several items, and how many more there are."""
        if not items:
            return self.show(None)
        shown = Markdown(", ".join(map(show, items[:MAX_NAMES])))
        more = len(items) - MAX_NAMES
        return self.say("names.more", names=shown, count=more) if more > 0 else shown


class _Sentence(Formatter):
    """Fills in placeholders: ``{n}``, ``{n:operator}`` (with the noun), ``{n:is|are}``, ``{x:percent}``."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec:
            return self.language.show(value)
        if format_spec == "percent" and isinstance(value, Share):
            return _percent(value)
        if not isinstance(value, int):
            raise TypeError(f"only a number can have a noun ({format_spec}): {value!r}")
        one, _, many = format_spec.partition("|")
        if many:
            return one if value == 1 else many
        return f"{value:,} {one}" if value == 1 else f"{value:,} {one}s"


def _figure(value: Any) -> str:
    """A figure; the same in all languages."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Share):
        return f"{_percent(value)} ({value.part:,}/{value.whole:,})"
    if isinstance(value, Bytes):
        return format_value(MetricValue(value.size, "bytes"))
    if isinstance(value, Estimate):
        return _estimate(value)
    raise TypeError(f"{value!r} cannot be shown: is it harmless?")


def _percent(share: Share) -> str:
    ratio = MetricValue(share.part / share.whole, "ratio", share.part, share.whole)
    return format_value(ratio).split(" ", maxsplit=1)[0]


def _estimate(value: Estimate) -> str:
    low, middle, high = (_with_unit(v, value.unit) for v in (value.low, value.value, value.high))
    return middle if low == high else f"{middle} ({low} – {high})"


def _with_unit(value: float, unit: str) -> str:
    if unit == "bytes":
        return format_value(MetricValue(round(value), "bytes"))
    if unit == "ms" and 0 < value < 0.1:
        return f"{_three_digits(value * 1000)} µs"
    return f"{_three_digits(value)} {'×' if unit == 'x' else unit}"


def _three_digits(value: float) -> str:
    """With three significant digits, or all of a whole number's."""
    if not value:
        return "0"
    decimals = max(2 - math.floor(math.log10(abs(value))), 0)
    return f"{value:,.{decimals}f}" if decimals <= MAX_DECIMALS else f"{value:.3g}"
