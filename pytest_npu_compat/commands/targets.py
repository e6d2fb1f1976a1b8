"""`npu-compat targets`: what models can be judged on."""

from __future__ import annotations

import argparse

from pytest_npu_compat.commands.errors import EXIT_OK
from pytest_npu_compat.target.registry import (
    default_variant,
    is_backend,
    target_names,
    variants_of,
)

__all__ = ["run"]


def run(_arguments: argparse.Namespace) -> int:
    """Prints targets and their variants, and where those come from that have none.

    Returns:
        0.
    """
    for name in target_names():
        print(f"{name}  (backend of TVM)" if is_backend(name) else name)
        for variant in variants_of(name):
            print(f"  {variant}{'  (default)' if variant == default_variant(name) else ''}")
    return EXIT_OK
