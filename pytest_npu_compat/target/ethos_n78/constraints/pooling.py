"""Rules about pools and means (rules 3.6 to 3.8)."""

from __future__ import annotations

from pytest_npu_compat.target.constraint import Broken, Level, constraint
from pytest_npu_compat.target.ethos_n78.arithmetic import (
    pool_result,
    round_up,
)
from pytest_npu_compat.target.ethos_n78.constraints.tensors import (
    announced,
    show_shape,
)
from pytest_npu_compat.target.ethos_n78.operators import (
    DepthToSpace,
    Mean,
    Pool,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

MAX_POOL_3X3_WIDTH = 417
PLE_KERNEL_BYTES = 4096


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
    return Broken(show_shape(op.output.dims), allowed=f"rounded down ({show_shape(derived)})")


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
    return Broken(f"{op.input.height}x{op.input.width} for a {show_shape(op.window)} window")


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
    return Broken(
        f"{show_shape(op.window)} stride {show_shape(op.strides)} padding {list(op.padding)}"
    )


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
        f"{show_shape(op.window)} stride {show_shape(op.strides)} padding {list(op.padding)} "
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
    return None if size in ((7, 7), (8, 8)) else Broken(show_shape(size))


@constraint(
    "mean-output-info-mismatch",
    source="SQ:1838-1893",
    allowed="its input's scale and zero point, and the shape 1x1x1xC",
    remedy="Override the output's scale and zero point with the input's (ONNX Runtime: "
    "TensorQuantOverrides), and keep the dimensions.",
)
def mean_output(op: Mean, npu: Capabilities) -> Broken | None:
    """The output of a mean must have {allowed}."""
    broken = announced(op, (1, 1, 1, op.input.channels), op.input)
    if broken is None:
        return None
    prefix = "shape " if op.output.dims != (1, 1, 1, op.input.channels) else ""
    return Broken(prefix + broken.actual, allowed=prefix + broken.allowed)
