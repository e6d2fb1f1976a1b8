"""Reports and operators as plain values, for tests that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import (
    ErrorInfo,
    MetricValue,
    ModelInfo,
    OperatorInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)

__all__ = ["ERROR", "KERNEL", "TOOL", "any_report", "measured", "op", "ratio", "report", "value"]

TOOL = ToolInfo("1.0", "0.27.0", "1.22", "rules-23.02")
KERNEL = Reason("kernel-size", "The kernel is too large.", "4x4", "1x1 to 3x3", "Use 3x3.")
ERROR = ErrorInfo("lfs-pointer", "models/net.onnx is a Git LFS pointer.", "Run `git lfs pull`.")


def op(
    name: str = "node", kind: str = "Conv", placement: str = "npu", **fields: Any
) -> OperatorInfo:
    """An operator; off the NPU it has a reason."""
    values: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "nodes": (name,),
        "supported": placement == "npu",
        "placement": placement,
        "partition": 0 if placement == "npu" else None,
        "composite": None,
        "macs": 8,
        "output_shape": (1, 16, 8, 8),
        "reasons": () if placement == "npu" else (KERNEL,),
        **fields,
    }
    return OperatorInfo(**values)


def ratio(numerator: int, denominator: int) -> MetricValue:
    """A ratio."""
    return MetricValue(numerator / denominator, "ratio", numerator, denominator)


def value(metric: str, number: int) -> MetricValue:
    """A count or a number of bytes."""
    return MetricValue(number, METRICS[metric].unit)


def measured(operators: Sequence[OperatorInfo]) -> dict[str, MetricValue]:
    """Metrics that follow from the operators alone."""
    on = sum(o.placement == "npu" for o in operators)
    metrics = {"npu_ratio": ratio(on, len(operators))} if operators else {}
    return {**metrics, "cpu_operators": value("cpu_operators", len(operators) - on)}


def report(*operators: OperatorInfo, name: str = "net", **fields: Any) -> Report:
    """A report; not analyzable if it is given an error."""
    broken = fields.get("error") is not None
    values: dict[str, Any] = {
        "tool": TOOL,
        "model": ModelInfo(name, f"models/{name}.onnx", sha256="0" * 64),
        "target": TargetInfo("ethos-n78", "4tops-4ple"),
        "status": "not_analyzable" if broken else "analyzed",
        "metrics": {} if broken else measured(operators),
        "operators": operators,
        **fields,
    }
    return Report(**values)


_NAMES = st.sampled_from(["a", "b", "conv_1", "conv_2", "/net/Relu", "ü", "x y"])
_OPERATORS = st.builds(
    op,
    name=_NAMES,
    kind=st.sampled_from(["Conv", "Relu", "Softmax"]),
    placement=st.sampled_from(["npu", "cpu", "unknown"]),
    macs=st.integers(0, 2),
    output_shape=st.sampled_from([(), (1, 8), (1, None, 8, 8)]),
    attributes=st.dictionaries(
        st.sampled_from(["kernel", "strides", "alpha"]), st.sampled_from(["1x1", "3x3"]), max_size=2
    ),
)


@st.composite
def any_report(draw: st.DrawFn, unique: bool = False) -> Report:
    """A report of a few operators; names may occur twice unless they must not."""
    operators = draw(
        st.lists(_OPERATORS, max_size=7, unique_by=(lambda o: o.name) if unique else None)
    )
    return report(*operators)
