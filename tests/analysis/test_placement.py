"""Placement: the partitioned module, the report and the program tell one story."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from conformance import compare, reference, topologies
from models import half_on_npu, leaky, on_npu, save
from qdq import Net

from pytest_npu_compat import analyze
from pytest_npu_compat.analysis.placement import place
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.target.ethos_n78.target import EthosN78

NETWORKS = sorted(name for name in reference.networks()[1] if name.endswith(".onnx"))


def report_of(content: bytes) -> Report:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "model.onnx"
        path.write_bytes(content)
        return analyze(path)


@pytest.mark.parametrize("name", NETWORKS)
def test_report_of_a_network_adds_up(name: str) -> None:
    content = reference.networks()[1][name]
    report = report_of(content)
    assert report.error is None
    names = [operator.name for operator in report.operators]
    assert len(names) == len(set(names))
    ratio = report.metrics["npu_ratio"]
    placed = Counter(operator.placement for operator in report.operators)
    assert (ratio.numerator, ratio.denominator) == (placed["npu"], len(names))
    assert report.metrics["npu_partitions"].value == len(report.partitions)
    for operator in report.operators:
        assert bool(operator.reasons) is (operator.placement != "npu"), operator
        assert (operator.partition is not None) is (operator.placement == "npu")
        if operator.partition is not None:
            assert operator.name in report.partitions[operator.partition].operators
    for partition in report.partitions:
        assert partition.inputs >= 1
        assert partition.outputs >= 1
    assert report_of(content).to_dict() | {"model": 0} == report.to_dict() | {"model": 0}


@pytest.mark.parametrize("name", [n for n in NETWORKS if "yolo" not in n])
def test_module_has_a_function_for_each_partition(name: str) -> None:
    program = compare.load(reference.networks()[1][name])
    placement = place(program, EthosN78())
    assert placement.module is not None
    functions = [f for f in placement.module.functions.values() if f.attrs and "Codegen" in f.attrs]
    assert len(functions) == len(placement.partitions)
    assert {str(f.attrs["Codegen"]) for f in functions} == {"ethos-n78"}


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("name", sorted(topologies.NAMED))
def test_module_of_a_topology_matches_its_partitions(name: str, inline: bool) -> None:
    placement = place(topologies.build(name), EthosN78("4tops-4ple", inline))
    assert placement.module is not None
    functions = [f for f in placement.module.functions.values() if f.attrs and "Codegen" in f.attrs]
    assert len(functions) == len(placement.partitions)


def test_cyclic_partitions_are_a_hazard_and_have_no_module() -> None:
    placement = place(compare._cycle(harmless=False), EthosN78())
    assert placement.module is None
    assert placement.cyclic


def test_supported_operator_in_a_region_without_macs_goes_back(tmp_path: Path) -> None:
    net = Net("lone", (1, 16, 8, 8))
    net.finish(net.activate("image", "relu"))
    report = analyze(save(net, tmp_path))
    (operator,) = report.operators
    assert operator.supported is True
    assert operator.placement == "cpu"
    assert [reason.rule for reason in operator.reasons] == ["no-mac-region"]


def test_every_operator_of_a_good_model_is_on_the_npu(tmp_path: Path) -> None:
    report = analyze(save(on_npu(), tmp_path))
    assert [o.placement for o in report.operators] == ["npu"] * 4
    assert report.metrics["npu_mac_ratio"].value == 1.0
    (partition,) = report.partitions
    assert (partition.input_bytes, partition.output_bytes) == (16 * 64, 16 * 64)


def test_reason_names_actual_and_allowed_values(tmp_path: Path) -> None:
    report = analyze(save(half_on_npu(), tmp_path))
    bad = report.operators[1]
    assert bad.name == "conv_1"
    assert bad.supported == "estimate-only"
    assert bad.reasons[0].rule == "kernel-size"
    assert bad.reasons[0].actual == "4x4"
    assert bad.reasons[0].allowed == "1, 2, 3, 5, 7 or 9"


def test_leaky_relu_is_an_island_on_the_npu(tmp_path: Path) -> None:
    report = analyze(save(leaky(), tmp_path))
    (island,) = report.qdq_pairs
    assert island.nodes == ("conv_0_dq1_dequantize", "leakyrelu_1", "leakyrelu_1_quantize")
    assert island.placement == "npu"
    values = {name: value.value for name, value in report.metrics.items()}
    assert values["qdq_pairs"] == 1
    assert values["cpu_qdq_pairs"] == 0
    assert values["conversion_operators"] == 3


def test_variant_changes_the_verdict(tmp_path: Path) -> None:
    net = Net("deep", (1, 8000, 2, 2))
    net.finish(net.conv("image", 16, 1))
    path = save(net, tmp_path)
    assert analyze(path).operators[0].placement == "npu"
    small = analyze(path, variant="1tops-2ple").operators[0]
    assert [reason.rule for reason in small.reasons] == ["depth-sram"]


def test_unknown_variant_is_not_analyzable(tmp_path: Path) -> None:
    report = analyze(save(on_npu(), tmp_path), variant="9tops")
    assert report.error is not None
    assert report.error.code == "target-not-available"
