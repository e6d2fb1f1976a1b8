"""The facts of a compatibility report, model by model and over all models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_npu_compat.render.findings.values import (
    Bytes,
    Estimate,
    Message,
    Names,
    Prose,
    Share,
    Statement,
    Value,
    Verbatim,
)
from pytest_npu_compat.run.excerpt import Excerpt

__all__ = [
    "Advice",
    "Assumed",
    "AssumedPlatform",
    "Breakdown",
    "Cause",
    "Comparison",
    "Difference",
    "EstimateFacts",
    "Exchange",
    "Figure",
    "Findings",
    "Island",
    "KindRow",
    "ModelFacts",
    "Placed",
]


@dataclass(frozen=True)
class Placed:
    """Figures of a model that was analyzed.

    Attributes:
        functions: NPU functions of all functions of the partitioned module, ``main`` included.
        npu: Operators on the NPU of all operators.
        macs: Multiply-accumulates on the NPU of all; None for a model without any.
        partitions: Calls from the CPU to the NPU.
        boundaries: Tensors that cross between CPU and NPU.
        boundary_bytes: Their size.
        host_ops: IR operators left in ``main``.
        islands: Q/DQ pairs.
        cpu_islands: Those of them that run on the CPU.
        conversion_operators: IR operators that the pairs consist of.
        hazards: Operators that the real stack takes, but computes wrongly or cannot build.
        unknown: Operators about which nothing can be said.
        estimate_only: Operators that the NPU's compiler can only estimate.
    """

    functions: Share
    npu: Share
    macs: Share | None
    partitions: int
    boundaries: int
    boundary_bytes: Bytes
    host_ops: int
    islands: int
    cpu_islands: int
    conversion_operators: int
    hazards: int
    unknown: int
    estimate_only: int

    @property
    def off(self) -> int:
        """Operators that are not on the NPU."""
        return self.npu.whole - self.npu.part

    @property
    def cpu_functions(self) -> int:
        """Functions that the CPU runs."""
        return self.functions.whole - self.functions.part


@dataclass(frozen=True)
class KindRow:
    """Operators of one kind in a model, or in all of them.

    Attributes:
        kind: ONNX operator type; None for the rare kinds that are summed up in one row.
        group: ``compute``, ``activation``, ``pool``, ``shape`` or ``other``.
        operators: How many are on the NPU, of how many.
        share: Of all operators.
        macs: Of all multiply-accumulates; None if there are none.
        support: ``full``, ``part``, ``none``, ``estimate-only`` or ``unknown``.
        composites: What the NPU runs them as.
        rules: Why some are not on the NPU.
    """

    kind: Verbatim | None
    group: str
    operators: Share
    share: Share
    macs: Share | None
    support: str
    composites: Names
    rules: Names


@dataclass(frozen=True)
class Breakdown:
    """The operators of a model by kind, the most frequent first."""

    model: Verbatim
    operators: int
    rows: tuple[KindRow, ...]


@dataclass(frozen=True)
class ModelFacts:
    """One model of the run: `placed` if it was analyzed, else the error."""

    label: Verbatim
    path: Verbatim
    sha256: Verbatim | None
    nodes: int
    quantization: Verbatim
    placed: Placed | None
    error_code: str = ""
    error: Prose | None = None
    hint: Prose | None = None
    estimates: Mapping[str, Estimate] = field(default_factory=dict)


@dataclass(frozen=True)
class Cause:
    """A broken rule that keeps operators off the NPU, over all models.

    Attributes:
        rule: Its id.
        message: What must hold.
        kinds: Kinds of the operators.
        actual: What they are instead.
        allowed: What would be accepted, where the message does not say so.
        operators: How many, over all models.
        macs: Their multiply-accumulates.
        first: The first model they are in.
        at: Their names in that one.
        models: The models they are in.
        more: Further rules that some of them break.
    """

    rule: Verbatim
    message: Prose
    kinds: Names
    actual: Names
    allowed: Names
    operators: int
    macs: int
    first: Verbatim
    at: Names
    models: Names
    more: Names


@dataclass(frozen=True)
class Island:
    """Q/DQ pairs around one kind of float operator with one placement, over all models.

    Attributes:
        kind: The float operator's kind.
        placement: ``npu`` or ``cpu``.
        count: How many there are.
        calls: IR operators they consist of.
        models: The models they are in.
        first: The model of the one that is shown.
        nodes: The nodes of that one.
        excerpt: The IR of that one; None if it was not asked for.
    """

    kind: Verbatim
    placement: str
    count: int
    calls: int
    models: Names
    first: Verbatim
    nodes: Names
    excerpt: Excerpt | None


@dataclass(frozen=True)
class Figure:
    """A figure of two models, side by side."""

    label: Message
    before: Value
    after: Value


@dataclass(frozen=True)
class Exchange:
    """Two models that are the same operator by operator, except that one kind became another.

    Attributes:
        before: The one with fewer Q/DQ pairs.
        after: The other.
        old: The kind in `before`.
        new: The kind in `after`.
        count: How many operators were exchanged.
        same: Whether all figures are the same.
        figures: The figures of both.
        unconverted: The IR of the first exchanged operator in `before`, if it has no conversions: it
            stays in integers, or in float.
    """

    before: Verbatim
    after: Verbatim
    old: Verbatim
    new: Verbatim
    count: int
    same: bool
    figures: tuple[Figure, ...]
    unconverted: Excerpt | None


@dataclass(frozen=True)
class Difference:
    """What makes some models worse than the best: the same for each of them."""

    models: Names
    best: Verbatim
    points: tuple[Statement, ...]


@dataclass(frozen=True)
class Comparison:
    """The analyzed models beside each other.

    Attributes:
        ranking: All of them, the best first. Models that are equal have the same rank.
        differences: What makes those that are not the best worse than that.
        exchanges: Pairs that differ in one kind of operator only, the first few of them.
        cut: Whether there are more.
    """

    ranking: tuple[tuple[int, ModelFacts], ...]
    differences: tuple[Difference, ...]
    exchanges: tuple[Exchange, ...]
    cut: bool


@dataclass(frozen=True)
class Assumed:
    """A constant that estimates assume.

    Attributes:
        name: As gate files call it.
        nominal: Its value.
        low: The low end of its range; None if it has none.
        high: The high end.
        meaning: What it is.
    """

    name: Verbatim
    nominal: Verbatim
    low: Verbatim | None
    high: Verbatim | None
    meaning: Prose


@dataclass(frozen=True)
class AssumedPlatform:
    """The machine that estimates assume.

    Attributes:
        models: The models whose estimates assume it; empty if all do.
        constants: All that is assumed of it.
    """

    models: Names
    constants: tuple[Assumed, ...]


@dataclass(frozen=True)
class EstimateFacts:
    """What a run says of estimates that it was asked for.

    Attributes:
        some: Whether there are estimates of any model.
        missing: Why there are none of the other models.
        platforms: What they assume.
    """

    some: bool
    missing: tuple[Statement, ...]
    platforms: tuple[AssumedPlatform, ...]


@dataclass(frozen=True)
class Advice:
    """Something to do.

    Attributes:
        why: What it is about, with its figures.
        action: What to do.
        models: The models concerned.
        at: Names of the operators concerned in the first of these.
    """

    why: Statement
    action: Prose
    models: Names
    at: Names


@dataclass(frozen=True)
class Findings:
    """All that a compatibility report says.

    Attributes:
        tool: Versions of what made it.
        targets: What the models were placed on.
        models: All models of the run, in its order.
        key: The key findings.
        breakdowns: The operators of each analyzed model.
        causes: Why operators are off the NPU, the most frequent first.
        islands: The Q/DQ pairs.
        comparison: The models beside each other; None if fewer than two were analyzed.
        kinds: The operators of all models by kind.
        advice: What to do, what gains most first.
        estimates: About the estimates; None if the run was not asked for any.
    """

    tool: Mapping[str, Verbatim]
    targets: Names
    models: tuple[ModelFacts, ...]
    key: tuple[Statement, ...]
    breakdowns: tuple[Breakdown, ...]
    causes: tuple[Cause, ...]
    islands: tuple[Island, ...]
    comparison: Comparison | None
    kinds: tuple[KindRow, ...]
    advice: tuple[Advice, ...]
    estimates: EstimateFacts | None

    @property
    def analyzed(self) -> tuple[ModelFacts, ...]:
        """The models that have figures."""
        return tuple(model for model in self.models if model.placed)

    @property
    def failed(self) -> tuple[ModelFacts, ...]:
        """The models that have none."""
        return tuple(model for model in self.models if not model.placed)

    @property
    def unexplained(self) -> int:
        """Operators that are off the NPU without a reason."""
        off = sum(model.placed.off for model in self.models if model.placed)
        return off - sum(cause.operators for cause in self.causes)

    @property
    def on_npu(self) -> int:
        """Operators on the NPU, over all models."""
        return sum(model.placed.npu.part for model in self.models if model.placed)

    @property
    def all_on_npu(self) -> bool:
        """Whether no operator is off the NPU, as far as models were analyzed."""
        return not any(model.placed.off for model in self.models if model.placed)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Pairs of models that differ in one kind of operator only."""
        return self.comparison.exchanges if self.comparison else ()
