"""What is to be analyzed, as a plain value that can travel to another process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.run.limits import DEFAULT_LIMITS, Limits
from pytest_npu_compat.target.base import Target
from pytest_npu_compat.target.profile.declaration import Profile
from pytest_npu_compat.target.registry import make_target

__all__ = ["AnalysisRequest", "AssumedQuantization"]

AssumedQuantization: TypeAlias = Literal["assume-int8"]
"""What `AnalysisRequest.quantization` can say."""


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
        profile: Declares the target, if it is one that the user declares.
        inputs: Shapes that pin the dimensions of graph inputs, as (name, shape) pairs.
        quantization: ``assume-int8`` to judge a float model as if it had been quantized; None to
            judge the model as it is.
        estimate: Whether the report estimates time, DRAM traffic and energy.
        platform: The machine that estimates assume.
        limits: What the analysis may use. They are no part of what it finds.

    Raises:
        ValueError: There is no such `quantization`.
    """

    model: str
    name: str
    shown_path: str
    target: str = "ethos-n78"
    variant: str | None = None
    options: tuple[tuple[str, bool | int], ...] = ()
    profile: Profile | None = None
    inputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    quantization: str | None = None
    estimate: bool = False
    platform: Platform = field(default_factory=Platform)
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        known = get_args(AssumedQuantization)
        if self.quantization is not None and self.quantization not in known:
            raise ValueError(
                f"quantization {self.quantization!r} is not known; it can be {known[0]!r}"
            )

    def make_target(self) -> Target:
        """The target to place operators on.

        Raises:
            TargetError: There is no such target, variant or option.
        """
        return make_target(self.target, self.variant, dict(self.options), self.profile)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AnalysisRequest:
        """The inverse of `to_dict`, also after a trip through JSON."""
        fields = dict(data)
        fields["options"] = tuple((str(k), v) for k, v in data["options"])
        fields["inputs"] = tuple((str(k), tuple(v)) for k, v in data["inputs"])
        fields["limits"] = Limits(**data["limits"])
        if data.get("profile"):
            fields["profile"] = Profile.from_dict(data["profile"])
        if "platform" in fields:
            fields["platform"] = Platform.from_dict(fields["platform"])
        return cls(**fields)
