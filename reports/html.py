"""Report -> one HTML file that needs nothing else: no network, no script, its style allowed by hash."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reports import charts, text
from reports.completeness import FATES
from reports.controls import FRAMEWORKS
from reports.findings import STATES
from reports.model import Report

SECTIONS = (
    ("summary", "Summary"),
    ("findings", "Findings"),
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


def render(report: Report) -> bytes:
    """The report for screens, and for printing from a browser."""
    return _document(
        report,
        PAGE,
        css("base.css") + css("dark.css") + css("screen.css") + f"@media print{{{css('print.css')}}}",
    )


def for_paper(report: Report) -> bytes:
    """The same document with the style of paper alone; fonts come from pdf.py."""
    return _document(report, "", css("base.css") + css("print.css") + css("paper.css"))


@cache
def css(name: str) -> str:
    return (importlib.resources.files("reports") / "assets" / name).read_text("utf-8")


def _document(report: Report, page: str, style: str) -> bytes:
    """`page` is the log page that stands beside; paper has none."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    template = environment().get_template("review.html.j2")
    page = template.render(
        report=report,
        style=Markup(style),
        log=page,
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        by_day=charts.by_day(report.activity.by_day),
        by_hour=charts.by_hour(report.activity.by_hour),
        sections=SECTIONS,
        numbers={name: n for n, (name, _) in enumerate(SECTIONS, 1)},
        titles=dict(SECTIONS),
        states=STATES,
        fates=FATES,
    )
    return page.encode()


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
        "part": lambda value: quote(value, safe=""),
    }
    environment.globals |= {"count": text.count, "percent": text.percent}
    return environment


def _seen(value: Any) -> Any:
    """Every value of every template passes here, so that none can hide or reorder what is beside it."""
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
