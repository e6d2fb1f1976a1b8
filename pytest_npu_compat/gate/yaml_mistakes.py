"""What PyYAML says of a text that is not YAML -> what its author is told, and what to write instead.

The signs with which thresholds and globs start mean something else to YAML, so that the likeliest
mistakes of all are met by talk of chomping indicators and aliases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from pytest_npu_compat.gate.errors import Position

__all__ = ["explained"]

_STARTS = {
    ">": "starts a block of text",
    "|": "starts a block of text",
    "*": "starts an alias",
    "&": "starts an anchor",
    "!": "starts a tag",
    "%": "starts a directive",
    "@": "is reserved",
    "`": "is reserved",
}
"""Sign that cannot start plain text -> what it does in YAML."""

_SCALARS = (
    "while scanning a block scalar",
    "while scanning an alias",
    "while scanning an anchor",
    "while scanning a tag",
)


def explained(error: yaml.MarkedYAMLError, lines: Sequence[str]) -> tuple[Position, str, str]:
    """Where the mistake is, what it is, and what to write instead.

    Args:
        error: From PyYAML.
        lines: The text, line by line.
    """
    at = _position(error.problem_mark or error.context_mark)
    start = _position(error.context_mark) if error.context_mark else at
    problem = error.problem or error.context or "not valid YAML"
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    sign = _quoted_sign(problem)
    if error.context in _SCALARS or problem.startswith(
        ("found undefined alias", "could not determ")
    ):
        return _unquoted(start if error.context in _SCALARS else at, lines) or (
            at,
            _told(error),
            "",
        )
    if sign == "\t":
        hint = (
            "Put a space in its place." if line[: at.column - 1].strip() else "Indent with spaces."
        )
        return at, "Not valid YAML: a tab stands where only spaces may.", hint
    if sign in _STARTS:
        return _unquoted(at, lines) or (at, _told(error), "")
    if problem.startswith("mapping values are not allowed"):
        return (
            at,
            "Not valid YAML: no key can stand before this colon.",
            "Put text that has a colon in quotes; give a key its own line, as far in as its siblings.",
        )
    if problem == "expected <block end>, but found '<scalar>'":
        return (
            at,
            "Not valid YAML: this stands behind a value that has ended.",
            "Look for a quote that is missing or too many, in the lines above too.",
        )
    if problem.startswith("expected <block end>"):
        return (
            at,
            "Not valid YAML: this stands neither beside nor below the lines above it.",
            "Indent keys of one mapping, and entries of one list, by the same number of spaces.",
        )
    if problem.startswith("expected ',' or "):
        closing = "]" if "']'" in problem else "}"
        if "<stream end>" in problem:
            opening = "[" if closing == "]" else "{"
            return (
                start,
                f"Not valid YAML: this {opening} is never closed.",
                f"Close it by {closing}.",
            )
        return (
            at,
            f"Not valid YAML: a comma or {closing} is missing before this.",
            f"The list or mapping was opened in line {start.line}.",
        )
    if problem.startswith("found unexpected end of stream"):
        return start, "Not valid YAML: this quote is never closed.", "Close it on the same line."
    if problem.startswith("could not find expected ':'"):
        return start, "Not valid YAML: a colon is missing behind this.", "Write `key: value`."
    if problem.startswith("found unknown escape character"):
        hint = "Write paths with /, or the text in single quotes."
        return at, "Not valid YAML: a backslash in double quotes has a meaning of its own.", hint
    if error.context and error.context.startswith("expected a single document"):
        return at, "Not valid YAML: a second document starts here.", "Leave out the line `---`."
    return at, _told(error), ""


def _position(mark: yaml.Mark | None) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


def _told(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "not valid YAML"
    if problem.startswith("but ") and error.context:
        problem = f"{error.context}, {problem}"
    return f"Not valid YAML: {problem}."


def _quoted_sign(problem: str) -> str:
    match = re.fullmatch(r"found character '(\\?.)' that cannot start any token", problem)
    return "" if match is None else match[1].replace("\\t", "\t")


def _unquoted(start: Position, lines: Sequence[str]) -> tuple[Position, str, str] | None:
    """Text that YAML takes for something else because of its first sign."""
    line = lines[start.line - 1] if start.line <= len(lines) else ""
    before, text = line[: start.column - 1], line[start.column - 1 :]
    if text[:1] not in _STARTS:
        return None
    in_flow = before.count("[") + before.count("{") > before.count("]") + before.count("}")
    ends = r"[,\]}]|\s#" if in_flow else r"\s#"
    text = " ".join(re.split(ends, text, maxsplit=1)[0].split())
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    fits = len(text) <= 60
    hint = (
        f'Put it in quotes: "{text}".'
        if fits and not {"\\", '"', "\ufffd"} & {*text}
        else "Put it in quotes."
    )
    shown = text if fits else f"{text[:60]}…"
    return (
        start,
        f"Not valid YAML: without quotes, the {text[0]} of {shown} {_STARTS[text[0]]}.",
        hint,
    )
