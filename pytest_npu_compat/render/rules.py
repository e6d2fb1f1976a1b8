"""The rules of a target in words: `npu-compat explain` and the generated documentation page."""

from __future__ import annotations

import difflib
import textwrap

from pytest_npu_compat.target.byoc import RULES as BACKEND_RULES
from pytest_npu_compat.target.constraint import Constraint
from pytest_npu_compat.target.ethos_n78 import catalog
from pytest_npu_compat.target.ethos_n78.unmatched import never_offloaded
from pytest_npu_compat.target.ethos_n78.variants import VARIANTS
from pytest_npu_compat.target.registry import is_backend, make_target

__all__ = ["explain", "supported_operators_page"]

WIDTH = 79

_PLACEMENT_RULES = {
    "operator-not-supported": "No pattern of the target takes an operator of this kind.",
    "no-mac-region": "The NPU supports the operator, but its region has no multiply-accumulate "
    "operator, and TVM returns such regions to the CPU.",
    "not-quantized": "The operator's inputs and output are not all quantized, so it runs in float.",
    "no-integer-form": "The operator has no integer form with these parameters, so it is computed in "
    "float between a dequantize and a quantize.",
    "quantization-not-understood": "The quantization around the operator cannot be read, so no "
    "statement is made about it.",
    "pad-shared": "A Pad that several operators read cannot be folded into a convolution.",
    "shape-unknown": "A dimension is known only at run time.",
}


def explain(topic: str, target: str = "ethos-n78", variant: str | None = None) -> str:
    """What a rule or an operator means.

    Args:
        topic: Id of a rule or hazard, or an ONNX operator type, in any letter case.
        target: Name of the target.
        variant: Variant of the target.

    Raises:
        TargetError: There is no such target or variant.
        LookupError: There is no such rule or operator.
    """
    make_target(target, variant)
    wanted = topic.strip().lower()
    if is_backend(target):
        return _of_backend(wanted, topic, target)
    rules = [rule for rule in catalog.all_constraints() if rule.rule == wanted]
    if rules:
        return "\n\n".join(_rule(rule) for rule in rules)
    for hazard in catalog.all_hazards():
        if hazard.rule == wanted:
            return "\n".join(
                [
                    f"{hazard.rule} (hazard)",
                    "",
                    *_wrap(hazard.message),
                    "",
                    *_wrap("What to do: " + hazard.remedy),
                ]
            )
    if wanted in _PLACEMENT_RULES:
        return "\n".join([wanted, "", *_wrap(_PLACEMENT_RULES[wanted])])
    entries = [
        entry
        for entry in catalog.CATALOG
        if wanted in (kind.lower() for kind in entry.kinds) or wanted == entry.title.lower()
    ]
    if entries:
        return "\n\n".join(_entry(entry) for entry in entries)
    for name in catalog.never():
        if name.lower() == wanted or name.lower().split(".")[-1] == wanted:
            violation = never_offloaded(name, topic)
            return "\n".join(
                [
                    f"{topic}: never on the NPU",
                    "",
                    *_wrap(violation.message),
                    "",
                    *_wrap("What to do: " + violation.remedy),
                ]
            )
    raise LookupError(_unknown(topic))


def _of_backend(wanted: str, topic: str, backend: str) -> str:
    """Rules alone: which operators a backend has, only its pattern table in TVM knows."""
    if wanted in BACKEND_RULES:
        return "\n".join([wanted, "", *_wrap(BACKEND_RULES[wanted])])
    known = ", ".join(BACKEND_RULES)
    raise LookupError(f"There is no rule {topic!r} of {backend}; known: {known}.")


def _unknown(topic: str) -> str:
    names = [rule.rule for rule in catalog.all_constraints()]
    names += [hazard.rule for hazard in catalog.all_hazards()] + list(_PLACEMENT_RULES)
    names += [kind for entry in catalog.CATALOG for kind in entry.kinds] + list(catalog.never())
    near = difflib.get_close_matches(topic, dict.fromkeys(names), n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    return f"There is no rule or operator {topic!r}.{hint}"


def _rule(rule: Constraint[object]) -> str:
    used = [entry.title for entry in catalog.CATALOG if rule in entry.constraints]
    lines = [f"{rule.rule} ({rule.level.value} if broken)", "", *_wrap(rule.message)]
    lines += ["", *_wrap("Applies to: " + ", ".join(used))]
    lines += _wrap("What to do: " + rule.remedy)
    lines += _wrap("Source: " + rule.source)
    return "\n".join(lines)


def _entry(entry: catalog.Entry) -> str:
    lines = [f"{entry.title} ({', '.join(entry.kinds)})", f"  {entry.form}", ""]
    for rule in entry.constraints:
        lines += textwrap.wrap(
            f"- {rule.message} [{rule.rule}]",
            WIDTH,
            subsequent_indent="  ",
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def supported_operators_page() -> str:
    """The page "What Ethos-N78 runs" in Markdown, from the constraints' docstrings."""
    lines = [
        "# What Ethos-N78 runs",
        "",
        "<!-- Generated by `make docs` from the constraints' docstrings; do not edit. -->",
        "",
        "The rules of Apache TVM 0.18's Ethos-N backend with Arm's support library 23.02. A broken rule",
        "marked *estimate-only* means that the library accepts the operator in networks made for",
        "estimation only: it counts as not on the NPU. `npu-compat explain RULE` prints a rule's remedy",
        "and source.",
        "",
        "## Variants",
        "",
        "| variant | engines | SRAM | MAC/cycle | channels when the width exceeds 1 |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {v.name} | {v.engines} | {v.sram_bytes // 1024} KiB | {v.macs_per_cycle} | "
        f"{v.max_channels} |"
        for v in VARIANTS.values()
    ]
    for entry in catalog.CATALOG:
        lines += [
            "",
            f"## {entry.title}",
            "",
            f"ONNX: {', '.join(entry.kinds)}. Integer form: `{entry.form}`.",
            "",
        ]
        lines += ["| rule | what must hold | otherwise |", "| --- | --- | --- |"]
        lines += [
            f"| `{rule.rule}` | {rule.message} | {rule.level.value} |" for rule in entry.constraints
        ]
    lines += ["", "## Never on the NPU", "", "| operator | what to do |", "| --- | --- |"]
    lines += [f"| {name} | {remedy} |" for name, remedy in catalog.never().items()]
    lines += [
        "",
        "## Hazards",
        "",
        "Operators that the real stack accepts, then computes wrongly or fails to build. They",
        "stay on the NPU, and count in the metric `hazards`.",
        "",
        "| hazard | what goes wrong | what to do |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{h.rule}` | {h.message} | {h.remedy} |" for h in catalog.all_hazards()]
    return "\n".join(lines) + "\n"
