"""Rules about activations (rules 3.9, 3.10, 3.21), additions and multiplications (3.11 to 3.13)."""

from __future__ import annotations

import numpy as np

from pytest_npu_compat.target.constraint import Broken, Level, constraint
from pytest_npu_compat.target.ethos_n78.arithmetic import (
    scaled_by_constant,
    shifted_by_constant,
    to_int16,
)
from pytest_npu_compat.target.ethos_n78.constraints.tensors import (
    show_quant,
    show_shape,
)
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    Fixed,
    LeakyRelu,
    MultiplyConstant,
    Reinterpret,
    Unary,
)
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

MULTIPLY_TOLERANCE = 0.004


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
        show_quant(op.output.quant),
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
    return Broken(f"{show_shape(op.lhs.shape)} + {show_shape(op.rhs.shape)}")


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
    return Broken(f"{show_shape(op.lhs.shape)} + {show_shape(op.rhs.shape)}")


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
    return Broken(f"{show_shape(op.constant.shape)} for {show_shape(op.output.shape)}")


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
        return Broken(show_shape(op.output.shape), allowed=show_shape(op.input.shape))
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
