"""Reports of models that could not be analyzed, and what they say."""

from __future__ import annotations

import importlib.metadata
import logging

from pytest_npu_compat.analysis.report import ErrorInfo, ModelInfo, Report, TargetInfo, ToolInfo
from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.run.limits import Limits, show_memory, show_timeout
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.registry import TargetError

__all__ = [
    "crashed",
    "not_analyzable",
    "not_started",
    "out_of_memory",
    "timed_out",
    "tool",
    "unexpected",
]

logger = logging.getLogger(__name__)


def not_analyzable(request: AnalysisRequest, error: ModelError) -> Report:
    """The report of a model that cannot be analyzed."""
    try:
        target = request.make_target()
        rules, variant = target.rules, target.variant
    except TargetError:
        rules, variant = "", request.variant or ""
    # The path as the user wrote it: absolute paths differ between machines.
    message = error.message.replace(request.model, request.shown_path)
    return Report(
        tool=tool(rules),
        model=ModelInfo(name=request.name, path=request.shown_path),
        target=TargetInfo(request.target, variant),
        status="not_analyzable",
        error=ErrorInfo(error.code, message, error.hint),
    )


def tool(rules: str) -> ToolInfo:
    """Versions of what makes a report by these rules."""
    return ToolInfo(
        version=importlib.metadata.version("pytest-npu-compat"),
        tvm=importlib.metadata.version("apache-tvm"),
        onnx=importlib.metadata.version("onnx"),
        rules=rules,
    )


def unexpected(request: AnalysisRequest, error: Exception) -> ModelError:
    """A failure that nothing foresaw, as an error that names it."""
    # C++ code reports a failed allocation by this name, as an exception of whatever type.
    if isinstance(error, MemoryError) or "std::bad_alloc" in str(error):
        return out_of_memory(request.limits)
    logger.debug("analysis of %s failed", request.model, exc_info=error)
    return ModelError(
        "crashed",
        f"The analysis failed: {type(error).__name__}: {' '.join(str(error).split())[:300]}",
        "This is a defect of pytest-npu-compat; please report it with the model's structure "
        "(`npu-compat analyze --verbose` prints the details).",
    )


def out_of_memory(limits: Limits) -> ModelError:
    """The analysis asked for memory that it may not have, or that there is not."""
    if limits.memory is None:
        return ModelError(
            "out-of-memory",
            "The analysis ran out of memory.",
            "Use a machine with more memory, or fewer pytest workers.",
        )
    return ModelError(
        "out-of-memory",
        f"The analysis needs more than {show_memory(limits.memory)} of memory.",
        "Raise `limits: {memory: …}` in the gate file (`--memory` on the command line).",
    )


def timed_out(limits: Limits) -> ModelError:
    """The analysis did not end in time."""
    return ModelError(
        "timeout",
        f"The analysis took longer than {show_timeout(limits.timeout)} and was ended.",
        "Raise `limits: {timeout: …}` in the gate file (`--timeout` on the command line).",
    )


def crashed(how: str) -> ModelError:
    """The analysis process ended, or did something else than answering."""
    return ModelError(
        "crashed",
        f"The analysis crashed: {how}.",
        "Please report it with the model's structure: it is a defect of pytest-npu-compat or of "
        "TVM. `npu-compat analyze --verbose` shows where.",
    )


def not_started(why: str) -> ModelError:
    """There is no analysis process, so no model can be judged."""
    return ModelError(
        "crashed",
        f"The analysis process cannot be started: {why}.",
        "Check that `python -c 'import tvm, onnx'` works where pytest runs.",
    )
