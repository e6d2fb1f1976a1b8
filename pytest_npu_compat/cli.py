"""The `npu-compat` command."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_npu_compat import __version__
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_RED, EXIT_USAGE, UsageError
from pytest_npu_compat.run_options import OUTPUT_FILES, RunOptions

if TYPE_CHECKING:
    from pytest_npu_compat.analysis.report import Report
    from pytest_npu_compat.run import AnalysisRequest, Limits

__all__ = ["main"]

EXIT_NOT_ANALYZABLE = EXIT_RED


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
        "--assume-int8",
        action="store_true",
        help="judge a float model as if it had been quantized",
    )
    analyze.add_argument(
        "--keep-no-mac-regions",
        action="store_true",
        help="leave regions without multiply-accumulates on the NPU",
    )
    analyze.add_argument(
        "--dump-ir", metavar="FILE", help="write the partitioned IRModule of the (only) model"
    )
    analyze.add_argument("--timeout", metavar="TIME", help="for each model, e.g. '120 s'")
    analyze.add_argument("--memory", metavar="SIZE", help="of the analysis process, e.g. '4 GB'")
    analyze.add_argument(
        "--verbose",
        action="store_true",
        help="log details, tracebacks included; analyzes in this process, without limits",
    )
    analyze.set_defaults(run=_analyze)
    _add_check(commands)
    explain = commands.add_parser("explain", help="say what a rule or an operator means")
    explain.add_argument("topic", metavar="RULE|OPERATOR")
    explain.add_argument("--target", default="ethos-n78", metavar="NAME[:VARIANT]")
    explain.set_defaults(run=_explain)
    init = commands.add_parser(
        "init",
        help="write a gate file for the models of a repository",
        description="Finds the models below DIRECTORY and writes npu-compat.yaml with today's "
        "values as the floor. Never overwrites. With --preset it only prints thresholds.",
    )
    init.add_argument("directory", nargs="?", default=".", metavar="DIRECTORY")
    init.add_argument("--target", default="ethos-n78", metavar="NAME[:VARIANT]")
    init.add_argument(
        "--preset", choices=("recommended", "strict"), help="print these thresholds and do no more"
    )
    init.set_defaults(run=_init)
    targets = commands.add_parser("targets", help="list targets and their variants")
    targets.set_defaults(run=_targets)
    return parser


def _add_check(commands: Any) -> None:
    check = commands.add_parser("check", help="judge gate files without pytest")
    check.add_argument("gates", nargs="*", metavar="GATE", help="gate files or directories")
    check.add_argument("--strict", action="store_true", help="fail what only looks green")
    check.add_argument("--strict-waivers", action="store_true", help="fail unused waivers")
    check.add_argument("--baseline", metavar="FILE", help="instead of those of the gate files")
    check.add_argument("--update-baseline", action="store_true", help="write it, compare nothing")
    _add_outputs(check)
    check.set_defaults(run=_check)
    merge = commands.add_parser("merge", help="one verdict from the records of several runs")
    merge.add_argument("records", nargs="+", metavar="RUN.json")
    merge.add_argument("--expect", type=int, metavar="N", help="fail unless there are N records")
    _add_outputs(merge)
    merge.set_defaults(run=_merge)
    diff = commands.add_parser(
        "diff",
        help="what changed between two models, reports, baselines, runs or git revisions",
        description="npu-compat diff A B compares two files; npu-compat diff --base REV [GATE ...] "
        "compares the models of gate files with those of a git revision. Exit code 1: something "
        "got worse.",
    )
    diff.add_argument("sides", nargs="*", metavar="A B | GATE")
    diff.add_argument("--base", metavar="REV", help="git revision, e.g. origin/main")
    diff.add_argument("--head", metavar="REV", help="git revision instead of the working tree")
    diff.add_argument("--exact", action="store_true", help="REV itself, not where HEAD left it")
    diff.add_argument("--target", default="ethos-n78", metavar="NAME[:VARIANT]")
    diff.add_argument("--format", choices=("text", "json"), default="text", dest="style")
    diff.set_defaults(run=_diff)


def _add_outputs(command: argparse.ArgumentParser) -> None:
    for name, text in OUTPUT_FILES.items():
        command.add_argument(f"--{name}", metavar="FILE", help=f"write {text}")


def _files(arguments: argparse.Namespace) -> dict[str, Path]:
    return {
        name: Path(file) for name in OUTPUT_FILES if (file := getattr(arguments, name)) is not None
    }


def _check(arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.commands.check import check

    options = RunOptions(
        strict=arguments.strict,
        strict_waivers=arguments.strict_waivers,
        updating=arguments.update_baseline,
        baseline=Path(arguments.baseline) if arguments.baseline else None,
        files=_files(arguments),
    )
    return check(arguments.gates, options)


def _diff(arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.commands.diff import diff_revisions, diff_sides

    if arguments.base is not None:
        return diff_revisions(
            arguments.sides,
            arguments.base,
            arguments.head,
            arguments.style,
            exact=arguments.exact,
        )
    if len(arguments.sides) != 2:
        raise UsageError("diff takes two files, or --base REV")
    arguments.models, arguments.inputs, arguments.keep_no_mac_regions = arguments.sides, [], False
    base, head = _requests(arguments)
    return diff_sides(base, head, arguments.style)


def _merge(arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.commands.merge import merge_runs

    return merge_runs(arguments.records, arguments.expect, _files(arguments))


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
    limits = _limits(arguments)
    return [
        AnalysisRequest(
            model=model,
            name=Path(model).stem,
            shown_path=Path(model).as_posix(),
            target=name,
            variant=variant or None,
            options=tuple(options.items()),
            inputs=inputs,
            quantization="assume-int8" if arguments.assume_int8 else None,
            limits=limits,
        )
        for model in arguments.models
    ]


def _limits(arguments: argparse.Namespace) -> Limits:
    from pytest_npu_compat.run.limits import DEFAULT_LIMITS, Limits, parse_memory, parse_timeout

    timeout, memory = DEFAULT_LIMITS.timeout, DEFAULT_LIMITS.memory
    try:
        if arguments.timeout is not None:
            timeout = parse_timeout(arguments.timeout)
        if arguments.memory is not None:
            memory = parse_memory(arguments.memory)
    except ValueError as error:
        raise UsageError(f"{error}.") from error
    return Limits(timeout, memory)


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
    from pytest_npu_compat.commands.progress import progress

    if arguments.verbose:
        from pytest_npu_compat.run.analysis import analyze
    else:
        from pytest_npu_compat.run import analyze

    requests = _requests(arguments)
    if arguments.dump_ir:
        if len(requests) != 1:
            raise UsageError("--dump-ir takes one model")
        return _dump_ir(requests[0], Path(arguments.dump_ir))
    reports = []
    for request in progress(requests, len(requests)):
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
    if arguments.preset:
        from pytest_npu_compat.gate.presets import preset_text

        print(preset_text(arguments.preset))
        return EXIT_OK
    from pytest_npu_compat.commands.init import init

    arguments.models, arguments.inputs, arguments.keep_no_mac_regions = ["any.onnx"], [], False
    request = _requests(arguments)[0]  # says whether the target exists
    return init(Path(arguments.directory), request.target, request.variant)


def _targets(_arguments: argparse.Namespace) -> int:
    from pytest_npu_compat.target.registry import default_variant, target_names, variants_of

    for name in target_names():
        print(name)
        for variant in variants_of(name):
            print(f"  {variant}{'  (default)' if variant == default_variant(name) else ''}")
    return EXIT_OK
