"""Passes of Ethos-N78's operators and their MCE cycles, as Arm's estimator counts them.

What the passes move between DRAM and SRAM is the subject of `memory.py`.

Source: support_library/src/cascading/MceEstimationUtils.cpp:15-121 and Utils.cpp:520-567 of Arm's Ethos-N
driver stack 23.02. The formulas reproduce its `EstimatePerformance` exactly for convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from math import ceil
from typing import Literal, TypeAlias

from pytest_npu_compat.target.ethos_n78.arithmetic import round_up
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    Concatenate,
    Convolution,
    Fixed,
    FullyConnected,
    LeakyRelu,
    Mean,
    MultiplyConstant,
    Pool,
    Reinterpret,
    Requantize,
    Reshape,
    Resize,
    Split,
    Tensor,
    Unary,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

__all__ = ["Pass", "Shape", "passes", "uses_winograd"]

Shape: TypeAlias = tuple[int, int, int]
"""Height, width and channels."""

CHANNEL_HEADER_BYTES = 12
"""Header of each output channel in the encoded weights, fitted to rules 7.5 (exact in 4 of 6 layers)."""


@dataclass(frozen=True)
class Pass:
    """One run of the NPU's engines over a tensor.

    Attributes:
        name: What it does.
        mce_cycles: Clock cycles of the multiply-accumulate engines.
        weight_bytes: Encoded weights that it reads, without compression.
        outputs: Output channels that the weights can be divided by; 0 if an output channel needs its
            own input channel alone.
        rows: Input rows that a row of outputs needs.
        joins: Whether it can join the pass of a convolution before it: ``clamp`` by the engines' own
            limits and rescaling, ``ple`` as the one operation of the post-processing engine; else empty.
        between: Shape of what it hands to the operator's next pass; None in an operator's last pass.
    """

    name: str
    mce_cycles: int
    weight_bytes: int = 0
    outputs: int = 0
    rows: int = 1
    joins: Literal["", "clamp", "ple"] = ""
    between: Shape | None = None


def uses_winograd(kernel: tuple[int, int], stride: int) -> bool:
    """Whether an ordinary convolution runs with Winograd's algorithm (Utils.cpp:520-567).

    Only at stride 1, and only when it needs fewer multiplications: 16 per 4 outputs of a 2x2 block for
    each 3x3 part of the kernel; per 8 outputs of a 1-D kernel for each part of 3.
    """
    height, width = kernel
    if stride != 1:
        return False
    if height == 1 and width == 1:
        return False
    if 1 in kernel:
        return 16 * ceil(max(kernel) / 3) < 8 * max(kernel)
    return 16 * ceil(width / 3) * ceil(height / 3) < 4 * width * height


def _direct(
    kernel: int, height: int, width: int, inputs: int, outputs: int, npu: Capabilities
) -> int:
    area = round_up(height, 4) * round_up(width, 2)
    channels = round_up(inputs, npu.igs) * round_up(outputs, npu.ogs)
    return kernel * area * channels // (npu.igs * 8 * npu.ogs)


def _winograd(kernel: tuple[int, int], op: Convolution, npu: Capabilities) -> int:
    height, width = kernel
    block_width, block_height = (4, 2) if width == 1 else (2, 4) if height == 1 else (2, 2)
    blocks = ceil(op.output.width / block_width) * ceil(op.output.height / block_height)
    multiplies = 16 * ceil(width / 3) * ceil(height / 3)
    inputs = round_up(op.input.channels, npu.igs)
    return inputs * blocks * multiplies // (npu.igs * 8) * ceil(op.output.channels / npu.ogs)


def _depthwise(kernel: int, tensor: Tensor, npu: Capabilities) -> int:
    area = round_up(tensor.height, 4) * round_up(tensor.width, 2)
    return kernel * area * round_up(tensor.channels, npu.igs) // (8 * npu.igs)


def _identity(tensor: Tensor, npu: Capabilities, name: str = "identity") -> Pass:
    """A 1x1 depthwise identity, which carries pools and element-wise operators."""
    return Pass(name, _depthwise(1, tensor, npu))


def _interleave(tensor: Tensor, npu: Capabilities) -> Pass:
    """Turns 2x2 pixels into channels, for stride 2 (PLE operation 4).

    All but the last of the four groups of channels are filled up to the number of SRAM banks: 3 channels
    become 3 * 16 + 3 (rules 7.5, the 7x7 layer).
    """
    between = (
        ceil(tensor.height / 2),
        ceil(tensor.width / 2),
        3 * round_up(tensor.channels, npu.sram_banks) + tensor.channels,
    )
    return Pass("interleave", _depthwise(1, tensor, npu), joins="ple", between=between)


def _weights(channels: int, bytes_per_channel: int) -> int:
    """Encoded weights: each output channel with its header, aligned to 4 bytes."""
    return round_up(channels, 16) * round_up(bytes_per_channel + CHANNEL_HEADER_BYTES, 4)


@singledispatch
def passes(op: object, npu: Capabilities) -> tuple[Pass, ...]:
    """The passes that an operator needs on its own."""
    raise TypeError(f"no passes for {type(op).__name__}")


@passes.register
def _(op: Convolution, npu: Capabilities) -> tuple[Pass, ...]:
    kernel_height, kernel_width = op.kernel
    area = kernel_height * kernel_width
    if op.transposed:
        cycles = _direct(
            area, op.output.height, op.output.width, op.input.channels, op.output.channels, npu
        )
        stored = _weights(op.output.channels, area * op.input.channels)
        return (Pass("transposed convolution", cycles, stored, op.output.channels, kernel_height),)
    first = (_interleave(op.input, npu),) if op.strides[0] == 2 else ()
    if op.depthwise:
        stored = _weights(op.output.channels, area)
        cycles = _depthwise(area, op.output, npu)
        return (*first, Pass("depthwise convolution", cycles, stored, rows=kernel_height))
    stored = _weights(op.output.channels, area * op.input.channels)
    channels = op.output.channels
    if uses_winograd(op.kernel, op.strides[0]):
        cycles = _winograd(op.kernel, op, npu)
        return (Pass("Winograd convolution", cycles, stored, channels, kernel_height),)
    cycles = _direct(
        area, op.output.height, op.output.width, op.input.channels, op.output.channels, npu
    )
    return (*first, Pass("direct convolution", cycles, stored, channels, kernel_height))


@passes.register
def _(op: FullyConnected, npu: Capabilities) -> tuple[Pass, ...]:
    outputs, inputs = op.weights.shape
    cycles = _direct(1, 1, 1, inputs, outputs, npu)
    return (Pass("fully connected", cycles, _weights(outputs, inputs), outputs),)


@passes.register
def _(op: MultiplyConstant | AddConstant, npu: Capabilities) -> tuple[Pass, ...]:
    """One value per channel: a 1x1 depthwise convolution."""
    stored = _weights(op.output.channels, 1)
    return (Pass("depthwise convolution", _depthwise(1, op.output, npu), stored),)


@passes.register
def _(op: Addition, npu: Capabilities) -> tuple[Pass, ...]:
    """The post-processing engine adds alone."""
    return (Pass("addition", 0),)


@passes.register(Concatenate)
@passes.register(Split)
@passes.register(Reshape)
@passes.register(Reinterpret)
def _(op: object, npu: Capabilities) -> tuple[Pass, ...]:
    """Only moves or renames data."""
    return ()


@passes.register
def _(op: Resize, npu: Capabilities) -> tuple[Pass, ...]:
    return (_identity(op.output, npu, "upsample"),)


@passes.register
def _(op: Unary, npu: Capabilities) -> tuple[Pass, ...]:
    return (_identity(op.input, npu, type(op).__name__.lower()),)


@passes.register(Clip)
@passes.register(Requantize)
def _(op: Unary, npu: Capabilities) -> tuple[Pass, ...]:
    return (replace(_identity(op.input, npu, type(op).__name__.lower()), joins="clamp"),)


@passes.register(Fixed)
@passes.register(LeakyRelu)
@passes.register(Mean)
def _(op: Unary, npu: Capabilities) -> tuple[Pass, ...]:
    return (replace(_identity(op.input, npu, type(op).__name__.lower()), joins="ple"),)


@passes.register
def _(op: Pool, npu: Capabilities) -> tuple[Pass, ...]:
    work = _identity(op.input, npu, f"{op.kind} pool")
    return (replace(work, joins="ple") if op.kind == "max" else work,)
