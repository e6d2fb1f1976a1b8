"""Compares every reference case with what this package says."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import frontends, reference, topologies
from conformance.cases import operator_of
from conformance.exceptions import NOT_COMPARED, WITHOUT_RULE
from conformance.sketch import Sketch

from pytest_npu_compat.analysis.placement import Placement, place
from pytest_npu_compat.model import integer_form, onnx_file
from pytest_npu_compat.model.program import Program
from pytest_npu_compat.target.ethos_n78 import hazards as hazard_rules
from pytest_npu_compat.target.ethos_n78.judge import converted_to, judge
from pytest_npu_compat.target.ethos_n78.operators import (
    AddConstant,
    Addition,
    Clip,
    FullyConnected,
    MultiplyConstant,
    Tensor,
)
from pytest_npu_compat.target.ethos_n78.target import EthosN78
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS, with_sram
from pytest_npu_compat.target.registry import TargetError, make_target

__all__ = [
    "Comparison",
    "all_comparisons",
    "network_comparisons",
    "unit_comparisons",
    "vector_comparisons",
]


@dataclass(frozen=True)
class Comparison:
    """One statement of the reference beside ours.

    Attributes:
        source: ``vector``, ``unit`` or ``network``.
        kind: Kind of operator or case.
        name: Id of the case, or file and operator.
        variant: E.g. ``4tops-4ple``.
        expected: What the reference says.
        actual: What we say.
    """

    source: str
    kind: str
    name: str
    variant: str
    expected: Any
    actual: Any

    @property
    def agrees(self) -> bool:
        """Whether both say the same."""
        return bool(self.expected == self.actual)


def all_comparisons() -> Iterator[Comparison]:
    """Every comparison there is."""
    yield from vector_comparisons()
    yield from unit_comparisons()
    yield from network_comparisons()


def load(content: bytes) -> Program:
    """The integer program of a model file's content."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        path.write_bytes(content)
        return integer_form.lower(onnx_file.read(path).graph)


def taken(program: Program, placement: Placement) -> dict[str, bool]:
    """Operator name -> whether the target takes everything in its integer form."""
    matched = {i for c in placement.composites for i in c.calls}
    structural = {"tuple", "tuple_get_item"}
    return {
        operator.name: all(
            i in matched or program.calls[i].op in structural for i in operator.calls
        )
        for operator in program.operators
    }


def vector_comparisons() -> Iterator[Comparison]:
    """Single-operator models, on each variant that was recorded."""
    verdicts, files = reference.vectors()
    for file, verdict in verdicts.items():
        program = load(files[file])
        for variant, supported in verdict["supported"].items():
            target = EthosN78(variant, inline_non_compute_intensive_partitions=False)
            found = taken(program, place(program, target))
            actual = found.get(verdict["operator"], "no such operator")
            yield Comparison("vector", verdict["kind"], file, variant, supported, actual)


def network_comparisons() -> Iterator[Comparison]:
    """Whole networks: verdict of every operator, partitions, composites, host operators."""
    goldens, files = reference.networks()
    for file, golden in goldens.items():
        program = load(files[file])
        placement = place(program, EthosN78())
        found = taken(program, placement)
        for name, operator in golden["operators"].items():
            yield Comparison(
                "network",
                operator["kind"],
                f"{file}:{name}",
                "4tops-4ple",
                operator["supported"],
                found.get(name, "no such operator"),
            )
        if not golden["complete"]:
            continue

        def figure(name: str, expected: Any, actual: Any, file: str = file) -> Comparison:
            return Comparison("network", f"({name})", file, "4tops-4ple", expected, actual)

        yield figure("partitions", golden["partitions"], len(placement.partitions))
        yield figure("composites", _renamed(golden["composites"]), _composites(placement))
        without = place(program, EthosN78(inline_non_compute_intensive_partitions=False))
        if file not in WITHOUT_RULE:
            count = len(without.partitions) + without.pass_through
            yield figure("partitions without the rule", golden["partitions_without_rule"], count)


def _renamed(composites: dict[str, int]) -> dict[str, int]:
    """The reference's names without their prefixes: ``ethos-n.qnn_fc`` and ``op:clip``."""
    renamed: Counter[str] = Counter()
    for name, count in composites.items():
        renamed[re.sub(r"^(ethos-n\.qnn_|op:(nn\.|qnn\.)?)", "", name)] += count
    return dict(renamed)


def _composites(placement: Placement) -> dict[str, int]:
    kept = {root for partition in placement.partitions for root in partition}
    return dict(Counter(c.name.split(".", 1)[1] for c in placement.composites if c.root in kept))


def unit_comparisons() -> Iterator[Comparison]:
    """Cases at the level of operator parameters, graphs and options."""
    for case in reference.unit_cases():
        if case["id"] in NOT_COMPARED:
            continue
        kind = case["kind"]
        if kind == "partition_dag":
            yield _dag(case)
        elif kind == "frontend":
            yield _frontend(case)
        elif kind in ("behaviour", "option"):
            yield _behaviour(case)
        elif kind == "inline_pass":
            yield _inline_pass(case)
        elif case["op"] == "graph":
            yield from _graph(case)
        elif case["op"] == "add_both_const":
            yield _both_constant(case)
        else:
            yield from _operator(case)


def _operator(case: dict[str, Any]) -> Iterator[Comparison]:
    named = case["variant"]
    variants = list(VARIANTS) if named in ("all", "per_variant") else [named.replace("_", "-")]
    operator = _mul_of_two(case) or operator_of(case["op"], case["params"])
    for variant in variants:
        by_variant = case.get("expected_by_variant")
        expected = by_variant[variant.replace("-", "_")] if by_variant else case["expected"]
        check = case.get("support_check", {})
        npu = VARIANTS[variant]
        # A conversion test without a result is one that TVM expects to be refused.
        supported = expected.get("supported", check.get("supported", "converted_to" in expected))
        actual = not judge(operator, npu)
        yield Comparison("unit", case["op"], case["id"], variant, supported, actual)
        conversion = expected.get("converted_to", check.get("converted_to"))
        if conversion and isinstance(operator, (AddConstant, MultiplyConstant)):
            yield Comparison(
                "unit",
                f"{case['op']} (conversion)",
                case["id"],
                variant,
                conversion,
                converted_to(operator, npu),
            )


def _mul_of_two(case: dict[str, Any]) -> object | None:
    if case["op"] != "mul":
        return None
    quant = Tensor(tuple(case["params"]["lhs_shape"]), case["params"]["dtype"])
    return MultiplyConstant(quant, quant, constant=quant, value=None)


def _dag(case: dict[str, Any]) -> Comparison:
    from pytest_npu_compat.analysis.regions import RegionNode, form_regions

    leaves = {n["id"] for n in case["params"]["nodes"] if n["kind"] in ("var", "const")}
    kinds = {"call": "call", "tuple": "tuple", "tgi": "item"}
    graph = {
        n["id"]: RegionNode(
            kinds[n["kind"]],
            tuple(None if i in leaves else i for i in n["inputs"]),
            n.get("npu", False),
        )
        for n in case["params"]["nodes"]
        if n["id"] not in leaves
    }
    regions = form_regions(graph, case["params"]["output"])
    expected = case["expected"]
    return Comparison(
        "unit",
        "partition_dag",
        case["id"],
        "4tops-4ple",
        (sorted(map(sorted, expected["partitions"])), expected.get("passthrough_partitions", 0)),
        (sorted(map(sorted, regions.partitions)), regions.pass_through),
    )


def _figures(placement: Placement) -> dict[str, Any]:
    by_root = {c.root: c for c in placement.composites}
    renamed = {
        "mul_to_depthwise": "conv2d",
        "add_to_depthwise": "conv2d",
        "mul_to_reinterpret_quantize": "reinterpret_quantize",
    }

    def name(root: int) -> str:
        own = by_root[root].name.split(".", 1)[1]
        return renamed.get(own, own)

    host = [call.op for call in placement.host_calls()]
    return {
        "npu_partitions": len(placement.partitions) + placement.pass_through,
        "host_ops": len(host),
        "partitions": sorted(sorted(name(r) for r in roots) for roots in placement.partitions),
    }


def _expected_figures(expected: dict[str, Any]) -> dict[str, Any]:
    strip = re.compile(r"^(qnn_|nn\.|qnn\.)")
    partitions = [sorted(strip.sub("", n) for n in p) for p in expected["partitions"]]
    return {
        "npu_partitions": expected["npu_partitions"],
        "host_ops": expected["host_ops"],
        "partitions": sorted(partitions),
    }


def _graph(case: dict[str, Any]) -> Iterator[Comparison]:
    program = topologies.build(case.get("name") or case["id"])
    expected = case["expected"]
    if "inline_off" in expected:
        for key, inline in (("inline_off", False), ("inline_on", True)):
            placement = place(program, EthosN78("4tops-4ple", inline))
            yield Comparison(
                "unit",
                "topology",
                f"{case['name']} ({key})",
                "4tops-4ple",
                _expected_figures(expected[key]),
                _figures(placement),
            )
        return
    inline = case.get("options", {}).get("inline_non_compute_intensive_partitions", True)
    figures = _figures(place(program, EthosN78("1tops-2ple", inline)))
    wanted = {k: expected[k] for k in ("host_ops", "npu_partitions") if k in expected}
    wanted = wanted or {"npu_partitions": 1}
    yield Comparison(
        "unit", "topology", case["id"], "1tops-2ple", wanted, {k: figures[k] for k in wanted}
    )


def _frontend(case: dict[str, Any]) -> Comparison:
    program = frontends.build(case["params"]["model"], case["params"]["preprocessing"])
    placement = place(program, EthosN78(inline_non_compute_intensive_partitions=False))
    strip = re.compile(r"^(qnn_|nn\.|qnn\.)")
    expected = sorted(strip.sub("", name) for name in case["expected"]["npu_ops"])
    found = sorted(c.name.split(".", 1)[1] for c in placement.composites)
    return Comparison("unit", "frontend", case["id"], "4tops-4ple", expected, found)


def _inline_pass(case: dict[str, Any]) -> Comparison:
    """Partitions of the given operators: which are kept."""
    g = Sketch()
    names = [re.sub(r"^partition [A-C]: ", "", name) for name in case["params"]["graph"]]
    separate = names != case["params"]["graph"]
    outputs: list[int] = []
    for name in names:
        source = g.input() if separate or not outputs else outputs[-1]
        outputs.append(
            {
                "reshape": lambda x: g.reshape(x, (1, 16, 16, 16)),
                "clip": g.clip,
                "max_pool2d": g.pool,
            }[name](source)
            if name != "reshape" or g.shape(source) == (1, 16, 16, 16)
            else g.reshape(source, (1, 8, 8, 16))
        )
    program = g.finish(*(outputs if separate else outputs[-1:]))
    kept = len(place(program, EthosN78("1tops-2ple")).partitions)
    expected = len(re.findall("kept", case["expected"]["result"]))
    return Comparison("unit", "inline_pass", case["id"], "1tops-2ple", expected, kept)


def _both_constant(case: dict[str, Any]) -> Comparison:
    """An addition of two constants is folded: no operator is left."""
    from conformance.constants import operators_of_constant_add

    return Comparison(
        "unit",
        "add_both_const",
        case["id"],
        "1tops-2ple",
        0,
        operators_of_constant_add(case["params"]),
    )


def _behaviour(case: dict[str, Any]) -> Comparison:
    name, params = case["name"] if "name" in case else case["id"], case["params"]
    expected: Any = case["expected"].get("supported")
    npu = VARIANTS["4tops-4ple"]
    if "variant" in params.get("options", {}):
        return Comparison("unit", "option", case["id"], "-", "error", _made("ethos-n78", "foo", {}))
    if "sram_size" in params:
        made = _made("ethos-n78", "4tops-4ple", params)
        if "error" in case["expected"] or made == "error":
            wanted = "error" if "error" in case["expected"] else "made"
            return Comparison("unit", "option", case["id"], "4tops-4ple", wanted, made)
        operator = operator_of("conv2d", _one_by_one(8193))
        actual: Any = not judge(operator, with_sram(npu, params["sram_size"]))
    elif "a_min" in params:
        tensor = Tensor((1, 16, 16, 16), "int8")
        actual = not judge(Clip(tensor, tensor, params["a_min"], params["a_max"]), npu)
    elif name.startswith("concat C 8+8"):
        tensor = {"shapes": [[1, 16, 16, 8]] * 2, "axis": 3, "dtype": "int8"}
        rest = {"input_scales": [0.02] * 2, "input_zps": [0] * 2}
        actual = not judge(operator_of("concatenate", {**tensor, **rest}), npu)
    elif name.startswith("qnn.add(x, x)"):
        tensor = Tensor((1, 16, 16, 16), "int8")
        add = Addition(tensor, tensor, tensor, same_operand=True)
        expected, actual = (True, 1), (not judge(add, npu), len(hazard_rules.hazards(add, npu)))
    elif name.startswith("dense 16->17000"):
        dense = operator_of(
            "dense", {"shape": [1, 16], "weight_shape": [17000, 16], "dtype": "int8"}
        )
        assert isinstance(dense, FullyConnected)
        expected, actual = (True, 1), (not judge(dense, npu), len(hazard_rules.hazards(dense, npu)))
    else:
        program = _cycle("outputs (k,z,j)" in name)
        placement = place(program, EthosN78(inline_non_compute_intensive_partitions=False))
        if "error" in case["expected"]:
            return Comparison("unit", "behaviour", name, "4tops-4ple", True, bool(placement.cyclic))
        expected = (case["expected"]["host_ops"], case["expected"]["npu_partitions"], False)
        actual = (len(placement.host_calls()), len(placement.partitions), bool(placement.cyclic))
    return Comparison("unit", "behaviour", name, "4tops-4ple", expected, actual)


def _made(target: str, variant: str, options: dict[str, Any]) -> str:
    try:
        make_target(target, variant, options)
    except TargetError:
        return "error"
    return "made"


def _one_by_one(channels: int) -> dict[str, Any]:
    return {
        "shape": [1, 2, 2, channels],
        "kernel": [1, 1],
        "out_channels": 16,
        "groups": 1,
        "stride": [1, 1],
        "pad": [0] * 4,
        "dilation": [1, 1],
        "dtype": "int8",
    }


def _cycle(harmless: bool) -> Program:
    """The shape that TVM 0.18 crashes on, and the same with another order of outputs."""
    g = Sketch()
    b, a = g.conv(g.input()), g.conv(g.input())
    h, j = g.host(b), g.host(a)
    k, z = g.add(a, g.conv(h)), g.add(b, j)
    return g.finish(*((k, z, j) if harmless else (j, k, z)))
