"""`npu-compat check` and `merge`: the verdicts and texts of pytest, without pytest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.cli import main

Run = Callable[..., pytest.RunResult]
Gate = Callable[..., Path]

EVERYTHING = """\
version: 1
baseline: b.json
thresholds:
  npu_ratio: {min: 96%, max_drop: 0pp}
  qdq_pairs: 0
  hazards: off
models:
  - models/on_npu.onnx
  - models/pointer.onnx
  - models/leaky.onnx
  - path: models/half_on_npu.onnx
    name: half on the npu
    waivers: [{check: npu_ratio, until: 2999-01-31, reason: "later – ü"}]
  - {path: models/half_on_npu.onnx, name: warned, thresholds: {npu_ratio: {min: 96%, severity: warn}}}
  - path: models/half_on_npu.onnx
    name: expired
    waivers: [{check: npu_ratio, until: 2020-01-31, reason: gone}]
""".replace("half on the npu", "half_waived")
GREEN = """\
version: 1
thresholds: {npu_ratio: ">= 96%"}
models: [models/on_npu.onnx]
"""


@pytest.fixture(autouse=True)
def _here(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def entry_of(model: str) -> None:
    """Writes a baseline with one model."""
    gate = Path("base.npu.yaml")
    gate.write_text(
        f"version: 1\nbaseline: b.json\nthresholds: {{hazards: 0}}\nmodels: [models/{model}.onnx]\n"
    )
    assert main(["check", "base.npu.yaml", "--update-baseline"]) == 0
    gate.unlink()


def test_record_is_the_same_bytes_as_that_of_pytest(
    gate: Gate, run: Run, capsys: pytest.CaptureFixture[str], bodies: Callable[..., dict[str, str]]
) -> None:
    entry_of("leaky")
    gate(EVERYTHING)
    gate(GREEN, "sub/more.npu.yaml")  # its model does not lie there
    capsys.readouterr()
    assert main(["check", "--json", "check.json"]) == 1
    printed = capsys.readouterr().out
    result = run("--npu-json=out/pytest.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert Path("check.json").read_bytes() == Path("out/pytest.json").read_bytes()
    record = json.loads(Path("check.json").read_bytes())
    assert record["passed"] is False
    assert {outcome["status"] for outcome in record["outcomes"]} == {
        "passed",
        "failed",
        "waived",
        "warned",
        "off",
        "not_analyzable",
    }
    shown = bodies(result)
    for outcome in record["outcomes"]:
        if outcome["status"] in ("failed", "not_analyzable"):
            title = f"{outcome['model']}[{outcome['target']}] {outcome['metric']}"
            assert shown[title].startswith(outcome["text"])
            assert outcome["text"].replace("\n", "\n  ").replace("\n  \n", "\n\n") in printed
    for note in record["notes"]:
        assert note["message"] in printed
        assert note["message"] in result.stdout.str()


def test_another_process_or_order_gives_the_same_record(
    gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    gate(GREEN)
    gate(GREEN.replace("on_npu.onnx", "leaky.onnx"), "more.npu.yaml")
    main(["check", "npu-compat.yaml", "more.npu.yaml", "--json", "a.json"])
    main(["check", "more.npu.yaml", "npu-compat.yaml", "npu-compat.yaml", "--json", "b.json"])
    assert Path("a.json").read_bytes() == Path("b.json").read_bytes()


def test_green(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    gate(GREEN)
    assert main(["check"]) == 0
    printed, errors = capsys.readouterr()
    assert printed.splitlines()[-1] == "passed: 1 passed"
    assert re.search(r"^model on ethos-n78 .*\non_npu  ", printed, re.MULTILINE)
    assert errors == ""


def test_red_says_where_and_why_first(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    gate(GREEN.replace("on_npu.onnx", "half_on_npu.onnx"))
    assert main(["check", "npu-compat.yaml"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "npu-compat.yaml:2: half_on_npu[ethos-n78]"
    assert lines[1] == "  npu_ratio 50.0% (1/2 operators), required ≥ 96%"
    assert "[kernel-size]" in "\n".join(lines)
    assert lines[-1] == "FAILED: 1 failed"


@pytest.mark.parametrize(
    ("options", "code"), [([], 0), (["--strict-waivers"], 1), (["--strict"], 1)], ids=str
)
def test_strict(options: list[str], code: int, gate: Gate) -> None:
    waiver = "waivers: [{check: npu_ratio, until: 2999-01-31, reason: x}]"
    gate(GREEN.replace("models/on_npu.onnx", f"{{path: models/on_npu.onnx, {waiver}}}"))
    assert main(["check", *options]) == code


def test_baseline_options(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    gate(GREEN.replace('">= 96%"', "{max_drop: 0pp}").replace("on_npu.onnx", "half_on_npu.onnx"))
    assert main(["check", "--update-baseline", "--baseline", "mine.json"]) == 0
    assert main(["check", "--baseline", "mine.json"]) == 0
    capsys.readouterr()
    assert main(["check", "--baseline", "gone.json"]) == 1
    assert "There is no baseline gone.json." in capsys.readouterr().out


def test_broken_gate_file_does_not_hide_the_others(
    gate: Gate, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    gate(GREEN)
    gate("version: 1\nmodel: []\n", "a.npu.yaml")
    assert main(["check", "--json", "check.json"]) == 1
    printed = capsys.readouterr().out
    assert "ERROR: a.npu.yaml:2:1: Unknown key 'model'." in printed
    assert "  hint: Did you mean 'models'?" in printed
    assert re.search(r"^model on ethos-n78 .*\non_npu  ", printed, re.MULTILINE)
    run("--continue-on-collection-errors", "--npu-json=pytest.json")
    assert Path("check.json").read_bytes() == Path("pytest.json").read_bytes()


@pytest.mark.parametrize("arguments", [["gone.yaml"], ["models"]], ids=str)
def test_nothing_to_check_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    printed, error = capsys.readouterr()
    assert printed == ""
    assert error.startswith("npu-compat: ")
    assert len(error.splitlines()) == 1


def test_record_that_cannot_be_written_fails(
    gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    gate(GREEN)
    assert main(["check", "--json", "models"]) == 1
    assert "ERROR: models cannot be written: Is a directory" in capsys.readouterr().out


@pytest.fixture
def shards(gate: Gate, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Records of two gates, judged one by one; and of both, in ``both.json``."""
    gate(GREEN)
    gate(GREEN.replace("on_npu.onnx", "half_on_npu.onnx"), "red.npu.yaml")
    main(["check", "npu-compat.yaml", "--json", "1.json"])
    main(["check", "red.npu.yaml", "--json", "2.json"])
    main(["check", "--json", "both.json"])
    capsys.readouterr()
    return ["1.json", "2.json"]


def test_merged_shards_are_the_whole_run(
    shards: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for order in (shards, shards[::-1], [*shards, *shards]):
        assert main(["merge", *order, "--json", "merged.json"]) == 1
        assert Path("merged.json").read_bytes() == Path("both.json").read_bytes()
    assert "FAILED: 1 failed, 1 passed" in capsys.readouterr().out
    assert main(["merge", "1.json"]) == 0


def test_missing_shard_is_red(shards: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", "--expect", "1", "1.json"]) == 0
    capsys.readouterr()
    assert main(["merge", "--expect", "2", "1.json"]) == 1
    text = "ERROR: 1 of 2 shards are here: what the others judged is not known"
    assert text in capsys.readouterr().out
    assert main(["merge", "--expect", "2", "1.json", "1.json"]) == 1, "one shard given twice"


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"outcomes": []}', "\\xff", "[" * 100_000, None]
)
def test_what_is_no_record(content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if content is not None:
        Path("run.json").write_text(content)
    assert main(["merge", "run.json"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("npu-compat: run.json")
    assert len(error.splitlines()) == 1


def test_merging_what_another_tool_version_wrote(
    shards: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    record: dict[str, Any] = json.loads(Path("1.json").read_bytes())
    record["schema_version"] = "2.0"
    Path("1.json").write_text(json.dumps(record))
    assert main(["merge", *shards]) == 2
    assert "run schema 2.0 is not 1.1" in capsys.readouterr().err


NO_ANALYSIS = "pytest_npu_compat.run.dispatch._worker"


def test_second_check_analyzes_nothing(
    gate: Gate, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate(GREEN.replace("on_npu.onnx", "*npu.onnx"))
    assert main(["check", "--json", "first.json"]) == 1
    assert "from cache" not in capsys.readouterr().out
    monkeypatch.setattr(NO_ANALYSIS, lambda: pytest.fail("analyzed"))
    assert main(["check", "--json", "second.json"]) == 1
    assert capsys.readouterr().out.startswith(
        "2 of 2 analyses from cache (--no-cache makes them again)\n"
    )
    assert Path("first.json").read_bytes() == Path("second.json").read_bytes()
    assert Path(".npu_compat_cache/.gitignore").read_text(encoding="utf-8") == "*\n"
    for options in (["--no-cache"], ["--cache-dir", "elsewhere"]):
        with pytest.raises(pytest.fail.Exception):
            main(["check", *options])


def test_check_without_cache_leaves_nothing_behind(gate: Gate) -> None:
    gate(GREEN)
    assert main(["check", "--no-cache"]) == 0
    assert not Path(".npu_compat_cache").exists()


def test_cache_that_cannot_be_made_is_no_reason_to_fail(gate: Gate) -> None:
    gate(GREEN)
    Path("taken").touch()
    assert main(["check", "--cache-dir", "taken/cache"]) == 0


def test_changed_model_is_judged_anew(gate: Gate, capsys: pytest.CaptureFixture[str]) -> None:
    gate(GREEN)
    assert main(["check"]) == 0
    Path("models/on_npu.onnx").write_bytes(Path("models/half_on_npu.onnx").read_bytes())
    assert main(["check"]) == 1
    assert "from cache" not in capsys.readouterr().out
