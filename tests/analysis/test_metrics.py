"""Metrics are figures about a partition of the operators."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.costs import Figures, Range
from pytest_npu_compat.analysis.metrics import METRICS, Facts, measure
from pytest_npu_compat.analysis.report import (
    Conversion,
    HazardInfo,
    OperatorInfo,
    PartitionInfo,
)

HAZARD = HazardInfo("rule", "message", "actual", "remedy")


def operator(placement: str = "npu", macs: int = 0, hazards: int = 0) -> OperatorInfo:
    return OperatorInfo(
        name="o",
        kind="Conv",
        nodes=("o",),
        supported=placement == "npu",
        placement=placement,
        partition=None,
        composite=None,
        macs=macs,
        output_shape=(),
        hazards=(HAZARD,) * hazards,
    )


def partition(inputs: int = 1, outputs: int = 1, size: int = 0) -> PartitionInfo:
    return PartitionInfo(0, ("o",), 0, inputs, outputs, size, 2 * size)


FACTS = st.builds(
    Facts,
    operators=st.lists(
        st.builds(
            operator,
            st.sampled_from(["npu", "cpu", "unknown"]),
            st.integers(0, 10**12),
            st.integers(0, 2),
        ),
        max_size=12,
    ),
    partitions=st.lists(
        st.builds(partition, st.integers(0, 9), st.integers(0, 9), st.integers(0, 10**9)),
        max_size=6,
    ),
    qdq_pairs=st.lists(
        st.builds(
            Conversion,
            st.just(("a", "b")),
            st.just("o"),
            st.sampled_from(["npu", "cpu"]),
            st.integers(1, 9),
        ),
        max_size=6,
    ),
    host_ops=st.integers(0, 99),
    pass_through=st.integers(0, 3),
)


@given(facts=FACTS)
@settings(max_examples=150, deadline=None)
def test_ratios_are_parts_of_a_whole(facts: Facts) -> None:
    values = measure(facts)
    ratios = {name: value for name, value in values.items() if value.unit == "ratio"}
    assert "npu_function_ratio" in ratios
    for value in ratios.values():
        assert value.numerator is not None
        assert value.denominator is not None
        assert 0 <= value.numerator <= value.denominator
        assert value.denominator > 0
        assert value.value == value.numerator / value.denominator


@given(facts=FACTS)
@settings(max_examples=150, deadline=None)
def test_placements_divide_the_operators(facts: Facts) -> None:
    values = measure(facts)
    placed = [values[f"{where}_operators"].value for where in ("npu", "cpu", "unknown")]
    assert sum(placed) == len(facts.operators)
    if facts.operators:
        assert values["npu_ratio"].numerator == placed[0]
        assert values["npu_ratio"].denominator == len(facts.operators)
        assert (values["npu_ratio"].value == 1) == (placed[1] == placed[2] == 0)


@given(facts=FACTS)
@settings(max_examples=150, deadline=None)
def test_parts_do_not_exceed_their_whole(facts: Facts) -> None:
    values = {name: value.value for name, value in measure(facts).items()}
    assert all(value >= 0 for value in values.values())
    assert values["cpu_qdq_pairs"] <= values["qdq_pairs"] <= values["conversion_operators"]
    assert values["hazards"] <= len(facts.operators)


@given(facts=FACTS)
@settings(max_examples=150, deadline=None)
def test_ratio_of_nothing_is_missing_and_every_other_metric_is_there(facts: Facts) -> None:
    values = measure(facts)
    missing = {name for name, metric in METRICS.items() if metric.estimated}
    if not facts.operators:
        missing.add("npu_ratio")
    if not sum(o.macs for o in facts.operators):
        missing.add("npu_mac_ratio")
    assert set(METRICS) - set(values) == missing
    assert list(values) == [name for name in METRICS if name in values]
    assert all(value.unit == METRICS[name].unit for name, value in values.items())


@given(facts=FACTS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_order_of_the_facts_does_not_matter(facts: Facts, data: st.DataObject) -> None:
    shuffled = dataclasses.replace(
        facts,
        operators=data.draw(st.permutations(facts.operators)),
        partitions=data.draw(st.permutations(facts.partitions)),
        qdq_pairs=data.draw(st.permutations(facts.qdq_pairs)),
    )
    assert list(measure(shuffled).items()) == list(measure(facts).items())


@given(facts=FACTS.filter(lambda facts: any(o.placement != "npu" for o in facts.operators)))
@settings(max_examples=100, deadline=None)
def test_moving_an_operator_to_the_npu_raises_the_ratio_by_one(facts: Facts) -> None:
    index = next(i for i, o in enumerate(facts.operators) if o.placement != "npu")
    moved = list(facts.operators)
    moved[index] = dataclasses.replace(moved[index], placement="npu")
    before, after = (
        measure(f)["npu_ratio"].numerator
        for f in (facts, dataclasses.replace(facts, operators=moved))
    )
    assert before is not None
    assert after == before + 1


def test_figures_of_a_small_model() -> None:
    facts = Facts(
        operators=[operator("npu", 70), operator("npu", 20), operator("cpu", 10, 2)],
        partitions=[partition(1, 1, 100), partition(2, 1, 10)],
        qdq_pairs=[Conversion(("d", "l", "q"), "l", "npu", 3), Conversion(("d",), "m", "cpu", 4)],
        host_ops=5,
        pass_through=1,
    )
    assert {name: value.value for name, value in measure(facts).items()} == {
        "npu_ratio": 2 / 3,
        "npu_mac_ratio": 0.9,
        "npu_function_ratio": 3 / 4,
        "npu_operators": 2,
        "cpu_operators": 1,
        "unknown_operators": 0,
        "npu_partitions": 3,
        "host_ops": 5,
        "boundaries": 5,
        "boundary_bytes": 330,
        "qdq_pairs": 2,
        "cpu_qdq_pairs": 1,
        "conversion_operators": 7,
        "hazards": 1,
    }


@pytest.mark.parametrize("name", METRICS)
def test_row_of_the_table_is_complete(name: str) -> None:
    metric = METRICS[name]
    assert metric.name == name
    assert metric.unit in ("ratio", "count", "bytes", "ms", "x")
    assert metric.better in ("up", "down")
    assert metric.explained_by in ("placement", "islands", "hazards", "estimates")
    assert metric.definition.endswith(".")
    assert bool(metric.of) == (metric.unit == "ratio")
    assert metric.estimated == name.startswith("estimated_")
    assert metric.estimated == metric.definition.startswith("Estimate, not a measurement")


def test_estimates_carry_their_range() -> None:
    ranges = [Range(n, n + 1, n + 2) for n in (1, 4, 7, 10)]
    values = measure(Facts([operator()], [], [], 0, figures=Figures(*ranges)))
    found = {name: (v.low, v.value, v.high) for name, v in values.items() if v.low is not None}
    assert found == {
        "estimated_latency": (1, 2, 3),
        "estimated_speedup": (4, 5, 6),
        "estimated_energy_ratio": (7, 8, 9),
        "estimated_dram_bytes": (10, 11, 12),
    }
