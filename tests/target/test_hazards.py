"""Hazards: what the real stack accepts and then computes wrongly, beside what it computes rightly."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conformance import topologies

from pytest_npu_compat.analysis.placement import place
from pytest_npu_compat.target.ethos_n78.hazards import ALL_HAZARDS, hazards
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Convolution,
    FullyConnected,
    MultiplyConstant,
    Padding,
    Quant,
    Tensor,
)
from pytest_npu_compat.target.ethos_n78.target import EthosN78
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS

NPU = VARIANTS["4tops-4ple"]
X = Tensor((1, 8, 8, 16), "int8", Quant((0.02,), 3))
CONV = Convolution(X, X, Tensor((3, 3, 16, 16), "int8"), (16,), pad=Padding((1, 1, 1, 1), value=3))
FC = FullyConnected(
    Tensor((1, 64), "int8"), Tensor((1, 10), "int8"), Tensor((10, 64), "int8"), (10,)
)
MULTIPLY = MultiplyConstant(
    X, replace(X, quant=Quant((0.01,), 3)), Tensor((1,), "int8", Quant((0.01,), 0)), 50
)
ADD_SCALAR = AddConstant(
    X, replace(X, quant=Quant((0.02,), 1)), Tensor((1,), "int8", Quant((0.04,), 0)), 1
)

CASES = {
    "pad-value": (CONV, replace(CONV, pad=Padding((1, 1, 1, 1), value=0))),
    "pad-value of a reflect pad": (CONV, replace(CONV, pad=Padding((1, 1, 1, 1), "reflect", 3))),
    "fc-per-channel": (FC, replace(FC, weights=replace(FC.weights, quant=Quant((0.1,) * 10)))),
    "fc-too-many-outputs": (
        replace(FC, weights=Tensor((16384, 64), "int8")),
        replace(FC, weights=Tensor((16385, 64), "int8")),
    ),
    "mul-scalar-tolerance": (MULTIPLY, replace(MULTIPLY, value=60)),
    "mul-scalar-tolerance of a zero point": (
        MULTIPLY,
        replace(MULTIPLY, output=replace(MULTIPLY.output, quant=Quant((0.01,), 4))),
    ),
    "add-scalar-one-sided": (
        ADD_SCALAR,
        replace(ADD_SCALAR, output=replace(X, quant=Quant((0.02,), 40))),
    ),
    "add-scalar-one-sided of a scale": (
        ADD_SCALAR,
        replace(ADD_SCALAR, output=replace(X, quant=Quant((0.5,), 1))),
    ),
    "add-same-operand": (Addition(X, X, X), Addition(X, X, X, same_operand=True)),
}


@pytest.mark.parametrize(("rule", "case"), CASES.items(), ids=CASES)
def test_hazard_is_found_only_where_the_result_is_wrong(
    rule: str, case: tuple[object, object]
) -> None:
    harmless, hazardous = case
    assert hazards(harmless, NPU) == ()
    (found,) = hazards(hazardous, NPU)
    assert found.rule == rule.split(" ")[0]
    assert found.message
    assert found.actual
    assert found.remedy


def test_every_hazard_has_a_case() -> None:
    tested = {rule.split(" ")[0] for rule in CASES} | {"cyclic-partitions"}
    assert {make("").rule for make in ALL_HAZARDS} == tested


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("pad_single_use", []),
        ("pad_nonzero_value", ["pad-value"]),
        ("pad_mode_reflect", ["pad-value"]),
    ],
)
def test_hazard_reaches_the_composite(name: str, rules: list[str]) -> None:
    placement = place(topologies.build(name), EthosN78())
    found = [h.rule for composite in placement.composites for h in composite.hazards]
    assert found == rules


def test_multiply_by_one_per_channel_is_no_scalar_hazard() -> None:
    placement = place(topologies.build("lone_mul_const_depthwise"), EthosN78())
    assert [c.hazards for c in placement.composites] == [()]
