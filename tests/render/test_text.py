"""Failure texts: the verdict, then the operators that caused it, harmless and within 80 columns."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_npu_compat.analysis.costs import Cost, CpuIsland, EstimateInfo, Range
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import (
    Conversion,
    ErrorInfo,
    HazardInfo,
    MetricValue,
    ModelInfo,
    OperatorInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.evaluation import CheckResult, evaluate
from pytest_npu_compat.gate.threshold import parse_threshold
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.text import (
    NO_CONVERSIONS,
    describe,
    explain_failure,
    group_by_reason,
)
from pytest_npu_compat.target import byoc

KERNEL = Reason("conv-kernel", "The kernel is too large.", "4x4", "1x1 to 3x3", "Use 3x3.")
SIGMOID = Reason("sigmoid-range", "The range does not fit.", "0..3", None, "Calibrate again.")

EXPLAINED_BY = {metric.explained_by: name for name, metric in reversed(METRICS.items())}
COST = Cost(25088, 10**9, 10**9, Range(123456.0, 234567.0, 345678.0))


def operator(name: str = "node", **fields: Any) -> OperatorInfo:
    values: dict[str, Any] = {
        "name": name,
        "kind": "Conv",
        "nodes": (name,),
        "supported": False,
        "placement": "cpu",
        "partition": None,
        "composite": None,
        "macs": 1,
        "output_shape": (1, 2),
        "reasons": (KERNEL,),
        **fields,
    }
    return OperatorInfo(**values)


def report_of(*operators: OperatorInfo, **fields: Any) -> Report:
    values: dict[str, Any] = {
        "tool": ToolInfo("1", "2", "3", "4"),
        "model": ModelInfo("net", "models/net.onnx"),
        "target": TargetInfo("ethos-n78", "4tops-4ple"),
        "status": "analyzed",
        "operators": operators,
        **fields,
    }
    return Report(**values)


def failure(report: Report, explained_by: str = "placement") -> CheckResult:
    metric = METRICS[EXPLAINED_BY[explained_by]]
    values = {metric.name: MetricValue(5, metric.unit)}
    if metric.unit == "ratio":
        values = {metric.name: MetricValue(0.5, "ratio", 1, 2)}
    threshold = parse_threshold(
        metric.name, {"ratio": "== 0%", "ms": "<= 1 ms"}.get(metric.unit, 0)
    )
    return evaluate(threshold, dataclasses.replace(report, metrics=values))


def lines_of(report: Report, explained_by: str = "placement") -> list[str]:
    return explain_failure(failure(report, explained_by)).splitlines()


def test_groups_are_by_kind_and_first_reason_and_the_largest_comes_first() -> None:
    operators = [
        operator("a", kind="Sigmoid", reasons=(SIGMOID, KERNEL)),
        operator("b", reasons=(KERNEL,)),
        operator("c", placement="npu", reasons=()),
        operator("d", reasons=(KERNEL, SIGMOID)),
        operator("e", kind="Gemm"),
        operator("f", placement="unknown"),
    ]
    assert [
        (kind, reason.rule, [o.name for o in members])
        for kind, reason, members in group_by_reason(operators)
    ] == [
        ("Conv", "conv-kernel", ["b", "d", "f"]),
        ("Sigmoid", "sigmoid-range", ["a"]),
        ("Gemm", "conv-kernel", ["e"]),
    ]


def test_groups_keep_different_messages_of_one_rule_apart() -> None:
    other = Reason("conv-kernel", "The kernel is empty.", "0x0", None, "Remove it.")
    groups = group_by_reason([operator("a"), operator("b", reasons=(other,))])
    assert [reason.message for _, reason, _ in groups] == [KERNEL.message, other.message]


def test_operators_on_the_npu_are_in_no_group() -> None:
    assert group_by_reason([operator(placement="npu")]) == []
    assert group_by_reason([]) == []


def test_placement_failure() -> None:
    report = report_of(
        operator("c1"),
        operator("c2", reasons=(KERNEL, SIGMOID)),
        operator("s", placement="unknown", kind="Sigmoid", reasons=(SIGMOID,)),
        operator("e", supported="estimate-only", kind="Mean", reasons=(SIGMOID,)),
        operator("n", placement="npu", supported=True, reasons=()),
    )
    result = failure(report)
    text = explain_failure(result)
    assert text.splitlines() == [
        result.message,
        "",
        "4 of 5 operators are not on the NPU",
        "  1 of them unknown: no statement can be made, so it does not count",
        "  1 of them estimate-only: the NPU's compiler can only estimate it",
        "",
        "  2 × Conv   [conv-kernel]",
        "    The kernel is too large.",
        "    is:  4x4",
        "    at:  c1, c2",
        "    allowed: 1x1 to 3x3",
        "    what to do: Use 3x3.",
        "    also: sigmoid-range",
        "",
        "  1 × Sigmoid   [sigmoid-range]",
        "    The range does not fit.",
        "    is:  0..3",
        "    at:  s",
        "    what to do: Calibrate again.",
        "",
        "  1 × Mean   [sigmoid-range]",
        "    The range does not fit.",
        "    is:  0..3",
        "    at:  e",
        "    what to do: Calibrate again.",
    ]


def test_placement_failure_of_a_model_that_is_wholly_on_the_npu() -> None:
    lines = lines_of(report_of(operator(placement="npu", reasons=())))
    assert lines[1:] == ["", "Every operator is on the NPU."]


def test_many_operators_values_and_reasons_are_counted_rather_than_listed() -> None:
    operators = [
        operator(f"a{i}", reasons=(Reason("r", "m", f"value {i // 2}", None, "do"),))
        for i in range(20)
    ]
    operators += [
        operator(f"k{i}", kind=f"Kind{i}", reasons=(Reason("r", "m", "v", None, "do"),))
        for i in range(20)
    ]
    text = explain_failure(failure(report_of(*operators)))
    assert "20 × Conv" in text
    assert "value 2\n" in text
    assert "is:  7 other values\n    at:  a6, a7, a8, a9, a10, a11 … and 8 more\n" in text
    assert "Kind10" in text
    assert "Kind11" not in text
    assert text.endswith("… and 9 more reasons")


def test_islands_failure() -> None:
    islands = (
        Conversion(("dq", "leaky1", "q"), "leaky1", "npu", 3),
        Conversion(("dq2", "leaky2", "q2"), "leaky2", "npu", 3),
        Conversion(("dq3", "mish", "q3"), "mish", "cpu", 5),
        Conversion(("dq4", "gone", "q4"), "gone", "cpu", 1),
    )
    operators = [operator(name, kind="LeakyRelu") for name in ("leaky1", "leaky2")]
    report = report_of(*operators, operator("mish", kind="Mish"), qdq_pairs=islands)
    lines = lines_of(report, "islands")
    assert lines[1:13] == [
        "",
        "dequantize -> float -> quantize islands in the integer graph:",
        "",
        "  2 × LeakyRelu on the NPU, 6 IR operators",
        "    first: dq -> leaky1 -> q",
        "    at:    leaky1, leaky2",
        "",
        "  1 × Mish on the CPU, 5 IR operators",
        "    first: dq3 -> mish -> q3",
        "    at:    mish",
        "",
        "  1 × ? on the CPU, 1 IR operator",
    ]
    assert any(line.startswith("  what to do: ") for line in lines)


def test_islands_failure_without_islands() -> None:
    assert lines_of(report_of(), "islands")[1:] == ["", "No dequantize/quantize islands."]


def test_hazards_failure() -> None:
    hazard = HazardInfo("leaky-alpha", "The slope is ignored.", "0.3", "Use ReLU.")
    report = report_of(operator("fine"), operator("leaky", kind="LeakyRelu", hazards=(hazard,)))
    assert lines_of(report, "hazards")[1:] == [
        "",
        "accepted by the real stack, then computed wrongly or not built:",
        "",
        "  LeakyRelu   [leaky-alpha]",
        "    at:  leaky",
        "    The slope is ignored.",
        "    is:  0.3",
        "    what to do: Use ReLU.",
    ]


@pytest.mark.parametrize("explained_by", sorted(EXPLAINED_BY))
def test_model_that_could_not_be_analyzed_says_what_to_do(explained_by: str) -> None:
    error = ErrorInfo("git-lfs", "is a pointer", "Run git lfs pull. " * 8)
    report = report_of(status="not_analyzable", error=error)
    first, blank, *rest = lines_of(report, explained_by)
    assert first == f"{EXPLAINED_BY[explained_by]} not judged: git-lfs: is a pointer"
    assert blank == ""
    assert rest[0].startswith("  what to do: Run git lfs pull.")
    assert all(line.startswith(" " * 14) and len(line) <= 80 for line in rest[1:])


def test_missing_metric_is_one_line() -> None:
    result = evaluate(parse_threshold("npu_ratio", ">= 1%"), report_of(operator()))
    assert explain_failure(result) == result.message


def test_description_holds_placements_islands_and_hazards() -> None:
    report = report_of(
        operator("c", hazards=(HazardInfo("h", "goes wrong", "x", "do"),)),
        qdq_pairs=(Conversion(("d", "c", "q"), "c", "cpu", 3),),
    )
    lines = describe(report).splitlines()
    assert lines[0] == "models/net.onnx on ethos-n78:4tops-4ple"
    assert "1 of 1 operator is not on the NPU" in lines
    assert "  1 × Conv on the CPU, 3 IR operators" in lines
    assert "  Conv   [h]" in lines


def test_description_of_a_model_that_could_not_be_analyzed() -> None:
    report = report_of(status="not_analyzable", error=ErrorInfo("corrupt", "no protobuf", "again"))
    assert describe(report).splitlines() == [
        "models/net.onnx on ethos-n78:4tops-4ple",
        "  corrupt: no protobuf",
        "  what to do: again",
    ]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("conv/1:0", "conv/1:0"),
        ("größe 漢字", "größe 漢字"),
        ("\x1b[31mred\x1b[0m", "?[31mred?[0m"),
        ("a\nb\r\tc", "a?b??c"),
        ("\x00\x07\x7f\x9b", "????"),
        ("\u202eabc\u2028\ud800", "?abc??"),
        ("n" * 120, "n" * 120),
        ("n" * 121, "n" * 119 + "…"),
        ("n" * 10_000, "n" * 119 + "…"),
        ("", ""),
    ],
    ids=["name", "unicode", "colour", "breaks", "control", "bidi", "120", "121", "10000", "empty"],
)
def test_clean(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


HOSTILE = {
    "escape": "\x1b]0;title\x07\x1b[2J",
    "breaks": "a\r\nb\x0b\x0c\u2028c\x85d",
    "bidi": "\u202e\u2066gnp.exe",
    "long": "n" * 10_000,
    "long words": "word " * 2_000,
    "surrogate": "\ud800",
    "white space": " \t ",
    "empty": "",
}


def hostile(name: str, kind: str) -> Report:
    return report_of(
        operator(
            name,
            kind=kind,
            reasons=(Reason("rule", "A message. " * 20, name, "allowed " * 30, "Do this. " * 20),),
            hazards=(HazardInfo("hazard", "A message. " * 20, name, "Do this. " * 20),),
            estimate=COST,
        ),
        estimate=EstimateInfo(COST, COST, 7, (CpuIsland((name,) * 9, 10**9, COST.latency_us),)),
        platform=Platform().assumptions(),
        model=ModelInfo(name, name),
        qdq_pairs=(Conversion((name, name, name), name, "cpu", 3),),
    )


@pytest.mark.parametrize("explained_by", sorted(EXPLAINED_BY))
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_harmless(name: str, explained_by: str) -> None:
    report = hostile(name, name)
    for text in (explain_failure(failure(report, explained_by)), describe(report)):
        assert text.replace("\n", "").isprintable()
        assert len(text) < 20_000


def too_wide(report: Report, explained_by: str) -> list[str]:
    text = explain_failure(failure(report, explained_by))
    return [line for line in text.split("\n")[1:] if len(line) > 80]


@pytest.mark.parametrize("explained_by", ["placement", "islands", "estimates"])
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_lines_behind_the_first_fit_80_columns(name: str, explained_by: str) -> None:
    assert too_wide(hostile(name, "Conv"), explained_by) == []


@pytest.mark.parametrize("name", [n for n in HOSTILE.values() if len(n) < 60], ids=repr)
def test_hazard_lines_behind_the_first_fit_80_columns(name: str) -> None:
    assert too_wide(hostile(name, "Conv"), "hazards") == []


@pytest.mark.parametrize(
    ("explained_by", "name", "kind"),
    [
        ("placement", "node", "K" * 10_000),
        ("islands", "node", "K" * 10_000),
        ("hazards", "node", "K" * 10_000),
        ("hazards", "n" * 10_000, "Conv"),
    ],
    ids=["kind of a group", "kind of an island", "kind with a hazard", "name with a hazard"],
)
def test_headings_fit_80_columns(explained_by: str, name: str, kind: str) -> None:
    assert too_wide(hostile(name, kind), explained_by) == []


@given(
    names=st.lists(st.text(max_size=200), min_size=1, max_size=8),
    actual=st.text(max_size=200),
)
@settings(max_examples=100, deadline=None)
def test_any_names_give_harmless_lines_that_fit(names: list[str], actual: str) -> None:
    reason = Reason("rule", "A message.", actual, None, "Do this.")
    report = report_of(
        *(operator(name, reasons=(reason,)) for name in names),
        qdq_pairs=tuple(Conversion((name, name), name, "npu", 2) for name in names),
    )
    for explained_by in ("placement", "islands"):
        first, *rest = explain_failure(failure(report, explained_by)).split("\n")
        assert first.isprintable()
        assert all(line.isprintable() and len(line) <= 80 for line in rest)


def test_numbers_agree_with_their_nouns() -> None:
    (first, *_) = lines_of(report_of(operator("c"), operator("n", placement="npu", reasons=())))[2:]
    assert first == "1 of 2 operators is not on the NPU"
    several = report_of(
        *(operator(f"u{i}", placement="unknown") for i in range(2)),
        *(operator(f"e{i}", supported="estimate-only") for i in range(2)),
    )
    assert lines_of(several)[2:5] == [
        "4 of 4 operators are not on the NPU",
        "  2 of them unknown: no statement can be made, so they do not count",
        "  2 of them estimate-only: the NPU's compiler can only estimate them",
    ]
    many = [operator(f"k{i}", kind=f"Kind{i}") for i in range(13)]
    assert lines_of(report_of(*many))[-1] == "  … and 1 more reason"


def test_islands_on_a_target_without_conversions_need_another_model_not_another_activation() -> (
    None
):
    assert NO_CONVERSIONS in byoc.RULES
    reason = Reason(NO_CONVERSIONS, "No pattern.", "Conv", "", "Judge the float model.")
    report = report_of(
        operator("c", reasons=(reason,)), qdq_pairs=(Conversion(("d", "c", "q"), "c", "cpu", 3),)
    )
    assert lines_of(report, "islands")[-1] == "  what to do: Judge the float model."
