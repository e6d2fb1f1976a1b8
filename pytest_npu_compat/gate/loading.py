"""Gate file -> checks. Every error names file, line and column, and what to write instead."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.baseline import BaselineError, read_baseline
from pytest_npu_compat.gate.errors import GateError, Position
from pytest_npu_compat.gate.explaining import common_error, nearest, place, telling
from pytest_npu_compat.gate.names import model_name
from pytest_npu_compat.gate.platform import ENDS, PlatformError, parse_platform
from pytest_npu_compat.gate.relocating import relocated
from pytest_npu_compat.gate.schema import (
    GateFile,
    LimitsEntry,
    LongThreshold,
    ModelEntry,
    PlatformEntry,
    TargetEntry,
)
from pytest_npu_compat.gate.targets import read_targets
from pytest_npu_compat.gate.threshold import Threshold, ThresholdError, parse_threshold
from pytest_npu_compat.gate.waiver import Waiver
from pytest_npu_compat.gate.yaml_tree import YamlTree, parse
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.cost import CostModel

__all__ = ["BaselineUse", "Check", "Gate", "ModelChecks", "load", "load_gate"]


BaselineUse = Literal["read", "write", "ignore"]


@dataclass(frozen=True)
class Check:
    """One threshold with its place in the gate file."""

    threshold: Threshold
    line: int
    waiver: Waiver | None = None


@dataclass(frozen=True)
class ModelChecks:
    """What must hold of one model on one target.

    Attributes:
        model: Name of the model.
        target: Name of the target.
        request: What is to be analyzed.
        checks: In the order of the metrics table.
        line: Of the model's entry in the gate file.
    """

    model: str
    target: str
    request: AnalysisRequest
    checks: tuple[Check, ...]
    line: int

    @property
    def id(self) -> str:
        """``detector[ethos-n78]``, as in test ids."""
        return f"{self.model}[{self.target}]"


@dataclass(frozen=True)
class Gate:
    """A gate file, resolved: models found, thresholds merged.

    Attributes:
        path: The file.
        models: What is to be judged, in file order; globs in alphabetical order.
        baseline: The file of the baseline; None without one.
        accepted: Reports of the baseline, by `ModelChecks.id`.
    """

    path: Path
    models: tuple[ModelChecks, ...]
    baseline: Path | None = None
    accepted: Mapping[str, Report] = field(default_factory=dict)


def load(path: Path) -> GateFile:
    """Reads a gate file without looking for its models.

    Raises:
        GateError: It is not a valid gate file.
    """
    return _read(path)[1]


def load_gate(
    path: Path,
    baseline: Path | None = None,
    *,
    use: BaselineUse = "read",
    relocate: Callable[[str], str] | None = None,
) -> Gate:
    """Reads a gate file, finds its models, and reads its baseline.

    Args:
        path: The gate file.
        baseline: Taken instead of the baseline that the file names.
        use: ``write`` if the baseline is about to be written, so that it need not exist; ``ignore``
            if nothing is compared.
        relocate: Path of a model or a profile as written -> what to take instead.

    Raises:
        GateError: It is not a valid gate file, a glob matches nothing, two models share an id, or
            the baseline cannot be used.
    """
    tree, schema = _read(path)
    if relocate is not None:
        schema = relocated(schema, relocate)
    return _Resolver(tree, schema, baseline, use).run()


def _read(path: Path) -> tuple[YamlTree, GateFile]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GateError(path, f"Cannot be read: {error.strerror}.", Position(1, 1)) from error
    tree = parse(path, data)
    if not isinstance(tree.value, dict):
        raise tree.error((), "A gate file is a mapping.", "Start with `version: 1`.")
    try:
        return tree, GateFile.model_validate(tree.value)
    except ValidationError as error:
        raise _schema_error(tree, error) from error


def _schema_error(tree: YamlTree, error: ValidationError) -> GateError:
    detail = telling(error)
    where = place(tree.value, detail["loc"])
    if where == ("version",) and detail["type"] != "missing":
        return tree.error(where, "This version reads gate files of version 1.", "`version: 1`")
    if where == ("models",) and detail["type"] != "missing":
        return tree.error(
            where,
            "This names no models." if not tree.value["models"] else "A list is expected here.",
            "Write, say, `models: [models/detector.onnx]`, with a path, a glob or an entry for each.",
        )
    if detail["type"] not in ("extra_forbidden", "missing") and (
        where[:-1] == ("thresholds",)
        or (where[:1] in (("models",), ("targets",)) and where[2:-1] == ("thresholds",))
    ):
        if where[-1] not in METRICS:
            return _no_metric(tree, where)
        return tree.error(where, f"This is no limit for {where[-1]}.", 'Write, say, ">= 96%" or 3.')
    return common_error(tree, detail, _known_keys)


def _no_metric(tree: YamlTree, where: tuple[Any, ...]) -> GateError:
    name = where[-1]
    return tree.error(
        where, f"There is no metric {name!r}.", nearest(name, list(METRICS)), key=True
    )


def _known_keys(where: tuple[Any, ...]) -> list[str]:
    if len(where) == 1:
        return list(GateFile.model_fields)
    if where[0] == "limits":
        return list(LimitsEntry.model_fields)
    if where[0] == "models" and len(where) == 3:
        return list(ModelEntry.model_fields)
    if where[0] == "targets" and len(where) == 3:
        return list(TargetEntry.model_fields)
    if where[0] == "platform":
        return list(PlatformEntry.model_fields) if len(where) == 2 else list(ENDS)
    return list(LongThreshold.model_fields)


class _Resolver:
    def __init__(
        self, tree: YamlTree, schema: GateFile, baseline: Path | None, use: BaselineUse
    ) -> None:
        self.tree = tree
        self.schema = schema
        self.directory = tree.path.resolve().parent
        own = self.directory / schema.baseline if schema.baseline else None
        self.baseline = baseline or own
        self.use = use
        self.defaults = self._checks(schema.thresholds, ("thresholds",))
        self.targets = read_targets(tree, schema)
        self.target_checks = {
            name: self._checks(target.thresholds, ("targets", name, "thresholds"))
            for name, target in (schema.targets or {}).items()
            if target is not None
        }
        self.platform = self._platform()

    def run(self) -> Gate:
        models: list[ModelChecks] = []
        first: dict[str, int] = {}
        for index, entry in enumerate(self.schema.models):
            where: tuple[Any, ...] = ("models", index)
            for found in self._models(entry, where):
                if found.id in first:
                    raise self.tree.error(
                        where,
                        f"Two models have the id {found.id!r}; the first is in line "
                        f"{first[found.id]}.",
                        "Give one of them a `name:`, or let globs not overlap.",
                    )
                first[found.id] = found.line
                models.append(found)
        return Gate(self.tree.path, tuple(models), self.baseline, self._accepted())

    def _accepted(self) -> dict[str, Report]:
        if self.use == "ignore":
            return {}
        if self.baseline is None and self.use == "write":
            raise self.tree.error(
                ("version",),
                "This gate file names no baseline to update.",
                "Add `baseline: npu-baseline.json`.",
            )
        if self.baseline is None or (self.use == "write" and not self.baseline.exists()):
            return {}
        try:
            return read_baseline(self.baseline)
        except BaselineError as error:
            if self.use == "write" and error.rewritable:
                return {}
            where = ("baseline",) if self.schema.baseline else ("version",)
            raise self.tree.error(where, error.message, error.hint) from error

    def _platform(self) -> Platform:
        entry = self.schema.platform
        if entry is None:
            return Platform()
        try:
            return parse_platform(entry.model_dump(exclude_unset=True))
        except PlatformError as error:
            raise self.tree.error(("platform", *error.key), error.message, error.hint) from error

    def _checks(self, thresholds: dict[str, Any], where: tuple[Any, ...]) -> dict[str, Check]:
        checks = {}
        raw = self._raw(where) if thresholds else {}
        for metric in thresholds:
            place = (*where, metric)
            if metric not in METRICS:
                raise _no_metric(self.tree, place)
            try:
                threshold = parse_threshold(metric, raw[metric])
            except ThresholdError as error:
                raise self.tree.error(place, error.message, error.hint) from error
            if threshold.drift and self.baseline is None and self.use == "read":
                raise self.tree.error(
                    place,
                    "There is no baseline to compare with.",
                    "Add `baseline: npu-baseline.json` and run `pytest --npu-update-baseline`.",
                )
            checks[metric] = Check(threshold, self.tree.position(place, key=True).line)
        return checks

    def _raw(self, where: tuple[Any, ...]) -> Any:
        """The value as written, which pydantic's unions may have converted (0 and false)."""
        value = self.tree.value
        for part in where:
            value = value[part]
        return value

    def _models(self, entry: str | ModelEntry, where: tuple[Any, ...]) -> Iterable[ModelChecks]:
        if isinstance(entry, str):
            entry, path_at = ModelEntry(path=entry), where
        else:
            path_at = (*where, "path")
        own = self._checks(entry.thresholds, (*where, "thresholds"))
        by_target = {
            target: {**self.defaults, **own, **self.target_checks.get(target, {})}
            for target in self._chosen(entry, where)
        }
        self._refuse_estimates(by_target, where)
        if not all(by_target.values()):
            raise self.tree.error(
                where, "Nothing is demanded of this model.", "Add `thresholds:` with a metric."
            )
        paths = self._paths(entry.path, path_at)
        covered = Counter(name for checks in by_target.values() for name in checks)
        covers = {name: count * len(paths) for name, count in covered.items()}
        waivers = self._waivers(entry, covers, where)
        if entry.name is not None and len(paths) > 1:
            raise self.tree.error(
                (*where, "name"),
                f"The glob matches {len(paths)} models, which cannot share a name.",
                "Leave the name out.",
                key=True,
            )
        inputs = tuple((name, tuple(shape)) for name, shape in entry.inputs.items())
        estimate = any(
            METRICS[name].estimated and check.threshold.severity != "off"
            for checks in by_target.values()
            for name, check in checks.items()
        )
        for path in paths:
            name = entry.name or model_name(path)
            for target, checks in by_target.items():
                yield ModelChecks(
                    model=name,
                    target=target,
                    request=replace(
                        self.targets[target],
                        model=str(self.directory / path),
                        name=name,
                        shown_path=path,
                        inputs=inputs,
                        quantization=entry.quantization,
                        limits=Limits(self.schema.limits.timeout, self.schema.limits.memory),
                        estimate=estimate,
                        platform=self.platform if estimate else Platform(),
                    ),
                    checks=tuple(
                        replace(checks[name], waiver=waivers.get(name))
                        for name in METRICS
                        if name in checks
                    ),
                    line=self.tree.position(where).line,
                )

    def _refuse_estimates(
        self, by_target: Mapping[str, Mapping[str, Check]], where: tuple[Any, ...]
    ) -> None:
        """A threshold on a figure that cannot be computed would be red for no fault of the model."""
        for target, checks in by_target.items():
            asked = [
                name
                for name, check in checks.items()
                if METRICS[name].estimated and check.threshold.severity != "off"
            ]
            if asked and not isinstance(self.targets[target].make_target(), CostModel):
                raise self.tree.error(
                    where,
                    f"There are no estimates for the target {target!r}, so no {asked[0]}.",
                    f"Demand it on other targets only, or under `targets: {{{target}: …}}` write "
                    f"`thresholds: {{{asked[0]}: {{severity: off}}}}`.",
                )

    def _waivers(
        self, entry: ModelEntry, covers: Mapping[str, int], where: tuple[Any, ...]
    ) -> dict[str, Waiver]:
        """Waivers by check; `covers` says how many checks of the entry each metric stands for."""
        found: dict[str, Waiver] = {}
        for index, waiver in enumerate(entry.waivers):
            place = (*where, "waivers", index, "check")
            if waiver.check not in covers:
                raise self.tree.error(
                    place,
                    f"This model has no check {waiver.check!r} to waive.",
                    nearest(waiver.check, list(covers)),
                )
            if waiver.check in found:
                raise self.tree.error(
                    place, f"{waiver.check} is waived twice.", "Keep one of the two."
                )
            line = self.tree.position(place).line
            found[waiver.check] = Waiver(
                waiver.check, waiver.until, waiver.reason, line, covers[waiver.check]
            )
        return found

    def _chosen(self, entry: ModelEntry, where: tuple[Any, ...]) -> Sequence[str]:
        if entry.targets is None:
            return list(self.targets)
        for index, name in enumerate(entry.targets):
            if name not in self.targets:
                raise self.tree.error(
                    (*where, "targets", index),
                    f"This file has no target {name!r}.",
                    nearest(name, list(self.targets)),
                )
        return entry.targets

    def _paths(self, pattern: str, where: tuple[Any, ...]) -> list[str]:
        """Paths relative to the gate file; a plain path need not exist, a glob must match."""
        if not glob.has_magic(pattern):
            return [Path(pattern).as_posix()]
        found = sorted(
            Path(match).as_posix()
            for match in glob.glob(  # noqa: PTH207 - Path.glob refuses absolute patterns
                pattern, root_dir=self.directory, recursive=True
            )
            if (self.directory / match).is_file()
        )
        if not found:
            hint = f"Globs are relative to {self.directory.name}/, the gate file's directory."
            if "[" in pattern and pattern.isprintable():
                named = pattern.replace("[", "[[]")
                hint = (
                    f'In a glob, [ starts a set of characters; for the sign itself write "{named}".'
                )
            raise self.tree.error(where, f"No file matches {pattern!r}.", hint)
        return found
