"""What a run found, as values without a language: reports in, `Findings` out."""

from __future__ import annotations

from pytest_npu_compat.render.findings.collect import find
from pytest_npu_compat.render.findings.islands import Wanted, wanted_excerpts
from pytest_npu_compat.render.findings.records import Findings

__all__ = ["Findings", "Wanted", "find", "wanted_excerpts"]
