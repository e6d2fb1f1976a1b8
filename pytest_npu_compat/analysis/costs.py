"""What things are estimated to cost: plain values, all of them estimates and none a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Assumption", "Cost", "CpuIsland", "EstimateInfo", "Figures", "Range"]


@dataclass(frozen=True)
class Range:
    """An estimate with the range that its assumptions leave; low <= nominal <= high.

    Attributes:
        low: With every assumption at the end that makes it smallest.
        nominal: With every assumption at its nominal value.
        high: With every assumption at the end that makes it largest.
    """

    low: float
    nominal: float
    high: float

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.nominal * factor, self.high * factor)

    @property
    def ends(self) -> tuple[float, float, float]:
        """Low, nominal, high."""
        return self.low, self.nominal, self.high

    @classmethod
    def exactly(cls, value: float) -> Range:
        """A value that no assumption moves."""
        return cls(value, value, value)

    @classmethod
    def around(cls, nominal: float, *others: float) -> Range:
        """The nominal value and the extremes of all."""
        return cls(min(nominal, *others), nominal, max(nominal, *others))


@dataclass(frozen=True)
class Assumption:
    """A constant of the model, as reports name it.

    Attributes:
        low: Low end; equal to `nominal` if it is one value.
        nominal: The value that nominal estimates use.
        high: High end.
        unit: Base unit, e.g. ``B/s``.
        meaning: What it is.
        source: Where it comes from.
    """

    low: float
    nominal: float
    high: float
    unit: str
    meaning: str
    source: str


@dataclass(frozen=True)
class Cost:
    """An estimate of what an operator, a partition or a model costs per inference.

    Attributes:
        mce_cycles: Cycles of the NPU's multiply-accumulate engines, all passes together; 0 on the CPU.
        dram_read_bytes: Nominal bytes read from DRAM, weights included.
        dram_write_bytes: Nominal bytes written to DRAM.
        latency_us: Time in microseconds.
    """

    mce_cycles: int
    dram_read_bytes: int
    dram_write_bytes: int
    latency_us: Range

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cost:
        """The inverse of `dataclasses.asdict`; fields of later versions are left out."""
        latency = data["latency_us"]
        return cls(
            data["mce_cycles"],
            data["dram_read_bytes"],
            data["dram_write_bytes"],
            Range(latency["low"], latency["nominal"], latency["high"]),
        )


@dataclass(frozen=True)
class CpuIsland:
    """Operators on the CPU that are connected with one another, and what they cost together.

    Attributes:
        operators: Their names.
        transfer_bytes: Size of the tensors that cross between them and the NPU.
        latency_us: Their own time and that of copying those tensors, in microseconds.
    """

    operators: tuple[str, ...]
    transfer_bytes: int
    latency_us: Range

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CpuIsland:
        """The inverse of `dataclasses.asdict`; fields of later versions are left out."""
        latency = data["latency_us"]
        return cls(
            tuple(data["operators"]),
            data["transfer_bytes"],
            Range(latency["low"], latency["nominal"], latency["high"]),
        )


@dataclass(frozen=True)
class EstimateInfo:
    """What a report estimates of the model as a whole.

    Attributes:
        cpu_only: The cost with every operator on the CPU; None if it cannot be told.
        borders: Cost of the conversions at the graph's inputs and outputs, which no operator owns.
        cpu_touched_bytes: Size of the activations that have to be whole in DRAM, because the CPU makes or
            reads them; the graph's inputs and outputs are among them.
        cpu_islands: What stays on the CPU, the most expensive island first.
        not_estimable: Names of the operators whose cost cannot be told. If there is one, there are no
            estimates of the whole.
    """

    cpu_only: Cost | None
    borders: Cost | None
    cpu_touched_bytes: int = 0
    cpu_islands: tuple[CpuIsland, ...] = ()
    not_estimable: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EstimateInfo:
        """The inverse of `dataclasses.asdict`; fields of later versions are left out."""
        return cls(
            cpu_only=Cost.from_dict(data["cpu_only"]) if data["cpu_only"] else None,
            borders=Cost.from_dict(data["borders"]) if data["borders"] else None,
            cpu_touched_bytes=data["cpu_touched_bytes"],
            cpu_islands=tuple(CpuIsland.from_dict(island) for island in data["cpu_islands"]),
            not_estimable=tuple(data["not_estimable"]),
        )


@dataclass(frozen=True)
class Figures:
    """The estimates that are metrics.

    Attributes:
        latency_ms: Time of one inference in milliseconds.
        speedup: Time with every operator on the CPU / time as placed.
        energy_ratio: Energy with every operator on the CPU / energy as placed.
        dram_bytes: Bytes read from and written to DRAM.
    """

    latency_ms: Range
    speedup: Range
    energy_ratio: Range
    dram_bytes: Range
