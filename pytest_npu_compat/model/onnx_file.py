"""Safe reading of an ONNX file into a `Graph`. Weights are neither decoded nor fetched from external data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper

from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.model.graph import Constant, Graph, Node, TensorType
from pytest_npu_compat.model.lfs import FETCH, is_pointer
from pytest_npu_compat.model.onnx_operators import plain_attributes
from pytest_npu_compat.model.onnx_pins import check_pins, pin_inputs
from pytest_npu_compat.model.onnx_types import QUANTIZATION_KINDS, dtype_name, infer_types, one_line

__all__ = ["ModelFile", "read"]

SMALL_ELEMENTS = 65_536
"""Quantization parameters up to this many elements are decoded: the scales of the widest layer."""

FEW_ELEMENTS = 1024
"""Any other constant is decoded only up to this many elements."""

MAX_FILE_BYTES = 2**31 - 1
"""Protobuf's own limit; a larger file cannot be a valid ONNX model without external data."""

MAX_NODES = 200_000


@dataclass(frozen=True)
class ModelFile:
    """A model file that could be read.

    Attributes:
        graph: Its graph.
        sha256: Hash of the file, in hexadecimal. External data is not part of it.
    """

    graph: Graph
    sha256: str


def read(path: Path, input_shapes: Mapping[str, tuple[int, ...]] | None = None) -> ModelFile:
    """Reads a model file.

    Args:
        path: The `.onnx` file.
        input_shapes: Shapes that replace the dimensions of graph inputs, by input name.

    Raises:
        ModelError: The file is missing, a Git LFS pointer, not an ONNX model, refers to files
            outside its directory, has inputs whose dimensions are not known, or cannot be computed
            with the shapes that replace them.
    """
    data = _read_bytes(path)
    model = _load(data, path)
    shapes = input_shapes or {}
    pin_inputs(model.graph, shapes)
    graph, light = _to_graph(model, path)
    if shapes:
        check_pins(shapes, light, lambda: _to_graph(_load(data, path), path)[1])
    return ModelFile(graph, hashlib.sha256(data).hexdigest())


def _load(data: bytes, path: Path) -> onnx.ModelProto:
    model = _parse(data, path)
    if not model.graph.node:
        raise ModelError(
            "nothing-to-judge",
            f"{path.name} has no nodes.",
            "Check the export: an empty graph can neither pass nor fail.",
        )
    _check_external_data(model, path)
    return _inline_functions(model, path) if model.functions else model


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ModelError(
            "file-not-found",
            f"{path} does not exist." if not path.exists() else f"{path} is not a file.",
            "Check the path; in a gate file it is relative to the gate file's directory.",
        )
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ModelError(
                "invalid-model",
                f"{path.name} has {size} bytes; an ONNX file cannot exceed 2 GiB.",
                "Export large weights as external data.",
            )
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            "file-not-found", f"{path} cannot be read: {error.strerror}.", "Check its permissions."
        ) from error
    if is_pointer(data):
        raise ModelError(
            "lfs-pointer",
            f"{path.name} is a Git LFS pointer, not the model itself.",
            FETCH,
        )
    return data


def _parse(data: bytes, path: Path) -> onnx.ModelProto:
    invalid = ModelError(
        "invalid-model",
        f"{path.name} is not a valid ONNX model.",
        "Load it with `onnx.load` where it was exported, and export it again if that fails.",
    )
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        raise invalid from error
    if not model.HasField("graph") or not model.opset_import:
        raise invalid
    if len(model.graph.node) > MAX_NODES:
        raise ModelError(
            "invalid-model",
            f"{path.name} has {len(model.graph.node)} nodes; at most {MAX_NODES} are analyzed.",
            "Split the model, or report this limit as too low.",
        )
    return model


def _check_external_data(model: onnx.ModelProto, path: Path) -> None:
    """Refuses references that leave the model's directory (the attack of CVE-2022-25882)."""
    for tensor in _all_tensors(model.graph):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((e.value for e in tensor.external_data if e.key == "location"), "")
        parts = PurePosixPath(location.replace("\\", "/")).parts
        inside = bool(parts) and ".." not in parts and not PurePosixPath(location).is_absolute()
        if not inside or ":" in parts[0]:
            raise ModelError(
                "unsafe-external-data",
                f"Tensor {tensor.name!r} of {path.name} refers to {location!r}, "
                "outside the model's directory.",
                "Export the model again with its external data beside it.",
            )


def _all_tensors(graph: onnx.GraphProto) -> Iterable[onnx.TensorProto]:
    stack = [graph]
    while stack:
        current = stack.pop()
        yield from current.initializer
        for node in current.node:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    yield attribute.t
                if attribute.HasField("g"):
                    stack.append(attribute.g)
                stack.extend(attribute.graphs)


def _inline_functions(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    from onnx import inliner

    try:
        return inliner.inline_local_functions(model)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(
            "invalid-model",
            f"The functions defined in {path.name} cannot be inlined: {one_line(error)}",
            "Export the model without local functions.",
        ) from error


def _needed_values(graph: onnx.GraphProto) -> set[str]:
    """Names of constants whose elements a rule may need whatever their size: Q/DQ parameters."""
    needed: set[str] = set()
    for node in graph.node:
        if node.op_type in QUANTIZATION_KINDS:
            needed.update(node.input[1:3])
        elif node.op_type.startswith(("QLinear", "QGemm")):
            needed.update(node.input)
    return needed


def _to_graph(model: onnx.ModelProto, path: Path) -> tuple[Graph, onnx.ModelProto]:
    """The graph, and the model without weights that its types were inferred of."""
    graph = model.graph
    needed = _needed_values(graph)
    constants = {t.name: _constant(t, path, needed=t.name in needed) for t in graph.initializer}
    for sparse in graph.sparse_initializer:
        constants[sparse.values.name] = Constant(TensorType(tuple(sparse.dims), "unknown"), None)
    for node in graph.node:
        if _is_constant(node):
            constants[node.output[0]] = _constant_node(node, path, needed=node.output[0] in needed)
    nodes = _unique_names([_node(n) for n in graph.node if not _is_constant(n)])
    inputs = tuple(info.name for info in graph.input if info.name not in constants)
    _check_structure(nodes, set(inputs) | set(constants), graph, path)
    types, folded, light = infer_types(model, nodes, constants)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    result = Graph(
        inputs=inputs,
        outputs=tuple(info.name for info in graph.output),
        nodes=nodes,
        types=types,
        constants={**constants, **folded},
        opset=opset,
    )
    return result, light


def _node(node: onnx.NodeProto) -> Node:
    attributes = plain_attributes(node.attribute)
    captured = [name for name in _captured(node) if name not in node.input]
    outputs = tuple(node.output)
    name = node.name or next((output for output in outputs if output), node.op_type)
    domain = "" if node.domain == "ai.onnx" else node.domain
    return Node(name, node.op_type, domain, (*node.input, *captured), outputs, attributes)


def _is_constant(node: onnx.NodeProto) -> bool:
    return node.op_type == "Constant" and node.domain in ("", "ai.onnx") and bool(node.output)


def _captured(node: onnx.NodeProto) -> list[str]:
    """Tensors of the surrounding graph that the bodies of an If, Loop or Scan read."""
    found: dict[str, None] = {}
    for attribute in node.attribute:
        bodies = [attribute.g] if attribute.HasField("g") else []
        for body in (*bodies, *attribute.graphs):
            local = {info.name for info in body.input} | {t.name for t in body.initializer}
            for inner in body.node:
                names = [*inner.input, *_captured(inner)]
                found.update(dict.fromkeys(n for n in names if n and n not in local))
                local.update(inner.output)
            found.update(dict.fromkeys(o.name for o in body.output if o.name not in local))
    return list(found)


def _unique_names(nodes: list[Node]) -> tuple[Node, ...]:
    """Nodes that share a name in the file get their first output appended to it."""
    uses = Counter(node.name for node in nodes)
    return tuple(
        node
        if uses[node.name] == 1
        else replace(node, name=f"{node.name}:{next(iter(node.outputs), index)}")
        for index, node in enumerate(nodes)
    )


def _constant(tensor: onnx.TensorProto, path: Path, *, needed: bool) -> Constant:
    shape = tuple(tensor.dims)
    dtype = dtype_name(tensor.data_type)
    type_ = TensorType(shape, dtype)
    elements = type_.elements or 0
    wanted = elements <= (SMALL_ELEMENTS if needed else FEW_ELEMENTS)
    if not wanted or tensor.data_type == onnx.TensorProto.STRING:
        return Constant(type_, None)
    try:
        # An absolute directory: onnx's containment check needs one (its docs, ExternalDataSecurity).
        values = numpy_helper.to_array(tensor, base_dir=str(path.resolve().parent))
        return Constant(type_, np.asarray(values))
    except FileNotFoundError as error:
        raise ModelError(
            "file-not-found",
            f"{path.name} keeps {tensor.name!r} in external data that is missing.",
            "Add the external data file beside the model.",
        ) from error
    except (ValueError, TypeError, OSError, onnx.checker.ValidationError) as error:
        raise ModelError(
            "invalid-model",
            f"Constant {tensor.name!r} of {path.name} is damaged: {one_line(error)}",
            "Export the model again.",
        ) from error


def _constant_node(node: onnx.NodeProto, path: Path, *, needed: bool) -> Constant:
    for attribute in node.attribute:
        if attribute.name == "value":
            return _constant(attribute.t, path, needed=needed)
        if attribute.name in ("value_float", "value_floats"):
            values = np.asarray(helper.get_attribute_value(attribute), dtype=np.float32)
            return Constant(TensorType(values.shape, "float32"), values)
        if attribute.name in ("value_int", "value_ints"):
            values = np.asarray(helper.get_attribute_value(attribute), dtype=np.int64)
            return Constant(TensorType(values.shape, "int64"), values)
    return Constant(TensorType(None, "unknown"), None)


def _check_structure(
    nodes: tuple[Node, ...], known: set[str], graph: onnx.GraphProto, path: Path
) -> None:
    available = set(known)
    for node in nodes:
        for tensor in node.inputs:
            if tensor and tensor not in available:
                raise ModelError(
                    "invalid-model",
                    f"Node {node.name!r} ({node.kind}) of {path.name} reads {tensor!r}, which "
                    "nothing produces before it.",
                    "The file is damaged or not in topological order; export it again.",
                )
        for tensor in node.outputs:
            if tensor and tensor in available:
                raise ModelError(
                    "invalid-model",
                    f"Tensor {tensor!r} of {path.name} is produced twice.",
                    "The file is damaged; export it again.",
                )
        available.update(tensor for tensor in node.outputs if tensor)
    for info in graph.output:
        if info.name not in available:
            raise ModelError(
                "invalid-model",
                f"Nothing produces the output {info.name!r} of {path.name}.",
                "The file is damaged; export it again.",
            )
