"""Backends of TVM: what we say is what TVM's own flow does, run whole."""

from __future__ import annotations

import collections
import functools
import importlib
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from builder import Builder
from conformance import reference
from float_twin import float_twin
from hypothesis import given, settings
from hypothesis import strategies as st
from models import half_on_npu, leaky, save
from onnx import TensorProto, helper

from pytest_npu_compat.analysis.report import OperatorInfo, Report
from pytest_npu_compat.render.rules import explain
from pytest_npu_compat.run.analysis import analyze
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target import byoc
from pytest_npu_compat.target.registry import TargetError, make_target

NETWORKS = (
    "dscnn_kws__relu__qdq.onnx",
    "fsrcnn_x2__prelu__qdq.onnx",
    "mobilenet_v3_small__hswish__qdq.onnx",
    "shufflenet_v2_x0_5__relu__qdq.onnx",
    "unet16__relu__qdq.onnx",
    "yolov7tiny__silu__qdq.onnx",
)


def judged(model: onnx.ModelProto, backend: str, directory: Path) -> Report:
    path = directory / "model.onnx"
    path.write_bytes(model.SerializeToString())
    report = analyze(AnalysisRequest(str(path), "m", "m.onnx", backend))
    assert report.error is None, report.error
    return report


def placed(model: onnx.ModelProto, backend: str, directory: Path) -> tuple[dict[str, int], int]:
    """Composites and partitions, as we place them."""
    from pytest_npu_compat.analysis.placement import place
    from pytest_npu_compat.run.analysis import load

    path = directory / "model.onnx"
    path.write_bytes(model.SerializeToString())
    target = make_target(backend)
    placement = place(load(AnalysisRequest(str(path), "m", "m.onnx", backend), target)[1], target)
    counts = collections.Counter(composite.name for composite in placement.composites)
    assert sum(map(len, placement.partitions)) == len(placement.composites)
    return dict(counts), len(placement.partitions)


def by_tvm(model: onnx.ModelProto, backend: str) -> tuple[dict[str, int], int]:
    """Composites and partitions of TVM's own flow, counted per call."""
    from tvm import relax
    from tvm.relax.backend.pattern_registry import get_patterns_with_prefix
    from tvm.relax.frontend.onnx import from_onnx

    importlib.import_module(byoc.BACKENDS[backend])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = from_onnx(model)
    for step in (
        relax.transform.FoldConstant(),
        relax.transform.DeadCodeElimination(),
        relax.transform.CanonicalizeBindings(),
        relax.transform.FuseOpsByPattern(get_patterns_with_prefix(backend), bind_constants=False),
    ):
        module = step(module)
    composites = called(module, "Composite")
    partitions = called(relax.transform.MergeCompositeFunctions()(module), "Codegen")
    return dict(collections.Counter(composites)), len(partitions)


def called(module: object, attribute: str) -> list[str]:
    """The attribute of each function that ``main`` calls, once for each call."""
    from tvm import ir, relax

    assert isinstance(module, ir.IRModule)
    values = [binding.value for block in module["main"].body.blocks for binding in block.bindings]
    functions = [
        module[value.op]
        for value in values
        if isinstance(value, relax.Call) and isinstance(value.op, ir.GlobalVar)
    ]
    return [str(f.attrs[attribute]) for f in functions if f.attrs and attribute in f.attrs]


@functools.cache
def network(name: str, *, quantized: bool) -> onnx.ModelProto:
    model = onnx.load_model_from_string(reference.networks()[1][name])
    return model if quantized else float_twin(model)


@pytest.mark.parametrize("backend", byoc.BACKENDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_float_network_is_placed_as_tvm_places_it(name: str, backend: str, tmp_path: Path) -> None:
    model = network(name, quantized=False)
    assert placed(model, backend, tmp_path) == by_tvm(model, backend)


@pytest.mark.parametrize("backend", byoc.BACKENDS)
@pytest.mark.parametrize("name", NETWORKS[:2])
def test_quantized_network_is_placed_as_tvm_places_it(
    name: str, backend: str, tmp_path: Path
) -> None:
    model = network(name, quantized=True)
    assert placed(model, backend, tmp_path) == by_tvm(model, backend)


@settings(max_examples=12, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 50), st.integers(0, 50)), max_size=14
    )
)
def test_any_graph_is_placed_as_tvm_places_it(
    steps: list[tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Convolutions with results that are read twice, islands of what a backend lacks, shared tensors."""
    model = float_graph(steps)
    directory = tmp_path_factory.mktemp("graph")
    for backend in ("nnapi", "coreml", "example_npu"):
        assert placed(model, backend, directory) == by_tvm(model, backend)


def float_graph(steps: list[tuple[int, int, int]]) -> onnx.ModelProto:
    net = Builder()
    net.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4, 8, 8)))
    weights = net.const(np.zeros((4, 4, 1, 1), dtype=np.float32))
    bias = net.const(np.zeros(4, dtype=np.float32))
    tensors = [net.op("Relu", ["x"])]
    for kind, first, second in steps:
        a, b = tensors[first % len(tensors)], tensors[second % len(tensors)]
        inputs = {"Conv": [a, weights], "Add": [a, b], "Mul": [a, b]}
        name = ("Conv", "Conv", "Add", "Relu", "LeakyRelu", "Mul")[kind]
        more = [bias] if kind == 1 else []
        tensors.append(net.op(name, inputs.get(name, [a]) + more))
    read = {name for node in net.nodes for name in node.input}
    for tensor in tensors:
        if tensor not in read:
            net.output(tensor)
    return net.model()


def operators(net: Builder, backend: str, directory: Path) -> dict[str, OperatorInfo]:
    return {o.name: o for o in judged(net.model(), backend, directory).operators}


def float_net(*shape: int) -> Builder:
    net = Builder()
    net.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, shape))
    return net


def test_operator_without_a_pattern(tmp_path: Path) -> None:
    net = float_net(1, 4, 8, 8)
    net.output(net.op("LeakyRelu", [net.op("Relu", ["x"], "kept")], "lost"))
    found = operators(net, "nnapi", tmp_path)
    assert (found["kept"].placement, found["kept"].composite) == ("npu", "nnapi.relu")
    assert found["lost"].placement == "cpu"
    (reason,) = found["lost"].reasons
    assert (reason.rule, reason.actual) == ("no-pattern", "relax.nn.leakyrelu")


def test_quantized_operator_stays_on_the_cpu_with_its_conversions(tmp_path: Path) -> None:
    report = judged(leaky().build(), "nnapi", tmp_path)
    assert {o.placement for o in report.operators} == {"cpu"}
    conv = report.operators[0]
    (reason,) = conv.reasons
    assert (reason.rule, conv.kind) == ("conversion-on-cpu", "Conv")
    # TVM would call the convolution all the same.
    assert report.metrics["npu_partitions"].value == 1
    assert report.partitions[0].operators == (conv.name,)
    assert report.metrics["npu_ratio"].value == 0
    assert {pair.placement for pair in report.qdq_pairs} == {"cpu"}
    float_report = judged(float_twin(leaky().build()), "nnapi", tmp_path)
    assert float_report.operators[0].placement == "npu"


def test_node_that_the_importer_does_not_take_leaves_the_others_alone(tmp_path: Path) -> None:
    net = float_net(1, 4, 8, 8)
    x = net.op("Relu", ["x"], "before")
    x = net.op("Fancy", [x], "custom", domain="com.example")
    y = net.op("Relu", ["x"], "beside")
    # A converter of TVM that gives up: k is computed.
    count = net.op("Cast", [net.op("ReduceMax", ["x"], keepdims=0)], "cast", to=TensorProto.INT64)
    k = net.op("Reshape", [count, net.const(np.array([1]))], "k")
    top = net.op("TopK", [net.op("Relu", ["x"], "also"), k], "top", outputs=2)
    net.output(x)
    net.output(y)
    net.output(top)
    found = operators(net, "nnapi", tmp_path)
    assert [found[n].placement for n in ("before", "beside", "also")] == ["npu"] * 3
    for name, says in (("custom", "com.example"), ("top", "k")):
        (reason,) = found[name].reasons
        assert reason.rule == "not-imported"
        assert says in reason.actual
    assert found["custom"].placement == found["top"].placement == "cpu"


@pytest.mark.parametrize(
    ("mode", "placement"), [("asymmetric", "npu"), ("tf_half_pixel_for_nn", "cpu")]
)
def test_check_of_the_backend_is_asked(mode: str, placement: str, tmp_path: Path) -> None:
    net = float_net(1, 4, 8, 8)
    scales = net.const(np.array([1, 1, 2, 2], dtype=np.float32))
    shape = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": mode}
    net.output(net.op("Resize", ["x", "", scales], "resize", **shape))
    found = operators(net, "tensorrt", tmp_path)["resize"]
    assert found.placement == placement
    if placement == "cpu":
        (reason,) = found.reasons
        assert reason.rule == "backend-check"
        assert f"coordinate_transformation_mode {mode}" in reason.actual


def test_what_shapes_an_operator_is_reported(tmp_path: Path) -> None:
    report = judged(half_on_npu().build_float(), "nnapi", tmp_path)
    assert [o.attributes["kernel"] for o in report.operators] == ["3x3", "4x4"]
    assert report.operators[1].macs == 16 * 16 * 4 * 4 * 8 * 8
    assert report.tool.rules.startswith("tvm-0.27")
    assert report.tool.rules.endswith("-nnapi")


def test_report_is_the_same_twice_and_adds_up(tmp_path: Path) -> None:
    model = network("shufflenet_v2_x0_5__relu__qdq.onnx", quantized=False)
    first, again = (judged(model, "tensorrt", tmp_path) for _ in range(2))
    assert first.to_dict() == again.to_dict()
    names = [operator.name for operator in first.operators]
    assert len(names) == len(set(names))
    for operator in first.operators:
        assert bool(operator.reasons) is (operator.placement != "npu"), operator
        if operator.partition is not None:
            assert operator.name in first.partitions[operator.partition].operators


def test_weights_are_not_read(tmp_path: Path) -> None:
    """Their file is not even there."""
    model = half_on_npu().build_float()
    path = tmp_path / "model.onnx"
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=2048)
    (tmp_path / "w.bin").unlink()
    report = analyze(AnalysisRequest(str(path), "m", "m.onnx", "nnapi"))
    assert report.error is None, report.error
    assert report.metrics["npu_ratio"].value == 1


def test_target_without_patterns_is_not_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(leaky(), tmp_path)
    for name, module in (("none", "tvm.relax.backend.patterns"), ("gone", "tvm.no_such_backend")):
        monkeypatch.setitem(byoc.BACKENDS, name, module)
        report = analyze(AnalysisRequest(str(path), "m", "m.onnx", name))
        assert report.error is not None
        assert report.error.code == "target-not-available"
        assert name in report.error.message
        assert not report.metrics


@pytest.mark.parametrize(("variant", "options"), [("x", {}), (None, {"sram_size": 4})])
def test_backend_has_neither_variants_nor_options(
    variant: str | None, options: dict[str, int]
) -> None:
    with pytest.raises(TargetError, match="nnapi is a backend of TVM, which has no"):
        make_target("nnapi", variant, options)


@pytest.mark.parametrize("rule", byoc.RULES)
def test_rules_are_explained(rule: str) -> None:
    assert byoc.RULES[rule][:30] in explain(rule, "nnapi")


def test_rules_of_another_target_are_not_a_backends() -> None:
    with pytest.raises(LookupError, match="no rule 'Conv' of nnapi"):
        explain("Conv", "nnapi")
