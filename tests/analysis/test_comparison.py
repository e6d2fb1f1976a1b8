"""Comparison: which operators of two reports are the same, and what a reader is told about the rest."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import ERROR, any_report, op, ratio, report, value

from pytest_npu_compat.analysis.comparison import Comparison, OperatorChange, compare
from pytest_npu_compat.analysis.report import ModelInfo, OperatorInfo, Report, TargetInfo, ToolInfo


def names(changes: tuple[OperatorChange, ...]) -> list[tuple[str | None, str | None]]:
    """(before, after) of each change."""
    return [(c.before and c.before.name, c.after and c.after.name) for c in changes]  # type: ignore[misc]


def chain(*kinds: str, first: int = 0) -> list[OperatorInfo]:
    """Operators numbered as exporters do it, each of its own size."""
    return [
        op(f"{kind.lower()}_{number}", kind, macs=10 + size)
        for size, (number, kind) in enumerate(enumerate(kinds, start=first))
    ]


def test_same_names_are_the_same_operators() -> None:
    found = compare(
        report(op("a", attributes={"kernel": "3x3"}), op("b")),
        report(op("a", placement="cpu", attributes={"kernel": "4x4"}), op("b")),
    )
    assert names(found.left) == [("a", "a")]
    assert found.left[0].differences == (("kernel", "3x3", "4x4"),)
    assert (found.joined, found.added, found.removed, found.renamed) == ((), (), (), ())
    assert [change.name for change in found.metrics] == ["npu_ratio", "cpu_operators"]
    assert all(change.worse for change in found.metrics)
    assert not found.unchanged


def test_operator_that_comes_to_the_npu() -> None:
    found = compare(report(op("a", placement="unknown")), report(op("a")))
    assert names(found.joined) == [("a", "a")]
    assert found.left == ()
    assert not any(change.worse for change in found.metrics)


def test_inserted_node_that_renumbers_all_later_ones() -> None:
    base = chain("Conv", "Relu", "Conv", "Relu", "Conv")
    shifted = [replace(o, name=f"{o.kind.lower()}_{i + 3}") for i, o in enumerate(base[2:])]
    inserted = op("pad_2", "Pad", macs=0)
    found = compare(report(*base), report(*base[:2], inserted, *shifted))
    assert names(found.added) == [(None, "pad_2")]
    assert names(found.renamed) == [
        ("conv_2", "conv_3"),
        ("relu_3", "relu_4"),
        ("conv_4", "conv_5"),
    ]
    assert (found.left, found.joined, found.removed) == ((), (), ())


def test_renumbered_operator_that_also_left_the_npu_keeps_its_history() -> None:
    base = [op("conv_0"), op("conv_1", macs=2, attributes={"kernel": "3x3"}), op("conv_2", macs=3)]
    head = [
        op("conv_0"),
        op("pad_1", "Pad"),
        op("conv_2", placement="cpu", macs=5, attributes={"kernel": "4x4"}),
        op("conv_3", macs=3),
    ]
    found = compare(report(*base), report(*head))
    assert names(found.left) == [("conv_1", "conv_2")]
    assert found.left[0].differences == (("kernel", "3x3", "4x4"),)
    assert names(found.added) == [(None, "pad_1")]


def test_name_is_enough_where_everything_else_changed() -> None:
    base = [op("a"), op("head", output_shape=(1, 8), macs=3)]
    pads = [op("pad_1", "Pad", macs=0), op("pad_2", "Pad", macs=1)]
    changed = op("head", placement="cpu", output_shape=(1, 9), macs=4)
    found = compare(report(*base), report(base[0], *pads, changed))
    assert names(found.left) == [("head", "head")]
    assert found.left[0].differences == (("output shape", "1x8", "1x9"),)
    assert len(found.added) == 2


def test_replaced_operator_of_another_kind_and_name_left_the_npu() -> None:
    base = [op("c0"), op("relu_1", "Relu"), op("c2", macs=9)]
    head = [op("c0"), op("leaky_1", "LeakyRelu", placement="cpu"), op("c2", macs=9)]
    found = compare(report(*base), report(*head))
    assert names(found.left) == [("relu_1", "leaky_1")]
    assert found.left[0].differences == (("kind", "Relu", "LeakyRelu"),)
    assert (found.added, found.removed) == ((), ())


def test_added_and_removed_operators() -> None:
    base = [op("a"), op("b", "Relu", macs=1), op("c", macs=2)]
    added = [op("d", "Softmax", placement="cpu", output_shape=(1, 10)), op("e", "Pad", macs=0)]
    found = compare(report(*base), report(base[0], base[2], *added))
    assert names(found.removed) == [("b", None)]
    assert names(found.added) == [(None, "d"), (None, "e")]
    assert names(found.off_npu) == [(None, "d")]
    assert found.left == ()


def test_operators_of_one_name_are_told_apart() -> None:
    base = [op("x", macs=1), op("x", macs=2), op("x", macs=2, placement="cpu")]
    assert compare(report(*base), report(*base)).unchanged
    found = compare(report(*base), report(base[0], base[2]))
    assert len(found.removed) == 1
    assert found.added == ()


@pytest.mark.parametrize(
    ("base", "head", "added", "removed"),
    [([], [op("a")], 1, 0), ([op("a")], [], 0, 1), ([], [], 0, 0)],
)
def test_empty_sides(
    base: list[OperatorInfo], head: list[OperatorInfo], added: int, removed: int
) -> None:
    found = compare(report(*base), report(*head))
    assert (len(found.added), len(found.removed)) == (added, removed)
    assert found.left == found.joined == found.renamed == ()


def test_model_that_cannot_be_analyzed_has_lost_its_figures() -> None:
    found = compare(report(op("a")), report(error=ERROR))
    assert [(change.name, change.after) for change in found.metrics] == [
        ("npu_ratio", None),
        ("cpu_operators", None),
    ]
    assert all(change.worse for change in found.metrics)
    back = compare(report(error=ERROR), report(op("a")))
    assert not any(change.worse for change in back.metrics)


@pytest.mark.parametrize(
    ("metric", "before", "after", "worse"),
    [
        ("npu_ratio", ratio(9, 10), ratio(8, 10), True),
        ("npu_ratio", ratio(8, 10), ratio(9, 10), False),
        ("qdq_pairs", value("qdq_pairs", 1), value("qdq_pairs", 2), True),
        ("qdq_pairs", value("qdq_pairs", 2), value("qdq_pairs", 1), False),
        ("boundary_bytes", value("boundary_bytes", 5), value("boundary_bytes", 6), True),
        ("npu_operators", value("npu_operators", 5), value("npu_operators", 4), True),
    ],
)
def test_worse_follows_the_direction_of_the_metric(
    metric: str, before: object, after: object, worse: bool
) -> None:
    found = compare(report(metrics={metric: before}), report(metrics={metric: after}))
    assert [(change.name, change.worse) for change in found.metrics] == [(metric, worse)]


def test_function_ratio_is_shown_without_a_verdict() -> None:
    """It rises when a model falls into more parts."""
    for after in (ratio(1, 2), ratio(3, 4)):
        (change,) = compare(
            report(metrics={"npu_function_ratio": ratio(2, 3)}),
            report(metrics={"npu_function_ratio": after}),
        ).metrics
        assert (change.verdict, change.worse) == ("", False)


def test_verdict_in_words() -> None:
    figures = [{}, {"npu_ratio": ratio(1, 2)}, {"npu_ratio": ratio(2, 2)}]
    states = [report(metrics=metrics) for metrics in figures]
    verdicts = {
        (old, new): change.verdict
        for old in range(3)
        for new in range(3)
        for change in compare(states[old], states[new]).metrics
    }
    assert verdicts == {
        (0, 1): "new",
        (0, 2): "new",
        (1, 0): "worse",
        (1, 2): "better",
        (2, 0): "worse",
        (2, 1): "worse",
    }


def test_metrics_are_in_the_order_of_the_table() -> None:
    old = {"qdq_pairs": value("qdq_pairs", 1), "npu_ratio": ratio(1, 2)}
    new = {"qdq_pairs": value("qdq_pairs", 2), "npu_ratio": ratio(1, 3)}
    found = compare(report(metrics=old), report(metrics=new))
    assert [change.name for change in found.metrics] == ["npu_ratio", "qdq_pairs"]


SAME = report(op("a"))
MOVED = replace(SAME, metrics={"npu_ratio": ratio(1, 2)})
OTHER_TOOL = replace(MOVED, tool=ToolInfo("1.1", "0.27.0", "1.22", "rules-23.05"))
OTHER_TARGET = replace(MOVED, target=TargetInfo("ethos-n78", "1tops-2ple"))
NOTHING_CHANGED = (
    "all versions and settings are the same too: the accepted figures may have been edited by hand, "
    "else this is a defect of pytest-npu-compat"
)
PINNED = replace(MOVED, model=replace(SAME.model, inputs={"image": (1, 3, 8, 8)}))


@pytest.mark.parametrize(
    ("base", "head", "cause"),
    [
        (
            SAME,
            OTHER_TOOL,
            "the tool changed: pytest-npu-compat 1.0 -> 1.1, rules rules-23.02 -> rules-23.05",
        ),
        (
            SAME,
            OTHER_TARGET,
            "the gate file changed: target ethos-n78:4tops-4ple -> ethos-n78:1tops-2ple",
        ),
        (SAME, PINNED, "the gate file changed: shape of image default -> 1x3x8x8"),
        (
            SAME,
            replace(MOVED, tool=replace(SAME.tool, rules="profile b")),
            "the target changed: rules rules-23.02 -> profile b",
        ),
        (
            SAME,
            replace(MOVED, tool=replace(SAME.tool, rules="n"), target=TargetInfo("nnapi", "")),
            "the gate file changed: target ethos-n78:4tops-4ple -> nnapi",
        ),
        (
            SAME,
            MOVED,
            NOTHING_CHANGED,
        ),
        (SAME, SAME, None),
        (SAME, replace(OTHER_TOOL, metrics=SAME.metrics), None),
        (SAME, replace(OTHER_TOOL, model=replace(SAME.model, sha256="1" * 64)), None),
        (
            replace(SAME, model=ModelInfo("net", "n")),
            replace(MOVED, model=ModelInfo("net", "n")),
            None,
        ),
    ],
    ids=[
        "tool",
        "variant",
        "inputs",
        "rules",
        "another target has its own rules",
        "nothing",
        "unmoved",
        "tool, but unmoved",
        "model",
        "no hash",
    ],
)
def test_cause(base: Report, head: Report, cause: str | None) -> None:
    assert compare(base, head).cause == cause


def test_cause_names_the_tool_too_when_both_changed() -> None:
    """Who changes the variant and upgrades in one step must not take the one for the other."""
    cause = compare(SAME, replace(OTHER_TOOL, target=OTHER_TARGET.target)).cause
    assert cause is not None
    assert "the gate file changed: target" in cause
    assert "the tool changed: pytest-npu-compat 1.0 -> 1.1" in cause


def test_options_of_the_target_are_settings() -> None:
    other = replace(SAME.target, options={"sram_size": 1024})
    changes = compare(SAME, replace(SAME, target=other)).setting_changes
    assert changes == (("sram_size", "default", "1024"),)


def test_differences_of_what_is_new_or_gone_are_none() -> None:
    assert OperatorChange(None, op("a")).differences == ()
    assert OperatorChange(op("a"), None).differences == ()


def test_output_shape_is_a_difference() -> None:
    change = OperatorChange(op(output_shape=(1, None, 8)), op(output_shape=()))
    assert change.differences == (("output shape", "1x?x8", "scalar"),)


def test_large_models_are_compared_in_order() -> None:
    """Too many operators to align by structure: what has its name is still found."""
    base = [op(f"n{i}", macs=i) for i in range(2100)]
    head = [replace(o, macs=o.macs + 1, placement="cpu" if o.macs == 7 else "npu") for o in base]
    found = compare(report(*base), report(*head))
    assert names(found.left) == [("n7", "n7")]
    assert (found.added, found.removed) == ((), ())


@given(any_report())
@settings(deadline=None)
def test_a_report_compared_with_itself_is_unchanged(one: Report) -> None:
    found = compare(one, one)
    assert found.unchanged
    assert found.renamed == ()
    assert found.tool_changes == found.setting_changes == ()


@given(any_report())
@settings(deadline=None)
def test_other_names_change_nothing_but_names(one: Report) -> None:
    renamed = tuple(
        replace(o, name=f"new_{index}", nodes=()) for index, o in enumerate(one.operators)
    )
    found = compare(one, replace(one, operators=renamed))
    assert found.unchanged
    assert names(found.renamed) == [
        (old.name, new.name) for old, new in zip(one.operators, renamed, strict=True)
    ]


def _ids(comparison: Comparison) -> tuple[Counter[int], Counter[int]]:
    """How often each operator of both sides occurs among the changes of presence."""
    before, after = Counter[int](), Counter[int]()
    both = (*comparison.left, *comparison.joined)
    for change in (*both, *comparison.added, *comparison.removed):
        before.update([id(change.before)] if change.before else [])
        after.update([id(change.after)] if change.after else [])
    return before, after


@given(any_report(), any_report())
@settings(deadline=None)
def test_every_operator_of_both_sides_appears_once(base: Report, head: Report) -> None:
    base = replace(base, operators=tuple(replace(o) for o in base.operators))
    found = compare(base, head)
    before, after = _ids(found)
    assert not [1 for count in (*before.values(), *after.values()) if count != 1]
    # Whoever is neither new nor gone has a partner.
    assert len(base.operators) - len(found.removed) == len(head.operators) - len(found.added)
    on_before = sum(o.placement == "npu" for o in base.operators)
    on_after = sum(o.placement == "npu" for o in head.operators)
    gone = sum(c.before is not None and c.before.placement == "npu" for c in found.removed)
    new = sum(c.after is not None and c.after.placement == "npu" for c in found.added)
    assert on_before - gone - len(found.left) + len(found.joined) + new == on_after


@given(any_report(), any_report(), st.randoms())
@settings(deadline=None)
def test_order_of_attributes_changes_nothing(base: Report, head: Report, random: object) -> None:
    def shuffled(one: OperatorInfo) -> OperatorInfo:
        items = list(one.attributes.items())
        random.shuffle(items)  # type: ignore[attr-defined]
        return replace(one, attributes=dict(items))

    other = replace(base, operators=tuple(shuffled(o) for o in base.operators))
    one, two = compare(base, head), compare(other, head)
    for field in ("left", "joined", "added", "removed", "renamed"):
        assert names(getattr(one, field)) == names(getattr(two, field))
    assert dataclasses.astuple(one)[2:] == dataclasses.astuple(compare(base, head))[2:]
