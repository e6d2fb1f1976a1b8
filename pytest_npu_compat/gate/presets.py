"""Thresholds to start from: `npu-compat init --preset NAME` prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["PRESETS", "preset_text"]

PRESETS: Mapping[str, Mapping[str, str | int]] = MappingProxyType(
    {
        "recommended": {
            "npu_ratio": ">= 96%",
            "npu_mac_ratio": ">= 99%",
            "npu_partitions": "<= 4",
            "cpu_qdq_pairs": 0,
            "unknown_operators": 0,
            "hazards": 0,
        },
        "strict": {
            "npu_ratio": ">= 100%",
            "npu_mac_ratio": ">= 100%",
            "npu_partitions": 1,
            "qdq_pairs": 0,
            "unknown_operators": 0,
            "hazards": 0,
        },
    }
)
"""Name -> thresholds in the gate file's short form."""


def preset_text(name: str) -> str:
    """A preset as the `thresholds:` of a gate file."""
    return "\n".join(
        ["thresholds:", *(f"  {metric}: {json.dumps(v)}" for metric, v in PRESETS[name].items())]
    )
