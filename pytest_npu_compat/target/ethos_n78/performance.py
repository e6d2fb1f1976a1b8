"""Passes of Ethos-N78 and their MCE cycles, as Arm's estimator counts them.

Source: support_library/src/cascading/MceEstimationUtils.cpp:15-121 and Utils.cpp:520-567 of Arm's Ethos-N
driver stack 23.02. The formulas reproduce its `EstimatePerformance` exactly for convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from math import ceil

from pytest_npu_compat.target.ethos_n78.arithmetic import round_up
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    Concatenate,
    Convolution,
    FullyConnected,
    MultiplyConstant,
    Reinterpret,
    Reshape,
    Resize,
    Split,
    Tensor,
    Unary,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

__all__ = ["Pass", "passes", "uses_winograd"]

CHANNEL_HEADER_BYTES = 12
"""Header of each output channel in the encoded weights, fitted to rules 7.5 (exact in 4 of 6 layers)."""


@dataclass(frozen=True)
class Pass:
    """One run of the NPU's engines over a tensor.

    Attributes:
        name: What it does.
        mce_cycles: Clock cycles of the multiply-accumulate engines.
        weight_bytes: Encoded weights that it reads, without compression.
    """

    name: str
    mce_cycles: int
    weight_bytes: int = 0


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
        return (Pass("transposed convolution", cycles, stored),)
    first = (_identity(op.input, npu, "interleave"),) if op.strides[0] == 2 else ()
    if op.depthwise:
        stored = _weights(op.output.channels, area)
        return (*first, Pass("depthwise convolution", _depthwise(area, op.output, npu), stored))
    stored = _weights(op.output.channels, area * op.input.channels)
    if uses_winograd(op.kernel, op.strides[0]):
        return (Pass("Winograd convolution", _winograd(op.kernel, op, npu), stored),)
    cycles = _direct(
        area, op.output.height, op.output.width, op.input.channels, op.output.channels, npu
    )
    return (*first, Pass("direct convolution", cycles, stored))


@passes.register
def _(op: FullyConnected, npu: Capabilities) -> tuple[Pass, ...]:
    outputs, inputs = op.weights.shape
    return (
        Pass("fully connected", _direct(1, 1, 1, inputs, outputs, npu), _weights(outputs, inputs)),
    )


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
    return (_identity(op.input, npu, _NAMES.get(type(op), type(op).__name__.lower())),)


_NAMES: dict[type, str] = {Clip: "clip"}
