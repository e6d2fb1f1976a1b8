"""The report: one analysis of one model on one target, as plain immutable values and as JSON."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pytest_npu_compat.analysis.checked import checked
from pytest_npu_compat.analysis.costs import Assumption, Cost, EstimateInfo

__all__ = [
    "ASSUMED_INT8",
    "SCHEMA_VERSION",
    "Conversion",
    "ErrorInfo",
    "HazardInfo",
    "MetricValue",
    "ModelInfo",
    "OperatorInfo",
    "PartitionInfo",
    "Reason",
    "Report",
    "TargetInfo",
    "ToolInfo",
]

SCHEMA_VERSION = "1.1"

ASSUMED_INT8 = "assumed-int8"
"""`ModelInfo.quantization` of a float model that was judged as if it had been quantized."""

Part = TypeVar("Part")


@dataclass(frozen=True)
class ToolInfo:
    """Versions of what made the report."""

    version: str
    tvm: str
    onnx: str
    rules: str


@dataclass(frozen=True)
class ModelInfo:
    """The model file.

    Attributes:
        name: Name of the model, its file name without suffix unless the gate file says otherwise.
        path: As given by the user.
        format: ``onnx``.
        sha256: Of the file; empty if it could not be read.
        opset: Version of ONNX's operator set; None if it could not be read.
        quantization: ``qdq``, ``qoperator`` or ``none``; ``assumed-int8`` for a float model that was
            judged as if it had been quantized.
        nodes: Number of nodes in the file.
        operators: Number of operators.
        macs: Multiply-accumulates of one inference.
        inputs: Shapes that pin open dimensions, by input name.
    """

    name: str
    path: str
    format: str = "onnx"
    sha256: str = ""
    opset: int | None = None
    quantization: str = "none"
    nodes: int = 0
    operators: int = 0
    macs: int = 0
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class TargetInfo:
    """What the model was placed on.

    Attributes:
        name: E.g. ``ethos-n78``.
        variant: E.g. ``4tops-4ple``; empty for a target without variants.
        options: Options that the gate file sets.
    """

    name: str
    variant: str
    options: Mapping[str, bool | int] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """``ethos-n78:4tops-4ple``, or the name alone."""
        return f"{self.name}:{self.variant}" if self.variant else self.name


@dataclass(frozen=True)
class ErrorInfo:
    """Why a model could not be analyzed: a code of the closed list in `model/errors.py`."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class MetricValue:
    """A metric's value; a ratio also carries what was divided.

    Attributes:
        value: The value in `unit`.
        unit: ``ratio``, ``count``, ``bytes``, ``ms`` or ``x`` (times).
        numerator: Of a ratio, else None.
        denominator: Of a ratio, else None.
        low: Low end of an estimate, whose nominal value is `value`; else None.
        high: High end of an estimate, else None.
    """

    value: float
    unit: str
    numerator: int | None = None
    denominator: int | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Reason:
    """Why an operator is not on the NPU."""

    rule: str
    message: str
    actual: str
    allowed: str | None
    remedy: str


@dataclass(frozen=True)
class HazardInfo:
    """What the real stack does wrong with an operator that it takes."""

    rule: str
    message: str
    actual: str
    remedy: str


@dataclass(frozen=True)
class OperatorInfo:
    """One operator of the model.

    Attributes:
        name: Name of its node in the user's file.
        kind: ONNX operator type.
        nodes: Names of its nodes, an absorbed activation included.
        supported: The target's verdict on the operator alone: True, False or ``"estimate-only"``.
        placement: ``npu``, ``cpu`` or ``unknown``: where it ends up after regions are formed.
        partition: Id of its partition, None on the CPU.
        composite: Name of the (first) composite that takes it.
        macs: Multiply-accumulates of one inference.
        output_shape: As in the file; None for unknown dimensions.
        reasons: Why it is not on the NPU; empty if it is.
        hazards: What the real stack does wrong with it.
        attributes: What shapes it, in words: ``kernel`` -> ``3x3``.
        estimate: What it costs; None unless estimates were asked for.
    """

    name: str
    kind: str
    nodes: tuple[str, ...]
    supported: bool | str
    placement: str
    partition: int | None
    composite: str | None
    macs: int
    output_shape: tuple[int | None, ...]
    reasons: tuple[Reason, ...] = ()
    hazards: tuple[HazardInfo, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    estimate: Cost | None = None


@dataclass(frozen=True)
class PartitionInfo:
    """One call from CPU to NPU.

    Attributes:
        id: Position in the order of execution.
        operators: Names of the operators it runs (or of which it runs a part).
        macs: Multiply-accumulates of its operators.
        inputs: Number of tensors that go in, constants not counted.
        outputs: Number of tensors that come out.
        input_bytes: Size of the tensors that go in.
        output_bytes: Size of the tensors that come out.
        estimate: What calling it costs, without the work of its operators: the invocation and the copies
            of its tensors; None unless estimates were asked for.
    """

    id: int
    operators: tuple[str, ...]
    macs: int
    inputs: int
    outputs: int
    input_bytes: int
    output_bytes: int
    estimate: Cost | None = None


@dataclass(frozen=True)
class Conversion:
    """A dequantize -> float operator(s) -> quantize island in the integer graph.

    Attributes:
        nodes: Names of its nodes in the user's file.
        operator: Name of its (first) float operator.
        placement: ``npu`` if all of it runs there, else ``cpu``.
        calls: Number of IR operators it consists of.
    """

    nodes: tuple[str, ...]
    operator: str
    placement: str
    calls: int


@dataclass(frozen=True)
class Report:
    """One analysis of one model on one target.

    Attributes:
        status: ``analyzed`` or ``not_analyzable``; in the latter case `metrics` is empty.
        error: Why it is not analyzable, else None.
        estimate: What is estimated of the model as a whole; None unless asked for.
        platform: The assumptions of the estimates by name; empty unless asked for.
    """

    tool: ToolInfo
    model: ModelInfo
    target: TargetInfo
    status: str
    error: ErrorInfo | None = None
    metrics: Mapping[str, MetricValue] = field(default_factory=dict)
    operators: tuple[OperatorInfo, ...] = ()
    partitions: tuple[PartitionInfo, ...] = ()
    qdq_pairs: tuple[Conversion, ...] = ()
    estimate: EstimateInfo | None = None
    platform: Mapping[str, Assumption] = field(default_factory=dict)
    schema_version: str = SCHEMA_VERSION

    @property
    def analyzed(self) -> bool:
        """Whether there is anything to judge."""
        return self.status == "analyzed"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able values in the public layout: the same report gives the same bytes."""
        data: dict[str, Any] = {
            "schema_version": self.schema_version,
            "tool": dataclasses.asdict(self.tool),
            "model": _plain(dataclasses.asdict(self.model)),
            "target": dataclasses.asdict(self.target),
            "status": self.status,
            "error": dataclasses.asdict(self.error) if self.error else None,
            "metrics": {
                name: {k: v for k, v in dataclasses.asdict(value).items() if v is not None}
                for name, value in self.metrics.items()
            },
            "operators": [_part(o) for o in self.operators],
            "partitions": [_part(p) for p in self.partitions],
            "conversions": {"qdq_pairs": [_plain(dataclasses.asdict(c)) for c in self.qdq_pairs]},
        }
        if self.estimate is not None:
            data["estimate"] = _plain(dataclasses.asdict(self.estimate))
            data["platform"] = {k: dataclasses.asdict(v) for k, v in self.platform.items()}
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        """The inverse of `to_dict`.

        Raises:
            ValueError: `data` is not a report of this major schema version.
        """
        if not isinstance(data, Mapping):
            raise ValueError(f"not a report: {type(data).__name__}")
        version = str(data.get("schema_version", ""))
        if version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
            raise ValueError(f"report schema {version or 'missing'} is not {SCHEMA_VERSION}")
        try:
            return cls._from_dict(data)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a report: {error}") from error

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Report:
        values = {
            "tool": _read(ToolInfo, data["tool"]),
            "model": _read(ModelInfo, data["model"]),
            "target": _read(TargetInfo, data["target"]),
            "status": data["status"],
            "error": _read(ErrorInfo, data["error"]) if data["error"] else None,
            "metrics": {name: _metric(v) for name, v in data["metrics"].items()},
            "operators": tuple(_operator(o) for o in data["operators"]),
            "partitions": tuple(_read(PartitionInfo, _with_cost(p)) for p in data["partitions"]),
            "qdq_pairs": tuple(_read(Conversion, c) for c in data["conversions"]["qdq_pairs"]),
            "estimate": EstimateInfo.from_dict(data["estimate"]) if "estimate" in data else None,
            "platform": {k: _assumption(v) for k, v in data.get("platform", {}).items()},
            "schema_version": data["schema_version"],
        }
        return checked(cls, values)


def _metric(data: Mapping[str, Any]) -> MetricValue:
    metric = _read(MetricValue, data)
    if not 0 <= metric.value <= sys.float_info.max:  # JSON can also say NaN and Infinity
        raise ValueError("not a report: a metric has no finite value")
    return metric


def _assumption(data: Mapping[str, Any]) -> Assumption:
    constant = _read(Assumption, data)
    for end in (constant.low, constant.nominal, constant.high):
        if not 0 <= end <= sys.float_info.max:
            raise ValueError("not a report: a constant of its estimates has no finite value")
    return constant


def _operator(data: Mapping[str, Any]) -> OperatorInfo:
    reasons = tuple(_read(Reason, reason) for reason in data["reasons"])
    hazards = tuple(_read(HazardInfo, hazard) for hazard in data["hazards"])
    return _read(OperatorInfo, {**_with_cost(data), "reasons": reasons, "hazards": hazards})


def _with_cost(data: Mapping[str, Any]) -> dict[str, Any]:
    cost = data.get("estimate")
    return {**data, "estimate": Cost.from_dict(cost) if cost else None}


def _part(value: OperatorInfo | PartitionInfo) -> dict[str, Any]:
    """An operator or partition; without a key for an estimate that was not asked for."""
    data: dict[str, Any] = _plain(dataclasses.asdict(value))
    if value.estimate is None:
        del data["estimate"]
    return data


def _read(kind: type[Part], data: Mapping[str, Any]) -> Part:
    """A part of a report; fields that a later minor version added are left out."""
    return checked(kind, {key: _frozen(value) for key, value in data.items()})


def _frozen(value: Any) -> Any:
    """Lists as tuples, all the way down."""
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return value
