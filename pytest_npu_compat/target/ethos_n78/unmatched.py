"""Why no pattern of Ethos-N78 takes an operator: what is never offloaded, and what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_npu_compat.target.constraint import Level, Violation

__all__ = ["NEVER_OFFLOADED", "Never", "never_offloaded"]


@dataclass(frozen=True)
class Never:
    """An operator without a pattern.

    Attributes:
        remedy: What to do instead.
        message: Why, where more can be said than that there is no pattern.
    """

    remedy: str
    message: str = ""


NEVER_OFFLOADED: Mapping[str, Never] = {
    "nn.softmax": Never(
        "Leave the softmax to the application, or accept it at the end on the CPU."
    ),
    "strided_slice": Never(
        "Use Split into multiples of 16 channels instead of Slice; replace a slicing stem by a "
        "stride-2 convolution."
    ),
    "nn.pad": Never(
        "Merge it into the pads of the convolution that follows.",
        "A Pad that is not followed by a convolution as its only reader has no NPU form.",
    ),
    "transpose": Never(
        "Remove the Transpose, or move it to the end of the graph.",
        "A transpose, or a reshape that changes the element order between NCHW and NHWC, has no "
        "NPU form.",
    ),
    "qnn.subtract": Never("Fold the subtraction into a layer's weights or bias, or use Add."),
    "nn.space_to_depth": Never("Replace the SpaceToDepth stem by a stride-2 convolution."),
    "nn.prelu": Never("Use LeakyReLU (one slope) or ReLU.", "PReLU has one slope per channel."),
    "add": Never("Quantize the constant: a float constant makes a dequantize/quantize island."),
    "subtract": Never(
        "Quantize the constant: a float constant makes a dequantize/quantize island."
    ),
    "multiply": Never(
        "Quantize the constant: a float constant makes a dequantize/quantize island."
    ),
    "HardSwish": Never("Use ReLU, ReLU6 or LeakyReLU."),
    "HardSigmoid": Never("Use Sigmoid with output scale 1/256, or ReLU6."),
    "Gelu": Never("Use ReLU, ReLU6 or LeakyReLU."),
    "Erf": Never("GELU has no NPU form; use ReLU, ReLU6 or LeakyReLU."),
    "Elu": Never("Use LeakyReLU."),
    "Mish": Never("Use LeakyReLU."),
    "Softplus": Never("Use ReLU."),
    "GlobalMaxPool": Never("Use GlobalAveragePool over 7x7 or 8x8."),
    "MatMul": Never(
        "Only products with constant quantized weights and a 1xN input run on the NPU.",
        "A matrix product of two activations, or of a tensor of rank 3 and above, has no NPU form.",
    ),
    "BatchNormalization": Never("Fold it into the convolution before quantizing."),
    "LSTM": Never("Recurrent layers run on the CPU."),
    "GRU": Never("Recurrent layers run on the CPU."),
    "nn.leaky_relu": Never(
        "Quantize its input and its output, each read by nothing else as a float tensor."
    ),
    "sigmoid": Never(
        "Quantize its input and its output, each read by nothing else as a float tensor."
    ),
    "tanh": Never(
        "Quantize its input and its output, each read by nothing else as a float tensor."
    ),
}


def never_offloaded(op: str, kind: str) -> Violation:
    """The reason for an operator that no pattern takes.

    Args:
        op: Its name in the integer form.
        kind: Its ONNX type.
    """
    never = NEVER_OFFLOADED.get(op) or NEVER_OFFLOADED.get(kind)
    return Violation(
        rule="operator-not-supported",
        level=Level.UNSUPPORTED,
        message=(never and never.message) or f"{kind} has no NPU form on Ethos-N78.",
        actual=kind,
        allowed="",
        remedy=never.remedy if never else "Replace it, or accept it on the CPU.",
    )
