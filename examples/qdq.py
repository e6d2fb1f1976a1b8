"""A small builder of quantized ONNX models: layers in, a calibrated QDQ model out.

Activations are calibrated on seeded random input with ONNX's reference evaluator, as ONNX Runtime's
quantizer does it (min-max, asymmetric int8 activations, symmetric int8 weights). The weights written
to the file are zeros: no verdict depends on them, and the files stay small in a repository.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 13
Shape = tuple[int, ...]


@dataclass
class Layer:
    """A float operator: node, constant inputs, and how its output is quantized."""

    kind: str
    inputs: list[str]
    output: str
    attributes: dict[str, Any]
    weights: dict[int, npt.NDArray[Any]]
    constants: dict[int, npt.NDArray[Any]]
    fixed: tuple[float, int] | None
    shares_input: bool


@dataclass
class Net:
    """A network under construction. Methods return the name of the tensor they make."""

    name: str
    input_shape: Shape
    seed: int = 0
    layers: list[Layer] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    channels: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.input = "image"
        self.channels[self.input] = self.input_shape[1]

    def add(
        self,
        kind: str,
        inputs: list[str],
        *,
        channels: int | None = None,
        weights: dict[int, npt.NDArray[Any]] | None = None,
        constants: dict[int, npt.NDArray[Any]] | None = None,
        fixed: tuple[float, int] | None = None,
        shares_input: bool = False,
        **attributes: Any,
    ) -> str:
        """Adds an operator.

        Args:
            kind: ONNX operator type.
            inputs: Activations it reads.
            channels: Of its output; those of its first input if None.
            weights: Float constants by input position, quantized to int8 (bias: int32).
            constants: Other constants by input position.
            fixed: Scale and zero point of the output instead of calibrated ones.
            shares_input: The output keeps the quantization of the input (pools, reshapes).
            attributes: Of the node.
        """
        output = f"{kind.lower()}_{len(self.layers)}"
        self.channels[output] = self.channels[inputs[0]] if channels is None else channels
        self.layers.append(
            Layer(
                kind,
                inputs,
                output,
                attributes,
                weights or {},
                constants or {},
                fixed,
                shares_input,
            )
        )
        return output

    def conv(
        self,
        x: str,
        channels: int,
        k: int | tuple[int, int] = 1,
        s: int = 1,
        *,
        groups: int = 1,
        pads: list[int] | None = None,
        pad_node: bool = False,
    ) -> str:
        """A convolution with bias that keeps the size (divided by the stride)."""
        kh, kw = (k, k) if isinstance(k, int) else k
        cin = self.channels[x]
        fan_in = cin // groups * kh * kw
        kernel = self.random.normal(0, (2 / fan_in) ** 0.5, (channels, cin // groups, kh, kw))
        bias = self.random.normal(0, 0.05, channels)
        pads = [(kh - 1) // 2, (kw - 1) // 2] * 2 if pads is None else pads
        if pad_node and any(pads):
            amounts = np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], dtype=np.int64)
            x = self.add("Pad", [x], constants={1: amounts}, shares_input=True, mode="constant")
            pads = [0, 0, 0, 0]
        return self.add(
            "Conv",
            [x],
            channels=channels,
            weights={1: kernel.astype(np.float32), 2: bias.astype(np.float32)},
            kernel_shape=[kh, kw],
            strides=[s, s],
            pads=pads,
            group=groups,
        )

    def up(self, x: str, channels: int) -> str:
        """A 2x2 transposed convolution of stride 2."""
        kernel = self.random.normal(0, 0.2, (self.channels[x], channels, 2, 2)).astype(np.float32)
        bias = np.zeros(channels, dtype=np.float32)
        return self.add(
            "ConvTranspose",
            [x],
            channels=channels,
            weights={1: kernel, 2: bias},
            kernel_shape=[2, 2],
            strides=[2, 2],
        )

    def dense(self, x: str, outputs: int) -> str:
        """A fully connected layer."""
        kernel = self.random.normal(0, 0.1, (outputs, self.channels[x])).astype(np.float32)
        bias = np.zeros(outputs, dtype=np.float32)
        return self.add("Gemm", [x], channels=outputs, weights={1: kernel, 2: bias}, transB=1)

    def concat(self, *xs: str, axis: int = 1) -> str:
        """A concatenation, of channels unless said otherwise."""
        return self.add("Concat", list(xs), channels=sum(self.channels[x] for x in xs), axis=axis)

    def max_pool(self, x: str, k: int = 2, s: int = 2, p: int = 0) -> str:
        """A max pool."""
        return self.add(
            "MaxPool", [x], kernel_shape=[k, k], strides=[s, s], pads=[p] * 4, shares_input=True
        )

    def resize(self, x: str) -> str:
        """Nearest upsampling by 2."""
        scales = np.array([1, 1, 2, 2], dtype=np.float32)
        return self.add(
            "Resize",
            [x],
            constants={2: scales},
            shares_input=True,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )

    def reshape(self, x: str, shape: list[int]) -> str:
        """A reshape."""
        return self.add(
            "Reshape",
            [x],
            channels=shape[1],
            constants={1: np.array(shape, dtype=np.int64)},
            shares_input=True,
        )

    def slice(self, x: str, starts: list[int], steps: list[int]) -> str:
        """A strided slice of height and width."""
        ends = [np.iinfo(np.int32).max] * 2
        values = [np.array(v, dtype=np.int64) for v in (starts, ends, [2, 3], steps)]
        return self.add("Slice", [x], constants=dict(enumerate(values, start=1)), shares_input=True)

    def activate(self, x: str, kind: str) -> str:
        """``relu``, ``leaky`` (slope 0.1) or ``silu``."""
        if kind == "relu":
            return self.add("Relu", [x])
        if kind == "leaky":
            return self.add("LeakyRelu", [x], alpha=0.1)
        return self.add("Mul", [x, self.add("Sigmoid", [x])])

    def finish(self, *outputs: str) -> None:
        """Declares the outputs."""
        self.outputs = list(outputs)

    def float_model(self) -> onnx.ModelProto:
        """The model before quantization, every tensor an output."""
        nodes, initializers = [], []
        for layer in self.layers:
            inputs = [*layer.inputs]
            for position, array in sorted({**layer.weights, **layer.constants}.items()):
                inputs += [""] * (position - len(inputs))
                inputs.append(f"{layer.output}_c{position}")
                initializers.append(numpy_helper.from_array(array, inputs[-1]))
            nodes.append(
                helper.make_node(
                    layer.kind, inputs, [layer.output], layer.output, **layer.attributes
                )
            )
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, self.input_shape)
        outputs = [
            helper.make_tensor_value_info(layer.output, TensorProto.FLOAT, None)
            for layer in self.layers
        ]
        graph = helper.make_graph(nodes, self.name, [image], outputs, initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])

    def calibrate(self) -> dict[str, tuple[float, int]]:
        """Scale and zero point of every activation, from its range on random input."""
        image = self.random.uniform(0, 1, self.input_shape).astype(np.float32)
        evaluator = ReferenceEvaluator(self.float_model())
        values = evaluator.run(None, {"image": image})
        found = {"image": _asymmetric(0.0, 1.0)}
        for layer, value in zip(self.layers, values, strict=True):
            if layer.fixed is not None:
                found[layer.output] = layer.fixed
            elif layer.shares_input:
                found[layer.output] = found[layer.inputs[0]]
            else:
                found[layer.output] = _asymmetric(float(value.min()), float(value.max()))
        return found

    def build(self, *, dynamic: bool = False) -> onnx.ModelProto:
        """The quantized model.

        Args:
            dynamic: Leave batch, height and width of the input open, as a careless export does.
        """
        quantization = self.calibrate()
        writer = _Writer(quantization)
        writer.quantize("image")
        for layer in self.layers:
            writer.layer(layer)
            writer.quantize(layer.output)
        for output in self.outputs:
            writer.dequantize(output, f"{output}_out")
        shape: list[int | str] = list(self.input_shape)
        if dynamic:
            shape = ["batch", shape[1], "height", "width"]
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
        outputs = [
            helper.make_tensor_value_info(f"{o}_out", TensorProto.FLOAT, None) for o in self.outputs
        ]
        graph = helper.make_graph(writer.nodes, self.name, [image], outputs, writer.initializers)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=8,
            producer_name="pytest-npu-compat examples",
        )

    def build_float(self) -> onnx.ModelProto:
        """The model before quantization, with weights of zero."""
        model = self.float_model()
        model.ir_version = 8
        model.producer_name = "pytest-npu-compat examples"
        weights = {f"{layer.output}_c{i}" for layer in self.layers for i in layer.weights}
        for tensor in model.graph.initializer:
            if tensor.name in weights:
                array = np.zeros(tuple(tensor.dims), dtype=np.float32)
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        kept = [o for o in model.graph.output if o.name in self.outputs]
        del model.graph.output[:]
        model.graph.output.extend(kept)
        return model

    def save(self, path: Path, *, dynamic: bool = False, quantized: bool = True) -> None:
        """Writes the model, quantized unless said otherwise."""
        path.parent.mkdir(parents=True, exist_ok=True)
        model = self.build(dynamic=dynamic) if quantized else self.build_float()
        path.write_bytes(model.SerializeToString(deterministic=True))


def _asymmetric(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point of an int8 tensor; the range always contains zero."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = max((high - low) / 255, 1e-8)
    return scale, int(np.clip(round(-128 - low / scale), -128, 127))


class _Writer:
    """Writes QDQ nodes: a QuantizeLinear after each operator, a DequantizeLinear for each reader."""

    def __init__(self, quantization: dict[str, tuple[float, int]]) -> None:
        self.quantization = quantization
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.readers: dict[str, int] = {}

    def constant(self, name: str, array: npt.NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def parameters(self, name: str, scale: float, zero_point: int, dtype: type) -> list[str]:
        return [
            self.constant(f"{name}_scale", np.array(scale, dtype=np.float32)),
            self.constant(f"{name}_zero_point", np.array(zero_point, dtype=dtype)),
        ]

    def quantize(self, tensor: str) -> None:
        parameters = self.parameters(tensor, *self.quantization[tensor], np.int8)
        self.nodes.append(
            helper.make_node(
                "QuantizeLinear", [tensor, *parameters], [f"{tensor}_q"], f"{tensor}_quantize"
            )
        )

    def dequantize(self, tensor: str, output: str) -> str:
        inputs = [f"{tensor}_q", f"{tensor}_scale", f"{tensor}_zero_point"]
        self.nodes.append(
            helper.make_node("DequantizeLinear", inputs, [output], f"{output}_dequantize")
        )
        return output

    def read(self, tensor: str) -> str:
        count = self.readers[tensor] = self.readers.get(tensor, 0) + 1
        return self.dequantize(tensor, f"{tensor}_dq{count}")

    def layer(self, layer: Layer) -> None:
        inputs = [self.read(tensor) for tensor in layer.inputs]
        for position, array in sorted({**layer.weights, **layer.constants}.items()):
            inputs += [""] * (position - len(inputs))
            name = f"{layer.output}_c{position}"
            if position in layer.weights:
                scale = float(np.abs(array).max()) / 127 or 1.0
                dtype: type = np.int8
                if position == 2:
                    scale = self.quantization[layer.inputs[0]][0] * self.weight_scale
                    dtype = np.int32
                else:
                    self.weight_scale = scale
                self.constant(f"{name}_q", np.zeros(array.shape, dtype=dtype))
                self.parameters(name, scale, 0, dtype)
                inputs.append(self.dequantize(name, name))
            else:
                inputs.append(self.constant(name, array))
        self.nodes.append(
            helper.make_node(layer.kind, inputs, [layer.output], layer.output, **layer.attributes)
        )
