"""The targets of a gate file -> requests that lack only the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_npu_compat.gate.errors import GateError
from pytest_npu_compat.gate.profile_file import load_profile
from pytest_npu_compat.gate.schema import GateFile, TargetEntry
from pytest_npu_compat.gate.yaml_tree import YamlTree
from pytest_npu_compat.run.request import AnalysisRequest
from pytest_npu_compat.target.registry import (
    TargetError,
    is_backend,
    target_names,
    variants_of,
)

__all__ = ["is_profile", "read_targets", "target_request"]

_OPTIONS = ("inline_non_compute_intensive_partitions", "sram_size")


def read_targets(tree: YamlTree, schema: GateFile) -> dict[str, AnalysisRequest]:
    """Target name -> a request with everything but the model.

    Raises:
        GateError: A target does not exist, or is said twice.
    """
    if schema.target is not None and schema.targets is not None:
        raise tree.error(
            ("target",), "Give either target or targets.", "Move it into targets.", key=True
        )
    if schema.targets is None:
        name, _, variant = (schema.target or "ethos-n78").partition(":")
        return {name: _known_target(tree, name, variant or None, (), ("target",))}
    return {
        name: _read_target(tree, name, entry or TargetEntry())
        for name, entry in schema.targets.items()
    }


def is_profile(target: str) -> bool:
    """Whether a target outside of gate files is the path of a profile."""
    return Path(target).suffix in (".yaml", ".yml")


def target_request(
    target: str, variant: str | None = None, directory: Path | None = None
) -> AnalysisRequest:
    """A target as named outside of gate files, as a request with everything but the model.

    Args:
        target: Name of the target, or path of a profile (``*.yaml``).
        variant: Variant of the target; its default if None.
        directory: What the path is relative to; the working directory if None.

    Returns:
        The request; whether there is such a target is not looked at.

    Raises:
        GateError: The profile cannot be read or is not valid.
        TargetError: A profile has no variants.
    """
    if not is_profile(target):
        return AnalysisRequest("", "", "", target, variant)
    if variant is not None:
        raise TargetError(f"{target} is a profile, which has no variants.")
    profile = load_profile((directory or Path()) / target)
    return AnalysisRequest("", "", "", profile.name, profile=profile)


def _read_target(tree: YamlTree, name: str, entry: TargetEntry) -> AnalysisRequest:
    where: tuple[Any, ...] = ("targets", name)
    if entry.profile is not None:
        _refuse_beside_profile(tree, entry, where)
        path = tree.path.resolve().parent / entry.profile
        if not path.is_file():
            raise tree.error(
                (*where, "profile"),
                f"There is no file {entry.profile!r}.",
                "The path is relative to the gate file's directory.",
            )
        try:
            profile = load_profile(path)
        except GateError as error:
            message = f"The profile is not valid: {error.message}"
            raise tree.error((*where, "profile"), message, error.render(entry.profile)) from error
        return AnalysisRequest("", "", "", profile.name, profile=profile)
    # A default that is written out is no other setting.
    options = entry.model_dump(include=set(_OPTIONS), exclude_defaults=True)
    if entry.backend is not None:
        where_name: tuple[Any, ...] = (*where, "backend")
    else:
        where_name = where
    return _known_target(
        tree, entry.backend or name, entry.variant, tuple(options.items()), where, where_name
    )


def _refuse_beside_profile(tree: YamlTree, entry: TargetEntry, where: tuple[Any, ...]) -> None:
    """A profile says all that a target is."""
    for key in ("backend", "variant", *_OPTIONS):
        if key in entry.model_fields_set:
            raise tree.error(
                (*where, key),
                f"A profile has no {key} beside it.",
                "Keep one of the two.",
                key=True,
            )


def _known_target(
    tree: YamlTree,
    name: str,
    variant: str | None,
    options: tuple[tuple[str, bool | int], ...],
    where: tuple[Any, ...],
    where_name: tuple[Any, ...] | None = None,
) -> AnalysisRequest:
    request = AnalysisRequest("", "", "", name, variant, options)
    where_name = where_name or where
    try:
        request.make_target()
    except TargetError as error:
        hint = "`npu-compat targets` lists them."
        if name not in target_names():
            # Without `backend`, the name is a key of `targets`, but the value of `target`.
            at_key = where_name[0] == "targets" and where_name == where
            if at_key:
                hint = f"{hint[:-1]}; a name of your own needs a `backend:` or a `profile:`."
            raise tree.error(where_name, str(error), hint, key=at_key) from error
        if variant is not None and variant not in variants_of(name):
            raise tree.error(
                (*where, "variant"), str(error), "" if is_backend(name) else hint
            ) from error
        wrong = next((option for option, _ in options), "sram_size")
        raise tree.error((*where, wrong), str(error), key=is_backend(name)) from error
    return request
