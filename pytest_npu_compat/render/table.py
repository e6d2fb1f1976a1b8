"""The table of a run: a row for each model and target that stays readable at 80 columns."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pytest_npu_compat.render.cells import chopped, cut_middle, padded, width

__all__ = ["Row", "table"]

Row = Mapping[str, str]
"""Column title -> text; a plain value, so that it survives the trip from an xdist worker.

Three need not be there: ``target``, ``gate`` (the gate file), and ``checks``, which says in words what
``verdict`` says in one.
"""

COLUMNS = ("model", "target", "NPU ratio", "MAC", "parts", "Q/DQ", "verdict")
GIVES_WAY = ("model", "target")
"""Columns that are cut if the table would be too wide."""
NARROWEST = 12
"""Cells that are left to them, however narrow the terminal is."""
GAP = "  "


def table(rows: Sequence[Row], width: int = 80) -> Iterator[str]:
    """Lines of a table that fits the width.

    What the checks say stands in the row if it fits there, else below it. Long names are cut in the
    middle; those that would then look alike stand whole above their row.

    Args:
        rows: One for each model and target.
        width: Of the terminal.
    """
    rows = _with_gates(rows)
    targets = {row.get("target", "") for row in rows}
    title = "model"
    if len(targets) == 1:
        # It need not be told in each row.
        (target,) = targets
        title = f"model on {target}" if target else title
        rows = [{**row, "target": ""} for row in rows]
    spoken = [{**row, "verdict": row.get("checks") or row.get("verdict", "")} for row in rows]
    if _spare(_widths(title, spoken), width) >= 0:
        rows = [{**row, "checks": ""} for row in spoken]
    yield from _lines(title, rows, width)


def _with_gates(rows: Sequence[Row]) -> Sequence[Row]:
    """Models of the same name in several gate files with these."""
    found = Counter(_who(row) for row in rows)
    return [
        {**row, "model": f"{row['gate']}::{row['model']}"}
        if found[_who(row)] > 1 and row.get("gate")
        else row
        for row in rows
    ]


def _who(row: Row) -> tuple[str, ...]:
    return tuple(row.get(column, "") for column in GIVES_WAY)


def _cell(row: Row, column: str) -> str:
    return row.get(column) or "-"


def _widths(title: str, rows: Sequence[Row]) -> dict[str, int]:
    """Columns that are needed, and their cells."""
    columns = [c for c in COLUMNS if any(row.get(c) for row in rows)]
    heads = {c: title if c == "model" else c for c in columns}
    return {c: max(width(heads[c]), *(width(_cell(row, c)) for row in rows)) for c in columns}


def _spare(widths: Mapping[str, int], available: int) -> int:
    return available - sum(widths.values()) - len(GAP) * (len(widths) - 1)


def _lines(title: str, rows: Sequence[Row], available: int) -> Iterator[str]:
    widths = _widths(title, rows)
    for column in GIVES_WAY:
        spare = _spare(widths, available)
        if spare < 0 and widths.get(column, 0) > NARROWEST:
            widths[column] = max(widths[column] + spare, NARROWEST)
    yield _line({c: c for c in widths} | {"model": title}, widths)
    alike = _alike(rows, widths)
    room = max(available, NARROWEST)
    for row in rows:
        cells = {c: _cell(row, c) for c in widths}
        if _who(row) in alike:
            yield from chopped(" on ".join(cells[c] for c in GIVES_WAY if c in cells), room)
            cells |= {c: "" for c in GIVES_WAY if c in cells}
        yield _line(cells, widths)
        yield from textwrap.wrap(
            row.get("checks", ""),
            room,
            initial_indent=GAP,
            subsequent_indent=GAP * 2,
            break_on_hyphens=False,
        )


def _line(cells: Mapping[str, str], widths: Mapping[str, int]) -> str:
    shown = (padded(cut_middle(cells[c], widths[c]), widths[c]) for c in widths)
    return GAP.join(shown).rstrip()


def _alike(rows: Sequence[Row], widths: Mapping[str, int]) -> set[tuple[str, ...]]:
    """Models and targets that others look like once they are cut."""
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for row in rows:
        shown = tuple(cut_middle(_cell(row, c), widths[c]) for c in GIVES_WAY if c in widths)
        found.setdefault(shown, set()).add(_who(row))
    return {who for names in found.values() if len(names) > 1 for who in names}
