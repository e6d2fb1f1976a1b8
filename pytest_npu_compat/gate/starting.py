"""A gate file to start from: reports of today -> thresholds that hold today and give nothing away."""

from __future__ import annotations

import glob
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import yaml

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import MetricValue, Report
from pytest_npu_compat.gate.names import id_part, model_name, one_line
from pytest_npu_compat.gate.presets import PRESETS
from pytest_npu_compat.gate.units import format_number, format_value

__all__ = ["LeftOut", "floor", "gate_text"]

GATED = (*PRESETS["recommended"], "qdq_pairs")
MAX_DECIMALS = 2
MAX_NAME = 190
"""Characters of a name; the schema takes 200."""


@dataclass(frozen=True)
class LeftOut:
    """A model that has no place in the gate file.

    Attributes:
        path: Relative to the gate file.
        why: Why it cannot be judged.
        hint: What to do about that.
    """

    path: str
    why: str
    hint: str


def gate_text(
    reports: Sequence[Report], left_out: Sequence[LeftOut], target: str, schema: str
) -> str:
    """A commented gate file.

    Args:
        reports: Of the models that could be analyzed, at least one.
        left_out: The others, for comments.
        target: The line that names it, e.g. ``target: ethos-n78``.
        schema: Path of the gate file's JSON Schema, for editors.
    """
    shared = {
        metric: limits[0]
        for metric in GATED
        if len(limits := sorted({_limit(metric, report) for report in reports})) == 1 and limits[0]
    }
    lines = [
        f"# yaml-language-server: $schema={schema}",
        "# What must hold of the models here. `pytest` judges it, and fails where it does not hold.",
        "# The limits are today's values: nothing may get worse. Raise them as the models improve.",
        "version: 1",
        target,
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
    for report, name in zip(reports, _names([r.model.path for r in reports]), strict=True):
        lines += _entry(report, name, tuple(shared))
    if left_out:
        lines += ["", "# Left out, because they cannot be analyzed:"]
    for model in left_out:
        lines += [f"#  - {json.dumps(model.path)}   # {one_line(model.why)}"]
        lines += [f"#    {one_line(model.hint)}"]
    return "\n".join(lines) + "\n"


def floor(value: MetricValue, better: str) -> str:
    """The limit that a value just keeps, as in a gate file: ``>= 97.4%``, ``<= 3``, ``0``.

    Nothing if the value cannot get worse. A ratio is rounded down so little that one operator less
    breaks the limit, to two decimals at most.
    """
    if not value.value and better == "up":
        return ""
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
    own = [metric for metric in GATED if metric not in shared and _limit(metric, report)]
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
    if re.fullmatch(r"[A-Za-z_][\w./-]*", value, re.ASCII) and yaml.safe_load(value) == value:
        return value
    dumped: str = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=math.inf)
    return dumped.strip()


def _names(paths: Sequence[str]) -> Iterator[str]:
    """For each model the name it needs for an id of its own; empty if its file name will do."""
    given = [model_name(path) for path in paths]
    count = Counter(given)
    taken = {name for name in given if count[name] == 1}
    for path, name in zip(paths, given, strict=True):
        if count[name] == 1:
            yield ""
            continue
        base = id_part(path.rsplit(".", 1)[0].replace("/", "_"))[:MAX_NAME]
        numbered = (f"{base}_{number}" for number in itertools.count(2))
        free = next(n for n in itertools.chain([base], numbered) if n not in taken)
        taken.add(free)
        yield free
