"""What a pass of Ethos-N78 moves between DRAM and SRAM, and in how many stripes.

A tensor that does not fit is cut into stripes. Of the ways to cut it, the model takes the one with the
least DRAM traffic and, among those, the fewest stripes. That reproduces the layers of rules 7.5; the
library itself tries a list of strategies (support_library/src/Strategies).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.target.cost import PassCost, Stream
from pytest_npu_compat.target.ethos_n78.arithmetic import round_up
from pytest_npu_compat.target.ethos_n78.performance import Pass, Shape
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

__all__ = ["Operand", "on_chip_bytes", "plan", "shape_of", "stored_bytes"]

BRICK = 8
"""Height and width of the bricks that tensors are made of in the NPU's own format, NHWCB."""
CHANNELS = 16
"""Channels of a brick in SRAM."""


@dataclass(frozen=True)
class Operand:
    """A tensor that a pass reads or makes.

    Attributes:
        shape: Its shape.
        dram_bytes: What it takes to move it once between DRAM and SRAM.
        stays: Whether it stays whole in SRAM, before or after the pass.
        plain: Whether it is NHWC in DRAM, because the CPU reads it.
    """

    shape: Shape
    dram_bytes: int
    stays: bool = False
    plain: bool = False


def shape_of(type_: TensorType) -> Shape:
    """Height, width and channels of an activation. All but images are stored densely in bricks."""
    dims = type_.static_shape
    assert dims is not None
    if len(dims) == 4:
        return dims[1], dims[2], dims[3]
    return BRICK, BRICK, ceil((type_.elements or 0) / BRICK**2)


def stored_bytes(shape: Shape) -> int:
    """Bytes in DRAM in the NPU's own format: height and width in bricks (rules 7.4)."""
    height, width, channels = shape
    return round_up(height, BRICK) * round_up(width, BRICK) * channels


def on_chip_bytes(shape: Shape) -> int:
    """Bytes in SRAM: whole bricks."""
    height, width, channels = shape
    return stored_bytes((height, width, round_up(channels, CHANNELS)))


def plan(
    work: Pass, inputs: Sequence[Operand], output: Operand, npu: Capabilities
) -> tuple[PassCost, ...] | None:
    """How a pass runs.

    Args:
        work: The pass.
        inputs: The activations it reads.
        output: What it makes.
        npu: The variant.

    Returns:
        The pass, and the conversion of its result to NHWC if one is needed; None if what stays in
        SRAM leaves no room for it.
    """
    cuts = [_Cut(work, tuple(inputs), output, *sizes) for sizes in _sizes(work, inputs[0].shape)]
    if cuts[0].on_chip_bytes <= npu.sram_bytes:
        return cuts[0].passes()  # uncut: nothing has less traffic or fewer stripes
    fitting = [cut for cut in cuts if cut.possible and cut.on_chip_bytes <= npu.sram_bytes]
    if not fitting:
        if output.stays or any(operand.stays for operand in inputs):
            return None
        # The library has finer cuts than this model; the finest of these stands for them.
        fitting = [min(cuts, key=lambda cut: cut.on_chip_bytes)]
    return min(fitting, key=lambda cut: (cut.traffic, cut.stripes)).passes()


def _halves(whole: int, smallest: int) -> Iterator[int]:
    """The whole, then multiples of the smallest by powers of two, the largest first."""
    yield whole
    part = smallest
    while part * 2 < whole:
        part *= 2
    while part >= smallest and part < whole:
        yield part
        part //= 2


def _sizes(work: Pass, shape: Shape) -> Iterator[tuple[int, int, int]]:
    """Rows and columns of input stripes and output channels of weight stripes."""
    height, width, channels = shape
    for part in _halves(work.outputs or channels, CHANNELS):
        for rows in _halves(height, BRICK):
            yield rows, width, part
        for columns in _halves(width, BRICK):
            yield min(BRICK, height), columns, part


@dataclass(frozen=True)
class _Cut:
    """One way to cut a pass into stripes: `rows` x `columns` of the input, `part` of the channels."""

    work: Pass
    inputs: tuple[Operand, ...]
    output: Operand
    rows: int
    columns: int
    part: int

    @property
    def areas(self) -> int:
        """Number of pieces of the input's height and width."""
        height, width, _ = self.inputs[0].shape
        return ceil(height / self.rows) * ceil(width / self.columns)

    @property
    def parts(self) -> int:
        """Number of pieces of the channels."""
        return ceil((self.work.outputs or self.inputs[0].shape[2]) / self.part)

    @property
    def channelwise(self) -> bool:
        """Whether an output channel needs its own input channel alone."""
        return self.work.outputs == 0

    @property
    def possible(self) -> bool:
        """Whether what stays in SRAM stays whole."""
        streamed = self.areas > 1 or (self.channelwise and self.parts > 1)
        return not (streamed and (self.output.stays or any(o.stays for o in self.inputs)))

    def _tile(self, shape: Shape, *, channels: bool) -> Shape:
        """The piece of a tensor that belongs to one stripe."""
        height, width, depth = self.inputs[0].shape
        piece = ceil(shape[2] / ceil(depth / self.part)) if self.channelwise else self.part
        return (
            min(shape[0], round_up(ceil(shape[0] * self.rows / height), BRICK)),
            min(shape[1], round_up(ceil(shape[1] * self.columns / width), BRICK)),
            min(shape[2], round_up(piece, CHANNELS)) if channels else shape[2],
        )

    @property
    def on_chip_bytes(self) -> int:
        """SRAM that it takes: stripes that move beside the engines' work have two slots or more."""
        cut_input = self.areas > 1 or (self.channelwise and self.parts > 1)
        slots = 1 if not cut_input else 3 if self.work.rows > 1 else 2
        read = sum(
            slots * on_chip_bytes(self._tile(o.shape, channels=self.channelwise))
            for o in self.inputs
        )
        if self.output.stays:
            made = on_chip_bytes(self.output.shape)
        else:
            slots = 1 if self.areas * self.parts == 1 else 2
            made = slots * on_chip_bytes(self._tile(self.output.shape, channels=True))
        weights = self.work.weight_bytes * (1 if self.parts == 1 else 2)
        return read + made + ceil(weights / self.parts)

    @property
    def reads_inputs_again(self) -> bool:
        """Whether inputs rather than weights are read again, where both are cut."""
        inputs = sum(o.dram_bytes for o in self.inputs)
        return inputs * (self.parts - 1) < self.work.weight_bytes * (self.areas - 1)

    @property
    def _reloads(self) -> tuple[int, int]:
        """How many times inputs and weights are read."""
        if self.channelwise or self.areas == 1 or self.parts == 1:
            return 1, 1
        return (self.parts, 1) if self.reads_inputs_again else (1, self.areas)

    def _input(self) -> Stream:
        times, _ = self._reloads
        total = sum(o.dram_bytes for o in self.inputs)
        stripes = self.areas * (self.parts if self.channelwise else times)
        # Rows that overlap: all of it is non-parallel in the reference (rules 7.5, 320x320).
        if stripes == 1 or self.work.rows > 1:
            return Stream(total * times, 0, stripes)
        first = sum(
            self._share(o, self._tile(o.shape, channels=self.channelwise)) for o in self.inputs
        )
        return Stream(first, total * times - first, stripes)

    def _output(self) -> Stream:
        stripes = self.areas * self.parts
        total = stored_bytes(self.output.shape) if self.converts else self.output.dram_bytes
        if stripes == 1:
            return Stream(total)
        last = self._share(self.output, self._tile(self.output.shape, channels=True), total)
        return Stream(last, total - last, stripes)

    def _weights(self) -> Stream:
        _, times = self._reloads
        total = self.work.weight_bytes
        if self.parts == 1:
            return Stream(total * times)
        first = ceil(total / self.parts)
        return Stream(first, total * times - first, self.parts * times)

    def _share(self, operand: Operand, tile: Shape, total: int | None = None) -> int:
        """Bytes of a tile."""
        total = operand.dram_bytes if total is None else total
        height, width, channels = operand.shape
        whole = height * width * channels
        return min(total, ceil(total * tile[0] * tile[1] * tile[2] / whole)) if whole else 0

    @property
    def converts(self) -> bool:
        """Whether a conversion to NHWC follows, which cannot be written by channels."""
        return self.output.plain and self.parts > 1

    @property
    def traffic(self) -> int:
        """DRAM bytes, a conversion included."""
        return sum(stream.total for cost in self.passes() for stream in cost.streams)

    @property
    def stripes(self) -> int:
        """The most stripes of any stream."""
        return max(stream.stripes for stream in self.passes()[0].streams)

    def passes(self) -> tuple[PassCost, ...]:
        """The pass, and the conversion of its result if one follows."""
        own = PassCost(
            self.work.name, self.work.mce_cycles, self._input(), self._output(), self._weights()
        )
        if not self.converts:
            return (own,)
        stored = Stream(stored_bytes(self.output.shape))
        return own, PassCost("conversion to NHWC", 0, stored, Stream(self.output.dram_bytes))
