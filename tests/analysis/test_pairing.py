"""Pairing: a model that moved, was renamed or broken on the way is found again, and no other is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import ERROR, any_report, op, report

from pytest_npu_compat.analysis import pairing
from pytest_npu_compat.analysis.pairing import Entry, pair
from pytest_npu_compat.analysis.report import ModelInfo, OperatorInfo, TargetInfo

CONVS = [op(f"c{i}", macs=10 + i) for i in range(4)]


def entry(
    name: str,
    *operators: OperatorInfo,
    gate: str = "npu-compat.yaml",
    path: str = "",
    sha: str = "",
    target: str = "ethos-n78",
    label: str = "ethos-n78",
    broken: bool = False,
) -> Entry:
    model = ModelInfo(name, path or f"{name}.onnx", sha256=sha)
    error = ERROR if broken else None
    made = report(*operators, model=model, target=TargetInfo(label, ""), error=error)
    return Entry(gate, f"{name}[{target}]", made)


def paired(old: list[Entry], new: list[Entry]) -> list[tuple[str, str]]:
    found = pair(old, new)
    return sorted((old[j].shown, new[i].shown) for i, j in found.items())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (entry("a", sha="1"), entry("a", sha="2", path="elsewhere.onnx")),
        (entry("a", gate="x/npu-compat.yaml", sha="1"), entry("a", gate="y/n.yaml", sha="2")),
        (entry("a", sha="1"), entry("b", sha="1")),
        (entry("a", sha="1", gate="x/n.yaml"), entry("b", sha="1", gate="y/n.yaml")),
        (entry("a", sha="1", label="ethos-n78"), entry("b", sha="1", label="nnapi")),
        (entry("a", sha="1", target="phone"), entry("a", sha="1", target="mobile")),
        (entry("a", path="m.onnx", sha="1"), entry("b", path="m.onnx", broken=True)),
        (
            entry("a", path="../m.onnx", gate="x/n.yaml", sha="1"),
            entry("b", path="m.onnx", gate="n.yaml", sha="2"),
        ),
        (entry("a", *CONVS), entry("b", *CONVS[:2], op("c2", macs=1), op("c3", macs=2))),
        (
            entry("a", *CONVS, *(op(f"r{i}", "Relu", macs=0) for i in range(9))),
            entry("b", *CONVS, *(op(f"s{i}", "Silu", "cpu", macs=0) for i in range(9))),
        ),
        (entry("a", op("r", "Relu", macs=0)), entry("b", op("r", "Relu", macs=0))),
    ],
    ids=[
        "same id",
        "same id in another gate file",
        "same file",
        "same file in another gate file",
        "same file, another variant",
        "target with another name",
        "same path, broken",
        "same path from two gate files",
        "half of the work",
        "other activations",
        "no work at all",
    ],
)
def test_same_model(old: Entry, new: Entry) -> None:
    other = entry("other", op("x", "Softmax", macs=0, output_shape=(1, 7)), label="other")
    other = replace(other, gate="o.yaml", id="other[other]")
    assert paired([old, other], [other, new]) == sorted(
        [(old.shown, new.shown), (other.shown, other.shown)]
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (entry("a", *CONVS), entry("b", CONVS[0], *(op(f"x{i}", macs=i) for i in (1, 2, 3)))),
        (entry("a", *CONVS), entry("b", *CONVS, label="nnapi", target="phone")),
        (entry("a", broken=True), entry("b", broken=True)),
        (entry("a"), entry("b")),
    ],
    ids=["less than half of the work", "another target", "not analyzable", "empty"],
)
def test_another_model(old: Entry, new: Entry) -> None:
    assert paired([old], [new]) == []


def test_most_alike_of_several_is_the_same() -> None:
    """Two directories change places with a third: ids alone would take one for the other."""
    one, two = CONVS[:2], CONVS[2:]
    old = [entry("m", *one, gate="a/n.yaml"), entry("m", *two, gate="b/n.yaml")]
    new = [entry("m", *two, gate="c/n.yaml"), entry("m", *one, gate="d/n.yaml")]
    assert paired(old, new) == [
        ("a/n.yaml::m[ethos-n78]", "d/n.yaml::m[ethos-n78]"),
        ("b/n.yaml::m[ethos-n78]", "c/n.yaml::m[ethos-n78]"),
    ]


def test_closest_name_decides_between_equals() -> None:
    old = [entry("level2_relu", *CONVS), entry("level3_relu", *CONVS)]
    new = [entry("level3_leaky", *CONVS), entry("level2_leaky", *CONVS)]
    assert paired(old, new) == [
        ("npu-compat.yaml::level2_relu[ethos-n78]", "npu-compat.yaml::level2_leaky[ethos-n78]"),
        ("npu-compat.yaml::level3_relu[ethos-n78]", "npu-compat.yaml::level3_leaky[ethos-n78]"),
    ]


def test_model_that_was_copied_is_new() -> None:
    assert paired([entry("a", sha="1")], [entry("a", sha="1"), entry("b", sha="1")]) == [
        ("npu-compat.yaml::a[ethos-n78]", "npu-compat.yaml::a[ethos-n78]")
    ]


def test_too_many_to_look_at_each_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has the same content is still found; what is only alike is gone and new, which is red."""
    monkeypatch.setattr(pairing, "MAX_PAIRS", 3)
    old = [entry(f"old{i}", *CONVS, sha="1") for i in range(2)]
    new = [entry(f"new{i}", *CONVS, sha="1") for i in range(2)]
    assert len(pair(old, new)) == 2
    unlike = [replace(e, report=replace(e.report, model=ModelInfo("n", e.id))) for e in new]
    assert pair(old, unlike) == {}


ENTRIES = st.lists(
    st.builds(
        lambda gate, name, sha, one: Entry(
            gate, name, replace(one, model=ModelInfo(name, f"{name}.onnx", sha256=sha))
        ),
        st.sampled_from(["", "a/n.yaml", "b/n.yaml"]),
        st.sampled_from(["x[n]", "y[n]", "x[m]", "z"]),
        st.sampled_from(["", "1", "2"]),
        any_report(),
    ),
    max_size=5,
    unique_by=lambda e: (e.gate, e.id),
)


@given(ENTRIES, ENTRIES)
@settings(deadline=None)
def test_no_model_is_paired_twice_and_the_same_id_always_is(
    old: list[Entry], new: list[Entry]
) -> None:
    pairs = pair(old, new)
    assert len(set(pairs.values())) == len(pairs)
    ids = {(e.gate, e.id): j for j, e in enumerate(old)}
    for i, e in enumerate(new):
        if (e.gate, e.id) in ids:
            assert pairs[i] == ids[e.gate, e.id]
