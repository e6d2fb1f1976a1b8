"""MCE cycles: the library's own figures, and a hand-computed case for each branch of the formulas."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_npu_compat.target.ethos_n78.operators import (
    Addition,
    Clip,
    Concatenate,
    Convolution,
    FullyConnected,
    Pool,
    Reshape,
    Resize,
    Tensor,
)
from pytest_npu_compat.target.ethos_n78.performance import passes, uses_winograd
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS, Capabilities

NPU = VARIANTS["4tops-4ple"]
SMALL = VARIANTS["1tops-2ple"]


def conv(
    size: int,
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    stride: int = 1,
    *,
    depthwise: bool = False,
) -> Convolution:
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    out = -(-size // stride)
    shape = (height, width, outputs, 1) if depthwise else (height, width, inputs, outputs)
    return Convolution(
        input=Tensor((1, size, size, inputs), "int8"),
        output=Tensor((1, out, out, outputs), "int8"),
        weights=Tensor(shape, "int8"),
        bias_shape=(outputs,),
        strides=(stride, stride),
        groups=outputs if depthwise else 1,
        output_channels=outputs,
        kernel_layout="HWOI" if depthwise else "HWIO",
    )


def cycles(op: object, npu: Capabilities = NPU) -> list[int]:
    return [p.mce_cycles for p in passes(op, npu)]


REFERENCE = {
    # rules 7.5: what the library's EstimatePerformance gave on 4 TOPS / 4 PLE
    "conv 56x56x64->64 3x3": (conv(56, 64, 64, 3), [25088]),
    "conv 56x56x64->64 1x1": (conv(56, 64, 64, 1), [6272]),
    "conv 224x224x3->64 7x7 s2": (conv(224, 3, 64, 7, 2), [6272, 307328]),
    "conv 56x56x64->128 3x3 s2": (conv(56, 64, 128, 3, 2), [1568, 28224]),
    "depthwise 56x56x64 3x3": (conv(56, 64, 64, 3, depthwise=True), [14112]),
    "depthwise 56x56x64 3x3 s2": (conv(56, 64, 64, 3, 2, depthwise=True), [1568, 3528]),
    "conv 320x320x64->64 3x3": (conv(320, 64, 64, 3), [819200]),
    "conv 13x13x1024->1024 3x3": (conv(13, 1024, 1024, 3), [401408]),
    "conv 20x20x512->255 1x1": (conv(20, 512, 255, 1), [25600]),
}


@pytest.mark.parametrize(("op", "expected"), REFERENCE.values(), ids=REFERENCE)
def test_cycles_equal_the_library(op: Convolution, expected: list[int]) -> None:
    assert cycles(op) == expected


WEIGHTS = {
    "conv 56x56x64->64 3x3": 37632,
    "conv 56x56x64->64 1x1": 4864,
    "depthwise 56x56x64 3x3": 1536,
    "conv 20x20x512->255 1x1": 133632,
    "conv 56x56x64->128 3x3 s2": 75008,
    "conv 13x13x1024->1024 3x3": 9158144 + 295424,
}


@pytest.mark.parametrize(("name", "expected"), WEIGHTS.items(), ids=WEIGHTS)
def test_encoded_weights_are_within_a_percent(name: str, expected: int) -> None:
    stored = passes(REFERENCE[name][0], NPU)[-1].weight_bytes
    assert stored == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("kernel", "stride", "winograd"),
    [
        ((1, 1), 1, False),
        ((2, 2), 1, False),
        ((3, 3), 1, True),
        ((5, 5), 1, True),
        ((7, 7), 1, True),
        ((9, 9), 1, True),
        ((3, 3), 2, False),
        ((1, 3), 1, True),
        ((2, 1), 1, False),
        ((1, 5), 1, True),
        ((7, 1), 1, True),
        ((2, 3), 1, True),
    ],
)
def test_winograd_only_where_it_saves_multiplications(
    kernel: tuple[int, int], stride: int, winograd: bool
) -> None:
    assert uses_winograd(kernel, stride) is winograd


def test_one_dimensional_winograd_blocks() -> None:
    # 16 IFMs round to 16 IGs: 16 * (4x2 blocks: 4*8) * 16 / (16 * 8) * ceil(16 / 16)
    vertical = 16 * (16 // 4) * (16 // 2) * 16 // (16 * 8)
    assert cycles(conv(16, 16, 16, (3, 1))) == [vertical]
    horizontal = 16 * (16 // 2) * (16 // 4) * 16 // (16 * 8)
    assert cycles(conv(16, 16, 16, (1, 3))) == [horizontal]


def test_fully_connected_is_a_direct_convolution_of_one_pixel() -> None:
    op = FullyConnected(
        Tensor((1, 100), "int8"), Tensor((1, 10), "int8"), Tensor((10, 100), "int8"), (10,)
    )
    assert cycles(op) == [4 * 2 * 112 * 16 // (16 * 8 * 16)]


def test_transposed_convolution_is_direct_on_its_output() -> None:
    op = Convolution(
        input=Tensor((1, 8, 8, 16), "int8"),
        output=Tensor((1, 16, 16, 16), "int8"),
        weights=Tensor((16, 16, 2, 2), "int8"),
        bias_shape=(16,),
        strides=(2, 2),
        output_channels=16,
        kernel_layout="IOHW",
        transposed=True,
    )
    assert cycles(op) == [4 * 16 * 16 * 16 * 16 // (16 * 8 * 16)]


X = Tensor((1, 56, 56, 64), "int8")


def test_pools_and_elementwise_operators_are_an_identity_pass() -> None:
    pool = Pool(X, Tensor((1, 28, 28, 64), "int8"), "max", (2, 2), (2, 2), (0, 0, 0, 0))
    assert cycles(pool) == cycles(Clip(X, X, 0, 127)) == [1568]


def test_resize_runs_at_the_size_of_its_output() -> None:
    assert cycles(Resize(X, Tensor((1, 112, 112, 64), "int8"), "nearest_neighbor")) == [6272]


def test_additions_and_moves_need_no_multiplications() -> None:
    assert cycles(Addition(X, X, X)) == [0]
    assert cycles(Concatenate((X, X), Tensor((1, 56, 56, 128), "int8"), 3)) == []
    assert cycles(Reshape(X, X)) == []


SIDES = st.sampled_from([1, 2, 3, 5, 7, 9])


@given(
    size=st.integers(8, 64),
    inputs=st.integers(1, 130),
    outputs=st.integers(1, 130),
    kernel=SIDES,
    stride=st.sampled_from([1, 2]),
)
def test_more_tops_never_cost_more_cycles(
    size: int, inputs: int, outputs: int, kernel: int, stride: int
) -> None:
    op = conv(size, inputs, outputs, kernel, stride)
    totals = [
        sum(cycles(op, VARIANTS[name]))
        for name in ("1tops-2ple", "2tops-2ple", "4tops-2ple", "8tops-2ple")
    ]
    assert totals == sorted(totals, reverse=True)


def test_variant_with_a_quarter_of_the_macs_needs_four_times_the_cycles() -> None:
    op = conv(56, 64, 64, 1)
    assert sum(cycles(op, SMALL)) == 4 * sum(cycles(op, NPU))
    assert cycles(replace(op, weights=op.weights), SMALL) == [25088]
