"""The seven variants of Ethos-N78 and what distinguishes them.

Source: Arm Ethos-N driver stack 23.02, support_library/src/CapabilitiesInternal.cpp:21-136 and
Support.cpp:345-402.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

__all__ = ["DEFAULT_VARIANT", "VARIANTS", "Capabilities", "with_sram"]

KIB = 1024

DEFAULT_VARIANT = "4tops-4ple"
"""The part of the report this project began with. (TVM's own default is 1tops-2ple.)"""


@dataclass(frozen=True)
class Capabilities:
    """Hardware of one variant.

    Attributes:
        name: E.g. ``4tops-4ple``.
        engines: Number of compute engines.
        igs_per_engine: Input generators per engine.
        ogs_per_engine: Output generators per engine.
        emcs_per_engine: SRAM controllers per engine.
        sram_bytes: On-chip memory of all engines.
        ple_lanes: Lanes of each engine's post-processing unit.
    """

    name: str
    engines: int
    igs_per_engine: int
    ogs_per_engine: int
    emcs_per_engine: int
    sram_bytes: int
    ple_lanes: int

    @property
    def igs(self) -> int:
        """Input generators of all engines: input channels processed at once."""
        return self.engines * self.igs_per_engine

    @property
    def ogs(self) -> int:
        """Output generators of all engines: output channels processed at once."""
        return self.engines * self.ogs_per_engine

    @property
    def sram_banks(self) -> int:
        """SRAM banks: one per controller."""
        return self.engines * self.emcs_per_engine

    @property
    def sram_bytes_per_bank(self) -> int:
        """SRAM behind one controller."""
        return self.sram_bytes // self.sram_banks

    @property
    def macs_per_cycle(self) -> int:
        """Multiply-accumulates per clock: 8 MAC units for each pair of input and output generator."""
        return self.igs * self.ogs * 8

    @property
    def max_channels(self) -> int:
        """Deepest tensor whose width exceeds 1: 64 bytes per channel must fit in the SRAM."""
        return self.sram_bytes // 64


def with_sram(npu: Capabilities, sram_bytes: int) -> Capabilities:
    """A variant with another SRAM size (CapabilitiesInternal.cpp:72-101).

    Args:
        npu: The variant.
        sram_bytes: Of all banks together; 0 keeps the variant's own.

    Raises:
        ValueError: The library does not accept the size.
    """
    if sram_bytes == 0:
        return npu
    per_bank = sram_bytes / npu.igs
    regular = 32 * KIB <= per_bank <= 128 * KIB and per_bank % (16 * KIB) == 0
    if not regular and per_bank not in (56 * KIB, 256 * KIB):
        raise ValueError(
            f"sram_size {sram_bytes} gives {per_bank / KIB:g} KiB per bank on {npu.name}; accepted are "
            "32 to 128 KiB in steps of 16, 56 and 256 KiB"
        )
    return replace(npu, sram_bytes=sram_bytes)


def _variant(
    name: str, engines: int, igs: int, ogs: int, emcs: int, sram_kib: int, lanes: int
) -> tuple[str, Capabilities]:
    return name, Capabilities(name, engines, igs, ogs, emcs, sram_kib * KIB, lanes)


VARIANTS: Mapping[str, Capabilities] = MappingProxyType(
    dict(
        [
            _variant("1tops-2ple", 2, 4, 4, 4, 448, 1),
            _variant("1tops-4ple", 2, 4, 4, 4, 448, 2),
            _variant("2tops-2ple", 4, 2, 4, 2, 768, 1),
            _variant("2tops-4ple", 4, 2, 4, 2, 768, 2),
            _variant("4tops-2ple", 4, 4, 4, 4, 1024, 2),
            _variant("4tops-4ple", 8, 2, 2, 2, 1024, 2),
            _variant("8tops-2ple", 8, 2, 4, 2, 2048, 2),
        ]
    )
)
