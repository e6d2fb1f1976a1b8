"""Parts of a model and what each costs: NPU passes, CPU kernels, calls of partitions. They add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_npu_compat.analysis.costs import Cost, Range
from pytest_npu_compat.analysis.cpu import Kernel
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.target.cost import PassCost

__all__ = ["Part", "invocation", "on_cpu", "on_npu", "pass_seconds", "total"]

_ZERO = Range.exactly(0)


@dataclass(frozen=True)
class Part:
    """What a part of a model costs.

    Attributes:
        mce_cycles: Cycles of the NPU's multiply-accumulate engines.
        read: Bytes read from DRAM.
        write: Bytes written to DRAM.
        seconds: Time.
        npu_macs: Multiply-accumulates on the NPU.
        cpu_macs: 8-bit multiply-accumulates on the CPU.
        cpu_operations: 32-bit operations on the CPU.
    """

    mce_cycles: int = 0
    read: Range = _ZERO
    write: Range = _ZERO
    seconds: Range = _ZERO
    npu_macs: int = 0
    cpu_macs: int = 0
    cpu_operations: int = 0

    def __add__(self, other: Part) -> Part:
        return Part(
            self.mce_cycles + other.mce_cycles,
            self.read + other.read,
            self.write + other.write,
            self.seconds + other.seconds,
            self.npu_macs + other.npu_macs,
            self.cpu_macs + other.cpu_macs,
            self.cpu_operations + other.cpu_operations,
        )

    @property
    def cost(self) -> Cost:
        """As reports show it."""
        return Cost(
            self.mce_cycles,
            round(self.read.nominal),
            round(self.write.nominal),
            self.seconds * 1e6,
        )

    @property
    def dram_bytes(self) -> Range:
        """Bytes moved in both directions."""
        return self.read + self.write

    def energy(self, platform: Platform, end: int, dram: float) -> float:
        """Joules.

        Args:
            platform: The machine that is assumed.
            end: 0, 1 or 2 for the low, nominal or high end of the NPU's MAC energy and traffic.
            dram: Joules for each byte of DRAM traffic.
        """
        return (
            self.npu_macs * platform.npu_mac_energy.ends[end]
            + self.cpu_macs * platform.cpu_mac_energy
            + self.cpu_operations * platform.cpu_operation_energy
            + self.dram_bytes.ends[end] * dram
        )


def total(parts: Iterable[Part]) -> Part:
    """The whole of which these are the parts."""
    return sum(parts, Part())


def on_cpu(work: Kernel, platform: Platform) -> Part:
    """A kernel: the slower of arithmetic at the assumed utilization and memory."""
    return Part(
        read=Range.exactly(work.read_bytes),
        write=Range.exactly(work.write_bytes),
        seconds=work.seconds(platform),
        cpu_macs=work.macs,
        cpu_operations=work.operations,
    )


def invocation(transferred: int, platform: Platform) -> Part:
    """One call of a partition.

    Args:
        transferred: Bytes of the tensors that go in and come out. TVM copies each between its own
            buffer and the driver's (src/runtime/contrib/ethosn/ethosn_device.cc): one read, one write.
        platform: The machine that is assumed.
    """
    copies = Range.exactly(2 * transferred / platform.dram_bandwidth)
    moved = Range.exactly(transferred)
    return Part(read=moved, write=moved, seconds=platform.invocation + copies)


def on_npu(scenarios: Sequence[Sequence[PassCost]], platform: Platform) -> Part:
    """Passes of an operator.

    Args:
        scenarios: The same passes with the nominal, the least and the most DRAM traffic.
        platform: The machine that is assumed.
    """
    kept = 1 - platform.weight_saving
    read = [sum(p.input.total + p.weights.total * kept for p in passes) for passes in scenarios]
    write = [sum(p.output.total for p in passes) for passes in scenarios]
    seconds = [sum(pass_seconds(p, platform) for p in passes) for passes in scenarios]
    return Part(
        mce_cycles=sum(p.mce_cycles for p in scenarios[0]),
        read=Range.around(*read),
        write=Range.around(*write),
        seconds=Range.around(*seconds),
    )


def pass_seconds(cost: PassCost, platform: Platform) -> float:
    """Time of one pass (rules 7.2): what moves alone, then the slowest of what happens together.

    Cycles = alone / b + max(beside / b, MCE cycles, overhead x stripes), with b bytes per cycle. Where
    DMA blocks the engines (a stream in stripes of which nothing moves beside them), the engines' cycles
    are added to those of the DMA instead.
    """
    if cost.joined:
        return 0.0
    per_cycle = platform.dram_bandwidth / platform.clock
    shares = (1.0, 1.0, 1 - platform.weight_saving)
    pairs = list(zip(cost.streams, shares, strict=True))
    alone = sum(stream.alone * share for stream, share in pairs) / per_cycle
    beside = sum(stream.beside * share for stream, share in pairs) / per_cycle
    working = max(
        cost.mce_cycles, platform.stripe_overhead * max(stream.stripes for stream in cost.streams)
    )
    blocked = any(s.stripes > 1 and s.alone > 0 and s.beside == 0 for s in cost.streams)
    together = beside + cost.mce_cycles if blocked and beside > working else max(beside, working)
    return (alone + together) / platform.clock
