"""A run for GitHub Actions: annotations, outputs and the summary of the step."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome
from pytest_npu_compat.render.changes import LEFT
from pytest_npu_compat.render.markdown import SUMMARY_LIMIT, to_markdown, verdict_line
from pytest_npu_compat.render.names import clean, clean_lines

__all__ = ["annotation_lines", "format_outputs", "outputs", "publish"]

MAX_ANNOTATIONS = 10
"""GitHub shows ten errors and ten warnings of a step and drops the others silently."""
MAX_TEXT = 1500


def annotation_lines(run: GateRun) -> str:
    """Workflow commands that mark gate files, one a line: new regressions first, then what else is red.

    At most ten, warnings included; if there are more, a notice says where the others are. The summary
    of a large run is cut, so it alone would not do.
    """
    red = sorted((o for o in run.outcomes if o.red), key=lambda o: not o.regressions)
    commands = [_check("error", outcome) for outcome in red]
    commands += [_note(note) for note in run.notes if note.level == "error"]
    if not run.outcomes:
        commands.append(_command("error", "No check was judged.", "npu-compat"))
    commands += [_check("warning", o) for o in run.outcomes if o.status == "warned"]
    shown = commands[:MAX_ANNOTATIONS]
    if len(commands) > len(shown):
        more = (
            f"{len(commands) - len(shown)} more: see the summary of this job. Where it is cut, the JSON, "
            "JUnit and HTML files of the run have all."
        )
        shown.append(_command("notice", f"{verdict_line(run)}. {more}", "npu-compat"))
    return "".join(f"{command}\n" for command in shown)


def outputs(run: GateRun, report: str = "") -> dict[str, str]:
    """What later steps of a workflow can read.

    Args:
        run: The run.
        report: Path of the report that a person would open; empty if none was written.

    Returns:
        ``verdict`` is ``passed`` or ``failed``; ``failed``, ``waived`` and ``warned`` count checks, with
        those that could not be judged among the failed; ``lowest-npu-ratio`` is a number from 0 to 1,
        empty if no model could be judged.
    """
    ratios = [
        r.metrics["npu_ratio"].value for r in run.reports.values() if "npu_ratio" in r.metrics
    ]
    return {
        "verdict": "passed" if run.passed else "failed",
        "checks": str(len(run.outcomes)),
        "models": str(len({o.key for o in run.outcomes})),
        "failed": str(sum(o.red for o in run.outcomes)),
        "waived": str(sum(o.status == "waived" for o in run.outcomes)),
        "warned": str(sum(o.status == "warned" for o in run.outcomes)),
        "lowest-npu-ratio": f"{min(ratios):.15g}" if ratios else "",
        "report": report,
    }


def format_outputs(values: Mapping[str, str]) -> str:
    """Outputs as lines of the file ``GITHUB_OUTPUT``.

    Each value stands between delimiters that are made from it, so that no value can contain its own.
    """
    lines = []
    for name, value in values.items():
        text = value.encode(errors="replace").decode()
        delimiter = f"npu-compat-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        lines += [f"{name}<<{delimiter}", text, delimiter]
    return "".join(f"{line}\n" for line in lines)


def publish(run: GateRun, environ: Mapping[str, str], report: str = "") -> str:
    """Writes the summary and the outputs of the current step.

    Args:
        run: The run.
        environ: Names the files, as GitHub sets them: ``GITHUB_STEP_SUMMARY`` and ``GITHUB_OUTPUT``. What
            is not named is not written.
        report: Path of the report that a person would open; empty if none was written.

    Returns:
        The annotations, which are to be printed.

    Raises:
        OSError: A file cannot be written.
    """
    summary = environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        path = Path(summary)
        written = path.stat().st_size if path.exists() else 0
        _append(path, to_markdown(run, max(SUMMARY_LIMIT - written, 2000)))
    output = environ.get("GITHUB_OUTPUT")
    if output:
        _append(Path(output), format_outputs(outputs(run, report)))
    return annotation_lines(run)


def _append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(text)


def _check(level: str, outcome: Outcome) -> str:
    text = outcome.text if outcome.text.startswith(outcome.message) else outcome.message
    # The text of a failure begins with the list, unless something else wrote it.
    left = () if LEFT in text else outcome.regressions[:MAX_ANNOTATIONS]
    told = [f"left the NPU: {clean(entry, 300)}" for entry in left]
    first, _, rest = clean_lines(text, MAX_TEXT).partition("\n")
    title = f"{outcome.model}[{outcome.target}] {outcome.metric}"
    message = "\n".join([first, *told, rest]).strip()
    return _command(level, message or outcome.status, title, outcome.gate_file, outcome.line)


def _note(note: Note) -> str:
    return _command(
        "error",
        clean_lines(note.message or note.kind, MAX_TEXT),
        note.kind,
        note.gate_file,
        note.line,
    )


def _command(level: str, message: str, title: str, file: str = "", line: int = 0) -> str:
    """``::error file=gate.yaml,line=4,title=...::message``, escaped as GitHub's toolkit does."""
    properties = {"file": clean(file, 500), "line": str(line) if line and file else ""}
    properties["title"] = clean(title, 200) or "npu-compat"
    shown = ",".join(f"{key}={_escape_property(v)}" for key, v in properties.items() if v)
    return f"::{level} {shown}::{_escape_data(message)}"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
