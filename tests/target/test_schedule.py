"""Which tensors of a partition stay in SRAM, which passes join, what moves cost."""

from __future__ import annotations

from typing import get_args

import pytest
from conformance import topologies
from conformance.sketch import Sketch
from estimates import partition_passes

from pytest_npu_compat.analysis.placement import place
from pytest_npu_compat.target.cost import OnChip, PassCost
from pytest_npu_compat.target.ethos_n78.target import EthosN78

SHAPE = (1, 56, 56, 64)
EXACT = 56 * 56 * 64


def names(passes: tuple[PassCost, ...]) -> list[str]:
    return [p.name for p in passes]


def test_tensor_between_two_passes_stays_on_the_chip() -> None:
    g = Sketch()
    first, second = partition_passes(g.finish(g.conv(g.conv(g.input(SHAPE), 64), 64)))
    assert (first[0].input.total, first[0].output.total) == (EXACT, 0)
    assert (second[0].input.total, second[0].output.total) == (0, EXACT)


@pytest.mark.parametrize(("on_chip", "spilled"), [("none", EXACT), ("all", 0)])
def test_best_and_worst_case(on_chip: OnChip, spilled: int) -> None:
    g = Sketch()
    a = g.conv(g.input(SHAPE), 64)
    first, second, third = partition_passes(g.finish(g.add(a, g.conv(a, 64))), on_chip)
    assert first[0].output.total == second[0].output.total == spilled
    assert third[0].input.total == 2 * spilled


def test_tensor_with_two_readers_goes_through_dram_in_bricks() -> None:
    g = Sketch()
    a = g.conv(g.input((1, 13, 13, 64)), 64)
    first, second, third = partition_passes(g.finish(g.add(a, g.conv(a, 64))))
    assert first[0].output.total == second[0].input.total == 16 * 16 * 64
    assert second[0].output.total == 0  # read by the addition alone, right after
    assert third[0].input.total == 16 * 16 * 64


def test_tensor_too_large_for_sram_goes_through_dram() -> None:
    g = Sketch()
    first, second = partition_passes(g.finish(g.conv(g.conv(g.input((1, 160, 160, 64)), 64), 64)))
    assert first[0].output.total == second[0].input.total == 160 * 160 * 64


def test_activation_joins_the_convolution_before_it() -> None:
    g = Sketch()
    conv, clip, leaky = partition_passes(g.finish(g.leaky(g.clip(g.conv(g.input(SHAPE), 64)))))
    assert conv[0].output.total == EXACT
    assert [p.joined for p in (*conv, *clip, *leaky)] == [False, True, True]
    assert clip[0].mce_cycles == leaky[0].mce_cycles == 1568
    assert clip[0].input.total == clip[0].output.total == 0


def test_second_post_processing_needs_a_pass_of_its_own() -> None:
    g = Sketch()
    _, leaky, pool = partition_passes(g.finish(g.pool(g.leaky(g.conv(g.input(SHAPE), 64)))))
    assert leaky[0].joined
    assert not pool[0].joined


def test_activation_with_a_shared_input_does_not_join() -> None:
    g = Sketch()
    a = g.conv(g.input(SHAPE), 64)
    _, leaky, _ = partition_passes(g.finish(g.add(a, g.leaky(a))))
    assert not leaky[0].joined


def test_nothing_joins_in_the_worst_case() -> None:
    g = Sketch()
    program = g.finish(g.clip(g.conv(g.input(SHAPE), 64)))
    assert not partition_passes(program, "none")[1][0].joined


def test_concatenation_of_results_moves_nothing_itself() -> None:
    g = Sketch()
    x = g.input(SHAPE)
    left, right, concat, last = partition_passes(
        g.finish(g.conv(g.concat(g.conv(x, 64), g.conv(x, 64, 3)), 64))
    )
    assert concat == ()
    assert left[0].output.total == right[0].output.total == EXACT
    assert last[0].input.total == 2 * EXACT


def test_what_a_split_takes_from_outside_is_copied() -> None:
    g = Sketch()
    left, right = g.split(g.input(SHAPE), (32, 32))
    split, *convs, _ = partition_passes(g.finish(g.add(g.conv(left, 64), g.conv(right, 64))))
    assert names(split) == ["copy"]
    assert (split[0].input.total, split[0].output.total) == (EXACT, EXACT)
    assert [conv[0].input.total for conv in convs] == [EXACT / 2, EXACT / 2]


def test_constant_operand_of_an_addition_is_read() -> None:
    g = Sketch()
    a = g.conv(g.input(SHAPE), 64)
    _, add = partition_passes(g.finish(g.add(a, g.constant(SHAPE))))
    assert add[0].weights.total == EXACT


def test_every_step_of_a_partition_has_its_passes() -> None:
    checked = 0
    for name in topologies.NAMED:
        program = topologies.build(name)
        placement = place(program, EthosN78())
        if len(placement.partitions) == 1:
            checked += 1
            for on_chip in get_args(OnChip):
                passes = partition_passes(program, on_chip)
                assert len(passes) == len(placement.partitions[0]), name
                assert sum(p.input.total + p.output.total for step in passes for p in step) > 0
    assert checked > 20
