"""A run in shards: one verdict, which no missing, doubled or partial shard can make green."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import junitparser
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT = EXAMPLES / "sharded" / "run_shards.sh"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the script needs bash")

GATE = """\
version: 1
thresholds: {npu_ratio: ">= 96%", qdq_pairs: 0}
models: [../models/on_npu.onnx]
"""


@dataclass(frozen=True)
class Shards:
    """Runs the example's script beside gate files under ``gates/``."""

    root: Path
    split: str

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        here = str(Path(sys.executable).parent)
        environment = {
            **os.environ,
            "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
            "GATES": "gates",
            "OUT": "out",
            "SPLIT": self.split,
        }
        command = ["bash", str(SCRIPT), *arguments]
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )

    def judge(self) -> None:
        for i in "123":
            done = self.run("shard", i, "3")
            assert done.returncode == 0, done.stdout + done.stderr

    def record(self, i: int) -> Path:
        return self.root / "out" / f"shard-{i}.json"

    @property
    def ids(self) -> list[set[str]]:
        """Ids of the checks in each shard."""
        records = [json.loads(self.record(i).read_text(encoding="utf-8")) for i in (1, 2, 3)]
        return [{f"{o['model']}::{o['metric']}" for o in r["outcomes"]} for r in records]


@pytest.fixture(params=["gates", "items"])
def shards(request: pytest.FixtureRequest, project: Path, gate: Callable[..., Path]) -> Shards:
    for name in ("a", "b", "c"):
        gate(
            GATE.replace("[../models", f"[{{name: {name}, path: ../models").replace("]", "}]"),
            f"gates/{name}.npu.yaml",
        )
    return Shards(project, request.param)


def test_one_verdict(shards: Shards) -> None:
    shards.judge()
    assert all(len(ids) == 2 for ids in shards.ids)
    assert len(set.union(*shards.ids)) == 6
    done = shards.run("merge", "3")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "passed: 6 passed"
    assert "note:" not in done.stdout
    suites = junitparser.JUnitXml.fromfile(str(shards.root / "out" / "junit.xml"))
    assert sum(len(list(suite)) for suite in suites) == 6
    assert "gates/c.npu.yaml" in (shards.root / "out" / "report.html").read_text(encoding="utf-8")
    assert "passed" in (shards.root / "out" / "summary.md").read_text(encoding="utf-8").lower()


def test_red_in_one_shard_is_red(shards: Shards, gate: Callable[..., Path]) -> None:
    gate(GATE.replace("on_npu", "half_on_npu"), "gates/b.npu.yaml")
    shards.judge()
    done = shards.run("merge", "3")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "FAILED: 1 failed, 5 passed"


def test_missing_shard_is_red(shards: Shards) -> None:
    shards.judge()
    shards.record(2).unlink()
    done = shards.run("merge", "3")
    assert done.returncode == 1
    assert "ERROR: 2 of 3 shards are here" in done.stdout
    assert "ERROR: no run judged 2 of 2 checks: b[ethos-n78]::npu_ratio" in done.stdout


def test_shard_given_twice_does_not_stand_in_for_a_missing_one(shards: Shards) -> None:
    shards.judge()
    shutil.copy(shards.record(1), shards.record(2))
    done = shards.run("merge", "3")
    assert done.returncode == 1
    assert "ERROR: 2 of 3 shards are here (1 given twice)" in done.stdout
    assert done.stdout.splitlines()[-1] == "FAILED: 4 passed"


def test_record_of_an_earlier_run_is_no_shard(shards: Shards) -> None:
    shards.judge()
    shards.record(3).write_bytes(b"{}")
    assert shards.run("merge", "3").returncode == 2
    shards.judge()
    old = json.loads(shards.record(1).read_text(encoding="utf-8"))
    old["outcomes"][0]["status"] = "warned"
    (shards.root / "out" / "shard-0.json").write_text(json.dumps(old), encoding="utf-8")
    done = shards.run("merge", "3")
    assert done.returncode == 1
    assert "ERROR: 4 records are here, 3 were expected" in done.stdout


def test_broken_gate_file_is_red(shards: Shards, gate: Callable[..., Path]) -> None:
    gate(GATE.replace("npu_ratio", "npu_ration"), "gates/b.npu.yaml")
    for i in "123":
        shards.run("shard", i, "3")
    done = shards.run("merge", "3")
    assert done.returncode == 1
    assert "There is no metric 'npu_ration'" in done.stdout


MODEL_IN_TWO_SHARDS = """\
version: 1
baseline: npu-baseline.json
thresholds: {npu_ratio: ">= 96%", qdq_pairs: 0, npu_mac_ratio: ">= 1%"}
models:
  - path: ../models/on_npu.onnx
    waivers: [{check: qdq_pairs, until: 2099-01-01, reason: "none"}]
  - ../models/wide_or_not.onnx
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "xdist"])
def test_notes_of_parts_are_true_of_the_whole(
    project: Path,
    gate: Callable[..., Path],
    run_with: Callable[..., Any],
    workers: list[str],
    npu_compat: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    models = project / "models"
    shutil.copy(models / "half_on_npu.onnx", models / "wide_or_not.onnx")
    shutil.copy(models / "leaky.onnx", models / "gone.onnx")
    path = gate(MODEL_IN_TWO_SHARDS, "gates/one.npu.yaml")
    gate(path.read_text(encoding="utf-8") + "  - ../models/gone.onnx\n", "gates/one.npu.yaml")
    run_with([], "gates/one.npu.yaml", "--npu-update-baseline")
    gate(MODEL_IN_TWO_SHARDS, "gates/one.npu.yaml")
    shutil.copy(models / "leaky.onnx", models / "wide_or_not.onnx")  # a better ratio, but an island

    for i in "123":
        split = ["--splits", "3", "--group", i]
        result = run_with(workers, "gates", *split, f"--npu-json=shard-{i}.json")
        assert "not collected" not in result.stdout.str()
        assert "did not collect" not in result.stdout.str()
        notes = json.loads((project / f"shard-{i}.json").read_text(encoding="utf-8"))["notes"]
        assert {n["kind"] for n in notes} <= {"unused-waiver"}
    records = [f"shard-{i}.json" for i in "123"]
    done = npu_compat("merge", *records, "--expect", "3", "--gates", "gates", "--json", "all.json")
    assert done.returncode == 1
    merged = json.loads((project / "all.json").read_text(encoding="utf-8"))
    assert {n["kind"] for n in merged["notes"]} == {"unused-waiver", "vanished-model"}
    assert len(merged["outcomes"]) == 6
    strict = npu_compat("merge", *records, "--gates", "gates", "--strict")
    assert (
        "ERROR: gone[ethos-n78] is in npu-baseline.json, but not judged any more" in strict.stdout
    )


def test_shard_that_judged_nothing_is_named(
    gate: Callable[..., Path],
    run_with: Callable[..., Any],
    npu_compat: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    gate(GATE, "gates/a.npu.yaml")
    run_with([], "gates", "--npu-json=1.json")
    run_with([], "gates", "-k", "typo", "--npu-json=2.json")
    done = npu_compat("merge", "1.json", "2.json", "--expect", "2")
    assert "one of the merged runs judged nothing" in done.stdout
    assert done.returncode == 0
    assert npu_compat("merge", "2.json").returncode == 1


def test_several_parts_may_judge_nothing(project: Path, gate: Callable[..., Path]) -> None:
    """More parts than checks: each part that is empty is there all the same."""
    for name in ("a", "b"):
        gate(GATE, f"gates/{name}.npu.yaml")
    shards = Shards(project, "items")
    for i in range(1, 8):
        assert shards.run("shard", str(i), "7").returncode == 0
    empty = [i for i in range(1, 8) if not json.loads(shards.record(i).read_bytes())["outcomes"]]
    assert len(empty) == 3
    done = shards.run("merge", "7")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "passed: 4 passed"
    assert "did not collect it" not in done.stdout
    for i in empty:
        assert f"note: part {i}/7 judged nothing: see its selection" in done.stdout

    shutil.copy(shards.record(empty[0]), shards.record(empty[1]))
    done = shards.run("merge", "7")
    assert done.returncode == 1
    assert "ERROR: 6 of 7 shards are here (1 given twice)" in done.stdout
    shards.record(empty[1]).unlink()
    assert shards.run("merge", "7").returncode == 1


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["plain", "xdist"])
def test_group_of_pytest_split_is_the_name_of_a_part(
    project: Path, gate: Callable[..., Path], run_with: Callable[..., Any], workers: list[str]
) -> None:
    gate(GATE, "gates/a.npu.yaml")

    def recorded(*options: str) -> dict[str, Any]:
        run_with(workers, "gates", "--npu-json=run.json", *options)
        record: dict[str, Any] = json.loads((project / "run.json").read_text(encoding="utf-8"))
        return record

    assert "shard" not in recorded()
    split = ["--splits", "3", "--group", "3", "--npu-strict"]
    record = recorded(*split)
    assert record["outcomes"] == []
    assert record["shard"] == "3/3"
    assert "error" not in {n["level"] for n in record["notes"] if n["kind"] == "nothing-judged"}
    assert recorded(*split, "--npu-shard=mine")["shard"] == "mine"


def test_part_of_the_command_has_a_name(
    project: Path,
    gate: Callable[..., Path],
    npu_compat: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    gate(GATE, "gates/a.npu.yaml")
    npu_compat("check", "gates", "--shard", "1/2", "--json", "1.json")
    gate(GATE.replace("on_npu", "half_on_npu"), "gates/a.npu.yaml")
    npu_compat("check", "gates", "--shard", "1/2", "--json", "2.json")
    done = npu_compat("merge", "1.json", "2.json", "--expect", "2")
    assert done.returncode == 1
    assert "ERROR: 2 records of part 1/2 differ: is one of an earlier run?" in done.stdout


def test_parts_without_names_that_judged_nothing_are_copies_to_all_that_is_known(
    gate: Callable[..., Path],
    run_with: Callable[..., Any],
    npu_compat: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    gate(GATE, "gates/a.npu.yaml")
    run_with([], "gates", "--npu-json=1.json")
    for name in ("2.json", "3.json"):
        run_with([], "gates", "-k", "typo", f"--npu-json={name}")
    done = npu_compat("merge", "1.json", "2.json", "3.json", "--expect", "3")
    assert done.returncode == 1
    assert "parts that judged nothing are told apart by --npu-shard" in done.stdout


def test_gate_file_that_no_part_took_is_still_named(
    project: Path,
    gate: Callable[..., Path],
    run_with: Callable[..., Any],
    npu_compat: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """One part left out what the other judged, and both what nobody judged."""
    for name in ("a", "b"):
        gate(GATE, f"gates/{name}.npu.yaml")
    ignoring = project / "gates" / "conftest.py"
    for number, files in ((1, ["b.npu.yaml"]), (2, ["a.npu.yaml", "b.npu.yaml"])):
        ignoring.write_text(f"collect_ignore = {files}\n", encoding="utf-8")
        result = run_with(["-n", "1"], "gates", f"--npu-json={number}.json")
        assert f"{files[-1]} lies here" in result.stdout.str()
    merged = npu_compat("merge", "1.json", "2.json")
    assert "gates/a.npu.yaml lies here" not in merged.stdout
    assert "note: gates/b.npu.yaml lies here, but this run did not collect it" in merged.stdout
    with_gates = npu_compat("merge", "1.json", "2.json", "--gates", "gates")
    assert with_gates.returncode == 1
    assert "lies here" not in with_gates.stdout
    assert "ERROR: no run judged 2 of 2 checks" in with_gates.stdout


def test_example_as_shipped(tmp_path: Path) -> None:
    for folder in ("sharded", "zoo", "v3"):
        shutil.copytree(EXAMPLES / folder, tmp_path / "examples" / folder)
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "examples/sharded/run_shards.sh"],
        cwd=tmp_path,
        env={**os.environ, "PATH": here},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "passed: 10 passed"


def test_workflow_calls_the_script_alone() -> None:
    text = (EXAMPLES / "sharded" / "workflow.yml").read_text(encoding="utf-8")
    steps = [line.split("run: ")[1] for line in text.splitlines() if "run: " in line]
    assert len(steps) == 4
    for step in steps:
        assert step.startswith(("python -m pip install ", "examples/sharded/run_shards.sh "))
