"""What a run says in a terminal, and the rows of its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from pytest_npu_compat.analysis.report import ASSUMED_INT8, Report
from pytest_npu_compat.gate.outcome import GateRun, Outcome, Status
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.names import clean, without_commands
from pytest_npu_compat.render.table import Row, table

__all__ = ["judged", "report_row", "run_lines", "run_rows"]


def report_row(name: str, report: Report) -> dict[str, str]:
    """What a report says in one line."""
    name = _name(name)
    if report.error is not None:
        return {"model": name, "verdict": report.error.code}

    def metric(key: str) -> str:
        value = report.metrics.get(key)
        return "-" if value is None else format_value(value)

    assumed = report.model.quantization == ASSUMED_INT8
    return {
        "model": f"{name} (assumed int8)" if assumed else name,
        "NPU ratio": metric("npu_ratio"),
        "MAC": metric("npu_mac_ratio").split(" ")[0],
        "parts": metric("npu_partitions"),
        "Q/DQ": metric("qdq_pairs"),
        "verdict": "",
    }


def run_lines(run: GateRun, width: int = 80) -> Iterator[str]:
    """A run as text: every failure, then the table, the notes, and the verdict.

    Args:
        run: The run.
        width: Of the terminal.
    """
    for outcome in run.outcomes:
        if outcome.red:
            yield f"{outcome.gate_file}:{outcome.line}: {clean(outcome.model)}[{outcome.target}]"
            yield from (f"  {line}".rstrip() for line in outcome.text.splitlines())
            yield ""
    yield from table(run_rows(run), width)
    for outcome in run.outcomes:
        if outcome.status in ("warned", "waived"):
            why = f" ({clean(outcome.waiver, 300)})" if outcome.waiver else ""
            name = f"{clean(outcome.model)}[{outcome.target}]"
            yield f"{outcome.status}: {name}: {clean(outcome.message, 500)}{why}"
    for note in run.notes:
        first, *more = note.message.splitlines() or [""]
        yield f"{'ERROR' if note.level == 'error' else 'note'}: {clean(first, 1000)}"
        yield from (clean(line, 1000) for line in more)
    counts = Counter(outcome.status for outcome in run.outcomes)
    shown = [f"{counts[status]} {_STATUS[status]}" for status in _STATUS if counts[status]]
    yield f"{'passed' if run.passed else 'FAILED'}: {', '.join(shown) or 'nothing was judged'}"


def run_rows(run: GateRun) -> list[Row]:
    """One row for each model and target of a run."""
    by_model: dict[str, list[Outcome]] = {}
    for outcome in run.outcomes:
        by_model.setdefault(outcome.key, []).append(outcome)
    rows: list[Row] = []
    for key, outcomes in by_model.items():
        first, report = outcomes[0], run.reports.get(key)
        row = report_row(first.model, report) if report else {"model": _name(first.model)}
        statuses = {outcome.metric: outcome.status for outcome in outcomes}
        rows.append(judged(row, first.target, first.gate_file, statuses))
    return rows


def judged(row: Row, target: str, gate: str, statuses: Mapping[str, Status]) -> Row:
    """A row with the verdict of its model: the worst in a word, and which checks are not simply green.

    Args:
        row: Of `report_row`; the verdict on a model that could not be analyzed stays.
        target: That the model was judged on.
        gate: Path of the gate file.
        statuses: Of the model's checks, by metric.
    """
    row = {**row, "target": _name(target), "gate": _name(gate)}
    if row.get("verdict"):
        return row
    told = [
        f"{len(names)} {word}: {', '.join(names)}"
        for status, word in _STATUS.items()
        if status not in ("passed", "off")
        and (names := [_name(metric) for metric, found in statuses.items() if found == status])
    ]
    worst = next((word for status, word in _STATUS.items() if status in statuses.values()), "off")
    return {**row, "verdict": worst, "checks": "; ".join(told)}


def _name(text: str) -> str:
    return without_commands(clean(text))


_STATUS: Mapping[Status, str] = {
    "failed": "failed",
    "not_analyzable": "not analyzable",
    "waived": "waived",
    "warned": "warned",
    "passed": "passed",
    "off": "off",
}
