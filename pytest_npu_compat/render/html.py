"""A run as one self-contained HTML page: to be opened from a CI artifact, without a network.

Templates, style and scripts stand in ``data/html``; what the page says is prepared by `html_view`, and
what its scripts read by `html_data`. Names from models and gate files are not trusted: each goes
through `clean`, then through jinja2's escaping, and the page's own policy forbids all scripts but those
written here.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pytest_npu_compat import __version__
from pytest_npu_compat.gate.outcome import GateRun
from pytest_npu_compat.render.html_data import MAX_NAME, bytes_text, model_data, shape_text
from pytest_npu_compat.render.html_figures import PLACEMENTS, placement_of
from pytest_npu_compat.render.html_view import STATUSES, page_view
from pytest_npu_compat.render.names import clean
from pytest_npu_compat.render.notes import place_before

__all__ = ["to_html"]

SCRIPTS = (
    "base.js",
    "checks.js",
    "charts.js",
    "detail.js",
    "blocks.js",
    "scene.js",
    "picture.js",
    "page.js",
)
"""Of ``data/html``, in the order in which they need each other."""
STYLES = ("colours.css", "page.css", "tables.css", "picture.css", "media.css")
"""Of ``data/html``, in the order in which they overrule each other."""
MAX_TEXT = 2000
MAX_ROWS = 20_000
"""Operators of a run in static tables; beyond, these list only what is not on the NPU or has hazards."""


def to_html(run: GateRun) -> str:
    """The page of a run: the same run gives the same bytes.

    Args:
        run: What was judged; may be empty.

    Returns:
        An HTML document that loads nothing. Write it as UTF-8.
    """
    view = page_view(run)
    libraries = _libraries()
    scripts = [Markup(_asset(name)) for name in SCRIPTS]  # noqa: S704 # our own files
    page = _environment().get_template("page.html.j2")
    return page.render(
        view=view,
        repeats=view.repeats,
        notes=sorted(run.notes, key=lambda note: note.level != "error"),
        data=[model_data(model) for model in view.models],
        all_rows=sum(len(m.report.operators) for m in view.models) <= MAX_ROWS,
        style=Markup("".join(map(_asset, STYLES))),  # noqa: S704 # our own files
        libraries=libraries,
        scripts=scripts,
        policy=_policy([*(library["script"] for library in libraries), *scripts]),
        version=__version__,
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_npu_compat", "data/html"),
        autoescape=True,
        finalize=_harmless,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    environment.globals |= {"STATUSES": STATUSES, "PLACEMENTS": PLACEMENTS}
    environment.filters |= {
        "name": functools.partial(clean, limit=MAX_NAME),
        "shape": shape_text,
        "bytes": bytes_text,
        "grouped": lambda number: f"{number:,}",
        "placement": placement_of,
        "place": place_before,
        "unbroken": _unbroken,
    }
    return environment


def _harmless(value: Any) -> Any:
    """What each expression of a template becomes: texts without control characters, of bounded length."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return clean(value, MAX_TEXT)


def _unbroken(text: str) -> Markup:
    """A text in which ``≥ 96%`` stays on one line; copied and searched it is the same."""
    escaped = str(escape(_harmless(text)))
    whole = re.sub(
        r"(?:[≥≤]|exactly) [\w.%+-]{1,20}", r'<span class="unbroken">\g<0></span>', escaped
    )
    return Markup(whole)  # noqa: S704 # escaped above


@functools.cache
def _asset(name: str) -> str:
    return (files("pytest_npu_compat") / "data" / "html" / name).read_text(encoding="utf-8")


@functools.cache
def _libraries() -> tuple[dict[str, str], ...]:
    """The vendored libraries, in alphabetical order: Plot needs d3 before it."""
    folder = files("pytest_npu_compat") / "data" / "html" / "vendor"
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".min.js"))
    libraries = []
    for name in names:
        short = re.split(r"-\d", name)[0]
        licence = (folder / f"LICENSE-{short}.txt").read_text(encoding="utf-8")
        script = Markup((folder / name).read_text(encoding="utf-8"))  # noqa: S704 # our own file
        libraries.append({"name": name, "script": script, "licence": licence})
    return tuple(libraries)


def _policy(scripts: Iterable[str]) -> str:
    """The content security policy: nothing is loaded, and only these scripts run.

    Styles are free, because the chart library writes some; scripts are known by their hash.
    """
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
