"""Targets by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pytest_npu_compat.target.base import Target, TargetError
from pytest_npu_compat.target.byoc import BACKENDS, ByocTarget
from pytest_npu_compat.target.ethos_n78.target import EthosN78
from pytest_npu_compat.target.ethos_n78.variants import DEFAULT_VARIANT, VARIANTS
from pytest_npu_compat.target.profile.declaration import Profile
from pytest_npu_compat.target.profile.target import ProfileTarget

__all__ = [
    "TargetError",
    "default_variant",
    "is_backend",
    "make_target",
    "target_names",
    "variants_of",
]


_ETHOS_N78 = "ethos-n78"


def target_names() -> tuple[str, ...]:
    """Names of the targets that this version knows."""
    return (_ETHOS_N78, *BACKENDS)


def is_backend(name: str) -> bool:
    """Whether a target is a backend of TVM, which has its patterns from there."""
    return name in BACKENDS


def variants_of(name: str) -> tuple[str, ...]:
    """Names of a target's variants; none of a target that has no variants."""
    _check(name, target_names(), "target")
    return tuple(VARIANTS) if name == _ETHOS_N78 else ()


def default_variant(name: str) -> str:
    """The variant that is meant when none is named; empty for a target that has none."""
    _check(name, target_names(), "target")
    return DEFAULT_VARIANT if name == _ETHOS_N78 else ""


def make_target(
    name: str,
    variant: str | None = None,
    options: Mapping[str, Any] | None = None,
    profile: Profile | None = None,
) -> Target:
    """Makes a target.

    Args:
        name: E.g. ``ethos-n78``.
        variant: E.g. ``4tops-4ple``; the target's default if None.
        options: Options of the target.
        profile: Declares the target; it then has neither variants nor options.

    Raises:
        TargetError: There is no such target, variant or option.
    """
    if profile is not None:
        return ProfileTarget(profile)
    variants = variants_of(name)
    if is_backend(name):
        for what in (*([f"variant {variant}"] if variant is not None else []), *(options or {})):
            raise TargetError(f"{name} is a backend of TVM, which has no {what}.")
        return ByocTarget(name)
    if variant is not None:
        _check(variant, variants, f"variant of {name}")
    known = ("inline_non_compute_intensive_partitions", "sram_size")
    for option in options or {}:
        _check(option, known, f"option of {name}")
    target = EthosN78(variant or default_variant(name), **dict(options or {}))
    try:
        target.capabilities  # noqa: B018 - computing them checks sram_size
    except ValueError as error:
        raise TargetError(f"{error}.") from error
    return target


def _check(name: str, known: tuple[str, ...], what: str) -> None:
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise TargetError(f"There is no {what} {name!r}; known: {', '.join(known)}.{hint}")
