"""Rules about concatenation, split and what only moves data (rules 3.14 to 3.20)."""

from __future__ import annotations

from math import prod

import numpy as np

from pytest_npu_compat.target.constraint import Broken, Level, constraint
from pytest_npu_compat.target.ethos_n78.arithmetic import (
    EXPRESSIBLE,
)
from pytest_npu_compat.target.ethos_n78.constraints.tensors import (
    EIGHT_BIT,
    show_shape,
)
from pytest_npu_compat.target.ethos_n78.operators import (
    Concatenate,
    DepthToSpace,
    Requantize,
    Reshape,
    Resize,
    Split,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

CONCATENATE_MULTIPLE = 16


@constraint(
    "axis-range",
    source="SQ:1033-1037",
    allowed="between 0 and 3",
    remedy="Correct the axis.",
)
def axis_range(op: Concatenate | Split, npu: Capabilities) -> Broken | None:
    """The axis must be {allowed}."""
    return None if 0 <= op.axis <= 3 else Broken(str(op.axis))


@constraint(
    "concat-dim-mismatch",
    source="SQ:1039-1056",
    allowed="equal",
    remedy="Correct the shapes.",
)
def concatenate_dims(op: Concatenate, npu: Capabilities) -> Broken | None:
    """All dimensions but the concatenated one must be {allowed}."""
    others = {tuple(d for i, d in enumerate(t.dims) if i != op.axis) for t in op.inputs}
    return None if len(others) <= 1 else Broken(", ".join(show_shape(t.shape) for t in op.inputs))


@constraint(
    "out-scale-too-small",
    source="SQ:1084-1095, 1687-1771",
    allowed="more than 1/128 of the input's scale",
    level=Level.ESTIMATE_ONLY,
    remedy="Calibrate so that inputs and output have similar ranges.",
)
def output_scale(op: Concatenate | Requantize, npu: Capabilities) -> Broken | None:
    """The output's scale must be {allowed}."""
    for tensor in op.inputs:
        limit = np.float32(tensor.quant.scale) / np.float32(128.0)
        if not np.float32(op.output.quant.scale) > limit:
            return Broken(f"{op.output.quant.scale:.6g}", allowed=f"more than {float(limit):.6g}")
    return None


@constraint(
    "concat-output-info-mismatch",
    source="SQ:1099-1110",
    allowed="one data type",
    remedy="Quantize all inputs and the output to the same data type.",
)
def concatenate_output(op: Concatenate, npu: Capabilities) -> Broken | None:
    """Inputs and output of a concatenation must have {allowed}."""
    types = {t.dtype for t in (*op.inputs, op.output)}
    return None if len(types) == 1 else Broken(", ".join(sorted(types)))


@constraint(
    "batch-axis",
    source="SQ:1115-1119",
    allowed="1, 2 or 3",
    level=Level.ESTIMATE_ONLY,
    remedy="Concatenate along height, width or channels.",
)
def concatenate_axis(op: Concatenate, npu: Capabilities) -> Broken | None:
    """The axis of a concatenation must be {allowed}: the batch cannot be concatenated."""
    return Broken("0") if op.axis == 0 else None


@constraint(
    "concat-c-mult16",
    source="SQ:1121-1145",
    allowed=f"a multiple of {CONCATENATE_MULTIPLE}",
    level=Level.ESTIMATE_ONLY,
    remedy="Make the channels of every concatenated tensor a multiple of 16.",
)
def concatenate_channels(op: Concatenate, npu: Capabilities) -> Broken | None:
    """When channels are concatenated, every input must have {allowed} of them."""
    if op.axis != 3 or all(t.channels % CONCATENATE_MULTIPLE == 0 for t in op.inputs):
        return None
    return Broken(" + ".join(str(t.channels) for t in op.inputs) + " channels")


@constraint(
    "split-batch-axis",
    source="SQ:1154-1279",
    allowed="1, 2 or 3",
    remedy="Split along height, width or channels.",
)
def split_axis(op: Split, npu: Capabilities) -> Broken | None:
    """The axis of a split must be {allowed}: the batch cannot be split."""
    return Broken("0") if op.axis == 0 else None


@constraint(
    "split-sizes-sum",
    source="SQ:1154-1279",
    allowed="the size of the input",
    remedy="Correct the sizes.",
)
def split_sum(op: Split, npu: Capabilities) -> Broken | None:
    """The pieces of a split must add up to {allowed}."""
    total = op.input.dims[op.axis]
    return None if sum(op.sizes) == total else Broken(f"{sum(op.sizes)} of {total}")


@constraint(
    "split-c-mult16",
    source="SQ:1154-1279",
    allowed=f"a multiple of {CONCATENATE_MULTIPLE}",
    level=Level.ESTIMATE_ONLY,
    remedy="Split into pieces whose channels are multiples of 16.",
)
def split_channels(op: Split, npu: Capabilities) -> Broken | None:
    """When channels are split, every piece must have {allowed} of them."""
    if op.axis != 3 or all(size % CONCATENATE_MULTIPLE == 0 for size in op.sizes):
        return None
    return Broken(" + ".join(str(size) for size in op.sizes) + " channels")


@constraint(
    "method-not-nearest",
    source="PY:208-209",
    allowed="nearest",
    remedy="Export the upsampling with nearest interpolation.",
)
def nearest(op: Resize, npu: Capabilities) -> Broken | None:
    """A resize must use the method {allowed}."""
    return None if op.method == "nearest_neighbor" else Broken(op.method)


@constraint(
    "resize-height",
    source="SQ:2620-2700",
    allowed="2H or 2H - 1",
    remedy="Upsample by 2 at a time.",
)
def resize_height(op: Resize, npu: Capabilities) -> Broken | None:
    """The new height of a resize must be {allowed}."""
    old, new = op.input.height, op.output.height
    return None if new in (2 * old, 2 * old - 1) else Broken(f"{new} from {old}")


@constraint(
    "resize-width",
    source="SQ:2620-2700",
    allowed="2W or 2W - 1",
    remedy="Upsample by 2 at a time.",
)
def resize_width(op: Resize, npu: Capabilities) -> Broken | None:
    """The new width of a resize must be {allowed}."""
    old, new = op.input.width, op.output.width
    return None if new in (2 * old, 2 * old - 1) else Broken(f"{new} from {old}")


@constraint(
    "requantize-dtype",
    source="SQ:1687-1771",
    allowed="int8 or uint8",
    remedy="It belongs to a layer that is not supported; see that layer's reason.",
)
def requantize_dtypes(op: Requantize, npu: Capabilities) -> Broken | None:
    """Input and output of a requantize must be {allowed}."""
    for tensor in (op.input, op.output):
        if tensor.dtype not in EIGHT_BIT:
            return Broken(tensor.dtype)
    return None


@constraint(
    "requantize-zero-point-range",
    source="SQ:1687-1771",
    allowed="-128..127 for int8, 0..255 for uint8",
    remedy="Calibrate again; a zero point outside the data type's range is an export error.",
)
def requantize_zero_points(op: Requantize, npu: Capabilities) -> Broken | None:
    """Zero points must lie in their own data type's range: {allowed}."""
    for tensor in (op.input, op.output):
        low, high = EXPRESSIBLE[tensor.dtype]
        if not low <= tensor.quant.zero_point <= high:
            return Broken(f"{tensor.quant.zero_point} for {tensor.dtype}")
    return None


@constraint(
    "reshape-size",
    source="SQ:2189-2241",
    allowed="the input's number of elements",
    remedy="Correct the shape.",
)
def reshape_size(op: Reshape, npu: Capabilities) -> Broken | None:
    """The result of a reshape must have {allowed}."""
    counts = [prod(tensor.shape) for tensor in (op.input, op.output)]
    return None if counts[0] == counts[1] else Broken(str(counts[1]), allowed=str(counts[0]))


@constraint(
    "d2s-mode",
    source="API:719-743",
    allowed="DCR",
    remedy="Export with mode DCR: PyTorch's PixelShuffle is CRD; permuting the channels of the "
    "convolution before it turns one into the other.",
)
def d2s_mode(op: DepthToSpace, npu: Capabilities) -> Broken | None:
    """The mode of a depth-to-space must be {allowed}."""
    return None if op.mode == "DCR" else Broken(op.mode)


@constraint(
    "d2s-channels",
    source="SQ:2243-2311",
    allowed="a multiple of the block size squared",
    remedy="Correct the number of channels.",
)
def d2s_channels(op: DepthToSpace, npu: Capabilities) -> Broken | None:
    """The channels of a depth-to-space must be {allowed}."""
    block = op.block_size * op.block_size
    return None if op.input.channels % block == 0 else Broken(str(op.input.channels))


@constraint(
    "d2s-block",
    source="SQ:2243-2311",
    allowed="2",
    level=Level.ESTIMATE_ONLY,
    remedy="Use two steps of block size 2 instead of one of 4.",
)
def d2s_block(op: DepthToSpace, npu: Capabilities) -> Broken | None:
    """The block size of a depth-to-space must be {allowed}."""
    return None if op.block_size == 2 else Broken(str(op.block_size))
