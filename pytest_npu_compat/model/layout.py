"""From ONNX's NCHW to the integer form's NHWC. A rank-4 activation is NHWC; other ranks keep their order."""

from __future__ import annotations

from pytest_npu_compat.model.graph import TensorType

__all__ = ["NCHW_TO_NHWC", "nhwc", "nhwc_axis", "nhwc_permutation", "reshape_transposes"]

NCHW_TO_NHWC = (0, 2, 3, 1)


def nhwc(type_: TensorType) -> TensorType:
    """The type of an activation in the integer form's layout."""
    shape = type_.shape
    if shape is None or len(shape) != 4:
        return type_
    return TensorType(tuple(shape[axis] for axis in NCHW_TO_NHWC), type_.dtype)


def nhwc_axis(axis: int, rank: int) -> int:
    """An axis of an NCHW tensor, possibly counted from the end, as an axis of the NHWC tensor."""
    axis = axis + rank if axis < 0 else axis
    return NCHW_TO_NHWC.index(axis) if rank == 4 and 0 <= axis < 4 else axis


def nhwc_permutation(permutation: tuple[int, ...]) -> tuple[int, ...]:
    """A transpose of NCHW tensors, expressed for NHWC tensors.

    Only rank 4 to rank 4 changes: output axis i of the NHWC tensor is NCHW axis ``NCHW_TO_NHWC[i]``,
    which comes from NCHW axis ``permutation[...]``.
    """
    if len(permutation) != 4:
        return permutation
    return tuple(NCHW_TO_NHWC.index(permutation[axis]) for axis in NCHW_TO_NHWC)


def reshape_transposes(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[bool, bool]:
    """Whether a reshape needs a transpose before and after it, for NHWC to keep ONNX's order.

    The element order of a rank-4 tensor differs between NCHW and NHWC unless height x width is 1.
    A reshape from rank 4 to rank 4 that keeps the channels needs neither (canonical-form.md).
    """
    same_channels = len(before) == len(after) == 4 and before[1] == after[1]

    def ordered(shape: tuple[int, ...]) -> bool:
        return len(shape) != 4 or shape[2] * shape[3] == 1

    return (not same_channels and not ordered(before), not same_channels and not ordered(after))
