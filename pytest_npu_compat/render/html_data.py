"""The data that the scripts of the HTML page read: texts ready to be shown, nothing to compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytest_npu_compat.analysis.report import (
    HazardInfo,
    MetricValue,
    OperatorInfo,
    PartitionInfo,
    Reason,
    Report,
)
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.html_figures import PLACEMENTS, placement_of
from pytest_npu_compat.render.html_view import ModelView
from pytest_npu_compat.render.names import clean

__all__ = ["MAX_NAME", "bytes_text", "model_data", "shape_text"]

MAX_NAME = 200
"""Characters of a name from a model; the rest is cut."""
MAX_NODES = 50


def model_data(model: ModelView) -> dict[str, Any]:
    """What the picture, the charts and the details of one model show."""
    report = model.report
    rules: dict[tuple[str, str, str, str], int] = {}
    comparison = model.comparison
    left = {id(change.after) for change in comparison.left} if comparison else set()
    return {
        "id": model.id,
        "name": clean(model.name, MAX_NAME),
        "operators": [_operator(o, report, rules, left=id(o) in left) for o in report.operators],
        "partitions": [_partition(p, report.operators) for p in report.partitions],
        # Many operators break the same rule: its texts stand here once.
        "rules": [
            {"rule": rule, "message": message, "allowed": allowed, "remedy": remedy}
            for rule, message, allowed, remedy in rules
        ],
        "kinds": [
            {"kind": clean(row.kind, 40), "placement": placement, "count": row.count[placement]}
            for row in model.kinds
            for placement in PLACEMENTS
            if row.count[placement]
        ],
        "shares": [
            {"of": bar.of, "placement": bar.placement, "share": bar.share, "text": bar.text}
            for bar in model.shares
        ],
    }


def shape_text(shape: Sequence[int | None]) -> str:
    """Dimensions with signs between them; a question mark for what is not known."""
    return "×".join("?" if dim is None else str(dim) for dim in shape) or "scalar"


def _operator(
    operator: OperatorInfo,
    report: Report,
    rules: dict[tuple[str, str, str, str], int],
    *,
    left: bool,
) -> dict[str, Any]:
    def findings(found: Sequence[Reason | HazardInfo]) -> list[list[Any]]:
        """Each as the number of its rule, and what the operator has instead."""
        return [[_rule(rules, finding), clean(finding.actual, 500)] for finding in found]

    nodes = [clean(node, MAX_NAME) for node in operator.nodes[:MAX_NODES]]
    if len(operator.nodes) > MAX_NODES:
        nodes.append(f"… and {len(operator.nodes) - MAX_NODES} more")
    data: dict[str, Any] = {
        "name": clean(operator.name, MAX_NAME),
        "kind": clean(operator.kind, 40),
        "placement": placement_of(operator),
        "supported": operator.supported,
        "partition": operator.partition,
        "composite": operator.composite and clean(operator.composite),
        "macs": operator.macs,
        "work": _work(operator.macs, report.model.macs),
        "shape": shape_text(operator.output_shape),
        "nodes": nodes if nodes != [clean(operator.name, MAX_NAME)] else [],
        "attributes": {clean(k): clean(v, 500) for k, v in operator.attributes.items()},
        "reasons": findings(operator.reasons),
        "hazards": findings(operator.hazards),
        "left": left,
    }
    # What is empty or false is left out; nothing and partition 0 are not the same.
    return {
        key: value for key, value in data.items() if value or (value == 0 and value is not False)
    }


def _work(macs: int, total: int) -> str:
    if not macs or not total:
        return ""
    share = format_value(MetricValue(macs / total, "ratio", macs, total)).split(" ")[0]
    return f"{macs:,} ({share} of the model)"


def _rule(rules: dict[tuple[str, str, str, str], int], finding: Reason | HazardInfo) -> int:
    allowed = (finding.allowed or "") if isinstance(finding, Reason) else ""
    texts = (finding.rule, finding.message, allowed, finding.remedy)
    rule, message, allowed, remedy = (clean(text, 1000) for text in texts)
    return rules.setdefault((rule, message, allowed, remedy), len(rules))


def _partition(partition: PartitionInfo, operators: Sequence[OperatorInfo]) -> dict[str, Any]:
    """With the places of its first and last operator, where tensors go in and come out."""
    places = [i for i, o in enumerate(operators) if o.partition == partition.id]
    if not places:  # it runs only a part of an operator, which counts as elsewhere
        names = set(partition.operators)
        places = [i for i, o in enumerate(operators) if o.name in names]
    return {
        "id": partition.id,
        "first": min(places, default=None),
        "last": max(places, default=None),
        "operators": len(partition.operators),
        "inputs": _tensors(partition.inputs, partition.input_bytes),
        "outputs": _tensors(partition.outputs, partition.output_bytes),
        "in": bytes_text(partition.input_bytes),
        "out": bytes_text(partition.output_bytes),
    }


def _tensors(count: int, size: int) -> str:
    return f"{count} tensor{'' if count == 1 else 's'}, {bytes_text(size)}"


def bytes_text(size: int) -> str:
    """``76.8 kB``."""
    return format_value(MetricValue(size, "bytes"))
