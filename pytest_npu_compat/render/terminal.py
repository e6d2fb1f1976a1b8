"""The summary table of a pytest run and of `npu-compat analyze`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_npu_compat.analysis.report import ASSUMED_INT8, Report
from pytest_npu_compat.gate.outcome import GateRun, Outcome, Status
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.names import clean, without_commands

__all__ = ["Row", "report_row", "run_lines", "run_rows", "table", "verdict"]

Row = Mapping[str, str]
"""Column title -> text; a plain value, so that it survives the trip from an xdist worker."""

COLUMNS = ("model", "NPU ratio", "MAC", "parts", "Q/DQ", "verdict")


def report_row(name: str, report: Report) -> dict[str, str]:
    """What a report says in one line."""
    name = without_commands(clean(name))
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


def table(rows: Sequence[Row], width: int = 80) -> Iterable[str]:
    """Lines of a table that fits the width: long model names are cut in the middle.

    Args:
        rows: One for each model and target.
        width: Of the terminal.
    """
    columns = [c for c in COLUMNS if any(row.get(c) for row in rows)]
    widths = {c: max(len(c), *(len(row.get(c, "-")) for row in rows)) for c in columns}
    spare = width - sum(widths.values()) - 2 * (len(columns) - 1)
    if spare < 0:
        widths["model"] = max(widths["model"] + spare, 12)
    yield "  ".join(c.ljust(widths[c]) for c in columns).rstrip()
    for row in rows:
        cells = [_cut(row.get(c) or "-", widths[c]).ljust(widths[c]) for c in columns]
        yield "  ".join(cells).rstrip()


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
        name = f"{outcomes[0].model}[{outcomes[0].target}]"
        report = run.reports.get(key)
        row = report_row(name, report) if report else {"model": clean(name), "verdict": ""}
        counts = Counter(outcome.status for outcome in outcomes)
        rows.append({**row, "verdict": row["verdict"] or verdict(counts)})
    return rows


def verdict(counts: Mapping[Status, int]) -> str:
    """A model's checks in a few words, given how many have each status."""
    shown = [status for status in _STATUS if status not in ("passed", "off")]
    words = [f"{counts[status]} {_STATUS[status]}" for status in shown if counts.get(status)]
    return ", ".join(words) or ("passed" if counts.get("passed") else "off")


_STATUS: Mapping[Status, str] = {
    "failed": "failed",
    "not_analyzable": "not analyzable",
    "waived": "waived",
    "warned": "warned",
    "passed": "passed",
    "off": "off",
}


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    keep = width - 1
    return f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"
