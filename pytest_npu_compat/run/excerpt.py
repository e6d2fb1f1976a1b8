"""Lines of a model's IR, for readers who want to see what an operator becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.run.analysis import load
from pytest_npu_compat.run.request import AnalysisRequest

if TYPE_CHECKING:
    from pytest_npu_compat.model.graph import TensorType
    from pytest_npu_compat.model.program import Call, Program

__all__ = ["Excerpt", "excerpts"]


@dataclass(frozen=True)
class Excerpt:
    """What some neighbouring operators of a model are in the form that the target's rules are about.

    Attributes:
        before: IR operators of the operator that computes their input; empty for a graph input.
        ops: Their own IR operators, in order of execution.
        lines: The IR of these, one line for each.
        dtypes: Data types of the tensors that these read and make, constants apart.
    """

    before: tuple[str, ...]
    ops: tuple[str, ...]
    lines: tuple[str, ...]
    dtypes: frozenset[str]

    @property
    def arithmetic(self) -> Literal["integer", "float", ""]:
        """What the operators compute in from end to end; empty if that changes on the way."""
        if not self.dtypes:
            return ""
        if all(dtype.startswith(("int", "uint")) for dtype in self.dtypes):
            return "integer"
        is_float = all(dtype.startswith(("float", "bfloat")) for dtype in self.dtypes)
        return "float" if is_float else ""


def excerpts(request: AnalysisRequest, groups: Sequence[Sequence[str]]) -> tuple[Excerpt, ...]:
    """One excerpt for each group of operators.

    Args:
        request: The model. It is read again, because a report does not carry its IR.
        groups: Names of operators, as a report of the model has them.

    Raises:
        ModelError: The model cannot be read, or changed since the report.
    """
    from pytest_npu_compat.model import relax_module

    target = request.make_target()
    program = load(request, target)[1]
    shown = _RELAX if target.form == "relax_form" else {}
    module = relax_module.build(program)
    by_name = {operator.name: operator for operator in reversed(program.operators)}
    found = []
    for names in groups:
        missing = [name for name in names if name not in by_name]
        if missing:
            raise ModelError(
                "invalid-model",
                f"{request.shown_path} has no operator {missing[0]!r} any more.",
                "The file changed during the analysis; run it again.",
            )
        operators = [by_name[name] for name in names]
        calls = sorted(i for operator in operators for i in operator.calls)
        own = {operator.index for operator in operators}
        # Only the first call of the group has its input from outside for certain.
        sources = [ref for ref in program.calls[calls[0]].args if isinstance(ref, int)]
        before = {program.calls[ref].operator for ref in sources[:1]} - own - {None}
        found.append(
            Excerpt(
                before=tuple(
                    shown.get(call.op, call.op) for call in program.calls if call.operator in before
                ),
                ops=tuple(shown.get(program.calls[i].op, program.calls[i].op) for i in calls),
                lines=tuple(relax_module.listing(module, set(calls))),
                dtypes=frozenset(
                    type_.dtype for i in calls for type_ in _types(program, program.calls[i])
                ),
            )
        )
    return tuple(found)


_RELAX = {"qnn.quantize": "relax.quantize", "qnn.dequantize": "relax.dequantize"}
"""What Relax calls the conversions, which have one name in all forms of a model."""


def _types(program: Program, call: Call) -> tuple[TensorType, ...]:
    """Types of the tensors that a call reads and makes, constants apart."""
    read = (program.type_of(ref) for ref in call.args if not program.is_constant(ref))
    return (*read, *call.types)
