"""Placement -> operators with reasons, partitions with their borders."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping

from pytest_npu_compat.analysis.attributes import attributes
from pytest_npu_compat.analysis.conversions import find_islands
from pytest_npu_compat.analysis.metrics import Facts
from pytest_npu_compat.analysis.placement import Placement
from pytest_npu_compat.analysis.report import HazardInfo, OperatorInfo, PartitionInfo, Reason
from pytest_npu_compat.model.graph import TensorType
from pytest_npu_compat.model.program import Operator, Ref
from pytest_npu_compat.target.base import Hazard
from pytest_npu_compat.target.constraint import Level, Violation

__all__ = ["collect"]

_CONVERSIONS = {"qnn.dequantize", "qnn.quantize", "cast"}
_STRUCTURAL = {"tuple", "tuple_get_item"}

_BYTES = {
    "float64": 8,
    "int64": 8,
    "uint64": 8,
    "float32": 4,
    "int32": 4,
    "uint32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int16": 2,
    "uint16": 2,
}


def collect(placement: Placement) -> Facts:
    """All that a report says of a placement."""
    collector = _Collector(placement)
    operators = tuple(collector.operator(o) for o in placement.program.operators)
    return Facts(
        operators=operators,
        partitions=tuple(collector.partition(i) for i in range(len(placement.partitions))),
        qdq_pairs=find_islands(placement.program, collector.on_npu),
        host_ops=len(placement.host_calls()),
        pass_through=placement.pass_through,
    )


class _Collector:
    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.program = placement.program
        self.composite_of = {i: c for c in placement.composites for i in c.calls}
        self.partition_of = {
            root: index for index, roots in enumerate(placement.partitions) for root in roots
        }
        self.on_npu = {
            call.index: (
                call.index in self.composite_of
                and self.composite_of[call.index].root in self.partition_of
            )
            for call in self.program.calls
        }
        self.rejected = {i: match for match in placement.rejections for i in match.calls}

    def operator(self, operator: Operator) -> OperatorInfo:
        calls = [i for i in operator.calls if self.program.calls[i].op not in _STRUCTURAL]
        composites = [self.composite_of[i] for i in calls if i in self.composite_of]
        taken = bool(calls) and len(composites) == len(calls)
        placed = taken and all(self.on_npu[i] for i in calls)
        supported, reasons = self._verdict(operator, calls, taken=taken, placed=placed)
        partitions = [self.partition_of[c.root] for c in composites if c.root in self.partition_of]
        hazards = [h for c in dict.fromkeys(composites) for h in c.hazards] if placed else []
        if placed and partitions[0] in self.placement.cyclic:
            hazards.append(self.placement.cyclic_hazard)
        return OperatorInfo(
            name=operator.name,
            kind=operator.kind,
            nodes=operator.nodes,
            supported=supported,
            placement="unknown" if operator.form == "unknown" else "npu" if placed else "cpu",
            partition=partitions[0] if placed else None,
            composite=composites[0].name if taken else None,
            macs=operator.macs,
            output_shape=operator.output_shape,
            reasons=reasons,
            hazards=tuple(_hazard(h) for h in hazards),
            attributes=attributes(self.program, operator),
        )

    def _verdict(
        self, operator: Operator, calls: list[int], *, taken: bool, placed: bool
    ) -> tuple[bool | str, tuple[Reason, ...]]:
        if placed:
            return True, ()
        if taken:
            return True, (_sent_back(operator),)
        if operator.note or operator.form != "integer":
            return False, (_in_float(operator),)
        broken = [i for i in calls if i not in self.composite_of]
        own = [i for i in broken if self.program.calls[i].op not in _CONVERSIONS] or broken
        found: list[Violation] = []
        for index in own:
            match = self.rejected.get(index)
            found.extend(match.violations if match else (self.placement.unmatched[index],))
        if not found:
            found = [self.placement.unmatched[i] for i in broken]
        estimate_only = all(v.level is Level.ESTIMATE_ONLY for v in found)
        reasons = dict.fromkeys(_reason(violation) for violation in found)
        return Level.ESTIMATE_ONLY.value if estimate_only else False, tuple(reasons)

    def partition(self, index: int) -> PartitionInfo:
        roots = set(self.placement.partitions[index])
        calls = [i for c in self.placement.composites if c.root in roots for i in c.calls]
        inside = set(calls)
        inside |= {
            c.index
            for c in self.program.calls
            if c.op in _STRUCTURAL and self._sources(c.index) <= inside
        }
        inputs: dict[Ref, None] = {}
        for i in calls:
            for ref in self._resolved(i):
                if ref not in inside and not self.program.is_constant(ref):
                    inputs[ref] = None
        outputs = [i for i in sorted(inside) if self._leaves(i, inside)]
        names = dict.fromkeys(
            self.program.operators[operator].name
            for i in calls
            if (operator := self.program.calls[i].operator) is not None
        )
        return PartitionInfo(
            id=index,
            operators=tuple(names),
            macs=sum(o.macs for o in self.program.operators if o.name in names),
            inputs=len(inputs),
            outputs=len(outputs),
            input_bytes=sum(_size(self.program.type_of(ref)) for ref in inputs),
            output_bytes=sum(_size(self.program.calls[i].type) for i in outputs),
        )

    def _resolved(self, index: int) -> list[Ref]:
        """What a call reads, with tuples replaced by their fields."""
        refs: list[Ref] = []
        for ref in self.program.calls[index].args:
            if isinstance(ref, int) and self.program.calls[ref].op == "tuple":
                refs.extend(self._resolved(ref))
            else:
                refs.append(ref)
        return refs

    def _sources(self, index: int) -> set[Ref]:
        return set(self.program.calls[index].args)

    def _leaves(self, index: int, inside: set[int]) -> bool:
        """Whether the result of a call is read outside its partition as a tensor."""
        call = self.program.calls[index]
        if call.returns_tuple:
            return False
        if index in self.program.outputs:
            return True
        return any(user not in inside for user in self.users.get(index, ()))

    @functools.cached_property
    def users(self) -> Mapping[int, list[int]]:
        return self.program.users()


def _size(type_: TensorType) -> int:
    """Bytes of a tensor; unknown dimensions count as 1."""
    dims: Iterable[int | None] = type_.shape or ()
    return math.prod(dim or 1 for dim in dims) * _BYTES.get(type_.dtype, 1)


def _reason(violation: Violation) -> Reason:
    return Reason(
        violation.rule,
        violation.message,
        violation.actual,
        violation.allowed or None,
        violation.remedy,
    )


def _hazard(hazard: Hazard) -> HazardInfo:
    return HazardInfo(hazard.rule, hazard.message, hazard.actual, hazard.remedy)


def _sent_back(operator: Operator) -> Reason:
    return Reason(
        "no-mac-region",
        "The NPU supports it, but its region has no convolution, product or pool: such regions go "
        "back to the CPU.",
        f"{operator.kind} in a region without multiply-accumulates",
        "a region with at least one compute operator",
        "Place it next to a convolution that runs on the NPU.",
    )


def _in_float(operator: Operator) -> Reason:
    if operator.form == "unknown":
        return Reason(
            "quantization-not-understood",
            "Nothing can be said of this operator: its quantization cannot be read.",
            operator.note,
            "QuantizeLinear/DequantizeLinear with constant per-tensor or per-channel parameters",
            "Export the model in QDQ format (ONNX Runtime: quant_format=QuantFormat.QDQ).",
        )
    if operator.form == "integer":
        return Reason(
            "no-integer-form",
            f"This {operator.kind} has no integer form, so it is computed in float between a "
            "dequantize and a quantize.",
            operator.note,
            None,
            "Replace it by a form that has one, or accept it on the CPU.",
        )
    return Reason(
        "not-quantized",
        "It runs in float on the CPU: an operator needs quantized inputs and a quantized output.",
        operator.note,
        "int8 or uint8 inputs and output",
        "Quantize it (ONNX Runtime: op_types_to_quantize), or remove the float operator.",
    )
