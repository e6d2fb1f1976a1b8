"""All that can be said of Ethos-N78's rules without a model: for `explain` and the documentation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pytest_npu_compat.target.base import Hazard
from pytest_npu_compat.target.constraint import Constraint
from pytest_npu_compat.target.ethos_n78 import constraints as rules
from pytest_npu_compat.target.ethos_n78.hazards import ALL_HAZARDS

__all__ = ["CATALOG", "Entry", "all_constraints", "all_hazards", "never"]


@dataclass(frozen=True)
class Entry:
    """One operator of the NPU.

    Attributes:
        title: Its name for readers.
        kinds: ONNX operator types that become it.
        form: Its integer form in the reference's terms.
        constraints: What must hold, in the order of checking.
    """

    title: str
    kinds: tuple[str, ...]
    form: str
    constraints: tuple[Constraint[Any], ...]


_CONV = "[nn.pad] → qnn.conv2d → nn.bias_add → qnn.requantize"

CATALOG: tuple[Entry, ...] = (
    Entry("Convolution", ("Conv",), _CONV, rules.CONVOLUTION),
    Entry("Depthwise convolution", ("Conv",), _CONV, rules.DEPTHWISE),
    Entry(
        "Transposed convolution",
        ("ConvTranspose",),
        "qnn.conv2d_transpose → nn.bias_add → qnn.requantize",
        rules.TRANSPOSED,
    ),
    Entry(
        "Fully connected",
        ("Gemm", "MatMul"),
        "qnn.dense → nn.bias_add → qnn.requantize",
        rules.FULLY_CONNECTED,
    ),
    Entry("Max pool", ("MaxPool",), "nn.max_pool2d", rules.MAX_POOL),
    Entry("Average pool", ("AveragePool",), "cast → nn.avg_pool2d → cast", rules.AVERAGE_POOL),
    Entry("Mean", ("GlobalAveragePool", "ReduceMean"), "cast → mean → qnn.requantize", rules.MEAN),
    Entry(
        "Sigmoid and tanh",
        ("Sigmoid", "Tanh"),
        "qnn.dequantize → sigmoid or tanh → qnn.quantize",
        rules.FIXED,
    ),
    Entry(
        "LeakyReLU",
        ("LeakyRelu",),
        "qnn.dequantize → nn.leaky_relu → qnn.quantize",
        rules.LEAKY_RELU,
    ),
    Entry("ReLU and clip", ("Relu", "Clip"), "clip", rules.CLIP),
    Entry("Addition", ("Add",), "qnn.add", rules.ADDITION),
    Entry(
        "Addition of a scalar",
        ("Add",),
        "qnn.add → reinterpret quantize",
        (*rules.ADD_SCALAR, *rules.REINTERPRET),
    ),
    Entry(
        "Addition of one value per channel",
        ("Add",),
        "qnn.add → 1x1 depthwise convolution",
        (*rules.CHANNEL_CONSTANT, *rules.DEPTHWISE),
    ),
    Entry("Multiplication", ("Mul",), "qnn.mul", rules.MULTIPLICATION),
    Entry(
        "Multiplication by a scalar",
        ("Mul",),
        "qnn.mul → reinterpret quantize",
        (*rules.MULTIPLY_SCALAR, *rules.REINTERPRET),
    ),
    Entry(
        "Multiplication by one value per channel",
        ("Mul",),
        "qnn.mul → 1x1 depthwise convolution",
        (*rules.CHANNEL_CONSTANT, *rules.DEPTHWISE),
    ),
    Entry("Concatenation", ("Concat",), "qnn.concatenate", rules.CONCATENATE),
    Entry("Split", ("Split",), "split", rules.SPLIT),
    Entry("Resize", ("Resize", "Upsample"), "image.resize2d", rules.RESIZE),
    Entry("Reshape", ("Reshape", "Flatten", "Squeeze", "Unsqueeze"), "reshape", rules.RESHAPE),
    Entry("Depth to space", ("DepthToSpace",), "nn.depth_to_space", rules.DEPTH_TO_SPACE),
    Entry("Requantize", ("Requantize",), "qnn.requantize", rules.REQUANTIZE),
)
"""Every operator that the NPU can run, in the order of the documentation."""


def all_constraints() -> Iterator[Constraint[Any]]:
    """Every constraint once, in the order of the catalog."""
    seen: set[tuple[str, str]] = set()
    for entry in CATALOG:
        for rule in entry.constraints:
            if (rule.rule, rule.level) not in seen:
                seen.add((rule.rule, rule.level))
                yield rule


def all_hazards() -> tuple[Hazard, ...]:
    """Every hazard, with a placeholder for the value in the model."""
    return tuple(make("…") for make in ALL_HAZARDS)


def never() -> dict[str, str]:
    """Operators that are never offloaded -> what to do instead."""
    from pytest_npu_compat.target.ethos_n78.unmatched import NEVER_OFFLOADED

    return {name: entry.remedy for name, entry in NEVER_OFFLOADED.items()}
