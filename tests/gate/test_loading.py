"""Gate files: what they resolve to, and where each error points."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.gate.baseline import baseline_text
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.loading import Gate, load, load_gate
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest

DEMAND = "version: 1\nthresholds: {qdq_pairs: 0}\n"


def gate_of(directory: Path, text: str, *models: str) -> Gate:
    for model in models:
        path = directory / model
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    gate = directory / "npu-compat.yaml"
    gate.write_text(text, encoding="utf-8")
    return load_gate(gate)


def error_of(directory: Path, text: str, *models: str) -> GateError:
    with pytest.raises(GateError) as caught:
        gate_of(directory, text, *models)
    return caught.value


def pointed(error: GateError) -> str:
    """What stands in the source line from the caret on."""
    _, source, caret, *_ = error.render("gate.yaml").splitlines()
    return source[caret.index("^") :]


def shown(gate: Gate) -> dict[str, dict[str, str]]:
    return {
        model.id: {
            check.threshold.metric: check.threshold.show() or check.threshold.severity
            for check in model.checks
        }
        for model in gate.models
    }


def test_short_form(tmp_path: Path) -> None:
    text = """\
version: 1
target: ethos-n78
thresholds:
  npu_ratio: ">= 96%"
  qdq_pairs: 0
models:
  - models/level2.onnx
  - path: models/level3_*.onnx
    thresholds:
      npu_ratio: ">= 95%"
      npu_partitions: "<= 8"
"""
    gate = gate_of(tmp_path, text, "models/level3_b.onnx", "models/level3_a.onnx", "models/x.txt")
    level3 = {"npu_ratio": "≥ 95%", "npu_partitions": "≤ 8", "qdq_pairs": "exactly 0"}
    assert shown(gate) == {
        "level2[ethos-n78]": {"npu_ratio": "≥ 96%", "qdq_pairs": "exactly 0"},
        "level3_a[ethos-n78]": level3,
        "level3_b[ethos-n78]": level3,
    }
    assert [model.line for model in gate.models] == [7, 8, 8]
    assert [check.line for check in gate.models[1].checks] == [10, 11, 5]
    assert gate.models[1].request == AnalysisRequest(
        model=str(tmp_path / "models" / "level3_a.onnx"),
        name="level3_a",
        shown_path="models/level3_a.onnx",
    )


def test_long_form(tmp_path: Path) -> None:
    text = """\
version: 1
targets:
  ethos-n78: {variant: 1tops-2ple, inline_non_compute_intensive_partitions: false}
models:
  - name: detector
    path: d.onnx
    targets: [ethos-n78]
    inputs: {images: [1, 3, 416, 416]}
    thresholds:
      npu_ratio: {min: 96%, max: 99%, severity: warn}
"""
    (model,) = gate_of(tmp_path, text).models
    assert model.id == "detector[ethos-n78]"
    request = model.request
    assert request.model == str(tmp_path / "d.onnx")
    assert (request.name, request.shown_path) == ("detector", "d.onnx")
    assert (request.target, request.variant) == ("ethos-n78", "1tops-2ple")
    assert dict(request.options)["inline_non_compute_intensive_partitions"] is False
    assert request.inputs == (("images", (1, 3, 416, 416)),)
    assert [check.threshold.severity for check in model.checks] == ["warn"]
    assert model.checks[0].threshold.show() == "≥ 96% and ≤ 99%"


def test_default_that_is_written_out_is_no_other_setting(tmp_path: Path) -> None:
    """Or whoever writes it out is told that the gate file is why a figure moved."""
    text = "version: 1\ntargets:\n  ethos-n78: {OPTIONS}\nthresholds: {qdq_pairs: 0}\nmodels: [a]\n"
    options = "inline_non_compute_intensive_partitions: true, sram_size: 0"
    written, plain = (
        gate_of(tmp_path, text.replace("OPTIONS", given)).models[0].request
        for given in (options, "")
    )
    assert written == plain


@pytest.mark.parametrize(
    ("line", "variant"),
    [
        ("", None),
        ("target: ethos-n78\n", None),
        ("target: ethos-n78:8tops-2ple\n", "8tops-2ple"),
        ("targets: {ethos-n78: }\n", None),
        ("targets: {ethos-n78: {variant: 8tops-2ple}}\n", "8tops-2ple"),
    ],
    ids=["default", "name", "name and variant", "empty entry", "entry"],
)
def test_targets(tmp_path: Path, line: str, variant: str | None) -> None:
    (model,) = gate_of(tmp_path, f"{DEMAND}{line}models: [m.onnx]\n").models
    assert (model.target, model.request.target) == ("ethos-n78", "ethos-n78")
    assert model.request.variant == variant


def test_thresholds_of_a_model_override_those_of_the_file(tmp_path: Path) -> None:
    text = """\
version: 1
thresholds: {npu_ratio: ">= 96%", qdq_pairs: 0, hazards: 0}
models:
  - path: a.onnx
    thresholds: {npu_ratio: {min: 50%, severity: warn}, hazards: off, host_ops: "<= 9"}
  - b.onnx
"""
    assert shown(gate_of(tmp_path, text)) == {
        "a[ethos-n78]": {
            "npu_ratio": "≥ 50%",
            "host_ops": "≤ 9",
            "qdq_pairs": "exactly 0",
            "hazards": "off",
        },
        "b[ethos-n78]": {"npu_ratio": "≥ 96%", "qdq_pairs": "exactly 0", "hazards": "exactly 0"},
    }


def test_checks_are_in_the_order_of_the_metrics(tmp_path: Path) -> None:
    limits = {"ratio": ">= 1%", "ms": ">= 1 ms", "x": ">= 1x", "bytes": ">= 1 kB"}
    lines = [
        f"  {name}: '{limits.get(metric.unit, '>= 1')}'"
        for name, metric in reversed(METRICS.items())
    ]
    text = "version: 1\nmodels: [m.onnx]\nthresholds:\n" + "\n".join(lines)
    (model,) = gate_of(tmp_path, text).models
    assert [check.threshold.metric for check in model.checks] == list(METRICS)


def test_missing_file_is_judged_later(tmp_path: Path) -> None:
    (model,) = gate_of(tmp_path, f"{DEMAND}models: [not/there.onnx]\n").models
    assert model.id == "there[ethos-n78]"
    assert not Path(model.request.model).exists()


def test_absolute_paths(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    gates = tmp_path / "gates"
    gates.mkdir()
    elsewhere.mkdir()
    (elsewhere / "b.onnx").touch()
    text = f"{DEMAND}models: [{elsewhere}/a.onnx, '{elsewhere}/*.onnx']\n"
    models = gate_of(gates, text).models
    assert [model.request.model for model in models] == [
        str(elsewhere / "a.onnx"),
        str(elsewhere / "b.onnx"),
    ]


@pytest.mark.parametrize("path", ["m/a.onnx", "./m/a.onnx", "m//a.onnx"])
def test_relative_paths_start_at_the_gate_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path.parent)
    (model,) = gate_of(tmp_path, f"{DEMAND}models: [{path}]\n").models
    assert model.request.model == str(tmp_path / "m" / "a.onnx")
    assert model.request.shown_path == "m/a.onnx"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.onnx", ["a.onnx", "b.onnx"]),
        ("**/*.onnx", ["a.onnx", "b.onnx", "sub/deep/d.onnx"]),
        ("[b-z].onnx", ["b.onnx"]),
        ("?.onnx", ["a.onnx", "b.onnx"]),
    ],
)
def test_globs_find_files_in_alphabetical_order(
    tmp_path: Path, pattern: str, found: list[str]
) -> None:
    (tmp_path / "directory.onnx").mkdir()
    text = f"{DEMAND}models: ['{pattern}']\n"
    models = gate_of(tmp_path, text, "b.onnx", "sub/deep/d.onnx", "a.onnx").models
    assert [model.request.shown_path for model in models] == found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a b.onnx", "a_b"),
        ("net.v2.onnx", "net.v2"),
        ("a:b.onnx", "a_b"),
        ("a\u202eb.onnx", "a_b"),
        ("noext", "noext"),
        (".onnx", ".onnx"),
    ],
)
def test_name_is_the_file_name_without_what_ids_cannot_carry(
    tmp_path: Path, path: str, name: str
) -> None:
    (model,) = gate_of(tmp_path, f"{DEMAND}models: ['{path}']\n").models
    assert model.id == f"{name}[ethos-n78]"


def test_brackets_in_a_found_file_do_not_reach_ids(tmp_path: Path) -> None:
    (model,) = gate_of(tmp_path, f"{DEMAND}models: ['*.onnx']\n", "net[int8].onnx").models
    assert model.id == "net_int8_[ethos-n78]"
    assert model.request.shown_path == "net[int8].onnx"


@pytest.mark.parametrize(
    ("text", "line", "message", "under", "hint"),
    [
        pytest.param(
            f"{DEMAND}models: [m]\nmodel: m\n", 4, "'model'", "model: m", "'models'", id="top key"
        ),
        pytest.param(
            f"{DEMAND}models:\n- path: m\n  nmae: x\n",
            5,
            "'nmae'",
            "nmae",
            "'name'",
            id="model key",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntargets:\n  ethos-n78:\n    varient: x\n",
            6,
            "'varient'",
            "varient",
            "'variant'",
            id="target key",
        ),
        pytest.param(
            "version: 1\nthresholds:\n  qdq_pairs: {mim: 3}\nmodels: [m]\n",
            3,
            "'mim'",
            "mim",
            "'min'",
            id="threshold key",
        ),
        pytest.param(
            "version: 1\nmodels:\n- path: m\n  thresholds:\n    qdq_pairs: {severty: off}\n",
            5,
            "'severty'",
            "severty",
            "'severity'",
            id="threshold key in a model",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\nzzz: 1\n", 4, "'zzz'", "zzz", "Known here: version", id="unlike"
        ),
        pytest.param(f"{DEMAND}models: [m]\nstr: 1\n", 4, "'str'", "str", "Known", id="str"),
        pytest.param(f"{DEMAND}models: [m]\nint: 1\n", 4, "'int'", "int", "Known", id="int"),
        pytest.param(
            f"{DEMAND}models:\n- path: m\n  ModelEntry: 1\n",
            5,
            "'ModelEntry'",
            "ModelEntry",
            "Known here: path",
            id="ModelEntry",
        ),
        pytest.param(
            "version: 1\nthresholds: {npu_rato: '>= 3%'}\nmodels: [m]\n",
            2,
            "no metric 'npu_rato'",
            "npu_rato",
            "'npu_ratio'",
            id="metric",
        ),
        pytest.param(
            "version: 1\nthresholds: {qdq_pair: [0]}\nmodels: [m]\n",
            2,
            "no metric 'qdq_pair'",
            "qdq_pair",
            "'qdq_pairs'",
            id="metric with a list",
        ),
        pytest.param(
            "version: 1\nmodels:\n- path: m\n  thresholds: {qdq_pair: 0}\n",
            4,
            "no metric 'qdq_pair'",
            "qdq_pair",
            "'qdq_pairs'",
            id="metric of a model",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntarget: etos-n78\n",
            4,
            "no target 'etos-n78'",
            "etos",
            "npu-compat targets",
            id="target",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntarget: ethos-n78:4tops-4pel\n",
            4,
            "Did you mean '4tops-4ple'?",
            "ethos-n78:",
            "npu-compat targets",
            id="variant",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntargets:\n  ethos-n87:\n    variant: 4tops-4ple\n",
            5,
            "Did you mean 'ethos-n78'?",
            "ethos-n87",
            "npu-compat targets",
            id="target in long form",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntargets:\n  ethos-n78:\n    variant: 4tops\n",
            6,
            "no variant of ethos-n78 '4tops'",
            "4tops",
            "npu-compat targets",
            id="variant in long form",
        ),
        pytest.param(
            f"{DEMAND}models:\n- path: m\n  targets: [ethos-n78, phone]\n",
            5,
            "no target 'phone'",
            "phone",
            "Known here: ethos-n78.",
            id="target of a model",
        ),
        pytest.param(
            f"{DEMAND}models:\n- path: m\n  targets: [ethos-n77]\n",
            5,
            "no target 'ethos-n77'",
            "ethos-n77",
            "Did you mean 'ethos-n78'?",
            id="target of a model misspelt",
        ),
        pytest.param(
            f"{DEMAND}target: ethos-n78\ntargets: {{ethos-n78: }}\nmodels: [m]\n",
            3,
            "either target or targets",
            "target: ",
            "targets",
            id="target and targets",
        ),
    ],
)
def test_misspelt_names_have_a_suggestion(
    tmp_path: Path, text: str, line: int, message: str, under: str, hint: str
) -> None:
    error = error_of(tmp_path, text)
    assert error.position.line == line
    assert message in error.message
    assert pointed(error).startswith(under)
    assert hint in error.hint


@pytest.mark.parametrize(
    ("text", "line", "message", "under"),
    [
        pytest.param("{}", 1, "'version' is missing", "{}", id="empty mapping"),
        pytest.param("models: [m]\n", 1, "'version' is missing", "models", id="no version"),
        pytest.param("version: 1\n", 1, "'models' is missing", "version", id="no models"),
        pytest.param("- a\n", 1, "is a mapping", "- a", id="list"),
        pytest.param("text\n", 1, "is a mapping", "text", id="scalar"),
        pytest.param("version: 2\nmodels: [m]\n", 1, "version 1", "2", id="version 2"),
        pytest.param(
            "models: [m]\nnew: 1\nversion: 2\n", 3, "version 1", "2", id="version 2 with new keys"
        ),
        pytest.param("version: '1'\nmodels: [m]\n", 1, "version 1", "'1'", id="version in quotes"),
        pytest.param("version: 1.0\nmodels: [m]\n", 1, "version 1", "1.0", id="version 1.0"),
        pytest.param("version: true\nmodels: [m]\n", 1, "version 1", "true", id="version true"),
        pytest.param(
            "version: 1\nmodels: [m]\n", 2, "Nothing is demanded", "m]", id="no threshold"
        ),
        pytest.param(
            "version: 1\nthresholds: {}\nmodels:\n- path: m\n",
            4,
            "Nothing is demanded",
            "path: m",
            id="no threshold in an entry",
        ),
        pytest.param(f"{DEMAND}models: []\n", 3, "names no models", "[]", id="models empty"),
        pytest.param(f"{DEMAND}models: m\n", 3, "A list is expected", "m", id="models a word"),
        pytest.param(f"{DEMAND}models: {{a: b}}\n", 3, "A list is expected", "{a", id="mapping"),
        pytest.param(f"{DEMAND}models: [3]\n", 3, "Text is expected", "3", id="model a number"),
        pytest.param(f"{DEMAND}models: ['']\n", 3, "The text is empty", "''", id="path empty"),
        pytest.param(
            f"{DEMAND}models: [{{name: x}}]\n", 3, "'path' is missing", "{n", id="no path"
        ),
        pytest.param(
            f"{DEMAND}models: [{{path: m, name: 'a b'}}]\n", 3, "A name has no", "'a b'", id="name"
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntargets:\n  a b: {{variant: x}}\n",
            5,
            "A name has no",
            "a b",
            id="target name",
        ),
        pytest.param(
            f"{DEMAND}models: [{{path: m, targets: []}}]\n",
            3,
            "The list is empty",
            "[]",
            id="targets",
        ),
        pytest.param(
            "version: 1\nthresholds:\nmodels: [m]\n",
            2,
            "A mapping is expected",
            "",
            id="thresholds empty",
        ),
        pytest.param(
            "version: 1\nthresholds: {qdq_pairs: [1]}\nmodels: [m]\n",
            2,
            "no limit for qdq_pairs",
            "[1]",
            id="threshold a list",
        ),
        pytest.param(
            "version: 1\nthresholds: {qdq_pairs: 2027-01-01}\nmodels: [m]\n",
            2,
            "no limit for qdq_pairs",
            "2027",
            id="threshold a date",
        ),
        pytest.param(
            "version: 1\nthresholds: {qdq_pairs: true}\nmodels: [m]\n",
            2,
            "no limit for qdq_pairs",
            "true",
            id="threshold true",
        ),
        pytest.param(
            "version: 1\nthresholds: {qdq_pairs: {max: 3, severity: loud}}\nmodels: [m]\n",
            2,
            "'error', 'warn' or 'off'",
            "loud",
            id="severity",
        ),
        pytest.param(
            "version: 1\nthresholds:\n  qdq_pairs: {min: 3, max: 2}\nmodels: [m]\n",
            3,
            "min is above max",
            "{min",
            id="min over max",
        ),
        pytest.param(
            f"{DEMAND}models:\n- path: m\n  thresholds: {{qdq_pairs: {{min: 3, max: 2}}}}\n",
            5,
            "min is above max",
            "{min",
            id="min over max in a model",
        ),
        pytest.param(
            "version: 1\nthresholds: {npu_ratio: 96}\nmodels: [m]\n",
            2,
            "96 has no unit",
            "96",
            id="ratio without unit",
        ),
        pytest.param(
            "version: 1\nthresholds: {npu_ratio: .nan}\nmodels: [m]\n",
            2,
            "not-a-number",
            ".nan",
            id="nan",
        ),
        pytest.param(
            f"version: 1\nthresholds: {{qdq_pairs: {'9' * 150}}}\nmodels: [m]\n",
            2,
            "is no int",
            "999",
            id="huge int",
        ),
        pytest.param(
            "version: 1\nthresholds:\n  qdq_pairs: 0\n  qdq_pairs: 1\nmodels: [m]\n",
            4,
            "'qdq_pairs' stands twice; it was given first in line 3",
            "qdq_pairs: 1",
            id="duplicate key",
        ),
        pytest.param(
            f"{DEMAND}models: ['*.tflite']\n", 3, "No file matches '*.tflite'", "'*", id="glob"
        ),
        pytest.param(
            f"{DEMAND}models:\n- name: n\n  path: no/*.onnx\n",
            5,
            "No file matches",
            "no/*",
            id="glob in an entry",
        ),
        pytest.param(
            f"{DEMAND}models:\n- path: '*.onnx'\n  name: x\n",
            5,
            "matches 2 models, which cannot share a name",
            "name: x",
            id="name of many",
        ),
        pytest.param(
            f"{DEMAND}models:\n- a.onnx\n- x/a.onnx\n",
            5,
            "id 'a[ethos-n78]'; the first is in line 4",
            "x/a.onnx",
            id="one id twice",
        ),
        pytest.param(
            f"{DEMAND}models:\n- b.onnx\n- path: '*.onnx'\n",
            5,
            "id 'b[ethos-n78]'; the first is in line 4",
            "path",
            id="overlapping glob",
        ),
        pytest.param(
            f"{DEMAND}models: [m]\ntargets:\n  ethos-n78:\n    variant: 4tops-4ple\n    sram_size: 7\n",
            7,
            "7",
            "7",
            id="SRAM size",
        ),
        pytest.param(
            f'{DEMAND}models: ["a\\0/*.onnx"]\n', 3, "U+0000", '"a', id="null character in a glob"
        ),
    ],
)
def test_error_points_at_its_place(
    tmp_path: Path, text: str, line: int, message: str, under: str
) -> None:
    error = error_of(tmp_path, text, "a.onnx", "b.onnx")
    assert error.position.line == line
    assert message in error.message
    assert pointed(error).startswith(under)


@pytest.mark.parametrize(
    ("dimensions", "under"),
    [
        ("[0]", "0"),
        ("[1, -1]", "-1"),
        ("[1, true]", "true"),
        ("[1, '3']", "'3'"),
        ("[1, 2.5]", "2.5"),
        ("[1, 4294967296]", "4294967296"),
        ("[null]", "null"),
        ("[[1]]", "[1]"),
        ("3", "3"),
        ("batch", "batch"),
    ],
)
@pytest.mark.parametrize("name", ["images", "int", "thresholds"])
def test_bad_dimensions(tmp_path: Path, name: str, dimensions: str, under: str) -> None:
    text = f"{DEMAND}models:\n- path: m\n  inputs:\n    {name}: {dimensions}\n"
    error = error_of(tmp_path, text)
    assert error.position.line == 6
    assert pointed(error).startswith(under)


def test_empty_file(tmp_path: Path) -> None:
    error = error_of(tmp_path, "")
    assert str(error).splitlines() == [
        f"{tmp_path / 'npu-compat.yaml'}:1:1: A gate file is a mapping.",
        "  hint: Start with `version: 1`.",
    ]


def test_target_under_another_name(tmp_path: Path) -> None:
    text = (
        f"{DEMAND}targets:\n"
        "  big: {backend: ethos-n78}\n"
        "  small: {backend: ethos-n78, variant: 1tops-2ple, sram_size: 524288}\n"
        "models: [m.onnx]\n"
    )
    big, small = gate_of(tmp_path, text).models
    assert (big.id, big.request.target, big.request.variant) == ("m[big]", "ethos-n78", None)
    assert (small.id, small.request.target) == ("m[small]", "ethos-n78")
    assert small.request.variant == "1tops-2ple"
    assert small.request.options == (("sram_size", 524288),)


@pytest.mark.parametrize(
    ("name", "entry", "under", "message"),
    [
        ("phone", "{backend: nnapy}", "nnapy}", "There is no target 'nnapy'"),
        ("phone", "{sram_size: 0}", "phone: ", "There is no target 'phone'"),
        ("ethos-n78", "{backend: nnapy}", "nnapy}", "There is no target 'nnapy'"),
        ("x", "{backend: ethos-n78, variant: y}", "y}", "There is no variant of ethos-n78 'y'"),
        (
            "x",
            "{backend: nnapi, variant: y}",
            "y}",
            "nnapi is a backend of TVM, which has no variant y.",
        ),
        (
            "x",
            "{backend: nnapi, sram_size: 9}",
            "sram_size: 9",
            "nnapi is a backend of TVM, which has no sram_size.",
        ),
        ("x", "{profile: a.yaml}", "a.yaml}", "There is no file 'a.yaml'."),
        (
            "x",
            "{profile: a.yaml, backend: b}",
            "backend: b}",
            "A profile has no backend beside it.",
        ),
        ("x", "{variant: b, profile: a.yaml}", "variant: b", "A profile has no variant beside it."),
        (
            "x",
            "{sram_size: 9, profile: b}",
            "sram_size: 9",
            "A profile has no sram_size beside it.",
        ),
        ("x", "{profile: ''}", "''}", "The text is empty."),
    ],
)
def test_targets_that_are_none(
    tmp_path: Path, name: str, entry: str, under: str, message: str
) -> None:
    error = error_of(tmp_path, f"{DEMAND}targets:\n  {name}: {entry}\nmodels: [m]\n")
    assert pointed(error).startswith(under)
    assert error.position.line == 4
    assert error.message.startswith(message)


PROFILE = "version: 1\nname: acme\nrules: ACME 1\noperators: {Conv: {kernel: '<= 3'}}\n"


def test_target_of_a_profile(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "acme.yaml").write_text(PROFILE, encoding="utf-8")
    text = f"{DEMAND}targets: {{ours: {{profile: targets/acme.yaml}}}}\nmodels: [m.onnx]\n"
    (model,) = gate_of(tmp_path, text).models
    assert model.id == "m[ours]"
    assert model.request.target == "acme"
    assert model.request.profile is not None
    assert model.request.profile.kinds == ("Conv",)


def test_error_inside_a_profile_is_shown_at_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(PROFILE.replace("Conv", "Cnov"), encoding="utf-8")
    text = f"{DEMAND}targets: {{ours: {{profile: acme.yaml}}}}\nmodels: [m.onnx]\n"
    error = error_of(tmp_path, text)
    assert pointed(error) == "acme.yaml}}"
    assert error.message == "The profile is not valid: ONNX has no operator 'Cnov'."
    assert "acme.yaml:4:13: ONNX has no operator 'Cnov'." in error.hint
    assert "Did you mean 'Conv'?" in error.hint


@pytest.mark.parametrize(
    ("threshold", "valid"),
    [
        ("estimated_latency: '<= 5 ms'", False),
        ("estimated_latency: {max: 5 ms, severity: off}", True),
    ],
)
def test_estimates_need_a_target_with_costs(tmp_path: Path, threshold: str, *, valid: bool) -> None:
    (tmp_path / "acme.yaml").write_text(PROFILE, encoding="utf-8")
    text = (
        f"{DEMAND}targets: {{ethos-n78: {{}}, ours: {{profile: acme.yaml}}}}\n"
        f"models: [{{path: m.onnx, thresholds: {{{threshold}}}}}]\n"
    )
    if valid:
        assert len(gate_of(tmp_path, text).models) == 2
        return
    error = error_of(tmp_path, text)
    assert error.message == "There are no estimates for the target 'ours', so no estimated_latency."
    assert error.position.line == 4


def test_quantization(tmp_path: Path) -> None:
    text = f"{DEMAND}models:\n- a.onnx\n- {{path: b.onnx, quantization: assume-int8}}\n"
    found = [model.request.quantization for model in gate_of(tmp_path, text).models]
    assert found == [None, "assume-int8"]


@pytest.mark.parametrize("value", ["assume_int8", "int8", "true", "[assume-int8]"])
def test_quantization_that_is_not_known(tmp_path: Path, value: str) -> None:
    text = f"{DEMAND}models:\n- path: m\n  quantization: {value}\n"
    error = error_of(tmp_path, text)
    assert pointed(error) == value
    assert error.position.line == 5
    assert "'assume-int8'" in error.message


def test_quantization_is_a_key_of_models(tmp_path: Path) -> None:
    error = error_of(tmp_path, f"{DEMAND}quantization: assume-int8\nmodels: [m]\n")
    assert pointed(error).startswith("quantization")


@pytest.mark.parametrize("name", ["nothing.yaml", "."])
def test_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(GateError, match="Cannot be read"):
        load_gate(tmp_path / name)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "npu-compat.yaml"
    path.write_bytes(b"version: 1\nmodels: [\xfc.onnx]\n")
    with pytest.raises(GateError, match=r"npu-compat\.yaml:2:10: The file is not UTF-8 text\."):
        load_gate(path)


def test_load_reads_without_looking_for_models(tmp_path: Path) -> None:
    path = tmp_path / "npu-compat.yaml"
    path.write_text(f"{DEMAND}models: ['*.onnx']\n", encoding="utf-8")
    assert load(path).models == ["*.onnx"]


def test_thresholds_of_a_target_override_those_of_file_and_model(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").touch()
    gate = tmp_path / "npu-compat.yaml"
    gate.write_text(
        """\
version: 1
targets:
  ethos-n78: {thresholds: {npu_partitions: "<= 2", hazards: 0}}
thresholds: {npu_ratio: ">= 90%", npu_partitions: "<= 9"}
models:
  - {path: a.onnx, thresholds: {npu_ratio: ">= 95%", npu_partitions: "<= 5"}}
"""
    )
    (model,) = load_gate(gate).models
    assert {c.threshold.metric: (c.threshold.show(), c.line) for c in model.checks} == {
        "npu_ratio": ("≥ 95%", 6),
        "npu_partitions": ("≤ 2", 3),
        "hazards": ("exactly 0", 3),
    }


def test_unknown_metric_of_a_target_is_named_with_its_place(tmp_path: Path) -> None:
    gate = tmp_path / "npu-compat.yaml"
    gate.write_text(
        "version: 1\ntargets:\n  ethos-n78:\n    thresholds: {npu_ration: 1}\nmodels: [a.onnx]\n"
    )
    with pytest.raises(GateError, match="Did you mean 'npu_ratio'") as caught:
        load_gate(gate)
    assert caught.value.position.line == 4


def test_limits(tmp_path: Path) -> None:
    gate = gate_of(
        tmp_path, f"{DEMAND}models: [a.onnx]\nlimits: {{timeout: 2 min, memory: 4 GB}}\n"
    )
    assert gate.models[0].request.limits == Limits(120.0, 4 * 10**9)
    gate = gate_of(tmp_path, f"{DEMAND}models: [a.onnx]\nlimits: {{memory: 1 GiB}}\n")
    assert gate.models[0].request.limits == Limits(memory=2**30)
    gate = gate_of(tmp_path, f"{DEMAND}models: [a.onnx]\n")
    assert gate.models[0].request.limits == Limits()


@pytest.mark.parametrize(
    ("written", "message", "at"),
    [
        ("{timeout: 120}", "A time needs its unit: write, say, 120 s.", "120}"),
        ("{memory: 4}", "A size needs its unit: write, say, 4 GB.", "4}"),
        ("{timeout: true}", "A time is written as 120 s.", "true}"),
        ("{timeout: 2 minutes}", "There is no unit 'minutes' here; write ms, s, min, h.", "2 min"),
        ("{memory: 1 MB}", "An analysis needs some memory for itself: at least 512 MB.", "1 MB}"),
        ("{time: 120 s}", "Unknown key 'time'.", "time"),
        ("120 s", "A mapping is expected here.", "120 s"),
    ],
)
def test_limits_that_are_none(tmp_path: Path, written: str, message: str, at: str) -> None:
    error = error_of(tmp_path, f"{DEMAND}models: [a.onnx]\nlimits: {written}\n")
    assert error.message == message
    assert error.position.line == 4
    assert pointed(error).startswith(at)


def test_unknown_limit_says_which_there_are(tmp_path: Path) -> None:
    error = error_of(tmp_path, f"{DEMAND}models: [a.onnx]\nlimits: {{timout: 1 s}}\n")
    assert error.hint == "Did you mean 'timeout'?"


DRIFTS = {
    "file": "thresholds: {npu_ratio: {max_drop: 1pp}}\nmodels: [m.onnx]\n",
    "model": "models:\n- {path: m.onnx, thresholds: {npu_ratio: {min: 9%, max_drop: 1pp}}}\n",
    "target": (
        "targets: {ethos-n78: {thresholds: {npu_ratio: {max_drop: 1pp}}}}\n"
        "thresholds: {qdq_pairs: 0}\nmodels: [m.onnx]\n"
    ),
}


@pytest.mark.parametrize("text", DRIFTS.values(), ids=DRIFTS)
def test_drift_needs_a_baseline(text: str, tmp_path: Path) -> None:
    """Without one, nothing would ever be compared, and the check would always pass."""
    error = error_of(tmp_path, f"version: 1\n{text}")
    assert error.message == "There is no baseline to compare with."
    assert "`baseline: npu-baseline.json`" in error.hint
    assert "--npu-update-baseline" in error.hint
    assert pointed(error).startswith("{m")


@pytest.mark.parametrize("text", DRIFTS.values(), ids=DRIFTS)
def test_drift_from_a_baseline_that_is_given_or_not_needed(text: str, tmp_path: Path) -> None:
    path = tmp_path / "npu-compat.yaml"
    path.write_text(f"version: 1\n{text}", encoding="utf-8")
    baseline = tmp_path / "other.json"
    baseline.write_text(baseline_text({}), encoding="utf-8")
    assert load_gate(path, baseline).models
    assert load_gate(path, use="ignore").models
    assert load_gate(path, baseline, use="write").models
    path.write_text(f"version: 1\nbaseline: other.json\n{text}", encoding="utf-8")
    assert load_gate(path).models
