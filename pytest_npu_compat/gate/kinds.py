"""``cpu_operators: {allow: […]}`` and ``{deny: […]}``: which kinds of operators may run on the CPU."""

from __future__ import annotations

import difflib
import functools
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from pytest_npu_compat.analysis.report import OperatorInfo
from pytest_npu_compat.gate.errors import ThresholdError

__all__ = ["OWN_KINDS", "Kinds", "parse_kinds"]

OWN_KINDS = ("Requantize",)
"""Kinds of operators that are not ONNX's: a DequantizeLinear followed by a QuantizeLinear."""

_ONNX = "ai.onnx."
"""ONNX's own operator set, written out."""


@dataclass(frozen=True)
class Kinds:
    """Which kinds of operators may run on the CPU.

    Attributes:
        allow: The only kinds that may; None for all.
        deny: Kinds that may not.
    """

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def offends(self, operator: OperatorInfo) -> bool:
        """Whether an operator is not on the NPU, although its kind has to be."""
        if operator.placement == "npu":
            return False
        allowed = self.allow is None or operator.kind in map(_bare, self.allow)
        return operator.kind in map(_bare, self.deny) or not allowed

    def show(self) -> str:
        """As in failure texts: ``only Softmax``."""
        words = []
        if self.allow is not None:
            words.append(f"only {', '.join(self.allow) or 'nothing'}")
        if self.deny:
            words.append(f"no {', '.join(self.deny)}")
        return " and ".join(words)


def parse_kinds(raw: dict[str, Any]) -> Kinds:
    """Reads the keys ``allow`` and ``deny`` of a threshold in its long form.

    Raises:
        ThresholdError: A list is none of kinds, names a kind that does not exist, or forbids nothing.
    """
    listed: dict[str, tuple[str, ...]] = {}
    for key in ("allow", "deny"):
        value = raw.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise ThresholdError(
                f"{key} is a list of operator kinds.", f"Write {key}: [Softmax, Resize]."
            )
        for kind in value:
            _check(kind)
        listed[key] = tuple(value)
    if "deny" in raw and not listed["deny"]:
        raise ThresholdError(
            "An empty list denies nothing.",
            "Name kinds, e.g. deny: [Softmax]; to keep every operator off the CPU write allow: [].",
        )
    both = sorted(set(map(_bare, listed["allow"])) & set(map(_bare, listed["deny"])))
    if both:
        raise ThresholdError(f"{both[0]} is allowed and denied.", "Keep one of the two.")
    return Kinds(listed["allow"] if "allow" in raw else None, listed["deny"])


def _bare(kind: str) -> str:
    """A kind as reports name it, which leave out the operator set."""
    return kind.rpartition(".")[2]


def _check(kind: str) -> None:
    """A kind that does not exist would be denied in vain; operator sets of one's own hold anything."""
    name = kind.removeprefix(_ONNX)
    if "." in name:
        if all(part.isidentifier() for part in name.replace("-", "_").split(".")):
            return
        raise ThresholdError(
            f"{kind!r} is no kind of operators.", "Write, say, Softmax or com.microsoft.Gelu."
        )
    if name in _shipped() or name in (installed := _installed()):
        return
    known = sorted({*_shipped(), *installed})
    by_case = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1, cutoff=0.7)
    hint = f"Did you mean {by_case[near[0]]!r}? " if near else ""
    raise ThresholdError(
        f"ONNX has no operator {name!r}.",
        f"{hint}One of another operator set is written with its domain, e.g. com.microsoft."
        f"{name if name.isidentifier() else 'Gelu'}.",
    )


@functools.cache
def _shipped() -> frozenset[str]:
    """Names that are known without an import of ONNX, which would slow every run down."""
    text = (files("pytest_npu_compat") / "data" / "onnx-operators.json").read_text("utf-8")
    return frozenset((*json.loads(text), *OWN_KINDS))


def _installed() -> frozenset[str]:
    """What the installed ONNX knows, which may be younger than the list. Only a mistake costs this."""
    from pytest_npu_compat.model.onnx_operators import all_kinds

    return frozenset(all_kinds())
