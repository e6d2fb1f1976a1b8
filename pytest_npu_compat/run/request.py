"""What is to be analyzed, as a plain value that can travel to another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_npu_compat.analysis.platform import Platform

__all__ = ["AnalysisRequest"]


@dataclass(frozen=True)
class AnalysisRequest:
    """One model on one target.

    Attributes:
        model: Path of the model file, absolute or relative to the working directory.
        name: Name of the model in reports.
        shown_path: The path as the user wrote it, for reports.
        target: Name of the target.
        variant: Variant of the target; its default if None.
        options: Options of the target.
        inputs: Shapes that pin the dimensions of graph inputs, as (name, shape) pairs.
        estimate: Whether the report estimates time, DRAM traffic and energy.
        platform: The machine that estimates assume.
    """

    model: str
    name: str
    shown_path: str
    target: str = "ethos-n78"
    variant: str | None = None
    options: tuple[tuple[str, bool | int], ...] = ()
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    estimate: bool = False
    platform: Platform = field(default_factory=Platform)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AnalysisRequest:
        """The inverse of `to_dict`, also after a trip through JSON."""
        fields = dict(data)
        fields["options"] = tuple((str(k), v) for k, v in data["options"])
        fields["inputs"] = tuple((str(k), tuple(v)) for k, v in data["inputs"])
        if "platform" in fields:
            fields["platform"] = Platform.from_dict(fields["platform"])
        return cls(**fields)
