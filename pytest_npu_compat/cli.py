"""The `npu-compat` command: its arguments. What each subcommand does is in `commands/`."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from typing import Any

from pytest_npu_compat import __version__
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_USAGE, UsageError
from pytest_npu_compat.run_options import GITHUB, OUTPUT_FILES, SHARD

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: Arguments without the command's name; those of the process if None.

    Returns:
        0 if everything was done and is well, 1 if something is red or cannot be analyzed, 2 for
        wrong usage.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    arguments = _parser().parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if getattr(arguments, "verbose", False) else logging.ERROR
    )
    # Imported here: what a command needs costs time that the others, and --help, need not pay.
    command = importlib.import_module(f"pytest_npu_compat.commands.{arguments.command}")
    try:
        code: int = command.run(arguments)
    except UsageError as error:
        print(f"npu-compat: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_OK
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npu-compat", description="Where the operators of a neural network run on an NPU."
    )
    parser.add_argument("--version", action="version", version=f"npu-compat {__version__}")
    commands = parser.add_subparsers(
        title="commands", required=True, metavar="COMMAND", dest="command"
    )
    for add in (_analyze, _check, _diff, _explain, _init, _merge, _report, _targets):
        add(commands)
    return parser


def _analyze(commands: Any) -> None:
    analyze = commands.add_parser("analyze", help="place the operators of models and report")
    _add_models(analyze)
    analyze.add_argument(
        "--format", choices=("table", "json", "jsonl"), default="table", dest="style"
    )
    analyze.add_argument(
        "--dump-ir", metavar="FILE", help="write the partitioned IRModule of the (only) model"
    )
    analyze.add_argument(
        "--verbose",
        action="store_true",
        help="log details, tracebacks included; analyzes in this process, without limits",
    )


def _check(commands: Any) -> None:
    check = commands.add_parser("check", help="judge gate files without pytest")
    check.add_argument("gates", nargs="*", metavar="GATE", help="gate files or directories")
    _add_strictness(check)
    check.add_argument("--baseline", metavar="FILE", help="instead of those of the gate files")
    check.add_argument("--update-baseline", action="store_true", help="write it, compare nothing")
    check.add_argument(
        "--cache-dir",
        metavar="DIR",
        default=".npu_compat_cache",
        help="where results of earlier runs are kept (default: %(default)s)",
    )
    check.add_argument(
        "--no-cache", action="store_true", help="analyze every model again, and keep nothing"
    )
    check.add_argument("--shard", metavar="NAME", default="", help=SHARD)
    _add_outputs(check)


def _diff(commands: Any) -> None:
    diff = commands.add_parser(
        "diff",
        help="what changed between two models, reports, baselines, runs or git revisions",
        description="npu-compat diff A B compares two files; npu-compat diff --base REV [GATE ...] "
        "compares the models of gate files with those of a git revision. Exit code 1: something "
        "got worse, or is gone; 2: something could not be compared.",
    )
    diff.add_argument("sides", nargs="*", metavar="A B | GATE")
    diff.add_argument("--base", metavar="REV", help="git revision, e.g. origin/main")
    diff.add_argument("--head", metavar="REV", help="git revision instead of the working tree")
    diff.add_argument("--exact", action="store_true", help="REV itself, not where HEAD left it")
    diff.add_argument(
        "--allow-gone", action="store_true", help="a model that is gone is shown, but is not worse"
    )
    diff.add_argument("--format", choices=("text", "json"), default="text", dest="style")
    _add_target(diff)


def _explain(commands: Any) -> None:
    explain = commands.add_parser("explain", help="say what a rule or an operator means")
    explain.add_argument("topic", metavar="RULE|OPERATOR")
    _add_target(explain)


def _init(commands: Any) -> None:
    init = commands.add_parser(
        "init",
        help="write a gate file for the models of a repository",
        description="Finds the models below DIRECTORY and writes npu-compat.yaml with today's "
        "values as the floor. Never overwrites. With --preset it only prints thresholds.",
    )
    init.add_argument("directory", nargs="?", default=".", metavar="DIRECTORY")
    init.add_argument(
        "--preset", choices=("recommended", "strict"), help="print these thresholds and do no more"
    )
    _add_target(init)


def _merge(commands: Any) -> None:
    merge = commands.add_parser("merge", help="one verdict from the records of several runs")
    merge.add_argument("records", nargs="+", metavar="RUN.json")
    merge.add_argument(
        "--expect", type=int, metavar="N", help="fail unless there are N records; copies count once"
    )
    merge.add_argument(
        "--gates",
        action="append",
        default=[],
        metavar="PATH",
        help="read the gate files there again, and fail if no run judged one of their checks",
    )
    _add_strictness(merge)
    _add_outputs(merge)


def _report(commands: Any) -> None:
    report = commands.add_parser("report", help="write the compatibility report in Markdown")
    _add_models(report)
    report.add_argument("--lang", choices=("en", "ko"), default="en", help="English or Korean")
    report.add_argument("-o", "--output", metavar="FILE", help="write it there, not to the output")


def _targets(commands: Any) -> None:
    commands.add_parser("targets", help="list targets and their variants")


def _add_models(command: argparse.ArgumentParser) -> None:
    """What `commands/requests.py` reads."""
    command.add_argument("models", nargs="+", metavar="MODEL")
    _add_target(command)
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=1,3,224,224",
        dest="inputs",
        help="pin the dimensions of a graph input",
    )
    command.add_argument(
        "--assume-int8",
        action="store_true",
        help="judge a float model as if it had been quantized",
    )
    command.add_argument(
        "--keep-no-mac-regions",
        action="store_true",
        help="leave regions without multiply-accumulates on the NPU",
    )
    command.add_argument(
        "--estimate", action="store_true", help="estimate time, DRAM traffic and energy too"
    )
    command.add_argument("--timeout", metavar="TIME", help="for each model, e.g. '120 s'")
    command.add_argument("--memory", metavar="SIZE", help="of the analysis process, e.g. '4 GB'")


def _add_target(command: argparse.ArgumentParser) -> None:
    command.add_argument("--target", default="ethos-n78", metavar="NAME[:VARIANT]|PROFILE.yaml")


def _add_strictness(command: argparse.ArgumentParser) -> None:
    command.add_argument("--strict", action="store_true", help="fail what only looks green")
    command.add_argument("--strict-waivers", action="store_true", help="fail unused waivers")


def _add_outputs(command: argparse.ArgumentParser) -> None:
    for name, text in OUTPUT_FILES.items():
        command.add_argument(f"--{name}", metavar="FILE", help=f"write {text}")
    command.add_argument("--github", action="store_true", help=GITHUB)
