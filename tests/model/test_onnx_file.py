"""Reading files: what is refused and why, what is never decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from models import on_npu, save
from onnx import TensorProto, helper, numpy_helper

from pytest_npu_compat.model import onnx_file
from pytest_npu_compat.model.errors import ModelError

Dims = list[int | str]


def write(
    path: Path, nodes: list[onnx.NodeProto], dims: Dims | None = None, **kwargs: object
) -> Path:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims or [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        **kwargs,
    )
    path.write_bytes(helper.make_model(graph).SerializeToString())
    return path


def error_of(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        onnx_file.read(path)
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    assert error_of(tmp_path / "nope.onnx").code == "file-not-found"


def test_directory(tmp_path: Path) -> None:
    assert error_of(tmp_path).code == "file-not-found"


def test_lfs_pointer_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    error = error_of(path)
    assert error.code == "lfs-pointer"
    assert "git lfs pull" in error.hint


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07", bytes(range(256))])
def test_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert error_of(path).code == "invalid-model"


def test_truncated_file(tmp_path: Path) -> None:
    path = save(on_npu(), tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    assert error_of(path).code == "invalid-model"


def test_dangling_input_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [helper.make_node("Relu", ["nope"], ["y"], "relu_1")])
    error = error_of(path)
    assert error.code == "invalid-model"
    assert "nope" in error.message
    assert "relu_1" in error.message


def test_tensor_produced_twice(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Abs", ["x"], ["y"])]
    assert "twice" in error_of(write(tmp_path / "m.onnx", nodes)).message


def test_output_that_nothing_produces(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["z"])]
    assert "'y'" in error_of(write(tmp_path / "m.onnx", nodes)).message


def test_graph_without_nodes(tmp_path: Path) -> None:
    assert error_of(write(tmp_path / "m.onnx", [])).code == "nothing-to-judge"


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "a/../../b", "C:\\x", ""])
def test_external_data_outside_the_directory_is_refused(tmp_path: Path, location: str) -> None:
    weights = numpy_helper.from_array(np.zeros(4, dtype=np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    nodes = [helper.make_node("Add", ["x", "w"], ["y"])]
    path = write(tmp_path / "m.onnx", nodes, initializer=[weights])
    assert error_of(path).code == "unsafe-external-data"


def test_external_weights_need_not_exist(tmp_path: Path) -> None:
    """No verdict depends on weights, so nothing opens the file they are in."""
    model = on_npu().build()
    for tensor in model.graph.initializer:
        if tensor.name.endswith("_q") and len(tensor.dims) == 4:
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value="weights.bin")
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    graph = onnx_file.read(path).graph
    assert [c.values for c in graph.constants.values() if len(c.type.shape or ()) == 4] == [
        None,
        None,
    ]


def test_weights_are_not_decoded_but_parameters_are(tmp_path: Path) -> None:
    graph = onnx_file.read(save(on_npu(), tmp_path)).graph
    for name, constant in graph.constants.items():
        decoded = constant.values is not None
        assert decoded is (constant.type.elements is not None and constant.type.elements <= 1024), (
            name
        )


@pytest.mark.parametrize("dims", [["N", 4], [0, 4], [1, "height"]])
def test_open_dimension_is_named_with_what_to_write(tmp_path: Path, dims: Dims) -> None:
    path = write(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], dims)
    error = error_of(path)
    assert error.code == "dynamic-shape"
    assert "'x'" in error.message
    assert "inputs: {x: [1, " in error.hint


def test_pinned_dimensions_reach_every_tensor(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], ["N", "C"])
    graph = onnx_file.read(path, {"x": (1, 8)}).graph
    assert graph.type_of("y").shape == (1, 8)


@pytest.mark.parametrize(
    ("name", "shape", "word"),
    [("nope", (1, 8), "no input"), ("x", (1, 2, 3), "does not fit"), ("x", (1, 8), "does not fit")],
)
def test_pin_that_does_not_fit(
    tmp_path: Path, name: str, shape: tuple[int, ...], word: str
) -> None:
    path = write(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], ["N", 4])
    with pytest.raises(ModelError, match=word):
        onnx_file.read(path, {name: shape})


def halved_and_back(path: Path) -> Path:
    """A network that pools, scales up again, and joins the result with its input."""
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1.0, 1.0, 2.0, 2.0])
    nodes = [
        helper.make_node("Constant", [], ["scales"], value=scales),
        helper.make_node("MaxPool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["half", "", "scales"], ["whole"]),
        helper.make_node("Concat", ["x", "whole"], ["y"], "join", axis=1),
    ]
    return write(path, nodes, [1, 3, "height", "width"])


def test_pins_that_the_models_shapes_contradict(tmp_path: Path) -> None:
    path = halved_and_back(tmp_path / "m.onnx")
    assert onnx_file.read(path, {"x": (1, 3, 6, 4)}).graph.type_of("y").shape == (1, 6, 6, 4)
    with pytest.raises(ModelError) as caught:
        onnx_file.read(path, {"x": (1, 3, 5, 4)})
    assert caught.value.code == "dynamic-shape"
    assert "`inputs: {x: [1, 3, 5, 4]}`" in caught.value.message
    assert "join (Concat)" in caught.value.message
    assert "Inferred=4 Declared=5 Dimension=2" in caught.value.message
    assert "multiples of 32" in caught.value.hint


def test_pins_that_leave_nothing_to_compute(tmp_path: Path) -> None:
    nodes = [helper.make_node("AveragePool", ["x"], ["y"], "pool", kernel_shape=[7, 7])]
    path = write(tmp_path / "m.onnx", nodes, [1, 3, "height", "width"])
    assert onnx_file.read(path, {"x": (1, 3, 7, 7)}).graph.type_of("y").shape == (1, 3, 1, 1)
    with pytest.raises(ModelError, match=r"pool \(AveragePool\).*\[1, 3, -3, 1\]"):
        onnx_file.read(path, {"x": (1, 3, 3, 7)})


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(helper.make_node("Mystery", ["a"], ["y"], domain="com.example"), id="unknown"),
        pytest.param(helper.make_node("Concat", ["a"], ["y"]), id="without its attribute"),
    ],
)
def test_what_inference_never_knew_is_no_fault_of_the_pins(
    tmp_path: Path, odd: onnx.NodeProto
) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"]), odd]
    path = write(tmp_path / "m.onnx", nodes, ["N", 4])
    graph = onnx_file.read(path, {"x": (1, 4)}).graph
    assert graph.type_of("a").shape == (1, 4)
    assert graph.type_of("y").static_shape is None


def test_nodes_of_one_name_stay_distinguishable(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "same"),
        helper.make_node("Abs", ["a"], ["y"], "same"),
    ]
    graph = onnx_file.read(write(tmp_path / "m.onnx", nodes)).graph
    assert [n.name for n in graph.nodes] == ["same:a", "same:y"]


def test_unnamed_node_is_known_by_its_first_output(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    assert onnx_file.read(path).graph.nodes[0].name == "y"


def test_unknown_operator_does_not_sink_the_model(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Mystery", ["a"], ["y"], "m", domain="com.example"),
    ]
    graph = onnx_file.read(write(tmp_path / "m.onnx", nodes)).graph
    assert [n.kind for n in graph.nodes] == ["Relu", "Mystery"]
    assert graph.type_of("a").shape == (1, 4)


@pytest.mark.parametrize(
    ("attribute", "value", "dtype", "shape"),
    [
        ("value_float", 0.5, "float32", ()),
        ("value_floats", [0.5, 1.5], "float32", (2,)),
        ("value_int", 3, "int64", ()),
        ("value_ints", [3, 4], "int64", (2,)),
        ("value_string", "text", "unknown", None),
    ],
)
def test_constant_that_is_a_plain_attribute(
    tmp_path: Path, attribute: str, value: object, dtype: str, shape: tuple[int, ...] | None
) -> None:
    nodes = [
        helper.make_node("Constant", [], ["c"], **{attribute: value}),
        helper.make_node("Mystery", ["x", "c"], ["y"], domain="com.example"),
    ]
    constant = onnx_file.read(write(tmp_path / "m.onnx", nodes)).graph.constants["c"]
    assert (constant.type.dtype, constant.type.shape) == (dtype, shape)
    if shape is None:
        assert constant.values is None
    else:
        assert np.array_equal(constant.values, np.array(value, dtype))
