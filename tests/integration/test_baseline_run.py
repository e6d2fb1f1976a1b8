"""Baselines: base -> head -> baseline, what comes of each and how it is said."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import models
import onnx
import pytest
from rewrites import rename

from pytest_npu_compat.gate.outcome import GateRun

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]

BASELINE = "npu-baseline.json"
UPDATE = "--npu-update-baseline"

HEAD = """\
version: 1
baseline: npu-baseline.json
thresholds:
  npu_ratio: {min: 96%, max_drop: 0pp}
models:
  - m/violation.onnx
  - m/improved.onnx
  - m/dropped.onnx
  - {path: m/within.onnx, thresholds: {npu_ratio: {max_drop: 50pp}}}
  - {path: m/beyond.onnx, thresholds: {npu_ratio: {max_drop: 49.9pp}}}
  - {path: m/risen.onnx, thresholds: {qdq_pairs: {max_rise: 0}}}
  - {path: m/tolerated.onnx, thresholds: {qdq_pairs: {max_rise: 1}}}
  - {path: m/heavier.onnx, thresholds: {boundary_bytes: {max_rise: 1 kB}}}
  - {path: m/resized.onnx, inputs: {image: [1, 16, 16, 16]}, thresholds: {boundary_bytes: {max_rise: 9 kB}}}
  - m/renamed.onnx
  - m/upgraded.onnx
  - m/pointer.onnx
  - m/new.onnx
"""
BASE = HEAD.replace("16, 16]", "8, 8]").replace("  - m/new.onnx\n", "  - m/removed.onnx\n")
FILES = {
    "violation": ("half_on_npu", "half_on_npu"),
    "improved": ("half_on_npu", "on_npu"),
    "dropped": ("wide", "half_on_npu"),
    "within": ("wide", "half_on_npu"),
    "beyond": ("wide", "half_on_npu"),
    "risen": ("on_npu", "leaky"),
    "tolerated": ("on_npu", "leaky"),
    "heavier": ("wide", "half_on_npu"),
    "resized": ("dynamic", "dynamic"),
    "renamed": ("on_npu", "renamed"),
    "upgraded": ("half_on_npu", "half_on_npu"),
    "pointer": ("on_npu", "pointer"),
    "new": ("", "on_npu"),
    "removed": ("on_npu", ""),
}
"""Model -> file in the base, file in the head."""

VERDICTS = {
    "violation npu_ratio": (
        "failed",
        "npu_ratio 50.0% (1/2 operators), required ≥ 96%, unchanged since the baseline",
    ),
    "improved npu_ratio": (
        "passed",
        "npu_ratio 100.0% (4/4 operators), required ≥ 96%, 50pp above the baseline's 50.0%",
    ),
    "dropped npu_ratio": (
        "failed",
        (
            "npu_ratio 50.0% (1/2 operators), required ≥ 96%, "
            "50pp below the baseline's 100.0% (0pp allowed)"
        ),
    ),
    "within npu_ratio": (
        "passed",
        "npu_ratio 50.0% (1/2 operators), 50pp below the baseline's 100.0%",
    ),
    "beyond npu_ratio": (
        "failed",
        "npu_ratio 50.0% (1/2 operators), 50pp below the baseline's 100.0% (49.9pp allowed)",
    ),
    "risen npu_ratio": (
        "passed",
        "npu_ratio 100.0% (2/2 operators), required ≥ 96%, unchanged since the baseline",
    ),
    "risen qdq_pairs": ("failed", "qdq_pairs 1, 1 above the baseline's 0 (0 allowed)"),
    "tolerated npu_ratio": (
        "passed",
        "npu_ratio 100.0% (2/2 operators), required ≥ 96%, unchanged since the baseline",
    ),
    "tolerated qdq_pairs": ("passed", "qdq_pairs 1, 1 above the baseline's 0"),
    "heavier npu_ratio": (
        "failed",
        (
            "npu_ratio 50.0% (1/2 operators), required ≥ 96%, "
            "50pp below the baseline's 100.0% (0pp allowed)"
        ),
    ),
    "heavier boundary_bytes": ("passed", "boundary_bytes 2.048 kB, unchanged since the baseline"),
    "resized npu_ratio": (
        "passed",
        "npu_ratio 100.0% (4/4 operators), required ≥ 96%, unchanged since the baseline",
    ),
    "resized boundary_bytes": (
        "passed",
        (
            "boundary_bytes 8.192 kB, 6.144 kB above the baseline's 2.048 kB; the model file is the same, "
            "the gate file changed: shape of image 1x16x8x8 -> 1x16x16x16"
        ),
    ),
    "renamed npu_ratio": (
        "passed",
        "npu_ratio 100.0% (4/4 operators), required ≥ 96%, unchanged since the baseline",
    ),
    "upgraded npu_ratio": (
        "failed",
        (
            "npu_ratio 50.0% (1/2 operators), required ≥ 96%, 50pp below the baseline's 100.0% (0pp "
            "allowed); the model file is the same, the tool changed: pytest-npu-compat 0.0.1 -> VERSION, "
            "rules old-rules -> RULES"
        ),
    ),
    "pointer npu_ratio": (
        "not_analyzable",
        "npu_ratio not judged: lfs-pointer: pointer.onnx is a Git LFS pointer, not the model itself.",
    ),
    "new npu_ratio": (
        "passed",
        "npu_ratio 100.0% (4/4 operators), required ≥ 96%, not compared: not in the baseline",
    ),
}
NOTES = [
    (
        "improved[ethos-n78] is better than its baseline (npu_ratio 50.0% -> 100.0%): "
        "`pytest --npu-update-baseline` keeps it"
    ),
    (
        "new[ethos-n78] is not in npu-baseline.json, nothing was compared: "
        "`pytest --npu-update-baseline` adds it"
    ),
    (
        "removed[ethos-n78] is in npu-baseline.json, but not judged any more: "
        "`pytest --npu-update-baseline` drops it"
    ),
    (
        "resized[ethos-n78] has other figures than in npu-baseline.json, though its file is the same: "
        "the gate file changed: shape of image 1x16x8x8 -> 1x16x16x16"
    ),
    (
        "upgraded[ethos-n78] has other figures than in npu-baseline.json, though its file is the same: "
        "the tool changed: pytest-npu-compat 0.0.1 -> VERSION, rules old-rules -> RULES"
    ),
]


@pytest.fixture
def lay_out(project: Path) -> Callable[[int], None]:
    """Puts the files of the base (0) or of the head (1) under ``m/``."""
    built = project / "models"
    models.save(models.wide(), built)
    other, _ = rename(onnx.load(built / "on_npu.onnx"), seed=1)
    onnx.save(other, built / "renamed.onnx")

    def put(side: int) -> None:
        shutil.rmtree(project / "m", ignore_errors=True)
        (project / "m").mkdir()
        for name, files in FILES.items():
            if files[side]:
                shutil.copy(built / f"{files[side]}.onnx", project / "m" / f"{name}.onnx")

    return put


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def downgrade(path: Path, model: str) -> tuple[str, str]:
    """Makes a baseline's entry one of an older tool that took every operator; version and rules now."""
    content = read(path)
    entry = content["models"][model]
    now = entry["tool"]["version"], entry["tool"]["rules"]
    entry["tool"].update(version="0.0.1", rules="old-rules")
    entry["metrics"]["npu_ratio"] = {
        "value": 1.0,
        "unit": "ratio",
        "numerator": 2,
        "denominator": 2,
    }
    for operator in entry["operators"]:
        operator.update(placement="npu", supported=True, partition=0, reasons=[])
    path.write_text(json.dumps(content), encoding="utf-8")
    return now


def test_table(
    gate: Gate,
    run_with: Run,
    xdist: list[str],
    project: Path,
    lay_out: Callable[[int], None],
    bodies: Callable[[pytest.RunResult], dict[str, str]],
) -> None:
    """Base, baseline, head: the outcome and the wording of every situation."""
    lay_out(0)
    gate(BASE)
    run_with([], UPDATE)
    baseline = project / BASELINE
    version, rules = downgrade(baseline, "upgraded[ethos-n78]")
    lay_out(1)
    gate(HEAD)
    result = run_with(xdist, "--npu-json=run.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    record = GateRun.from_dict(read(project / "run.json"))

    def now(text: str) -> str:
        return text.replace("VERSION", version).replace("RULES", rules)

    found = {f"{o.model} {o.metric}": (o.status, o.message) for o in record.outcomes}
    assert found == {key: (status, now(text)) for key, (status, text) in VERDICTS.items()}
    assert sorted(note.message for note in record.notes) == [now(text) for text in NOTES]
    assert {note.level for note in record.notes} == {"note"}
    for text in NOTES:
        assert f"note: {now(text)}" in result.stdout.str()
    by_id = {f"{o.model} {o.metric}": o for o in record.outcomes}
    lines = by_id["dropped npu_ratio"].text.splitlines()
    assert lines[1:4] == [
        "",
        "left the NPU since the baseline:",
        "  conv_1: kernel 3x3 -> 4x4, padding 1x1x1x1 -> 1x1x2x2 [kernel-size]",
    ]
    assert by_id["dropped npu_ratio"].regressions == (
        "conv_1: kernel 3x3 -> 4x4, padding 1x1x1x1 -> 1x1x2x2 [kernel-size]",
    )
    body = bodies(result)["dropped[ethos-n78] npu_ratio"].splitlines()
    assert body[: len(lines)] == lines, "pytest shows the same text"
    assert by_id["violation npu_ratio"].regressions == ()
    assert "left the NPU" not in by_id["violation npu_ratio"].text
    upgraded = by_id["upgraded npu_ratio"].text.splitlines()
    assert upgraded[2] == "left the NPU since the baseline:"
    assert upgraded[3].startswith("  conv_1: ")


SMALL = """\
version: 1
baseline: npu-baseline.json
thresholds: {npu_ratio: {max_drop: 0pp}, qdq_pairs: 0}
models:
"""


def small(*names: str) -> str:
    return SMALL + "".join(f"  - models/{name}.onnx\n" for name in names)


def entries(path: Path) -> list[str]:
    return [key.removesuffix("[ethos-n78]") for key in read(path)["models"]]


def test_missing_baseline_says_how_to_make_one(gate: Gate, run: Run) -> None:
    gate(small("on_npu"))
    result = run()
    assert result.ret != pytest.ExitCode.OK
    text = result.stdout.str()
    assert "npu-compat.yaml:2:11: There is no baseline npu-baseline.json." in text
    assert "hint: Write it anew with `pytest --npu-update-baseline`." in text
    assert "Traceback" not in text


def test_update_writes_what_the_next_run_holds(gate: Gate, run: Run, project: Path) -> None:
    gate(small("on_npu", "half_on_npu"))
    first = run(UPDATE)
    assert first.ret == pytest.ExitCode.OK
    assert "note: npu-baseline.json written: 2 models" in first.stdout.str()
    written = (project / BASELINE).read_bytes()
    assert entries(project / BASELINE) == ["half_on_npu", "on_npu"]
    assert run(UPDATE).ret == pytest.ExitCode.OK
    assert (project / BASELINE).read_bytes() == written, "the same run writes the same bytes"
    compared = run("--npu-strict")
    assert compared.ret == pytest.ExitCode.OK
    assert "not in the baseline" not in compared.stdout.str()
    assert (project / BASELINE).read_bytes() == written, "a run that compares writes nothing"
    assert not list(project.glob(".*.part"))


def test_update_of_a_part_keeps_the_rest(gate: Gate, run: Run, project: Path) -> None:
    gate(small("on_npu", "half_on_npu"))
    run(UPDATE)
    before = read(project / BASELINE)
    shutil.copy(project / "models/leaky.onnx", project / "models/half_on_npu.onnx")
    gate(small("half_on_npu"))
    run(UPDATE, "-k", "npu_ratio and half_on_npu")
    after = read(project / BASELINE)
    assert after["models"]["on_npu[ethos-n78]"] == before["models"]["on_npu[ethos-n78]"]
    assert after["models"]["half_on_npu[ethos-n78]"] != before["models"]["half_on_npu[ethos-n78]"]
    result = run(UPDATE)
    assert entries(project / BASELINE) == ["half_on_npu"], "a full run drops what is gone"
    assert "npu-baseline.json written: 1 model, 1 dropped" in result.stdout.str()


def test_update_keeps_the_entry_of_a_model_that_cannot_be_analyzed(
    gate: Gate, run: Run, project: Path
) -> None:
    gate(small("on_npu", "half_on_npu"))
    run(UPDATE)
    before = read(project / BASELINE)
    shutil.copy(project / "models/pointer.onnx", project / "models/on_npu.onnx")
    result = run(UPDATE)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert read(project / BASELINE) == before
    assert (
        "ERROR: on_npu[ethos-n78] could not be analyzed: npu-baseline.json keeps what it says of it"
    ) in result.stdout.str()


def test_update_is_red_when_its_thresholds_are(gate: Gate, run_with: Run, project: Path) -> None:
    """A baseline excuses no absolute limit; it is written all the same, to be compared with."""
    gate(small("leaky"))
    assert run_with([], UPDATE).ret == pytest.ExitCode.TESTS_FAILED
    assert entries(project / BASELINE) == ["leaky"]


def test_two_gates_share_a_baseline(gate: Gate, run: Run, project: Path) -> None:
    gate(small("on_npu"))
    gate(small("half_on_npu"), "more.npu.yaml")
    run(UPDATE)
    assert entries(project / BASELINE) == ["half_on_npu", "on_npu"]
    compared = run("--npu-strict")
    assert compared.ret == pytest.ExitCode.OK
    assert "not judged any more" not in compared.stdout.str()
    one = run("npu-compat.yaml")
    assert "not judged any more" not in one.stdout.str(), "the other gate was not asked"
    run(UPDATE, "npu-compat.yaml")
    assert entries(project / BASELINE) == ["half_on_npu", "on_npu"]


def test_two_gates_must_not_share_an_entry(gate: Gate, run_with: Run, project: Path) -> None:
    gate(small("on_npu"))
    gate(small("on_npu"), "more.npu.yaml")
    said = (
        "ERROR: more.npu.yaml and npu-compat.yaml share npu-baseline.json, and both have "
        "on_npu[ethos-n78]: give one of the models another name"
    )
    for arguments in ([], ["npu-compat.yaml"]):  # the other one is there, judged or not
        result = run_with([], UPDATE, *arguments)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert said in result.outlines
        assert "ERROR: npu-baseline.json was not written" in result.outlines
        assert not (project / BASELINE).exists()
    (project / BASELINE).write_text('{"version": 1, "models": {}}\n', encoding="utf-8")
    result = run_with([], "npu-compat.yaml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED, "they would be compared with one another"
    assert said in result.outlines


def shared_by_two(gate: Gate, run_with: Run, project: Path) -> list[str]:
    """Entries of a baseline that the gate files of two directories share."""
    shared = small("{}").replace("models/", "../models/").replace("npu-base", "../npu-base")
    gate(shared.replace("{}", "on_npu"), "a/npu-compat.yaml")
    gate(shared.replace("{}", "leaky"), "z/npu-compat.yaml")
    run_with([], UPDATE)
    return entries(project / BASELINE)


@pytest.mark.parametrize("end", ["KeyboardInterrupt", "pytest.exit.Exception('stop')"])
def test_run_that_is_interrupted_drops_no_entry(
    end: str, gate: Gate, run_with: Run, project: Path
) -> None:
    before = shared_by_two(gate, run_with, project)
    assert len(before) == 2
    (project / "m").mkdir()
    test = project / "m" / "test_m.py"
    test.write_text(f"import pytest\ndef test_m(): raise {end}\n")
    result = run_with(["-p", "no:xdist"], UPDATE, "--npu-strict")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert entries(project / BASELINE) == before
    assert "not judged any more" not in result.stdout.str()


@pytest.mark.parametrize("ini", ["testpaths = a", "norecursedirs = z"])
def test_gate_that_is_not_collected_keeps_its_entries(
    ini: str, gate: Gate, run_with: Run, project: Path, pytester: pytest.Pytester
) -> None:
    before = shared_by_two(gate, run_with, project)
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run_with([], UPDATE)
    assert entries(project / BASELINE) == before
    assert "note: z/npu-compat.yaml lies here, but this run did not collect it" in result.outlines


def test_marks_of_other_tests_do_not_hide_a_model_that_vanished(
    gate: Gate, run: Run, project: Path, pytester: pytest.Pytester
) -> None:
    gate(small("on_npu", "leaky"))
    run(UPDATE)
    gate(small("on_npu"))
    pytester.makeini('[pytest]\naddopts = -m "not slow"\nmarkers = slow: takes long\n')
    said = "leaky[ethos-n78] is in npu-baseline.json, but not judged any more"
    for arguments in ([], ["."], ["npu-compat.yaml"]):
        result = run("--npu-strict", *arguments)
        assert result.ret == pytest.ExitCode.TESTS_FAILED, arguments
        assert f"ERROR: {said}" in result.stdout.str()
    assert said not in run("-k", "on_npu and npu_ratio").stdout.str()


def test_baseline_of_another_branch(gate: Gate, run: Run, project: Path) -> None:
    gate(small("on_npu"))
    run(UPDATE)
    (project / BASELINE).rename(project / "main.json")
    shutil.copy(project / "models/half_on_npu.onnx", project / "models/on_npu.onnx")
    gate(small("on_npu").replace("baseline: npu-baseline.json\n", ""))
    result = run("--npu-baseline=main.json", "--npu-json=run.json")
    result.assert_outcomes(passed=1, failed=1)
    assert "50pp below the baseline's 100.0% (0pp allowed)" in result.stdout.str()
    record = GateRun.from_dict(read(project / "run.json"))
    (accepted,) = record.baselines.values()
    assert accepted.metrics["npu_ratio"].value == 1
    missing = run("--npu-baseline=gone.json")
    assert missing.ret != pytest.ExitCode.OK
    assert "There is no baseline gone.json." in missing.stdout.str()


def test_update_writes_to_the_file_that_is_given(gate: Gate, run_with: Run, project: Path) -> None:
    gate(small("on_npu"))
    assert run_with([], UPDATE, "--npu-baseline=new/other.json").ret == pytest.ExitCode.OK
    assert entries(project / "new/other.json") == ["on_npu"]
    assert not (project / BASELINE).exists()


@pytest.mark.parametrize("damage", ["<<<<<<< HEAD\n{}", "{", '{"version": 99, "models": {}}'])
def test_damaged_baseline_fails_and_is_written_anew(
    damage: str, gate: Gate, run_with: Run, project: Path
) -> None:
    """The error says to run with --npu-update-baseline, so that must help."""
    gate(small("on_npu"))
    (project / BASELINE).write_text(damage, encoding="utf-8")
    result = run_with([])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*hint: Write it anew with `pytest --npu-update-baseline`."])
    assert run_with([], UPDATE).ret == pytest.ExitCode.OK
    assert entries(project / BASELINE) == ["on_npu"]


def test_pointer_of_a_baseline_is_not_overwritten(gate: Gate, run_with: Run, project: Path) -> None:
    gate(small("on_npu"))
    shutil.copy(project / "models/pointer.onnx", project / BASELINE)
    for options in ([], [UPDATE]):
        result = run_with([], *options)
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*npu-baseline.json is a Git LFS pointer.*"])
    assert (project / BASELINE).read_bytes() == (project / "models/pointer.onnx").read_bytes()


def test_update_without_a_baseline_in_the_gate_file(gate: Gate, run_with: Run) -> None:
    gate("version: 1\nthresholds: {qdq_pairs: 0}\nmodels: [models/on_npu.onnx]\n")
    result = run_with([], UPDATE)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        [
            "npu-compat.yaml:1:10: This gate file names no baseline to update.",
            "*hint: Add `baseline: npu-baseline.json`.",
        ]
    )
