"""Shapes that pin the open dimensions of graph inputs, and whether the model can be computed with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import onnx

from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.model.onnx_types import contradictions

__all__ = ["check_pins", "pin_inputs"]


def pin_inputs(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Writes shapes into the graph, which is changed.

    Args:
        graph: Of the model.
        shapes: By input name.

    Raises:
        ModelError: A shape does not fit its input, or an input is left with an open dimension.
    """
    initializers = {tensor.name for tensor in graph.initializer}
    inputs = {info.name: info for info in graph.input if info.name not in initializers}
    for name, shape in shapes.items():
        if name not in inputs:
            raise ModelError(
                "dynamic-shape",
                f"The model has no input {name!r}; its inputs are {', '.join(sorted(inputs))}.",
                "Correct the name under `inputs:` (`--input` on the command line).",
            )
        tensor = inputs[name].type.tensor_type
        known = [_known(dim) for dim in tensor.shape.dim]
        fits = len(known) == len(shape) and all(
            old in (None, new) for old, new in zip(known, shape, strict=True)
        )
        if tensor.HasField("shape") and not fits:
            raise ModelError(
                "dynamic-shape",
                f"Input {name!r} has shape {_show_dims(tensor.shape.dim)}, "
                f"which {list(shape)} does not fit.",
                "Only dimensions that the model leaves open can be pinned.",
            )
        del tensor.shape.dim[:]
        for dim in shape:
            tensor.shape.dim.add().dim_value = dim
    if shapes:
        # Shapes that were inferred before with the open dimensions would contradict the new ones.
        del graph.value_info[:]
        for output in graph.output:
            for dim in output.type.tensor_type.shape.dim:
                if not dim.HasField("dim_value"):
                    dim.Clear()
    for name, info in inputs.items():
        dims = info.type.tensor_type.shape.dim
        has_shape = info.type.tensor_type.HasField("shape")
        if not has_shape or not all(_known(dim) for dim in dims):
            raise ModelError(
                "dynamic-shape",
                f"Input {name!r} has shape {_show_dims(dims)}; the NPU needs every dimension.",
                f"Pin it with numbers for the names, `inputs: {{{name}: {_suggest_dims(dims)}}}` in "
                f"the gate file or `--input {name}={_suggest_dims(dims)[1:-1].replace(', ', ',')}` on "
                "the command line, or export with a fixed shape.",
            )


def _known(dim: Any) -> int | None:
    """A dimension's size; exporters also write 0 or a negative number for an open one."""
    return dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None


def _show_dims(dims: Iterable[Any]) -> str:
    shown = [str(_known(dim) or dim.dim_param or "?") for dim in dims]
    return "[" + ", ".join(shown) + "]"


def _suggest_dims(dims: Sequence[Any]) -> str:
    """Dimensions to fill in: the first open one is the batch, and the NPU's batch is 1."""
    names = _show_dims(dims).strip("[]").split(", ")
    if names and not names[0].isdigit():
        names[0] = "1"
    return "[" + ", ".join(names) + "]"


def check_pins(
    shapes: Mapping[str, tuple[int, ...]],
    pinned: onnx.ModelProto,
    unpinned: Callable[[], onnx.ModelProto],
) -> None:
    """Refuses shapes with which the model's own shapes contradict each other.

    Shape inference gives up where they do, so that everything behind would be judged as if its
    dimensions were open. What it cannot tell without the pins either, as of an operator that it does
    not know in this form, is no fault of theirs.

    Args:
        shapes: The pins, by input name.
        pinned: The model with them, without weights.
        unpinned: Makes the same of the model as it is in its file; needed only if something is wrong.

    Raises:
        ModelError: There is a contradiction, which the message names as ONNX does.
    """
    found = contradictions(pinned)
    if not found:
        return
    before = contradictions(unpinned())
    for node, text in found.items():
        if node not in before:
            pins = ", ".join(f"{name}: {list(shape)}" for name, shape in shapes.items())
            raise ModelError(
                "dynamic-shape",
                f"With `inputs: {{{pins}}}` the model cannot be computed: {text}",
                "Pin a shape that it runs with. A network that halves its input five times, say, "
                "needs a height and width that are multiples of 32.",
            )
