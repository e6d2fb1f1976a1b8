"""Widening node ids of checks to those of their models."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_npu_compat.selection import widen

HERE = Path(Path.cwd().anchor, "somewhere", "project")
FILE = HERE / "gate.yaml"
MODEL = "gate.yaml::net[ethos-n78]"


@pytest.mark.parametrize(
    ("arguments", "widened"),
    [
        ([f"{MODEL}::npu_ratio"], [MODEL]),
        ([f"{MODEL}::npu_ratio", f"{MODEL}::qdq_pairs"], [MODEL]),
        ([f"{MODEL}::npu_ratio", MODEL], [MODEL]),
        ([f"{MODEL}::npu_ratio", "gate.yaml"], [MODEL, "gate.yaml"]),
        (["b.yaml::n[t]::m", f"{MODEL}::npu_ratio"], ["b.yaml::n[t]", MODEL]),
    ],
)
def test_arguments_are_widened(arguments: list[str], widened: list[str]) -> None:
    assert widen(arguments, HERE)[0] == widened


@pytest.mark.parametrize(
    "argument",
    [
        "gate.yaml",
        "tests",
        MODEL,
        "gate.yaml::net",
        "test_a.py::TestA::test_b",
        "test_a.py::test_b[x]",
        "test_a.py::test_b]::c",
        f"{MODEL}::",
        "odd[1]/test_a.py::test_b",
    ],
)
def test_others_are_left_as_they_are(argument: str) -> None:
    widened, selection = widen([argument], HERE)
    assert widened == [argument]
    assert selection.checks == {}


def test_only_the_checks_asked_for_are_kept() -> None:
    _, selection = widen([f"{MODEL}::npu_ratio", f"{MODEL}::hazards"], HERE)
    kept = [
        check
        for check in ("npu_ratio", "qdq_pairs", "hazards")
        if selection.keeps(FILE, "net[ethos-n78]", check)
    ]
    assert kept == ["npu_ratio", "hazards"]


def test_models_that_were_not_narrowed_are_kept() -> None:
    _, selection = widen([f"{MODEL}::npu_ratio", "other.yaml"], HERE)
    assert selection.keeps(FILE, "another[ethos-n78]", "qdq_pairs")
    assert selection.keeps(HERE / "other.yaml", "net[ethos-n78]", "qdq_pairs")


@pytest.mark.parametrize(
    "wider", ["gate.yaml", ".", "", MODEL, "gate.yaml::net", "../project/gate.yaml", str(HERE)]
)
def test_a_wider_argument_wins(wider: str) -> None:
    _, selection = widen([f"{MODEL}::npu_ratio", wider], HERE)
    assert selection.keeps(FILE, "net[ethos-n78]", "qdq_pairs")


@pytest.mark.parametrize(
    "other", ["other.yaml", "below", "gate.yaml::another[ethos-n78]", "gate.yaml::ne"]
)
def test_an_argument_for_something_else_does_not_win(other: str) -> None:
    _, selection = widen([f"{MODEL}::npu_ratio", other], HERE)
    assert not selection.keeps(FILE, "net[ethos-n78]", "qdq_pairs")


@pytest.mark.parametrize("path", ["gate.yaml", "./gate.yaml", "../project/gate.yaml", str(FILE)])
def test_spellings_of_a_path(path: str) -> None:
    _, selection = widen([f"{path}::net[ethos-n78]::npu_ratio"], HERE)
    assert selection.keeps(FILE, "net[ethos-n78]", "npu_ratio")
    assert not selection.keeps(FILE, "net[ethos-n78]", "qdq_pairs")


def test_symbolic_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    _, selection = widen(["link/gate.yaml::net[t]::npu_ratio"], tmp_path)
    # Pytest collects the path as it was given.
    assert not selection.keeps(tmp_path / "link/gate.yaml", "net[t]", "qdq_pairs")


def test_what_was_asked_of_a_file() -> None:
    arguments = [f"{MODEL}::npu_ratio", f"{MODEL}::zzz", "gate.yaml::n[t]::a", "b.yaml::n[t]::b"]
    _, selection = widen(arguments, HERE)
    assert selection.asked(FILE) == {"net[ethos-n78]": {"npu_ratio", "zzz"}, "n[t]": {"a"}}
    assert selection.asked(HERE / "c.yaml") == {}
