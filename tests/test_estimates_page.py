"""docs/estimates.md tells the truth: its table against the library's figures is computed here."""

from __future__ import annotations

import re
from pathlib import Path

from estimates import LAYERS, layer, partition_passes

from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.target.cost import PassCost

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "estimates.md").read_text(encoding="utf-8")

Row = tuple[int | None, int | None, int | None, int | None]

LIBRARY: dict[str, list[Row]] = {
    # layer: MCE cycles, input, output, weights of each pass as the library reports them; None where
    # no figure was recorded
    "conv 56×56×64→64 3×3": [(25088, 200704, 200704, 37632)],
    "conv 56×56×64→64 1×1": [(6272, None, None, 4864)],
    "conv 224×224×3→64 7×7 s2": [
        (6272, 107520 + 43008, 456960 + 182784, None),
        (307328, None, None, 14592),
    ],
    "conv 56×56×64→128 3×3 s2": [(1568, None, 0, None), (28224, 0, 100352, 75008)],
    "depthwise 56×56×64 3×3": [(14112, None, None, 1536)],
    "depthwise 56×56×64 3×3 s2": [(1568, None, None, None), (3528, None, None, None)],
    "conv 320×320×64→64 3×3": [(819200, 6553600, 6389760 + 163840, None)],
    "conv 13×13×1024→1024 3×3": [
        (401408, None, 262144, 9158144 + 295424),
        (None, 262144, 173056, None),
    ],
    "conv 20×20×512→255 1×1": [(25600, None, 102000, 133632)],
}


def passes_of(name: str) -> tuple[PassCost, ...]:
    return partition_passes(layer(**LAYERS[name]))[0]


def figures(cost: PassCost) -> tuple[int, int, int, int]:
    return cost.mce_cycles, cost.input.total, cost.output.total, cost.weights.total


def cell(library: int | None, ours: int) -> str:
    if library is None:
        return f"({ours})"
    if library == ours:
        return str(ours)
    return f"{library} → {ours} ({ours / library - 1:+.2%})"


def rows() -> list[str]:
    lines = []
    for name, known in LIBRARY.items():
        for cost, row in zip(passes_of(name), known, strict=True):
            cells = [cell(k, v) for k, v in zip(row, figures(cost), strict=True)]
            lines.append(f"| {name} | {cost.name} | {' | '.join(cells)} |")
    return lines


def test_table_of_reference_layers_is_computed() -> None:
    shown = [line for line in PAGE.splitlines() if re.match(r"\| (conv|depthwise) ", line)]
    assert shown == rows()


def test_cycles_are_exact_and_bytes_within_ten_percent() -> None:
    cycles = 0
    for name, known in LIBRARY.items():
        one_pass = len(known) == 1
        for cost, row in zip(passes_of(name), known, strict=True):
            if row[0] is not None:
                assert cost.mce_cycles == row[0]
                cycles += 1
            for library, ours in zip(row[1:], figures(cost)[1:], strict=True):
                if one_pass and library:
                    assert abs(ours / library - 1) < 0.1
    assert cycles == 12


def test_every_constant_has_its_row() -> None:
    names = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert names == list(Platform().assumptions())


def test_worked_example_is_right() -> None:
    """The page computes the first layer by hand."""
    (cost,) = passes_of("conv 56×56×64→64 3×3")
    cycles = (cost.input.total + cost.output.total + cost.weights.total) / 9.6 + cost.mce_cycles
    assert f"= {cycles:.0f} cycles = {cycles / 1250:.1f} µs" in PAGE
