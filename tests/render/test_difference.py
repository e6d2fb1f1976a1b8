"""What `npu-compat diff` calls worse, gone and not compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from plain import ERROR, op, ratio, report

from pytest_npu_compat.analysis.report import ModelInfo, Report
from pytest_npu_compat.render.comparison import Difference, difference_lines, to_plain

HALF = report(op("a"), op("b", "Softmax", "cpu"))
SWAPPED = report(op("a", placement="cpu"), op("b", "Softmax"))
BROKEN = report(error=ERROR)


def difference(old: Mapping[str, Report], new: Mapping[str, Report]) -> Difference:
    return Difference("old", "new", old, new)


def text(found: Difference) -> str:
    return "\n".join(difference_lines(found))


def test_operator_that_left_is_worse_though_no_metric_is() -> None:
    """Another came in its place: the figures are the same, the work on the NPU is not."""
    found = difference({"m": HALF}, {"m": SWAPPED})
    (comparison,) = found.comparisons.values()
    assert comparison.metrics == ()
    assert [change.after.name for change in comparison.left if change.after] == ["a"]
    assert found.worse
    assert not difference({"m": HALF}, {"m": HALF}).worse


def test_new_model_that_cannot_be_analyzed_is_worse() -> None:
    found = difference({}, {"m": BROKEN})
    assert found.worse
    assert "m: new, not analyzable: lfs-pointer: " in text(found)
    assert not difference({}, {"m": HALF}).worse


def test_metric_is_worse_though_no_operator_left() -> None:
    lower = replace(HALF, metrics={**HALF.metrics, "npu_mac_ratio": ratio(1, 3)})
    higher = replace(HALF, metrics={**HALF.metrics, "npu_mac_ratio": ratio(1, 2)})
    assert difference({"m": higher}, {"m": lower}).worse
    assert not difference({"m": lower}, {"m": higher}).worse


@pytest.mark.parametrize("gone_is_worse", [True, False])
def test_model_that_is_gone(gone_is_worse: bool) -> None:
    found = replace(difference({"m": HALF, "n": HALF}, {"m": HALF}), gone_is_worse=gone_is_worse)
    assert found.worse == gone_is_worse
    assert found.gone == ("n",)
    assert "n: gone" in text(found).splitlines()
    assert not replace(found, old={"m": HALF}).worse


def test_base_that_cannot_be_analyzed_is_not_compared() -> None:
    found = difference({"m": BROKEN, "n": HALF}, {"m": HALF, "n": HALF})
    assert (found.worse, found.not_compared) == (False, ("m",))
    assert "  nothing was compared" in text(found).splitlines()
    assert difference({"m": HALF}, {"m": BROKEN}).not_compared == ()


def test_fragments_are_no_improvement() -> None:
    more, fewer = ({"npu_function_ratio": ratio(n, n + 1)} for n in (3, 1))
    for old, new in ((fewer, more), (more, fewer)):
        found = difference({"m": report(metrics=old)}, {"m": report(metrics=new)})
        (line,) = [one for one in text(found).splitlines() if "npu_function_ratio" in one]
        assert line.endswith(")")
        assert "better" not in line
        assert "worse" not in line
        change = to_plain(found)["models"]["m"]["metrics"]["npu_function_ratio"]
        assert (change["verdict"], change["worse"]) == ("", False)
        assert not found.worse


def test_cause_is_told_of_what_moved_only() -> None:
    other = replace(HALF, model=ModelInfo("m", "m.onnx", sha256="1" * 64))
    found = difference(
        {"same": HALF, "moved": HALF, "other": HALF},
        {"same": HALF, "moved": replace(HALF, metrics={}), "other": other},
    )
    causes = {key: model["cause"] for key, model in to_plain(found)["models"].items()}
    assert causes["same"] is causes["other"] is None
    assert "may have been edited by hand" in causes["moved"]
    assert text(found).count("the model file is the same; all versions and settings are") == 1


def test_names_of_the_base_are_shown_and_harmless() -> None:
    found = replace(
        difference({"n": HALF, "x": HALF}, {"n": HALF, "x": SWAPPED}),
        was={"n": "\x1b[31mold", "x": "z/npu-compat.yaml::y"},
        moved={"w": "\x1by"},
    )
    printed = text(found)
    assert all(line.isprintable() for line in printed.splitlines())
    assert "x (was z/npu-compat.yaml::y)" in printed
    assert "unchanged: n (was " in printed
    assert "w: moved to " in printed
