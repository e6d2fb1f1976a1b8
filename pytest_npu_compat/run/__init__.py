"""How an analysis is executed: `analyze(request) -> Report`, both plain values."""

from __future__ import annotations

from pytest_npu_compat.run.dispatch import analyze
from pytest_npu_compat.run.limits import Limits
from pytest_npu_compat.run.request import AnalysisRequest

__all__ = ["AnalysisRequest", "Limits", "analyze"]
