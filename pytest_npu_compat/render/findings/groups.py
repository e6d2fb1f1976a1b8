"""Kinds of operators in the groups by which a reader looks for them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["group_of"]

_GROUPS: Mapping[str, frozenset[str]] = {
    "activation": frozenset(
        [
            "Relu",
            "Clip",
            "LeakyRelu",
            "PRelu",
            "Sigmoid",
            "HardSigmoid",
            "HardSwish",
            "Tanh",
            "Elu",
            "Selu",
            "Celu",
            "Gelu",
            "Mish",
            "Softplus",
            "Softsign",
            "Softmax",
            "LogSoftmax",
            "ThresholdedRelu",
            "Erf",
            "Swish",
        ]
    ),
    "pool": frozenset(
        [
            "MaxPool",
            "AveragePool",
            "GlobalAveragePool",
            "GlobalMaxPool",
            "ReduceMean",
            "ReduceMax",
            "LpPool",
        ]
    ),
    "shape": frozenset(
        [
            "Concat",
            "Split",
            "Slice",
            "Reshape",
            "Flatten",
            "Squeeze",
            "Unsqueeze",
            "Transpose",
            "Pad",
            "Resize",
            "Upsample",
            "DepthToSpace",
            "SpaceToDepth",
            "Expand",
            "Tile",
            "Gather",
        ]
    ),
}


def group_of(kind: str, macs: int) -> str:
    """The group of a kind of operator.

    Args:
        kind: ONNX operator type.
        macs: Multiply-accumulates of its operators: what has any computes, whatever its name.

    Returns:
        ``compute``, ``activation``, ``pool``, ``shape`` or ``other``.
    """
    if macs:
        return "compute"
    return next((group for group, kinds in _GROUPS.items() if kind in kinds), "other")
