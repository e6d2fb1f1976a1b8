"""The passes of a partition of Ethos-N78: which tensors stay in SRAM, which go through DRAM.

A tensor stays in SRAM if one pass reads it, the very next one, and both passes fit with it. All others
are written to DRAM once and read by each reader: in NHWC if the CPU makes or reads them, else in the
NPU's own format.

What rescales, limits or post-processes the result of a convolution, as its only reader, joins its pass
(support_library: McePostProcessOperationNode, FuseOnlyPleOperationNode and McePlePass). Operators that
only move data (concatenation, split, reshape) keep their tensors in DRAM and cost nothing else: the
passes before write to the right place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pytest_npu_compat.model.program import Program, Ref
from pytest_npu_compat.target.base import Pattern
from pytest_npu_compat.target.cost import OnChip, PassCost, Step
from pytest_npu_compat.target.ethos_n78.memory import Operand, plan, shape_of, stored_bytes
from pytest_npu_compat.target.ethos_n78.operators import Addition
from pytest_npu_compat.target.ethos_n78.performance import Pass, Shape, passes
from pytest_npu_compat.target.ethos_n78.variants import Capabilities

__all__ = ["schedule"]

TensorId: TypeAlias = Ref | tuple[str, int]
"""A tensor of the program, or what the first pass of a step hands to the second."""


@dataclass(frozen=True)
class _Stage:
    """A pass in the order of execution."""

    step: int
    work: Pass
    reads: tuple[TensorId, ...]
    makes: TensorId
    post_processes: bool = False


def schedule(
    program: Program,
    steps: Sequence[Step],
    leaving: frozenset[Ref],
    on_chip: OnChip,
    patterns: Sequence[Pattern],
    npu: Capabilities,
) -> tuple[tuple[PassCost, ...], ...]:
    """The passes of each step of a partition; see `CostModel.passes`."""
    return _Schedule(program, steps, leaving, on_chip, patterns, npu).run()


class _Schedule:
    def __init__(
        self,
        program: Program,
        steps: Sequence[Step],
        leaving: frozenset[Ref],
        on_chip: OnChip,
        patterns: Sequence[Pattern],
        npu: Capabilities,
    ) -> None:
        self.program = program
        self.on_chip = on_chip
        self.npu = npu
        self.leaving = leaving
        self.operators = {pattern.composite: pattern.operator for pattern in patterns}
        self.made = {tensor for step in steps for tensor in step.outputs}
        self.shapes: dict[TensorId, Shape] = {
            ref: shape_of(program.type_of(ref))
            for step in steps
            for ref in (*step.inputs, *step.outputs)
        }
        self.in_dram: set[TensorId] = set(leaving)
        self.costs: list[list[PassCost]] = [[] for _ in steps]
        self.staying: set[TensorId] = set()
        stages = [stage for i, step in enumerate(steps) for stage in self._stages(i, step)]
        self.readers = _readers(stages)
        self.stages = stages if on_chip == "none" else self._joined(stages)
        self.readers = _readers(self.stages)

    def _stages(self, index: int, step: Step) -> list[_Stage]:
        extract = self.operators[step.composite]
        assert extract is not None
        op = extract(self.program, step.calls)
        works = passes(op, self.npu)
        if not works:
            return self._moves(index, step)
        if isinstance(op, Addition):
            works = (replace(works[0], weight_bytes=self._constants(step)),)
        stages = []
        reads: tuple[TensorId, ...] = step.inputs
        for position, work in enumerate(works):
            makes: TensorId = step.outputs[0]
            if work.between is not None:
                makes = (step.composite, step.outputs[0] * len(works) + position)
                self.shapes[makes] = work.between
            stages.append(_Stage(index, work, reads, makes))
            reads = (makes,)
        return stages

    def _constants(self, step: Step) -> int:
        """Bytes of the constant operand of an addition."""
        refs = [ref for call in step.calls for ref in call.args if self.program.is_constant(ref)]
        return sum(self.program.type_of(ref).elements or 0 for ref in refs)

    def _moves(self, index: int, step: Step) -> list[_Stage]:
        """Only what comes from outside the partition has to be copied."""
        self.in_dram.update(step.inputs, step.outputs)
        outside = [ref for ref in step.inputs if ref not in self.made]
        return [_Stage(index, Pass("copy", 0), (ref,), ref) for ref in outside]

    def _joined(self, stages: Sequence[_Stage]) -> list[_Stage]:
        """The stages, without those that join the one before."""
        kept: list[_Stage] = []
        for stage in stages:
            if not kept or not self._joins(stage, kept[-1]):
                kept.append(stage)
                continue
            post = kept[-1].post_processes or stage.work.joins == "ple"
            kept[-1] = replace(kept[-1], makes=stage.makes, post_processes=post)
            self.costs[stage.step].append(
                PassCost(stage.work.name, stage.work.mce_cycles, joined=True)
            )
        return kept

    def _joins(self, stage: _Stage, before: _Stage) -> bool:
        return (
            stage.work.joins != ""
            and stage.reads == (before.makes,)
            and len(self.readers[before.makes]) == 1
            and before.makes not in self.in_dram
            and before.work.weight_bytes > 0
            and not before.post_processes
        )

    def run(self) -> tuple[tuple[PassCost, ...], ...]:
        """Plans the passes in order of execution."""
        for position, stage in enumerate(self.stages):
            planned = None
            if self._may_stay(position) and self._plan(self.stages[position + 1], stage.makes):
                planned = self._plan(stage, stage.makes)
                if planned is not None:
                    self.staying.add(stage.makes)
            planned = planned or self._plan(stage)
            assert planned is not None
            self.costs[stage.step].extend(planned)
        return tuple(tuple(costs) for costs in self.costs)

    def _may_stay(self, position: int) -> bool:
        tensor = self.stages[position].makes
        in_dram = self.on_chip == "none" or tensor in self.in_dram
        return not in_dram and self.readers.get(tensor) == [position + 1]

    def _plan(self, stage: _Stage, staying: TensorId | None = None) -> tuple[PassCost, ...] | None:
        inputs = [self._operand(ref, staying) for ref in stage.reads]
        return plan(stage.work, inputs, self._operand(stage.makes, staying), self.npu)

    def _operand(self, tensor: TensorId, staying: TensorId | None) -> Operand:
        shape = self.shapes[tensor]
        if tensor in self.staying or tensor == staying:
            return Operand(shape, 0, stays=True)
        outside = not isinstance(tensor, tuple) and tensor not in self.made
        if outside or tensor in self.leaving:
            assert not isinstance(tensor, tuple)
            elements = self.program.type_of(tensor).elements or 0
            return Operand(shape, elements, plain=True)
        return Operand(shape, 0 if self.on_chip == "all" else stored_bytes(shape))


def _readers(stages: Sequence[_Stage]) -> dict[TensorId, list[int]]:
    readers: dict[TensorId, list[int]] = {}
    for position, stage in enumerate(stages):
        for tensor in stage.reads:
            readers.setdefault(tensor, []).append(position)
    return readers
