"""The backends whose pattern tables TVM itself has: which operators it would hand to NNAPI, TensorRT, ...

A pattern table says what TVM offloads. Whether the vendor's own runtime then takes everything of it can
only be seen on the device.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_npu_compat.model.program import IMPORTER_SAYS, Call, Program
from pytest_npu_compat.target.base import (
    Form,
    Hazard,
    Judgement,
    Matching,
    Pattern,
    TargetError,
)
from pytest_npu_compat.target.constraint import Level, Violation

if TYPE_CHECKING:
    from tvm.relax.dpl import DFPattern
    from tvm.relax.transform import FusionPattern

__all__ = ["BACKENDS", "FLOAT_REMEDY", "RULES", "ByocTarget"]

BACKENDS: Mapping[str, str] = {
    "nnapi": "tvm.relax.backend.contrib.nnapi",
    "tensorrt": "tvm.relax.backend.contrib.tensorrt",
    "coreml": "tvm.relax.backend.metal.coreml",
    "example_npu": "tvm.relax.backend.contrib.example_npu",
}
"""Name of a backend, which its patterns begin with, and the module of TVM that registers them."""

RULES: Mapping[str, str] = {
    "no-pattern": "TVM's pattern table of the backend has no pattern that takes the operator.",
    "conversion-on-cpu": "TVM's pattern table of the backend takes the operator, but not the "
    "QuantizeLinear and DequantizeLinear nodes around it: they stay on the CPU, and the operator "
    "is computed in float between them.",
    "not-imported": "TVM's ONNX importer does not take the node, so no backend of TVM can run it.",
    "backend-check": "A pattern takes the operator, but the backend's own check refuses its parameters.",
}
"""Why an operator is not offloaded, in general."""

FLOAT_REMEDY = (
    "Judge the float model on this backend, or quantize for an NPU that runs integer operators."
)
"""What to do about conversions: no backend has a pattern for them, whatever operator is between them."""


@dataclass(frozen=True)
class ByocTarget:
    """A backend of TVM ("bring your own codegen"), as TVM's own partitioning uses it.

    Attributes:
        name: One of `BACKENDS`.
        variant: Always empty.
        inline_non_compute_intensive_partitions: False: TVM keeps every region.
    """

    name: str
    variant: str = ""
    inline_non_compute_intensive_partitions: bool = False

    @property
    def rules(self) -> str:
        """TVM's version: the pattern tables are part of it."""
        return f"tvm-{importlib.metadata.version('apache-tvm')}-{self.name}"

    @property
    def form(self) -> Form:
        """The form of a model that its patterns and rules are about."""
        return "relax_form"

    @property
    def matching(self) -> Matching:
        """The patterns are made for Relax."""
        return "relax"

    @property
    def cyclic_hazard(self) -> Hazard:
        """Relax makes no cycles; the protocol asks for it."""
        return Hazard("cyclic-partitions", "Partitions need each other's results.", "", "")

    def patterns(self) -> Sequence[Pattern]:
        """TVM's table, in the order in which TVM tries it.

        Raises:
            TargetError: This TVM has no pattern for the backend.
        """
        from tvm.relax.backend.pattern_registry import get_patterns_with_prefix

        try:
            importlib.import_module(BACKENDS[self.name])
        except ImportError as error:
            raise TargetError(f"This TVM has no backend {self.name}.") from error
        table = get_patterns_with_prefix(f"{self.name}.")
        if not table:
            raise TargetError(f"This TVM has no patterns for {self.name}.")
        return [self._pattern(entry) for entry in table]

    def _pattern(self, entry: FusionPattern) -> Pattern:
        pattern: DFPattern = entry.pattern
        return Pattern(
            composite=str(entry.name),
            ops=frozenset(),
            build=lambda: pattern,
            judge=_takes,
            parts={str(name): part for name, part in entry.annotation_patterns.items()},
            check=entry.check,
            refusal=self._refused,
        )

    def _refused(self, program: Program, calls: Sequence[Call]) -> Violation:
        """A backend's check says no, and not why."""
        call = calls[-1]
        shown = [f"{name} {value}" for name, value in call.attrs.items() if _is_plain(value)]
        return Violation(
            rule="backend-check",
            level=Level.UNSUPPORTED,
            message=f"TVM's check of {self.name} refuses this {_kind(program, call)}.",
            actual=", ".join(shown) or call.op,
            allowed="",
            remedy=f"Compare it with the check in {BACKENDS[self.name]}, or accept it on the CPU.",
        )

    def unmatched(self, program: Program, call: Call) -> Violation:
        """Why no pattern takes a call."""
        kind = _kind(program, call)
        if says := call.attrs.get(IMPORTER_SAYS):
            return Violation(
                rule="not-imported",
                level=Level.UNSUPPORTED,
                message=f"TVM's ONNX importer does not take this {kind}.",
                actual=str(says),
                allowed="",
                remedy="Replace it, or accept it on the CPU.",
            )
        if call.op in ("qnn.quantize", "qnn.dequantize"):
            return Violation(
                rule="conversion-on-cpu",
                level=Level.UNSUPPORTED,
                message=f"TVM's table of {self.name} has no pattern for the QuantizeLinear and "
                "DequantizeLinear nodes around this operator, so they stay on the CPU.",
                actual=f"{kind} in float between conversions",
                allowed="",
                remedy=FLOAT_REMEDY,
            )
        return Violation(
            rule="no-pattern",
            level=Level.UNSUPPORTED,
            message=f"TVM's table of {self.name} has no pattern for {call.op}, which {kind} becomes.",
            actual=call.op,
            allowed="",
            remedy="Replace it by an operator that the table has, or accept it on the CPU.",
        )


def _takes(_program: Program, _calls: Sequence[Call]) -> Judgement:
    """TVM's own check has already been asked."""
    return Judgement()


def _kind(program: Program, call: Call) -> str:
    return call.op if call.operator is None else program.operators[call.operator].kind


def _is_plain(value: object) -> bool:
    return isinstance(value, (bool, int, float, str)) or (isinstance(value, tuple) and bool(value))
