"""A target that a profile declares."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_npu_compat.model.operator_form import call_name
from pytest_npu_compat.model.program import Call, Program
from pytest_npu_compat.target.base import Form, Hazard, Judgement, Matching, Pattern
from pytest_npu_compat.target.constraint import Level, Violation
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile
from pytest_npu_compat.target.profile.judge import judge
from pytest_npu_compat.target.profile.properties import Subject

if TYPE_CHECKING:
    from tvm.relax.dpl import DFPattern

__all__ = ["ProfileTarget"]


@dataclass(frozen=True)
class ProfileTarget:
    """The NPU of a profile.

    Attributes:
        profile: What it runs.
        variant: Always empty: a variant is a profile of its own.
        inline_non_compute_intensive_partitions: False: a profile says nothing of regions.
    """

    profile: Profile
    variant: str = ""
    inline_non_compute_intensive_partitions: bool = False

    @property
    def name(self) -> str:
        """Name of the NPU."""
        return self.profile.name

    @property
    def rules(self) -> str:
        """What the profile follows, and a hash of what it says: any change of it is a change of rules."""
        text = json.dumps(dataclasses.asdict(self.profile), sort_keys=True)
        return f"{self.profile.rules} (profile {hashlib.sha256(text.encode()).hexdigest()[:8]})"

    @property
    def cyclic_hazard(self) -> Hazard:
        """Partitions that need each other's results cannot be called one after the other."""
        return Hazard(
            "cyclic-partitions",
            "This partition and another one need each other's results, so no order of calls exists.",
            "partitions in a cycle",
            "Move the operators between them to the NPU, or split the partition.",
        )

    @property
    def form(self) -> Form:
        """The form of a model that its patterns and rules are about."""
        return "operator_form"

    @property
    def matching(self) -> Matching:
        """Each pattern is one call, so only regions differ: those of the reference leave no gaps."""
        return "relay"

    def patterns(self) -> Sequence[Pattern]:
        """One for each operator type."""
        return [
            Pattern(
                composite=f"{self.name}.{kind.lower()}",
                ops=frozenset({call_name(kind)}),
                build=partial(_call_of, call_name(kind)),
                judge=partial(self._judge, rules),
            )
            for kind, rules in self.profile.operators
        ]

    def _judge(
        self, rules: Sequence[OperatorRule], program: Program, calls: Sequence[Call]
    ) -> Judgement:
        return Judgement(judge(self.profile, rules, Subject(program, calls[-1])))

    def unmatched(self, program: Program, call: Call) -> Violation:  # noqa: ARG002 - the protocol's
        """The operator type is not in the profile."""
        names = {"qnn.quantize": "QuantizeLinear", "qnn.dequantize": "DequantizeLinear"}
        kind = names.get(call.op, call.op.removeprefix("onnx."))
        return Violation(
            rule="not-in-profile",
            level=Level.UNSUPPORTED,
            message=f"The profile of {self.name} does not list {kind}.",
            actual=kind,
            allowed="",
            remedy="Replace it, accept it on the CPU, or, if the NPU runs it, add it to the profile.",
        )


def _call_of(op: str) -> DFPattern:
    """A pattern of one call with any arguments."""
    from tvm.relax.dpl import is_op

    return is_op(op)(varg_default_wildcard=True)
