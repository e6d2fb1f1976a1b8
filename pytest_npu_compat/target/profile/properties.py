"""What a profile can set conditions on: one small function for each property of an operator.

The docstring of a property is its line in the documentation and the beginning of what users read when
a condition does not hold.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.operator_form import OPERAND_POSITIONS, WEIGHTS
from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.target.profile.condition import Condition, Scalar

__all__ = ["PROPERTIES", "Property", "Subject"]


@dataclass(frozen=True)
class Subject:
    """An operator whose properties are asked for.

    Attributes:
        program: A program in operator form.
        call: The operator's call.
    """

    program: Program
    call: Call

    @property
    def activations(self) -> tuple[TensorType, ...]:
        """Types of the operands that are not constant, in the order of the node's inputs."""
        refs = [ref for ref in self.call.args if not self.program.is_constant(ref)]
        return tuple(self.program.type_of(ref) for ref in refs)

    @property
    def data(self) -> TensorType | None:
        """Type of the first operand that is not constant."""
        return next(iter(self.activations), None)

    @property
    def weights(self) -> TensorType | None:
        """Type of the node's second input if it is constant."""
        ref = dict(
            zip(self.call.attrs.get(OPERAND_POSITIONS, ()), self.call.args, strict=True)
        ).get(1)
        if ref is None or not self.program.is_constant(ref):
            return None
        return self.program.type_of(ref)

    def numbers(self, attribute: str) -> tuple[int, ...] | None:
        """An attribute that is a list of numbers; None if the node has none."""
        value = self.call.attrs.get(attribute)
        return tuple(int(v) for v in value) if isinstance(value, (tuple, list)) else None


Values = Sequence[Scalar | None]
"""All values must be allowed; None stands for one that is not known before run time."""


@dataclass(frozen=True)
class Property:
    """Something that a condition can be about.

    Attributes:
        name: As written in profiles.
        definition: One sentence.
        remedy: What users can do if it is not what the NPU wants.
        read: Its values; no value at all if operators of this type do not have it.
        demand: Of a property that is true or false, what is demanded of it in either case.
        attribute: ONNX attribute without which an operator type has no such property; empty if it does
            not depend on one.
    """

    name: str
    definition: str
    remedy: str
    read: Callable[[Subject], Values]
    demand: Mapping[bool, str] = field(default_factory=dict, hash=False)
    attribute: str = ""

    def message(self, condition: Condition) -> str:
        """A condition as a sentence without its full stop, to which the NPU's name can be added."""
        if self.demand and len(condition.one_of) == 1:
            return self.demand[bool(condition.one_of[0])]
        # What follows tells readers of the documentation more: "; 1 where the node gives none".
        subject = re.split(r"[,;]| \(", self.definition)[0].rstrip(".")
        return f"{subject} must be {condition.text}"


_FOUND: dict[str, Property] = {}


def _property(
    remedy: str, demand: Mapping[bool, str] | None = None, attribute: str = ""
) -> Callable[[Callable[[Subject], Values]], Callable[[Subject], Values]]:
    def decorate(read: Callable[[Subject], Values]) -> Callable[[Subject], Values]:
        definition = " ".join((inspect.getdoc(read) or "").split())
        _FOUND[read.__name__] = Property(
            read.__name__, definition, remedy, read, demand or {}, attribute
        )
        return read

    return decorate


@_property("Quantize the operator to a type that the NPU takes.")
def dtypes(subject: Subject) -> Values:
    """Data type of each tensor that the operator reads or makes, constants apart."""
    return [type_.dtype for type_ in (*subject.activations, *subject.call.types)]


@_property("Quantize the weights to a type that the NPU takes.")
def weight_dtypes(subject: Subject) -> Values:
    """Data type of the weights (the second input, if constant)."""
    return [] if subject.weights is None else [subject.weights.dtype]


@_property(
    "Export the model with constant weights.",
    {True: "The weights must be constant", False: "The weights must not be constant"},
)
def constant_weights(subject: Subject) -> Values:
    """Whether the weights (the second input) are constant."""
    positions = subject.call.attrs.get(OPERAND_POSITIONS, ())
    return [subject.weights is not None] if 1 in positions else []


@_property(
    "Change the quantization of the weights (ONNX Runtime: per_channel).",
    {
        True: "The weights must be quantized per channel",
        False: "The weights must be quantized per tensor, not per channel",
    },
)
def per_channel(subject: Subject) -> Values:
    """Whether the weights are quantized per channel."""
    weights = subject.call.attrs.get(WEIGHTS)
    return [] if weights is None else [len(weights.scales) > 1]


@_property("Use tensors of another rank.")
def rank(subject: Subject) -> Values:
    """Number of dimensions of the first input and of the output."""
    types = (*((subject.data,) if subject.data else ()), subject.call.type)
    return [None if type_.shape is None else len(type_.shape) for type_ in types]


@_property("Export the model with another batch size.")
def batch(subject: Subject) -> Values:
    """First dimension of the first input."""
    return _axis(subject.data, 0)


@_property("Change the number of channels.")
def input_channels(subject: Subject) -> Values:
    """Second dimension of the first input."""
    return _axis(subject.data, 1)


@_property("Change the number of channels.")
def output_channels(subject: Subject) -> Values:
    """Second dimension of the output."""
    return _axis(subject.call.type, 1)


@_property("Change the input size of the model, or split the operator.")
def spatial(subject: Subject) -> Values:
    """Each dimension of the first input from the third on, e.g. height and width."""
    shape = subject.data.shape if subject.data else ()
    return [None] if shape is None else list(shape[2:])


@_property("Use another kernel, or several operators with smaller ones.", attribute="kernel_shape")
def kernel(subject: Subject) -> Values:
    """Each dimension of the kernel."""
    given = subject.numbers("kernel_shape")
    if given:
        return given
    weights = subject.weights.shape if subject.weights else None
    return [] if weights is None else list(weights[2:])


@_property("Use another stride.", attribute="strides")
def strides(subject: Subject) -> Values:
    """Each stride; 1 where the node gives none."""
    return subject.numbers("strides") or _ones(subject)


@_property("Use another dilation.", attribute="dilations")
def dilations(subject: Subject) -> Values:
    """Each dilation; 1 where the node gives none."""
    return subject.numbers("dilations") or _ones(subject)


@_property("Use another padding, or a Pad before the operator.", attribute="pads")
def pads(subject: Subject) -> Values:
    """Padding at each edge; 0 where the node gives none."""
    return subject.numbers("pads") or [0 for _ in _ones(subject)]


@_property("Use another number of groups.", attribute="group")
def group(subject: Subject) -> Values:
    """Number of groups, ``depthwise`` if every input channel is a group of its own."""
    value = subject.call.attrs.get("group")
    if not isinstance(value, int):
        return []
    shape = subject.data.shape if subject.data else None
    channels = shape[1] if shape is not None and len(shape) > 1 else None
    return ["depthwise" if value > 1 and value == channels else value]


@_property("Join or split tensors in several steps.")
def inputs(subject: Subject) -> Values:
    """Number of inputs that are not constant."""
    return [len(subject.activations)]


def _axis(type_: TensorType | None, axis: int) -> Values:
    if type_ is None:
        return []
    if type_.shape is None:
        return [None]
    return [type_.shape[axis]] if len(type_.shape) > axis else []


def _ones(subject: Subject) -> list[int]:
    """A 1 for each dimension of the kernel."""
    return [1 for _ in kernel(subject)]


PROPERTIES: Mapping[str, Property] = MappingProxyType(_FOUND)
"""All properties by name, in the order in which documentation shows them."""
