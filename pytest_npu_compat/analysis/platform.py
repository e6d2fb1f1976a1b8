"""The machine that estimates assume: every constant of the model with its unit and its source.

`docs/estimates.md` explains how they are used. A gate file overrides them under ``platform:``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_npu_compat.analysis.costs import Assumption, Range

__all__ = ["Platform"]

_LIBRARY = (
    "Arm Ethos-N driver stack 23.02, support_library/src/cascading/EstimationUtils.cpp:471-535"
)
_HOROWITZ = "M. Horowitz, Computing's Energy Problem, ISSCC 2014, pp. 10-14 (45 nm, 0.9 V)"
_A76 = "Arm Cortex-A76 Software Optimization Guide: two 128-bit ASIMD pipelines"


def _about(unit: str, meaning: str, source: str) -> dict[str, str]:
    return {"unit": unit, "meaning": meaning, "source": source}


@dataclass(frozen=True)
class Platform:
    """The constants of the model. Unit, meaning and source of each are in its field's metadata."""

    clock: float = field(default=1.25e9, metadata=_about("Hz", "Clock of the NPU", _LIBRARY))
    dram_bandwidth: float = field(
        default=12e9,
        metadata=_about("B/s", "Bandwidth of the DRAM that CPU and NPU share", _LIBRARY),
    )
    stripe_overhead: float = field(
        default=10_000,
        metadata=_about("cycles", "Software overhead of each stripe of a pass", _LIBRARY),
    )
    weight_saving: float = field(
        default=0.0,
        metadata=_about(
            "ratio",
            "Part of the encoded weights that compression saves",
            "assumption: weights without zeros, as the library's estimator assumes by default",
        ),
    )
    invocation: Range = field(
        default=Range(20e-6, 100e-6, 500e-6),
        metadata=_about(
            "s",
            "Time from the CPU's call of a partition to its return, without the work itself",
            "assumption: one to several trips through a kernel driver, its queue and an interrupt",
        ),
    )
    cpu_cores: float = field(
        default=4, metadata=_about("cores", "Cores of the CPU", "assumption: a quad-core cluster")
    )
    cpu_clock: float = field(
        default=2e9,
        metadata=_about("Hz", "Clock of the CPU", "assumption: a mid-range application processor"),
    )
    cpu_int8_macs: float = field(
        default=32,
        metadata=_about(
            "MAC/cycle",
            "8-bit multiply-accumulates of one core per cycle",
            f"{_A76}, 16 MACs for each SDOT or UDOT",
        ),
    )
    cpu_operations: float = field(
        default=8,
        metadata=_about(
            "op/cycle",
            "32-bit operations of one core per cycle, a float multiply-accumulate being one",
            f"{_A76}, 4 lanes each",
        ),
    )
    cpu_utilization: Range = field(
        default=Range(0.25, 0.5, 0.8),
        metadata=_about(
            "ratio",
            "Part of the CPU's peak that kernels reach",
            "assumption: thin and depthwise layers at the low end, large matrix products at the high end",
        ),
    )
    npu_mac_energy: Range = field(
        default=Range(0.23e-12, 0.5e-12, 1.0e-12),
        metadata=_about(
            "J",
            "Energy of an 8-bit multiply-accumulate on the NPU, its share of SRAM accesses included",
            f"{_HOROWITZ}: multiply 0.2 pJ + add 0.03 pJ; high end with 100 pJ for 8 bytes of a 1 MB "
            "SRAM, each byte used 16 times; nominal in between",
        ),
    )
    cpu_mac_energy: float = field(
        default=4.6e-12,
        metadata=_about(
            "J",
            "Energy of an 8-bit multiply-accumulate on the CPU",
            f"{_HOROWITZ}: 70 pJ for each instruction of 16 MACs + 0.23 pJ",
        ),
    )
    cpu_operation_energy: float = field(
        default=22e-12,
        metadata=_about(
            "J",
            "Energy of a 32-bit operation on the CPU",
            f"{_HOROWITZ}: 70 pJ for each instruction of 4 lanes + 4.6 pJ for a float multiply and add",
        ),
    )
    dram_energy: Range = field(
        default=Range(163e-12, 244e-12, 325e-12),
        metadata=_about(
            "J/B",
            "Energy of moving a byte from or to DRAM",
            f"{_HOROWITZ}: 1.3 to 2.6 nJ for 64 bits",
        ),
    )

    def assumptions(self) -> dict[str, Assumption]:
        """All constants by name, as reports show them."""
        found = {}
        for constant in dataclasses.fields(self):
            value = getattr(self, constant.name)
            ends = value if isinstance(value, Range) else Range.exactly(value)
            found[constant.name] = Assumption(
                ends.low, ends.nominal, ends.high, **constant.metadata
            )
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Platform:
        """The inverse of `dataclasses.asdict`."""
        values: dict[str, Any] = {
            name: Range(**value) if isinstance(value, Mapping) else value
            for name, value in data.items()
        }
        return cls(**values)
