"""A model as a sequence of calls to operators, in the form that the rules of an NPU speak about.

The operators carry the names that TVM's Relay gave them (``qnn.conv2d``, ``nn.bias_add``, ...),
because the rules of the reference are written in those terms. Activations of rank 4 are NHWC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from pytest_npu_compat.model.graph import TensorType

__all__ = ["CONVERSIONS", "IMPORTER_SAYS", "Call", "Form", "Leaf", "Operator", "Program", "Ref"]

Ref: TypeAlias = int | str
"""What a call reads: the index of another call, or the name of a leaf."""


CONVERSIONS: Mapping[str, str] = {
    "QuantizeLinear": "qnn.quantize",
    "DequantizeLinear": "qnn.dequantize",
}
"""ONNX's conversions and what their calls are named, in every form."""

IMPORTER_SAYS = "importer_says"
"""Attribute of a call in Relax form: why TVM's importer does not take its node."""

Form: TypeAlias = Literal["integer", "float", "unknown", "native"]


@dataclass(frozen=True)
class Leaf:
    """A graph input or a constant.

    Attributes:
        type: Shape and data type, in the layout of the integer form.
        constant: Whether it is a constant. Its elements are not part of the program.
    """

    type: TensorType
    constant: bool


@dataclass(frozen=True)
class Call:
    """One operator call.

    Attributes:
        index: Position in the program.
        op: Operator name, e.g. ``qnn.conv2d``; ``tuple`` and ``tuple_get_item`` are calls too.
        args: What it reads, constants included.
        types: Type of its result; several for a call that returns a tuple.
        attrs: Parameters, quantization included.
        operator: Index of the model's operator it belongs to; None for the conversions at the
            borders of the graph and for the tuple of its results.
    """

    index: int
    op: str
    args: tuple[Ref, ...]
    types: tuple[TensorType, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    operator: int | None = None

    @property
    def type(self) -> TensorType:
        """Type of the (first) result."""
        return self.types[0]

    @property
    def returns_tuple(self) -> bool:
        """Whether its result is a tuple; a split into one piece returns one too."""
        return len(self.types) > 1 or self.op in ("split", "tuple")


@dataclass(frozen=True)
class Operator:
    """One logical operation of the user's model.

    Attributes:
        index: Position in the model.
        name: Name of its node in the user's file.
        kind: ONNX operator type.
        nodes: Names of the nodes it is made of.
        output_shape: Shape of its (first) result as in the file; None for unknown dimensions.
        macs: Multiply-accumulates of one inference.
        calls: Indices of its calls in the program.
        form: ``integer`` if its inputs and outputs are quantized, ``float`` if not, ``unknown`` if
            its quantization cannot be read, so that nothing can be said of it; ``native`` if the
            target's rules are about operators as they are, quantized or not.
        note: Why it is computed in float; empty if it is not or if its kind says enough.
    """

    index: int
    name: str
    kind: str
    nodes: tuple[str, ...]
    output_shape: tuple[int | None, ...]
    macs: int
    calls: tuple[int, ...]
    form: Form
    note: str


@dataclass(frozen=True)
class Program:
    """A model in integer form.

    Attributes:
        leaves: Graph inputs and constants by name.
        calls: In order of execution.
        outputs: What the program returns, in the order of the graph's outputs.
        operators: The operators of the model.
        module: The TVM module that it was read from; None if `relax_module.py` is to make it.
    """

    leaves: Mapping[str, Leaf]
    calls: tuple[Call, ...]
    outputs: tuple[Ref, ...]
    operators: tuple[Operator, ...]
    module: Any = field(default=None, compare=False)

    def type_of(self, ref: Ref) -> TensorType:
        """Type of what a call reads."""
        return self.calls[ref].type if isinstance(ref, int) else self.leaves[ref].type

    def users(self) -> dict[int, list[int]]:
        """Call index -> indices of the calls that read it."""
        users: dict[int, list[int]] = {call.index: [] for call in self.calls}
        for call in self.calls:
            for ref in dict.fromkeys(call.args):
                if isinstance(ref, int):
                    users[ref].append(call.index)
        return users

    def is_constant(self, ref: Ref) -> bool:
        """Whether a call reads a constant there."""
        return isinstance(ref, str) and self.leaves[ref].constant
