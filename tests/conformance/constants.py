"""An addition of two constants, read from a graph: it is folded before anything is placed."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_npu_compat.model.graph import Constant, Graph, Node, TensorType
from pytest_npu_compat.model.integer_form import lower

__all__ = ["operators_of_constant_add"]


def operators_of_constant_add(params: dict[str, Any]) -> int:
    """Number of operators in a model that only adds two quantized constants."""
    scale = Constant(TensorType((), "float32"), np.array(0.5, dtype=np.float32))
    constants = {"scale": scale}
    nodes = []
    for side in ("lhs", "rhs"):
        shape = tuple(params[f"{side}_shape"])
        constants[side] = Constant(TensorType(shape, params["dtype"]), None)
        nodes.append(Node(f"dq_{side}", "DequantizeLinear", "", (side, "scale"), (f"{side}_f",)))
    nodes.append(Node("add", "Add", "", ("lhs_f", "rhs_f"), ("sum",)))
    graph = Graph((), ("sum",), tuple(nodes), {}, constants, 13)
    return len(lower(graph).operators)
