"""Tensors with tuples looked through: who makes them, who reads them, what leaves a group."""

from __future__ import annotations

import itertools

import pytest
from conformance import topologies
from conformance.sketch import Sketch

from pytest_npu_compat.analysis.dataflow import Dataflow, size
from pytest_npu_compat.analysis.facts import collect
from pytest_npu_compat.analysis.placement import place
from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.target.ethos_n78.target import EthosN78


def test_tuples_are_looked_through() -> None:
    g = Sketch()
    x = g.input()
    left, right = g.split(g.host(x), (8, 8))
    joined = g.concat(left, right)
    flow = Dataflow(g.finish(joined))
    split = g.calls[left].args[0]
    assert isinstance(split, int)
    assert flow.made([split]) == (left, right)
    assert flow.maker(left) == split
    assert flow.maker(x) is None
    assert flow.reads([joined]) == (left, right)
    assert flow.readers[left] == [joined]
    assert flow.leaving([split]) == (left, right)
    assert flow.leaving([split, joined]) == (joined,)
    assert flow.returned == {joined}


def test_inner_tensors_neither_enter_nor_leave_a_group() -> None:
    g = Sketch()
    root = g.conv(g.input())
    flow = Dataflow(g.finish(root))
    calls = [call.index for call in g.calls]
    assert [ref for ref in flow.reads(calls) if not flow.program.is_constant(ref)] == ["in0"]
    assert flow.leaving(calls) == (root,)


def test_results_that_meet_in_a_tuple_of_the_cpu_leave_their_partition() -> None:
    """The CPU concatenates 8 + 8 channels that one partition makes."""
    g = Sketch()
    a = g.conv(g.input())
    program = g.finish(g.concat(g.conv(a, 8), g.conv(a, 8)))
    (partition,) = collect(place(program, EthosN78())).partitions
    assert (partition.outputs, partition.output_bytes) == (2, 16**3)


@pytest.mark.parametrize("name", sorted(topologies.NAMED))
def test_connected_groups_are_a_partition_of_the_calls(name: str) -> None:
    program = topologies.build(name)
    flow = Dataflow(program)
    working = [c.index for c in program.calls if c.op not in ("tuple", "tuple_get_item")]
    groups = flow.connected([[index] for index in working])
    assert sorted(i for group in groups for i in group) == working
    for group in groups:
        others = set(working) - set(group)
        assert not {flow.maker(ref) for ref in flow.reads(group)} & others
    single = [[index] for index in working]
    grown = [flow.touched(single[:count]) for count in range(len(single) + 1)]
    assert all(before <= after for before, after in itertools.pairwise(grown))


def test_size() -> None:
    assert size(TensorType((2, 3), "int8")) == 6
    assert size(TensorType((2, None, 3), "float32")) == 24
    assert size(TensorType((), "int64")) == 8
    assert size(TensorType(None, "unknown")) == 1
