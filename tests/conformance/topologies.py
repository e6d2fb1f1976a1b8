"""The reference's topologies by name. Their descriptions are in the unit cases (kind ``graph``)."""

from __future__ import annotations

from collections.abc import Callable

from conformance.sketch import Q, Sketch

from pytest_npu_compat.model.program import Program, Ref

__all__ = ["NAMED", "build"]

Outputs = Ref | tuple[Ref, ...]
NAMED: dict[str, Callable[[Sketch, Ref], Outputs]] = {}


def build(name: str) -> Program:
    """The program of a topology; its first input is ``a``, int8 1x16x16x16 unless it says otherwise."""
    sketch = Sketch()
    size = {"gap": 7, "se_block": 7, "global_avg_pool2d_cast": 7, "mean_cast_form_fq2i": 7}
    side = next((s for prefix, s in size.items() if name.startswith(prefix)), 16)
    outputs = NAMED[name](sketch, sketch.input((1, side, side, 16)))
    return sketch.finish(*(outputs if isinstance(outputs, tuple) else (outputs,)))


def topology(function: Callable[[Sketch, Ref], Outputs]) -> Callable[[Sketch, Ref], Outputs]:
    """Registers a topology under the function's name."""
    NAMED[function.__name__] = function
    return function


@topology
def chain_conv_clip_pool(g: Sketch, a: Ref) -> Outputs:
    return g.pool(g.clip(g.conv(a, k=3)))


def silu(g: Sketch, x: Ref) -> Ref:
    c = g.conv(x)
    return g.mul(c, g.sigmoid(c))


@topology
def silu_block(g: Sketch, a: Ref) -> Outputs:
    return g.conv(silu(g, a))


@topology
def silu_two_blocks(g: Sketch, a: Ref) -> Outputs:
    return g.conv(silu(g, silu(g, a)))


@topology
def residual_npu(g: Sketch, a: Ref) -> Outputs:
    c1 = g.clip(g.conv(a))
    return g.conv(g.add(c1, g.conv(c1)))


@topology
def residual_graph_input(g: Sketch, a: Ref) -> Outputs:
    return g.add(a, g.conv(a))


@topology
def residual_host_input(g: Sketch, a: Ref) -> Outputs:
    h = g.host(a)
    return g.add(h, g.conv(h))


@topology
def concat_npu_only(g: Sketch, a: Ref) -> Outputs:
    c0 = g.conv(a)
    return g.conv(g.concat(g.conv(c0), g.conv(c0)))


@topology
def concat_with_graph_input(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.concat(g.conv(a), a))


@topology
def concat_with_host_field(g: Sketch, a: Ref) -> Outputs:
    c = g.conv(a)
    return g.conv(g.concat(c, g.host(c)))


@topology
def concat_with_independent_host_field(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.concat(g.conv(a), g.host(g.input())))


@topology
def concat_with_constant(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.concat(g.conv(a), g.constant((1, 16, 16, 16))))


@topology
def concat_two_separate_inputs(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.concat(g.conv(a), g.conv(g.input())))


@topology
def concat_not_mult16(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.concat(g.conv(a, 8), g.conv(a, 8)))


@topology
def siblings_on_graph_input_tuple_output(g: Sketch, a: Ref) -> Outputs:
    return g.conv(a), g.conv(a)


@topology
def siblings_on_graph_input_host_consumers(g: Sketch, a: Ref) -> Outputs:
    return g.host(g.conv(a)), g.host(g.conv(a))


@topology
def siblings_on_host_op_host_consumers(g: Sketch, a: Ref) -> Outputs:
    return siblings_on_graph_input_host_consumers(g, g.host(a))


@topology
def siblings_on_npu_op_host_consumers(g: Sketch, a: Ref) -> Outputs:
    return siblings_on_graph_input_host_consumers(g, g.conv(a))


@topology
def siblings_on_host_op_common_npu_consumer(g: Sketch, a: Ref) -> Outputs:
    h = g.host(a)
    return g.add(g.conv(h), g.conv(h))


@topology
def tuple_output_with_host_field(g: Sketch, a: Ref) -> Outputs:
    c1, c2 = g.conv(a), g.conv(a)
    return c1, c2, g.host(c1)


@topology
def tuple_output_with_graph_input_field(g: Sketch, a: Ref) -> Outputs:
    return g.conv(a), g.conv(a), a


@topology
def diamond_host_branch(g: Sketch, a: Ref) -> Outputs:
    c = g.conv(a)
    return g.add(c, g.host(c))


@topology
def diamond_host_branch_long(g: Sketch, a: Ref) -> Outputs:
    c1 = g.conv(a)
    return g.add(g.conv(c1), g.host(c1))


@topology
def region_granular_restriction_left(g: Sketch, a: Ref) -> Outputs:
    c1, c2 = g.conv(a), g.conv(g.input())
    h1, h2 = g.host(c1), g.host(c2)
    return g.host(h1, h2, op="add"), g.add(c1, h2)


@topology
def region_granular_restriction_right(g: Sketch, a: Ref) -> Outputs:
    outputs = region_granular_restriction_left(g, a)
    assert isinstance(outputs, tuple)
    return outputs[1], outputs[0]


@topology
def split_concat(g: Sketch, a: Ref) -> Outputs:
    s0, s1 = g.split(g.conv(a, 32), (16, 16))
    return g.concat(g.conv(s0), g.conv(s1))


@topology
def split_one_to_host(g: Sketch, a: Ref) -> Outputs:
    s0, s1 = g.split(g.conv(a, 32), (16, 16))
    return g.concat(g.conv(s0), g.host(s1))


def c2f(g: Sketch, s0: Ref, s1: Ref) -> Ref:
    return g.conv(g.concat(s0, s1, g.add(s1, g.conv(s1))))


@topology
def c2f_yolov8(g: Sketch, a: Ref) -> Outputs:
    return c2f(g, *g.split(g.conv(a, 32), (16, 16)))


@topology
def c2f_strided_slice(g: Sketch, a: Ref) -> Outputs:
    c = g.conv(a, 32)
    s0, s1 = (g.emit("strided_slice", c, shape=(1, 16, 16, 16)) for _ in range(2))
    return c2f(g, s0, s1)


@topology
def sppf(g: Sketch, a: Ref) -> Outputs:
    values = [g.conv(a)]
    for _ in range(3):
        values.append(g.pool(values[-1], 5, 1, 2))
    return g.conv(g.concat(*values))


@topology
def fpn_upsample_concat(g: Sketch, a: Ref) -> Outputs:
    p3 = g.conv(a)
    u = g.resize(g.conv(g.conv(p3, k=3, s=2)))
    return g.conv(g.concat(u, p3))


@topology
def leaky_chain(g: Sketch, a: Ref) -> Outputs:
    return g.pool(g.leaky(g.conv(g.leaky(g.conv(a)))))


def quantized(g: Sketch, value: Ref) -> Ref:
    return g.emit("qnn.quantize", value, dtype="int8", output=Q)


@topology
def shared_dequantize(g: Sketch, a: Ref) -> Outputs:
    d = g.emit("qnn.dequantize", g.conv(a), dtype="float32", input=Q)
    leaky = g.emit("nn.leaky_relu", d, alpha=0.1)
    return quantized(g, g.host(d, op="sigmoid")), quantized(g, leaky)


@topology
def shared_dequantize_silu(g: Sketch, a: Ref) -> Outputs:
    d = g.emit("qnn.dequantize", g.conv(a), dtype="float32", input=Q)
    s = quantized(g, g.host(d, op="sigmoid"))
    again = g.emit("qnn.dequantize", s, dtype="float32", input=Q)
    return quantized(g, g.host(d, again, op="multiply"))


@topology
def gap_head(g: Sketch, a: Ref) -> Outputs:
    return g.dense(g.reshape(g.mean(g.conv(a)), (1, 16)))


@topology
def gap_head_softmax(g: Sketch, a: Ref) -> Outputs:
    logits = gap_head(g, a)
    assert not isinstance(logits, tuple)
    return g.host(g.emit("qnn.dequantize", logits, dtype="float32", input=Q), op="nn.softmax")


@topology
def yolo_head_reshape5_transpose(g: Sketch, a: Ref) -> Outputs:
    five = g.reshape(g.conv(a, 255), (1, 16, 16, 3, 85))
    return g.emit("transpose", five, shape=(1, 3, 16, 16, 85))


@topology
def pad_standalone_shared(g: Sketch, a: Ref) -> Outputs:
    p = g.pad(a)
    return g.conv(p, k=3, pad=0), g.conv(p, k=3, pad=0)


@topology
def pad_single_use(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.pad(a), k=3, pad=0)


@topology
def pad_nonzero_value(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.pad(a, value=55), k=3, pad=0)


@topology
def pad_mode_reflect(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.pad(a, mode="reflect"), k=3, pad=0)


@topology
def conv_without_bias(g: Sketch, a: Ref) -> Outputs:
    return g.conv(a, bias="")


@topology
def conv_bias_as_add(g: Sketch, a: Ref) -> Outputs:
    return g.conv(a, bias="add")


@topology
def conv_output_int32_then_clip_cast(g: Sketch, a: Ref) -> Outputs:
    return g.emit("cast", g.clip(g.conv(a, dtype="int32")), dtype="int8")


@topology
def nn_relu_int8(g: Sketch, a: Ref) -> Outputs:
    return g.host(g.conv(a), op="nn.relu")


@topology
def maximum_zero_point(g: Sketch, a: Ref) -> Outputs:
    return g.host(g.conv(a), op="maximum")


@topology
def relu_float_island(g: Sketch, a: Ref) -> Outputs:
    return g.island(g.conv(a), "nn.relu")


@topology
def hardswish_float_island(g: Sketch, a: Ref) -> Outputs:
    d = g.emit("qnn.dequantize", g.conv(a), dtype="float32", input=Q)
    six = g.emit("clip", g.host(d, op="add"), a_min=0, a_max=6)
    return g.conv(quantized(g, g.host(g.host(six, op="divide"), d, op="multiply")))


def after_conv(op: str) -> Callable[[Sketch, Ref], Outputs]:
    return lambda g, a: g.host(g.conv(a), op=op)


for _name, _op in {
    "qnn_sigmoid": "qnn.sigmoid",
    "qnn_tanh": "qnn.tanh",
    "qnn_leaky_relu": "qnn.leaky_relu",
    "qnn_avg_pool2d": "qnn.avg_pool2d",
    "upsampling_op": "nn.upsampling",
    "global_max_pool": "nn.global_max_pool2d",
    "transpose_only": "transpose",
}.items():
    NAMED[_name] = after_conv(_op)


def between_casts(g: Sketch, a: Ref, op: str) -> Ref:
    wide = g.emit("cast", g.conv(a), dtype="int32")
    return g.emit("cast", g.emit(op, wide, shape=(1, 1, 1, 16)), dtype="int8")


@topology
def global_avg_pool2d_cast(g: Sketch, a: Ref) -> Outputs:
    return between_casts(g, a, "nn.global_avg_pool2d")


@topology
def mean_cast_form_fq2i(g: Sketch, a: Ref) -> Outputs:
    return between_casts(g, a, "mean")


@topology
def dense_bias_as_add(g: Sketch, a: Ref) -> Outputs:
    return g.dense(g.input((1, 16)), bias="add")


@topology
def batch_flatten_dense(g: Sketch, a: Ref) -> Outputs:
    return g.dense(g.emit("nn.batch_flatten", g.conv(a), shape=(1, 4096)))


@topology
def squeeze_dense(g: Sketch, a: Ref) -> Outputs:
    return g.dense(g.emit("squeeze", g.conv(g.input((1, 1, 1, 16))), shape=(1, 16)))


@topology
def resize_bilinear(g: Sketch, a: Ref) -> Outputs:
    return g.resize(g.conv(a), "linear")


@topology
def space_to_depth(g: Sketch, a: Ref) -> Outputs:
    return g.conv(g.emit("nn.space_to_depth", a, shape=(1, 8, 8, 64)))


@topology
def focus_slices(g: Sketch, a: Ref) -> Outputs:
    slices = [g.emit("strided_slice", a, shape=(1, 8, 8, 16)) for _ in range(4)]
    return g.conv(g.concat(*slices))


@topology
def softmax_island(g: Sketch, a: Ref) -> Outputs:
    return g.island(g.conv(a), "nn.softmax")


@topology
def qnn_subtract(g: Sketch, a: Ref) -> Outputs:
    return g.host(g.conv(a), g.conv(a), op="qnn.subtract")


@topology
def channel_shuffle(g: Sketch, a: Ref) -> Outputs:
    five = g.reshape(g.conv(a), (1, 16, 16, 2, 8))
    turned = g.emit("transpose", five, shape=(1, 16, 16, 8, 2))
    return g.conv(g.reshape(turned, (1, 16, 16, 16)))


@topology
def float_io(g: Sketch, a: Ref) -> Outputs:
    image = g.input(dtype="float32")
    x = g.emit("qnn.quantize", image, dtype="int8", border=True, output=Q)
    return g.emit("qnn.dequantize", g.conv(x), dtype="float32", border=True, input=Q)


@topology
def se_block(g: Sketch, a: Ref) -> Outputs:
    c = g.conv(a)
    return g.mul(c, g.sigmoid(g.conv(g.clip(g.conv(g.mean(c))))))


NAMED["lone_qnn_add"] = lambda g, a: g.add(a, g.input())
NAMED["lone_tanh"] = lambda g, a: g.tanh(a)
NAMED["lone_leaky_relu"] = lambda g, a: g.leaky(a)
NAMED["lone_sigmoid"] = lambda g, a: g.sigmoid(a)
NAMED["lone_requantize"] = lambda g, a: g.emit("qnn.requantize", a, input=Q, output=Q)
NAMED["lone_concat"] = lambda g, a: g.concat(a, g.input())
NAMED["lone_split"] = lambda g, a: tuple(g.split(a, (8, 8), axis=1))
NAMED["lone_reshape"] = lambda g, a: g.reshape(a, (1, 1, 256, 16))
NAMED["lone_clip"] = lambda g, a: g.clip(a)
NAMED["lone_max_pool2d"] = lambda g, a: g.pool(a)
NAMED["lone_mean"] = lambda g, a: g.mean(g.input((1, 7, 7, 16)))
NAMED["lone_resize2d"] = lambda g, a: g.resize(a)
NAMED["lone_avg_pool2d"] = lambda g, a: g.avg_pool(a)
NAMED["lone_dense"] = lambda g, a: g.dense(g.input((1, 16)))
NAMED["lone_mul_const_depthwise"] = lambda g, a: g.mul(a, g.constant((1, 1, 1, 16)))
NAMED["lone_add_const_depthwise"] = lambda g, a: g.add(a, g.constant((1, 1, 1, 16)))
NAMED["lone_mul_const_reinterpret"] = lambda g, a: g.mul(a, g.constant((1, 1, 1, 1)), value=50)
NAMED["lone_depth_to_space"] = lambda g, a: g.emit(
    "nn.depth_to_space", a, shape=(1, 32, 32, 4), block_size=2, mode="DCR", layout="NHWC"
)


# TVM's own tests of small graphs, by the id of the unit case


def _requantize_then_add(g: Sketch, a: Ref) -> Outputs:
    return g.add(g.emit("qnn.requantize", a, input=Q, output=Q), g.input())


def _split_add_concat(g: Sketch, a: Ref) -> Outputs:
    s0, s1, s2, s3 = g.split(g.input((1, 16, 16, 4)), (4, 4, 4, 4), axis=2)
    return g.concat(g.add(s0, s1), s2, s3, axis=2)


def _two_pools_around_host(g: Sketch, a: Ref) -> Outputs:
    return g.pool(g.host(g.pool(g.input((1, 4, 4, 4)))))


def _eight_clips(g: Sketch, a: Ref) -> Outputs:
    z = g.clip(a)
    return tuple(g.clip(z) for _ in range(8))


def _mean_pool_clip(g: Sketch, a: Ref) -> Outputs:
    c = g.clip(g.input((1, 8, 8, 4)))
    return g.mean(c), g.pool(c, ceil=True), c


def _crossed_concats(g: Sketch, a: Ref) -> Outputs:
    s = g.split(g.input((1, 16, 16, 32)), (2, 5, 3, 6), axis=2)
    first = g.concat(s[0], s[1], axis=2)
    return g.concat(s[2], s[3], axis=2), first


def _split_only(g: Sketch, a: Ref) -> Outputs:
    return tuple(g.split(g.input((1, 4, 4, 16)), (1, 1, 1, 1), axis=2))


def _concat_of_inputs(g: Sketch, a: Ref) -> Outputs:
    return g.concat(g.input((1, 4)), g.input((1, 6)), axis=1)


for _first, _function in (
    (1, _requantize_then_add),
    (2, _split_add_concat),
    (3, _split_add_concat),
    (4, _two_pools_around_host),
    (5, _two_pools_around_host),
    (6, _eight_clips),
    (7, _eight_clips),
    (8, _mean_pool_clip),
    (9, _mean_pool_clip),
    (10, _crossed_concats),
    (11, _crossed_concats),
    (12, _split_only),
    (13, _split_only),
    (14, _concat_of_inputs),
    (15, _concat_of_inputs),
):
    NAMED[f"graph_partition_{_first:03}"] = _function
NAMED["graph_partition_016"] = lambda g, a: g.reshape(g.input((1, 2, 2, 4)), (1, 1, 4, 4))
