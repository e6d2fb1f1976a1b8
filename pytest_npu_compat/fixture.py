"""For test authors: the fixture `npu_compat` and the marker of the same name.

They serve models that are exported inside a test; models in files are better judged by a gate file.
"""

from __future__ import annotations

import functools
import operator
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.evaluation import evaluate
from pytest_npu_compat.gate.targets import target_request
from pytest_npu_compat.gate.threshold import Threshold, ThresholdError, example, parse_threshold
from pytest_npu_compat.gate.warning import NpuCompatWarning
from pytest_npu_compat.render.text import explain_failure
from pytest_npu_compat.run import AnalysisRequest, analyze

__all__ = ["NpuCompat", "judge_marker"]


class NpuCompat:
    """Analyzes models and judges reports.

    Args:
        directory: What relative paths are relative to.
        analyze: Makes or recalls reports.
    """

    def __init__(
        self, directory: Path, analyze: Callable[[AnalysisRequest], Report] = analyze
    ) -> None:
        self.directory = directory
        self._analyze = analyze

    def analyze(
        self,
        model: Any,
        *,
        target: str = "ethos-n78",
        variant: str | None = None,
        inputs: Mapping[str, Sequence[int]] | None = None,
        quantization: str | None = None,
        estimate: bool = False,
    ) -> Report:
        """Analyzes a model.

        Args:
            model: Path of an ONNX file, or an `onnx.ModelProto`.
            target: Name of the target, or path of a profile (``*.yaml``).
            variant: Variant of the target; its default if None.
            inputs: Shapes that pin open dimensions, by input name.
            quantization: ``assume-int8`` to judge a float model as if it had been quantized.
            estimate: Whether to estimate time, DRAM traffic and energy, for thresholds on these.

        Returns:
            The report; it is not an error if the model cannot be analyzed, but no check of it passes.

        Raises:
            TypeError: `model` is neither, or `inputs` are no shapes by name.
            ValueError: There is no such `quantization`, or the profile has variants.
            GateError: The profile is not valid.
        """
        # By name, since this module does without ONNX.
        in_memory = (
            getattr(getattr(model, "DESCRIPTOR", None), "full_name", "") == "onnx.ModelProto"
        )
        if not in_memory and not isinstance(model, (str, os.PathLike)):
            raise TypeError(
                "npu_compat.analyze takes the path of an ONNX file or an onnx.ModelProto, "
                f"not {_article(model)}"
            )
        base = target_request(target, variant, self.directory)
        shapes = _shapes(inputs or {})

        def request(path: Path, name: str, shown_path: str) -> AnalysisRequest:
            return replace(
                base,
                model=str(path),
                name=name,
                shown_path=shown_path,
                inputs=shapes,
                quantization=quantization,
                estimate=estimate,
            )

        if not in_memory:
            shown = Path(model)
            return self._analyze(request(self.directory / model, shown.stem, shown.as_posix()))
        name = str(model.graph.name) or "model"
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model.onnx"
            path.write_bytes(model.SerializeToString())
            return self._analyze(request(path, name, f"{name}.onnx"))

    def check(self, report: Report, **thresholds: Any) -> None:
        """Judges a report; fails the test with the text a gate would give.

        Args:
            report: From `analyze`.
            thresholds: By metric, as in a gate file: ``npu_ratio=">= 96%"``, ``qdq_pairs=0``. What
                fails with ``severity: warn`` warns with `NpuCompatWarning`.

        Raises:
            TypeError: That is no report.
            ValueError: There is no threshold, no such metric, or a threshold that judges nothing here.
        """
        if not isinstance(report, Report):
            raise TypeError(
                "npu_compat.check judges a report, which npu_compat.analyze returns, "
                f"not {_article(report)}"
            )
        warn = functools.partial(warnings.warn, stacklevel=3)  # where the test calls this
        _judge(report, _read_thresholds(thresholds), warn)


def _article(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"


def _shapes(inputs: Mapping[str, Sequence[int]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    try:
        return tuple((name, tuple(map(operator.index, dims))) for name, dims in inputs.items())
    except (AttributeError, TypeError) as error:
        raise TypeError(
            "inputs are shapes by input name, e.g. inputs={'images': [1, 3, 416, 416]}, "
            f"not {inputs!r}"
        ) from error


def _read_thresholds(thresholds: Mapping[str, Any]) -> list[Threshold]:
    if not thresholds:
        raise ValueError("npu_compat needs a threshold, e.g. npu_ratio='>= 96%'")
    return [_threshold(name, raw) for name, raw in thresholds.items()]


def _threshold(name: str, raw: Any) -> Threshold:
    if name not in METRICS:
        raise ValueError(f"There is no metric {name!r}; known: {', '.join(METRICS)}.")
    try:
        threshold = parse_threshold(name, raw)
    except ThresholdError as error:
        raise ValueError(f"{name}: {error.message} {error.hint}".strip()) from error
    if threshold.severity == "off":
        raise ValueError(
            f"{name}: a threshold that is off judges nothing. In a test there is none to inherit: "
            "leave it out."
        )
    if threshold.drift is not None:
        raise ValueError(
            f"{name}: There is no baseline to compare with in a test. Write a bound, e.g. "
            f"{name}={example(name)!r}, or judge the model by a gate file that names a `baseline:`."
        )
    return threshold


def _judge(
    report: Report, thresholds: Sequence[Threshold], warn: Callable[[NpuCompatWarning], None]
) -> None:
    """Judges by all thresholds, so that a failure names all that do not hold.

    Like a gate file, a severity does not excuse a model that cannot be judged.
    """
    failed = []
    for result in (evaluate(threshold, report) for threshold in thresholds):
        if result.passed:
            continue
        if result.status != "failed" or result.threshold.severity != "warn":
            failed.append(result)
            continue
        try:
            warn(NpuCompatWarning(f"{report.model.name}[{report.target.name}]: {result.message}"))
        except NpuCompatWarning:  # the run turns warnings into errors
            failed.append(result)
    if failed:
        pytest.fail("\n\n".join(map(explain_failure, failed)), pytrace=False)


def judge_marker(
    item: pytest.Item, marker: pytest.Mark, analyze: Callable[[AnalysisRequest], Report] = analyze
) -> None:
    """Judges the model that ``@pytest.mark.npu_compat(model=…, npu_ratio=…)`` names.

    Args:
        item: The marked test.
        marker: The marker.
        analyze: Makes or recalls reports.

    Raises:
        ValueError: The marker names no model, no threshold, or one that judges nothing here.
    """
    arguments = dict(marker.kwargs)
    if marker.args or "model" not in arguments:
        raise ValueError("npu_compat takes keywords: model=… and thresholds by metric")
    subject = NpuCompat(item.path.parent, analyze)
    names = ("target", "variant", "inputs", "quantization")
    settings = {name: arguments.pop(name) for name in names if name in arguments}
    model = arguments.pop("model")
    thresholds = _read_thresholds(arguments)
    estimate = any(METRICS[threshold.metric].estimated for threshold in thresholds)
    report = subject.analyze(model, estimate=estimate, **settings)
    _judge(report, thresholds, item.warn)
