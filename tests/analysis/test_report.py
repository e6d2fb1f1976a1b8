"""Reports survive the trip through JSON, and what is no report is refused."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.costs import Assumption, Cost, CpuIsland, EstimateInfo, Range
from pytest_npu_compat.analysis.report import (
    SCHEMA_VERSION,
    Conversion,
    ErrorInfo,
    HazardInfo,
    MetricValue,
    ModelInfo,
    OperatorInfo,
    PartitionInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.render.json import to_json, to_jsonl

NAMES = st.text(max_size=20)
COUNTS = st.integers(0, 2**63)
MAYBE = st.none() | NAMES

REASONS = st.builds(Reason, NAMES, NAMES, NAMES, MAYBE, NAMES)
HAZARDS = st.builds(HazardInfo, NAMES, NAMES, NAMES, NAMES)
NUMBERS = st.floats(0, 1e9)
RANGES = st.builds(Range, NUMBERS, NUMBERS, NUMBERS)
COSTS = st.builds(Cost, COUNTS, COUNTS, COUNTS, RANGES)
ESTIMATES = st.builds(
    EstimateInfo,
    cpu_only=st.none() | COSTS,
    borders=st.none() | COSTS,
    cpu_touched_bytes=COUNTS,
    cpu_islands=st.lists(
        st.builds(CpuIsland, st.lists(NAMES, max_size=2).map(tuple), COUNTS, RANGES), max_size=2
    ).map(tuple),
    not_estimable=st.lists(NAMES, max_size=2).map(tuple),
)
PLATFORMS = st.dictionaries(
    NAMES, st.builds(Assumption, NUMBERS, NUMBERS, NUMBERS, NAMES, NAMES, NAMES), max_size=2
)
OPERATORS = st.builds(
    OperatorInfo,
    name=NAMES,
    kind=NAMES,
    nodes=st.lists(NAMES, max_size=3).map(tuple),
    supported=st.booleans() | st.just("estimate-only"),
    placement=st.sampled_from(["npu", "cpu", "unknown"]),
    partition=st.none() | COUNTS,
    composite=MAYBE,
    macs=COUNTS,
    output_shape=st.lists(st.none() | COUNTS, max_size=4).map(tuple),
    reasons=st.lists(REASONS, max_size=2).map(tuple),
    hazards=st.lists(HAZARDS, max_size=2).map(tuple),
    estimate=st.none() | COSTS,
)
RATIOS = st.integers(1, 2**40).flatmap(
    lambda whole: st.integers(0, whole).map(
        lambda part: MetricValue(part / whole, "ratio", part, whole)
    )
)
REPORTS = st.builds(
    Report,
    tool=st.builds(ToolInfo, NAMES, NAMES, NAMES, NAMES),
    model=st.builds(
        ModelInfo,
        name=NAMES,
        path=NAMES,
        sha256=NAMES,
        opset=st.none() | COUNTS,
        quantization=st.sampled_from(["qdq", "qoperator", "none"]),
        nodes=COUNTS,
        operators=COUNTS,
        macs=COUNTS,
    ),
    target=st.builds(TargetInfo, NAMES, NAMES),
    status=st.sampled_from(["analyzed", "not_analyzable"]),
    error=st.none() | st.builds(ErrorInfo, NAMES, NAMES, NAMES),
    metrics=st.dictionaries(
        NAMES,
        RATIOS
        | st.builds(MetricValue, COUNTS, st.sampled_from(["count", "bytes"]))
        | st.builds(MetricValue, NUMBERS, st.just("ms"), low=NUMBERS, high=NUMBERS),
        max_size=4,
    ),
    operators=st.lists(OPERATORS, max_size=4).map(tuple),
    partitions=st.lists(
        st.builds(
            PartitionInfo,
            id=COUNTS,
            operators=st.lists(NAMES, max_size=3).map(tuple),
            macs=COUNTS,
            inputs=COUNTS,
            outputs=COUNTS,
            input_bytes=COUNTS,
            output_bytes=COUNTS,
            estimate=st.none() | COSTS,
        ),
        max_size=3,
    ).map(tuple),
    qdq_pairs=st.lists(
        st.builds(
            Conversion,
            nodes=st.lists(NAMES, max_size=3).map(tuple),
            operator=NAMES,
            placement=st.sampled_from(["npu", "cpu"]),
            calls=COUNTS,
        ),
        max_size=3,
    ).map(tuple),
    estimate=ESTIMATES,
    platform=PLATFORMS,
) | st.builds(
    Report,
    tool=st.builds(ToolInfo, NAMES, NAMES, NAMES, NAMES),
    model=st.builds(ModelInfo, name=NAMES, path=NAMES),
    target=st.builds(TargetInfo, NAMES, NAMES),
    status=st.just("analyzed"),
    operators=st.lists(OPERATORS, max_size=2).map(tuple),
)


def full() -> Report:
    """A report with a value in every field."""
    return Report(
        tool=ToolInfo("0.1", "0.18", "1.17", "rules"),
        model=ModelInfo("net", "models/net.onnx", "onnx", "ab", 13, "qdq", 9, 2, 100),
        target=TargetInfo("ethos-n78", "4tops-4ple"),
        status="analyzed",
        metrics={
            "npu_ratio": MetricValue(0.5, "ratio", 1, 2),
            "qdq_pairs": MetricValue(1, "count"),
        },
        operators=(
            OperatorInfo("c", "Conv", ("c", "r"), True, "npu", 0, "conv2d", 100, (1, None, 8)),
            OperatorInfo(
                name="s",
                kind="Softmax",
                nodes=("s",),
                supported="estimate-only",
                placement="cpu",
                partition=None,
                composite=None,
                macs=0,
                output_shape=(),
                reasons=(Reason("rule", "message", "actual", None, "remedy"),),
                hazards=(HazardInfo("hazard", "message", "actual", "remedy"),),
            ),
        ),
        partitions=(PartitionInfo(0, ("c",), 100, 1, 1, 64, 32),),
        qdq_pairs=(Conversion(("d", "l", "q"), "l", "cpu", 3),),
    )


def test_layout_of_a_full_report() -> None:
    data = full().to_dict()
    assert list(data) == [
        "schema_version",
        "tool",
        "model",
        "target",
        "status",
        "error",
        "metrics",
        "operators",
        "partitions",
        "conversions",
    ]
    assert data["schema_version"] == SCHEMA_VERSION
    assert data["metrics"] == {
        "npu_ratio": {"value": 0.5, "unit": "ratio", "numerator": 1, "denominator": 2},
        "qdq_pairs": {"value": 1, "unit": "count"},
    }
    assert data["operators"][0]["output_shape"] == [1, None, 8]
    assert data["operators"][1]["reasons"][0]["allowed"] is None
    assert data["conversions"] == {
        "qdq_pairs": [{"nodes": ["d", "l", "q"], "operator": "l", "placement": "cpu", "calls": 3}]
    }


def test_estimates_are_keys_of_their_own() -> None:
    """A report without estimates looks as it always did."""
    cost = Cost(7, 20, 30, Range(1.0, 2.0, 3.0))
    report = dataclasses.replace(
        full(),
        operators=(dataclasses.replace(full().operators[0], estimate=cost),),
        estimate=EstimateInfo(cost, None),
        platform={"clock": Assumption(1.0, 1.0, 1.0, "Hz", "Clock", "source")},
    )
    data = report.to_dict()
    assert set(data) - set(full().to_dict()) == {"estimate", "platform"}
    assert "estimate" not in full().to_dict()["operators"][0]
    assert data["operators"][0]["estimate"] == {
        "mce_cycles": 7,
        "dram_read_bytes": 20,
        "dram_write_bytes": 30,
        "latency_us": {"low": 1.0, "nominal": 2.0, "high": 3.0},
    }
    assert Report.from_dict(json.loads(json.dumps(data))) == report


def test_full_report_survives_json() -> None:
    assert Report.from_dict(json.loads(json.dumps(full().to_dict()))) == full()


@given(report=REPORTS)
@settings(max_examples=150, deadline=None)
def test_any_report_survives_json(report: Report) -> None:
    text = json.dumps(report.to_dict())
    again = Report.from_dict(json.loads(text))
    assert again == report
    assert list(again.metrics) == list(report.metrics)
    assert json.dumps(again.to_dict()) == text


@given(reports=st.lists(REPORTS, max_size=3))
@settings(max_examples=50, deadline=None)
def test_written_reports_can_be_read(reports: list[Report]) -> None:
    values = json.loads(to_json(reports))
    assert [Report.from_dict(v) for v in (values if len(reports) != 1 else [values])] == reports
    lines = to_jsonl(reports).split("\n") if reports else []
    assert [Report.from_dict(json.loads(line)) for line in lines] == reports


def test_only_an_analyzed_report_has_anything_to_judge() -> None:
    assert full().analyzed
    failed = Report(full().tool, full().model, full().target, "not_analyzable")
    assert not failed.analyzed


@pytest.mark.parametrize("version", ["2.0", "0.9", "", "x", None, 2], ids=repr)
def test_other_major_versions_are_refused(version: Any) -> None:
    data = {**full().to_dict(), "schema_version": version}
    with pytest.raises(ValueError, match="report schema"):
        Report.from_dict(data)


def test_missing_version_is_refused() -> None:
    data = full().to_dict()
    del data["schema_version"]
    with pytest.raises(ValueError, match="report schema missing"):
        Report.from_dict(data)


@pytest.mark.parametrize("key", [key for key in full().to_dict() if key != "schema_version"])
def test_missing_part_is_refused(key: str) -> None:
    data = full().to_dict()
    del data[key]
    with pytest.raises(ValueError, match=f"not a report: .*{key}"):
        Report.from_dict(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tool", None),
        ("tool", {}),
        ("model", []),
        ("error", "text"),
        ("metrics", []),
        ("metrics", {"npu_ratio": 3}),
        ("metrics", {"npu_ratio": {"value": 3}}),
        ("operators", None),
        ("operators", "abc"),
        ("operators", [{}]),
        ("partitions", [3]),
        ("conversions", {}),
        ("conversions", []),
    ],
    ids=repr,
)
def test_misshapen_part_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match="not a report"):
        Report.from_dict({**full().to_dict(), key: value})


def test_report_of_a_later_minor_version_can_be_read() -> None:
    report = full()
    data = report.to_dict()
    data["schema_version"] = "1.9"
    data["model"]["added_later"] = 1
    assert Report.from_dict(data).model == report.model


@pytest.mark.parametrize("value", [[], "x", None, 3])
def test_value_that_is_no_mapping_is_not_a_report(value: object) -> None:
    with pytest.raises(ValueError, match="not a report"):
        Report.from_dict(value)  # type: ignore[arg-type]
