"""For test authors: the fixture `npu_compat` and the marker of the same name.

They serve models that are exported inside a test; models in files are better judged by a gate file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_npu_compat.analysis.metrics import METRICS
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.gate.evaluation import evaluate
from pytest_npu_compat.gate.targets import target_request
from pytest_npu_compat.gate.threshold import ThresholdError, parse_threshold
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
            ValueError: There is no such `quantization`, or the profile has variants.
            GateError: The profile is not valid.
        """
        base = target_request(target, variant, self.directory)
        shapes = tuple((name, tuple(shape)) for name, shape in (inputs or {}).items())

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

        if isinstance(model, (str, Path)):
            shown = Path(model)
            return self._analyze(request(self.directory / model, shown.stem, shown.as_posix()))
        name = str(getattr(getattr(model, "graph", None), "name", "")) or "model"
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "model.onnx"
            path.write_bytes(model.SerializeToString())
            return self._analyze(request(path, name, f"{name}.onnx"))

    def check(self, report: Report, **thresholds: Any) -> None:
        """Judges a report; fails the test with the text a gate would give.

        Args:
            report: From `analyze`.
            thresholds: By metric, as in a gate file: ``npu_ratio=">= 96%"``, ``qdq_pairs=0``.

        Raises:
            ValueError: There is no such metric, or its threshold cannot be read.
        """
        if not thresholds:
            raise ValueError("npu_compat.check needs a threshold, e.g. npu_ratio='>= 96%'")
        results = [evaluate(_threshold(name, raw), report) for name, raw in thresholds.items()]
        failed = [result for result in results if not result.passed]
        if failed:
            texts = [explain_failure(result) for result in failed]
            pytest.fail("\n\n".join(texts), pytrace=False)


def _threshold(name: str, raw: Any) -> Any:
    if name not in METRICS:
        raise ValueError(f"There is no metric {name!r}; known: {', '.join(METRICS)}.")
    try:
        return parse_threshold(name, raw)
    except ThresholdError as error:
        raise ValueError(f"{name}: {error.message} {error.hint}".strip()) from error


def judge_marker(
    item: pytest.Item, marker: pytest.Mark, analyze: Callable[[AnalysisRequest], Report] = analyze
) -> None:
    """Judges the model that ``@pytest.mark.npu_compat(model=…, npu_ratio=…)`` names.

    Args:
        item: The marked test.
        marker: The marker.
        analyze: Makes or recalls reports.

    Raises:
        ValueError: The marker names no model or no threshold.
    """
    arguments = dict(marker.kwargs)
    if marker.args or "model" not in arguments:
        raise ValueError("npu_compat takes keywords: model=… and thresholds by metric")
    subject = NpuCompat(item.path.parent, analyze)
    names = ("target", "variant", "inputs", "quantization")
    settings = {name: arguments.pop(name) for name in names if name in arguments}
    model = arguments.pop("model")
    estimate = any(name in METRICS and METRICS[name].estimated for name in arguments)
    report = subject.analyze(model, estimate=estimate, **settings)
    subject.check(report, **arguments)
