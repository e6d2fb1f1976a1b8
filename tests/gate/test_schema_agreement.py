"""The loader and the JSON Schema agree on gate files, so that an editor promises what a run holds."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import load, load_gate
from pytest_npu_compat.render.schema import gate_schema

SCHEMA = jsonschema.Draft202012Validator(gate_schema())

VALID: dict[str, Any] = {
    "version": 1,
    "targets": {
        "ethos-n78": {"variant": "4tops-4ple", "inline_non_compute_intensive_partitions": True},
        "small": {"backend": "ethos-n78", "sram_size": 1048576, "thresholds": {"hazards": 0}},
    },
    "limits": {"timeout": "120 s", "memory": "4 GB"},
    "platform": {
        "clock": "1.25 GHz",
        "invocation": {"low": "1 us", "nominal": "2 us", "high": "3 us"},
    },
    "thresholds": {
        "npu_ratio": {"min": "96%", "max": "99%", "severity": "warn"},
        "cpu_operators": {"allow": ["Softmax"], "deny": ["Resize"]},
        "npu_partitions": {"exactly": 1},
        "qdq_pairs": "<= 3",
    },
    "models": [
        "a.onnx",
        {
            "path": "b.onnx",
            "name": "detector",
            "targets": ["small"],
            "inputs": {"images": [1]},
            "quantization": "assume-int8",
            "thresholds": {"hazards": 0},
            "waivers": [{"check": "hazards", "until": "2999-01-31", "reason": "later"}],
        },
    ],
}

ODD: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        1.0,
        1.5,
        -1,
        2**40,
        "",
        " ",
        "off",
        "warn",
        "x",
        "1",
        "96%",
        "> 100%",
    ),
    *(
        "5 s",
        " 5 s ",
        "5s",
        "5. s",
        ".5 min",
        "0.5 min",
        "5 S",
        "1e3 s",
        "5",
        "-5 s",
        "5 GB",
        ".5 GHz",
    ),
    *("5. GHz", "+5 GHz", "4 GiB", "2999-01-31", "2999-1-31", "29990101", "2999-W01-1", "2999W011"),
    *(
        " 2999-01-31",
        "2999-01-31T00:00",
        [],
        [1],
        [1.0],
        [1.5],
        [True],
        [0],
        ["Softmax"],
        [""],
        [None],
    ),
    *({}, {"x": 1}, {"min": None}, {"min": "96%"}, {"low": "1 us"}, {"severity": False}),
]


def places(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if where:
        yield where
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*where, key))


def changed(where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    gate = copy.deepcopy(VALID)
    inner: Any = gate
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    return gate


def takes(read: Callable[[Path], object], gate: dict[str, Any], path: Path) -> bool:
    text = json.dumps(gate)
    assert yaml.safe_load(text) == gate
    path.write_text(text, encoding="utf-8")
    try:
        read(path)
    except GateError:
        return False
    return True


def test_valid_file_is_valid_for_both(tmp_path: Path) -> None:
    assert takes(load_gate, VALID, tmp_path / "gate.yaml")
    assert SCHEMA.is_valid(VALID)


@pytest.mark.parametrize("where", [*places(VALID)], ids=lambda where: ".".join(map(str, where)))
def test_any_value_anywhere(where: tuple[Any, ...], tmp_path: Path) -> None:
    """What a run takes, an editor takes; and what an editor takes has the right structure."""
    for value in ODD:
        gate = changed(where, value)
        if not SCHEMA.is_valid(gate):
            assert not takes(load_gate, gate, tmp_path / "gate.yaml"), f"the loader takes {value!r}"
        elif (where, value) != (("version",), 1.0):  # to JSON, 1.0 is 1
            assert takes(load, gate, tmp_path / "gate.yaml"), f"the schema takes {value!r}"


@pytest.mark.parametrize(
    ("where", "value", "valid"),
    [
        (("limits", "timeout"), " 5 s ", True),
        (("limits", "timeout"), "0.5 min", True),
        (("limits", "timeout"), ".5 min", False),
        (("limits", "timeout"), "5. min", False),
        (("limits", "memory"), "4 GiB", True),
        (("limits", "memory"), "4.GiB", False),
        (("platform", "clock"), ".5 GHz", True),
        (("platform", "clock"), ". GHz", False),
        (("platform", "clock"), "1.2.3 GHz", False),
        (("platform", "clock"), None, False),
        (("models", 1, "waivers", 0, "until"), "2999-01-01", True),
        (("models", 1, "waivers", 0, "until"), "2999-W01-1", False),
        (("models", 1, "waivers", 0, "until"), "29990101", False),
        (("models", 1, "waivers", 0, "until"), "2999-1-1", False),
        (("models", 1, "waivers", 0, "reason"), "  ", False),
        (("models", 1, "inputs", "images"), [1.0], True),
        (("models", 1, "inputs", "images"), [1.5], False),
        (("models", 1, "inputs", "images"), [0], False),
        (("targets", "small", "sram_size"), 1048576.0, True),
        (("thresholds", "npu_ratio", "min"), None, False),
        (("thresholds", "npu_ratio", "severity"), False, True),
        (("thresholds", "npu_ratio"), False, True),
        (("thresholds", "npu_ratio"), True, False),
        (("thresholds", "cpu_operators", "deny"), [], False),
        (("thresholds", "cpu_operators", "deny"), None, False),
        (("thresholds", "cpu_operators", "allow"), [], True),
        (
            ("targets", "ethos-n78", "inline_non_compute_intensive_partitions"),
            "yes",
            False,
        ),
    ],
    ids=str,
)
def test_value_is_taken_by_both_or_none(
    where: tuple[Any, ...], value: Any, valid: bool, tmp_path: Path
) -> None:
    gate = changed(where, value)
    assert SCHEMA.is_valid(gate) is valid
    assert takes(load_gate, gate, tmp_path / "gate.yaml") is valid


def test_whole_number_with_a_point_is_that_number(tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(json.dumps(changed(("models", 1, "inputs", "images"), [1.0])), encoding="utf-8")
    (dims,) = [dims for _, dims in load_gate(path).models[-1].request.inputs]
    assert [type(dim) for dim in dims] == [int]
