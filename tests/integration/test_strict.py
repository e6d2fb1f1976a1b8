"""What a green run could hide: visible in the summary, and an error under --npu-strict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]

OK, RED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
EMPTY = pytest.ExitCode.NO_TESTS_COLLECTED

GREEN = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models: [models/on_npu.onnx]
"""
SILENT = """\
version: 1
thresholds: {npu_ratio: {min: 96%}, qdq_pairs: off}
models:
  - path: models/half_on_npu.onnx
    waivers: [{check: npu_ratio, until: 2999-01-31, reason: later}]
"""
UNUSED = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models:
  - path: models/on_npu.onnx
    waivers: [{check: npu_ratio, until: 2999-01-31, reason: later}]
"""
COMPARED = GREEN.replace("thresholds", "baseline: b.json\nthresholds")
NO_ENTRIES = '{"version": 1, "models": {}}'

STRAY = "npu-compat.yaml lies here, but this run did not collect it"
NOTHING = (
    "not one check of a gate file was judged: see the selection (-k, -m, ids), or write "
    "npu-compat.yaml (`npu-compat init`)"
)


@pytest.fixture
def tests(pytester: pytest.Pytester) -> None:
    """Ordinary tests in a directory of their own, which pytest is told to run."""
    pytester.mkdir("tests").joinpath("test_x.py").write_text("def test_x(): pass\n")


def notes(result: pytest.RunResult) -> list[str]:
    """What the summary says besides the table."""
    return [line for line in result.outlines if line.startswith(("note: ", "ERROR: "))]


def both(run: Run, *arguments: str) -> tuple[pytest.RunResult, pytest.RunResult]:
    return run(*arguments), run("--npu-strict", *arguments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SILENT, "every check of half_on_npu[ethos-n78] is off or waived: nothing can fail"),
        (
            UNUSED,
            (
                "waiver with nothing to excuse, remove it: npu-compat.yaml:5: npu_ratio, "
                "until 2999-01-31: later"
            ),
        ),
        (
            COMPARED,
            (
                "on_npu[ethos-n78] is not in b.json, nothing was compared: "
                "`pytest --npu-update-baseline` adds it"
            ),
        ),
    ],
    ids=["off or waived", "unused waiver", "not in the baseline"],
)
def test_note_is_an_error_under_strict(
    text: str, said: str, gate: Gate, run: Run, project: Path
) -> None:
    (project / "b.json").write_text(NO_ENTRIES, encoding="utf-8")
    gate(text)
    plain, strict = both(run)
    assert (plain.ret, notes(plain)) == (OK, [f"note: {said}"])
    assert (strict.ret, notes(strict)) == (RED, [f"ERROR: {said}"])


def test_gate_that_hides_nothing_is_green_under_strict(gate: Gate, run: Run) -> None:
    gate(GREEN)
    result = run("--npu-strict")
    assert (result.ret, notes(result)) == (OK, [])


@pytest.mark.usefixtures("tests")
def test_gate_file_outside_of_testpaths(gate: Gate, run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntestpaths = tests")
    gate(GREEN)
    plain, strict = both(run)
    assert (plain.ret, strict.ret) == (OK, RED)
    assert f"note: {STRAY}" in notes(plain)
    assert f"ERROR: {STRAY}" in notes(strict)


@pytest.mark.usefixtures("tests")
def test_gate_file_in_a_directory_that_pytest_skips(
    gate: Gate, run_with: Run, pytester: pytest.Pytester
) -> None:
    gate(GREEN)
    pytester.makeconftest('collect_ignore = ["npu-compat.yaml"]')
    plain, strict = both(lambda *a: run_with([], *a))
    assert (plain.ret, strict.ret) == (OK, RED)
    assert f"note: {STRAY}" in notes(plain)


@pytest.mark.parametrize(
    "options", [["-k", "nobody"], ["-m", "nobody"], ["--ignore=npu-compat.yaml"]], ids=" ".join
)
@pytest.mark.usefixtures("tests")
def test_selection_that_leaves_nothing_to_judge(
    options: Sequence[str], gate: Gate, run_with: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nmarkers = nobody: of nobody")
    gate(GREEN)
    plain, strict = both(lambda *a: run_with([], *a), *options)
    assert plain.ret in (OK, EMPTY)
    assert strict.ret == RED
    if "--ignore" in options[0]:
        assert notes(plain) == [f"note: {NOTHING}", f"note: {STRAY}"]
        assert notes(strict) == [f"ERROR: {STRAY}"]
    else:  # it was collected
        assert notes(plain) == [f"note: {NOTHING}"]
        assert notes(strict) == [f"ERROR: {NOTHING}"]


def test_selection_that_leaves_nothing_to_judge_with_xdist(gate: Gate, run_with: Run) -> None:
    gate(GREEN)
    plain, strict = both(lambda *a: run_with(["-n", "2"], *a), "-k", "nobody")
    assert plain.ret == EMPTY
    assert strict.ret == RED
    assert notes(strict) == [f"ERROR: {NOTHING}"]


@pytest.mark.parametrize(
    "ini",
    ["testpaths = tests npu-compat.yaml", "addopts = --ignore=gates", "norecursedirs = gates"],
)
@pytest.mark.usefixtures("tests")
def test_gate_file_in_a_directory_that_the_configuration_leaves_out(
    ini: str, gate: Gate, run: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeini(f"[pytest]\n{ini}\n")
    gate(GREEN)
    gate(GREEN.replace("models/on_npu", "../models/half_on_npu"), "gates/npu-compat.yaml")
    plain, strict = both(run)
    said = "gates/npu-compat.yaml lies here, but this run did not collect it"
    assert (plain.ret, notes(plain)) == (OK, [f"note: {said}"])
    assert (strict.ret, notes(strict)) == (RED, [f"ERROR: {said}"])


@pytest.mark.parametrize("argument", ["..", "../models/../npu-compat.yaml", "../link"])
def test_gate_file_under_another_spelling_of_its_path_was_collected(
    argument: str, gate: Gate, run_with: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "pytest.ini").write_text("[pytest]\n")
    gate(
        GREEN.replace("models/", "../models/") if "link" in argument else GREEN,
        "real/npu-compat.yaml" if "link" in argument else "npu-compat.yaml",
    )
    if "link" in argument:
        (project / "link").symlink_to(project / "real")
    monkeypatch.chdir(project / "models")
    result = run_with([], "--npu-strict", argument)
    assert (result.ret, notes(result)) == (OK, [])


def test_check_that_something_else_than_a_waiver_excuses(
    gate: Gate, run: Run, pytester: pytest.Pytester
) -> None:
    gate(GREEN.replace("on_npu", "half_on_npu"))
    pytester.makeconftest(
        "import pytest\n"
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items: item.add_marker(pytest.mark.xfail)\n"
    )
    result = run()
    assert result.ret == RED
    (note,) = notes(result)
    assert "npu_ratio failed, and pytest was told not to mind" in note


def test_check_that_a_conftest_takes_away(gate: Gate, run: Run, pytester: pytest.Pytester) -> None:
    gate(GREEN.replace("[models", "[models/leaky.onnx, models"))
    pytester.makeconftest("def pytest_collection_modifyitems(items): items[:] = items[1:]\n")
    plain, strict = both(run)
    assert (plain.ret, strict.ret) == (OK, RED)
    assert "nobody judged leaky[ethos-n78]::npu_ratio" in notes(plain)[0]


@pytest.mark.usefixtures("project")
def test_tests_of_other_plugins_in_yaml_are_none_of_ours(
    run_with: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(
        "import pytest\n"
        "class Item(pytest.Item):\n"
        "    def runtest(self): assert False\n"
        "class Other(pytest.File):\n"
        "    def collect(self): yield Item.from_parent(self, name='x')\n"
        "def pytest_collect_file(file_path, parent):\n"
        "    if file_path.name == 'test_a.yaml': return Other.from_parent(parent, path=file_path)\n"
    )
    pytester.path.joinpath("test_a.yaml").write_text("a: 1\n")
    result = run_with([])
    assert result.ret == RED
    assert "NPU compatibility" not in result.stdout.str()


@pytest.mark.usefixtures("tests")
def test_strict_run_of_a_project_without_a_gate_says_so(run_with: Run) -> None:
    """A gate file that was deleted or renamed must not turn a strict build green."""
    plain, strict = both(lambda *a: run_with([], *a))
    assert (plain.ret, notes(plain)) == (OK, [])
    assert (strict.ret, notes(strict)) == (RED, [f"ERROR: {NOTHING}"])


@pytest.mark.parametrize(
    "arguments",
    [
        ["tests/test_x.py"],
        ["tests/test_x.py::test_x"],
        ["npu-compat.yaml::on_npu[ethos-n78]::npu_ratio"],
        ["npu-compat.yaml", "-k", "npu_ratio"],
        ["npu-compat.yaml"],
        ["-k", "on_npu", "."],
        ["--ignore=more.npu.yaml"],
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("tests")
def test_explicit_selection_does_not_nag(
    arguments: list[str], gate: Gate, run_with: Run, pytester: pytest.Pytester
) -> None:
    gate(GREEN)
    gate(GREEN.replace("on_npu.onnx", "leaky.onnx"), "more.npu.yaml")
    for result in both(lambda *a: run_with([], *a), *arguments):
        assert (result.ret, notes(result)) == (OK, [])


@pytest.mark.usefixtures("tests")
def test_explicit_selection_does_not_nag_with_xdist(gate: Gate, run_with: Run) -> None:
    gate(GREEN)
    for arguments in (["tests/test_x.py"], ["npu-compat.yaml::on_npu[ethos-n78]::npu_ratio"]):
        result = run_with(["-n", "2"], "--npu-strict", *arguments)
        assert (result.ret, notes(result)) == (OK, [])


@pytest.mark.usefixtures("tests")
def test_strict_build_that_runs_only_a_directory_of_tests_judged_nothing(
    gate: Gate, run_with: Run
) -> None:
    """``pytest tests`` in a workflow: the gate file lies above, and nobody sees that."""
    gate(GREEN)
    plain, strict = both(lambda *a: run_with([], *a), "tests")
    assert (plain.ret, notes(plain)) == (OK, [])
    assert (strict.ret, notes(strict)) == (RED, [f"ERROR: {NOTHING}"])


ERRORS = {
    "empty glob": (GREEN.replace("on_npu.onnx", "nobody_*.onnx"), "3:10: No file matches"),
    "target": (GREEN.replace("thr", "target: nobody\nthr"), "2:9: There is no target 'nobody'"),
    "variant": (
        GREEN.replace("thr", "target: ethos-n78:9tops\nthr"),
        "2:9: There is no variant of ethos-n78 '9tops'",
    ),
    "no baseline": (COMPARED, "2:11: There is no baseline b.json."),
}


@pytest.mark.parametrize("name", ERRORS)
def test_error_needs_no_strict(name: str, gate: Gate, run: Run) -> None:
    text, said = ERRORS[name]
    gate(text)
    result = run()
    assert result.ret not in (OK, EMPTY)
    assert f"npu-compat.yaml:{said}" in result.stdout.str()
    assert [line for line in notes(result) if said.split(": ", 1)[1] in line]
    assert "Traceback" not in result.stdout.str()


def test_pointer_fails_every_check_without_strict(gate: Gate, run: Run) -> None:
    gate(GREEN.replace("on_npu.onnx", "pointer.onnx"))
    result = run()
    assert result.ret == RED
    result.assert_outcomes(failed=1)
    assert "lfs-pointer" in result.stdout.str()


def test_waived_failures_are_failures_when_xfails_are_not_wanted(gate: Gate, run: Run) -> None:
    """``--runxfail`` runs expected failures as if they were not: a waived check is then red."""
    gate(SILENT)
    result = run("--runxfail")
    assert result.ret == RED
    result.assert_outcomes(failed=1, skipped=1)
    assert "npu_ratio 50.0% (1/2 operators), required ≥ 96%" in result.stdout.str()


def test_collecting_alone_says_nothing(gate: Gate, run_with: Run) -> None:
    gate(GREEN)
    result = run_with([], "--collect-only", "--npu-strict")
    assert (result.ret, notes(result)) == (OK, [])
