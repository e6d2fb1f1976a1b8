"""Placement -> operators with reasons, partitions with their borders."""

from __future__ import annotations

from pytest_npu_compat.analysis.attributes import attributes
from pytest_npu_compat.analysis.conversions import find_islands
from pytest_npu_compat.analysis.dataflow import STRUCTURAL, Dataflow, size
from pytest_npu_compat.analysis.metrics import Facts
from pytest_npu_compat.analysis.placement import Placement
from pytest_npu_compat.analysis.report import HazardInfo, OperatorInfo, PartitionInfo, Reason
from pytest_npu_compat.model.program import Operator
from pytest_npu_compat.target.base import Hazard
from pytest_npu_compat.target.constraint import Level, Violation

__all__ = ["collect"]

_CONVERSIONS = {"qnn.dequantize", "qnn.quantize", "cast"}


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
        self.flow = Dataflow(self.program)
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
        calls = [i for i in operator.calls if self.program.calls[i].op not in STRUCTURAL]
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
        if operator.note or operator.form in ("float", "unknown"):
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
        inputs = [r for r in self.flow.reads(calls) if not self.program.is_constant(r)]
        outputs = self.flow.leaving(calls)
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
            input_bytes=sum(size(self.program.type_of(ref)) for ref in inputs),
            output_bytes=sum(size(self.program.calls[i].type) for i in outputs),
        )


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
