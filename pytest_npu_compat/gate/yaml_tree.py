"""YAML text -> plain values, each with its position.

PyYAML keeps the last of two equal keys, which in a gate file would silently drop a threshold, and
expands aliases without limit. Both are errors here, and so is everything that is not plain data.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pytest_npu_compat.gate.errors import GateError, Position

__all__ = ["YamlTree", "parse"]

MAX_BYTES = 1_000_000
MAX_VALUES = 20_000
MAX_DEPTH = 40

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
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise GateError(
            path,
            "The file is not UTF-8 text.",
            Position(line, column),
            hint="Save it with UTF-8 encoding.",
        ) from error
    lines = tuple(text.splitlines())
    loader = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        tree = YamlTree(path, None, lines)
        value = None if node is None else _Builder(tree, loader).build(node, (), 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)
        problem = error.problem or error.context or "not valid YAML"
        hint = "Indent with spaces." if "'\\t'" in problem else ""
        raise _error(path, lines, position, f"Not valid YAML: {problem}.", hint) from error
    except yaml.YAMLError as error:
        position = _reader_position(error, text)
        raise _error(path, lines, position, f"Not valid YAML: {_one_line(error)}", "") from error
    except RecursionError as error:
        raise GateError(path, "The file is nested too deeply.", Position(1, 1)) from error
    finally:
        if loader is not None:
            loader.dispose()
    return YamlTree(path, value, lines, tree.positions, tree.keys)


def _reader_position(error: yaml.YAMLError, text: str) -> Position:
    index = getattr(error, "position", 0)
    index = index if isinstance(index, int) else 0
    return Position(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


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
                "The file has too many or too deeply nested values.",
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
        try:
            value = self.loader.construct_object(node, deep=True)
        except yaml.YAMLError:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise _error(
                self.tree.path,
                self.tree.lines,
                position,
                f"Not a valid value: {_one_line(error)}",
                "Write it in quotes if it is text.",
            ) from error
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
