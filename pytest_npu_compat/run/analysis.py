"""The one function behind which the compiler is: everything above it sees requests and reports."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_npu_compat.analysis.report import ASSUMED_INT8, ModelInfo, Report, TargetInfo
from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.run.failures import not_analyzable, tool, unexpected
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.registry import TargetError

if TYPE_CHECKING:
    from pytest_npu_compat.model.graph import Graph
    from pytest_npu_compat.model.onnx_file import ModelFile
    from pytest_npu_compat.model.program import Program
    from pytest_npu_compat.target.base import Target

__all__ = ["analyze", "load", "partitioned_ir", "preload"]


def analyze(request: AnalysisRequest) -> Report:
    """Analyzes one model on one target.

    Never raises for anything about the model: what cannot be analyzed becomes a report whose status
    is ``not_analyzable``, with the reason.
    """
    try:
        target = request.make_target()
        return _analyze(request, target)
    except TargetError as error:
        failure = ModelError(
            "target-not-available",
            str(error),
            "`npu-compat targets` lists what this version knows.",
        )
    except ModelError as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - whatever happens, the gate names the model
        failure = unexpected(request, error)
    return not_analyzable(request, failure)


def preload() -> None:
    """Imports what an analysis needs, TVM above all, so that no model's deadline pays for it."""
    for module in (
        "model.onnx_file",
        "model.integer_form",
        "model.relax_module",
        "analysis.placement",
        "analysis.facts",
        "analysis.metrics",
    ):
        importlib.import_module(f"pytest_npu_compat.{module}")


def partitioned_ir(request: AnalysisRequest) -> str:
    """The partitioned IRModule as text, for readers who know TVM.

    Raises:
        ModelError: The model cannot be analyzed, or its partitions are cyclic.
        TargetError: There is no such target.
    """
    from pytest_npu_compat.analysis.placement import place

    target = request.make_target()
    try:
        placement = place(load(request, target)[1], target)
    except ModelError:
        raise
    except Exception as error:
        raise unexpected(request, error) from error
    if placement.module is None:
        raise ModelError(
            "importer-error",
            "The partitions need each other's results, so there is no partitioned module.",
            "See the hazard `cyclic-partitions` in the report.",
        )
    # Regions had names of their own while they were merged; see analysis/placement.py.
    return re.sub(r'"region\d+\.', f'"{target.name}.', str(placement.module.script()))


def load(request: AnalysisRequest, target: Target) -> tuple[ModelFile, Program]:
    """The model file, and the model in the form that a target's rules are about.

    Raises:
        ModelError: The model cannot be read.
    """
    from pytest_npu_compat.model import onnx_file

    path = Path(request.model)
    if path.suffix.lower() not in (".onnx", ""):
        raise ModelError(
            "unsupported-format",
            f"{path.name} is not an ONNX file.",
            "Convert it to ONNX in QDQ format.",
        )
    model = onnx_file.read(path, dict(request.inputs))
    graph = model.graph
    if request.quantization is not None:
        from pytest_npu_compat.model.assume_int8 import assume_int8

        graph = assume_int8(graph)
    form = importlib.import_module(f"pytest_npu_compat.model.{target.form}")
    return model, form.lower(graph)


def _analyze(request: AnalysisRequest, target: Target) -> Report:
    model, program = load(request, target)
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
        tool=tool(target.rules),
        model=ModelInfo(
            name=request.name,
            path=request.shown_path,
            sha256=model.sha256,
            opset=model.graph.opset,
            quantization=_dialect(model.graph) if request.quantization is None else ASSUMED_INT8,
            nodes=len(model.graph.nodes),
            operators=len(facts.operators),
            macs=sum(operator.macs for operator in facts.operators),
            inputs=dict(request.inputs),
        ),
        target=TargetInfo(target.name, target.variant, dict(request.options)),
        status="analyzed",
        metrics=measure(facts),
        operators=tuple(facts.operators),
        partitions=tuple(facts.partitions),
        qdq_pairs=tuple(facts.qdq_pairs),
        estimate=facts.estimate,
        platform=request.platform.assumptions() if facts.estimate else {},
    )


def _dialect(graph: Graph) -> str:
    kinds = {node.kind for node in graph.nodes}
    if any(kind.startswith(("QLinear", "QGemm")) for kind in kinds):
        return "qoperator"
    return "qdq" if kinds & {"QuantizeLinear", "DequantizeLinear"} else "none"
