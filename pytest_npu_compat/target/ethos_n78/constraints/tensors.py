"""Rules about the tensors of every operator: what TVM can express and the library accepts."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from pytest_npu_compat.target.constraint import Broken, Level, constraint
from pytest_npu_compat.target.ethos_n78.arithmetic import (
    EXPRESSIBLE,
)
from pytest_npu_compat.target.ethos_n78.operators import (
    Convolution,
    FullyConnected,
    Quant,
    Tensor,
    Unary,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

EIGHT_BIT = ("int8", "uint8")


class HasActivations(Protocol):
    """An operator with activations in and out."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The activations it reads."""

    @property
    def output(self) -> Tensor:
        """What it produces."""


def show_shape(shape: tuple[int, ...]) -> str:
    """A shape as users read it: ``1x16x16x32``."""
    return "x".join(str(dim) for dim in shape) or "scalar"


def show_quant(quant: Quant) -> str:
    """A quantization as users read it."""
    return f"scale {quant.scale:.9g}, zero point {quant.zero_point}"


@constraint(
    "rank-gt4",
    source="API:933-939",
    allowed="at most 4",
    remedy="Keep tensors at rank 4 or below, e.g. by leaving the batch dimension out of reshapes.",
)
def rank(op: HasActivations, npu: Capabilities) -> Broken | None:
    """Tensors must have {allowed} dimensions."""
    for tensor in (*op.inputs, op.output):
        if len(tensor.shape) > 4:
            return Broken(f"rank {len(tensor.shape)} ({show_shape(tensor.shape)})")
    return None


@constraint(
    "batch",
    source="API:933-939, SQ:484-488",
    allowed="1",
    remedy="Export the model for batch size 1.",
)
def batch(op: HasActivations, npu: Capabilities) -> Broken | None:
    """The first dimension (batch) of every tensor must be {allowed}."""
    for tensor in (*op.inputs, op.output):
        if tensor.dims[0] != 1:
            return Broken(f"{tensor.dims[0]} ({show_shape(tensor.shape)})")
    return None


@constraint(
    "dtype",
    source="API:941-956",
    allowed="int8, uint8 or int32",
    remedy="Quantize to 8 bit.",
)
def expressible_dtype(op: HasActivations, npu: Capabilities) -> Broken | None:
    """Tensors must be of type {allowed}."""
    for tensor in (*op.inputs, op.output):
        if tensor.dtype not in EXPRESSIBLE:
            return Broken(tensor.dtype)
    return None


@constraint(
    "depth-sram",
    source="SQ:288-313",
    allowed="SRAM / 64 bytes",
    remedy="Use fewer channels, a larger variant, or make the width of the tensor 1.",
)
def input_depth(op: HasActivations, npu: Capabilities) -> Broken | None:
    """An input wider than 1 must have at most {allowed} channels to fit the on-chip memory."""
    return _too_deep(op.inputs, npu)


@constraint(
    "depth-sram-output",
    source="SQ:558-561",
    allowed="SRAM / 64 bytes",
    remedy="Use fewer output channels, a larger variant, or make the width of the tensor 1.",
)
def output_depth(op: HasActivations, npu: Capabilities) -> Broken | None:
    """An output wider than 1 must have at most {allowed} channels to fit the on-chip memory."""
    return _too_deep((op.output,), npu)


def _too_deep(tensors: tuple[Tensor, ...], npu: Capabilities) -> Broken | None:
    for tensor in tensors:
        if tensor.width > 1 and tensor.channels > npu.max_channels:
            return Broken(f"{tensor.channels}", allowed=f"{npu.max_channels} (on {npu.name})")
    return None


@constraint(
    "per-tensor",
    source="SQ:252-277",
    allowed="one scale",
    remedy="Quantize activations per tensor; only weights can have a scale for each channel.",
)
def per_tensor(op: HasActivations, npu: Capabilities) -> Broken | None:
    """Activations must have {allowed} for the whole tensor."""
    for tensor in (*op.inputs, op.output):
        if len(tensor.quant.scales) > 1:
            return Broken(f"{len(tensor.quant.scales)} scales")
    return None


@constraint(
    "dtype-not-8bit",
    source="SQ:117-132",
    allowed="int8 or uint8",
    remedy="Quantize activations to 8 bit.",
)
def eight_bit(op: HasActivations, npu: Capabilities) -> Broken | None:
    """Activations must be {allowed}."""
    for tensor in op.inputs:
        if tensor.dtype not in EIGHT_BIT:
            return Broken(tensor.dtype)
    return None


@constraint(
    "zero-point-range",
    source="SQ:156-168, 579-595",
    allowed="-128..127 for int8, 0..255 for uint8",
    remedy="Calibrate again; a zero point outside the data type's range is an export error.",
)
def zero_points(op: HasActivations, npu: Capabilities) -> Broken | None:
    """Zero points must lie in the data type's range: {allowed}."""
    # The library tests the output's zero point against the input's data type.
    dtype = op.inputs[0].dtype
    for tensor, type_ in (*((t, t.dtype) for t in op.inputs), (op.output, dtype)):
        low, high = EXPRESSIBLE[type_]
        if not low <= tensor.quant.zero_point <= high:
            return Broken(f"{tensor.quant.zero_point} for {type_}")
    return None


@constraint(
    "weights-zero-point-range",
    source="SQ:579-595",
    allowed="-128..127 for int8, 0..255 for uint8",
    remedy="Quantize the weights again, symmetrically.",
)
def weights_zero_point(op: Convolution | FullyConnected, npu: Capabilities) -> Broken | None:
    """The weights' zero point must lie in their data type's range: {allowed}."""
    low, high = EXPRESSIBLE[op.weights.dtype]
    if low <= op.weights.quant.zero_point <= high:
        return None
    return Broken(f"{op.weights.quant.zero_point} for {op.weights.dtype}")


estimated_weights_zero_point = replace(
    weights_zero_point, level=Level.ESTIMATE_ONLY, source="SQ:927-931, 1498-1502"
)


@constraint(
    "weights-dtype",
    source="SQ:506-526",
    allowed="int8 or uint8",
    remedy="Quantize the weights to 8 bit.",
)
def weights_dtype(op: Convolution | FullyConnected, npu: Capabilities) -> Broken | None:
    """Weights must be {allowed}."""
    return None if op.weights.dtype in EIGHT_BIT else Broken(op.weights.dtype)


def announced(op: Unary, shape: tuple[int, ...], tensor: Tensor) -> Broken | None:
    """Compares what TVM announces as output with what the library derives from the input."""
    if op.output.dims != shape:
        return Broken(show_shape(op.output.dims), allowed=show_shape(shape))
    if op.output.dtype != tensor.dtype:
        return Broken(op.output.dtype, allowed=tensor.dtype)
    if op.output.quant != tensor.quant:
        return Broken(show_quant(op.output.quant), allowed=show_quant(tensor.quant))
    return None
