"""The typed gate file. Its pydantic models are also the source of the published JSON Schema."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from pytest_npu_compat.run.request import AssumedQuantization

__all__ = ["GateFile", "LongThreshold", "ModelEntry", "TargetEntry"]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\[\]:\s]+$")]
PathText = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Dimension = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]


def _off(value: Any) -> Any:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


def _whole(value: Any) -> Any:
    """1.0 and true equal 1, and are not what a version looks like."""
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


def _date(value: Any) -> date:
    try:
        if type(value) is date:
            return value
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("A waiver ends on a day, written as 2027-01-31") from None


def _reason(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("A waiver needs a reason in words")
    return value.strip()


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LongThreshold(_Closed):
    """A threshold in long form.

    Attributes:
        min: Floor, e.g. ``96%``.
        max: Ceiling, e.g. ``3``.
        exactly: The only value that passes.
        allow: Of ``cpu_operators`` alone: the only kinds that may run on the CPU.
        deny: Of ``cpu_operators`` alone: kinds that may not.
        severity: ``error`` fails, ``warn`` reports, ``off`` removes an inherited check.
    """

    min: str | int | float | None = None
    max: str | int | float | None = None
    exactly: str | int | float | None = None
    allow: list[str] | None = None
    deny: list[str] | None = None
    severity: Annotated[Literal["error", "warn", "off"], BeforeValidator(_off)] = "error"


ThresholdText = str | int | float | LongThreshold


class TargetEntry(_Closed):
    """A target with its variant and options.

    Attributes:
        variant: E.g. ``4tops-4ple``.
        inline_non_compute_intensive_partitions: Whether a region without multiply-accumulates goes
            back to the CPU.
        sram_size: Bytes of SRAM instead of the variant's own; 0 keeps them.
        backend: Name of one of TVM's own backends. Reserved: no backend can be judged yet.
        profile: Path of a target declared in YAML. Reserved: no profile can be judged yet.
    """

    variant: str | None = None
    inline_non_compute_intensive_partitions: bool = True
    sram_size: Annotated[int, Field(strict=True, ge=0)] = 0
    backend: str | None = None
    profile: str | None = None


class WaiverEntry(_Closed):
    """An excuse for a failing check.

    Attributes:
        check: Name of the metric.
        until: The first day on which it excuses nothing any more.
        reason: Why the check may fail until then.
    """

    check: str
    until: Annotated[date, BeforeValidator(_date)]
    reason: Annotated[str, BeforeValidator(_reason)]


class ModelEntry(_Closed):
    """One model, or all models that a glob matches.

    Attributes:
        path: Path or glob, relative to the gate file's directory.
        name: Name in test ids; the file name without suffix if None.
        targets: Names of the targets to judge it on; all of the file if None.
        inputs: Shapes that pin dynamic dimensions, by input name.
        quantization: ``assume-int8`` to judge a float model as if it had been quantized.
        thresholds: Override or add to the file's thresholds.
        waivers: Excuses for failing checks.
    """

    path: PathText
    name: Name | None = None
    targets: list[Name] | None = Field(default=None, min_length=1)
    inputs: dict[str, list[Dimension]] = Field(default_factory=dict)
    quantization: AssumedQuantization | None = None
    thresholds: dict[str, ThresholdText] = Field(default_factory=dict)
    waivers: list[WaiverEntry] = Field(default_factory=list)


class GateFile(_Closed):
    """A gate file.

    Attributes:
        version: Of this format.
        target: Name of the only target, optionally with ``:variant``.
        targets: Several targets by name.
        thresholds: Hold for every model unless overridden.
        models: Paths, globs or entries.
    """

    version: Annotated[Literal[1], BeforeValidator(_whole)]
    target: Annotated[str, StringConstraints(min_length=1)] | None = None
    targets: dict[Name, TargetEntry | None] | None = Field(default=None, min_length=1)
    thresholds: dict[str, ThresholdText] = Field(default_factory=dict)
    models: list[PathText | ModelEntry] = Field(min_length=1)
