"""`npu-compat analyze`: where the operators of models run, and why not on the NPU."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_npu_compat import run as runner
from pytest_npu_compat.analysis.report import Report
from pytest_npu_compat.commands.errors import EXIT_OK, EXIT_RED, UsageError
from pytest_npu_compat.commands.progress import progress
from pytest_npu_compat.commands.requests import requests
from pytest_npu_compat.model.errors import ModelError
from pytest_npu_compat.render.estimates import describe_estimates
from pytest_npu_compat.render.json import to_json, to_jsonl
from pytest_npu_compat.render.table import table
from pytest_npu_compat.render.terminal import report_row
from pytest_npu_compat.render.text import describe
from pytest_npu_compat.run import AnalysisRequest

__all__ = ["run"]


def run(arguments: argparse.Namespace) -> int:
    """Analyzes models and prints their reports.

    Returns:
        0 if every model could be analyzed, else 1.

    Raises:
        UsageError: The arguments do not make sense.
    """
    asked = requests(arguments, arguments.models)
    if arguments.dump_ir:
        if len(asked) != 1:
            raise UsageError("--dump-ir takes one model")
        return _dump_ir(asked[0], Path(arguments.dump_ir))
    reports = []
    for request in progress(asked, len(asked)):
        report = _analyze(request, in_process=arguments.verbose)
        reports.append(report)
        if arguments.style == "jsonl":
            print(to_jsonl([report]), flush=True)
    if arguments.style == "json":
        print(to_json(reports))
    elif arguments.style == "table":
        _print_table(reports)
    return EXIT_OK if all(report.analyzed for report in reports) else EXIT_RED


def _analyze(request: AnalysisRequest, *, in_process: bool) -> Report:
    if not in_process:
        return runner.analyze(request)
    from pytest_npu_compat.run.analysis import analyze

    return analyze(request)


def _dump_ir(request: AnalysisRequest, file: Path) -> int:
    from pytest_npu_compat.run.analysis import partitioned_ir

    try:
        text = partitioned_ir(request)
    except ModelError as error:
        print(f"{request.shown_path}: {error.code}: {error.message}\n{error.hint}", file=sys.stderr)
        return EXIT_RED
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--dump-ir cannot write {str(file)!r}: {error.strerror}") from error
    return EXIT_OK


def _print_table(reports: Sequence[Report]) -> None:
    rows = []
    for report in reports:
        row = report_row(report.model.name, report)
        off = sum(operator.placement != "npu" for operator in report.operators)
        verdict = row["verdict"] or ("all on the NPU" if not off else f"{off} off the NPU")
        rows.append({**row, "verdict": verdict})
    print("\n".join(table(rows, shutil.get_terminal_size().columns)))
    for report in reports:
        print()
        print(describe(report))
        if report.estimate is not None:
            print()
            print(describe_estimates(report))
