"""What the rules look at: one frozen value per composite, free of TVM.

Shapes are those that TVM sees: NHWC for rank 4. `Tensor.dims` are the four dimensions that it hands to
the support library, missing ones filled with 1 after the given ones (rules 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "AddConstant",
    "Addition",
    "Clip",
    "Concatenate",
    "Convolution",
    "DepthToSpace",
    "Fixed",
    "FullyConnected",
    "LeakyRelu",
    "Mean",
    "MultiplyConstant",
    "Padding",
    "Pool",
    "Quant",
    "Reinterpret",
    "Requantize",
    "Reshape",
    "Resize",
    "Split",
    "Tensor",
]


@dataclass(frozen=True)
class Quant:
    """real = scale * (integer - zero_point). Several scales mean per-channel."""

    scales: tuple[float, ...] = (1.0,)
    zero_point: int = 0

    @property
    def scale(self) -> float:
        """The first scale."""
        return self.scales[0]


@dataclass(frozen=True)
class Tensor:
    """An integer tensor."""

    shape: tuple[int, ...]
    dtype: str
    quant: Quant = Quant()

    @property
    def dims(self) -> tuple[int, int, int, int]:
        """Batch, height, width, channels as TVM hands them to the support library."""
        n, h, w, c = (*self.shape, 1, 1, 1, 1)[:4]
        return n, h, w, c

    @property
    def height(self) -> int:
        """Height as the library sees it."""
        return self.dims[1]

    @property
    def width(self) -> int:
        """Width as the library sees it."""
        return self.dims[2]

    @property
    def channels(self) -> int:
        """Channels as the library sees them."""
        return self.dims[3]


@dataclass(frozen=True)
class Padding:
    """Padding that is a separate operator before a convolution."""

    amounts: tuple[int, int, int, int]
    mode: str = "constant"
    value: int = 0


@dataclass(frozen=True)
class Unary:
    """An operator with one input and one output."""

    input: Tensor
    output: Tensor

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The activations it reads."""
        return (self.input,)


@dataclass(frozen=True)
class Convolution(Unary):
    """[nn.pad] -> qnn.conv2d -> nn.bias_add -> qnn.requantize, or its transposed form.

    `weights.shape` is in `kernel_layout`; amounts of padding are (top, left, bottom, right).
    """

    weights: Tensor
    bias_shape: tuple[int, ...] | None
    strides: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (0, 0, 0, 0)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1
    output_channels: int = 1
    kernel_layout: str = "HWIO"
    transposed: bool = False
    pad: Padding | None = None
    output_padding: tuple[int, ...] = (0, 0)

    @property
    def depthwise(self) -> bool:
        """TVM's test for a depthwise convolution."""
        return not self.transposed and self.output_channels == self.groups != 1

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel height and width."""
        if self.transposed:
            return self._weight_dim("H"), self._weight_dim("W")
        return self.weights.shape[0], self.weights.shape[1]

    @property
    def weight_inputs(self) -> int:
        """Input channels of the weights, as the library reads them."""
        return self._weight_dim("I") if self.transposed else self.weights.shape[2]

    @property
    def weight_outputs(self) -> int:
        """Output channels of the weights (the channel multiplier if depthwise)."""
        return self._weight_dim("O") if self.transposed else self.weights.shape[3]

    @property
    def filters(self) -> int:
        """Number of output channels that the weights and scales must cover."""
        if self.depthwise:
            return self.weight_inputs * self.weight_outputs
        return self.weight_outputs

    @property
    def scale_axis(self) -> int:
        """Axis of per-channel scales as TVM derives it: the position of O in the kernel layout."""
        return self.kernel_layout.index("O")

    @property
    def pads(self) -> tuple[int, ...]:
        """The padding in effect."""
        return self.padding if self.pad is None else self.pad.amounts

    def _weight_dim(self, letter: str) -> int:
        return self.weights.shape[self.kernel_layout.index(letter)]


@dataclass(frozen=True)
class FullyConnected(Unary):
    """qnn.dense -> nn.bias_add -> qnn.requantize. Weights are (outputs, inputs)."""

    weights: Tensor
    bias_shape: tuple[int, ...] | None


@dataclass(frozen=True)
class Pool(Unary):
    """nn.max_pool2d, or cast -> nn.avg_pool2d -> cast."""

    kind: str
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: tuple[int, ...]
    layout: str = "NHWC"
    count_include_pad: bool = False


@dataclass(frozen=True)
class Mean(Unary):
    """cast -> mean -> qnn.requantize."""


@dataclass(frozen=True)
class Fixed(Unary):
    """qnn.dequantize -> sigmoid or tanh -> qnn.quantize: fixed output quantization."""

    kind: str


@dataclass(frozen=True)
class LeakyRelu(Unary):
    """qnn.dequantize -> nn.leaky_relu -> qnn.quantize."""

    alpha: float


@dataclass(frozen=True)
class Addition:
    """qnn.add of two tensors, one of which may be constant."""

    lhs: Tensor
    rhs: Tensor
    output: Tensor
    same_operand: bool = False

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The activations it reads."""
        return (self.lhs, self.rhs)


@dataclass(frozen=True)
class AddConstant(Unary):
    """qnn.add with one constant side. `value` is its integer if it has a single element."""

    constant: Tensor
    value: int | None


@dataclass(frozen=True)
class MultiplyConstant(Unary):
    """qnn.mul with one constant side. `value` is its integer if it has a single element."""

    constant: Tensor
    value: int | None


@dataclass(frozen=True)
class Reinterpret(Unary):
    """What a scalar multiply or add becomes: the same data under another quantization."""


@dataclass(frozen=True)
class Concatenate:
    """qnn.concatenate; `axis` counts in the tensor that TVM sees."""

    inputs: tuple[Tensor, ...]
    output: Tensor
    axis: int


@dataclass(frozen=True)
class Split:
    """Split into pieces of `sizes` along `axis`."""

    input: Tensor
    sizes: tuple[int, ...]
    axis: int

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The activations it reads."""
        return (self.input,)

    @property
    def output(self) -> Tensor:
        """Splitting does not change type and quantization."""
        return self.input


@dataclass(frozen=True)
class Resize(Unary):
    """image.resize2d to the output's height and width."""

    method: str


@dataclass(frozen=True)
class Requantize(Unary):
    """qnn.requantize on its own."""


@dataclass(frozen=True)
class Reshape(Unary):
    """Reshape to the output's shape."""


@dataclass(frozen=True)
class DepthToSpace(Unary):
    """nn.depth_to_space."""

    block_size: int
    mode: str
    layout: str = "NHWC"


@dataclass(frozen=True)
class Clip(Unary):
    """Clip to [a_min, a_max], in integers."""

    a_min: float
    a_max: float
