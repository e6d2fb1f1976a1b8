"""Reports made by hand, with the metrics that such operators would really have."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pytest_npu_compat.analysis.metrics import Facts, measure
from pytest_npu_compat.analysis.report import (
    Conversion,
    ErrorInfo,
    MetricValue,
    ModelInfo,
    OperatorInfo,
    PartitionInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)

__all__ = ["KERNEL", "SLICE", "Ranged", "failed", "island", "on_cpu", "on_npu", "report"]

KERNEL = Reason("kernel-size", "The kernel is too large.", "4x4", "3x3", "Use 3x3.")
SLICE = Reason("operator-not-supported", "Slice has no form.", "Slice", None, "Use Split.")

TOOL = ToolInfo("1.2.3", "0.27", "1.21", "rules-23")


@dataclasses.dataclass(frozen=True)
class Ranged(MetricValue):
    """A metric with a range, as estimates have one."""

    low: float = 0.0
    high: float = 0.0


def on_npu(name: str, kind: str = "Conv", **fields: Any) -> OperatorInfo:
    values: dict[str, Any] = {
        "nodes": (name,),
        "supported": True,
        "placement": "npu",
        "partition": 0,
        "composite": "npu.op",
        "macs": 100 if kind == "Conv" else 0,
        "output_shape": (1, 16, 8, 8),
    }
    return OperatorInfo(name=name, kind=kind, **{**values, **fields})


def on_cpu(name: str, kind: str = "Slice", *reasons: Reason, **fields: Any) -> OperatorInfo:
    off = {"supported": False, "placement": "cpu", "partition": None, "composite": None}
    return on_npu(name, kind, **{**off, "reasons": reasons or (SLICE,), **fields})


def island(operator: OperatorInfo, calls: int = 3) -> Conversion:
    nodes = (f"{operator.name}_dq", *operator.nodes, f"{operator.name}_q")
    return Conversion(nodes, operator.name, operator.placement, calls)


def report(
    *operators: OperatorInfo,
    name: str = "net",
    islands: Sequence[Conversion] = (),
    partitions: int = 1,
    **fields: Any,
) -> Report:
    placed = tuple(o.name for o in operators if o.placement == "npu")
    parts = [PartitionInfo(i, placed, 0, 1, 1, 1000, 500) for i in range(partitions)]
    facts = Facts(operators, parts, islands, host_ops=2)
    values: dict[str, Any] = {
        "tool": TOOL,
        "model": ModelInfo(name, f"models/{name}.onnx", sha256="ab" * 32, quantization="qdq"),
        "target": TargetInfo("ethos-n78", "4tops-4ple"),
        "status": "analyzed",
        "metrics": measure(facts),
        "operators": operators,
        "partitions": tuple(parts),
        "qdq_pairs": tuple(islands),
    }
    return Report(**{**values, **fields})


def failed(name: str = "broken", code: str = "dynamic-shape", message: str = "Open.") -> Report:
    return Report(
        tool=TOOL,
        model=ModelInfo(name, f"models/{name}.onnx"),
        target=TargetInfo("ethos-n78", "4tops-4ple"),
        status="not_analyzable",
        error=ErrorInfo(code, message, "Pin it."),
    )
