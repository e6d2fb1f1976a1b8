"""The fixture and the marker `npu_compat`: the same verdict and text as a gate file's."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from models import half_on_npu, on_npu, save

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
    from pytest_npu_compat.fixture import NpuCompat

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
