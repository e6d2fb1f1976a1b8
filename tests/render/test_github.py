"""What GitHub Actions reads: annotations, outputs, the summary."""

from __future__ import annotations

import re
from pathlib import Path

import runs
from hypothesis import given

from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render import github
from pytest_npu_compat.render.changes import LEFT
from pytest_npu_compat.render.github import annotation_lines, format_outputs, outputs, publish


def read_outputs(text: str) -> dict[str, str]:
    """As GitHub's runner reads the file."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, delimiter = line.split("<<", 1)
        value = []
        for inner in lines:
            if inner == delimiter:
                break
            value.append(inner)
        else:
            raise AssertionError(f"{name} has no end")
        found[name] = "\n".join(value)
    return found


def test_new_regressions_come_first() -> None:
    plain, fresh = runs.outcome("plain"), runs.outcome("fresh", regressions=("conv_1: why",))
    first, second = annotation_lines(GateRun((plain, fresh))).splitlines()
    assert first.startswith(
        "::error file=gates/npu-compat.yaml,line=4,title=fresh[ethos-n78] npu_ratio::npu_ratio 44.0%25 "
    )
    assert "%0Aleft the NPU: conv_1: why%0A" in first
    assert "title=plain[ethos-n78]" in second


def test_every_red_kind_is_annotated_and_warnings_last() -> None:
    lines = annotation_lines(runs.all_kinds()).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 4 + ["::warning"]
    assert "file=gates/npu-compat.yaml,line=9,title=unused-waiver::" in lines[2]
    assert lines[3] == "::error title=shards::2 of 3 shards are there."


def test_at_most_ten_then_a_pointer_to_the_summary() -> None:
    lines = annotation_lines(GateRun(tuple(runs.outcome(f"m{i}") for i in range(12)))).splitlines()
    assert len(lines) == 11
    assert [line.split(" ")[0] for line in lines[:10]] == ["::error"] * 10
    assert lines[10] == (
        "::notice title=npu-compat::12 of 12 checks fail in 12 of 12 models. "
        "2 more: see the summary of this job. Where it is cut, the JSON, JUnit and HTML files of the run "
        "have all."
    )


def test_pointer_promises_nothing_that_the_summary_has_not(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    run = GateRun(tuple(runs.outcome(f"m{i}") for i in range(3000)))
    last = publish(run, {"GITHUB_STEP_SUMMARY": str(summary)}).splitlines()[-1]
    assert "of 3000 failures" in summary.read_text(encoding="utf-8").splitlines()[-1]
    assert "2990 more: see the summary of this job. Where it is cut, the JSON, JUnit" in last


def test_operators_that_left_are_told_once() -> None:
    listed = f"{LEFT}\n  conv_1: kernel 3x3 -> 4x4\n\n1 of 2 operators is not on the NPU"
    red = runs.outcome(
        message="npu_ratio 50.0%",
        text=f"npu_ratio 50.0%\n\n{listed}",
        regressions=("conv_1: kernel 3x3 -> 4x4",),
    )
    (line,) = annotation_lines(GateRun((red,))).splitlines()
    assert line.count("conv_1") == line.count("left the NPU") == 1


def test_exactly_ten_need_no_pointer() -> None:
    lines = annotation_lines(GateRun(tuple(runs.outcome(f"m{i}") for i in range(10)))).splitlines()
    assert len(lines) == 10


def test_green_run_has_none_and_empty_run_has_one() -> None:
    assert annotation_lines(GateRun((runs.outcome(status="passed"),))) == ""
    assert annotation_lines(GateRun()) == "::error title=npu-compat::No check was judged.\n"


def test_escaping_is_that_of_the_toolkit() -> None:
    red = runs.outcome(
        "a,b:c%", message="50% a,b:c", text="50% a,b:c\nnext", gate_file="x,y:z.yaml"
    )
    assert annotation_lines(GateRun((red,))) == (
        "::error file=x%2Cy%3Az.yaml,line=4,title=a%2Cb%3Ac%25[ethos-n78] npu_ratio::"
        "50%25 a,b:c%0Anext\n"
    )


def test_outputs() -> None:
    assert outputs(runs.all_kinds(), "out/report.html") == {
        "verdict": "failed",
        "checks": "7",
        "models": "3",
        "failed": "2",
        "waived": "1",
        "warned": "1",
        "lowest-npu-ratio": "0.75",
        "report": "out/report.html",
    }
    assert outputs(GateRun())["verdict"] == "failed"
    assert outputs(GateRun())["lowest-npu-ratio"] == ""


def test_outputs_of_any_text_are_read_back() -> None:
    values = {"a": "plain", "b": "two\nlines", "c": "", "d": "EOF\nverdict=passed", "e": "\ud800"}
    assert read_outputs(format_outputs(values)) == {**values, "e": "?"}


def test_publish_appends_to_the_files_of_the_step(tmp_path: Path) -> None:
    summary, output = tmp_path / "summary", tmp_path / "output"
    summary.write_text("before\n")
    environ = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_OUTPUT": str(output)}
    printed = publish(runs.all_kinds(), environ)
    assert printed == annotation_lines(runs.all_kinds())
    assert summary.read_text(encoding="utf-8").startswith("before\n## ❌")
    assert read_outputs(output.read_text(encoding="utf-8"))["verdict"] == "failed"


def test_publish_outside_github_writes_nothing(tmp_path: Path) -> None:
    assert publish(runs.all_kinds(), {"GITHUB_STEP_SUMMARY": ""}) == annotation_lines(
        runs.all_kinds()
    )


def test_summary_counts_what_the_step_has_written_before(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_bytes(b"x" * (1024 * 1024 - 4000))
    publish(
        GateRun(tuple(runs.outcome(f"m{i}") for i in range(50))),
        {"GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert summary.stat().st_size <= 1024 * 1024
    assert "Cut to 4000 bytes" in summary.read_text(encoding="utf-8")


COMMAND = re.compile(r"::(error|warning|notice)( (file|title|line)=[^\r\n:]*)?::[^\r\n]*")


@given(runs.runs())
def test_red_exactly_if_there_is_an_error_and_one_command_a_line(run: GateRun) -> None:
    text = annotation_lines(run)
    assert ("::error" in "".join(line[:7] for line in text.split("\n"))) != run.passed
    assert all(COMMAND.fullmatch(line) for line in text.split("\n")[:-1])
    assert text.count("\n") <= github.MAX_ANNOTATIONS + 1
