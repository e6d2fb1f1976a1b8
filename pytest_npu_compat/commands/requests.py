"""Arguments that name models -> requests; the same for every command that takes models."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pytest_npu_compat.commands.errors import UsageError
from pytest_npu_compat.run import AnalysisRequest
from pytest_npu_compat.run.limits import DEFAULT_LIMITS, Limits, parse_memory, parse_timeout
from pytest_npu_compat.target.registry import TargetError, make_target

__all__ = ["requests", "target_of"]


def requests(arguments: argparse.Namespace, models: Sequence[str]) -> list[AnalysisRequest]:
    """One request for each model.

    Args:
        arguments: Of the command; those that it does not have are at their defaults.
        models: Paths of the models.

    Raises:
        UsageError: An argument does not make sense.
    """
    options = (
        {"inline_non_compute_intensive_partitions": False}
        if getattr(arguments, "keep_no_mac_regions", False)
        else {}
    )
    name, variant = target_of(arguments.target, options)
    inputs = tuple(_input_shape(text) for text in getattr(arguments, "inputs", ()))
    limits = _limits(getattr(arguments, "timeout", None), getattr(arguments, "memory", None))
    return [
        AnalysisRequest(
            model=model,
            name=Path(model).stem,
            shown_path=Path(model).as_posix(),
            target=name,
            variant=variant,
            options=tuple(options.items()),
            inputs=inputs,
            quantization="assume-int8" if getattr(arguments, "assume_int8", False) else None,
            estimate=getattr(arguments, "estimate", False),
            limits=limits,
        )
        for model in models
    ]


def target_of(text: str, options: dict[str, bool] | None = None) -> tuple[str, str | None]:
    """Name and variant of a target that exists.

    Args:
        text: ``NAME`` or ``NAME:VARIANT``.
        options: Options that it must have.

    Raises:
        UsageError: There is no such target.
    """
    name, _, variant = text.partition(":")
    try:
        make_target(name, variant or None, options or {})
    except TargetError as error:
        raise UsageError(str(error)) from error
    return name, variant or None


def _limits(timeout: str | None, memory: str | None) -> Limits:
    try:
        return Limits(
            DEFAULT_LIMITS.timeout if timeout is None else parse_timeout(timeout),
            DEFAULT_LIMITS.memory if memory is None else parse_memory(memory),
        )
    except ValueError as error:
        raise UsageError(f"{error}.") from error


def _input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, separator, dims = text.rpartition("=")
    try:
        shape = tuple(int(dim) for dim in dims.split(","))
    except ValueError:
        shape = ()
    if not separator or not name or not shape or min(shape) < 1:
        raise UsageError(f"--input {text!r} is not of the form NAME=1,3,224,224")
    return name, shape
