"""What a target tells of the cost of its partitions: passes with their cycles and their DRAM traffic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from pytest_npu_compat.model.program import Call, Program, Ref

__all__ = ["CostModel", "OnChip", "PassCost", "Step", "Stream"]

OnChip: TypeAlias = Literal["all", "fitting", "none"]
"""Which tensors between two passes stay on the chip: all (the best case), those that the model of the
compiler keeps there, or none (the worst case)."""


@dataclass(frozen=True)
class Stream:
    """DRAM bytes of the input, the output or the weights of a pass.

    Attributes:
        alone: Bytes that move before or after the engines run.
        beside: Bytes that move while they run.
        stripes: Pieces it moves in, reloads counted.
    """

    alone: int = 0
    beside: int = 0
    stripes: int = 1

    @property
    def total(self) -> int:
        """All bytes."""
        return self.alone + self.beside


@dataclass(frozen=True)
class PassCost:
    """One run of the NPU's engines over a tensor.

    Attributes:
        name: What it does.
        mce_cycles: Clock cycles of the multiply-accumulate engines.
        input: Activations that it reads from DRAM.
        output: Activations that it writes to DRAM.
        weights: Encoded weights that it reads, without compression.
        joined: Whether it is no pass of its own here: it joins the one before and takes no time. Its
            cycles are those that it needs on its own.
    """

    name: str
    mce_cycles: int
    input: Stream = Stream()
    output: Stream = Stream()
    weights: Stream = Stream()
    joined: bool = False

    @property
    def streams(self) -> tuple[Stream, Stream, Stream]:
        """All that moves between DRAM and chip."""
        return self.input, self.output, self.weights


@dataclass(frozen=True)
class Step:
    """A composite of a partition, with its place in the flow of data.

    Attributes:
        composite: Name of the composite.
        calls: Its calls, in order of execution.
        inputs: Activations that it reads.
        outputs: Indices of the calls that are the tensors it makes.
    """

    composite: str
    calls: tuple[Call, ...]
    inputs: tuple[Ref, ...]
    outputs: tuple[int, ...]


@runtime_checkable
class CostModel(Protocol):
    """What a target may offer beside placing operators. Without it nothing is estimated."""

    def passes(
        self, program: Program, steps: Sequence[Step], leaving: frozenset[Ref], on_chip: OnChip
    ) -> tuple[tuple[PassCost, ...], ...]:
        """The passes of a partition, for each of its steps.

        Args:
            program: The program.
            steps: The partition's composites, in order of execution.
            leaving: Tensors that are read outside the partition.
            on_chip: What is assumed of the tensors between two passes.
        """
