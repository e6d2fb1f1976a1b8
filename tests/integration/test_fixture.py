"""The fixture and the marker `npu_compat`: the same verdict and text as a gate file's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import onnx
import pytest
from models import half_on_npu, on_npu, save
from plain import op, report

from pytest_npu_compat.collection import NpuCompatWarning
from pytest_npu_compat.fixture import NpuCompat, judge_marker

TESTS = """
import onnx
import pytest


def test_path(npu_compat):
    report = npu_compat.analyze("on_npu.onnx")
    npu_compat.check(report, npu_ratio=">= 96%", qdq_pairs=0)


def test_model_in_memory(npu_compat):
    report = npu_compat.analyze(onnx.load("half_on_npu.onnx"))
    assert report.model.name == "half_on_npu"
    npu_compat.check(report, npu_ratio=">= 96%")


def test_missing(npu_compat):
    npu_compat.check(npu_compat.analyze("nope.onnx"), npu_ratio=">= 1%")


def test_without_thresholds(npu_compat):
    with pytest.raises(ValueError):
        npu_compat.check(npu_compat.analyze("on_npu.onnx"))


def test_wrong_metric(npu_compat):
    with pytest.raises(ValueError, match="npu_ration"):
        npu_compat.check(npu_compat.analyze("on_npu.onnx"), npu_ration=1)


@pytest.mark.npu_compat(model="on_npu.onnx", npu_ratio=">= 96%")
def test_marked_green(): ...


@pytest.mark.npu_compat(model="half_on_npu.onnx", npu_ratio=">= 96%", qdq_pairs=0)
def test_marked_red():
    raise AssertionError("the body must not run")


@pytest.mark.npu_compat(npu_ratio=">= 96%")
def test_marked_without_model(): ...
"""

GREEN = ("test_path", "test_without_thresholds", "test_wrong_metric", "test_marked_green")
RED = ("test_model_in_memory", "test_missing", "test_marked_red", "test_marked_without_model")


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_fixture_and_marker(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    save(on_npu(), pytester.path)
    save(half_on_npu(), pytester.path)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-rA", "--strict-markers", *workers)
    text = result.stdout.str()
    result.assert_outcomes(passed=len(GREEN), failed=len(RED))
    for name in GREEN:
        assert f"PASSED test_fixture_and_marker.py::{name}" in text
    assert text.count("npu_ratio 50.0% (1/2 operators), required ≥ 96%") >= 2
    assert "npu_ratio not judged: file-not-found: nope.onnx does not exist." in text
    assert "the body must not run" not in text
    assert "npu_compat takes keywords" in text


def test_model_in_memory_is_the_model_in_the_file(tmp_path: Path) -> None:
    path = save(on_npu(), tmp_path)
    subject = NpuCompat(tmp_path)
    from_file, in_memory = subject.analyze(path), subject.analyze(onnx.load(path))
    assert from_file.operators == in_memory.operators
    assert from_file.metrics == in_memory.metrics


def test_unchanged_model_is_recalled_and_a_changed_one_is_not(pytester: pytest.Pytester) -> None:
    """The same path within a test may hold another model a moment later."""
    save(on_npu(), pytester.path)
    save(half_on_npu(), pytester.path)
    pytester.makepyfile(
        """
        import shutil
        import pytest


        @pytest.mark.npu_compat(model="on_npu.onnx", qdq_pairs=0)
        def test_overwritten(npu_compat):
            ratios = []
            for name in ("on_npu", "half_on_npu"):
                shutil.copy(f"{name}.onnx", "exported.onnx")
                report = npu_compat.analyze("exported.onnx")
                ratios.append(report.metrics["npu_ratio"].value)
            assert ratios == [1.0, 0.5]
        """
    )
    pytester.makeconftest(
        """
        from pytest_npu_compat.run import dispatch

        analyze = dispatch._worker


        def counted():
            print("analyzed")
            return analyze()


        dispatch._worker = counted
        """
    )
    for analyzed in (3, 0):
        result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-s")
        result.assert_outcomes(passed=1)
        assert result.stdout.str().count("analyzed") == analyzed
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-s", "--npu-no-cache")
    assert result.stdout.str().count("analyzed") == 3


@pytest.fixture
def subject(tmp_path: Path) -> NpuCompat:
    """As the fixture is, in a directory with a model half of which runs on the NPU."""
    save(half_on_npu(), tmp_path)
    return NpuCompat(tmp_path)


@pytest.mark.parametrize(
    ("threshold", "written"),
    [
        ("off", "leave it out"),
        (False, "leave it out"),
        ({"severity": "off"}, "leave it out"),
        ({"min": "96%", "severity": "off"}, "leave it out"),
        ({"max_drop": "0.5pp"}, "npu_ratio='>= 96%'"),
        ({"min": "40%", "max_drop": "0.5pp"}, "npu_ratio='>= 96%'"),
        ({"max_drop": "0.5pp", "severity": "warn"}, "npu_ratio='>= 96%'"),
        (">= 0%", '">= 96%"'),
    ],
    ids=str,
)
def test_threshold_that_judges_nothing_says_what_to_write(
    threshold: object, written: str, subject: NpuCompat, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(ValueError, match=r"^npu_ratio: ") as caught:
        subject.check(report(op()), npu_ratio=threshold)
    assert written in str(caught.value)
    marker = pytest.mark.npu_compat(model="half_on_npu.onnx", npu_ratio=threshold, qdq_pairs=0)
    with pytest.raises(ValueError, match=r"^npu_ratio: "):
        judge_marker(request.node, marker.mark, lambda _: pytest.fail("analyzed in vain"))


def test_drift_names_the_baseline_that_is_missing(subject: NpuCompat) -> None:
    with pytest.raises(ValueError, match=r"no baseline to compare with .* `baseline:`"):
        subject.check(report(op()), qdq_pairs={"max_rise": 1})


def test_without_any_threshold(subject: NpuCompat, request: pytest.FixtureRequest) -> None:
    with pytest.raises(ValueError, match=r"needs a threshold, e.g. npu_ratio='>= 96%'"):
        subject.check(report(op()))
    with pytest.raises(ValueError, match="needs a threshold"):
        judge_marker(request.node, pytest.mark.npu_compat(model="half_on_npu.onnx").mark)


@pytest.mark.parametrize("wrong", [None, 42, b"model", [], onnx.GraphProto()], ids=repr)
def test_what_is_no_model_and_no_report(wrong: Any, subject: NpuCompat) -> None:
    with pytest.raises(
        TypeError, match=r"takes the path of an ONNX file or an onnx.ModelProto, not"
    ):
        subject.analyze(wrong)
    with pytest.raises(TypeError, match=r"judges a report, which npu_compat.analyze returns, not"):
        subject.check(wrong, npu_ratio=">= 96%")


@pytest.mark.parametrize("inputs", [[1, 3], {"image": 5}, {"image": ["a"]}, "image"], ids=repr)
def test_what_are_no_inputs(inputs: Any, subject: NpuCompat) -> None:
    with pytest.raises(TypeError, match=r"inputs are shapes by input name, e.g. "):
        subject.analyze("half_on_npu.onnx", inputs=inputs)


def test_every_threshold_is_judged_and_shown(subject: NpuCompat) -> None:
    half = subject.analyze("half_on_npu.onnx")
    subject.check(half, qdq_pairs=0, npu_ratio=">= 50%")
    for thresholds in (
        {"qdq_pairs": 0, "npu_ratio": ">= 96%"},
        {"npu_ratio": ">= 96%", "hazards": 0},
    ):
        with pytest.raises(pytest.fail.Exception, match=r"npu_ratio 50.0% .* required ≥ 96%"):
            subject.check(half, **thresholds)
    with pytest.raises(pytest.fail.Exception) as caught:
        subject.check(half, npu_ratio=">= 96%", npu_partitions="> 7")
    assert "npu_ratio 50.0%" in str(caught.value)
    assert "npu_partitions 1, required > 7" in str(caught.value)


def test_kinds_that_may_run_on_the_cpu(subject: NpuCompat) -> None:
    half = subject.analyze("half_on_npu.onnx")
    subject.check(half, cpu_operators={"allow": ["Conv"]})
    for threshold in ({"allow": []}, {"deny": ["Conv"]}, {"allow": ["Softmax"]}):
        with pytest.raises(pytest.fail.Exception, match="cpu_operators include 1 Conv"):
            subject.check(half, cpu_operators=threshold)


def test_severity_warn_warns_where_the_test_stands(subject: NpuCompat) -> None:
    half = subject.analyze("half_on_npu.onnx")
    with pytest.warns(NpuCompatWarning, match=r"half_on_npu\[ethos-n78\]: npu_ratio 50.0%") as seen:
        subject.check(half, npu_ratio={"min": "96%", "severity": "warn"}, qdq_pairs=0)
    assert [warning.filename for warning in seen] == [__file__]
    subject.check(half, npu_ratio={"min": "50%", "severity": "warn"})


def test_severity_warn_excuses_nothing_else(subject: NpuCompat) -> None:
    half, missing = subject.analyze("half_on_npu.onnx"), subject.analyze("nope.onnx")
    warned = {"min": "96%", "severity": "warn"}
    with (
        pytest.warns(NpuCompatWarning),
        pytest.raises(pytest.fail.Exception, match=r"^npu_partitions 1, required > 7"),
    ):
        subject.check(half, npu_ratio=warned, npu_partitions="> 7")
    with pytest.raises(pytest.fail.Exception, match="npu_ratio not judged: file-not-found"):
        subject.check(missing, npu_ratio=warned)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(pytest.fail.Exception, match=r"^npu_ratio 50.0%"):
            subject.check(half, npu_ratio=warned)


SETTINGS = """
import pytest


def figures(report):
    return report.target.label, report.metrics["npu_ratio"].value


def test_inputs(npu_compat):
    assert npu_compat.analyze("dynamic.onnx").error.code == "dynamic-shape"
    pinned = npu_compat.analyze("dynamic.onnx", inputs={"image": [1, 16, 8, 8]})
    npu_compat.check(pinned, npu_ratio=">= 100%")
    wrong = npu_compat.analyze("dynamic.onnx", inputs={"imagine": [1, 16, 8, 8]})
    assert "no input 'imagine'" in wrong.error.message


def test_targets(npu_compat):
    labels = [
        npu_compat.analyze("on_npu.onnx", **settings).target.label
        for settings in ({}, {"variant": "1tops-2ple"}, {"target": "nnapi"})
    ]
    assert labels == ["ethos-n78:4tops-4ple", "ethos-n78:1tops-2ple", "nnapi"]


@pytest.mark.npu_compat(model="dynamic.onnx", inputs={"image": [1, 16, 8, 8]}, npu_ratio=">= 100%")
def test_marker_with_inputs(): ...


@pytest.mark.npu_compat(model="dynamic.onnx", npu_ratio=">= 100%")
def test_marker_without_inputs(): ...


@pytest.mark.npu_compat(model="on_npu.onnx", target="nope", qdq_pairs=0)
def test_marker_with_target(): ...


@pytest.mark.npu_compat(model="on_npu.onnx", variant="nope", qdq_pairs=0)
def test_marker_with_variant(): ...


@pytest.mark.npu_compat(model="half_on_npu.onnx", npu_ratio=">= 96%")
@pytest.mark.npu_compat(model="on_npu.onnx", npu_ratio=">= 96%")
def test_outer_of_two_markers(): ...


@pytest.mark.npu_compat(model="on_npu.onnx", npu_ratio=">= 96%")
@pytest.mark.npu_compat(model="half_on_npu.onnx", npu_ratio=">= 96%")
def test_inner_of_two_markers(): ...


@pytest.mark.npu_compat(model="on_npu.onnx", npu_ratio=">= 96%", hazards=0)
@pytest.mark.npu_compat(model="on_npu.onnx", qdq_pairs=0)
def test_two_markers_that_hold(): ...


@pytest.mark.npu_compat(model="half_on_npu.onnx", npu_ratio={"min": "96%", "severity": "warn"})
def test_marker_that_warns(): ...
"""


def test_settings_and_several_markers(pytester: pytest.Pytester) -> None:
    for net in (on_npu(), half_on_npu()):
        save(net, pytester.path)
    on_npu().save(pytester.path / "dynamic.onnx", dynamic=True)
    pytester.makepyfile(SETTINGS)
    result = pytester.runpytest_subprocess("-rA", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=5, failed=5, warnings=1)
    lines = [line for line in result.outlines if line.startswith("FAILED ")]
    names = {line.split("::")[1].split(" ")[0].removeprefix("test_") for line in lines}
    assert names == {
        "marker_without_inputs",
        "marker_with_target",
        "marker_with_variant",
        "outer_of_two_markers",
        "inner_of_two_markers",
    }
    text = result.stdout.str()
    assert "no target 'nope'" in text
    assert "no variant of ethos-n78 'nope'" in text
    assert "NpuCompatWarning: half_on_npu[ethos-n78]: npu_ratio 50.0%" in text


def test_pins_that_contradict_are_never_a_figure(subject: NpuCompat) -> None:
    model = Path(__file__).resolve().parents[2] / "examples" / "v3" / "models" / "level2_leaky.onnx"
    broken = subject.analyze(model, inputs={"image": [1, 3, 65, 64]})
    assert (broken.status, broken.metrics) == ("not_analyzable", {})
    with pytest.raises(
        pytest.fail.Exception, match=r"npu_ratio not judged: dynamic-shape: .*concat_4"
    ):
        subject.check(broken, npu_ratio=">= 1%")
