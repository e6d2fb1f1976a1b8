"""Arguments that name models -> requests; the same for every command that takes models."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_npu_compat.commands.errors import UsageError
from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.targets import is_profile, target_request
from pytest_npu_compat.run import AnalysisRequest
from pytest_npu_compat.run.limits import DEFAULT_LIMITS, Limits, parse_memory, parse_timeout
from pytest_npu_compat.target.registry import TargetError

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
    target = target_of(arguments.target, options)
    inputs = tuple(_input_shape(text) for text in getattr(arguments, "inputs", ()))
    limits = _limits(getattr(arguments, "timeout", None), getattr(arguments, "memory", None))
    return [
        replace(
            target,
            model=model,
            name=Path(model).stem,
            shown_path=Path(model).as_posix(),
            inputs=inputs,
            quantization="assume-int8" if getattr(arguments, "assume_int8", False) else None,
            estimate=getattr(arguments, "estimate", False),
            limits=limits,
        )
        for model in models
    ]


def target_of(text: str, options: Mapping[str, bool] | None = None) -> AnalysisRequest:
    """A target that exists, as a request with everything but the model.

    Args:
        text: ``NAME``, ``NAME:VARIANT``, or the path of a profile (``*.yaml``).
        options: Options that it must have.

    Raises:
        UsageError: There is no such target, or its profile is not valid.
    """
    name, _, variant = (text, "", "") if is_profile(text) else text.partition(":")
    try:
        request = target_request(name, variant or None)
        if options and request.profile is not None:
            raise TargetError(f"A profile has no option {next(iter(options))}.")
        request = replace(request, options=tuple(sorted((options or {}).items())))
        request.make_target()
    except TargetError as error:
        raise UsageError(str(error)) from error
    except GateError as error:
        raise UsageError(error.render(text)) from error
    return request


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
