"""Which nodes form an operator, and which operators have an integer form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from models import on_npu
from onnx import helper, numpy_helper
from qdq import Net

from pytest_npu_compat.model import integer_form, onnx_file
from pytest_npu_compat.model.program import Operator, Program


def program_of(model: onnx.ModelProto, directory: Path) -> Program:
    path = directory / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return integer_form.lower(onnx_file.read(path).graph)


def operators_of(net: Net, directory: Path) -> tuple[Operator, ...]:
    return program_of(net.build(), directory).operators


def ops(program: Program, index: int = 0) -> list[str]:
    return [program.calls[i].op for i in program.operators[index].calls]


def test_activation_without_quantize_between_belongs_to_its_convolution(tmp_path: Path) -> None:
    model = on_npu().build()
    graph = model.graph
    drop = {"conv_0_quantize", "conv_0_dq1_dequantize"}
    for node in graph.node:
        if node.name == "relu_1":
            node.input[0] = "conv_0"
    kept = [node for node in graph.node if node.name not in drop]
    del graph.node[:]
    graph.node.extend(kept)
    program = program_of(model, tmp_path)
    first = program.operators[0]
    assert first.nodes == ("conv_0", "relu_1")
    assert first.kind == "Conv"
    assert ops(program)[:3] == ["qnn.conv2d", "nn.bias_add", "qnn.requantize"]


def test_conversions_at_the_borders_are_not_operators(tmp_path: Path) -> None:
    program = program_of(on_npu().build(), tmp_path)
    assert [o.kind for o in program.operators] == ["Conv", "Relu", "Conv", "Relu"]
    borders = [c.op for c in program.calls if c.operator is None]
    assert borders == ["qnn.quantize", "qnn.dequantize"]


def test_macs_of_a_convolution(tmp_path: Path) -> None:
    first = operators_of(on_npu(), tmp_path)[0]
    assert first.macs == 16 * 8 * 8 * 16 * 3 * 3


def test_macs_of_depthwise_transposed_and_dense(tmp_path: Path) -> None:
    net = Net("macs", (1, 16, 8, 8))
    depthwise = net.conv("image", 16, 3, groups=16)
    up = net.up(depthwise, 8)
    flat = net.reshape(up, [1, 2048])
    net.finish(net.dense(flat, 10))
    macs = {o.kind: o.macs for o in operators_of(net, tmp_path)}
    assert macs == {
        "Conv": 16 * 64 * 9,
        "ConvTranspose": 16 * 64 * 8 * 4,
        "Reshape": 0,
        "Gemm": 2048 * 10,
    }


def test_shape_arithmetic_and_dead_nodes_are_not_operators(tmp_path: Path) -> None:
    model = on_npu().build()
    model.graph.node.insert(0, helper.make_node("Shape", ["image"], ["shape"], "shape"))
    model.graph.node.insert(1, helper.make_node("Abs", ["image"], ["unused"], "dead"))
    model.graph.node.insert(2, helper.make_node("Cast", ["shape"], ["shape_f"], "cast", to=1))
    names = [o.name for o in program_of(model, tmp_path).operators]
    assert not {"shape", "dead", "cast"} & set(names)


@pytest.mark.parametrize(("extra", "form"), [(False, "integer"), (True, "float")])
def test_result_that_is_also_read_as_float_stays_in_float(
    tmp_path: Path, extra: bool, form: str
) -> None:
    model = on_npu().build()
    if extra:
        model.graph.node.append(helper.make_node("Abs", ["conv_0"], ["side"], "side"))
        model.graph.output.append(helper.make_tensor_value_info("side", 1, None))
    assert program_of(model, tmp_path).operators[0].form == form


def test_float_weights_make_an_island(tmp_path: Path) -> None:
    model = on_npu().build()
    for node in model.graph.node:
        if node.name == "conv_0":
            node.input[1] = "w"
    weights = np.zeros((16, 16, 3, 3), dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    program = program_of(model, tmp_path)
    assert ops(program)[-1] == "qnn.quantize"
    assert "weights" in program.operators[0].note


def test_weights_quantized_in_the_graph_count_as_constants(tmp_path: Path) -> None:
    """QuantizeLinear -> DequantizeLinear on a float initializer, as some exporters write it."""
    model = on_npu().build()
    graph = model.graph
    weights = np.zeros((16, 16, 3, 3), dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(weights, "w"))
    dequantize = next(n for n in graph.node if n.output[0] == "conv_0_c1")
    parameters = list(dequantize.input[1:])
    graph.node.insert(
        0, helper.make_node("QuantizeLinear", ["w", *parameters], ["w_q"], "w_quantize")
    )
    dequantize.input[0] = "w_q"
    program = program_of(model, tmp_path)
    assert ops(program)[:3] == ["qnn.conv2d", "nn.bias_add", "qnn.requantize"]


def test_scale_that_is_not_constant_makes_the_operator_unknown(tmp_path: Path) -> None:
    model = on_npu().build()
    graph = model.graph
    graph.input.append(helper.make_tensor_value_info("s", 1, [1]))
    node = next(n for n in graph.node if n.name == "relu_1_quantize")
    node.input[1] = "s"
    forms = {o.name: o.form for o in program_of(model, tmp_path).operators}
    assert forms["relu_1_quantize"] == "unknown"


def test_qoperator_dialect_is_unknown_not_supported(tmp_path: Path) -> None:
    model = on_npu().build()
    node = next(n for n in model.graph.node if n.name == "relu_1")
    node.op_type = "QLinearSigmoid"
    node.domain = "com.microsoft"
    forms = {o.name: o.form for o in program_of(model, tmp_path).operators}
    assert forms["relu_1"] == "unknown"


@pytest.mark.parametrize(
    ("auto_pad", "expected"),
    [("SAME_UPPER", (0, 0, 1, 1)), ("SAME_LOWER", (1, 1, 0, 0)), ("VALID", (0, 0, 0, 0))],
)
def test_auto_pad_becomes_numbers(tmp_path: Path, auto_pad: str, expected: tuple[int, ...]) -> None:
    net = Net("auto", (1, 16, 8, 8))
    net.finish(net.conv("image", 16, 3, 2))
    model = net.build()
    node = next(n for n in model.graph.node if n.op_type == "Conv")
    kept = [a for a in node.attribute if a.name != "pads"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("auto_pad", auto_pad)])
    program = program_of(model, tmp_path)
    assert program.calls[program.operators[0].calls[0]].attrs["padding"] == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([1, 64, 1, 1], [1, 64], ["reshape"]),
        ([1, 16, 4, 4], [1, 256], ["transpose", "reshape"]),
        ([1, 16, 4, 4], [1, 16, 16, 1], ["reshape"]),
        ([1, 16, 4, 4], [1, 4, 8, 8], ["transpose", "reshape", "transpose"]),
        ([1, 16, 4, 4], [1, 256, 1, 1], ["transpose", "reshape"]),
    ],
)
def test_reshape_transposes_where_the_element_order_differs(
    tmp_path: Path, before: list[int], after: list[int], expected: list[str]
) -> None:
    net = Net("reshape", (1, *before[1:]))
    net.finish(net.reshape("image", after))
    assert ops(program_of(net.build(), tmp_path)) == expected
