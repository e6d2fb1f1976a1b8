"""Attributes: what shapes an operator, in the words of a user's node."""

from __future__ import annotations

from pathlib import Path

import models
import onnx
import pytest
from builder import Builder

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.report import Report


def attributes(build: Builder, name: str) -> dict[str, str]:
    return dict(build.operators()[name].attributes)


def test_convolution_has_its_window_and_data_type() -> None:
    build = Builder()
    x = build.input(1, 16, 8, 8)
    y = build.op(
        "Conv",
        [x, build.weights(32, 8, 3, 1)],
        "conv",
        pads=[1, 0, 2, 0],
        strides=[2, 1],
        group=2,
    )
    build.output(build.qdq(y))
    found = attributes(build, "conv")
    assert found["kernel"] == "3x1"
    assert found["strides"] == "2x1"
    assert found["padding"] == "1x0x2x0"
    assert found["groups"] == "2"
    assert found["input type"] == "int8"
    words = {"input type", "kernel", "strides", "padding", "dilation", "groups", "output padding"}
    assert set(found) == words, "nothing of the quantization"


def test_data_type_is_that_of_the_model() -> None:
    import numpy as np

    build = Builder(dtype=np.uint8)
    y = build.conv(build.input(1, 16, 8, 8))
    build.output(build.qdq(y))
    assert attributes(build, "conv")["input type"] == "uint8"


def test_pool_and_softmax_have_their_own() -> None:
    build = Builder()
    x = build.input(1, 16, 8, 8)
    pooled = build.qdq(build.op("MaxPool", [x], "pool", kernel_shape=[2, 2], strides=[2, 2]))
    build.output(build.qdq(build.op("LeakyRelu", [pooled], "leaky", alpha=0.25)))
    operators = build.operators()
    assert operators["pool"].attributes["kernel"] == "2x2"
    assert "padding" in operators["pool"].attributes
    assert operators["leaky"].attributes["alpha"] == "0.25"


@pytest.fixture
def reports(tmp_path: Path) -> tuple[Report, Report]:
    """A model, and the same with other names and scales."""
    path = models.save(models.on_npu(), tmp_path)
    model = onnx.load(path)
    for node in model.graph.node:
        node.name = f"other_{node.name}"
    for tensor in model.graph.initializer:
        if tensor.name.endswith("_scale") and tensor.raw_data:
            import numpy as np

            scale = onnx.numpy_helper.to_array(tensor) * np.float32(1.5)
            tensor.CopyFrom(onnx.numpy_helper.from_array(scale, tensor.name))
    onnx.save(model, tmp_path / "other.onnx")
    return analyze(path), analyze(tmp_path / "other.onnx")


def test_names_and_scales_are_no_attributes(reports: tuple[Report, Report]) -> None:
    one, other = reports
    assert one.model.sha256 != other.model.sha256
    assert [o.attributes for o in one.operators] == [o.attributes for o in other.operators]
    assert all(o.attributes for o in one.operators)
