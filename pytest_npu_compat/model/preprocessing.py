"""What is removed from a model, or folded into a layer's weights, before the model is quantized.

As in ONNX Runtime's `quant_pre_process`, which its documentation advises: identities go; a
BatchNormalization behind a convolution and the addition of a bias behind a matrix product become part of
the layer. A folded node stays known by its name.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from pytest_npu_compat.model.graph import Graph, Node
from pytest_npu_compat.model.quantization import is_transparent

__all__ = ["preprocess"]


def preprocess(graph: Graph) -> Graph:
    """Removes identities and folds what a layer's weights and bias can take in.

    Args:
        graph: A float graph.

    Returns:
        The graph without these nodes; `Node.absorbed` of a layer names what it took in.
    """
    return _fold_all(_without_identities(graph))


def _without_identities(graph: Graph) -> Graph:
    alias: dict[str, str] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inputs = tuple(alias.get(tensor, tensor) for tensor in node.inputs)
        if is_transparent(node):
            alias[node.outputs[0]] = inputs[0]
        else:
            nodes.append(replace(node, inputs=inputs))
    outputs = tuple(alias.get(tensor, tensor) for tensor in graph.outputs)
    return replace(graph, nodes=tuple(nodes), outputs=outputs)


def _fold_all(graph: Graph) -> Graph:
    readers = Counter(tensor for node in graph.nodes for tensor in node.inputs)
    nodes: list[Node] = []
    position: dict[str, int] = {}
    for node in graph.nodes:
        source = next((t for t in node.inputs if t and t not in graph.constants), "")
        if source in position and readers[source] == 1 and source not in graph.outputs:
            layer = nodes[position[source]]
            folded = _fold(graph, layer, node)
            if folded is not None:
                nodes[position[source]] = folded
                position[folded.outputs[0]] = position[source]
                continue
        position.update((tensor, len(nodes)) for tensor in node.outputs)
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _fold(graph: Graph, layer: Node, node: Node) -> Node | None:
    """The layer with `node`, the only reader of its result, folded into it; None if it cannot be."""
    if layer.domain or node.domain:
        return None
    others = [tensor for tensor in node.inputs if tensor != layer.outputs[0]]
    constant = bool(others) and all(tensor in graph.constants for tensor in others)
    if not constant or layer.input(1) not in graph.constants:
        return None
    inputs = layer.inputs
    if layer.kind in ("Conv", "ConvTranspose") and node.kind == "BatchNormalization":
        if any(node.outputs[1:]):  # in training mode
            return None
    elif layer.kind == "MatMul" and node.kind == "Add" and _is_bias(graph, layer, others[0]):
        inputs = (*layer.inputs, others[0])
    else:
        return None
    absorbed = (*layer.absorbed, node.name)
    return replace(layer, inputs=inputs, outputs=node.outputs[:1], absorbed=absorbed)


def _is_bias(graph: Graph, layer: Node, tensor: str) -> bool:
    """Whether a constant has one element for each column of a rank-2 product without a bias."""
    result = graph.type_of(layer.outputs[0]).static_shape
    shape = graph.type_of(tensor).static_shape
    if result is None or len(result) != 2 or len(layer.inputs) != 2:
        return False
    return shape in ((result[1],), (1, result[1]))
