"""Types of the tensors of an ONNX model, and values that follow from shapes, without its weights."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference

from pytest_npu_compat.model.folding import fold
from pytest_npu_compat.model.graph import Constant, Node, TensorType

__all__ = ["QUANTIZATION_KINDS", "contradictions", "dtype_name", "infer_types", "one_line"]

logger = logging.getLogger(__name__)

MAX_ROUNDS = 64
"""Rounds of folding and shape inference; each resolves at least one reshape."""

QUANTIZATION_KINDS = {"QuantizeLinear", "DequantizeLinear"}

_NODE_ERROR = re.compile(
    r"\(op_type:(?P<kind>[^,)]*), node name: (?P<name>[^\n]*?)\): (?P<text>.*)"
)
"""A line of what strict shape inference says; each line is about one node."""


def dtype_name(data_type: int) -> str:
    """NumPy's name of an ONNX element type (ONNX calls float32 ``FLOAT``)."""
    names: dict[int, str] = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.DOUBLE: "float64"}
    try:
        return names.get(data_type) or str(onnx.TensorProto.DataType.Name(data_type)).lower()
    except ValueError:
        return "unknown"


def infer_types(
    model: onnx.ModelProto, nodes: Sequence[Node], constants: Mapping[str, Constant]
) -> tuple[dict[str, TensorType], dict[str, Constant], onnx.ModelProto]:
    """Types of all tensors, and values of those that follow from shapes and small constants.

    ONNX's shape inference runs on a copy without weights. What follows from the shapes it finds is
    folded and written into the copy, which lets it find more: its own data propagation stops at some
    operators of some opsets.

    Returns:
        The types, the values, and the copy with what was folded, for `contradictions`.
    """
    light = _without_weights(model, constants)
    graph = light.graph
    values = {name: c.values for name, c in constants.items() if c.values is not None}
    folded: dict[str, Constant] = {}
    for _ in range(MAX_ROUNDS):
        types = _infer_once(light)
        new = _fold_round(nodes, types, values)
        useful = any(not _is_known(types.get(o)) for node in nodes for o in node.outputs if o)
        for name, value in new.items():
            values[name] = value
            folded[name] = Constant(TensorType(value.shape, str(value.dtype)), value)
        if not new or not useful:
            break
        kept = [node for node in graph.node if not node.output or node.output[0] not in folded]
        del graph.node[:]
        graph.node.extend(kept)
        graph.initializer.extend(numpy_helper.from_array(v, name) for name, v in new.items())
    types.update((name, constant.type) for name, constant in folded.items())
    return types, folded, light


def contradictions(light: onnx.ModelProto) -> dict[str, str]:
    """Where the shapes of a model contradict each other, as ONNX says it.

    Args:
        light: A model without weights, as `infer_types` returns it.

    Returns:
        Name of a node (the empty string if ONNX names none) -> what is wrong, in one line.
    """
    found = _refused(light)
    graph = _inferred(light)
    empty = {}
    for info in (*graph.value_info, *graph.output):
        dims = info.type.tensor_type.shape.dim
        if any(dim.HasField("dim_value") and dim.dim_value < 1 for dim in dims):
            empty[info.name] = [dim.dim_value if dim.HasField("dim_value") else "?" for dim in dims]
    for node in graph.node:
        for shape in (empty[output] for output in node.output if output in empty):
            text = f"{node.name} ({node.op_type}): its output would have the shape {shape}"
            found.setdefault(node.name, text)
    return found


def _refused(light: onnx.ModelProto) -> dict[str, str]:
    """What ONNX refuses if shapes must not contradict; otherwise it only stops inferring there."""
    try:
        shape_inference.infer_shapes(light, strict_mode=True, data_prop=True)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the C++ code raises several unrelated types
        said = str(error).replace("[ShapeInferenceError] ", "")
        nodes = {
            match["name"]: one_line(f"{match['name']} ({match['kind']}): {match['text']}")
            for match in _NODE_ERROR.finditer(said)
        }
        return nodes or {"": one_line(said)}
    return {}


def _is_known(type_: TensorType | None) -> bool:
    return type_ is not None and type_.static_shape is not None


def _fold_round(
    nodes: Sequence[Node], types: Mapping[str, TensorType], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Values of first outputs that can be computed from what is known now."""
    known = dict(values)
    new: dict[str, Any] = {}
    for node in nodes:
        if len(node.outputs) != 1 or node.outputs[0] in known or node.domain:
            continue
        value = None
        if node.kind in ("Shape", "Size"):
            type_ = types.get(node.inputs[0])
            shape = None if type_ is None else type_.static_shape
            if shape is not None and not {"start", "end"} & node.attributes.keys():
                value = np.array(shape if node.kind == "Shape" else np.prod(shape), dtype=np.int64)
        elif node.inputs and all(not name or name in known for name in node.inputs):
            value = fold(node, [known.get(name) for name in node.inputs])
        if value is not None:
            known[node.outputs[0]] = new[node.outputs[0]] = value
    return new


def _without_weights(model: onnx.ModelProto, constants: Mapping[str, Constant]) -> onnx.ModelProto:
    light = onnx.ModelProto()
    light.ir_version = model.ir_version
    light.opset_import.extend(model.opset_import)
    graph = light.graph
    graph.name = model.graph.name or "model"
    graph.node.extend(model.graph.node)
    for node in graph.node:
        # By this name, the node is known to users; several may share it.
        node.name = node.name or next(filter(None, node.output), node.op_type)
        # ONNX Runtime's own Q/DQ operators are ONNX's, but shape inference does not know them.
        if node.op_type in QUANTIZATION_KINDS:
            node.domain = ""
    # One operator of a set that the file forgets to import would end the inference of all others.
    imported = {opset.domain for opset in model.opset_import} | {"", "ai.onnx"}
    for domain in sorted({node.domain for node in graph.node} - imported):
        light.opset_import.add(domain=domain, version=1)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    graph.value_info.extend(model.graph.value_info)
    declared = {info.name for info in model.graph.input}
    for tensor in model.graph.initializer:
        if constants[tensor.name].values is not None:
            graph.initializer.append(tensor)
        elif tensor.name not in declared:
            graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    return light


def _inferred(light: onnx.ModelProto) -> onnx.GraphProto:
    try:
        return shape_inference.infer_shapes(light, data_prop=True).graph
    except MemoryError:
        raise  # without types, the placement would be another one
    except Exception as error:  # noqa: BLE001 - the C++ code raises several unrelated types
        logger.warning("shape inference failed: %s", one_line(error))
        return light.graph


def _infer_once(light: onnx.ModelProto) -> dict[str, TensorType]:
    inferred = _inferred(light)
    types: dict[str, TensorType] = {}
    for info in (*inferred.value_info, *inferred.input, *inferred.output):
        if info.type.HasField("tensor_type") and not _is_known(types.get(info.name)):
            tensor_type = info.type.tensor_type
            shape = (
                tuple(
                    dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
                    for dim in tensor_type.shape.dim
                )
                if tensor_type.HasField("shape")
                else None
            )
            types[info.name] = TensorType(shape, dtype_name(tensor_type.elem_type))
    return types


def one_line(error: BaseException | str) -> str:
    """An error, or what it says, without line breaks and cut to 300 characters."""
    text = " ".join(str(error).split())
    return text[:300] or type(error).__name__
