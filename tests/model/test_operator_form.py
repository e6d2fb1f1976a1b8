"""The operator form: one call for each operator, the same operators as in the integer form."""

from __future__ import annotations

from pathlib import Path

import pytest
from builder import Builder
from models import half_on_npu, leaky, on_npu, save
from onnx import TensorProto, helper

from pytest_npu_compat.model import integer_form, onnx_file, operator_form
from pytest_npu_compat.model.program import Operator, Program
from pytest_npu_compat.run.analysis import analyze
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.profile.declaration import OperatorRule, Profile

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NETWORKS = [
    *sorted(EXAMPLES.glob("zoo/models/*.onnx")),
    EXAMPLES / "v3" / "models" / "level4_relu.onnx",
    EXAMPLES / "v3" / "models" / "level4_leaky.onnx",
]
networks = pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)


def lowered(path: Path) -> Program:
    return operator_form.lower(onnx_file.read(path).graph)


def own_calls(program: Program, operator: Operator) -> list[str]:
    """Names of an operator's calls, conversions and projections of tuples left out."""
    rest = ("qnn.quantize", "qnn.dequantize", "tuple_get_item")
    return [program.calls[i].op for i in operator.calls if program.calls[i].op not in rest]


@networks
def test_operators_are_those_of_the_integer_form(path: Path) -> None:
    ours = lowered(path).operators
    theirs = integer_form.lower(onnx_file.read(path).graph).operators
    assert [(o.name, o.kind, o.nodes, o.output_shape, o.macs) for o in ours] == [
        (o.name, o.kind, o.nodes, o.output_shape, o.macs) for o in theirs
    ]


@networks
def test_each_operator_is_one_call_of_its_kind(path: Path) -> None:
    program = lowered(path)
    for operator in program.operators:
        assert own_calls(program, operator) == [f"onnx.{operator.kind}"]


@networks
def test_calls_read_what_comes_before_them(path: Path) -> None:
    program = lowered(path)
    for call in program.calls:
        for ref in call.args:
            assert ref in program.leaves if isinstance(ref, str) else ref < call.index
    mine = [i for operator in program.operators for i in operator.calls]
    assert len(mine) == len(set(mine))
    assert all((call.operator is None) == (call.index not in mine) for call in program.calls)


@networks
def test_profile_of_everything_takes_everything(path: Path) -> None:
    """Numerator and denominator are the operators; what is listed and meets no condition runs."""
    kinds = {operator.kind for operator in lowered(path).operators}
    anything = Profile("all", "none", tuple((kind, (OperatorRule(),)) for kind in sorted(kinds)))
    report = analyze(AnalysisRequest(str(path), "m", path.name, "all", profile=anything))
    ratio = report.metrics["npu_ratio"]
    assert ratio.numerator == ratio.denominator == len(report.operators) > 0
    assert report.metrics["npu_partitions"].value == 1


@pytest.mark.parametrize("net", [on_npu(), half_on_npu(), leaky()], ids=lambda net: net.name)
def test_tensors_are_as_in_the_file(net: Builder, tmp_path: Path) -> None:
    """Quantized tensors are integers, convolutions are NCHW."""
    program = lowered(save(net, tmp_path))
    conv = next(call for call in program.calls if call.op == "onnx.Conv")
    data, weights = (program.type_of(ref) for ref in conv.args[:2])
    assert (data.shape, data.dtype) == ((1, 16, 8, 8), "int8")
    assert weights.shape is not None
    assert weights.shape[1] == 16
    assert conv.type.dtype == "int8"


def test_defaults_of_onnx_and_names_of_other_domains(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], kernel_shape=[2, 2]),
        helper.make_node("Gelu", ["a"], ["y"], domain="com.microsoft", mode="fast"),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph).SerializeToString())
    pool, gelu = (call for call in lowered(path).calls if call.operator is not None)
    assert (pool.op, pool.attrs["ceil_mode"], pool.attrs["auto_pad"]) == (
        "onnx.MaxPool",
        0,
        "NOTSET",
    )
    assert (gelu.op, gelu.attrs["mode"]) == ("com.microsoft.Gelu", "fast")
