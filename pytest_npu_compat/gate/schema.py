"""The typed gate file. Its pydantic models are also the source of the published JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

from pytest_npu_compat.gate.platform import QUANTITY
from pytest_npu_compat.run.limits import (
    BYTES,
    DEFAULT_LIMITS,
    NUMBER,
    SECONDS,
    parse_memory,
    parse_timeout,
)
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


def _integral(value: Any) -> Any:
    """JSON, and so its schemas, cannot tell 1.0 from 1."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Dimension = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1), BeforeValidator(_integral)]

Quantity = Annotated[
    str, WithJsonSchema({"type": "string", "maxLength": 60, "pattern": f"^{QUANTITY}$"})
]
"""A number with its unit; `gate/platform.py` reads it."""


def _quantity(units: Iterable[str], example: str) -> WithJsonSchema:
    pattern = rf"^\s*{NUMBER}\s*({'|'.join(units)})\s*$"
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": [example]})


Timeout = Annotated[float, BeforeValidator(parse_timeout), _quantity(SECONDS, "120 s")]
Memory = Annotated[int | None, BeforeValidator(parse_memory), _quantity(BYTES, "4 GB")]


def _off(value: Any) -> Any:
    """YAML reads a bare ``off`` as false."""
    return "off" if value is False else value


def _whole(value: Any) -> Any:
    """1.0 and true equal 1, and are not what a version looks like."""
    if type(value) is not int:
        raise ValueError("not a whole number")
    return value


_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
"""Newer Pythons read further forms as dates, such as that of a week."""


def _date(value: Any) -> date:
    try:
        if type(value) is date:
            return value
        if not re.fullmatch(_DAY, value):
            raise ValueError(value)
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("A waiver ends on a day, written as 2027-01-31") from None


def _reason(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("A waiver needs a reason in words")
    return value.strip()


class _Written:
    """Marks a key that has a value wherever it is written; None only says that it was left out."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_before_validator_function(self._refuse_none, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        schema = handler(core)
        choices = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
        return {"anyOf": choices} if len(choices) > 1 else choices[0]

    @staticmethod
    def _refuse_none(value: Any) -> Any:
        if value is None:
            raise ValueError("The value is missing")
        return value


_WRITTEN = _Written()
Limit = Annotated[str | int | float | None, _WRITTEN]
LoneQuantity = Annotated[Quantity | None, _WRITTEN]


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


_KINDS = {"type": "array", "items": {"type": "string", "minLength": 1}}
"""What `gate/kinds.py` says more of in its errors."""


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

    min: Limit = None
    max: Limit = None
    exactly: Limit = None
    max_drop: Limit = None
    max_rise: Limit = None
    allow: Annotated[list[str] | None, _WRITTEN, WithJsonSchema(_KINDS)] = None
    deny: Annotated[list[str] | None, _WRITTEN, WithJsonSchema({**_KINDS, "minItems": 1})] = None
    severity: Annotated[
        Literal["error", "warn", "off"],
        BeforeValidator(_off),
        WithJsonSchema({"enum": ["error", "warn", "off", False]}),
    ] = "error"


ThresholdText = str | int | float | LongThreshold | Literal[False]
"""False is how YAML reads a bare ``off``."""


class TargetEntry(_Closed):
    """A target with its variant and options.

    Attributes:
        variant: E.g. ``4tops-4ple``.
        inline_non_compute_intensive_partitions: Whether a region without multiply-accumulates goes
            back to the CPU.
        sram_size: Bytes of SRAM instead of the variant's own; 0 keeps them.
        thresholds: Override those of the file and of models, on this target.
        backend: What the target is, if the name is not: one that ``npu-compat targets`` lists, e.g.
            ``nnapi``.
        profile: Path of the file that declares the target, relative to the gate file's directory.
    """

    variant: str | None = None
    inline_non_compute_intensive_partitions: StrictBool = True
    sram_size: Annotated[int, Field(strict=True, ge=0), BeforeValidator(_integral)] = 0
    thresholds: dict[str, ThresholdText] = Field(default_factory=dict)
    backend: str | None = None
    profile: PathText | None = None


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


RangedQuantity = Annotated[Quantity | QuantityRange | None, _WRITTEN]


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

    clock: LoneQuantity = None
    dram_bandwidth: LoneQuantity = None
    stripe_overhead: LoneQuantity = None
    weight_saving: LoneQuantity = None
    invocation: RangedQuantity = None
    cpu_cores: LoneQuantity = None
    cpu_clock: LoneQuantity = None
    cpu_int8_macs: LoneQuantity = None
    cpu_operations: LoneQuantity = None
    cpu_utilization: RangedQuantity = None
    npu_mac_energy: RangedQuantity = None
    cpu_mac_energy: LoneQuantity = None
    cpu_operation_energy: LoneQuantity = None
    dram_energy: RangedQuantity = None


class WaiverEntry(_Closed):
    """An excuse for a failing check.

    Attributes:
        check: Name of the metric.
        until: The first day on which it excuses nothing any more.
        reason: Why the check may fail until then.
    """

    check: str
    until: Annotated[
        date,
        BeforeValidator(_date),
        WithJsonSchema({"type": "string", "format": "date", "pattern": f"^{_DAY}$"}),
    ]
    reason: Annotated[
        str, BeforeValidator(_reason), WithJsonSchema({"type": "string", "pattern": r"\S"})
    ]


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
