"""What ONNX says about operators: which there are, their attributes, and the defaults of these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import onnx
from onnx import helper

__all__ = [
    "all_kinds",
    "attribute_names",
    "default_attributes",
    "operator_kinds",
    "plain_attributes",
]

_PLAIN = {
    getattr(onnx.AttributeProto, name)
    for name in ("INT", "INTS", "FLOAT", "FLOATS", "STRING", "STRINGS")
}
"""Attribute types that `Node` has; graphs, tensors and types are left out."""


def plain_attributes(protos: Iterable[onnx.AttributeProto]) -> dict[str, Any]:
    """Attributes as values of Python, without those that are graphs, tensors or types."""
    return {proto.name: _value(proto) for proto in protos if proto.type in _PLAIN}


def default_attributes(kind: str, opset: int) -> dict[str, Any]:
    """What ONNX says an operator's attributes are where a node does not give them.

    Args:
        kind: Type of an operator of ONNX's own operator set.
        opset: Version of the operator set.

    Returns:
        Attribute name -> value as in `Node.attributes`; nothing for an operator that does not exist.
    """
    try:
        schema = onnx.defs.get_schema(kind, opset)
    except onnx.defs.SchemaError:
        return {}
    defaults = (attribute.default_value for attribute in schema.attributes.values())
    return plain_attributes(defaults)


def operator_kinds() -> tuple[str, ...]:
    """Types of all operators in ONNX's own operator set, whatever their version."""
    schemas = onnx.defs.get_all_schemas_with_history()  # models may use operators of the past
    return tuple(sorted({schema.name for schema in schemas if not schema.domain}))


def all_kinds() -> tuple[str, ...]:
    """Types of all operators that ONNX defines, those of its further operator sets included."""
    schemas = onnx.defs.get_all_schemas_with_history()
    return tuple(sorted({schema.name for schema in schemas}))


def attribute_names(kind: str) -> tuple[str, ...]:
    """Names of the attributes of one of ONNX's own operators, in any version of it."""
    schemas = onnx.defs.get_all_schemas_with_history()
    names = {name for s in schemas if s.name == kind and not s.domain for name in s.attributes}
    return tuple(sorted(names))


def _value(proto: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(proto)
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in value)
