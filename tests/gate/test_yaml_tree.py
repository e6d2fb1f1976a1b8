"""YAML text becomes plain values with positions, or one error at the right place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.gate.errors import GateError, Position
from pytest_npu_compat.gate.yaml_tree import MAX_BYTES, MAX_DEPTH, MAX_VALUES, parse

PATH = Path("gate.yaml")


def value_of(text: str) -> Any:
    return parse(PATH, text.encode()).value


def error_of(data: str | bytes) -> GateError:
    with pytest.raises(GateError) as caught:
        parse(PATH, data if isinstance(data, bytes) else data.encode())
    return caught.value


def pointed(error: GateError) -> str:
    """What stands in the source line from the caret on."""
    _, source, caret, *_ = error.render("gate.yaml").splitlines()
    return source[caret.index("^") :]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# a comment\n", None),
        ("a: [1, 2.5, x, true, null]", {"a": [1, 2.5, "x", True, None]}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: off", {"a": False}),
        ("'1': a", {"1": "a"}),
        ("\ufeffa: 1", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
    ],
    ids=[
        "empty",
        "comment",
        "scalars",
        "alias",
        "off",
        "quoted key",
        "BOM",
        "CRLF",
        "block",
    ],
)
def test_plain_values(text: str, value: Any) -> None:
    assert value_of(text) == value


def test_positions_of_values_and_keys() -> None:
    tree = parse(PATH, b"a:\n  - x\n  - bc: 3\n")
    assert tree.position(("a", 0)) == Position(2, 5)
    assert tree.position(("a", 1, "bc")) == Position(3, 9)
    assert tree.position(("a", 1, "bc"), key=True) == Position(3, 5)
    assert tree.position(("a",), key=True) == Position(1, 1)


def test_place_that_is_not_in_the_file_is_its_nearest_parent() -> None:
    tree = parse(PATH, b"a:\n  - x\n")
    assert tree.position(("a", 7, "nothing")) == tree.position(("a",)) == Position(2, 3)
    assert tree.position(("nothing", "here")) == Position(1, 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "under"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 1, "'a' stands twice; it was given first in line 1", "a: 3"),
        ("x:\n  a: 1\n  a: 1\n", 3, 3, "given first in line 2", "a: 1"),
        ("{a: 1, b: 2, a: 3}", 1, 14, "given first in line 1", "a: 3}"),
        ("a: .inf", 1, 4, "Infinity and not-a-number", ".inf"),
        ("a: -.INF", 1, 4, "Infinity and not-a-number", "-.INF"),
        ("a: [1, .nan]", 1, 8, "Infinity and not-a-number", ".nan]"),
        ("a:\n\tb: 1\n", 2, 1, "a tab stands where only spaces may", "\tb: 1"),
        ("a: *b", 1, 4, "the * of *b starts an alias", "*b"),
        ("a: [1, 2\nb: 3", 2, 2, "Not valid YAML", ": 3"),
        ("3: a", 1, 1, "plain word", "3: a"),
        ("~: a", 1, 1, "plain word", "~: a"),
        ("? [a]\n: b", 1, 3, "plain word", "[a]"),
        ("--- a\n--- b\n", 2, 1, "a second document starts here", "--- b"),
        ("a: !!python/object:os.system x", 1, 4, "python/object:os.system", "!!python"),
        ("a: !thing x", 1, 4, "!thing", "!thing x"),
        ("a: !!timestamp x", 1, 4, "'x' is no timestamp", "!!timestamp x"),
        ("a: 2027-02-31", 1, 4, "'2027-02-31' is no timestamp", "2027-02-31"),
        ("a: !!int ''", 1, 4, "'' is no int", "!!int ''"),
        ("a: !!float ''", 1, 4, "'' is no float", "!!float ''"),
        ("a: !!bool maybe", 1, 4, "'maybe' is no bool", "!!bool maybe"),
        ("a: " + "9" * 150, 1, 4, "is no int", "9" * 150),
        ("a: 0x" + "f" * 150, 1, 4, "is no int", "0x" + "f" * 150),
        ("a: 1" + ":1" * 80, 1, 4, "is no int", "1" + ":1" * 80),
        ("a: 1." + "0" * 150, 1, 4, "is no float", "1." + "0" * 150),
        ('a: "b\\0"', 1, 4, "U+0000", '"b\\0"'),
        ('a: "\\e[31m"', 1, 4, "U+001B", '"\\e[31m"'),
        ('a: "\\ud800"', 1, 4, "U+D800", '"\\ud800"'),
        ('"\\ud800": a', 1, 1, "U+D800", '"\\ud800": a'),
        ('a: "\\U99999999"', 1, 7, "number is too large", "99999999"),
        ("b: c\na: \x01", 2, 4, "U+0001", "\ufffd"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, str) else None,
)
def test_error_points_at_its_cause(
    text: str, line: int, column: int, message: str, under: str
) -> None:
    error = error_of(text)
    assert error.position == Position(line, column)
    assert message in error.message
    assert pointed(error).startswith(under)


def test_tabs_have_a_hint() -> None:
    assert error_of("a:\n\tb: 1\n").hint == "Indent with spaces."


@pytest.mark.parametrize(
    ("data", "position", "under"),
    [
        (b"\xff", Position(1, 1), "\ufffd"),
        (b"a: 1\nb: \xff\xfe", Position(2, 4), "\ufffd"),
        ("a: é".encode("latin-1"), Position(1, 4), "\ufffd"),
        ("ü: ".encode() + b"\xff", Position(1, 4), "\ufffd"),
        (b"\xef\xbb\xbfa: 1\nb: \xff", Position(2, 4), "\ufffd"),
        (b"a: 1\r\nb: \xffc", Position(2, 4), "\ufffdc"),
        ("a: 1".encode("utf-16"), Position(1, 1), "\ufffd"),
    ],
    ids=["first", "second line", "latin-1", "behind a wide character", "BOM", "CRLF", "UTF-16"],
)
def test_text_that_is_not_utf8_has_a_position_in_characters(
    data: bytes, position: Position, under: str
) -> None:
    error = error_of(data)
    assert error.message == "The file is not UTF-8 text."
    assert error.position == position
    assert pointed(error).startswith(under)
    assert error.hint


def test_pointer_of_git_lfs_is_called_one() -> None:
    """It is valid YAML, of which nothing else that is said would help."""
    error = error_of(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n")
    assert error.message == "This is a Git LFS pointer."
    assert "git lfs pull" in error.hint
    assert error.position == Position(1, 1)


@pytest.mark.parametrize("separator", ["\n", "\r", "\r\n", "\u2028", "\x85"])
def test_lines_are_counted_as_the_parser_counts_them(separator: str) -> None:
    for last in ("b: *none", "b: \x01"):
        error = error_of(f"a: 1{separator}{last}")
        assert error.position == Position(2, 4)
        assert error.source == last


def test_source_line_is_shown_without_control_and_bidirectional_characters() -> None:
    text = error_of("a\u202eb: \x1b[31m").render("gate.yaml")
    assert all(line.isprintable() for line in text.splitlines())
    assert "a\ufffdb: \ufffd[31m" in text


@pytest.mark.parametrize(
    ("before", "blanks"),
    [("abc", "   "), ("漢字", "    "), ("e\u0301", " "), ("a\tb", " \t ")],
    ids=["latin", "wide", "combining", "tab"],
)
def test_caret_stands_under_its_character_on_the_screen(before: str, blanks: str) -> None:
    error = GateError(PATH, "m", Position(7, len(before) + 1), f"{before}!x")
    assert error.render("g").splitlines()[1:] == [f"  7 | {before}!x", f"    | {blanks}^"]


def test_error_is_file_line_column_source_caret_hint() -> None:
    error = GateError(PATH, "Wrong.", Position(12, 3), "a b", "Write c.")
    assert str(error).splitlines() == [
        "gate.yaml:12:3: Wrong.",
        "  12 | a b",
        "     |   ^",
        "  hint: Write c.",
    ]


def bomb(levels: int) -> str:
    """Ten times more values with each level."""
    lines = ["a0: &a0 [x]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        bomb(12),
        "&a [*a]",
        "&a {b: *a}",
        "[" * 5000,
        "- " * 5000,
        "? " * 3000,
        "{a: " * 5000,
        "- a\n" * 30_000,
        "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2),
        f"[{'a, ' * MAX_VALUES}]",
    ],
    ids=[
        "aliases",
        "list in itself",
        "mapping in itself",
        "brackets",
        "dashes",
        "keys",
        "braces",
        "long",
        "just too deep",
        "just too many",
    ],
)
def test_too_much_is_one_error(text: str) -> None:
    error = error_of(text)
    assert "too many or too deeply nested" in error.message
    assert error.position.line >= 1


def test_limits_allow_what_lies_within_them() -> None:
    depth = MAX_DEPTH
    assert value_of("[" * depth + "]" * depth) is not None
    assert len(value_of(f"[{'a, ' * (MAX_VALUES - 1)}]")) == MAX_VALUES - 1
    assert len(value_of(bomb(4))["a3"]) == 10


def test_size_is_limited() -> None:
    assert value_of("#" * MAX_BYTES) is None
    error = error_of("#" * (MAX_BYTES + 1))
    assert f"{MAX_BYTES} bytes" in error.message
    assert error.position == Position(1, 1)


def test_long_source_line_is_left_out() -> None:
    error = error_of(f"[{'a, ' * 100}*b]")
    assert error.source == ""
    assert error.position == Position(1, 302)
