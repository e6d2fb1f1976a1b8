"""A gate file to start from: reports of today -> thresholds that hold today and give nothing away."""

from __future__ import annotations

import glob
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.presets import PRESETS
from pytest_npu_compat.gate.units import format_number, format_value

__all__ = ["floor", "gate_text"]

GATED = (*PRESETS["recommended"], "qdq_pairs")
MAX_DECIMALS = 2


def gate_text(reports: Sequence[Report], target: str, schema: str) -> str:
    """A commented gate file.

    Args:
        reports: Of the models, at least one of them analyzed; the others are left out, visibly.
        target: As in the gate file, e.g. ``ethos-n78``.
        schema: Path of the gate file's JSON Schema, for editors.
    """
    analyzed = [report for report in reports if report.analyzed]
    shared = {
        metric: limits[0]
        for metric in GATED
        if len(limits := sorted({_limit(metric, report) for report in analyzed})) == 1 and limits[0]
    }
    lines = [
        f"# yaml-language-server: $schema={schema}",
        "# What must hold of the models here. `pytest` judges it, and fails where it does not hold.",
        "# The limits are today's values: nothing may get worse. Raise them as the models improve.",
        "version: 1",
        f"target: {json.dumps(target) if ':' in target else target}",
        "",
        "# To see which operator left the NPU, and to allow a small drop, keep a baseline:",
        "#   1. remove the next line's `# `   2. run `pytest --npu-update-baseline`   3. check it in",
        "# baseline: npu-baseline.json",
        "",
    ]
    if shared:
        lines += ["thresholds:                  # hold for every model"]
        lines += [_threshold(metric, limit, 2) for metric, limit in shared.items()]
        lines += [""]
    lines += ["models:"]
    names = Counter(report.model.name for report in analyzed)
    for report in analyzed:
        unique = names[report.model.name] == 1
        lines += _entry(report, "" if unique else _name(report), tuple(shared))
    broken = [report for report in reports if not report.analyzed]
    if broken:
        lines += ["", "# Left out, because they cannot be analyzed:"]
    for report in broken:
        assert report.error is not None
        why = " ".join(f"{report.error.code}: {report.error.message}".split())
        hint = " ".join(report.error.hint.split())
        lines += [f"#  - {json.dumps(report.model.path)}   # {why}", f"#    {hint}"]
    return "\n".join(lines) + "\n"


def floor(value: MetricValue, better: str) -> str:
    """The limit that a value just keeps, as in a gate file: ``>= 97.4%``, ``<= 3``, ``0``.

    A ratio is rounded down so little that one operator less breaks the limit, to two decimals at most.
    """
    if value.unit != "ratio":
        number = int(value.value)
        return "0" if number == 0 and better == "down" else f"{_SIGN[better]} {number}"
    numerator, denominator = value.numerator or 0, value.denominator or 1
    exact = Fraction(numerator, denominator) * 100
    below = Fraction(numerator - 1, denominator) * 100
    shown = exact
    for decimals in range(MAX_DECIMALS + 1):
        shown = Fraction(int(exact * 10**decimals), 10**decimals)
        if shown > below:
            break
    return f">= {format_number(shown)}%"


_SIGN = {"up": ">=", "down": "<="}


def _limit(metric: str, report: Report) -> str:
    value = report.metrics.get(metric)
    return "" if value is None else floor(value, METRICS[metric].better)


def _entry(report: Report, name: str, shared: Sequence[str]) -> Iterator[str]:
    ratio = report.metrics["npu_ratio"]
    own = [metric for metric in GATED if metric not in shared and metric in report.metrics]
    path = _text(glob.escape(report.model.path))
    comment = f"# {format_value(ratio, of='operators')} on the NPU"
    yield f"  - path: {path}   {comment}"
    if name:
        yield f"    name: {_text(name)}"
    if own:
        yield "    thresholds:"
        for metric in own:
            yield _threshold(metric, _limit(metric, report), 6)


def _threshold(metric: str, limit: str, indent: int) -> str:
    return f"{' ' * indent}{metric}: {limit if limit == '0' else json.dumps(limit)}"


def _text(value: str) -> str:
    """A YAML scalar, quoted only where it has to be."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*", value, re.ASCII)
    return value if plain else json.dumps(value, ensure_ascii=False)


def _name(report: Report) -> str:
    """The path as a name: two models of one name need other ids."""
    text = report.model.path.rsplit(".", 1)[0]
    return "".join("_" if c in "[]:/\\" or c.isspace() or not c.isprintable() else c for c in text)
