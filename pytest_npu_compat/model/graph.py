"""The graph of a model file as plain values: no ONNX type leaves `onnx_file.py`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

__all__ = ["Constant", "Graph", "Node", "TensorType"]


@dataclass(frozen=True)
class TensorType:
    """Shape and data type of a tensor.

    Attributes:
        shape: One entry per axis; None where the dimension is not known before run time. The
            whole shape is None when not even the rank is known.
        dtype: NumPy's name of the element type, e.g. ``int8``.
    """

    shape: tuple[int | None, ...] | None
    dtype: str

    @property
    def static_shape(self) -> tuple[int, ...] | None:
        """The shape if every dimension is known, else None."""
        if self.shape is None:
            return None
        dims = tuple(dim for dim in self.shape if dim is not None)
        return dims if len(dims) == len(self.shape) else None

    @property
    def elements(self) -> int | None:
        """Number of elements, None if a dimension is not known."""
        shape = self.static_shape
        return None if shape is None else math.prod(shape)


@dataclass(frozen=True)
class Constant:
    """A tensor stored in the file.

    Attributes:
        type: Shape and data type.
        values: The elements if they are few (scales, shapes, axes); None for weights, which no
            verdict depends on and which are therefore never decoded.
    """

    type: TensorType
    values: npt.NDArray[Any] | None


@dataclass(frozen=True)
class Node:
    """One node of the model file.

    Attributes:
        name: The node's name in the file, its first output if it has none. Empty if the node is not
            in the file (`assume_int8.py` inserts some).
        kind: Operator type, e.g. ``Conv``.
        domain: Operator set, the empty string for ONNX's own.
        inputs: Tensor names; the empty string is an omitted optional input.
        outputs: Tensor names.
        attributes: Attributes that are numbers, strings, or lists of them.
        absorbed: Names of nodes of the file that were folded into this one.
    """

    name: str
    kind: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    absorbed: tuple[str, ...] = ()

    def input(self, index: int) -> str:
        """Name of input `index`, the empty string if it is omitted."""
        return self.inputs[index] if index < len(self.inputs) else ""


@dataclass(frozen=True)
class Graph:
    """A model: nodes in file order, with the types of their tensors.

    Attributes:
        inputs: Names of the graph's inputs, in file order.
        outputs: Names of the graph's outputs, in file order.
        nodes: Nodes in topological order.
        types: Types of all tensors that are known.
        constants: Initializers and constants by tensor name.
        opset: Version of ONNX's own operator set.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    constants: Mapping[str, Constant]
    opset: int

    def type_of(self, tensor: str) -> TensorType:
        """Type of a tensor; of unknown shape and type if inference could not tell."""
        constant = self.constants.get(tensor)
        if constant is not None:
            return constant.type
        return self.types.get(tensor, TensorType(None, "unknown"))
