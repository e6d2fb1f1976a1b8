"""The summary table of a pytest run and of `npu-compat analyze`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pytest_npu_compat.analysis.report import ASSUMED_INT8, Report
from pytest_npu_compat.gate.units import format_value
from pytest_npu_compat.render.names import clean

__all__ = ["Row", "report_row", "table"]

Row = Mapping[str, str]
"""Column title -> text; a plain value, so that it survives the trip from an xdist worker."""

COLUMNS = ("model", "NPU ratio", "MAC", "parts", "Q/DQ", "verdict")


def report_row(name: str, report: Report) -> dict[str, str]:
    """What a report says in one line."""
    name = clean(name)
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


def _cut(text: str, width: int) -> str:
    if len(text) <= width:
        return text
    keep = width - 1
    return f"{text[: keep - keep // 2]}…{text[len(text) - keep // 2 :]}"
