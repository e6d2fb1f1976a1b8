"""The float model that a Q/DQ model was made from: pairs removed, constants dequantized."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

__all__ = ["float_twin"]


def float_twin(quantized: onnx.ModelProto) -> onnx.ModelProto:
    """The model without QuantizeLinear and DequantizeLinear nodes; the others keep their names."""
    model = onnx.ModelProto()
    model.CopyFrom(quantized)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    alias: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        node.input[:] = [alias.get(tensor, tensor) for tensor in node.input]
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            name = f"{node.input[0]}_float"
            if name not in constants:
                constants[name] = _dequantized(node, constants, name)
            alias[node.output[0]] = name
        elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            alias[node.output[0]] = node.input[0]
        else:
            copy = onnx.NodeProto()
            copy.CopyFrom(node)
            nodes.append(copy)
    # A graph output keeps its name, so what computes it takes that name.
    names = {alias[o.name]: o.name for o in graph.output if o.name in alias}
    for node in nodes:
        node.input[:] = [names.get(tensor, tensor) for tensor in node.input]
        node.output[:] = [names.get(tensor, tensor) for tensor in node.output]
    used = {tensor for node in nodes for tensor in node.input}
    for field, values in (
        (graph.node, nodes),
        (graph.initializer, [t for name, t in constants.items() if name in used]),
        (graph.value_info, []),
    ):
        del field[:]
        field.extend(values)
    return model


def _dequantized(
    node: onnx.NodeProto, constants: dict[str, onnx.TensorProto], name: str
) -> onnx.TensorProto:
    integers, scale, zero = (numpy_helper.to_array(constants[tensor]) for tensor in node.input)
    if scale.size > 1:
        axis = next((helper.get_attribute_value(a) for a in node.attribute if a.name == "axis"), 1)
        shape = [-1 if position == axis else 1 for position in range(integers.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    values = (integers.astype(np.float32) - zero.astype(np.float32)) * scale
    return numpy_helper.from_array(values.astype(np.float32), name)
