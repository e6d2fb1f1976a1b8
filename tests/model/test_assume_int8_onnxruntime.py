"""The assumed quantization beside ONNX Runtime's own quantizer, where that is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import build_models
import numpy as np
import onnx
import pytest
from qdq import Net

from pytest_npu_compat import analyze

quantization = pytest.importorskip("onnxruntime.quantization")

NETWORKS = {
    "v3 relu": lambda: build_models.v3(2, "relu"),
    "v3 leaky": lambda: build_models.v3(3, "leaky"),
    "mobilenet": build_models.mobilenet,
    "unet": build_models.unet,
    "silu": build_models.silu_detector,
    "keyword spotting": build_models.keyword_spotting,
}


class Images(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
    """Two random images."""

    def __init__(self, net: Net) -> None:
        random = np.random.default_rng(1)
        self.images = [random.uniform(0, 1, net.input_shape).astype(np.float32) for _ in range(2)]

    def get_next(self) -> dict[str, Any] | None:
        return {"image": self.images.pop()} if self.images else None


@pytest.mark.parametrize("network", NETWORKS)
def test_same_verdicts_as_the_quantized_model(network: str, tmp_path: Path) -> None:
    net = NETWORKS[network]()
    model = net.float_model()
    outputs = [o for o in model.graph.output if o.name in net.outputs]
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    model.ir_version = 8
    onnx.save(onnx.shape_inference.infer_shapes(model), tmp_path / "float.onnx")
    quantization.quantize_static(tmp_path / "float.onnx", tmp_path / "int8.onnx", Images(net))
    reports = [
        analyze(tmp_path / "int8.onnx"),
        analyze(tmp_path / "float.onnx", quantization="assume-int8"),
    ]
    real, assumed = (
        {o.name: (o.placement, o.supported, [r.rule for r in o.reasons]) for o in report.operators}
        for report in reports
    )
    assert assumed == real
    assert len(assumed) > 10
