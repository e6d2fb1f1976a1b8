"""Whatever the file contains: a gate, or one error with a position."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from plain import op, report

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.baseline import baseline_text
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import Gate, load_gate

VALID = """\
# A gate file with everything.
version: 1
targets:
  ethos-n78: {variant: 4tops-4ple, inline_non_compute_intensive_partitions: true}
  small: {backend: ethos-n78, variant: 1tops-2ple}
  acme: {profile: acme.yaml}
baseline: npu-baseline.json
limits: {timeout: 120 s, memory: 4 GB}
thresholds: &all
  npu_ratio: {min: 96%, max_drop: 0.5pp}
  npu_operators: {max_drop: 2}
  npu_partitions: {max_rise: 0, severity: warn}
  cpu_operators: {deny: [Resize], max_rise: 1}
  npu_mac_ratio: {min: 98%, max: 100%, severity: warn}
  boundary_bytes: "<= 1.5 MiB"
  qdq_pairs: 0
  hazards: off
models:
  - models/a.onnx
  - "*.onnx"
  - name: detector
    path: models/ü.onnx
    targets: [ethos-n78, acme]
    inputs: {images: [1, 3, 416, 416]}
    quantization: assume-int8
    thresholds: *all
    waivers:
      - {check: qdq_pairs, until: 2027-01-31, reason: later}
"""
PROFILE = """\
version: 1
name: acme-npu
rules: "1"
operators: {Conv: {kernel: "1..7"}}
"""
BASELINE = baseline_text({"x[ethos-n78]": report(op())})

FRAGMENTS = st.sampled_from(
    [
        *METRICS,
        *"[]{}:,-?&*!|>'\"%@`#\n\t \0\x1b\u2028\ufeff",
        "version: 1\n",
        "- ",
        "0xffffffff",
        "1_000",
        "npu_ratio: 1\nnpu_ratio: 1\n",
        "max_drop: 0.5pp",
        "max_rise: .nan",
        "baseline: [",
        "until: 2027-02-30",
        "<<: *all",
        "*all",
        "&all ",
        "!!int ",
        "!!timestamp x",
        "!!binary ",
        "---\n",
        "%YAML 9",
        '"\\ud800"',
        '"\\U99999999"',
        ".inf",
        "0x",
        "1e999",
        "**/*",
        "[!",
        "str: ",
        "profile: ",
        "profile: acme.yaml",
        "profile: npu-compat.yaml",
        "backend: ethos-n78",
    ]
)


@contextmanager
def gate_file(data: bytes, baseline: bytes = BASELINE.encode()) -> Iterator[Path]:
    with TemporaryDirectory() as directory:
        (Path(directory) / "x.onnx").touch()
        (Path(directory) / "npu-baseline.json").write_bytes(baseline)
        (Path(directory) / "acme.yaml").write_text(PROFILE, encoding="utf-8")
        path = Path(directory) / "npu-compat.yaml"
        path.write_bytes(data)
        yield path


def outcome(path: Path) -> Gate | GateError:
    try:
        return load_gate(path)
    except GateError as error:
        return error


def check(data: bytes, baseline: bytes = BASELINE.encode()) -> None:
    with gate_file(data, baseline) as path:
        found = outcome(path)
    if isinstance(found, GateError):
        line, column = found.position.line, found.position.column
        assert line >= 1
        assert column >= 1
        assert found.message
        lines = str(found).splitlines()
        assert lines[0].startswith(f"{path}:{line}:{column}: ")
        assert all(line.replace("\t", "").isprintable() for line in lines)
    else:
        assert found.models
        assert len({model.id for model in found.models}) == len(found.models)
        assert all(model.checks for model in found.models)


def test_the_valid_file_is_valid() -> None:
    with gate_file(VALID.encode()) as path:
        assert [model.id for model in load_gate(path).models] == [
            *(f"{model}[{target}]" for model in "ax" for target in ("ethos-n78", "small", "acme")),
            "detector[ethos-n78]",
            "detector[acme]",
        ]


def test_the_valid_file_has_its_baseline() -> None:
    with gate_file(VALID.encode()) as path:
        assert list(load_gate(path).accepted) == ["x[ethos-n78]"]


@given(data=st.binary(max_size=100) | st.sampled_from([b"", BASELINE.encode()[:-9], b"\xff"]))
@settings(max_examples=50, deadline=None)
def test_any_baseline(data: bytes) -> None:
    check(VALID.encode(), data)


@given(data=st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes(data: bytes) -> None:
    check(data)


@given(text=st.lists(FRAGMENTS | st.text(max_size=5), max_size=30).map("".join))
@settings(max_examples=150, deadline=None)
def test_any_text(text: str) -> None:
    check(text.encode(errors="surrogatepass"))


KEYS = st.text(max_size=8) | st.sampled_from(
    [
        *METRICS,
        *("version", "target", "targets", "models", "thresholds", "path", "min", "str", "int"),
        *("baseline", "max_drop", "max_rise", "severity", "allow", "waivers", "limits", "platform"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**4000), 10**4000)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8)
    | st.dates()
    | st.datetimes()
    | st.sampled_from(["ethos-n78", "*.onnx", ">= 96%", "off", "[a", "<= 2 MB", "0.5pp", "9pp"])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(KEYS | st.integers() | st.none(), inner, max_size=5)
    ),
    max_leaves=25,
)


def dumped(value: Any) -> bytes:
    return yaml.dump(value, allow_unicode=True).encode(errors="surrogatepass")


@given(tree=TREES)
@settings(max_examples=150, deadline=None)
def test_any_tree(tree: Any) -> None:
    check(dumped(tree))


@given(
    thresholds=st.dictionaries(st.sampled_from(list(METRICS)) | KEYS, TREES, max_size=4),
    models=st.lists(
        SCALARS
        | st.fixed_dictionaries(
            {},
            optional=dict.fromkeys(
                ("path", "name", "targets", "inputs", "thresholds", "waivers", "other"), TREES
            ),
        ),
        max_size=4,
    ),
    more=st.fixed_dictionaries(
        {},
        optional={
            "target": SCALARS,
            "targets": TREES,
            "baseline": SCALARS | st.just("npu-baseline.json"),
            "limits": TREES,
            "platform": TREES,
        },
    ),
)
@settings(max_examples=150, deadline=None)
def test_any_tree_in_the_shape_of_a_gate_file(
    thresholds: Any, models: Any, more: dict[str, Any]
) -> None:
    check(dumped({"version": 1, "thresholds": thresholds, "models": models, **more}))


@given(
    metric=st.sampled_from(list(METRICS)),
    long=st.dictionaries(
        st.sampled_from(
            ["min", "max", "exactly", "max_drop", "max_rise", "severity", "allow", "deny"]
        ),
        SCALARS | st.lists(SCALARS, max_size=2),
        max_size=4,
    ),
)
@settings(max_examples=150, deadline=None)
def test_any_long_threshold(metric: str, long: dict[str, Any]) -> None:
    gate = {"version": 1, "baseline": "npu-baseline.json", "models": ["x.onnx"]}
    check(dumped({**gate, "thresholds": {metric: long}}))


SPANS = st.tuples(st.integers(0, len(VALID)), st.integers(0, 40))
MUTATIONS = st.lists(
    st.tuples(SPANS, st.sampled_from(["delete", "duplicate", "replace"]), FRAGMENTS),
    min_size=1,
    max_size=4,
)


@given(mutations=MUTATIONS)
@settings(max_examples=300, deadline=None)
def test_any_change_of_a_valid_file(mutations: list[tuple[tuple[int, int], str, str]]) -> None:
    text = VALID
    for (start, length), kind, fragment in mutations:
        span = text[start : start + length]
        new = {"delete": "", "duplicate": span * 2, "replace": fragment}[kind]
        text = text[:start] + new + text[start + length :]
    check(text.encode())


@given(
    levels=st.lists(st.lists(st.integers(0, 30), max_size=12), min_size=1, max_size=15),
    own=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_aliases(levels: list[list[int]], own: bool) -> None:
    lines = ["version: 1", "thresholds: &t0 {qdq_pairs: 0}"]
    for number, aliases in enumerate(levels, start=1):
        names = [f"*t{alias % (number + own)}" for alias in aliases]
        lines.append(f"k{number}: &t{number} [{', '.join(names)}]")
    lines.append(f"models: *t{len(levels)}")
    check("\n".join(lines).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"#" * 10_000_000,
        b"- a\n" * 2_500_000,
        b"\xff" * 10_000_000,
        b"[" * 10_000_000,
    ],
    ids=["comment", "list", "not text", "brackets"],
)
def test_ten_megabytes(data: bytes) -> None:
    with gate_file(data) as path, pytest.raises(GateError, match="at most 1000000 bytes"):
        load_gate(path)


@pytest.mark.parametrize(
    "unit",
    [
        "- a\n",
        "[",
        "{a: ",
        "- ",
        "a: &a [*a]\n",
        '"',
        "|\n ",
        "a b ",
        "\n",
        "? a\n",
        "\t",
        "9",
        "1:",
    ],
    ids=repr,
)
def test_almost_a_megabyte(unit: str) -> None:
    check((unit * (999_999 // len(unit))).encode())
