"""Why two analyses of one model file can differ: the gate file's settings, or what made the reports."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from pytest_npu_compat.analysis.costs import Assumption
from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import ASSUMED_INT8, Report

__all__ = ["Changes", "explanation", "setting_changes", "tool_changes"]

Changes = tuple[tuple[str, str, str], ...]
"""(what, before, after) of everything that differs."""

_NOTHING_CHANGED = (
    "all versions and settings are the same too: the accepted figures may have been edited by hand, "
    "else this is a defect of pytest-npu-compat"
)
_NOT_RECORDED = (
    "what its accepted estimates assumed was not recorded: `platform:` of the gate file may have "
    "changed"
)
_PREFIXES = (("G", 1e9), ("M", 1e6), ("k", 1e3), ("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9))
_SCALED = ("Hz", "B/s", "s", "J", "J/B")


def explanation(base: Report, head: Report) -> str:
    """What changed from one report of a model file to another of the same file."""
    other_target = base.target.name != head.target.name  # which has rules of its own
    tool = [c for c in tool_changes(base, head) if not (other_target and c[0] == "rules")]
    # A profile's rules change with the file that declares them, not with this package.
    which = "target" if [part[0] for part in tool] == ["rules"] else "tool"
    causes = (("gate file", setting_changes(base, head)), (which, tool))
    texts = [f"the {what} changed: {_listed(changes)}" for what, changes in causes if changes]
    if not texts and _estimated(base) and _estimated(head) and not base.platform:
        return _NOT_RECORDED
    return "; ".join(texts) or _NOTHING_CHANGED


def setting_changes(base: Report, head: Report) -> Changes:
    """Settings of the gate file that differ."""
    old, new = _settings(base), _settings(head)
    if base.platform and head.platform:
        old.update(_platform(base, head))
        new.update(_platform(head, base))
    return tuple(
        (name, old.get(name, "default"), new.get(name, "default"))
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    )


def tool_changes(base: Report, head: Report) -> Changes:
    """Versions that differ."""
    old, new = base.tool, head.tool
    parts = (
        ("pytest-npu-compat", old.version, new.version),
        ("rules", old.rules, new.rules),
        ("TVM", old.tvm, new.tvm),
        ("onnx", old.onnx, new.onnx),
    )
    return tuple(part for part in parts if part[1] != part[2])


def _listed(changes: Sequence[tuple[str, str, str]]) -> str:
    return ", ".join(f"{what} {before} -> {after}" for what, before, after in changes)


def _settings(report: Report) -> dict[str, str]:
    model, target = report.model, report.target
    return {
        "target": target.label,
        **{name: str(value) for name, value in target.options.items()},
        **{f"shape of {name}": "x".join(map(str, s)) for name, s in model.inputs.items()},
        **({"quantization": "assumed"} if model.quantization == ASSUMED_INT8 else {}),
        "estimates": "made" if _estimated(report) else "none",
    }


def _estimated(report: Report) -> bool:
    """Whether estimates were asked for; a baseline keeps no more of them than figures and platform."""
    metrics = (METRICS[name] for name in report.metrics if name in METRICS)
    return bool(report.platform) or any(metric.estimated for metric in metrics)


def _platform(report: Report, other: Report) -> Iterator[tuple[str, str]]:
    """The constants of the estimates that another report assumes to be different."""
    for name, assumption in report.platform.items():
        beside = other.platform.get(name)
        if beside is not None and _ends(assumption) != _ends(beside):
            yield name, _shown(assumption)


def _ends(assumption: Assumption) -> tuple[float, float, float]:
    return assumption.low, assumption.nominal, assumption.high


def _shown(assumption: Assumption) -> str:
    """``1.25 GHz``, or ``100 us (20 us to 500 us)``."""
    low, nominal, high = (_quantity(end, assumption.unit) for end in _ends(assumption))
    return nominal if low == high else f"{nominal} ({low} to {high})"


def _quantity(value: float, unit: str) -> str:
    if unit not in _SCALED or not math.isfinite(value):
        return f"{value:g} {unit}"
    prefix, factor = next((p for p in _PREFIXES if abs(value) >= p[1]), ("p", 1e-12))
    return f"{value / factor:.6g} {prefix}{unit}" if value else f"0 {unit}"
