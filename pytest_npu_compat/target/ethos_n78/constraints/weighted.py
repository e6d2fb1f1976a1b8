"""Rules about convolutions (rules 3.2 to 3.4) and fully connected layers (3.5)."""

from __future__ import annotations

from pytest_npu_compat.target.constraint import Broken, Level, constraint
from pytest_npu_compat.target.ethos_n78.arithmetic import (
    overall_scale,
    pool_result,
    same_paddings,
)
from pytest_npu_compat.target.ethos_n78.constraints.tensors import (
    show_shape,
)
from pytest_npu_compat.target.ethos_n78.operators import (
    Convolution,
    FullyConnected,
    Pool,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

KERNEL_SIDES = (1, 2, 3, 5, 7, 9)


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
    return None if set(op.dilation) == {1} else Broken(show_shape(op.dilation))


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
    if op.bias_shape[-1:] == (filters,) and show_shape(op.bias_shape[:-1]).strip("1x") in (
        "",
        "scalar",
    ):
        return None
    return Broken(show_shape(op.bias_shape), allowed=f"one value per output channel ({filters})")


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
    return Broken(f"kernel {show_shape(op.kernel)}, stride {show_shape(op.strides)}")


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
        return Broken(show_shape(op.output.dims), allowed=show_shape(derived))
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
    return None if set(op.kernel) <= set(KERNEL_SIDES) else Broken(show_shape(op.kernel))


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
    return None if height == width and height in KERNEL_SIDES else Broken(show_shape(op.kernel))


@constraint(
    "stride",
    source="SQ:621-625, 796-800",
    allowed="1x1 or 2x2",
    level=Level.ESTIMATE_ONLY,
    remedy="Use stride 1 or 2 in both directions; a stride of 4 is two layers of stride 2.",
)
def stride(op: Convolution, npu: Capabilities) -> Broken | None:
    """The stride must be {allowed}."""
    return None if tuple(op.strides) in ((1, 1), (2, 2)) else Broken(show_shape(op.strides))


@constraint(
    "stride-large-kernel",
    source="SQ:627-631",
    allowed="at most 7",
    level=Level.ESTIMATE_ONLY,
    remedy="Use a 7x7 kernel, or stride 1 followed by a pool.",
)
def stride_large_kernel(op: Convolution, npu: Capabilities) -> Broken | None:
    """With stride 2, both kernel sides must be {allowed}."""
    return Broken(show_shape(op.kernel)) if 2 in op.strides and max(op.kernel) > 7 else None


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


@constraint(
    "output-padding",
    source="SQ:875-923",
    allowed="0",
    remedy="Export with output_padding 0, e.g. a 2x2 kernel of stride 2 without padding.",
)
def no_output_padding(op: Convolution, npu: Capabilities) -> Broken | None:
    """The output_padding of a transposed convolution must be {allowed}."""
    return Broken(show_shape(op.output_padding)) if any(op.output_padding) else None


@constraint(
    "stride-transposed",
    source="SQ:965-969",
    allowed="2x2",
    level=Level.ESTIMATE_ONLY,
    remedy="Use stride 2, or resize (nearest, x2) followed by a convolution.",
)
def stride_transposed(op: Convolution, npu: Capabilities) -> Broken | None:
    """The stride of a transposed convolution must be {allowed}."""
    return None if tuple(op.strides) == (2, 2) else Broken(show_shape(op.strides))


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
        return Broken(f"no padding with a {show_shape(op.kernel)} kernel")
    return None


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
