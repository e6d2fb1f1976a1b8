"""Program + patterns -> composites: TVM matches, the target judges, and what it says is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_npu_compat.analysis.dataflow import STRUCTURAL
from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.target.base import Hazard, Judgement, Pattern, Target
from pytest_npu_compat.target.constraint import Violation

if TYPE_CHECKING:
    import tvm
    from tvm.relax.transform import FusionPattern, PatternCheckContext

__all__ = ["Composite", "Matches", "Rejection", "composite_calls", "match"]

_CALLS = "calls"
"""Attribute of a composite function: indices of its calls. It also keeps TVM from taking two structurally
equal functions for one."""


@dataclass(frozen=True)
class Composite:
    """Calls that a pattern matched and the target takes.

    Attributes:
        name: E.g. ``ethos-n78.conv2d``.
        calls: Indices of its calls, in order of execution.
        computes: Whether it multiplies and accumulates.
        hazards: What the real stack does wrong with it.
    """

    name: str
    calls: tuple[int, ...]
    computes: bool
    hazards: tuple[Hazard, ...]

    @property
    def root(self) -> int:
        """The call whose result leaves the composite."""
        return self.calls[-1]


@dataclass(frozen=True)
class Rejection:
    """Calls that a pattern matched and the target refuses.

    Attributes:
        calls: Indices of the calls, in order of execution.
        violations: The constraints they break.
    """

    calls: tuple[int, ...]
    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class Matches:
    """What the patterns of a target match.

    Attributes:
        composites: All that the target takes, in order of execution.
        rejections: Matches that broke constraints, one for each root call.
        module: The module with a function for each composite.
    """

    composites: tuple[Composite, ...]
    rejections: tuple[Rejection, ...]
    module: tvm.IRModule


def match(program: Program, target: Target) -> Matches:
    """Runs TVM's FuseOpsByPattern with the patterns and constraints of a target."""
    from tvm import relax

    from pytest_npu_compat.model import relax_module

    patterns = target.patterns()
    present = {call.op for call in program.calls}
    if program.module is None:
        for op in present - STRUCTURAL:
            relax_module.register(op)
    journal = _Journal(program, target)
    fusion = [journal.watch(pattern) for pattern in patterns if pattern.ops <= present]
    module = relax_module.build(program)
    fused = relax.transform.FuseOpsByPattern(fusion, bind_constants=False)(module)
    return Matches(_composites(fused, patterns, journal), tuple(journal.rejections.values()), fused)


def composite_calls(function: Any) -> list[int]:
    """Indices of the calls of a composite function; empty for a function that is none."""
    attrs = getattr(function, "attrs", None)
    if attrs is None or "Composite" not in attrs:
        return []
    return [int(index) for index in str(attrs[_CALLS]).split(",")]


class _Journal:
    """What the check functions saw: the reasons of rejected matches, the hazards of taken ones."""

    def __init__(self, program: Program, target: Target) -> None:
        self.program = program
        self.target = target
        self.rejections: dict[int, Rejection] = {}
        self.hazards: dict[int, tuple[Hazard, ...]] = {}
        self.readers = {index: set(users) for index, users in program.users().items()}
        for position, ref in enumerate(program.outputs):
            if isinstance(ref, int):
                self.readers[ref].add(len(program.calls) + position)

    def watch(self, pattern: Pattern) -> FusionPattern:
        """A pattern as TVM takes it, whose check asks the target."""
        from tvm.relax.transform import FusionPattern

        taken: list[int] = []

        def check(context: PatternCheckContext) -> bool:
            taken[:] = _calls(context)
            return self._takes(pattern, taken, context)

        def attributes(_annotated: Any) -> dict[str, str]:
            return {_CALLS: ",".join(map(str, taken))}  # TVM asks right after the check

        built = pattern.build()
        parts = dict(pattern.parts) or {"root": built}
        return FusionPattern(pattern.composite, built, parts, check, attributes)

    def _takes(self, pattern: Pattern, indices: list[int], context: PatternCheckContext) -> bool:
        # TVM 0.27 would copy or fuse a result that is read elsewhere too; the reference throws such a
        # match away (rules 2.2).
        leaks = any(self.readers[i] - set(indices) for i in indices[:-1])
        if leaks and self.target.matching == "relay":
            return False
        calls = [self.program.calls[i] for i in indices]
        if pattern.check is not None and not pattern.check(context):
            assert pattern.refusal is not None
            return self._record(calls, Judgement((pattern.refusal(self.program, calls),)))
        return self._record(calls, pattern.judge(self.program, calls))

    def _record(self, calls: Sequence[Call], judgement: Judgement) -> bool:
        root = calls[-1].index
        if not judgement.violations:
            self.rejections.pop(root, None)
            self.hazards[root] = judgement.hazards
            return True
        # Of several refused matches the longest says most (a convolution, not its requantize);
        # among equals the one tried last is the most general form.
        known = self.rejections.get(root)
        if known is None or len(known.calls) <= len(calls):
            indices = tuple(call.index for call in calls)
            self.rejections[root] = Rejection(indices, judgement.violations)
        return False


def _calls(context: PatternCheckContext) -> list[int]:
    """Indices of the matched calls, in order of execution."""
    from pytest_npu_compat.model.relax_module import call_index

    found = (call_index(var, value) for var, value in context.matched_bindings.items())
    return sorted(index for index in found if index is not None)


def _composites(
    module: tvm.IRModule, patterns: Sequence[Pattern], journal: _Journal
) -> tuple[Composite, ...]:
    computes = {pattern.composite: pattern.computes for pattern in patterns}
    found = []
    for function in module.functions.values():
        if calls := composite_calls(function):
            name = str(function.attrs["Composite"])
            hazards = journal.hazards.get(calls[-1], ())
            found.append(Composite(name, tuple(calls), computes[name], hazards))
    return tuple(sorted(found, key=lambda composite: composite.root))
