"""Small programs in integer form, written as the reference's topologies are described."""

from __future__ import annotations

from typing import Any

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Call, Leaf, Operator, Program, Ref
from pytest_npu_compat.model.quantization import Quantization

__all__ = ["Q", "Sketch"]

Shape = tuple[int, ...]

Q = Quantization((0.02,), 0, "int8")
"""The topologies' quantization: int8, scale 0.02, zero point 0."""


class Sketch:
    """A program under construction. Methods return what later calls read."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.leaves: dict[str, Leaf] = {}

    def input(self, shape: Shape = (1, 16, 16, 16), dtype: str = "int8") -> str:
        name = f"in{len(self.leaves)}"
        self.leaves[name] = Leaf(TensorType(shape, dtype), constant=False)
        return name

    def constant(self, shape: Shape, dtype: str = "int8") -> str:
        name = f"const{len(self.leaves)}"
        self.leaves[name] = Leaf(TensorType(shape, dtype), constant=True)
        return name

    def type(self, ref: Ref) -> TensorType:
        return self.calls[ref].type if isinstance(ref, int) else self.leaves[ref].type

    def shape(self, ref: Ref) -> Shape:
        shape = self.type(ref).static_shape
        assert shape is not None
        return shape

    def emit(
        self,
        op: str,
        *args: Ref,
        shape: Shape | None = None,
        dtype: str = "",
        border: bool = False,
        **attrs: Any,
    ) -> int:
        type_ = TensorType(
            self.shape(args[0]) if shape is None else shape, dtype or self.type(args[0]).dtype
        )
        operator = None if border else 0
        self.calls.append(Call(len(self.calls), op, args, (type_,), attrs, operator))
        return len(self.calls) - 1

    def host(self, *args: Ref, op: str = "abs") -> int:
        """An operator that the NPU never takes."""
        return self.emit(op, *args)

    def conv(
        self,
        x: Ref,
        out: int = 16,
        k: int = 1,
        s: int = 1,
        *,
        pad: int | None = None,
        bias: str = "nn.bias_add",
        dtype: str = "int8",
    ) -> int:
        n, h, w, c = self.shape(x)
        pad = (k - 1) // 2 if pad is None else pad
        size = (n, (h + 2 * pad - k) // s + 1, (w + 2 * pad - k) // s + 1, out)
        value = self.emit(
            "qnn.conv2d",
            x,
            self.constant((k, k, c, out)),
            shape=size,
            dtype="int32",
            strides=(s, s),
            padding=(pad,) * 4,
            dilation=(1, 1),
            groups=1,
            channels=out,
            kernel_layout="HWIO",
            input=Q,
            kernel=Q,
        )
        if bias:
            value = self.emit(bias, value, self.constant((out,), "int32"))
        return self.emit("qnn.requantize", value, dtype=dtype, input=Q, output=Q)

    def dense(self, x: Ref, out: int = 10, bias: str = "nn.bias_add") -> int:
        n, c = self.shape(x)
        value = self.emit(
            "qnn.dense",
            x,
            self.constant((out, c)),
            shape=(n, out),
            dtype="int32",
            input=Q,
            kernel=Q,
        )
        value = self.emit(bias, value, self.constant((out,), "int32"))
        return self.emit("qnn.requantize", value, dtype="int8", input=Q, output=Q)

    def clip(self, x: Ref) -> int:
        return self.emit("clip", x, a_min=0, a_max=127)

    def add(self, a: Ref, b: Ref) -> int:
        return self.emit("qnn.add", a, b, lhs=Q, rhs=Q, output=Q, lhs_value=None, rhs_value=None)

    def mul(self, a: Ref, b: Ref, value: int | None = None) -> int:
        return self.emit("qnn.mul", a, b, lhs=Q, rhs=Q, output=Q, lhs_value=None, rhs_value=value)

    def concat(self, *xs: Ref, axis: int = 3) -> int:
        shape = list(self.shape(xs[0]))
        shape[axis] = sum(self.shape(x)[axis] for x in xs)
        fields = self.emit("tuple", *xs)
        return self.emit(
            "qnn.concatenate",
            fields,
            shape=tuple(shape),
            dtype="int8",
            axis=axis,
            inputs=(Q,) * len(xs),
            output=Q,
        )

    def split(self, x: Ref, sizes: tuple[int, ...], axis: int = 3) -> list[int]:
        shapes = []
        for size in sizes:
            shape = list(self.shape(x))
            shape[axis] = size
            shapes.append(tuple(shape))
        types = tuple(TensorType(shape, "int8") for shape in shapes)
        index = len(self.calls)
        self.calls.append(Call(index, "split", (x,), types, {"axis": axis, "sizes": sizes}, 0))
        return [
            self.emit("tuple_get_item", index, shape=shape, dtype="int8", index=i)
            for i, shape in enumerate(shapes)
        ]

    def island(self, x: Ref, *ops: str, output: Quantization = Q, **attrs: Any) -> int:
        """Dequantize -> float operators -> quantize."""
        value = self.emit("qnn.dequantize", x, dtype="float32", input=Q)
        for op in ops:
            value = self.emit(op, value, **attrs)
        return self.emit("qnn.quantize", value, dtype="int8", output=output)

    def sigmoid(self, x: Ref) -> int:
        return self.island(x, "sigmoid", output=Quantization((1 / 256,), -128, "int8"))

    def tanh(self, x: Ref) -> int:
        return self.island(x, "tanh", output=Quantization((1 / 128,), 0, "int8"))

    def leaky(self, x: Ref) -> int:
        return self.island(x, "nn.leaky_relu", alpha=0.1)

    def pool(self, x: Ref, k: int = 2, s: int = 2, p: int = 0, *, ceil: bool = False) -> int:
        n, h, w, c = self.shape(x)
        size = (n, (h + 2 * p - k) // s + 1, (w + 2 * p - k) // s + 1, c)
        return self.emit(
            "nn.max_pool2d",
            x,
            shape=size,
            pool_size=(k, k),
            strides=(s, s),
            padding=(p,) * 4,
            layout="NHWC",
            ceil_mode=ceil,
        )

    def avg_pool(self, x: Ref) -> int:
        wide = self.emit("cast", x, dtype="int32")
        pooled = self.emit(
            "nn.avg_pool2d", wide, pool_size=(3, 3), strides=(1, 1), padding=(1,) * 4, layout="NHWC"
        )
        return self.emit("cast", pooled, dtype="int8")

    def mean(self, x: Ref) -> int:
        n, _, _, c = self.shape(x)
        wide = self.emit("cast", x, dtype="int32")
        mean = self.emit("mean", wide, shape=(n, 1, 1, c), axis=(1, 2), keepdims=True)
        return self.emit("qnn.requantize", mean, dtype="int8", input=Q, output=Q)

    def reshape(self, x: Ref, shape: Shape) -> int:
        return self.emit("reshape", x, shape=shape, newshape=shape)

    def resize(self, x: Ref, method: str = "nearest_neighbor") -> int:
        n, h, w, c = self.shape(x)
        return self.emit("image.resize2d", x, shape=(n, 2 * h, 2 * w, c), method=method)

    def pad(self, x: Ref, value: int = 0, mode: str = "constant") -> int:
        n, h, w, c = self.shape(x)
        return self.emit(
            "nn.pad",
            x,
            shape=(n, h + 2, w + 2, c),
            pad_width=((0, 0), (1, 1), (1, 1), (0, 0)),
            pad_mode=mode,
            pad_value=value,
            zero_point=0,
        )

    def finish(self, *outputs: Ref) -> Program:
        """The program, as if all its calls belonged to one operator of the model."""
        own = tuple(c.index for c in self.calls if c.operator == 0)
        operator = Operator(0, "op", "Sketch", ("op",), (), 0, own, "integer", "")
        return Program(self.leaves, tuple(self.calls), outputs, (operator,))
