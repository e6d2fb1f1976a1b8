"""What the package says that a page may show: read from its code, or from the targets themselves."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest_npu_compat
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Call, Leaf, Program
from pytest_npu_compat.render.text import ISLAND_REMEDY
from pytest_npu_compat.target.byoc import ByocTarget
from pytest_npu_compat.target.ethos_n78 import catalog, unmatched
from pytest_npu_compat.target.profile.condition import Condition, parse_condition
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile
from pytest_npu_compat.target.profile.judge import judge
from pytest_npu_compat.target.profile.properties import PROPERTIES, Subject
from pytest_npu_compat.target.profile.target import ProfileTarget

__all__ = ["PACKAGE", "rule_texts", "said", "strings"]

PACKAGE = Path(pytest_npu_compat.__file__).parent

SPEAKING = {
    "ModelError": 1,
    "Violation": 0,
    "_violation": 1,
    "Reason": 1,
    "Broken": 0,
    "Hazard": 1,
    "TargetError": 0,
}
"""What carries texts to a page, and how many of its arguments come before them."""

NOTES = ("model/kinds.py", "model/quantization.py", "model/relax_import.py", "model/units.py")
"""Where functions return why an operator has no integer form, or is not imported."""

WORD = re.compile(r"(?<![\w-])[a-z]{2,}(?![\w-])")


def rule_texts() -> Iterator[str]:
    """All that a target says of itself, with general allowed values."""
    for entry in catalog.CATALOG:
        for rule in entry.constraints:
            yield from (rule.message, rule.remedy)
    for hazard in catalog.all_hazards():
        yield from (hazard.message, hazard.remedy)
    for kind in (*unmatched.NEVER_OFFLOADED, "Anything"):
        violation = unmatched.never_offloaded(kind, kind)
        yield from (violation.message, violation.remedy)
    yield ISLAND_REMEDY
    for assumption in Platform().assumptions().values():
        yield assumption.meaning
    for rule in catalog.all_constraints():
        if " " in rule.allowed:  # a single word is a value of ONNX
            yield rule.allowed
    yield from profile_texts()
    yield from backend_texts()


def profile_texts() -> Iterator[str]:
    """What targets say that a user declares."""
    for known in PROPERTIES.values():
        for allowed in (*map(bool, known.demand), 1):
            yield f"{known.message(Condition(one_of=(allowed,)))} on an-npu."
        yield known.remedy
    for condition in ("1..7", ">= 2", "<= 7", [1, 2], {"min": 8, "multiple_of": 8}):
        yield parse_condition(condition).text
    yield from judged()
    profile = ProfileTarget(Profile("an-npu", "", ()))
    unmatched_call = profile.unmatched(Program({}, (), (), ()), Call(0, "onnx.Foo", (), ()))
    yield from (unmatched_call.message, unmatched_call.remedy)
    yield from (profile.cyclic_hazard.message, profile.cyclic_hazard.remedy)


def judged() -> Iterator[str]:
    """What a profile says of operators with unknown dimensions and without an attribute."""
    one = Condition(one_of=(1,))
    rule = OperatorRule((("batch", one), ("spatial", one)), (("mode", one),))
    for shape in ((None, 3, 8, None), (1, 3, None, 8)):
        tensor = TensorType(shape, "int8")
        call = Call(0, "onnx.Foo", ("x",), (tensor,), {"operand_positions": (0,)})
        program = Program({"x": Leaf(tensor, constant=False)}, (call,), (0,), ())
        for violation in judge(Profile("an-npu", "", ()), [rule], Subject(program, call)):
            yield from (violation.message, violation.actual, violation.remedy)


def backend_texts() -> Iterator[str]:
    """What TVM's own backends say."""
    target = ByocTarget("nnapi")
    program = Program({}, (), (), ())
    for op, attributes in (
        ("relax.nn.foo", {}),
        ("qnn.quantize", {}),
        ("Foo", {"importer_says": "No."}),
    ):
        call = Call(0, op, (), (), attributes)
        for violation in (target.unmatched(program, call), target._refused(program, [call])):
            yield from (violation.message, violation.remedy)


def strings() -> Iterator[str]:
    """All texts in the package's code; a value in an f-string is a 1."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield " ".join(inspect.cleandoc(node.value).split("\n\n")[0].split())
            elif isinstance(node, (ast.JoinedStr, ast.Call)):
                yield plain(node)


def plain(node: ast.expr) -> str:
    """A text in code as far as it is known before it runs; what is not is a 1."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(plain, node.values))
    if isinstance(node, ast.BinOp):
        return plain(node.left) + plain(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return f"1{plain(node.func.value)}1" if node.func.attr == "join" else "1"
    return "1"


def said() -> Iterator[tuple[str, str]]:
    """Where the code says what, if a page may show it."""
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        # What arguments and gate files get wrong is told before there is a page.
        if where.startswith(("commands/", "gate/")):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found: list[ast.expr] = []
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id not in SPEAKING:
                    continue
                found = node.args[SPEAKING[node.func.id] :]
                found += [k.value for k in node.keywords if k.arg not in ("rule", "level", "code")]
            elif isinstance(node, ast.Return) and where in NOTES and node.value is not None:
                found = [node.value]
            for value in found:
                for text in (
                    (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)
                ):
                    if WORD.search(plain(text)):
                        yield where, plain(text)
