"""The constraints of Ethos-N78: one function each, whose docstring is the message users read.

Sources are abbreviated: SQ is support_library/src/SupportQueries.cpp of Arm's Ethos-N driver stack
23.02; API, CE and PY are src/relay/backend/contrib/ethosn/ethosn_api.cc, convert_equivalent.cc and
python/tvm/relay/op/contrib/ethosn.py of Apache TVM 0.18.0. Rules whose source is in TVM are checked by
TVM before it asks the library.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Protocol

import numpy as np

from pytest_npu_compat.target.constraint import Broken, Level, constraint
from pytest_npu_compat.target.ethos_n78.arithmetic import (
    DTYPE_RANGES,
    overall_scale,
    pool_result,
    round_up,
    same_paddings,
    scaled_by_constant,
    shifted_by_constant,
    to_int16,
)
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    Concatenate,
    Convolution,
    DepthToSpace,
    Fixed,
    FullyConnected,
    LeakyRelu,
    Mean,
    MultiplyConstant,
    Pool,
    Quant,
    Reinterpret,
    Requantize,
    Reshape,
    Resize,
    Split,
    Tensor,
    Unary,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

EIGHT_BIT = ("int8", "uint8")
KERNEL_SIDES = (1, 2, 3, 5, 7, 9)
MAX_POOL_3X3_WIDTH = 417
PLE_KERNEL_BYTES = 4096
MULTIPLY_TOLERANCE = 0.004
CONCATENATE_MULTIPLE = 16


class HasActivations(Protocol):
    """An operator with activations in and out."""

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The activations it reads."""

    @property
    def output(self) -> Tensor:
        """What it produces."""


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(dim) for dim in shape) or "scalar"


def _quant(quant: Quant) -> str:
    return f"scale {quant.scale:.9g}, zero point {quant.zero_point}"


# Every operator: what TVM can express and the library accepts as a tensor


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
            return Broken(f"rank {len(tensor.shape)} ({_shape(tensor.shape)})")
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
            return Broken(f"{tensor.dims[0]} ({_shape(tensor.shape)})")
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
        if tensor.dtype not in DTYPE_RANGES:
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
        low, high = DTYPE_RANGES[type_]
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
    low, high = DTYPE_RANGES[op.weights.dtype]
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


def _announced(op: Unary, shape: tuple[int, ...], tensor: Tensor) -> Broken | None:
    """Compares what TVM announces as output with what the library derives from the input."""
    if op.output.dims != shape:
        return Broken(_shape(op.output.dims), allowed=_shape(shape))
    if op.output.dtype != tensor.dtype:
        return Broken(op.output.dtype, allowed=tensor.dtype)
    if op.output.quant != tensor.quant:
        return Broken(_quant(op.output.quant), allowed=_quant(tensor.quant))
    return None


# Convolution (rules 3.2, 3.3)


@constraint(
    "pad-both",
    source="API:107-115",
    allowed="a separate pad or the convolution's own padding",
    remedy="Merge the Pad node into the convolution's pads attribute.",
)
def pad_once(op: Convolution, npu: Capabilities) -> Broken | None:
    """A convolution may have {allowed}, not both."""
    if op.pad is not None and any(op.padding):
        return Broken(f"Pad {list(op.pad.amounts)} and pads {list(op.padding)}")
    return None


@constraint(
    "stride-rank",
    source="API:890-900",
    allowed="2",
    remedy="Use a two-dimensional operator.",
)
def two_strides(op: Convolution | Pool, npu: Capabilities) -> Broken | None:
    """There must be {allowed} strides, vertical and horizontal."""
    return None if len(op.strides) == 2 else Broken(f"{len(op.strides)} strides")


@constraint(
    "dilation",
    source="API:120-127, 509-515",
    allowed="1x1",
    remedy="Replace the dilated convolution by a larger kernel or by two plain convolutions.",
)
def no_dilation(op: Convolution, npu: Capabilities) -> Broken | None:
    """The dilation must be {allowed}."""
    return None if set(op.dilation) == {1} else Broken(_shape(op.dilation))


@constraint(
    "bias-add",
    source="PY:149-168",
    allowed="a constant bias",
    remedy="Export the layer with a bias (zeros will do).",
)
def has_bias(op: Convolution | FullyConnected, npu: Capabilities) -> Broken | None:
    """The layer must have {allowed}."""
    return Broken("no bias") if op.bias_shape is None else None


@constraint(
    "bias-dims",
    source="SQ:529-533",
    allowed="one value per output channel",
    remedy="Give the bias one value per output channel; a grouped transposed convolution has none.",
)
def bias_dims(op: Convolution | FullyConnected, npu: Capabilities) -> Broken | None:
    """The bias must have {allowed}."""
    if op.bias_shape is None:
        return None
    filters = op.filters if isinstance(op, Convolution) else op.weights.shape[0]
    if op.bias_shape[-1:] == (filters,) and _shape(op.bias_shape[:-1]).strip("1x") in (
        "",
        "scalar",
    ):
        return None
    return Broken(_shape(op.bias_shape), allowed=f"one value per output channel ({filters})")


@constraint(
    "weight-i-ne-input-c",
    source="SQ:535-540",
    allowed="all input channels (no groups), or exactly one each (depthwise)",
    remedy="Use groups=1 or a depthwise convolution (groups = input channels = output channels).",
)
def weight_inputs(op: Convolution, npu: Capabilities) -> Broken | None:
    """Every output channel must read {allowed}: grouped convolution is not supported."""
    if op.weight_inputs == op.input.channels:
        return None
    if op.groups == op.input.channels and op.weight_inputs == 1:
        multiplier = op.output_channels // op.groups
        return Broken(
            f"depthwise with a channel multiplier of {multiplier}",
            allowed="all input channels, or exactly one each with a channel multiplier of 1",
        )
    return Broken(f"{op.weight_inputs} of {op.input.channels} channels in {op.groups} groups")


@constraint(
    "kernel-stride-zero",
    source="SQ:542-556",
    allowed="at least 1",
    remedy="Correct the node's kernel_shape and strides.",
)
def nonzero_window(op: Convolution, npu: Capabilities) -> Broken | None:
    """Kernel sides and strides must be {allowed}."""
    if min(*op.kernel, *op.strides) >= 1:
        return None
    return Broken(f"kernel {_shape(op.kernel)}, stride {_shape(op.strides)}")


def _convolution_result(op: Convolution) -> tuple[int, int, int, int]:
    top, left, bottom, right = op.pads
    (kh, kw), (sh, sw) = op.kernel, op.strides
    if op.transposed:
        height = op.input.height * sh + kh - sh - top - bottom
        width = op.input.width * sw + kw - sw - left - right
    else:
        height = pool_result(op.input.height, kh, sh, top, bottom)
        width = pool_result(op.input.width, kw, sw, left, right)
    return 1, height, width, op.filters


@constraint(
    "empty-output",
    source="SQ:542-556",
    allowed="at least 1x1",
    remedy="Use a kernel that fits into the padded input.",
)
def not_empty(op: Convolution, npu: Capabilities) -> Broken | None:
    """The output must be {allowed}."""
    _, height, width, _ = _convolution_result(op)
    return None if min(height, width) >= 1 else Broken(f"{height}x{width}")


@constraint(
    "quant-axis",
    source="SQ:563-567, 735-739, 911-915; API:482-500",
    allowed="per-tensor scales, or per-channel scales on the output channels",
    remedy="Quantize the weights per tensor (ONNX Runtime: per_channel=False for this operator).",
)
def scale_axis(op: Convolution, npu: Capabilities) -> Broken | None:
    """Weights must have {allowed} as the library sees them."""
    wanted = 2 if op.depthwise else 3
    if len(op.weights.quant.scales) == 1 or op.scale_axis == wanted:
        return None
    return Broken(
        f"{len(op.weights.quant.scales)} scales on axis {op.scale_axis} of {op.kernel_layout}"
    )


@constraint(
    "quant-scale-count",
    source="SQ:563-567",
    allowed="one scale, or one per output channel",
    remedy="Quantize the weights again.",
)
def scale_count(op: Convolution, npu: Capabilities) -> Broken | None:
    """Weights must have {allowed}."""
    count = len(op.weights.quant.scales)
    return None if count in (1, op.filters) else Broken(f"{count} for {op.filters} channels")


@constraint(
    "output-info-mismatch",
    source="SQ:569-576, 917-923",
    allowed="what the library derives from the input",
    remedy="Use output_padding 0 and an output of the input's data type.",
)
def convolution_output(op: Convolution, npu: Capabilities) -> Broken | None:
    """Shape and data type of the output must be {allowed}."""
    derived = _convolution_result(op)
    if op.output.dims != derived:
        return Broken(_shape(op.output.dims), allowed=_shape(derived))
    if op.output.dtype != op.input.dtype:
        return Broken(op.output.dtype, allowed=op.input.dtype)
    return None


@constraint(
    "kernel-size",
    source="SQ:613-619, 957-963",
    allowed="1, 2, 3, 5, 7 or 9",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a supported kernel (a 6x6 stem: 7x7, or a slicing stem with a 3x3 kernel).",
)
def kernel_sides(op: Convolution, npu: Capabilities) -> Broken | None:
    """Kernel height and width must each be {allowed}."""
    return None if set(op.kernel) <= set(KERNEL_SIDES) else Broken(_shape(op.kernel))


@constraint(
    "kernel-size-depthwise",
    source="SQ:787-794",
    allowed="1x1, 2x2, 3x3, 5x5, 7x7 or 9x9",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a square kernel for depthwise convolutions.",
)
def square_kernel(op: Convolution, npu: Capabilities) -> Broken | None:
    """The kernel of a depthwise convolution must be {allowed}."""
    height, width = op.kernel
    return None if height == width and height in KERNEL_SIDES else Broken(_shape(op.kernel))


@constraint(
    "stride",
    source="SQ:621-625, 796-800",
    allowed="1x1 or 2x2",
    level=Level.ESTIMATE_ONLY,
    remedy="Use stride 1 or 2 in both directions; a stride of 4 is two layers of stride 2.",
)
def stride(op: Convolution, npu: Capabilities) -> Broken | None:
    """The stride must be {allowed}."""
    return None if tuple(op.strides) in ((1, 1), (2, 2)) else Broken(_shape(op.strides))


@constraint(
    "stride-large-kernel",
    source="SQ:627-631",
    allowed="at most 7",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a 7x7 kernel, or stride 1 followed by a pool.",
)
def stride_large_kernel(op: Convolution, npu: Capabilities) -> Broken | None:
    """With stride 2, both kernel sides must be {allowed}."""
    return Broken(_shape(op.kernel)) if 2 in op.strides and max(op.kernel) > 7 else None


@constraint(
    "stride-1x1-depthwise",
    source="SQ:802-806",
    allowed="larger than 1x1",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a 3x3 kernel or a 1x1 max pool of stride 2.",
)
def stride_small_kernel(op: Convolution, npu: Capabilities) -> Broken | None:
    """The kernel of a depthwise convolution of stride 2 must be {allowed}."""
    return Broken("1x1") if 2 in op.strides and op.kernel == (1, 1) else None


@constraint(
    "channel-multiplier",
    source="SQ:751-757",
    allowed="1",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a channel multiplier of 1.",
)
def channel_multiplier(op: Convolution, npu: Capabilities) -> Broken | None:
    """The channel multiplier of a depthwise convolution must be {allowed}."""
    if op.weight_outputs == 1 or op.weight_inputs == 1:
        return None
    return Broken(str(op.weight_outputs))


@constraint(
    "padding",
    source="SQ:53-108, 633-637, 971-978",
    allowed="none, or SAME in one of its three forms",
    level=Level.ESTIMATE_ONLY,
    remedy="Use no padding, or padding that keeps the size (3x3: 1, 5x5: 2, 7x7: 3).",
)
def same_padding(op: Convolution, npu: Capabilities) -> Broken | None:
    """Padding must be {allowed} (larger half before, after, or equal on both sides)."""
    if not any(op.pads):
        return None
    size = op.output if op.transposed else op.input
    forms = same_paddings((size.height, size.width), op.kernel, op.strides[0])
    if tuple(op.pads) in forms:
        return None
    shown = " or ".join(str(list(form)) for form in dict.fromkeys(forms))
    return Broken(
        f"{list(op.pads)} (top, left, bottom, right)",
        allowed=f"none or {shown}",
    )


@constraint(
    "overall-scale",
    source="SQ:322-333, 639-643",
    allowed="at least 0 and below 65536",
    level=Level.ESTIMATE_ONLY,
    remedy="Calibrate again: the output's scale is far too small for its inputs.",
)
def scale_range(op: Convolution | FullyConnected, npu: Capabilities) -> Broken | None:
    """Input scale x weight scale / output scale must be {allowed}."""
    scales = op.weights.quant.scales if isinstance(op, Convolution) else op.weights.quant.scales[:1]
    for scale in scales:
        value = overall_scale(op.input, scale, op.output)
        if not 0 <= value < 65536:
            return Broken(f"{value:g}")
    return None


# Transposed convolution (rules 3.4)


@constraint(
    "output-padding",
    source="SQ:875-923",
    allowed="0",
    remedy="Export with output_padding 0, e.g. a 2x2 kernel of stride 2 without padding.",
)
def no_output_padding(op: Convolution, npu: Capabilities) -> Broken | None:
    """The output_padding of a transposed convolution must be {allowed}."""
    return Broken(_shape(op.output_padding)) if any(op.output_padding) else None


@constraint(
    "stride-transposed",
    source="SQ:965-969",
    allowed="2x2",
    level=Level.ESTIMATE_ONLY,
    remedy="Use stride 2, or resize (nearest, x2) followed by a convolution.",
)
def stride_transposed(op: Convolution, npu: Capabilities) -> Broken | None:
    """The stride of a transposed convolution must be {allowed}."""
    return None if tuple(op.strides) == (2, 2) else Broken(_shape(op.strides))


@constraint(
    "padding-gt7-not-same",
    source="SQ:980-985",
    allowed="SAME",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a kernel of at most 7, or padding that doubles the size exactly.",
)
def large_transposed_kernel(op: Convolution, npu: Capabilities) -> Broken | None:
    """Padding of a transposed convolution with a kernel side above 7 must be {allowed}."""
    if max(op.kernel) > 7 and not any(op.pads):
        return Broken(f"no padding with a {_shape(op.kernel)} kernel")
    return None


# Fully connected (rules 3.5)


@constraint(
    "fc-weight-i",
    source="SQ:1432-1484",
    allowed="the number of input channels",
    remedy="Flatten the input to 1xI before the layer.",
)
def fc_weight_inputs(op: FullyConnected, npu: Capabilities) -> Broken | None:
    """The weights' input size must be {allowed}."""
    wanted = op.input.shape[1] if len(op.input.shape) > 1 else op.input.shape[0]
    if op.weights.shape[1] == wanted:
        return None
    return Broken(str(op.weights.shape[1]), allowed=f"the number of input channels ({wanted})")


@constraint(
    "fc-output-info-mismatch",
    source="SQ:1527-1533",
    allowed="the input's data type",
    remedy="Quantize input and output to the same data type.",
)
def fc_output(op: FullyConnected, npu: Capabilities) -> Broken | None:
    """The output must have {allowed}."""
    return None if op.output.dtype == op.input.dtype else Broken(op.output.dtype, op.input.dtype)


# Pooling and mean (rules 3.6 to 3.8)


@constraint(
    "layout",
    source="API:250-284",
    allowed="NHWC",
    remedy="Use an NHWC layout.",
)
def nhwc_layout(op: Pool, npu: Capabilities) -> Broken | None:
    """The layout must be {allowed}."""
    return None if op.layout == "NHWC" else Broken(op.layout)


@constraint(
    "format-not-nhwc",
    source="SQ:500-504",
    allowed="NHWC",
    remedy="Use an NHWC layout.",
)
def nhwc_format(op: DepthToSpace, npu: Capabilities) -> Broken | None:
    """The layout must be {allowed}."""
    return None if op.layout == "NHWC" else Broken(op.layout)


@constraint(
    "pool-size-rank",
    source="API:902-913",
    allowed="2",
    remedy="Use a two-dimensional pool.",
)
def two_window_sides(op: Pool, npu: Capabilities) -> Broken | None:
    """The window must have {allowed} sides."""
    return None if len(op.window) == 2 else Broken(f"{len(op.window)} sides")


def _pool_dims(op: Pool) -> tuple[int, int, int, int]:
    top, left, bottom, right = op.padding
    return (
        1,
        pool_result(op.input.height, op.window[0], op.strides[0], top, bottom),
        pool_result(op.input.width, op.window[1], op.strides[1], left, right),
        op.input.channels,
    )


@constraint(
    "pool-output-info-mismatch",
    source="SQ:2069-2075",
    allowed="rounded down",
    remedy="Use ceil_mode=0.",
)
def pool_output(op: Pool, npu: Capabilities) -> Broken | None:
    """The size of the output must be {allowed}."""
    derived = _pool_dims(op)
    if op.output.dims == derived:
        return None
    return Broken(_shape(op.output.dims), allowed=f"rounded down ({_shape(derived)})")


@constraint(
    "pool-lt-kernel",
    source="SQ:2174-2178",
    allowed="at least as large as the window",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a smaller window.",
)
def pool_fits(op: Pool, npu: Capabilities) -> Broken | None:
    """The input of a pool must be {allowed}."""
    if op.input.height >= op.window[0] and op.input.width >= op.window[1]:
        return None
    return Broken(f"{op.input.height}x{op.input.width} for a {_shape(op.window)} window")


_MAX_POOLS: dict[tuple[tuple[int, ...], ...], str | None] = {
    ((1, 1), (2, 2), (0, 0, 0, 0)): None,
    ((2, 2), (2, 2), (0, 0, 0, 0)): "even",
    ((2, 2), (2, 2), (0, 0, 1, 1)): "odd",
    ((3, 3), (2, 2), (0, 0, 0, 0)): "odd",
    ((3, 3), (2, 2), (0, 0, 1, 1)): "even",
}


def _max_pool_key(op: Pool) -> tuple[tuple[int, ...], ...]:
    return tuple(op.window), tuple(op.strides), tuple(op.padding)


@constraint(
    "maxpool-config",
    source="SQ:2120-2171",
    allowed=(
        "1x1 stride 2; 2x2 stride 2 with padding 0 or (0,0,1,1); "
        "3x3 stride 2 with padding 0 or (0,0,1,1)"
    ),
    level=Level.ESTIMATE_ONLY,
    remedy=(
        "Use 2x2 stride 2 on even sizes. Stride-1 pools (SPP, SPPF) and 3x3 stride 2 with symmetric "
        "padding 1 (ResNet) have no NPU form; replace them by a convolution of the same stride."
    ),
)
def max_pool_config(op: Pool, npu: Capabilities) -> Broken | None:
    """A max pool must be one of: {allowed} (padding as top, left, bottom, right)."""
    if _max_pool_key(op) in _MAX_POOLS:
        return None
    return Broken(f"{_shape(op.window)} stride {_shape(op.strides)} padding {list(op.padding)}")


@constraint(
    "maxpool-parity",
    source="SQ:2137-2171",
    allowed="both even or both odd, as the padding requires",
    level=Level.ESTIMATE_ONLY,
    remedy="Choose input sizes divisible by the model's total stride.",
)
def max_pool_parity(op: Pool, npu: Capabilities) -> Broken | None:
    """Height and width of a max pool's input must be {allowed}."""
    wanted = _MAX_POOLS.get(_max_pool_key(op))
    if wanted is None:
        return None
    remainder = 0 if wanted == "even" else 1
    if op.input.height % 2 == op.input.width % 2 == remainder:
        return None
    return Broken(f"{op.input.height}x{op.input.width}", allowed=f"both {wanted}")


@constraint(
    "maxpool-3x3-width",
    source="SQ:2152-2171",
    allowed=f"at most {MAX_POOL_3X3_WIDTH}",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a 2x2 pool, or pool after the first stride-2 convolution.",
)
def max_pool_width(op: Pool, npu: Capabilities) -> Broken | None:
    """The input of a 3x3 max pool must be {allowed} wide."""
    if tuple(op.window) == (3, 3) and op.input.width > MAX_POOL_3X3_WIDTH:
        return Broken(str(op.input.width))
    return None


def _is_global(op: Pool) -> bool:
    return tuple(op.window) == (op.input.height, op.input.width) and not any(op.padding)


@constraint(
    "avgpool-config",
    source="SQ:2080-2115",
    allowed="7x7 or 8x8 over the whole input, or 3x3 stride 1 with padding 1",
    level=Level.ESTIMATE_ONLY,
    remedy="Choose the input size so that the last feature map is 7x7 or 8x8.",
)
def average_pool_config(op: Pool, npu: Capabilities) -> Broken | None:
    """An average pool must be {allowed}."""
    if _is_global(op):
        fits = tuple(op.window) in ((7, 7), (8, 8))
    else:
        fits = (
            tuple(op.window) == (3, 3)
            and tuple(op.strides) == (1, 1)
            and tuple(op.padding) == (1, 1, 1, 1)
        )
    if fits:
        return None
    return Broken(
        f"{_shape(op.window)} stride {_shape(op.strides)} padding {list(op.padding)} "
        f"on {op.input.height}x{op.input.width}"
    )


@constraint(
    "avgpool-sram",
    source="SQ:1995-2023",
    allowed="what one SRAM bank holds",
    level=Level.ESTIMATE_ONLY,
    remedy="Pool a smaller feature map, or use a depthwise convolution with constant weights.",
)
def average_pool_sram(op: Pool, npu: Capabilities) -> Broken | None:
    """The input of a 3x3 average pool must not exceed {allowed}."""
    if _is_global(op) or tuple(op.window) != (3, 3):
        return None
    copies = 2 if op.input.channels > npu.sram_banks else 1
    patch = round_up(op.input.height, 8) * round_up(op.input.width, 8)
    needed = copies * 2 * patch + PLE_KERNEL_BYTES
    if needed <= npu.sram_bytes_per_bank:
        return None
    return Broken(f"{needed} bytes", allowed=f"{npu.sram_bytes_per_bank} bytes (on {npu.name})")


@constraint(
    "mean-size",
    source="SQ:1838-1893",
    allowed="7x7 or 8x8",
    remedy="Choose the input size so that the last feature map is 7x7 or 8x8 (224 or 256 pixels at "
    "stride 32).",
)
def mean_size(op: Mean, npu: Capabilities) -> Broken | None:
    """A mean (global average pool) must be over {allowed} pixels."""
    size = (op.input.height, op.input.width)
    return None if size in ((7, 7), (8, 8)) else Broken(_shape(size))


@constraint(
    "mean-output-info-mismatch",
    source="SQ:1838-1893",
    allowed="its input's scale and zero point, and the shape 1x1x1xC",
    remedy="Override the output's scale and zero point with the input's (ONNX Runtime: "
    "TensorQuantOverrides), and keep the dimensions.",
)
def mean_output(op: Mean, npu: Capabilities) -> Broken | None:
    """The output of a mean must have {allowed}."""
    broken = _announced(op, (1, 1, 1, op.input.channels), op.input)
    if broken is None:
        return None
    prefix = "shape " if op.output.dims != (1, 1, 1, op.input.channels) else ""
    return Broken(prefix + broken.actual, allowed=prefix + broken.allowed)


# Activations (rules 3.9, 3.10, 3.21)

FIXED_OUTPUTS = {
    "sigmoid": (1 / 256, {"int8": -128, "uint8": 0}),
    "tanh": (1 / 128, {"int8": 0, "uint8": 128}),
}


@constraint(
    "out-quant",
    source="API:387-422, 559-591",
    allowed="sigmoid: scale 1/256 and zero point -128 (int8) or 0 (uint8); "
    "tanh: scale 1/128 and zero point 0 (int8) or 128 (uint8)",
    remedy="Override the output's quantization in the exporter (ONNX Runtime: TensorQuantOverrides); "
    "a calibrated scale never matches exactly.",
)
def fixed_output(op: Fixed, npu: Capabilities) -> Broken | None:
    """The output's quantization must be exactly {allowed}."""
    scale, zero_points_by_dtype = FIXED_OUTPUTS[op.kind]
    zero_point = zero_points_by_dtype.get(op.output.dtype)
    if op.output.quant.scale == scale and op.output.quant.zero_point == zero_point:
        return None
    return Broken(
        _quant(op.output.quant),
        allowed=f"scale {scale:.9g}, zero point {zero_point} ({op.kind}, {op.output.dtype})",
    )


@constraint(
    "elementwise-output-info-mismatch",
    source="SQ:1621-1685, 1895-1992",
    allowed="the input's data type",
    remedy="Quantize input and output to the same data type.",
)
def same_dtype(op: Unary, npu: Capabilities) -> Broken | None:
    """The output must have {allowed}."""
    return None if op.output.dtype == op.input.dtype else Broken(op.output.dtype, op.input.dtype)


@constraint(
    "leaky-alpha",
    source="API:593-629",
    allowed="above 0 and below 1",
    remedy="Use a slope between 0 and 1, or ReLU.",
)
def leaky_slope(op: LeakyRelu, npu: Capabilities) -> Broken | None:
    """The slope (alpha) of LeakyReLU must be {allowed}."""
    return None if 0 < op.alpha < 1 else Broken(f"{op.alpha:g}")


@constraint(
    "relu-bounds",
    source="API:745-766, SQ:1562-1619",
    allowed="not above the upper bound, both in 16 bits",
    remedy="Correct the bounds of the Clip node.",
)
def clip_bounds(op: Clip, npu: Capabilities) -> Broken | None:
    """The lower bound of a clip must be {allowed}."""
    low, high = to_int16(op.a_min), to_int16(op.a_max)
    return None if low <= high else Broken(f"[{low}, {high}]")


# Element-wise (rules 3.11 to 3.13)


@constraint(
    "dtype-mismatch",
    source="SQ:1281-1411",
    allowed="the same data type",
    remedy="Quantize both operands and the result to the same data type.",
)
def operand_dtypes(op: Addition, npu: Capabilities) -> Broken | None:
    """Operands and result of an addition must have {allowed}."""
    types = (op.lhs.dtype, op.rhs.dtype, op.output.dtype)
    if len(set(types)) == 1:
        return None
    return Broken(f"{types[0]} + {types[1]} -> {types[2]}")


@constraint(
    "add-shape-incompatible",
    source="SQ:1401-1408",
    allowed="equal or 1",
    remedy="Correct the shapes.",
)
def add_compatible(op: Addition, npu: Capabilities) -> Broken | None:
    """Dimensions of the operands of an addition must be {allowed}."""
    pairs = zip(op.lhs.dims, op.rhs.dims, strict=True)
    if all(a == b or 1 in (a, b) for a, b in pairs):
        return None
    return Broken(f"{_shape(op.lhs.shape)} + {_shape(op.rhs.shape)}")


@constraint(
    "add-broadcast",
    source="SQ:1401-1408",
    allowed="of the same shape",
    level=Level.ESTIMATE_ONLY,
    remedy="Expand the smaller operand before the addition, or make it a constant per channel.",
)
def add_same_shape(op: Addition, npu: Capabilities) -> Broken | None:
    """Operands of an addition must be {allowed}."""
    if op.lhs.dims == op.rhs.dims:
        return None
    return Broken(f"{_shape(op.lhs.shape)} + {_shape(op.rhs.shape)}")


@constraint(
    "add-rank-not-4",
    source="API:338-385",
    allowed="4",
    remedy="Add before flattening, while the tensors have rank 4.",
)
def add_rank(op: Addition, npu: Capabilities) -> Broken | None:
    """Operands of an addition must have rank {allowed}."""
    ranks = [len(t.shape) for t in (op.lhs, op.rhs, op.output)]
    return None if ranks == [4, 4, 4] else Broken(" and ".join(str(r) for r in ranks[:2]))


@constraint(
    "constant-dtype-mismatch",
    source="qnn.add and qnn.mul of TVM 0.18: both operands and the result have one data type",
    allowed="the input's data type",
    remedy="Quantize the constant and the result to the input's data type.",
)
def constant_dtype(op: MultiplyConstant | AddConstant, npu: Capabilities) -> Broken | None:
    """A constant operand and the result must have {allowed}."""
    types = {op.input.dtype, op.constant.dtype, op.output.dtype}
    if len(types) == 1:
        return None
    return Broken(f"{op.input.dtype} with {op.constant.dtype} -> {op.output.dtype}")


@constraint(
    "mul-const-shape",
    source="CE:89-127",
    allowed="one value, or one per channel of a rank-4 tensor",
    remedy="Multiply by a scalar or by one value per channel.",
)
def channel_constant(op: MultiplyConstant | AddConstant, npu: Capabilities) -> Broken | None:
    """A constant operand must have {allowed}."""
    size = 1
    for dim in op.constant.shape:
        size *= dim
    if len(op.output.shape) == 4 and size == op.output.shape[-1]:
        return None
    return Broken(f"{_shape(op.constant.shape)} for {_shape(op.output.shape)}")


@constraint(
    "mul-not-identity",
    source="CE:212-250",
    allowed=f"within {MULTIPLY_TOLERANCE} of the output's scale",
    remedy="Fold the factor into a neighbouring layer's weights, or give the output the scale "
    "input scale x factor.",
)
def multiply_identity(op: MultiplyConstant, npu: Capabilities) -> Broken | None:
    """A multiplication by a scalar must only change the scale: input scale x factor {allowed}."""
    if op.value is None:
        return Broken("more than one value", allowed="a single value")
    new = scaled_by_constant(op)
    if abs(np.float32(new) - np.float32(op.output.quant.scale)) <= np.float32(MULTIPLY_TOLERANCE):
        return None
    return Broken(f"{new:.6g} for an output scale of {op.output.quant.scale:.6g}")


@constraint(
    "add-not-identity",
    source="CE:260-298",
    allowed="at most 1 above the output's",
    remedy="Fold the summand into a neighbouring layer's bias.",
)
def add_identity(op: AddConstant, npu: Capabilities) -> Broken | None:
    """An addition of a scalar must only shift the zero point: the shifted one must be {allowed}."""
    if op.value is None:
        return Broken("more than one value", allowed="a single value")
    shifted = shifted_by_constant(op)
    if np.float32(shifted) - np.float32(op.output.quant.zero_point) <= np.float32(1.0):
        return None
    return Broken(f"{shifted:.4g} for an output zero point of {op.output.quant.zero_point}")


@constraint(
    "reinterpret-output-info-mismatch",
    source="SQ:1773-1829",
    allowed="the input's shape and data type",
    remedy="Quantize input and output to the same data type.",
)
def reinterpret_output(op: Reinterpret, npu: Capabilities) -> Broken | None:
    """The result must have {allowed}."""
    if op.output.shape != op.input.shape:
        return Broken(_shape(op.output.shape), allowed=_shape(op.input.shape))
    return None if op.output.dtype == op.input.dtype else Broken(op.output.dtype, op.input.dtype)


@constraint(
    "mul-needs-const",
    source="PY:211-229",
    allowed="a constant",
    remedy="SiLU and squeeze-and-excite multiply two activations; use ReLU, ReLU6 or LeakyReLU.",
)
def multiply_needs_constant(op: object, npu: Capabilities) -> Broken | None:
    """One operand of a multiplication must be {allowed}: two activations never multiply on the NPU."""
    return Broken("two activations")


# Concatenation, split, shape (rules 3.14 to 3.20)


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
    return None if len(others) <= 1 else Broken(", ".join(_shape(t.shape) for t in op.inputs))


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
        low, high = DTYPE_RANGES[tensor.dtype]
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


TENSORS = (rank, batch, expressible_dtype)
ACTIVATIONS = (*TENSORS, input_depth, eight_bit, per_tensor)

CONVOLUTION_PREFIX = (
    pad_once,
    two_strides,
    no_dilation,
    has_bias,
    *ACTIVATIONS,
    weights_dtype,
    bias_dims,
    weight_inputs,
    nonzero_window,
    not_empty,
    output_depth,
    scale_axis,
    scale_count,
)

CONVOLUTION = (
    *CONVOLUTION_PREFIX,
    convolution_output,
    zero_points,
    weights_zero_point,
    kernel_sides,
    stride,
    stride_large_kernel,
    same_padding,
    scale_range,
)
DEPTHWISE = (
    *CONVOLUTION_PREFIX,
    channel_multiplier,
    convolution_output,
    zero_points,
    weights_zero_point,
    square_kernel,
    stride,
    stride_small_kernel,
    same_padding,
    scale_range,
)
TRANSPOSED = (
    two_strides,
    no_dilation,
    no_output_padding,
    *ACTIVATIONS,
    weights_dtype,
    weight_inputs,
    bias_dims,
    nonzero_window,
    not_empty,
    output_depth,
    scale_axis,
    scale_count,
    convolution_output,
    zero_points,
    estimated_weights_zero_point,
    kernel_sides,
    stride_transposed,
    same_padding,
    large_transposed_kernel,
    scale_range,
)
FULLY_CONNECTED = (
    has_bias,
    *TENSORS,
    eight_bit,
    per_tensor,
    weights_dtype,
    fc_weight_inputs,
    bias_dims,
    zero_points,
    fc_output,
    estimated_weights_zero_point,
    scale_range,
)
MAX_POOL = (
    nhwc_layout,
    two_strides,
    two_window_sides,
    *ACTIVATIONS,
    pool_output,
    max_pool_config,
    max_pool_parity,
    max_pool_width,
    pool_fits,
)
AVERAGE_POOL = (
    nhwc_layout,
    two_strides,
    two_window_sides,
    *ACTIVATIONS,
    pool_output,
    average_pool_config,
    average_pool_sram,
    pool_fits,
)
MEAN = (*ACTIVATIONS, zero_points, mean_size, mean_output)
FIXED = (*TENSORS, fixed_output, input_depth, eight_bit, zero_points, same_dtype)
LEAKY_RELU = (leaky_slope, *ACTIVATIONS, zero_points, same_dtype)
ADDITION = (
    *TENSORS,
    operand_dtypes,
    add_rank,
    input_depth,
    eight_bit,
    per_tensor,
    zero_points,
    add_compatible,
    add_same_shape,
)
REINTERPRET = (*ACTIVATIONS, reinterpret_output, zero_points)
MULTIPLY_SCALAR = (constant_dtype, multiply_identity)
ADD_SCALAR = (constant_dtype, add_identity)
CHANNEL_CONSTANT = (constant_dtype, channel_constant)
CONCATENATE = (
    *ACTIVATIONS,
    axis_range,
    concatenate_dims,
    zero_points,
    output_scale,
    output_depth,
    concatenate_output,
    concatenate_axis,
    concatenate_channels,
)
SPLIT = (axis_range, *ACTIVATIONS, split_axis, split_sum, split_channels)
RESIZE = (nearest, *ACTIVATIONS, resize_height, resize_width)
REQUANTIZE = (
    rank,
    batch,
    requantize_dtypes,
    input_depth,
    requantize_zero_points,
    output_scale,
)
RESHAPE = (*TENSORS, input_depth, eight_bit, output_depth, reshape_size)
DEPTH_TO_SPACE = (
    *TENSORS,
    d2s_mode,
    nhwc_format,
    input_depth,
    eight_bit,
    d2s_channels,
    output_depth,
    d2s_block,
)
CLIP = (*TENSORS, clip_bounds, input_depth, eight_bit)
