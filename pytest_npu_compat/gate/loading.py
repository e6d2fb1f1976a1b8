"""Gate file -> checks. Every error names file, line and column, and what to write instead."""

from __future__ import annotations

import difflib
import glob
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.platform import Platform
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.baseline import BaselineError, read_baseline
from pytest_npu_compat.gate.errors import GateError, Position
from pytest_npu_compat.gate.platform import ENDS, PlatformError, parse_platform
from pytest_npu_compat.gate.schema import (
    GateFile,
    LimitsEntry,
    ModelEntry,
    PlatformEntry,
    TargetEntry,
)
from pytest_npu_compat.gate.threshold import Threshold, ThresholdError, parse_threshold
from pytest_npu_compat.gate.waiver import Waiver
from pytest_npu_compat.gate.yaml_tree import YamlTree, parse
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.registry import TargetError, make_target, target_names, variants_of

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


def load_gate(path: Path, baseline: Path | None = None, *, use: BaselineUse = "read") -> Gate:
    """Reads a gate file, finds its models, and reads its baseline.

    Args:
        path: The gate file.
        baseline: Taken instead of the baseline that the file names.
        use: ``write`` if the baseline is about to be written, so that it need not exist; ``ignore``
            if nothing is compared.

    Raises:
        GateError: It is not a valid gate file, a glob matches nothing, two models share an id, or
            the baseline cannot be used.
    """
    tree, schema = _read(path)
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
    """The first error that says most, at its place in the file."""
    details = sorted(
        error.errors(include_url=False),
        key=lambda d: (
            d["loc"] != ("version",) or d["type"] == "missing",  # all else may follow from it
            d["type"] != "extra_forbidden",
            -len(d["loc"]),
        ),
    )
    detail = details[0]
    where, last = _place(tree.value, detail["loc"]), detail["loc"][-1]
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _known_keys(where)
        return tree.error(where, f"Unknown key {last!r}.", _nearest(str(last), known), key=True)
    if kind == "missing":
        return tree.error(where, f"The key {last!r} is missing.", f"Add `{last}:`.")
    if where == ("version",):
        return tree.error(where, "This version reads gate files of version 1.", "`version: 1`")
    if where[:-1] == ("thresholds",) or (
        where[:1] in (("models",), ("targets",)) and where[2:-1] == ("thresholds",)
    ):
        if where[-1] not in METRICS:
            return _no_metric(tree, where)
        return tree.error(where, f"This is no limit for {where[-1]}.", 'Write, say, ">= 96%" or 3.')
    message = _EXPECTED.get(kind) or str(detail["msg"]).removeprefix("Value error, ")
    return tree.error(where, f"{message}.", "", key=last == "[key]")


_EXPECTED = {
    "dict_type": "A mapping is expected here",
    "model_type": "A mapping is expected here",
    "list_type": "A list is expected here",
    "string_type": "Text is expected here",
    "string_pattern_mismatch": "A name has no white space, brackets or colons",
}
"""Kind of pydantic's error -> what the reader of a YAML file is told."""


def _place(value: Any, loc: Iterable[Any]) -> tuple[Any, ...]:
    """What is a place in the file of pydantic's path, which also names branches of unions."""
    where = []
    for part in loc:
        if (isinstance(value, dict) and part in value) or (
            isinstance(value, list) and isinstance(part, int)
        ):
            value = value[part]
            where.append(part)
    return tuple(where)


def _no_metric(tree: YamlTree, where: tuple[Any, ...]) -> GateError:
    name = where[-1]
    return tree.error(
        where, f"There is no metric {name!r}.", _nearest(name, list(METRICS)), key=True
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
    return ["min", "max", "exactly", "max_drop", "max_rise", "severity"]


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known here: {', '.join(known)}."


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
        self.targets = self._targets()
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

    def _targets(self) -> dict[str, AnalysisRequest]:
        """Target name -> a request with everything but the model."""
        schema = self.schema
        if schema.target is not None and schema.targets is not None:
            raise self.tree.error(
                ("target",), "Give either target or targets.", "Move it into targets.", key=True
            )
        if schema.targets is None:
            name, _, variant = (schema.target or "ethos-n78").partition(":")
            return {name: self._target(name, variant or None, (), ("target",))}
        for name, entry in schema.targets.items():
            self._refuse_reserved(entry, ("targets", name))
        return {
            name: self._target(
                name,
                entry.variant if entry else None,
                # A default that is written out is no other setting.
                tuple(
                    entry.model_dump(
                        exclude={"variant", "thresholds", "backend", "profile"},
                        exclude_defaults=True,
                    ).items()
                )
                if entry
                else (),
                ("targets", name),
            )
            for name, entry in schema.targets.items()
        }

    def _refuse_reserved(self, entry: TargetEntry | None, where: tuple[Any, ...]) -> None:
        """A backend or profile says what a target is, as a variant does, and none can be judged yet."""
        given = [] if entry is None else sorted(entry.model_fields_set)
        for key in (key for key in ("backend", "profile") if key in given):
            others = [other for other in given if other != key]
            if others:
                raise self.tree.error(
                    (*where, key), f"Give either {key} or {others[0]}.", "Keep one.", key=True
                )
            raise self.tree.error(
                (*where, key),
                f"A target with a {key} cannot be judged yet.",
                f"Available: {', '.join(target_names())}, with a `variant:`.",
            )

    def _target(
        self,
        name: str,
        variant: str | None,
        options: tuple[tuple[str, bool | int], ...],
        where: tuple[Any, ...],
    ) -> AnalysisRequest:
        try:
            make_target(name, variant, dict(options))
        except TargetError as error:
            hint = "`npu-compat targets` lists them."
            if name not in target_names():
                # The name is a key of `targets`, but the value of `target`.
                at_key = where[0] == "targets"
                raise self.tree.error(where, str(error), hint, key=at_key) from error
            if variant is None or variant in variants_of(name):
                raise self.tree.error((*where, "sram_size"), str(error)) from error
            raise self.tree.error((*where, "variant"), str(error), hint) from error
        return AnalysisRequest("", "", "", name, variant, options)

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
            name = entry.name or _stem(path)
            for target, checks in by_target.items():
                base = self.targets[target]
                yield ModelChecks(
                    model=name,
                    target=target,
                    request=AnalysisRequest(
                        model=str(self.directory / path),
                        name=name,
                        shown_path=path,
                        target=base.target,
                        variant=base.variant,
                        options=base.options,
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
                    _nearest(waiver.check, list(covers)),
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
                    _nearest(name, list(self.targets)),
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
            raise self.tree.error(
                where,
                f"No file matches {pattern!r}.",
                f"Globs are relative to {self.directory.name}/, the gate file's directory.",
            )
        return found


def _stem(path: str) -> str:
    """Name of a model in ids: the file name without suffix, free of characters ids use."""
    stem = Path(path).stem or path
    return "".join("_" if c in "[]:" or c.isspace() or not c.isprintable() else c for c in stem)
