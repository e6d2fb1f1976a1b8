"""The one table of metrics: name, unit, direction, definition, function.

The gate file's allowed names, the documentation and every legend are generated from it. To add a
metric, add a row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from pytest_npu_compat.analysis.costs import EstimateInfo, Figures, Range
from pytest_npu_compat.analysis.report import (
    Conversion,
    MetricValue,
    OperatorInfo,
    PartitionInfo,
)

__all__ = ["METRICS", "Facts", "Metric", "measure"]


@dataclass(frozen=True)
class Facts:
    """What metrics are computed from.

    Attributes:
        operators: All of the model.
        partitions: All of the placement.
        qdq_pairs: The islands of the integer graph.
        host_ops: Number of IR operators in main.
        pass_through: Partitions that compute nothing.
        estimate: What is estimated of the model; None unless asked for.
        figures: The estimates that are metrics; None also if they cannot be told.
    """

    operators: Sequence[OperatorInfo]
    partitions: Sequence[PartitionInfo]
    qdq_pairs: Sequence[Conversion]
    host_ops: int
    pass_through: int = 0
    estimate: EstimateInfo | None = None
    figures: Figures | None = None

    def placed(self, placement: str) -> int:
        """Number of operators with a placement."""
        return sum(operator.placement == placement for operator in self.operators)


@dataclass(frozen=True)
class Metric:
    """A figure that a gate can judge.

    Attributes:
        name: As written in gate files.
        unit: ``ratio``, ``count``, ``bytes``, ``ms`` or ``x`` (times).
        better: ``up`` or ``down``.
        definition: One sentence for documentation and legends.
        explained_by: What a failure of it lists: ``placement`` (operators that are not on the NPU),
            ``islands`` (Q/DQ pairs), ``hazards`` or ``estimates`` (the most expensive operators).
        compute: Numerator and denominator of a ratio; a range, None if it cannot be estimated; else the
            value and None.
        of: What a ratio counts, e.g. ``operators``.
        telling: Whether a change of it is for the better or the worse. Not so of a figure that is
            published only to be compared with other reports.
    """

    name: str
    unit: str
    better: str
    definition: str
    explained_by: str
    compute: Callable[[Facts], tuple[int, int | None] | Range | None]
    of: str = ""
    telling: bool = True

    @property
    def estimated(self) -> bool:
        """Whether it is an estimate, which is made only when asked for."""
        return self.explained_by == "estimates"

    def measure(self, facts: Facts) -> MetricValue | None:
        """The metric's value; None for a ratio of nothing and for an estimate that is not there."""
        computed = self.compute(facts)
        if computed is None:
            return None
        if isinstance(computed, Range):
            return MetricValue(computed.nominal, self.unit, low=computed.low, high=computed.high)
        value, denominator = computed
        if self.unit != "ratio":
            return MetricValue(value, self.unit)
        if not denominator:
            return None
        return MetricValue(value / denominator, self.unit, value, denominator)


def _count(function: Callable[[Facts], int]) -> Callable[[Facts], tuple[int, int | None]]:
    return lambda facts: (function(facts), None)


def _estimated(function: Callable[[Figures], Range]) -> Callable[[Facts], Range | None]:
    return lambda facts: None if facts.figures is None else function(facts.figures)


def _npu_macs(facts: Facts) -> int:
    return sum(o.macs for o in facts.operators if o.placement == "npu")


_TABLE = (
    Metric(
        "npu_ratio",
        "ratio",
        "up",
        "Operators on the NPU / all operators. Shape arithmetic, constants and the float-integer "
        "conversion at graph inputs and outputs are not operators.",
        "placement",
        lambda f: (f.placed("npu"), len(f.operators)),
        of="operators",
    ),
    Metric(
        "npu_mac_ratio",
        "ratio",
        "up",
        "Multiply-accumulates on the NPU / all multiply-accumulates.",
        "placement",
        lambda f: (_npu_macs(f), sum(o.macs for o in f.operators)),
        of="MACs",
    ),
    Metric(
        "npu_function_ratio",
        "ratio",
        "up",
        "NPU functions / functions of the partitioned module, main included. It rises with "
        "fragmentation: gate on npu_ratio and npu_partitions instead.",
        "placement",
        lambda f: (len(f.partitions) + f.pass_through, len(f.partitions) + f.pass_through + 1),
        of="functions",
        telling=False,
    ),
    Metric(
        "npu_operators",
        "count",
        "up",
        "Operators on the NPU.",
        "placement",
        _count(lambda f: f.placed("npu")),
    ),
    Metric(
        "cpu_operators",
        "count",
        "down",
        "Operators on the CPU.",
        "placement",
        _count(lambda f: f.placed("cpu")),
    ),
    Metric(
        "unknown_operators",
        "count",
        "down",
        "Operators about which no statement can be made; they never count as on the NPU.",
        "placement",
        _count(lambda f: f.placed("unknown")),
    ),
    Metric(
        "npu_partitions",
        "count",
        "down",
        "Maximal merged regions of NPU operators.",
        "placement",
        _count(lambda f: len(f.partitions) + f.pass_through),
    ),
    Metric(
        "host_ops",
        "count",
        "down",
        "IR operators left in main, conversions at the graph's borders included.",
        "placement",
        _count(lambda f: f.host_ops),
    ),
    Metric(
        "boundaries",
        "count",
        "down",
        "Tensors that go into or come out of an NPU partition per inference.",
        "placement",
        _count(lambda f: sum(p.inputs + p.outputs for p in f.partitions)),
    ),
    Metric(
        "boundary_bytes",
        "bytes",
        "down",
        "Size of the tensors that go into or come out of an NPU partition per inference.",
        "placement",
        _count(lambda f: sum(p.input_bytes + p.output_bytes for p in f.partitions)),
    ),
    Metric(
        "qdq_pairs",
        "count",
        "down",
        "Dequantize -> float operator(s) -> quantize islands in the integer graph, wherever they "
        "run.",
        "islands",
        _count(lambda f: len(f.qdq_pairs)),
    ),
    Metric(
        "cpu_qdq_pairs",
        "count",
        "down",
        "Such islands that run on the CPU.",
        "islands",
        _count(lambda f: sum(c.placement != "npu" for c in f.qdq_pairs)),
    ),
    Metric(
        "conversion_operators",
        "count",
        "down",
        "IR operators that these islands consist of (3 per LeakyReLU).",
        "islands",
        _count(lambda f: sum(c.calls for c in f.qdq_pairs)),
    ),
    Metric(
        "hazards",
        "count",
        "down",
        "Operators that the real stack accepts, but computes wrongly or cannot build.",
        "hazards",
        _count(lambda f: sum(bool(o.hazards) for o in f.operators)),
    ),
    Metric(
        "estimated_latency",
        "ms",
        "down",
        "Estimate, not a measurement: time of one inference.",
        "estimates",
        _estimated(lambda figures: figures.latency_ms),
    ),
    Metric(
        "estimated_speedup",
        "x",
        "up",
        "Estimate, not a measurement: time with every operator on the CPU / time as placed.",
        "estimates",
        _estimated(lambda figures: figures.speedup),
    ),
    Metric(
        "estimated_energy_ratio",
        "x",
        "up",
        "Estimate, not a measurement: energy with every operator on the CPU / energy as placed.",
        "estimates",
        _estimated(lambda figures: figures.energy_ratio),
    ),
    Metric(
        "estimated_dram_bytes",
        "bytes",
        "down",
        "Estimate, not a measurement: bytes read from and written to DRAM by NPU and CPU per inference.",
        "estimates",
        _estimated(lambda figures: figures.dram_bytes),
    ),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _TABLE})
"""All metrics by name, in the order in which they are shown."""


def measure(facts: Facts) -> dict[str, MetricValue]:
    """All metrics that can be computed."""
    values = {name: metric.measure(facts) for name, metric in METRICS.items()}
    return {name: value for name, value in values.items() if value is not None}
