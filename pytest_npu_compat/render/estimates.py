"""Estimates in words: what is expensive, what each CPU island costs, and all that is assumed."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from pytest_npu_compat.analysis.costs import Range
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.platform import format_assumption
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.cells import cut_end, padded, width
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.words import counted, plural

__all__ = ["describe_estimates"]

MAX_OPERATORS = 10
MAX_ISLANDS = 6
MAX_NAMES = 4
WIDTH = 79
NAME_WIDTH = 12
"""Of the column that is cut if a row would be too wide."""


def describe_estimates(report: Report) -> str:
    """The estimates of a report that was made with them, as plain text."""
    info = report.estimate
    if info is None:
        return "No estimates were made."
    if info.not_estimable:
        names = _names(info.not_estimable)
        return f"No estimates: the cost of {names} cannot be told."
    lines = ["ESTIMATES, not measurements: nominal (low to high)"]
    for name, metric in METRICS.items():
        if metric.estimated and name in report.metrics:
            shown = format_value(report.metrics[name]).replace("an estimate: ", "")
            lines.append(f"  {name:24}{shown}")
    lines += ["", *_operators(report)]
    if info.cpu_islands:
        lines += ["", *_islands(report)]
    return "\n".join([*lines, "", *_assumptions(report)])


def _operators(report: Report) -> list[str]:
    """The most expensive operators as a table."""
    known = [(o, o.estimate) for o in report.operators if o.estimate is not None]
    known.sort(key=lambda pair: -pair[1].latency_us.nominal)
    rows = [("operator", "kind", "on", "estimated us", "MCE cycles", "DRAM")]
    for operator, cost in known[:MAX_OPERATORS]:
        moved = cost.dram_read_bytes + cost.dram_write_bytes
        rows.append(
            (
                clean(operator.name),
                clean(operator.kind, 10),
                "NPU" if operator.placement == "npu" else "CPU",
                _time(cost.latency_us),
                str(cost.mce_cycles),
                format_value(MetricValue(moved, "bytes")),
            )
        )
    calls = [p.estimate for p in report.partitions if p.estimate is not None]
    lines = [f"the most expensive of {counted(len(known), 'operator')}:", *_columns(rows)]
    if calls:
        together = sum((cost.latency_us for cost in calls), Range.exactly(0))
        made = f"{counted(len(calls), 'call')} of {plural(len(calls), 'a partition', 'partitions')}"
        copies = f"with {plural(len(calls), 'its', 'their')} copies"
        lines.append(f"  {made} {copies}: {_time(together)} us")
    return lines


def _islands(report: Report) -> list[str]:
    """What stays on the CPU, island by island."""
    info = report.estimate
    assert info is not None
    lines = ["what each CPU island costs, the copies of its tensors included:"]
    for island in info.cpu_islands[:MAX_ISLANDS]:
        moved = format_value(MetricValue(island.transfer_bytes, "bytes"))
        lines.append(f"  {_time(island.latency_us)} us, {moved} to and from the NPU")
        lines += _wrapped(_names(island.operators), indent=4)
    if len(info.cpu_islands) > MAX_ISLANDS:
        lines.append(f"  … and {len(info.cpu_islands) - MAX_ISLANDS} more")
    return lines


def _assumptions(report: Report) -> list[str]:
    shown = [f"{name} {format_assumption(value)}" for name, value in report.platform.items()]
    head = "assumed (docs/estimates.md names the sources; `platform:` in a gate file"
    return [head, "changes them):", *_wrapped("; ".join(shown), indent=2)]


def _time(microseconds: Range) -> str:
    low, nominal, high = (_digits(value) for value in microseconds.ends)
    return f"{nominal} ({low} to {high})"


def _digits(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows in columns, the first of which gives way."""
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    spare = WIDTH - sum(widths[1:]) - 2 * len(widths)
    widths[0] = max(min(widths[0], spare), NAME_WIDTH)
    cells = [
        [padded(cut_end(cell, cells), cells) for cell, cells in zip(row, widths, strict=True)]
        for row in rows
    ]
    return ["  " + "  ".join(row).rstrip() for row in cells]


def _wrapped(text: str, *, indent: int) -> list[str]:
    margin = " " * indent
    return textwrap.wrap(
        text, WIDTH, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False
    )


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name, 40) for name in names[:MAX_NAMES])
    return shown if len(names) <= MAX_NAMES else f"{shown} and {len(names) - MAX_NAMES} more"
