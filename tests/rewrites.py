"""Rewrites of an ONNX model that must not change any verdict."""

from __future__ import annotations

import random

import onnx
from onnx import helper

__all__ = ["duplicate_dequantizes", "insert_identities", "rename", "reorder"]


def rename(model: onnx.ModelProto, seed: int) -> tuple[onnx.ModelProto, dict[str, str]]:
    """Other names for all nodes and inner tensors; returns new node name -> old node name."""
    model = _copy(model)
    graph = model.graph
    numbers = list(range(10 * len(graph.node)))
    random.Random(seed).shuffle(numbers)
    fixed = {info.name for info in (*graph.input, *graph.output)}
    tensors: dict[str, str] = {}

    def new(tensor: str) -> str:
        if not tensor or tensor in fixed:
            return tensor
        return tensors.setdefault(tensor, f"t{numbers[len(tensors)]}")

    for initializer in graph.initializer:
        initializer.name = new(initializer.name)
    names = {}
    for index, node in enumerate(graph.node):
        old = node.name or node.output[0]
        node.input[:] = [new(tensor) for tensor in node.input]
        node.output[:] = [new(tensor) for tensor in node.output]
        node.name = f"n{numbers[-1 - index]}"
        names[node.name] = old
    del graph.value_info[:]
    return model, names


def reorder(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """The nodes in another topological order."""
    model = _copy(model)
    graph = model.graph
    available = {t.name for t in graph.initializer} | {i.name for i in graph.input} | {""}
    waiting = list(graph.node)
    chooser = random.Random(seed)
    ordered: list[onnx.NodeProto] = []
    while waiting:
        ready = [n for n in waiting if available.issuperset(n.input)]
        node = chooser.choice(ready)
        waiting.remove(node)
        ordered.append(node)
        available.update(node.output)
    copies = [_copy_node(node) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)
    return model


def insert_identities(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """An Identity on about a third of all inner edges."""
    model = _copy(model)
    chooser = random.Random(seed)
    produced = {tensor for node in model.graph.node for tensor in node.output}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        for position, tensor in enumerate(node.input):
            if tensor in produced and chooser.random() < 0.33:
                alias = f"{tensor}__{node.name}_{position}"
                nodes.append(helper.make_node("Identity", [tensor], [alias], f"identity_{alias}"))
                node.input[position] = alias
        nodes.append(_copy_node(node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def duplicate_dequantizes(model: onnx.ModelProto, seed: int) -> onnx.ModelProto:
    """A DequantizeLinear of its own for about half of all readers."""
    model = _copy(model)
    chooser = random.Random(seed)
    dequantizes = {n.output[0]: n for n in model.graph.node if n.op_type == "DequantizeLinear"}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        for position, tensor in enumerate(node.input):
            if tensor in dequantizes and chooser.random() < 0.5:
                twin = _copy_node(dequantizes[tensor])
                twin.name = f"{twin.name}__{node.name}_{position}"
                twin.output[0] = f"{tensor}__{node.name}_{position}"
                node.input[position] = twin.output[0]
                nodes.append(twin)
        nodes.append(_copy_node(node))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def _copy_node(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy
