"""`npu-compat explain`: what a rule or an operator means on a target."""

from __future__ import annotations

import argparse

from pytest_npu_compat.commands.errors import EXIT_OK, UsageError
from pytest_npu_compat.render.rules import explain
from pytest_npu_compat.target.registry import TargetError

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Prints what a rule or an operator means.

    Returns:
        0.

    Raises:
        UsageError: There is no such target, rule or operator.
    """
    name, _, variant = arguments.target.partition(":")
    try:
        print(explain(arguments.topic, name, variant or None))
    except (TargetError, LookupError) as error:
        raise UsageError(error.args[0]) from error
    return EXIT_OK
