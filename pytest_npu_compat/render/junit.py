"""A run as a JUnit file: a suite for each model and target, a case for each check.

The file follows the schema that Jenkins' xunit plugin and pytest use, which is narrower than what
`junit_xml` writes. Where the two differ:

* A case has no properties in the schema. They stand on the suite, named after the check:
  ``npu.npu_ratio.actual``.
* ``disabled`` is no attribute of the schema. It is removed.
* `junit_xml` drops a failure without a text, which would make the case green. A text is always given.
* `junit_xml` removes some characters that XML forbids, but not surrogates. All text is cleaned before.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome
from pytest_npu_compat.render.names import clean, clean_lines, headline
from pytest_npu_compat.render.notes import placed

if TYPE_CHECKING:
    from junit_xml import TestCase, TestSuite

__all__ = ["to_junit"]

NOTES_SUITE = "npu-compat"
"""Name of the suite of what belongs to no check."""
MAX_TEXT = 1000


def to_junit(run: GateRun) -> str:
    """A run as JUnit XML. It is red exactly if the run has not passed.

    A check that fails is a failure, one that could not be judged an error, one that is waived or off
    is skipped; a warning is the output of a case that passes. An error that belongs to no check is a
    failing case of the suite ``npu-compat``, and so is a run in which nothing was judged.
    """
    from xml.etree import ElementTree as ET

    suites = [
        _suite(run, key, list(outcomes))
        for key, outcomes in groupby(run.outcomes, key=lambda o: o.key)
    ]
    if run.notes or not run.outcomes:
        suites.append(_notes_suite(run))
    root = ET.Element("testsuites", name=NOTES_SUITE)
    for suite in suites:
        element = suite.build_xml_doc()
        element.attrib.pop("disabled", None)
        root.append(element)
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(run: GateRun, key: str, outcomes: list[Outcome]) -> TestSuite:
    from junit_xml import TestSuite

    return TestSuite(
        _text(key),
        [_case(run, outcome) for outcome in outcomes],
        properties=dict(_properties(run, key, outcomes)),
    )


def _properties(run: GateRun, key: str, outcomes: Iterable[Outcome]) -> Iterable[tuple[str, str]]:
    report = run.reports.get(key)
    if report is not None:
        yield "npu.target", _text(report.target.label)
        yield "npu.model_sha256", _text(report.model.sha256)
        yield "npu.tool", _text(f"{report.tool.version} ({report.tool.rules})")
    for outcome in outcomes:
        values = {
            "status": outcome.status,
            "actual": outcome.actual,
            "value": None if outcome.value is None else f"{outcome.value:.15g}",
            "limit": outcome.limit,
            "baseline": outcome.baseline,
            "waiver": outcome.waiver,
        }
        for name, value in values.items():
            if value is not None:
                yield f"npu.{_text(outcome.metric)}.{name}", _text(value)


def _case(run: GateRun, outcome: Outcome) -> TestCase:
    """A check, named as in the file that pytest itself writes, so that histories go on."""
    from junit_xml import TestCase

    gate = outcome.gate_file.replace("/", ".")
    case = TestCase(
        _text(outcome.metric), classname=_text(f"{gate}.{outcome.model}[{outcome.target}]")
    )
    message = _text(outcome.message) or outcome.status
    place = f"{_text(outcome.gate_file)}:{outcome.line}"
    text = f"{clean_lines(outcome.text) or message}\n\n{place}"
    if outcome.status == "failed":
        case.add_failure_info(message, text)
    elif outcome.status == "not_analyzable":
        report = run.reports.get(outcome.key)
        code = report.error.code if report and report.error else outcome.status
        case.add_error_info(message, text, _text(code))
    elif outcome.status in ("waived", "off"):
        waiver = f"{outcome.status}: {_text(outcome.waiver)}: " if outcome.waiver else ""
        case.add_skipped_info(f"{waiver}{message}", text)
    elif outcome.status == "warned":
        case.stdout = f"warning: {text}"
    else:
        case.stdout = message
    return case


def _notes_suite(run: GateRun) -> TestSuite:
    from junit_xml import TestCase, TestSuite

    errors = [note for note in run.notes if note.level == "error"]
    if not run.outcomes:
        errors.append(Note("nothing-judged", "error", "No check was judged."))
    cases = []
    for note in errors:
        case = TestCase(_text(note.kind), classname=NOTES_SUITE)
        said = note.message or note.kind or note.level
        case.add_failure_info(headline(said, MAX_TEXT), clean_lines(placed(note)))
        cases.append(case)
    told = "\n".join(_text(placed(note)) for note in run.notes if note.level != "error")
    return TestSuite(NOTES_SUITE, cases, stdout=told or None)


def _text(text: str) -> str:
    return clean(text, MAX_TEXT)
