"""Agreement with the reference: vectors, unit cases and whole networks, all variants."""

from __future__ import annotations

from collections import Counter

import pytest
from conformance import compare, reference
from conformance.exceptions import NOT_COMPARED, WITHOUT_RULE

from pytest_npu_compat.target.ethos_n78.variants import VARIANTS


@pytest.mark.parametrize(
    "comparisons",
    [compare.vector_comparisons, compare.unit_comparisons, compare.network_comparisons],
    ids=["vectors", "unit-cases", "networks"],
)
def test_every_case_agrees(comparisons: object) -> None:
    assert callable(comparisons)
    found = list(comparisons())
    disagreeing = [c for c in found if not c.agrees]
    assert len(found) > 1000
    assert disagreeing == []


def test_every_vector_and_unit_case_is_compared_or_a_named_exception() -> None:
    verdicts, _ = reference.vectors()
    cases = {case["id"] for case in reference.unit_cases()}
    assert set(NOT_COMPARED) <= cases
    assert len(NOT_COMPARED) <= 0.01 * (len(verdicts) + len(cases))
    compared = {c.name.split(" (inline")[0] for c in compare.unit_comparisons()}
    names = {
        case["id"]: case.get("name", case["id"])
        for case in reference.unit_cases()
        if case["id"] not in NOT_COMPARED
    }
    missing = [i for i, name in names.items() if i not in compared and name not in compared]
    assert missing == []


def test_named_network_exception_still_exists() -> None:
    """An exception that no longer holds must be removed from the list."""
    goldens, files = reference.networks()
    for file in WITHOUT_RULE:
        program = compare.load(files[file])
        target = compare.EthosN78(inline_non_compute_intensive_partitions=False)
        placement = compare.place(program, target)
        count = len(placement.partitions) + placement.pass_through
        assert count != goldens[file]["partitions_without_rule"]


def test_all_variants_are_compared() -> None:
    seen = Counter(c.variant for c in compare.unit_comparisons())
    assert set(VARIANTS) <= set(seen)
