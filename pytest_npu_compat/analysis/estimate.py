"""Placement -> estimates of time, DRAM traffic and energy, by a model that one can check by hand.

`docs/estimates.md` describes it. Everything here is arithmetic on shapes; nothing is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_npu_compat.analysis.costs import CpuIsland, EstimateInfo, Figures, Range
from pytest_npu_compat.analysis.cpu import Kernel, kernel
from pytest_npu_compat.analysis.dataflow import STRUCTURAL, Dataflow, size
from pytest_npu_compat.analysis.metrics import Facts
from pytest_npu_compat.analysis.parts import Part, invocation, on_cpu, on_npu, total
from pytest_npu_compat.analysis.placement import Placement
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.model.program import Operator
from pytest_npu_compat.target.cost import CostModel, OnChip, Step

__all__ = ["estimate"]

_SCENARIOS: tuple[OnChip, ...] = ("fitting", "all", "none")


def estimate(facts: Facts, placement: Placement, target: object, platform: Platform) -> Facts:
    """Adds estimates to the facts of a placement.

    Args:
        facts: From `collect`.
        placement: What they were collected from.
        target: What the operators were placed on; without a `CostModel` nothing is estimated.
        platform: The machine that is assumed.
    """
    if not isinstance(target, CostModel):
        return facts
    return _Estimator(facts, placement, target, platform).run()


class _Estimator:
    def __init__(
        self, facts: Facts, placement: Placement, target: CostModel, platform: Platform
    ) -> None:
        self.facts = facts
        self.placement = placement
        self.program = placement.program
        self.target = target
        self.platform = platform
        self.flow = Dataflow(self.program)
        kept = {root for roots in placement.partitions for root in roots}
        self.npu_calls = {i for c in placement.composites if c.root in kept for i in c.calls}
        self.border_calls = [
            call.index
            for call in self.program.calls
            if call.operator is None and call.op not in STRUCTURAL
        ]

    def run(self) -> Facts:
        operators = self.program.operators
        whole = [self._kernel(o, o.calls) for o in operators]
        borders = [kernel(self.program, self.flow, None, [index]) for index in self.border_calls]
        unknown = [o.name for o, work in zip(operators, whole, strict=True) if work is None]
        if unknown or None in borders:
            info = EstimateInfo(None, None, not_estimable=tuple(unknown))
            return replace(self.facts, estimate=info)
        # From here on every kernel is known: those that are left are parts of known ones.
        border = total(self._cpu_part(work) for work in borders)
        cpu_only = total(self._cpu_part(work) for work in whole) + border
        left = [self._kernel(o, self._cpu_calls(o)) for o in operators]
        cpu = [self._cpu_part(work) for work in left]
        npu = [
            replace(part, npu_macs=_macs(before) - _macs(after))
            for part, before, after in zip(self._npu_parts(), whole, left, strict=True)
        ]
        calls = [
            invocation(p.input_bytes + p.output_bytes, self.platform) for p in self.facts.partitions
        ]
        return replace(
            self.facts,
            operators=tuple(
                replace(o, estimate=(a + b).cost)
                for o, a, b in zip(self.facts.operators, npu, cpu, strict=True)
            ),
            partitions=tuple(
                replace(p, estimate=part.cost)
                for p, part in zip(self.facts.partitions, calls, strict=True)
            ),
            estimate=EstimateInfo(
                cpu_only=cpu_only.cost,
                borders=border.cost,
                cpu_touched_bytes=self._cpu_touched(),
                cpu_islands=self._islands(cpu),
            ),
            figures=_figures(cpu_only, total([*npu, *calls]), total(cpu) + border, self.platform),
        )

    def _kernel(self, operator: Operator, calls: Sequence[int]) -> Kernel | None:
        return kernel(self.program, self.flow, operator, calls)

    def _cpu_part(self, work: Kernel | None) -> Part:
        assert work is not None
        return on_cpu(work, self.platform)

    def _cpu_calls(self, operator: Operator) -> list[int]:
        """The calls of an operator that stay on the CPU."""
        return [
            i
            for i in operator.calls
            if i not in self.npu_calls and self.program.calls[i].op not in STRUCTURAL
        ]

    def _npu_parts(self) -> list[Part]:
        """For each operator, what the NPU runs of it."""
        parts = [Part() for _ in self.program.operators]
        composites = {c.root: c for c in self.placement.composites}
        for roots in self.placement.partitions:
            members = [composites[root] for root in roots]
            steps = [
                Step(
                    c.name,
                    tuple(self.program.calls[i] for i in c.calls),
                    tuple(r for r in self.flow.reads(c.calls) if not self.program.is_constant(r)),
                    self.flow.made((c.root,)),
                )
                for c in members
            ]
            leaving = frozenset(self.flow.leaving([i for c in members for i in c.calls]))
            scenarios = [
                self.target.passes(self.program, steps, leaving, on_chip) for on_chip in _SCENARIOS
            ]
            for position, composite in enumerate(members):
                owner = self.program.calls[composite.root].operator
                assert owner is not None
                passes = [scenario[position] for scenario in scenarios]
                parts[owner] += on_npu(passes, self.platform)
        return parts

    def _cpu_touched(self) -> int:
        groups = [self._cpu_calls(operator) for operator in self.program.operators]
        groups += [[index] for index in self.border_calls]
        return sum(size(self.program.type_of(ref)) for ref in self.flow.touched(groups))

    def _islands(self, parts: Sequence[Part]) -> tuple[CpuIsland, ...]:
        """Operators on the CPU that hand tensors to one another, with their transfers."""
        calls = {o.index: self._cpu_calls(o) for o in self.program.operators}
        groups = self.flow.connected([group for group in calls.values() if group])
        owner = {i: index for index, group in calls.items() for i in group}
        islands = []
        for group in groups:
            members = sorted({owner[i] for i in group})
            crossing = {t for t in self.flow.reads(group) if self.flow.maker(t) in self.npu_calls}
            crossing |= {
                t
                for t in self.flow.leaving(group)
                if not self.npu_calls.isdisjoint(self.flow.readers.get(t, ()))
            }
            transferred = sum(size(self.program.type_of(tensor)) for tensor in crossing)
            copies = Range.exactly(2 * transferred / self.platform.dram_bandwidth)
            seconds = total(parts[member] for member in members).seconds + copies
            names = tuple(self.program.operators[member].name for member in members)
            islands.append(CpuIsland(names, transferred, seconds * 1e6))
        return tuple(sorted(islands, key=lambda island: -island.latency_us.nominal))


def _macs(work: Kernel | None) -> int:
    return 0 if work is None else work.macs


def _figures(cpu_only: Part, npu: Part, cpu: Part, platform: Platform) -> Figures | None:
    """The metrics; None if nothing costs anything.

    Each range takes every assumption to its ends, and the same one on both sides of a ratio.
    """
    placed = npu + cpu
    if not placed.seconds.nominal or not cpu_only.seconds.nominal:
        return None
    speedups = [
        before / (busy + after)
        for before, after in zip(cpu_only.seconds.ends, cpu.seconds.ends, strict=True)
        for busy in (npu.seconds.low, npu.seconds.high)
    ]
    ratios = [
        cpu_only.energy(platform, end, dram) / placed.energy(platform, end, dram)
        for dram in platform.dram_energy.ends
        for end in (0, 2)
    ]
    nominal_dram = platform.dram_energy.nominal
    return Figures(
        latency_ms=placed.seconds * 1e3,
        speedup=Range.around(cpu_only.seconds.nominal / placed.seconds.nominal, *speedups),
        energy_ratio=Range.around(
            cpu_only.energy(platform, 1, nominal_dram) / placed.energy(platform, 1, nominal_dram),
            *ratios,
        ),
        dram_bytes=placed.dram_bytes,
    )
