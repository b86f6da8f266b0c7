"""Report -> one HTML file that needs nothing else: no network, no script, its style allowed by hash."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline.config import Looks
from pipeline.progress import Progress, silent
from reports import charts, text
from reports.completeness import FATES
from reports.controls import FRAMEWORKS
from reports.findings import STATES
from reports.model import Report

if TYPE_CHECKING:
    from reports.document import Document
    from reports.sections import Section

SECTIONS = (
    ("summary", "Summary"),
    ("findings", "Findings"),
    ("looked", "Looked at"),
    ("completeness", "Completeness"),
    ("scope", "Scope"),
    ("time", "Time"),
    ("activity", "Activity"),
    ("sensitive", "Sensitive activity"),
    ("method", "Method"),
    ("exceptions", "Exceptions and suppressions"),
    ("controls", "Control matrix"),
    ("failures", "Pipeline failures"),
    ("privacy", "Privacy"),
    ("signoff", "Sign-off"),
    ("appendix", "Appendix"),
)
PAGE = "log.html"
EMPTY = re.compile(r"(<thead>(?:(?!</thead>).)*</thead>)\s*<tbody>\s*</tbody>")
LONGEST = 8_000  # characters of one value; nobody reads more of it on a page


def render(report: Report, progress: Progress = silent) -> bytes:
    """The report for screens, and for printing from a browser."""
    return _document(report, PAGE, _screen(), progress)


def for_paper(report: Report, progress: Progress = silent) -> bytes:
    """The same document with the style of paper alone; fonts come from pdf.py."""
    return _document(report, "", _paper(), progress, report.printed)


@cache
def css(name: str) -> str:
    return (importlib.resources.files("reports") / "assets" / name).read_text("utf-8")


def document(doc: Document, progress: Progress = silent) -> bytes:
    """A document of another kind for screens."""
    return _other(doc, _screen() + css("document.css"), progress)


def document_for_paper(doc: Document, progress: Progress = silent) -> bytes:
    """The same for paper."""
    return _other(doc, _paper() + css("document.css"), progress, doc.long)


def _screen() -> str:
    return css("base.css") + css("dark.css") + css("screen.css") + f"@media print{{{css('print.css')}}}"


def _paper() -> str:
    return css("base.css") + css("print.css") + css("paper.css")


def _other(doc: Document, style: str, progress: Progress, long: Section | None = None) -> bytes:
    from reports.sections import PRINTED

    parts = _of(doc.report) if doc.report else {}
    parts |= {"printed": min(long.total, PRINTED) if long else 0}
    return _filled(
        "document.html.j2", doc.looks, style, say=_sayer(doc.kind.name, progress), doc=doc, **parts
    )


def _document(
    report: Report, page: str, style: str, progress: Progress, printed: Sequence[object] = ()
) -> bytes:
    """`page` is the log page that stands beside; paper has none, and lines printed behind instead."""
    parts = {**_of(report, linked=True), "printed": len(printed)}
    return _filled("review.html.j2", report.cover.looks, style, page, say=_sayer("review", progress), **parts)


def _sayer(kind: str, progress: Progress) -> Callable[[str], str]:
    """What a template calls where a section begins: it says so, and places nothing."""

    def say(title: str) -> str:
        progress(f"writing the {kind} · {title}")
        return ""

    return say


def _of(report: Report, linked: bool = False) -> dict[str, Any]:
    """What the sections of a review need besides its numbers; `linked` are the findings that the document tells."""
    told = (one.name for one in (*report.findings.full, *report.findings.brief) if one.listed)
    return {
        "report": report, "cover": report.cover, "by_day": charts.by_day(report.activity.by_day),
        "by_hour": charts.by_hour(report.activity.by_hour), "by_severity": charts.by_severity(report),
        "calendar": charts.calendar(report.activity.by_day), "states": STATES, "fates": FATES,
        "sections": SECTIONS, "numbers": {name: n for n, (name, _) in enumerate(SECTIONS, 1)},
        "titles": dict(SECTIONS), "linked": frozenset(told) if linked else frozenset(),
    }  # fmt: skip


def _filled(template: str, looks: Looks, style: str, page: str = "", **parts: Any) -> bytes:
    """A template with its own style, allowed by hash; the only picture is the logo, which stands in the file."""
    style += f":root{{--accent:{looks.accent}}}" if looks.accent else ""
    style += f"@page{{size:{looks.paper}}}"
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    pictures = " img-src data:;" if looks.logo else ""
    policy = f"default-src 'none'; style-src 'sha256-{digest}';{pictures} base-uri 'none'; form-action 'none'"
    made = environment().get_template(template)
    text = made.render(style=Markup(style), policy=policy, log=page, looks=looks, **parts)
    return EMPTY.sub(_without_rows, text).encode()


def _without_rows(table: re.Match[str]) -> str:
    """A table says that it has no row: to a screen reader one without rows would be none."""
    head = table.group(1)
    return f'{head}\n<tbody><tr><td colspan="{head.count("<th ")}" class="nothing">none</td></tr></tbody>'


@cache
def environment() -> Environment:
    """What every document is rendered with."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_seen,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "n": text.number,
        "size": text.size,
        "words": text.words,
        "framework": lambda name: FRAMEWORKS.get(name, name),
        "listed": text.listed,
        "weekday": text.weekday,
        "coded": _coded,
        "part": lambda value: quote(value, safe=""),
    }
    environment.globals |= {"count": text.count, "percent": text.percent}
    return environment


def _coded(value: str) -> Markup:
    """What stands between back ticks is code."""
    parts = str(escape(_seen(value))).split("`")
    return Markup("".join(f"<code>{one}</code>" if n % 2 else one for n, one in enumerate(parts)))


def _seen(value: Any) -> Any:
    """Every value of every template passes here, so that none can hide or reorder what is beside it."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    more = len(value) - LONGEST
    return (
        text.visible(value) if more <= 0 else f"{text.visible(value[:LONGEST])}… ({more:,} characters more)"
    )
