"""A kind (kinds/*.toml), a target and filters -> the parts of one document. Recipes and SQL answer, templates place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipeline import audience
from pipeline.config import Looks
from pipeline.errors import UsageError
from pipeline.hours import zone
from pipeline.progress import Progress, silent
from pipeline.vocabulary import several
from reports.kindfile import Kind, kinds
from reports.model import UNNAMED, Report, Request, build, identity, period, versions
from reports.period import Instant, Period, instant
from reports.rows import Log
from reports.sections import Asking, Section, narrowing, recipe_section, section
from reports.text import count, words

MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?Z")


@dataclass(frozen=True)
class Document:
    """Everything that a document says."""

    kind: Kind
    organization: str
    looks: Looks
    target: str
    about: str
    report_id: str
    period: Period
    as_of: Instant
    head: str
    filters: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    events: int
    sections: tuple[Section, ...]
    nothing: tuple[Section, ...]
    report: Report | None
    command: str

    @property
    def long(self) -> Section | None:
        """The entries, when there are more of them than the document tells: then all of them are printed behind."""
        return next((one for one in self.sections if one.entries and one.total > len(one.entries)), None)

    @property
    def sight(self) -> tuple[str, ...]:
        told = dict.fromkeys(told for one in (*self.sections, *self.nothing) for told in one.sight)
        return tuple(MOMENT.sub(r"\1 \2 UTC", one) for one in told)


def document(
    log: Log, name: str, target: str | None, clock: datetime, filters: Mapping[str, object],
    progress: Progress = silent,
) -> Document:  # fmt: skip
    """One document of a kind; `clock` is the time that it is as of."""
    kind, added = kinds()[name], tuple(recipe_section(str(text)) for text in several(filters.get("recipe")))
    narrowed = {key: value for key, value in filters.items() if key != "recipe"}
    where = zone(log.config.organization.timezone)
    request = Request(clock, filters.get("since"), filters.get("until"))  # type: ignore[arg-type]
    rows, said = _rows(log, kind, target, clock, narrowed, request)
    asking = Asking(log, kind, target, clock, {**narrowed, **said}, rows)
    span = _span(rows, period(log, request))
    report = build(log, request) if any("review" in one for one in kind.sections) else None
    made = []
    for n, one in enumerate((*kind.sections, *added), 1):
        progress(f"asking for the {name} · {one.get('title') or one.get('recipe') or one.get('review')}")
        made.append(section(n, one, asking, span))
    as_of = Instant(clock.astimezone(UTC).replace(microsecond=0), where)
    told = tuple((key.replace("_", " "), str(value)) for key, value in filters.items())
    shown = audience.typed(log.con, filters)
    about = _shown_target(log, kind, target)
    return Document(
        kind=kind, organization=log.config.organization.name or UNNAMED, looks=log.config.report,
        target=about or "", about=_about(kind, about, rows, made),
        report_id=identity([name, target, log.head, as_of.iso, span.since.iso, span.until.iso, told]),
        period=span, as_of=as_of, head=log.head,
        filters=tuple((key.replace("_", " "), str(value)) for key, value in shown.items()),
        versions=versions(), events=rows.count(),
        sections=tuple(one for one in made if not one.empty), nothing=tuple(one for one in made if one.empty),
        report=report, command=_command(kind, about, as_of, shown),
    )  # fmt: skip


def _shown_target(log: Log, kind: Kind, target: str | None) -> str | None:
    """What a document is about, as its audience may read it."""
    name = {"person": "actor", "entity": "entity"}.get(kind.target)
    return str(audience.typed(log.con, {name: target})[name]) if name and target else target


def _rows(
    log: Log, kind: Kind, target: str | None, clock: datetime, filters: Mapping[str, object], request: Request
) -> tuple[Any, dict[str, object]]:
    """The events that the document is about, and the period that they were narrowed to."""
    if kind.target in ("entity", "person") and target is None:
        example = {"entity": "job:job_2041", "person": "ana@example.com"}[kind.target]
        raise UsageError(
            f"a report of the kind {kind.name} needs a target.",
            hint=f"auditbook report {kind.name} {example}",
        )
    if kind.target == "none" and target is not None:
        raise UsageError(
            f"a report of the kind {kind.name} takes no target.", hint=f"auditbook report {kind.name}"
        )
    if kind.target == "finding" and target is None and not filters:
        raise UsageError(
            "an incident needs a finding, or filters.",
            hint="auditbook findings lists them; then: auditbook report incident ID",
        )
    if kind.target == "entity":
        return log.history(
            target, as_of=clock, **narrowing(filters, "source", "instance", "since", "until")
        ).entries, {}
    extra: dict[str, object] = {}
    if kind.target == "person":
        extra = {"actor": target}
    elif kind.target == "finding" and target:
        extra = {"finding": target}
    else:
        span = period(log, request)
        given: dict[str, object] = {}
        if kind.target == "none":
            given = {"since": span.since.at, "until": span.until.at}
        return log.events(**{**filters, **given, "as_of": clock}), given
    return log.events(**filters, **extra, as_of=clock), {}


def _span(rows: Any, otherwise: Period) -> Period:
    """From the first event of the rows to the last; the period that was asked for when there is none."""
    query, *_ = rows.unsorted()
    [(first, last)] = rows.con.execute(
        f"SELECT epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) FROM ({query})", rows.values or None
    ).fetchall()
    since, until = instant(first, otherwise.since.zone), instant(last, otherwise.since.zone)
    return otherwise if since is None or until is None or otherwise.given else Period(since, until, False)


def _about(kind: Kind, target: str | None, rows: Any, sections: Sequence[Section]) -> str:
    """What the document is about, in words that a reader knows: a person's name, a finding's title."""
    told = [finding for section in sections for finding in section.findings]
    if kind.target == "finding" and told:
        more = f", and {count(len(told) - 1, 'related finding')}" if len(told) > 1 else ""
        return f"{told[0].title}: {told[0].subject}{more}"
    if kind.target == "person" and target:
        asked = (
            replace(rows, query=_NAMED.format(rows=rows.sql), order=(), most=None, whole=True)
            .arrow()
            .to_pylist()
        )
        name = asked[0]["display_name"] if asked else None
        return f"{name} ({target})" if name and name.casefold() != target.casefold() else target
    if kind.target == "entity" and target and ":" in target:
        what, _, which = target.partition(":")
        return f"{words(what)} {which}"
    return target or ""


_NAMED = """SELECT display_name FROM ({rows}
  ) JOIN actors USING (actor_key) WHERE display_name IS NOT NULL
  GROUP BY ALL ORDER BY count(*) DESC, display_name LIMIT 1"""


def _command(kind: Kind, target: str | None, as_of: Instant, filters: Mapping[str, object]) -> str:
    """What makes the document again."""

    def quoted(text: object) -> str:
        said = str(text)
        plain = re.sub(r"[_\-:@.]", "", said).isalnum()
        return said if plain else json.dumps(said, ensure_ascii=False)

    parts = ["auditbook report", kind.name, *([quoted(target)] if target else [])]
    for name, value in filters.items():
        for one in value if isinstance(value, list) else [value]:
            parts.append(f"--{name.replace('_', '-')}" + ("" if one is True else f" {quoted(one)}"))
    return " ".join([*parts, f"--as-of {as_of.iso}"])
