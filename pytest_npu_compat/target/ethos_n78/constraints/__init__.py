"""The constraints of Ethos-N78: one function each, whose docstring is the message users read.

This page says which rules apply to which operator, in the order in which the reference checks them; the
rules are in the modules beside it.

Sources are abbreviated: SQ is support_library/src/SupportQueries.cpp of Arm's Ethos-N driver stack
23.02; API, CE and PY are src/relay/backend/contrib/ethosn/ethosn_api.cc, convert_equivalent.cc and
python/tvm/relay/op/contrib/ethosn.py of Apache TVM 0.18.0. Rules whose source is in TVM are checked by
TVM before it asks the library.
"""

from __future__ import annotations

from pytest_npu_compat.target.ethos_n78.constraints.elementwise import (
    add_compatible,
    add_identity,
    add_rank,
    add_same_shape,
    channel_constant,
    clip_bounds,
    constant_dtype,
    fixed_output,
    leaky_slope,
    multiply_identity,
    multiply_needs_constant,
    operand_dtypes,
    reinterpret_output,
    same_dtype,
)
from pytest_npu_compat.target.ethos_n78.constraints.pooling import (
    average_pool_config,
    average_pool_sram,
    max_pool_config,
    max_pool_parity,
    max_pool_width,
    mean_output,
    mean_size,
    nhwc_format,
    nhwc_layout,
    pool_fits,
    pool_output,
    two_window_sides,
)
from pytest_npu_compat.target.ethos_n78.constraints.shapes import (
    axis_range,
    concatenate_axis,
    concatenate_channels,
    concatenate_dims,
    concatenate_output,
    d2s_block,
    d2s_channels,
    d2s_mode,
    nearest,
    output_scale,
    requantize_dtypes,
    requantize_zero_points,
    reshape_size,
    resize_height,
    resize_width,
    split_axis,
    split_channels,
    split_sum,
)
from pytest_npu_compat.target.ethos_n78.constraints.tensors import (
    batch,
    eight_bit,
    estimated_weights_zero_point,
    expressible_dtype,
    input_depth,
    output_depth,
    per_tensor,
    rank,
    weights_dtype,
    weights_zero_point,
    zero_points,
)
from pytest_npu_compat.target.ethos_n78.constraints.weighted import (
    bias_dims,
    channel_multiplier,
    convolution_output,
    fc_output,
    fc_weight_inputs,
    has_bias,
    kernel_sides,
    large_transposed_kernel,
    no_dilation,
    no_output_padding,
    nonzero_window,
    not_empty,
    pad_once,
    same_padding,
    scale_axis,
    scale_count,
    scale_range,
    square_kernel,
    stride,
    stride_large_kernel,
    stride_small_kernel,
    stride_transposed,
    two_strides,
    weight_inputs,
)

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
MULTIPLICATION = (multiply_needs_constant,)
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
