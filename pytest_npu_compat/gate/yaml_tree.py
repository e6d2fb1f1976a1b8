"""YAML text -> plain values, each with its position.

PyYAML keeps the last of two equal keys, which in a gate file would silently drop a threshold, and
expands aliases without limit. Both are errors here, and so is everything that is not plain data.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.reader import ReaderError

from pytest_npu_compat.gate.errors import GateError, Position
from pytest_npu_compat.gate.yaml_mistakes import explained
from pytest_npu_compat.model.lfs import FETCH, is_pointer

__all__ = ["CONTROL", "YamlTree", "parse"]

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 40
MAX_LITERAL = 100
"""Characters of a number or date; longer ones take long to convert."""

TOO_MANY = "The file has too many or too deeply nested values."
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""What PyYAML counts as the end of a line, which is less than `str.splitlines` takes for one."""
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

Path_ = tuple[Any, ...]


@dataclass(frozen=True)
class YamlTree:
    """A YAML document.

    Attributes:
        path: The file.
        value: The document as dicts, lists and scalars.
        lines: The text, line by line.
        positions: Path of a value -> its position.
        keys: Path of a value in a mapping -> position of its key.
    """

    path: Path
    value: Any
    lines: tuple[str, ...]
    positions: dict[Path_, Position] = field(default_factory=dict)
    keys: dict[Path_, Position] = field(default_factory=dict)

    def position(self, where: Path_, *, key: bool = False) -> Position:
        """Position of a value, or of the nearest value around it that has one."""
        for length in range(len(where), -1, -1):
            if key and where[:length] in self.keys:
                return self.keys[where[:length]]
            if where[:length] in self.positions:
                return self.positions[where[:length]]
        return Position(1, 1)

    def error(self, where: Path_, message: str, hint: str = "", *, key: bool = False) -> GateError:
        """An error at a value (or at its key)."""
        position = self.position(where, key=key)
        return _error(self.path, self.lines, position, message, hint)


def parse(path: Path, data: bytes) -> YamlTree:
    """Parses YAML.

    Raises:
        GateError: The text is not UTF-8, not YAML, too large, or has duplicate keys.
    """
    if len(data) > MAX_BYTES:
        raise GateError(
            path,
            f"A gate file has at most {MAX_BYTES} bytes; this one has {len(data)}.",
            Position(1, 1),
        )
    data = data.removeprefix(codecs.BOM_UTF8)
    if is_pointer(data):
        raise GateError(path, "This is a Git LFS pointer.", Position(1, 1), hint=FETCH)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        lines = _lines(data.decode(errors="replace"))
        position = _end(data[: error.start].decode())
        raise _error(
            path, lines, position, "The file is not UTF-8 text.", "Save it with UTF-8 encoding."
        ) from error
    lines = _lines(text)
    try:
        loader = _Loader(text)
    except ReaderError as error:
        message = f"The character U+{int(error.character):04X} is not allowed."
        raise _error(path, lines, _end(text[: error.position]), message, "") from error
    try:
        node = loader.get_single_node()
        tree = YamlTree(path, None, lines)
        value = None if node is None else _Builder(tree, loader).build(node, (), 0)
    except yaml.MarkedYAMLError as error:
        raise _error(path, lines, *_explained(error, lines)) from error
    except (ValueError, OverflowError) as error:
        # From the scanner: an escape or a version directive with a number that is too large.
        position = Position(loader.line + 1, loader.column + 1)
        raise _error(path, lines, position, "Not valid YAML: a number is too large.", "") from error
    finally:
        loader.dispose()
    return YamlTree(path, value, lines, tree.positions, tree.keys)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(LINE_BREAK.split(text))


def _end(text: str) -> Position:
    """The position right behind a text."""
    lines = _lines(text)
    return Position(len(lines), len(lines[-1]) + 1)


def _explained(error: yaml.MarkedYAMLError, lines: tuple[str, ...]) -> tuple[Position, str, str]:
    position, message, hint = explained(error, lines)
    return (position, TOO_MANY, "") if error.problem == TOO_MANY else (position, message, hint)


class _Loader(yaml.SafeLoader):
    """Gives up on large documents while it reads them."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.count = 0
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.count += 1
        self.depth += 1
        if self.count > MAX_VALUES or self.depth > MAX_DEPTH + 1:
            raise ComposerError(None, None, TOO_MANY, self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _error(
    path: Path, lines: tuple[str, ...], position: Position, message: str, hint: str
) -> GateError:
    source = lines[position.line - 1] if position.line <= len(lines) else ""
    if len(source) > 200:
        source = ""
    return GateError(path, message, position, source, hint)


class _Builder:
    def __init__(self, tree: YamlTree, loader: yaml.SafeLoader) -> None:
        self.tree = tree
        self.loader = loader
        self.count = 0

    def build(self, node: yaml.Node, where: Path_, depth: int) -> Any:
        self.count += 1
        self.tree.positions[where] = _start(node)
        if self.count > MAX_VALUES or depth > MAX_DEPTH:
            raise self.tree.error(
                where,
                TOO_MANY,
                "Aliases are expanded; an alias of an alias of an alias grows without bound.",
            )
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, where, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(n, (*where, i), depth + 1) for i, n in enumerate(node.value)]
        return self.scalar(node)

    def mapping(self, node: yaml.MappingNode, where: Path_, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first: dict[str, Position] = {}
        for key_node, value_node in node.value:
            position = _start(key_node)
            key = self.scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise _error(
                    self.tree.path,
                    self.tree.lines,
                    position,
                    "A key must be a plain word.",
                    "Write the key in quotes." if isinstance(key, Hashable) else "",
                )
            if key in first:
                raise _error(
                    self.tree.path,
                    self.tree.lines,
                    position,
                    f"The key {key!r} stands twice; it was given first in line {first[key].line}.",
                    "Keep one of the two.",
                )
            first[key] = position
            place = (*where, key)
            self.tree.keys[place] = position
            result[key] = self.build(value_node, place, depth + 1)
        return result

    def scalar(self, node: yaml.Node) -> Any:
        position = _start(node)
        text, kind = str(node.value), node.tag.rpartition(":")[2]
        value: Any = None
        try:
            known = kind == "str" or len(text) <= MAX_LITERAL
            value = self.loader.construct_object(node, deep=True) if known else None
        except (ValueError, OverflowError, LookupError, AttributeError):
            known = False  # PyYAML's constructors let Python's errors through
        if not known:
            raise _error(
                self.tree.path,
                self.tree.lines,
                position,
                f"{text[:60]!r} is no {kind}.",
                "Write it in quotes if it is text.",
            )
        if isinstance(value, str) and (control := CONTROL.search(value)):
            raise _error(
                self.tree.path,
                self.tree.lines,
                position,
                f"The character U+{ord(control[0]):04X} is not allowed.",
                "",
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise _error(
                self.tree.path,
                self.tree.lines,
                position,
                "Infinity and not-a-number are no values here.",
                "",
            )
        return value


def _start(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)
