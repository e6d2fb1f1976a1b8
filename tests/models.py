"""Small models for tests, built with the examples' builder."""

from __future__ import annotations

from pathlib import Path

from qdq import Net

__all__ = ["half_on_npu", "leaky", "on_npu", "save", "wide"]

SHARED = Path(__file__).resolve().parents[2] / "shared" / "ethosn"
"""Reference data that may lie beside a clone; tests that need it skip visibly without it."""


def on_npu() -> Net:
    """Two convolutions with ReLU: everything runs on the NPU."""
    net = Net("on_npu", (1, 16, 8, 8))
    x = net.activate(net.conv("image", 16, 3), "relu")
    net.finish(net.activate(net.conv(x, 16, 3), "relu"))
    return net


def half_on_npu() -> Net:
    """A convolution the NPU runs, and a 4x4 convolution it does not."""
    net = Net("half_on_npu", (1, 16, 8, 8))
    x = net.conv("image", 16, 3)
    net.finish(net.conv(x, 16, (4, 4), pads=[1, 1, 2, 2]))
    return net


def wide() -> Net:
    """What `half_on_npu` was before its second kernel became 4x4: everything runs on the NPU."""
    net = Net("wide", (1, 16, 8, 8))
    x = net.conv("image", 16, 3)
    net.finish(net.conv(x, 16, 3))
    return net


def leaky() -> Net:
    """A convolution with LeakyReLU: on the NPU, but through a dequantize/quantize island."""
    net = Net("leaky", (1, 16, 8, 8))
    net.finish(net.activate(net.conv("image", 16, 3), "leaky"))
    return net


def save(net: Net, directory: Path, name: str = "") -> Path:
    """Writes a model into a directory and returns its path."""
    path = directory / f"{name or net.name}.onnx"
    net.save(path)
    return path
