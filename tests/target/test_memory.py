"""DRAM traffic and stripes: the library's own figures (rules 7.5), and how a pass is cut."""

from __future__ import annotations

import pytest
from estimates import LAYERS, layer, partition_passes
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.target.cost import Stream
from pytest_npu_compat.target.ethos_n78.memory import (
    Operand,
    on_chip_bytes,
    plan,
    shape_of,
    stored_bytes,
)
from pytest_npu_compat.target.ethos_n78.performance import Pass
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS

NPU = VARIANTS["4tops-4ple"]

REFERENCE = {
    # layer: for each pass (input, output); the weights are in test_performance.py
    "conv 56×56×64→64 3×3": [(Stream(200704), Stream(200704))],
    "conv 56×56×64→64 1×1": [(Stream(200704), Stream(200704))],
    "conv 320×320×64→64 3×3": [(Stream(6553600, 0, 40), Stream(163840, 6389760, 40))],
    "conv 20×20×512→255 1×1": [(Stream(204800), Stream(102000))],
}


@pytest.mark.parametrize(("name", "streams"), REFERENCE.items(), ids=REFERENCE)
def test_activations_of_the_one_pass_layers_are_the_library_s(
    name: str, streams: list[tuple[Stream, Stream]]
) -> None:
    passes = partition_passes(layer(**LAYERS[name]))[0]
    assert [(p.input, p.output) for p in passes] == streams


def test_interleave_pass_of_the_7x7_layer() -> None:
    """Four stripes of 64 rows; 3 channels become 3 * 16 + 3."""
    interleave, conv = partition_passes(layer(**LAYERS["conv 224×224×3→64 7×7 s2"]))[0]
    assert interleave.input == Stream(43008, 107520, 4)
    assert interleave.output == Stream(182784, 456960, 4)
    assert conv.input.total == interleave.output.total == 639744
    assert conv.output.total == 112 * 112 * 64


def test_interleaved_tensor_of_the_3x3_layer_stays_in_sram() -> None:
    interleave, conv = partition_passes(layer(**LAYERS["conv 56×56×64→128 3×3 s2"]))[0]
    assert interleave.input == Stream(200704)
    assert interleave.output == conv.input == Stream(0)
    assert conv.output == Stream(100352)
    assert on_chip_bytes((28, 28, 256)) == 262144


def test_deep_layer_streams_its_weights_and_converts_its_result() -> None:
    conv, conversion = partition_passes(layer(**LAYERS["conv 13×13×1024→1024 3×3"]))[0]
    assert conv.weights.stripes == 32
    assert conv.weights.alone == pytest.approx(295424, rel=0.01)
    assert conv.weights.beside == pytest.approx(9158144, rel=0.01)
    assert conv.output.total == 262144
    assert (conversion.input, conversion.output) == (Stream(262144), Stream(173056))


def test_formats() -> None:
    assert stored_bytes((13, 13, 255)) == 16 * 16 * 255
    assert on_chip_bytes((13, 13, 255)) == 16 * 16 * 256
    assert shape_of(TensorType((1, 7, 9, 3), "int8")) == (7, 9, 3)
    assert shape_of(TensorType((1, 1000), "int8")) == (8, 8, 16)


def test_pass_without_room_for_what_stays_is_no_plan() -> None:
    big, small = (512, 512, 64), (8, 8, 16)
    work = Pass("identity", 0)
    assert plan(work, [Operand(big, 0, stays=True)], Operand(small, 1), NPU) is None
    assert plan(work, [Operand(big, stored_bytes(big))], Operand(small, 1), NPU) is not None


def test_weights_or_inputs_that_do_not_fit_are_read_again() -> None:
    """512 KiB of input and 4 MiB of weights: either weights for each stripe of rows, or the reverse."""
    shape, weights = (64, 64, 512), 4 * 2**20
    work = Pass("conv", 0, weights, outputs=512)
    whole = stored_bytes(shape)
    (cost,) = plan(work, [Operand(shape, whole)], Operand(shape, whole), NPU) or ()
    assert cost.input.total > whole or cost.weights.total > weights
    assert cost.input.total % whole == 0
    assert cost.weights.total % weights == 0


@pytest.mark.parametrize(("rows", "stripes"), [(1, 8), (3, 16)])
def test_overlapping_rows_need_a_third_slot(rows: int, stripes: int) -> None:
    """8 KiB for each row: 2 + 2 slots of 32 rows fill 1 MiB, 3 + 2 slots need half the rows."""
    shape = (256, 128, 64)
    operand = Operand(shape, stored_bytes(shape))
    (cost,) = plan(Pass("p", 0, rows=rows), [operand], operand, NPU) or ()
    assert cost.input.stripes == cost.output.stripes == stripes


def test_operator_that_no_cut_makes_fit_has_a_plan_all_the_same() -> None:
    shape = (8, 8, 10**6)
    assert plan(
        Pass("conv", 0, 10**9, outputs=16, rows=9), [Operand(shape, 1)], Operand(shape, 1), NPU
    )


SIZES = st.tuples(st.integers(1, 200), st.integers(1, 200), st.integers(1, 600))


@given(
    shape=SIZES,
    outputs=st.integers(0, 600),
    rows=st.sampled_from([1, 3, 7]),
    weights=st.integers(0, 10**7),
)
@settings(max_examples=150, deadline=None)
def test_a_pass_moves_everything_at_least_once(
    shape: tuple[int, int, int], outputs: int, rows: int, weights: int
) -> None:
    made = (*shape[:2], outputs or shape[2])
    operands = [Operand(s, stored_bytes(s)) for s in (shape, made)]
    costs = plan(Pass("p", 0, weights, outputs, rows), operands[:1], operands[1], NPU)
    assert costs is not None
    (cost,) = costs
    assert cost.input.total >= stored_bytes(shape)
    assert cost.output.total == stored_bytes(made)
    assert cost.weights.total >= weights
    assert all(s.alone >= 0 and s.beside >= 0 and s.stripes >= 1 for s in cost.streams)


@given(shape=SIZES, outputs=st.integers(1, 600), weights=st.integers(0, 10**7))
@settings(max_examples=100, deadline=None)
def test_more_sram_never_moves_more(
    shape: tuple[int, int, int], outputs: int, weights: int
) -> None:
    made = (*shape[:2], outputs)
    work = Pass("p", 0, weights, outputs, 3)
    traffic = []
    for name in ("1tops-2ple", "2tops-2ple", "4tops-4ple", "8tops-2ple"):
        costs = plan(
            work,
            [Operand(shape, stored_bytes(shape))],
            Operand(made, stored_bytes(made)),
            VARIANTS[name],
        )
        traffic.append(sum(s.total for cost in costs or () for s in cost.streams))
    if on_chip_bytes((8, 8, shape[2])) * 5 + weights < VARIANTS["1tops-2ple"].sram_bytes:
        assert traffic == sorted(traffic, reverse=True)
