"""Runs for tests of outputs, made of values alone: no model is analyzed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from pytest_npu_compat.analysis.report import (
    Conversion,
    ErrorInfo,
    HazardInfo,
    MetricValue,
    ModelInfo,
    OperatorInfo,
    Reason,
    Report,
    TargetInfo,
    ToolInfo,
)
from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome, Status

__all__ = ["HOSTILE", "all_kinds", "hostile_run", "outcome", "report", "runs"]

GATE = "gates/npu-compat.yaml"

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "annotation": "%0A::error::",
    "annotation-line": "\n::error::pwned\n##[set-output name=verdict]passed",
    "stop-commands": "::stop-commands::x",
    "long": "x" * 10_000,
    "long-command": "x " * 40 + "::error::pwned " + "y" * 10_000,
    "control": "a\x00\x07\x1b[31mred\x7f\x9b\ufffe",
    "cdata": "]]><failure/>",
    "surrogate": "a\ud800b\udfff",
    "right-to-left": "a\u202egnp.exe\u2066\u200b",
    "mention": "@octocat and octocat@example.com",
    "reference": "#123 GH-1 owner/repo#1 deadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
    "url": "https://evil.example www.evil.example [x](https://evil.example) <https://evil.example>",
    "table": "a|b\\|c`d`\\",
    "markdown": "*a* _b_ ~~c~~ ![i](http://evil.example/i.png) # h $x$ </pre></details>\n\n# head",
    "placeholder": "{0} {{1}} %s %(name)s ${{ secrets.GITHUB_TOKEN }}",
    "empty": "",
    "delimiter": "a\nEOF\nverdict=passed",
}
"""What a name in a model or gate file may try."""


def operator(name: str, placement: str = "npu", rule: str = "maxpool-config") -> OperatorInfo:
    """An operator of a report; off the NPU it has a reason."""
    reason = Reason(rule, "A pool is 2x2 or 3x3.", "kernel 5x5", "2x2, 3x3", "Use two pools.")
    return OperatorInfo(
        name,
        "MaxPool",
        (name,),
        supported=placement == "npu",
        placement=placement,
        partition=0 if placement == "npu" else None,
        composite="ethos-n78.max_pool2d" if placement == "npu" else None,
        macs=0,
        output_shape=(1, 8, 8, 16),
        reasons=() if placement == "npu" else (reason,),
    )


def report(model: str, on: int = 3, off: int = 1, **fields: Any) -> Report:
    """A report of a model with operators on and off the NPU."""
    names = [operator(f"conv_{i}") for i in range(on)]
    names += [operator(f"pool_{i}", "cpu") for i in range(off)]
    metrics = {
        "npu_ratio": MetricValue(on / (on + off), "ratio", on, on + off),
        "npu_mac_ratio": MetricValue(1.0, "ratio", 10, 10),
        "npu_partitions": MetricValue(2, "count"),
        "qdq_pairs": MetricValue(1, "count"),
    }
    hazard = HazardInfo("wide-mean", "Computed wrongly.", "9x9", "Use 7x7.")
    return replace(
        Report(
            ToolInfo("0.1.0", "0.27.0", "1.23", "ethos-n-driver-stack-23.02"),
            ModelInfo(model, f"models/{model}.onnx", sha256="ab" * 32),
            TargetInfo("ethos-n78", "4tops-4ple"),
            "analyzed",
            metrics=metrics,
            operators=(*names, replace(operator("mean"), hazards=(hazard,))),
            qdq_pairs=(Conversion(("dq_1", "leaky_1", "q_1"), "leaky_1", "npu", 3),),
        ),
        **fields,
    )


def broken(model: str) -> Report:
    """A report of a model that could not be analyzed."""
    error = ErrorInfo("lfs-pointer", "The file is a Git LFS pointer.", "Run git lfs pull.")
    return replace(report(model), status="not_analyzable", error=error, metrics={}, operators=())


def outcome(
    model: str = "detector", metric: str = "npu_ratio", status: Status = "failed", **fields: Any
) -> Outcome:
    """A check; a waived one has a waiver, a red one a text of several lines."""
    message = f"{metric} 44.0% (11/25 operators), required ≥ 96%"
    known: dict[str, Any] = {
        "gate_file": GATE,
        "line": 4,
        "model": model,
        "target": "ethos-n78",
        "metric": metric,
        "status": status,
        "message": message,
        "text": f"{message}\n\n14 of 25 operators are not on the NPU\n\n  14 × MaxPool   [maxpool-config]",
        "limit": "≥ 96%",
        "actual": None if status in ("off", "not_analyzable") else "44.0% (11/25 operators)",
        "value": None if status in ("off", "not_analyzable") else 0.44,
        "waiver": "until 2099-01-31: with the next training" if status == "waived" else None,
    }
    return Outcome(**{**known, **fields})


def all_kinds() -> GateRun:
    """A run with every status, a regression, and notes of both levels."""
    outcomes = (
        outcome("detector", "npu_ratio", regressions=("pool_0: A pool is 2x2 or 3x3.",)),
        outcome("detector", "npu_mac_ratio", "passed"),
        outcome("detector", "qdq_pairs", "waived", line=5),
        outcome("detector", "hazards", "off", line=6),
        outcome("keyword", "npu_ratio", "passed"),
        outcome("keyword", "qdq_pairs", "warned", line=5),
        outcome("pointer", "npu_ratio", "not_analyzable"),
    )
    reports = {
        outcomes[0].key: report("detector"),
        outcomes[4].key: report("keyword", off=0),
        outcomes[6].key: broken("pointer"),
    }
    return GateRun(
        outcomes,
        reports,
        {outcomes[0].key: report("detector", on=4, off=0)},
        (
            Note("unused-waiver", "error", "The waiver of line 9 excuses nothing.", GATE, 9),
            Note("baseline", "note", "keyword is not in the baseline.", GATE),
            Note("shards", "error", "2 of 3 shards are there."),
        ),
    )


def hostile_run(name: str) -> GateRun:
    """A run in which everything that comes from a user's files has a name of `HOSTILE`."""
    text = f"npu_ratio {name}, required\n\n  at: {name}"
    common: dict[str, Any] = {
        "message": f"npu_ratio {name}, required",
        "text": text,
        "actual": name,
        "regressions": (f"{name}: {name}",),
        "target": name,
    }
    red = outcome(name, **common)
    statuses: tuple[Status, ...] = ("waived", "warned", "passed", "off", "not_analyzable")
    others = tuple(
        outcome(f"{name}{status}", status=status, **{**common, "waiver": name})
        for status in statuses
    )
    reason = Reason(name or "rule", name, name, name, name)
    hurt = replace(operator(name, "cpu"), kind=name, reasons=(reason,))
    judged = replace(
        report("x"),
        model=ModelInfo(name, name, sha256=name),
        target=TargetInfo(name, name),
        operators=(hurt, operator("conv")),
        qdq_pairs=(Conversion((name,), name, "npu", 3),),
    )
    failed = replace(broken("y"), error=ErrorInfo(name, name, name))
    return GateRun(
        (red, *others),
        {red.key: judged, others[-1].key: failed, **{o.key: judged for o in others[:-1]}},
        {red.key: judged},
        (Note(name, "error", name, name, 3), Note(name, "note", name)),
    )


def runs() -> st.SearchStrategy[GateRun]:
    """Runs of any statuses and texts."""
    text = st.one_of(st.text(max_size=30), st.sampled_from(list(HOSTILE.values())))
    statuses: st.SearchStrategy[Status] = st.sampled_from(
        ("passed", "failed", "waived", "warned", "off", "not_analyzable")
    )
    outcomes = st.builds(
        outcome,
        text,
        st.sampled_from(("npu_ratio", "qdq_pairs")),
        statuses,
        message=text,
        text=text,
        gate_file=text,
        line=st.integers(1, 99),
        regressions=st.lists(text, max_size=3).map(tuple),
    )
    notes = st.builds(Note, text, st.sampled_from(("note", "error")), text, text, st.integers(0, 9))
    return st.builds(
        GateRun,
        st.lists(outcomes, max_size=8).map(tuple),
        notes=st.lists(notes, max_size=3).map(tuple),
    )
