"""A merge gate for neural networks on NPUs: models and thresholds become pytest items.

The public API is what this module exports: `analyze`, `load_gate`, `Report`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_npu_compat.analysis.report import Report
    from pytest_npu_compat.gate.loading import Gate

__all__ = ["Report", "__version__", "analyze", "load_gate"]

__version__ = "0.1.0"


def analyze(
    model: str | Path,
    *,
    target: str = "ethos-n78",
    variant: str | None = None,
    quantization: str | None = None,
    estimate: bool = False,
) -> Report:
    """Analyzes a model file.

    Args:
        model: Path of the ONNX file.
        target: Name of the target, or path of a profile (``*.yaml``).
        variant: Variant of the target; its default if None.
        quantization: ``assume-int8`` to judge a float model as if it had been quantized.
        estimate: Whether to estimate time, DRAM traffic and energy.

    Returns:
        The report; its status is ``not_analyzable`` if the model cannot be judged.

    Raises:
        ValueError: There is no such `quantization`, or the profile has variants.
        GateError: The profile is not valid.
    """
    from dataclasses import replace
    from pathlib import Path

    from pytest_npu_compat.gate.targets import target_request
    from pytest_npu_compat.run import analyze as run

    path = Path(model)
    request = replace(
        target_request(target, variant),
        model=str(path),
        name=path.stem,
        shown_path=path.as_posix(),
        quantization=quantization,
        estimate=estimate,
    )
    return run(request)


def load_gate(path: str | Path) -> Gate:
    """Loads a gate file and finds its models.

    Args:
        path: The YAML file.

    Raises:
        GateError: The file is not a valid gate file; the message names file, line and column.
    """
    from pathlib import Path

    from pytest_npu_compat.gate.loading import load_gate as load

    return load(Path(path))


def __getattr__(name: str) -> object:
    # Lazy, so that importing the plugin costs nothing in a run without gate files.
    if name == "Report":
        from pytest_npu_compat.analysis.report import Report

        return Report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
