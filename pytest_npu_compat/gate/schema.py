"""The typed gate file. Its pydantic models are also the source of the published JSON Schema."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from pytest_npu_compat.run.limits import DEFAULT_LIMITS, parse_memory, parse_timeout
from pytest_npu_compat.run.request import AssumedQuantization

__all__ = [
    "GateFile",
    "LimitsEntry",
    "LongThreshold",
    "ModelEntry",
    "PlatformEntry",
    "TargetEntry",
    "WaiverEntry",
]

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\[\]:\s]+$")]
PathText = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Dimension = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]

Quantity = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^\s*[0-9.]+\s*[A-Za-zµ%/]+\s*$"})
]
"""A number with its unit; `gate/platform.py` reads it."""


Timeout = Annotated[
    float,
    BeforeValidator(parse_timeout),
    WithJsonSchema(
        {"type": "string", "pattern": r"^[0-9.]+ *(ms|s|min|h)$", "examples": ["120 s"]}
    ),
]
Memory = Annotated[
    int | None,
    BeforeValidator(parse_memory),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+ *[GM]i?B$", "examples": ["4 GB"]}),
]


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
        max_drop: Of metrics that are better high: the largest drop from the baseline, e.g. ``0.5pp``.
        max_rise: Of metrics that are better low: the largest rise from the baseline, e.g. ``2``.
        allow: Of ``cpu_operators`` alone: the only kinds that may run on the CPU.
        deny: Of ``cpu_operators`` alone: kinds that may not.
        severity: ``error`` fails, ``warn`` reports, ``off`` removes an inherited check.
    """

    min: str | int | float | None = None
    max: str | int | float | None = None
    exactly: str | int | float | None = None
    max_drop: str | int | float | None = None
    max_rise: str | int | float | None = None
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
        thresholds: Override those of the file and of models, on this target.
        backend: Name of one of TVM's own backends. Reserved: no backend can be judged yet.
        profile: Path of a target declared in YAML. Reserved: no profile can be judged yet.
    """

    variant: str | None = None
    inline_non_compute_intensive_partitions: bool = True
    sram_size: Annotated[int, Field(strict=True, ge=0)] = 0
    thresholds: dict[str, ThresholdText] = Field(default_factory=dict)
    backend: str | None = None
    profile: str | None = None


class QuantityRange(_Closed):
    """A constant that is not known well.

    Attributes:
        low: Low end.
        nominal: What nominal estimates use.
        high: High end.
    """

    low: Quantity
    nominal: Quantity
    high: Quantity


class PlatformEntry(_Closed):
    """The machine that estimates assume; what is left out keeps its default.

    Attributes:
        clock: Of the NPU, e.g. ``1.25 GHz``.
        dram_bandwidth: Of CPU and NPU together, e.g. ``12 GB/s``.
        stripe_overhead: For each stripe of a pass, e.g. ``10000 cycles``.
        weight_saving: By weight compression, e.g. ``20%``.
        invocation: Time of calling a partition, e.g. ``100 us``.
        cpu_cores: E.g. ``4 cores``.
        cpu_clock: E.g. ``2 GHz``.
        cpu_int8_macs: Of one core, e.g. ``32 MAC/cycle``.
        cpu_operations: On 32-bit values, of one core, e.g. ``8 op/cycle``.
        cpu_utilization: Part of the CPU's peak that kernels reach, e.g. ``50%``.
        npu_mac_energy: E.g. ``0.5 pJ``.
        cpu_mac_energy: E.g. ``4.6 pJ``.
        cpu_operation_energy: E.g. ``22 pJ``.
        dram_energy: E.g. ``244 pJ/B``.
    """

    clock: Quantity | None = None
    dram_bandwidth: Quantity | None = None
    stripe_overhead: Quantity | None = None
    weight_saving: Quantity | None = None
    invocation: Quantity | QuantityRange | None = None
    cpu_cores: Quantity | None = None
    cpu_clock: Quantity | None = None
    cpu_int8_macs: Quantity | None = None
    cpu_operations: Quantity | None = None
    cpu_utilization: Quantity | QuantityRange | None = None
    npu_mac_energy: Quantity | QuantityRange | None = None
    cpu_mac_energy: Quantity | None = None
    cpu_operation_energy: Quantity | None = None
    dram_energy: Quantity | QuantityRange | None = None


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
        name: Name in test ids; the file name without suffix if left out.
        targets: Names of the targets to judge it on; all of the file if left out.
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


class LimitsEntry(_Closed):
    """What each analysis may use.

    Attributes:
        timeout: For one model on one target, e.g. ``120 s`` or ``5 min``.
        memory: Of the analysis process, e.g. ``4 GB``; no limit if left out.
    """

    timeout: Timeout = Field(default_factory=lambda: DEFAULT_LIMITS.timeout)
    memory: Memory = Field(default_factory=lambda: DEFAULT_LIMITS.memory)


class GateFile(_Closed):
    """A gate file.

    Attributes:
        version: Of this format.
        target: Name of the only target, optionally with ``:variant``.
        targets: Several targets by name.
        baseline: File with the reports of an accepted state, relative to the gate file's directory.
        thresholds: Hold for every model unless overridden.
        platform: The machine that estimates assume.
        models: Paths, globs or entries.
        limits: What each analysis may use.
    """

    version: Annotated[Literal[1], BeforeValidator(_whole)]
    target: Annotated[str, StringConstraints(min_length=1)] | None = None
    targets: dict[Name, TargetEntry | None] | None = Field(default=None, min_length=1)
    baseline: PathText | None = None
    thresholds: dict[str, ThresholdText] = Field(default_factory=dict)
    platform: PlatformEntry | None = None
    models: list[PathText | ModelEntry] = Field(min_length=1)
    limits: LimitsEntry = Field(default_factory=LimitsEntry)
