"""The lines of IR that a page shows: those of the model, one for each call."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import models
import pytest
from builder import Builder

from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.run import AnalysisRequest, analyze
from pytest_npu_compat.run.analysis import partitioned_ir
from pytest_npu_compat.run.excerpt import Excerpt, excerpts


def request(path: Path) -> AnalysisRequest:
    return AnalysisRequest(str(path), path.stem, path.name)


def test_island_of_a_leaky_relu(tmp_path: Path) -> None:
    model = request(models.save(models.leaky(), tmp_path))
    (excerpt,) = excerpts(model, [["leakyrelu_1"]])
    assert excerpt.before == ("qnn.conv2d", "nn.bias_add", "qnn.requantize")
    assert excerpt.ops == ("qnn.dequantize", "nn.leaky_relu", "qnn.quantize")
    first, second, third = excerpt.lines
    assert re.fullmatch(
        r"(lv\d+): float32\[1, 8, 8, 16\] = qnn\.dequantize\(lv\d+, input_scale=\S+, "
        r"input_zero_point=-?\d+\)",
        first,
    )
    assert re.search(r"= nn\.leaky_relu\(lv\d+, alpha=0\.1\)$", second)
    assert f"({first.split(':')[0]}, " in second
    assert third.split(" = ")[0].endswith("int8[1, 8, 8, 16]")
    # The same figures are in the module that TVM partitions.
    module = partitioned_ir(model)
    (scale,) = re.findall(r"input_scale=([\d.]+)", first)
    assert any(f"{float(s):.6g}" == scale for s in re.findall(r'"input_scale": ([\d.]+)', module))


def test_what_operators_compute_in(tmp_path: Path) -> None:
    """Integers, float, or both with a conversion in between; constants do not count."""
    builder = Builder()
    whole = builder.qdq(builder.op("Relu", [builder.qdq(builder.conv(builder.input(1, 16, 8, 8)))]))
    builder.output(builder.op("Softmax", [builder.op("Sigmoid", [whole], "first")], "second"))
    path = tmp_path / "m.onnx"
    path.write_bytes(builder.model().SerializeToString())
    groups = [["conv"], ["first"], ["second"]]
    integer, mixed, in_float = excerpts(request(path), groups)
    assert [e.arithmetic for e in (integer, mixed, in_float)] == ["integer", "", "float"]
    assert mixed.ops[0] == "qnn.dequantize"


@pytest.mark.parametrize(("dtype", "arithmetic"), [("bool", ""), ("bfloat16", "float")])
def test_what_other_data_types_are(dtype: str, arithmetic: str) -> None:
    assert Excerpt((), ("op",), (), frozenset([dtype])).arithmetic == arithmetic
    assert Excerpt((), (), (), frozenset()).arithmetic == ""


def test_a_backend_of_tvm_is_shown_relax(tmp_path: Path) -> None:
    model = replace(request(models.save(models.leaky(), tmp_path)), target="nnapi")
    (excerpt,) = excerpts(model, [["leakyrelu_1"]])
    assert excerpt.ops == ("relax.dequantize", "relax.nn.leakyrelu", "relax.quantize")
    for op, line in zip(excerpt.ops, excerpt.lines, strict=True):
        assert f" = {op}(" in line
    assert excerpt.before[-1] == "relax.quantize"
    assert excerpt.arithmetic == ""


def test_groups_come_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    model = request(models.save(models.leaky(), tmp_path))
    names = [operator.name for operator in analyze(model).operators]
    last, first, both = excerpts(model, [names[-1:], names[:1], names])
    assert both.ops == (*first.ops, *last.ops)
    assert first.before == both.before == ()


def test_results_and_arguments_of_several_tensors(tmp_path: Path) -> None:
    builder = Builder()
    x = builder.conv(builder.input(1, 16, 8, 8))
    joined = builder.op("Concat", [builder.qdq(x), builder.qdq(x)], "join", axis=1)
    builder.output(builder.qdq(joined))
    path = tmp_path / "m.onnx"
    path.write_bytes(builder.model().SerializeToString())
    (excerpt,) = excerpts(request(path), [["join"]])
    assert any("qnn.concatenate((lv" in line for line in excerpt.lines)


def test_unknown_operator(tmp_path: Path) -> None:
    model = request(models.save(models.leaky(), tmp_path))
    with pytest.raises(ModelError, match="no operator 'gone' any more"):
        excerpts(model, [["gone"]])


def test_unreadable_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        excerpts(request(tmp_path / "absent.onnx"), [["a"]])
