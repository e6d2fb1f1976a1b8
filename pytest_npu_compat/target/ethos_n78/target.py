"""The target `ethos-n78`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_npu_compat.model.program import Call, Program, Ref
from pytest_npu_compat.target.base import Form, Hazard, Matching, Pattern
from pytest_npu_compat.target.constraint import Violation
from pytest_npu_compat.target.cost import OnChip, PassCost, Step
from pytest_npu_compat.target.ethos_n78.hazards import CYCLIC
from pytest_npu_compat.target.ethos_n78.patterns import pattern_table
from pytest_npu_compat.target.ethos_n78.schedule import schedule
from pytest_npu_compat.target.ethos_n78.unmatched import never_offloaded
from pytest_npu_compat.target.ethos_n78.variants import (
    DEFAULT_VARIANT,
    VARIANTS,
    Capabilities,
    with_sram,
)

__all__ = ["EthosN78"]


@dataclass(frozen=True)
class EthosN78:
    """Arm Ethos-N78, as TVM 0.18 with Arm's support library 23.02 uses it.

    Attributes:
        variant: One of `VARIANTS`.
        inline_non_compute_intensive_partitions: Whether a region without multiply-accumulates goes
            back to the CPU, as the reference does by default.
        sram_size: Bytes of SRAM instead of the variant's own; 0 keeps them.
    """

    variant: str = DEFAULT_VARIANT
    inline_non_compute_intensive_partitions: bool = True
    sram_size: int = 0
    name: str = "ethos-n78"
    rules: str = "ethos-n-driver-stack-23.02"

    @property
    def capabilities(self) -> Capabilities:
        """Hardware of the variant."""
        return with_sram(VARIANTS[self.variant], self.sram_size)

    @property
    def cyclic_hazard(self) -> Hazard:
        """What the real stack does with partitions that need each other's results."""
        return CYCLIC("partitions in a cycle")

    @property
    def form(self) -> Form:
        """The form of a model that its patterns and rules are about."""
        return "integer_form"

    @property
    def matching(self) -> Matching:
        """The reference is a backend of Relay."""
        return "relay"

    def patterns(self) -> Sequence[Pattern]:
        """Patterns in the order in which they are tried."""
        return pattern_table(self.capabilities)

    def unmatched(self, program: Program, call: Call) -> Violation:
        """Why no pattern takes a call."""
        kind = "" if call.operator is None else program.operators[call.operator].kind
        return never_offloaded(call.op, kind)

    def passes(
        self, program: Program, steps: Sequence[Step], leaving: frozenset[Ref], on_chip: OnChip
    ) -> tuple[tuple[PassCost, ...], ...]:
        """The passes of a partition, for each of its steps; see `CostModel`."""
        return schedule(program, steps, leaving, on_chip, self.patterns(), self.capabilities)
