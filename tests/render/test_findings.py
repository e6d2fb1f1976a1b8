"""Findings: each statement is there when the run shows it, and not when it does not."""

from __future__ import annotations

import dataclasses

import pytest
import reports as make
from hypothesis import given
from hypothesis import strategies as st

from pytest_npu_compat.analysis.costs import EstimateInfo
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import (
    ASSUMED_INT8,
    HazardInfo,
    MetricValue,
    Reason,
    Report,
    TargetInfo,
)
from pytest_npu_compat.render.findings import Findings, find, wanted_excerpts
from pytest_npu_compat.render.findings.groups import group_of
from pytest_npu_compat.render.findings.models import kind_rows
from pytest_npu_compat.render.findings.values import Estimate, Listed, Names, Share, Verbatim
from pytest_npu_compat.render.text import ISLAND_REMEDY
from pytest_npu_compat.run.excerpt import Excerpt
from pytest_npu_compat.target.byoc import FLOAT_REMEDY

CLEAN = make.report(make.on_npu("c1"), make.on_npu("r1", "Relu"), name="clean")
HALF = make.report(make.on_npu("c1"), make.on_cpu("s1"), name="half")


def leaky(name: str = "leaky", placement: str = "npu") -> Report:
    activation = (make.on_npu if placement == "npu" else make.on_cpu)("r1", "LeakyRelu")
    return make.report(make.on_npu("c1"), activation, name=name, islands=[make.island(activation)])


def keys(found: Findings) -> set[str]:
    return {statement.id for statement in found.key}


def texts(names: Names) -> list[str]:
    return [name.text for name in names.names]


def test_no_reports_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one model"):
        find([])


def test_figures_are_those_of_the_report() -> None:
    placed = find([HALF]).models[0].placed
    assert placed
    assert (placed.npu, placed.off) == (Share(1, 2), 1)
    assert (placed.functions, placed.cpu_functions) == (Share(1, 2), 1)
    assert placed.macs == Share(100, 200 - 100)
    assert (placed.boundaries, placed.boundary_bytes.size, placed.host_ops) == (2, 1500, 2)


def test_a_model_without_multiply_accumulates_has_no_mac_ratio() -> None:
    found = find([make.report(make.on_npu("r", "Relu"))])
    assert found.models[0].placed
    assert found.models[0].placed.macs is None
    assert not keys(found) & {"key.macs", "key.all_macs"}


def test_failed_model_has_no_figures_but_a_hint() -> None:
    found = find([make.failed(), CLEAN])
    assert [model.label.text for model in found.failed] == ["broken"]
    assert "key.failed" in keys(found)
    assert found.advice[0].why.id == "advice.error"
    assert found.advice[0].action.text == "Pin it."
    assert found.comparison is None


def test_failures_with_one_remedy_are_one_advice() -> None:
    found = find([make.failed("a"), make.failed("b"), make.failed("c", "timeout")])
    assert [texts(advice.models) for advice in found.advice] == [["a", "b"], ["c"]]


# Labels


def test_models_are_called_by_name() -> None:
    assert [m.label.text for m in find([CLEAN, HALF]).models] == ["clean", "half"]


def test_equal_names_are_told_apart_by_path() -> None:
    other = dataclasses.replace(CLEAN, model=dataclasses.replace(CLEAN.model, path="b/clean.onnx"))
    labels = [model.label.text for model in find([CLEAN, other, HALF]).models]
    assert labels == ["models/clean.onnx", "b/clean.onnx", "half"]


def test_the_same_file_twice_is_numbered() -> None:
    labels = [model.label.text for model in find([CLEAN, CLEAN]).models]
    assert labels == ["models/clean.onnx", "models/clean.onnx #2"]


def test_several_targets_are_named() -> None:
    other = dataclasses.replace(CLEAN, target=TargetInfo("ethos-n78", "1tops-2ple"))
    found = find([CLEAN, other])
    assert len({model.label for model in found.models}) == 2
    assert texts(found.targets) == ["ethos-n78:4tops-4ple", "ethos-n78:1tops-2ple"]


# Key findings


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        ([CLEAN], "key.single"),
        ([HALF], "key.single"),
        ([CLEAN, leaky()], "key.all"),
        ([HALF, dataclasses.replace(HALF)], "key.equal"),
        ([CLEAN, HALF], "key.range"),
    ],
)
def test_overall_statement(models: list[Report], expected: str) -> None:
    overall = {"key.single", "key.all", "key.equal", "key.range"}
    assert keys(find(models)) & overall == {expected}


def test_function_ratio_is_mentioned_only_where_it_differs() -> None:
    assert "key.functions" in keys(find([CLEAN]))
    # One NPU function and main, one operator of two: both are 50%.
    assert "key.functions" not in keys(find([HALF]))


def test_islands_or_their_absence_are_stated() -> None:
    assert keys(find([CLEAN])) & {"key.islands", "key.no_islands"} == {"key.no_islands"}
    found = find([CLEAN, leaky(), leaky("cpu", "cpu")])
    assert keys(found) & {"key.islands", "key.no_islands"} == {"key.islands"}
    statement = next(s for s in found.key if s.id == "key.islands")
    assert statement.values == {"islands": 2, "calls": 6, "cpu": 1, "models": 2}


def test_lowest_mac_ratio() -> None:
    heavy = make.report(
        make.on_npu("c1"), make.on_cpu("c2", "Conv", make.KERNEL, macs=300), name="heavy"
    )
    statement = next(s for s in find([CLEAN, heavy]).key if s.id == "key.macs")
    assert statement.values == {"model": Verbatim("heavy"), "macs": Share(100, 400)}
    assert "key.all_macs" in keys(find([CLEAN]))


def test_doubts_are_stated_only_where_there_are_some() -> None:
    hazard = HazardInfo("pad-value", "Padded wrongly.", "3", "Pad with zeros.")
    doubtful = make.report(
        make.on_npu("c1", hazards=(hazard,)),
        make.on_cpu("u1", "LSTM", placement="unknown"),
        make.on_cpu("e1", "MaxPool", supported="estimate-only"),
    )
    doubts = {"key.hazards", "key.unknown", "key.estimate_only"}
    assert keys(find([doubtful])) >= doubts
    assert not keys(find([HALF])) & doubts
    assert find([doubtful]).advice[0].why.id == "advice.hazard"


def test_a_float_model_judged_as_if_quantized_is_a_forecast() -> None:
    info = dataclasses.replace(CLEAN.model, name="float", quantization=ASSUMED_INT8)
    found = find([CLEAN, dataclasses.replace(CLEAN, model=info)])
    (statement,) = (s for s in found.key if s.id == "key.forecast")
    assert statement.values == {"models": Names((Verbatim("float"),))}
    assert "key.forecast" not in keys(find([CLEAN]))


# Operators by kind


def test_kinds_are_counted_with_their_support() -> None:
    returned = make.on_cpu("r2", "Relu", supported=True)
    operators = [
        *(make.on_npu(f"c{i}") for i in range(3)),
        make.on_npu("p1", "MaxPool"),
        make.on_cpu("p2", "MaxPool", make.KERNEL),
        make.on_cpu("s1"),
        returned,
        make.on_cpu("e1", "Resize", supported="estimate-only"),
        make.on_cpu("u1", "LSTM", placement="unknown"),
    ]
    rows = {row.kind.text: row for row in kind_rows(operators) if row.kind}
    assert {kind: row.support for kind, row in rows.items()} == {
        "Conv": "full",
        "MaxPool": "part",
        "Slice": "none",
        "Relu": "returned",
        "Resize": "estimate-only",
        "LSTM": "unknown",
    }
    assert rows["MaxPool"].operators == Share(1, 2)
    assert rows["MaxPool"].share == Share(2, 9)
    assert texts(rows["MaxPool"].rules) == ["kernel-size"]
    assert rows["Conv"].macs == Share(300, 300)


def test_rare_kinds_share_a_row() -> None:
    rows = kind_rows([make.on_cpu(f"o{i}", f"Kind{i}") for i in range(40)], limit=30)
    assert len(rows) == 31
    assert rows[-1].kind is None
    assert rows[-1].operators.whole == 10


@given(
    st.lists(st.sampled_from(["Conv", "Relu", "A", "B", "C", "D"]), max_size=60), st.integers(1, 4)
)
def test_rows_add_up_to_all_operators(kinds: list[str], limit: int) -> None:
    rows = kind_rows([make.on_npu(str(i), kind) for i, kind in enumerate(kinds)], limit)
    assert sum(row.operators.whole for row in rows) == len(kinds)


@pytest.mark.parametrize(
    ("kind", "macs", "group"),
    [
        ("Conv", 5, "compute"),
        ("MyOwn", 5, "compute"),
        ("Relu", 0, "activation"),
        ("MaxPool", 0, "pool"),
        ("Concat", 0, "shape"),
        ("MyOwn", 0, "other"),
    ],
)
def test_groups(kind: str, macs: int, group: str) -> None:
    assert group_of(kind, macs) == group


# Causes and advice


def test_causes_are_collected_over_models() -> None:
    other = make.report(
        make.on_cpu("s1"), make.on_cpu("c9", "Conv", make.KERNEL, make.SLICE), name="other"
    )
    slices, kernel = find([HALF, other]).causes
    assert (slices.rule.text, slices.operators, texts(slices.models)) == (
        "operator-not-supported",
        2,
        ["half", "other"],
    )
    assert (kernel.rule.text, kernel.macs, texts(kernel.more)) == (
        "kernel-size",
        100,
        ["operator-not-supported"],
    )
    assert texts(kernel.allowed) == ["3x3"]
    # Nodes of two models may have the same name, so only those of the first are listed.
    assert (slices.first.text, texts(slices.at)) == ("half", ["s1"])


def test_the_most_frequent_cause() -> None:
    def of(*kinds: str) -> list[tuple[str, object]]:
        operators = [make.on_cpu(f"o{i}", kind, reason(kind)) for i, kind in enumerate(kinds)]
        key = find([make.report(make.on_npu("c"), *operators)]).key
        return [(s.id, s.values.get("operators")) for s in key if s.id.startswith("key.cause")]

    def reason(kind: str) -> Reason:
        return dataclasses.replace(make.SLICE, message=f"{kind} has no form.")

    assert of("Slice", "Slice", "Mul") == [("key.cause", 2)]
    assert of("Slice") == of("Slice", "Slice") == [("key.cause.only", None)]
    assert of("Slice", "Slice", "Mul", "Mul", "Pad") == [("key.causes", 2)]
    assert of() == []


def test_causes_of_which_none_is_the_most_frequent_are_all_named() -> None:
    model = make.report(make.on_cpu("s"), make.on_cpu("c", "Conv", make.KERNEL))
    (statement,) = (s for s in find([model]).key if s.id == "key.causes")
    causes = statement.values["causes"]
    assert isinstance(causes, Listed)
    assert [s.values for s in causes.statements] == [
        {"rule": Verbatim("operator-not-supported"), "kinds": Names((Verbatim("Slice"),))},
        {"rule": Verbatim("kernel-size"), "kinds": Names((Verbatim("Conv"),))},
    ]


def test_operators_without_a_reason_are_not_lost() -> None:
    silent = dataclasses.replace(make.on_cpu("x"), reasons=())
    found = find([make.report(make.on_npu("c"), silent)])
    assert found.causes == ()
    assert found.unexplained == 1
    assert find([HALF]).unexplained == 0


def test_advice_that_gains_most_comes_first() -> None:
    model = make.report(
        *(make.on_cpu(f"s{i}") for i in range(5)),
        make.on_cpu("c1", "Conv", make.KERNEL),
        make.on_npu("r1", "LeakyRelu"),
        islands=[make.island(make.on_npu("r1", "LeakyRelu"))],
    )
    advice = find([model]).advice
    assert [a.why.id for a in advice] == ["advice.macs", "advice.operators", "advice.islands"]


def test_pairs_on_a_backend_of_tvm_want_the_float_model() -> None:
    """There, an operator with an integer form is a pair like any other."""
    backend = dataclasses.replace(leaky(placement="cpu"), target=TargetInfo("nnapi", ""))
    islands = [a.action.text for a in find([backend]).advice if a.why.id == "advice.islands"]
    assert islands == [FLOAT_REMEDY]
    both = find([backend, leaky("other")]).advice
    assert {a.action.text: texts(a.models) for a in both if a.why.id == "advice.islands"} == {
        FLOAT_REMEDY: ["leaky[nnapi]"],
        ISLAND_REMEDY: ["other[ethos-n78:4tops-4ple]"],
    }


def test_what_a_rule_advises_is_not_advised_again_for_the_pairs() -> None:
    conversion = Reason("conversion-on-cpu", "No pattern.", "Relu", None, FLOAT_REMEDY)
    operator = make.on_cpu("r1", "Relu", conversion)
    report = make.report(operator, islands=[make.island(operator)], target=TargetInfo("nnapi", ""))
    assert [a.why.id for a in find([report]).advice] == ["advice.operators"]


def test_nothing_wrong_means_no_advice() -> None:
    assert find([CLEAN]).advice == ()
    assert find([leaky()]).advice != ()


# Islands and their IR


def test_islands_are_grouped_by_kind_and_placement() -> None:
    found = find([leaky("a"), leaky("b"), leaky("c", "cpu")]).islands
    assert [(i.kind.text, i.placement, i.count, i.calls) for i in found] == [
        ("LeakyRelu", "npu", 2, 6),
        ("LeakyRelu", "cpu", 1, 3),
    ]
    assert texts(found[0].models) == ["a", "b"]


def test_the_ir_of_an_island_is_shown_with_the_first() -> None:
    models = [CLEAN, leaky("a"), leaky("b")]
    relu = Excerpt((), ("clip",), ("lv1",), frozenset(["int8"]))
    island = Excerpt((), ("qnn.dequantize",), ("lv2",), frozenset(["int8", "float32"]))
    wanted = wanted_excerpts(models)
    assert {(w.model, w.operators) for w in wanted} == {(0, ("r1",)), (1, ("r1",))}
    found = find(models, {w: relu if w.model == 0 else island for w in wanted})
    assert found.islands[0].excerpt == island
    assert [exchange.unconverted for exchange in found.exchanges] == [relu, relu]


def test_an_excerpt_with_a_conversion_is_not_called_one_without() -> None:
    models = [leaky("a", "npu"), leaky("b", "cpu")]
    renamed = [
        dataclasses.replace(o, kind="Elu") if o.kind == "LeakyRelu" else o
        for o in models[1].operators
    ]
    models[1] = dataclasses.replace(models[1], operators=tuple(renamed))
    excerpt = Excerpt((), ("qnn.dequantize", "elu"), (), frozenset(["int8", "float32"]))
    found = find(models, dict.fromkeys(wanted_excerpts(models), excerpt))
    assert len(found.exchanges) == 1
    assert found.exchanges[0].unconverted is None


def test_an_island_of_several_operators_is_shown_whole() -> None:
    first, second = make.on_cpu("sig", "Sigmoid"), make.on_cpu("mul", "Mul")
    both = dataclasses.replace(make.island(first), nodes=("dq", "sig", "mul", "q"))
    wanted = wanted_excerpts([make.report(make.on_npu("c"), first, second, islands=[both])])
    assert [w.operators for w in wanted] == [("sig", "mul")]


# Comparison


def test_exchange_of_an_activation() -> None:
    # The model with fewer Q/DQ pairs is the one from which the other is told apart.
    for models in ([CLEAN, leaky()], [leaky(), CLEAN]):
        (exchange,) = find(models).exchanges
        assert (exchange.old.text, exchange.new.text, exchange.count) == ("Relu", "LeakyRelu", 1)
        assert (exchange.before.text, exchange.after.text) == ("clean", "leaky")
        figures = {f.label.id: (f.before, f.after) for f in exchange.figures}
        assert figures["metric.islands"] == (0, 1)
        assert not exchange.same


@pytest.mark.parametrize(
    "other",
    [
        make.report(make.on_npu("c1"), name="shorter"),
        make.report(make.on_npu("c1", macs=7), make.on_npu("l", "LeakyRelu")),
        make.report(make.on_npu("c1"), make.on_npu("l", "LeakyRelu", output_shape=(1, 1))),
        make.report(make.on_npu("g", "Gemm", macs=100), make.on_npu("l", "LeakyRelu")),
        make.report(make.on_npu("c1"), make.on_npu("r1", "Relu"), name="same"),
        make.failed(),
    ],
    ids=["shorter", "macs", "shape", "two kinds", "no difference", "failed"],
)
def test_models_that_differ_in_more_or_less_are_no_exchange(other: Report) -> None:
    assert find([CLEAN, other]).exchanges == ()


def pooled(kind: str, pool: str = "2x2", **fields: object) -> Report:
    """A model with one activation and one pool."""
    shaped = {"kernel": pool, "strides": "2x2"}
    activation = make.on_npu("a", kind, attributes={"input type": "int8", **fields})
    return make.report(
        make.on_npu("c1"), activation, make.on_npu("p", "MaxPool", attributes=shaped), name=kind
    )


def test_a_pair_has_the_same_attributes() -> None:
    relu = pooled("Relu", minimum="0")
    assert len(find([relu, pooled("LeakyRelu", alpha="0.1")]).exchanges) == 1
    # What the activation changes by itself is no other difference.
    assert len(find([relu, pooled("Clip", minimum="-1")]).exchanges) == 1
    # The pool could be what changes the figures.
    assert find([relu, pooled("LeakyRelu", pool="3x3")]).exchanges == ()


def test_a_pool_of_another_kind_and_kernel_is_no_exchange() -> None:
    def pool(kind: str, kernel: str) -> Report:
        return make.report(make.on_npu("p", kind, attributes={"kernel": kernel}), name=kind)

    assert len(find([pool("MaxPool", "2x2"), pool("AveragePool", "2x2")]).exchanges) == 1
    assert find([pool("MaxPool", "2x2"), pool("AveragePool", "3x3")]).exchanges == ()


def test_an_activation_inside_of_an_operator_is_a_difference() -> None:
    fused = make.report(make.on_npu("c1", nodes=("c1", "r")), make.on_npu("l", "Elu"), name="fused")
    assert find([CLEAN, fused]).exchanges == ()


def test_reports_without_attributes_are_not_paired() -> None:
    old = [dataclasses.replace(report, schema_version="1.0") for report in (CLEAN, leaky())]
    assert find(old).exchanges == ()
    assert find([CLEAN, old[1]]).exchanges == ()


def test_pairs_that_are_left_out_are_told() -> None:
    for models, cut in ((4, False), (5, False), (6, True)):
        kinds = [make.report(make.on_npu("a", f"Kind{i}"), name=f"m{i}") for i in range(models)]
        found = find(kinds).comparison
        assert found
        assert (len(found.exchanges), found.cut) == (min(models * (models - 1) // 2, 10), cut)


def test_ranking() -> None:
    found = find([HALF, leaky(), CLEAN, make.failed()]).comparison
    assert found
    assert [(rank, m.label.text) for rank, m in found.ranking] == [
        (1, "clean"),
        (2, "leaky"),
        (3, "half"),
    ]
    points = {texts(d.models)[0]: [p.id for p in d.points] for d in found.differences}
    assert points == {"leaky": ["difference.islands"], "half": ["difference.off"]}


def test_equal_models_share_a_rank_and_have_no_differences() -> None:
    found = find([CLEAN, dataclasses.replace(CLEAN)]).comparison
    assert found
    assert [rank for rank, _ in found.ranking] == [1, 1]
    assert found.differences == ()


def test_what_makes_several_models_worse_is_said_once() -> None:
    same = [dataclasses.replace(HALF, model=dataclasses.replace(HALF.model, name=n)) for n in "abc"]
    found = find([CLEAN, *same[:2], leaky(), same[2]]).comparison
    assert found
    assert [texts(d.models) for d in found.differences] == [["leaky"], ["a", "b", "c"]]


def test_every_worse_model_has_a_difference() -> None:
    # Fewer operators, the same number of them off, no island, one partition.
    small = make.report(make.on_cpu("s1"), make.on_npu("c1"), name="small")
    large = make.report(make.on_cpu("s1"), *(make.on_npu(f"c{i}") for i in range(9)), name="large")
    found = find([small, large]).comparison
    assert found
    assert [[p.id for p in d.points] for d in found.differences] == [["difference.ratio"]]


# Estimates


def test_estimates_are_optional() -> None:
    assert find([CLEAN]).estimates is None
    latency = make.Ranged(4.0, "ms", low=3.0, high=9.0)
    metrics = {**CLEAN.metrics, "estimated_latency": latency}
    model = dataclasses.replace(CLEAN, metrics=metrics)
    found = find([model, HALF])
    assert found.estimates
    assert found.estimates.some
    assert found.models[0].estimates == {"estimated_latency": Estimate(3.0, 4.0, 9.0, "ms")}


def missing(found: Findings) -> dict[str, list[str]]:
    """Id of a reason for which there are no estimates -> the models."""
    assert found.estimates
    assert not found.estimates.some
    return {s.id: texts(s.values["models"]) for s in found.estimates.missing}  # type: ignore[arg-type]


def test_models_without_estimates_are_told_with_the_reason() -> None:
    def report(name: str, **fields: object) -> Report:
        return make.report(make.on_npu("c"), name=name, **fields)

    reports = [
        report("no model"),
        report("operators", estimate=EstimateInfo(None, None, not_estimable=("lstm",))),
        report("borders", estimate=EstimateInfo(None, None)),
        make.failed("first"),
        make.failed("second"),
    ]
    expected = {
        "performance.missing.target": ["no model"],
        "performance.missing.operators": ["operators"],
        "performance.missing.borders": ["borders"],
        "performance.missing.failed": ["first", "second"],
    }
    assert missing(find(reports, estimate=True)) == expected
    # Who reads reports alone cannot know what was asked for.
    without = {**expected, "performance.missing.not_asked": ["no model"]}
    del without["performance.missing.target"]
    assert missing(find(reports)) == without
    assert missing(find([make.failed()], estimate=True)) == {
        "performance.missing.failed": ["broken"]
    }


def test_what_estimates_assume() -> None:
    metrics = {**CLEAN.metrics, "estimated_latency": MetricValue(1.0, "ms")}
    usual, fast = Platform().assumptions(), Platform(clock=2e9).assumptions()
    one, two, other = (
        dataclasses.replace(CLEAN, metrics=metrics, platform=platform)
        for platform in (usual, usual, fast)
    )
    found = find([one, HALF, two]).estimates
    assert found
    (platform,) = found.platforms
    assert platform.models == Names(())
    constants = {c.name.text: c for c in platform.constants}
    assert list(constants) == list(usual)
    assert constants["clock"].nominal == Verbatim("1.25 GHz")
    assert constants["clock"].low is constants["clock"].high is None
    invocation = constants["invocation"]
    assert (invocation.low, invocation.high) == (Verbatim("20 us"), Verbatim("500 us"))
    several = find([one, other, two]).estimates
    assert several
    assert [len(texts(p.models)) for p in several.platforms] == [2, 1]


def test_an_estimate_without_a_range_is_its_own() -> None:
    metrics = {**CLEAN.metrics, "estimated_speedup": MetricValue(2.0, "x")}
    found = find([dataclasses.replace(CLEAN, metrics=metrics)])
    assert found.models[0].estimates["estimated_speedup"] == Estimate(2.0, 2.0, 2.0, "x")
