"""The one function behind which the compiler is: everything above it sees requests and reports."""

from __future__ import annotations

import importlib.metadata
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_npu_compat.analysis.report import ErrorInfo, ModelInfo, Report, TargetInfo, ToolInfo
from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.registry import TargetError, default_variant, make_target

if TYPE_CHECKING:
    from pytest_npu_compat.model.graph import Graph
    from pytest_npu_compat.model.onnx_file import ModelFile
    from pytest_npu_compat.model.program import Program
    from pytest_npu_compat.target.base import Target

__all__ = ["analyze", "partitioned_ir"]

logger = logging.getLogger(__name__)


def analyze(request: AnalysisRequest) -> Report:
    """Analyzes one model on one target.

    Never raises for anything about the model: what cannot be analyzed becomes a report whose status
    is ``not_analyzable``, with the reason.
    """
    try:
        target = make_target(request.target, request.variant, dict(request.options))
    except TargetError as error:
        return _failure(
            request, "", ErrorInfo("target-not-available", str(error), "Run `npu-compat targets`.")
        )
    try:
        return _analyze(request, target)
    except ModelError as error:
        return _failure(request, target.rules, _info(request, error))
    except Exception as error:  # noqa: BLE001 - whatever happens, the gate names the model
        return _failure(request, target.rules, _info(request, _unexpected(request, error)))


def _info(request: AnalysisRequest, error: ModelError) -> ErrorInfo:
    """The error with the path as the user wrote it: absolute paths differ between machines."""
    return ErrorInfo(
        error.code, error.message.replace(request.model, request.shown_path), error.hint
    )


def _unexpected(request: AnalysisRequest, error: Exception) -> ModelError:
    """A failure that nothing foresaw, as an error that names it."""
    if isinstance(error, MemoryError):
        return ModelError("out-of-memory", "The analysis ran out of memory.", "Use more memory.")
    logger.debug("analysis of %s failed", request.model, exc_info=error)
    return ModelError(
        "crashed",
        f"The analysis failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
        "This is a defect of pytest-npu-compat; please report it with the model's structure "
        "(`npu-compat analyze --verbose` prints the details).",
    )


def partitioned_ir(request: AnalysisRequest) -> str:
    """The partitioned IRModule as text, for readers who know TVM.

    Raises:
        ModelError: The model cannot be analyzed, or its partitions are cyclic.
        TargetError: There is no such target.
    """
    from pytest_npu_compat.analysis.placement import place

    target = make_target(request.target, request.variant, dict(request.options))
    try:
        placement = place(_load(request)[1], target)
    except ModelError:
        raise
    except Exception as error:
        raise _unexpected(request, error) from error
    if placement.module is None:
        raise ModelError(
            "importer-error",
            "The partitions need each other's results, so there is no partitioned module.",
            "See the hazard `cyclic-partitions` in the report.",
        )
    # Regions had names of their own while they were merged; see analysis/placement.py.
    return re.sub(r'"region\d+\.', f'"{target.name}.', str(placement.module.script()))


def _load(request: AnalysisRequest) -> tuple[ModelFile, Program]:
    from pytest_npu_compat.model import integer_form, onnx_file

    path = Path(request.model)
    if path.suffix.lower() not in (".onnx", ""):
        raise ModelError(
            "unsupported-format",
            f"{path.name} is not an ONNX file.",
            "Convert it to ONNX in QDQ format.",
        )
    model = onnx_file.read(path, dict(request.inputs))
    return model, integer_form.lower(model.graph)


def _analyze(request: AnalysisRequest, target: Target) -> Report:
    model, program = _load(request)
    if not program.operators:
        raise ModelError(
            "nothing-to-judge",
            "The model has no operators: only constants, shape arithmetic or conversions.",
            "Check the export: a model without compute can neither pass nor fail.",
        )
    from pytest_npu_compat.analysis.facts import collect
    from pytest_npu_compat.analysis.metrics import measure
    from pytest_npu_compat.analysis.placement import place

    placement = place(program, target)
    facts = collect(placement)
    if request.estimate:
        from pytest_npu_compat.analysis.estimate import estimate

        facts = estimate(facts, placement, target, request.platform)
    return Report(
        tool=_tool(target.rules),
        model=ModelInfo(
            name=request.name,
            path=request.shown_path,
            sha256=model.sha256,
            opset=model.graph.opset,
            quantization=_dialect(model.graph),
            nodes=len(model.graph.nodes),
            operators=len(facts.operators),
            macs=sum(operator.macs for operator in facts.operators),
        ),
        target=TargetInfo(target.name, target.variant),
        status="analyzed",
        metrics=measure(facts),
        operators=tuple(facts.operators),
        partitions=tuple(facts.partitions),
        qdq_pairs=tuple(facts.qdq_pairs),
        estimate=facts.estimate,
        platform=request.platform.assumptions() if facts.estimate else {},
    )


def _failure(request: AnalysisRequest, rules: str, error: ErrorInfo) -> Report:
    try:
        variant = request.variant or default_variant(request.target)
    except TargetError:
        variant = request.variant or ""
    return Report(
        tool=_tool(rules),
        model=ModelInfo(name=request.name, path=request.shown_path),
        target=TargetInfo(request.target, variant),
        status="not_analyzable",
        error=error,
    )


def _tool(rules: str) -> ToolInfo:
    return ToolInfo(
        version=importlib.metadata.version("pytest-npu-compat"),
        tvm=importlib.metadata.version("apache-tvm"),
        onnx=importlib.metadata.version("onnx"),
        rules=rules,
    )


def _dialect(graph: Graph) -> str:
    kinds = {node.kind for node in graph.nodes}
    if any(kind.startswith(("QLinear", "QGemm")) for kind in kinds):
        return "qoperator"
    return "qdq" if kinds & {"QuantizeLinear", "DequantizeLinear"} else "none"
