"""A run as Markdown: the step summary of a job, and the comment on a pull request.

GitHub links mentions, references and URLs wherever it finds them, except in code. So everything that
comes from a user's files stands in ``<code>`` or ``<pre>``, with its punctuation as character references.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from pytest_npu_compat.gate.outcome import GateRun, Note, Outcome
from pytest_npu_compat.render.cutting import Entry, Section, cut, size
from pytest_npu_compat.render.names import clean, clean_lines
from pytest_npu_compat.render.notes import place_before
from pytest_npu_compat.render.terminal import report_row
from pytest_npu_compat.render.words import counted, plural

__all__ = ["COMMENT_LIMIT", "SUMMARY_LIMIT", "to_comment", "to_markdown", "verdict_line"]

SUMMARY_LIMIT = 1024 * 1024
"""Bytes that GitHub takes as the summary of a step; it shows nothing of a longer one."""
COMMENT_LIMIT = 65_536
"""Characters that GitHub takes as a comment. Counted in bytes here, which are never fewer."""

MAX_NAME = 200
RESERVED = 600
"""Bytes kept free of a comment for what whoever posts it adds."""
FOOT = 700
"""Bytes kept free for the line that says what was left out."""


def to_comment(run: GateRun) -> str:
    """A run as a comment, with room for a marker and links that whoever posts it adds."""
    return to_markdown(run, COMMENT_LIMIT - RESERVED)


def to_markdown(run: GateRun, limit: int = SUMMARY_LIMIT) -> str:
    """A run as a page: the verdict, new regressions, a table, failures, notes.

    Args:
        run: The run.
        limit: Bytes of UTF-8 that the page must not exceed, at least 2,000. What does not fit is left
            out entry by entry, long texts line by line, and the last line tells what.

    Raises:
        ValueError: The limit is too low to say anything.
    """
    if limit < 2000:
        raise ValueError(f"a page of {limit} bytes says nothing; at least 2000 are needed")
    head = _head(run)
    sections = [
        Section("regressions", "### Left the NPU since the baseline\n\n", _regressions(run)),
        Section("rows of the table", _TABLE_HEAD, _rows(run)),
        Section("failures", "### Failures\n\n", _details(run, ("failed", "not_analyzable"))),
        Section("errors", "### Errors\n\n", _notes(run.notes, "error")),
        Section("warnings", "### Warnings\n\n", _details(run, ("warned",))),
        Section("waivers", "### Waived\n\n", _waived(run)),
        Section("notes", "### Notes\n\n", _notes(run.notes, "note")),
    ]
    whole = head + "".join(section.whole for section in sections)
    if size(whole) <= limit:
        return whole
    kept = cut(sections, limit - size(head) - FOOT)
    return (
        f"{head}{kept.text}**Cut to {limit} bytes.** Left out: {', '.join(kept.missing)}. "
        "The JSON, JUnit and HTML files of the run have all.\n"
    )


def verdict_line(run: GateRun) -> str:
    """The verdict in one sentence, e.g. ``2 of 7 checks fail in 2 of 3 models``."""
    checks, models = len(run.outcomes), len({o.key for o in run.outcomes})
    if not checks:
        return "No check was judged"
    red = [o for o in run.outcomes if o.red]
    errors = sum(note.level == "error" for note in run.notes)
    parts = [f"{counted(checks, 'check')} of {counted(models, 'model')} judged"]
    if red:
        bad = len({o.key for o in red})
        verb = plural(len(red), "fails", "fail")
        parts = [
            f"{len(red)} of {counted(checks, 'check')} {verb} in {bad} of {counted(models, 'model')}"
        ]
    for status, word in (("waived", "waived"), ("warned", "warned"), ("off", "switched off")):
        count = sum(o.status == status for o in run.outcomes)
        parts += [f"{count} {word}"] if count else []
    return ", ".join([*parts, *([counted(errors, "error")] if errors else [])])


def _head(run: GateRun) -> str:
    mark, word = ("✅", "passed") if run.passed else ("❌", "failed")
    return f"## {mark} NPU compatibility: {word}\n\n{verdict_line(run)}.\n\n"


_TABLE_HEAD = """\
| model | target | NPU ratio | MAC | partitions | Q/DQ | verdict |
| --- | --- | --- | --- | --- | --- | --- |
"""


def _rows(run: GateRun) -> list[Entry]:
    """A row for each model and target, the red ones first."""
    groups = [list(group) for _, group in groupby(run.outcomes, key=lambda o: o.key)]
    return [_row(run, group) for group in sorted(groups, key=lambda g: not any(o.red for o in g))]


def _row(run: GateRun, outcomes: Sequence[Outcome]) -> Entry:
    first = outcomes[0]
    report, base = run.reports.get(first.key), run.baselines.get(first.key)
    cells = report_row(first.model, report) if report else {}
    ratio = cells.get("NPU ratio", "-")
    if base is not None:
        before = report_row(first.model, base).get("NPU ratio", "-")
        ratio += f", was {before}" if before not in (ratio, "-") else ""
    figures = [ratio, *(cells.get(name, "-") for name in ("MAC", "parts", "Q/DQ"))]
    names = [_code(first.model), _code(first.target)]
    return Entry(f"| {' | '.join([*names, *figures, _verdict(run, outcomes)])} |\n")


def _verdict(run: GateRun, outcomes: Sequence[Outcome]) -> str:
    report = run.reports.get(outcomes[0].key)
    if any(o.status == "not_analyzable" for o in outcomes) and report and report.error:
        return f"❌ {_code(report.error.code)}"
    for mark, statuses in (("❌", ("failed", "not_analyzable")), ("⚠️", ("warned",))):
        found = [_code(o.metric) for o in outcomes if o.status in statuses]
        if found:
            return f"{mark} {', '.join(found)}"
    waived = [_code(o.metric) for o in outcomes if o.status == "waived"]
    return f"✅ waived: {', '.join(waived)}" if waived else "✅"


def _regressions(run: GateRun) -> list[Entry]:
    entries: dict[str, None] = {}
    for outcome in run.outcomes:
        for regression in outcome.regressions:
            entries[
                f"- {_code(f'{outcome.model}[{outcome.target}]')}: {_code(regression, 500)}\n"
            ] = None
    return [Entry(text) for text in entries]


def _details(run: GateRun, statuses: Iterable[str]) -> list[Entry]:
    """A block that opens for each check; those with regressions first."""
    found = [o for o in run.outcomes if o.status in statuses]
    return [_detail(o) for o in sorted(found, key=lambda o: not o.regressions)]


def _detail(outcome: Outcome) -> Entry:
    title = _code(f"{outcome.model}[{outcome.target}] {outcome.message}", 600)
    place = _code(f"{outcome.gate_file}:{outcome.line}")
    was = f", baseline {_code(outcome.baseline)}" if outcome.baseline else ""
    return Entry(
        f"<details><summary>{title}</summary>\n\n<pre>\n",
        [f"{html.escape(line)}\n" for line in _text_lines(outcome.text or outcome.message)],
        f"</pre>\n\n{place}{was}\n\n</details>\n\n",
    )


def _text_lines(text: str) -> list[str]:
    return clean_lines(text).split("\n")


def _waived(run: GateRun) -> list[Entry]:
    return [
        Entry(
            f"- {_code(f'{o.model}[{o.target}] {o.metric}')}: {_code(o.waiver or o.message, 500)}\n"
        )
        for o in run.outcomes
        if o.status == "waived"
    ]


def _notes(notes: Iterable[Note], level: str) -> list[Entry]:
    return [_note(note) for note in notes if note.level == level]


def _note(note: Note) -> Entry:
    """The headline, and the lines behind it as part of the entry of the list."""
    place = place_before(note)
    shown = f"{_code(place)}: " if place else ""
    first, _, rest = (note.message or note.kind).partition("\n")
    headline = f"- {shown}{_code(first, 500)}\n"
    if not rest.strip():
        return Entry(headline)
    lines = [f"  {html.escape(line)}\n" for line in _text_lines(rest)]
    return Entry(f"{headline}\n  <pre>\n", lines, "  </pre>\n\n")


_PUNCTUATION = re.compile(r"[^\w\s.,;%=/()≥≤×…-]|_|(?<=www)\.", re.IGNORECASE)


def _code(text: str, limit: int = MAX_NAME) -> str:
    """A text that is shown as it is: no Markdown, no HTML, no link.

    An empty comment on both sides of ``@`` keeps it from becoming a mail address.
    """
    cleaned = clean(text, limit) or "?"

    def referenced(match: re.Match[str]) -> str:
        return "".join(f"&#{ord(c)};" for c in match[0])

    escaped = _PUNCTUATION.sub(referenced, cleaned)
    return f"<code>{escaped.replace('&#64;', '<!-- -->&#64;<!-- -->')}</code>"
