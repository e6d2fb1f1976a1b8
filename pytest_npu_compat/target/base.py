"""What a target is: patterns, the constraints on their matches, and a rule about regions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.target.constraint import Violation

if TYPE_CHECKING:
    from tvm.relax.dpl import DFPattern
    from tvm.relax.transform import PatternCheckContext

__all__ = ["Form", "Hazard", "Judgement", "Matching", "Pattern", "Target", "TargetError"]

Form: TypeAlias = Literal["integer_form", "operator_form", "relax_form"]
"""Module of `model/` that brings a graph to the form."""

Matching: TypeAlias = Literal["relay", "relax"]
"""Whose matches and regions count: those of Relay, which the reference used, or those of Relax.

Relay throws a match away whose inner result is read elsewhere, and merges regions by a rule of its own
(`analysis/regions.py`)."""


class TargetError(ValueError):
    """A target or variant that does not exist or is not available, or an option that it does not have."""


@dataclass(frozen=True)
class Hazard:
    """An operator that the real stack accepts, and then computes wrongly or cannot build.

    Attributes:
        rule: Id of the hazard.
        message: What goes wrong.
        actual: The value in the model.
        remedy: What to do about it.
    """

    rule: str
    message: str
    actual: str
    remedy: str


@dataclass(frozen=True)
class Judgement:
    """What a target says of the calls that one of its patterns matched.

    Attributes:
        violations: Broken constraints; none if the target takes the calls.
        hazards: What goes wrong although it takes them.
    """

    violations: tuple[Violation, ...] = ()
    hazards: tuple[Hazard, ...] = field(default=())


@dataclass(frozen=True)
class Pattern:
    """Calls that the NPU runs as one.

    Attributes:
        composite: Name of the composite, ``<target>.<operator>``.
        ops: Operators it needs: a program without them is not searched for it.
        build: Makes the TVM pattern.
        judge: Decides about a match, given its calls in order of execution.
        computes: Whether it multiplies and accumulates: a region without such a composite goes back
            to the CPU.
        operator: Reads the operator that a match stands for, for targets that tell its cost.
        parts: Parts of the TVM pattern by name, which `check` looks at.
        check: A condition of TVM's own, asked before `judge`; None if there is none.
        refusal: What is said of a match that `check` refuses.
    """

    composite: str
    ops: frozenset[str]
    build: Callable[[], DFPattern]
    judge: Callable[[Program, Sequence[Call]], Judgement]
    computes: bool = False
    operator: Callable[[Program, Sequence[Call]], object] | None = None
    parts: Mapping[str, DFPattern] = field(default_factory=dict, hash=False)
    check: Callable[[PatternCheckContext], bool] | None = None
    refusal: Callable[[Program, Sequence[Call]], Violation] | None = None


class Target(Protocol):
    """An NPU that operators can be placed on."""

    @property
    def name(self) -> str:
        """Name in gate files, e.g. ``ethos-n78``."""

    @property
    def variant(self) -> str:
        """Variant, e.g. ``4tops-4ple``."""

    @property
    def rules(self) -> str:
        """Version of the rules, e.g. ``ethos-n-driver-stack-23.02``."""

    @property
    def form(self) -> Form:
        """The form of a model that its patterns and rules are about."""

    @property
    def matching(self) -> Matching:
        """Whose matches and regions count."""

    @property
    def inline_non_compute_intensive_partitions(self) -> bool:
        """Whether a region without multiply-accumulates goes back to the CPU."""

    @property
    def cyclic_hazard(self) -> Hazard:
        """What the real stack does with partitions that need each other's results."""

    def patterns(self) -> Sequence[Pattern]:
        """Patterns in the order in which they are tried.

        Raises:
            TargetError: The target needs something that is not installed.
        """

    def unmatched(self, program: Program, call: Call) -> Violation:
        """Why no pattern takes a call."""
