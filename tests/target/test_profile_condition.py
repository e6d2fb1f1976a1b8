"""Conditions of profiles: what they accept, what they say, what is none."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_npu_compat.target.profile.condition import Condition, ConditionError, parse_condition


@pytest.mark.parametrize(
    ("written", "text", "accepted", "refused"),
    [
        (3, "3", [3, 3.0], [2, 4, "3", True]),
        ("nearest", "nearest", ["nearest"], ["linear", 1, "Nearest"]),
        (True, "True", [True], [False, 1]),
        ([1, 2], "one of 1, 2", [1, 2], [0, 3, "1", True]),
        ([1, "depthwise"], "one of 1, depthwise", [1, "depthwise"], [2, "1"]),
        ("<= 7", "at most 7", [7, -1], [8, 7.5, "7"]),
        (">=2", "at least 2", [2, 9], [1]),
        ("== 2", "2", [2], [1, 3]),
        ("1..7", "1 to 7", [1, 7], [0, 8]),
        ("-2..2", "-2 to 2", [-2, 0], [-3]),
        ({"min": 8, "multiple_of": 8}, "at least 8, a multiple of 8", [8, 16], [0, 12]),
        ({"max": 0.5}, "at most 0.5", [0.5], [0.6]),
    ],
)
def test_condition(written: Any, text: str, accepted: list[Any], refused: list[Any]) -> None:
    condition = parse_condition(written)
    assert condition.text == text
    assert [value for value in accepted if not condition.accepts(value)] == []
    assert [value for value in refused if condition.accepts(value)] == []


@pytest.mark.parametrize(
    "written",
    [
        None,
        [],
        [[1]],
        ["<= 7"],
        [""],
        {},
        {"mni": 1},
        {"min": "1"},
        {"min": True},
        {"multiple_of": 0},
        {"multiple_of": 1.5},
        {"min": 2, "max": 1},
        "7..1",
        "< 7",
        "96%",
        "1 to 7",
        "",
    ],
)
def test_what_is_no_condition(written: Any) -> None:
    with pytest.raises(ConditionError):
        parse_condition(written)


VALUES = st.one_of(st.integers(-100, 100), st.booleans(), st.sampled_from(["a", "int8", "1"]))


@given(st.integers(-50, 50), st.integers(-50, 50), VALUES)
def test_span_is_the_two_bounds_together(low: int, high: int, value: Any) -> None:
    if low > high:
        with pytest.raises(ConditionError):
            parse_condition(f"{low}..{high}")
        return
    both = parse_condition(f"<= {high}").accepts(value) and parse_condition(f">= {low}").accepts(
        value
    )
    assert parse_condition(f"{low}..{high}").accepts(value) == both
    assert parse_condition({"min": low, "max": high}).accepts(value) == both


@given(st.lists(VALUES, min_size=1), VALUES)
def test_list_is_any_of_its_values(allowed: list[Any], value: Any) -> None:
    assert parse_condition(allowed).accepts(value) == any(
        parse_condition([one]).accepts(value) for one in allowed
    )


@given(
    st.recursive(
        VALUES | st.none() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_anything_is_a_condition_or_an_error(value: Any) -> None:
    try:
        condition = parse_condition(value)
    except ConditionError:
        return
    assert condition.text
    data = json.loads(json.dumps(asdict(condition)))
    assert Condition(**{**data, "one_of": tuple(data["one_of"])}) == condition
