"""Runs for the tests of the HTML page, made without a compiler."""

from __future__ import annotations

from pytest_npu_compat.analysis.metrics import Facts, measure
from pytest_npu_compat.analysis.report import (
    ErrorInfo,
    HazardInfo,
    ModelInfo,
    OperatorInfo,
    PartitionInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome, Status

__all__ = ["hostile_run", "mixed_run", "operator", "outcome", "report", "run_of"]

REASON = Reason("kernel-size", "Kernels are small.", "10x4", "1, 2, 3, 5, 7, 9", "Use 3x3.")
HAZARD = HazardInfo("wrong-zero", "The zero point is lost.", "-128", "Use zero point 0.")
GATE = "npu-compat.yaml"


def operator(name: str, placement: str = "npu", partition: int = 0, **more: object) -> OperatorInfo:
    on_npu = placement == "npu"
    values: dict[str, object] = {
        "name": name,
        "kind": "Conv",
        "nodes": (name,),
        "supported": on_npu,
        "placement": placement,
        "partition": partition if on_npu else None,
        "composite": "ethos-n78.conv2d" if on_npu else None,
        "macs": 1000,
        "output_shape": (1, 16, None, 8),
        "reasons": () if on_npu else (REASON,),
    }
    return OperatorInfo(**{**values, **more})  # type: ignore[arg-type]


def report(*operators: OperatorInfo, name: str = "m", error: ErrorInfo | None = None) -> Report:
    ids = dict.fromkeys(o.partition for o in operators if o.partition is not None)
    partitions = tuple(
        PartitionInfo(id_, tuple(o.name for o in operators if o.partition == id_), 9, 1, 2, 512, 64)
        for id_ in ids
    )
    macs = sum(o.macs for o in operators)
    return Report(
        tool=ToolInfo("1", "0.27", "1.21", "rules-1"),
        model=ModelInfo(name, f"{name}.onnx", sha256="ab" * 32, opset=13, nodes=9, macs=macs),
        target=TargetInfo("ethos-n78", "4tops-4ple"),
        status="not_analyzable" if error else "analyzed",
        error=error,
        metrics={} if error else measure(Facts(operators, partitions, (), 2)),
        operators=operators,
        partitions=partitions,
    )


def outcome(model: str = "m", status: Status = "passed", metric: str = "npu_ratio") -> Outcome:
    message = f"{metric} of {model}: {status}"
    return Outcome(
        gate_file=GATE,
        line=7,
        model=model,
        target="ethos-n78",
        metric=metric,
        status=status,
        message=message,
        text=f"{message}\n\n  the operators that caused it",
        limit="≥ 96%",
        actual="50.0% (1/2 operators)",
        value=0.5,
    )


def run_of(*reports: Report, status: Status = "passed") -> GateRun:
    outcomes = tuple(outcome(r.model.name, status) for r in reports)
    return GateRun(outcomes, {o.key: r for o, r in zip(outcomes, reports, strict=True)})


def mixed_run() -> GateRun:
    """A model that passes, one that lost an operator since its baseline, one that is no model."""
    good = report(operator("conv_a"), operator("conv_b"), name="good")
    before = report(operator("stem"), operator("pool"), operator("head"), name="bad")
    bad = report(
        operator("stem", hazards=(HAZARD,)),
        operator("pool", "cpu"),
        operator("head", partition=1),
        operator("tail", "unknown"),
        name="bad",
    )
    broken = report(
        name="broken", error=ErrorInfo("invalid-model", "It is no ONNX file.", "Export it again.")
    )
    outcomes = (
        outcome("bad", "failed"),
        outcome("bad", "warned", "npu_partitions"),
        outcome("broken", "not_analyzable"),
        outcome("good"),
        outcome("good", "off", "qdq_pairs"),
    )
    keys = {name: f"{GATE}::{name}[ethos-n78]" for name in ("good", "bad", "broken")}
    return GateRun(
        outcomes,
        {keys["bad"]: bad, keys["broken"]: broken, keys["good"]: good},
        {keys["bad"]: before},
        (Note("unused-waiver", "note", "A waiver has nothing to excuse.", GATE, 12),),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "]]>",
    '"><img src=x onerror=alert(3)>',
    "' onmouseover='alert(4)",
    "{{7*7}}{% for x in y %}${7*7}",
    "javascript:alert(5)",
    "long" * 2500,
    "\u202egnp.exe\u202c",
    "null\x00byte\x1b[31mred",
    "line\u2028separator\u2029end",
    "lone\ud800surrogate",
)


def hostile_run() -> GateRun:
    """Names that try to be more than names, in every place where a name can stand."""
    operators = [
        operator(
            text,
            "cpu",
            kind=text,
            nodes=(text, text),
            composite=text,
            attributes={text: text},
            reasons=(Reason(text, text, text, text, text),),
            hazards=(HazardInfo(text, text, text, text),),
        )
        for text in HOSTILE
    ]
    outcomes = []
    reports = {}
    for number, text in enumerate(HOSTILE):
        check = Outcome(
            f"{number}{text}", 1, text, text, "npu_ratio", "failed", text, f"{text}\n{text}",
            text, text, 0.5, text, (text,), text,
        )  # fmt: skip
        outcomes.append(check)
        reports[check.key] = report(*operators, name=text)
    notes = tuple(Note(text, "note", text, text, 1) for text in HOSTILE)
    return GateRun(tuple(outcomes), reports, dict(reports), notes)
