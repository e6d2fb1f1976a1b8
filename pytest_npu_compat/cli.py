"""The `npu-compat` command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_npu_compat import __version__

if TYPE_CHECKING:
    from pytest_npu_compat.analysis.report import Report
    from pytest_npu_compat.run import AnalysisRequest

__all__ = ["main"]

EXIT_OK = 0
EXIT_NOT_ANALYZABLE = 1
EXIT_USAGE = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
        argv: Arguments without the command's name; those of the process if None.

    Returns:
        0 if everything was done, 1 if a model cannot be analyzed, 2 for wrong usage.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks must not end the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.DEBUG if getattr(arguments, "verbose", False) else logging.ERROR
    )
    try:
        code: int = arguments.run(arguments)
    except UsageError as error:
        print(f"npu-compat: {error}", file=sys.stderr)
        return EXIT_USAGE
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_OK
    return code


class UsageError(Exception):
    """Arguments that do not make sense."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="npu-compat", description="Where the operators of a neural network run on an NPU."
    )
    parser.add_argument("--version", action="version", version=f"npu-compat {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    analyze = commands.add_parser("analyze", help="place the operators of models and report")
    analyze.add_argument("models", nargs="+", metavar="MODEL")
    analyze.add_argument("--target", default="ethos-n78", metavar="NAME[:VARIANT]")
    analyze.add_argument(
        "--format", choices=("table", "json", "jsonl"), default="table", dest="style"
    )
    analyze.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="NAME=1,3,224,224",
        dest="inputs",
        help="pin the dimensions of a graph input",
    )
    analyze.add_argument(
        "--keep-no-mac-regions",
        action="store_true",
        help="leave regions without multiply-accumulates on the NPU",
    )
    analyze.add_argument(
        "--dump-ir", metavar="FILE", help="write the partitioned IRModule of the (only) model"
    )
    analyze.add_argument(
        "--estimate", action="store_true", help="estimate time, DRAM traffic and energy too"
    )
    analyze.add_argument("--verbose", action="store_true", help="log details, tracebacks included")
    analyze.set_defaults(run=_analyze)
    explain = commands.add_parser("explain", help="say what a rule or an operator means")
    explain.add_argument("topic", metavar="RULE|OPERATOR")
    explain.add_argument("--target", default="ethos-n78", metavar="NAME[:VARIANT]")
    explain.set_defaults(run=_explain)
    init = commands.add_parser("init", help="print thresholds to start a gate file from")
    init.add_argument("--preset", choices=("recommended", "strict"), required=True)
    init.set_defaults(run=_init)
    targets = commands.add_parser("targets", help="list targets and their variants")
    targets.set_defaults(run=_targets)
    return parser


def _requests(arguments: argparse.Namespace) -> list[AnalysisRequest]:
    from pytest_npu_compat.run import AnalysisRequest
    from pytest_npu_compat.target.registry import TargetError, make_target

    name, _, variant = arguments.target.partition(":")
    options = (
        {"inline_non_compute_intensive_partitions": False}
        if (arguments.keep_no_mac_regions)
        else {}
    )
    try:
        make_target(name, variant or None, options)
    except TargetError as error:
        raise UsageError(str(error)) from error
    inputs = tuple(_input_shape(text) for text in arguments.inputs)
    return [
        AnalysisRequest(
            model=model,
            name=Path(model).stem,
            shown_path=Path(model).as_posix(),
            target=name,
            variant=variant or None,
            options=tuple(options.items()),
            inputs=inputs,
            estimate=arguments.estimate,
        )
        for model in arguments.models
    ]


def _input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    name, separator, dims = text.rpartition("=")
    try:
        shape = tuple(int(dim) for dim in dims.split(","))
    except ValueError:
        shape = ()
    if not separator or not name or not shape or min(shape) < 1:
        raise UsageError(f"--input {text!r} is not of the form NAME=1,3,224,224")
    return name, shape


def _analyze(arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.run import analyze

    requests = _requests(arguments)
    if arguments.dump_ir:
        if len(requests) != 1:
            raise UsageError("--dump-ir takes one model")
        return _dump_ir(requests[0], Path(arguments.dump_ir))
    reports = []
    for request in requests:
        report = analyze(request)
        reports.append(report)
        if arguments.style == "jsonl":
            from pytest_npu_compat.render.json import to_jsonl

            print(to_jsonl([report]), flush=True)
    if arguments.style == "json":
        from pytest_npu_compat.render.json import to_json

        print(to_json(reports))
    elif arguments.style == "table":
        _print_table(reports)
    return EXIT_OK if all(report.analyzed for report in reports) else EXIT_NOT_ANALYZABLE


def _dump_ir(request: AnalysisRequest, file: Path) -> int:
    from pytest_npu_compat.model.errors import ModelError
    from pytest_npu_compat.run.analysis import partitioned_ir

    try:
        text = partitioned_ir(request)
    except ModelError as error:
        print(f"{request.shown_path}: {error.code}: {error.message}\n{error.hint}", file=sys.stderr)
        return EXIT_NOT_ANALYZABLE
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--dump-ir cannot write {str(file)!r}: {error.strerror}") from error
    return EXIT_OK


def _print_table(reports: Sequence[Report]) -> None:
    import shutil

    from pytest_npu_compat.render.estimates import describe_estimates
    from pytest_npu_compat.render.terminal import report_row, table
    from pytest_npu_compat.render.text import describe

    width = shutil.get_terminal_size().columns
    rows = []
    for report in reports:
        row = report_row(report.model.name, report)
        off = sum(operator.placement != "npu" for operator in report.operators)
        verdict = row["verdict"] or ("all on the NPU" if not off else f"{off} off the NPU")
        rows.append({**row, "verdict": verdict})
    print("\n".join(table(rows, width)))
    for report in reports:
        print()
        print(describe(report))
        if report.estimate is not None:
            print()
            print(describe_estimates(report))


def _explain(arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.render.rules import explain
    from pytest_npu_compat.target.registry import TargetError

    name, _, variant = arguments.target.partition(":")
    try:
        print(explain(arguments.topic, name, variant or None))
    except (TargetError, LookupError) as error:
        raise UsageError(error.args[0]) from error
    return EXIT_OK


def _init(arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.gate.presets import preset_text

    print(preset_text(arguments.preset))
    return EXIT_OK


def _targets(_arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.target.registry import default_variant, target_names, variants_of

    for name in target_names():
        print(name)
        for variant in variants_of(name):
            print(f"  {variant}{'  (default)' if variant == default_variant(name) else ''}")
    return EXIT_OK
