"""Mutation check: switch off each constraint in turn and see whether a reference case notices.

Usage: ``make mutation``. A constraint that survives is decided by nothing in the reference data; it is
then covered by ``tests/target/test_constraints.py`` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from conformance import compare, reference
from conformance.cases import operator_of
from conformance.exceptions import NOT_COMPARED

from pytest_npu_compat.target.constraint import Constraint
from pytest_npu_compat.target.ethos_n78 import catalog, patterns
from pytest_npu_compat.target.ethos_n78.judge import judge
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS, Capabilities

Judged = tuple[object, Capabilities]


def judged_operators() -> list[Judged]:
    """Every operator of the reference data with the variant it is judged on."""
    found: dict[Judged, None] = dict.fromkeys(_of_unit_cases())
    original = patterns.judge

    def record(op: object, npu: Capabilities) -> Any:
        found[(op, npu)] = None
        return original(op, npu)

    patterns.judge = record
    try:
        for _ in (*compare.vector_comparisons(), *compare.network_comparisons()):
            pass
    finally:
        patterns.judge = original
    return list(found)


def _of_unit_cases() -> Iterator[Judged]:
    for case in reference.unit_cases():
        if (
            case["op"] in ("graph", "network", "mul", "add_both_const")
            or case["id"] in NOT_COMPARED
        ):
            continue
        op = operator_of(case["op"], case["params"])
        for npu in VARIANTS.values():
            yield op, npu


def survivors() -> list[str]:
    """Ids of the constraints whose absence changes no verdict on the reference's operators."""
    operators = judged_operators()
    rejected = [(op, npu) for op, npu in operators if judge(op, npu)]
    return [
        f"{rule.rule} ({rule.level.value})"
        for rule in catalog.all_constraints()
        if not any(_accepted_without(rule, op, npu) for op, npu in rejected)
    ]


def _accepted_without(rule: Constraint[Any], op: object, npu: Capabilities) -> bool:
    check = rule.check
    object.__setattr__(rule, "check", lambda _op, _npu: None)
    try:
        return not judge(op, npu)
    except (ValueError, IndexError, KeyError, ZeroDivisionError):
        return True
    finally:
        object.__setattr__(rule, "check", check)


def main() -> int:
    """Prints the survivors."""
    total = len(list(catalog.all_constraints()))
    alive = survivors()
    print(f"{total - len(alive)} of {total} constraints are decided by a reference case alone.")
    print(
        "Switching one of these off changes no verdict there (another rule rejects the same cases):"
    )
    for name in alive:
        print(f"  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
