"""A builder of small Q/DQ models, node by node, for cases that real exporters rarely write."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.report import OperatorInfo, Report

__all__ = ["Builder"]


class Builder:
    """A model under construction; methods return tensor names."""

    def __init__(self, opset: int = 13, dtype: type = np.int8) -> None:
        self.opset = opset
        self.dtype = dtype
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.count = 0

    def fresh(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def const(self, value: Any) -> str:
        name = self.fresh()
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(
        self, kind: str, inputs: list[str], name: str = "", outputs: int = 1, **kwargs: Any
    ) -> str:
        made = [self.fresh() for _ in range(outputs)]
        domain = kwargs.pop("domain", "")
        self.nodes.append(
            helper.make_node(kind, inputs, made, name or made[0], domain=domain, **kwargs)
        )
        return made[0]

    def input(self, *shape: int) -> str:
        """A quantized and dequantized float input."""
        name = self.fresh()
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return self.qdq(name)

    def quantize(self, x: str, scale: Any = 0.02, zero: int = 0, dtype: type | None = None) -> str:
        parameters = [
            self.const(np.asarray(scale, dtype=np.float32)),
            self.const(np.full(np.shape(scale), zero, dtype=dtype or self.dtype)),
        ]
        return self.op("QuantizeLinear", [x, *parameters])

    def dequantize(
        self, x: str, scale: Any = 0.02, zero: int = 0, dtype: type | None = None
    ) -> str:
        parameters = [
            self.const(np.asarray(scale, dtype=np.float32)),
            self.const(np.full(np.shape(scale), zero, dtype=dtype or self.dtype)),
        ]
        return self.op("DequantizeLinear", [x, *parameters])

    def qdq(self, x: str, scale: float = 0.02, zero: int = 0, dtype: type | None = None) -> str:
        return self.dequantize(self.quantize(x, scale, zero, dtype), scale, zero, dtype)

    def weights(self, *shape: int, dtype: type | None = None, fill: int = 1) -> str:
        array: npt.NDArray[Any] = np.full(shape, fill, dtype=dtype or self.dtype)
        return self.dequantize(self.const(array), 0.01, dtype=dtype)

    def conv(
        self, x: str, inputs: int = 16, outputs: int = 16, k: int = 3, name: str = "conv"
    ) -> str:
        return self.op(
            "Conv", [x, self.weights(outputs, inputs, k, k)], name, pads=[(k - 1) // 2] * 4
        )

    def output(self, x: str) -> None:
        self.outputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, None))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "g", self.inputs, self.outputs, self.initializers)
        imports = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.example", 1)]
        imports.append(helper.make_opsetid("com.microsoft", 1))
        return helper.make_model(graph, opset_imports=imports)

    def report(self) -> Report:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "m.onnx"
            path.write_bytes(self.model().SerializeToString())
            return analyze(path)

    def operators(self) -> dict[str, OperatorInfo]:
        report = self.report()
        assert report.error is None, report.error
        names = [operator.name for operator in report.operators]
        assert len(names) == len(set(names))
        return {operator.name: operator for operator in report.operators}
