"""A kind (kinds/*.toml), a target and filters -> the parts of one document. Recipes and SQL answer, templates place."""

from __future__ import annotations

import importlib.resources
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any

from markupsafe import Markup

from pipeline import audience
from pipeline.config import Looks
from pipeline.detector import shipped
from pipeline.errors import UsageError
from pipeline.hours import zone
from pipeline.progress import Progress, silent
from reports import annex, plots
from reports.evidence import Entry
from reports.findings import Finding, named
from reports.method import rules
from reports.model import UNNAMED, Report, Request, build, identity, period, versions
from reports.pdf import Attached
from reports.period import Instant, Period, instant
from reports.rows import Log, Reader
from reports.selection import read
from reports.tabled import ROWS, Table, tabled
from reports.text import count, words

ENTRIES = 150
ATTACHED = 100_000
MESSAGES = 40
FINDINGS = 20
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?Z")


@dataclass(frozen=True)
class Kind:
    """What a file of kinds/ says."""

    name: str
    title: str
    about: str
    target: str
    plain: bool
    sections: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Message:
    """One message as it was sent."""

    at: Instant
    facts: tuple[tuple[str, str], ...]
    body: str
    more: int
    place: str


@dataclass(frozen=True)
class Section:
    """One chapter; which of its parts is filled decides how it is placed."""

    id: str
    title: str
    lead: str = ""
    reading: str = ""
    next_steps: str = ""
    sight: tuple[str, ...] = ()
    review: str = ""
    chart: Markup | None = None
    chart_said: str = ""
    table: Table | None = None
    chosen: str = ""  # which rows of an answer are shown, in words
    entries: tuple[Entry, ...] = ()
    messages: tuple[Message, ...] = ()
    findings: tuple[Finding, ...] = ()
    total: int = 0
    rows: Any = None  # all of them, for the attachment

    @property
    def empty(self) -> bool:
        return not self.review and not self.total


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
    def sight(self) -> tuple[str, ...]:
        told = dict.fromkeys(told for one in (*self.sections, *self.nothing) for told in one.sight)
        return tuple(MOMENT.sub(r"\1 \2 UTC", one) for one in told)


def attachments(doc: Document) -> list[Attached]:
    """The rows behind each section, all of them up to a limit, with a manifest."""
    made = [
        one
        for section in doc.sections
        if section.rows is not None
        for one in annex.of_rows(section.id, section.title, section.rows.limit(ATTACHED))
    ]
    return annex.with_manifest(
        made, report_id=doc.report_id, kind=doc.kind.name, target=doc.target, head=doc.head, as_of=doc.as_of.iso,
        most_rows=ATTACHED,
    )  # fmt: skip


@cache
def kinds() -> dict[str, Kind]:
    """The kinds that there are: the folder is the registry."""
    folder = importlib.resources.files("reports") / "kinds"
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".toml")), key=lambda one: one.name)
    return {name: _kind(name, one.read_text("utf-8")) for one in files if (name := one.name[: -len(".toml")])}


def _kind(name: str, text: str) -> Kind:
    said = tomllib.loads(text)
    return Kind(
        name,
        said["title"],
        said["about"],
        said.get("target", "none"),
        said.get("plain", False),
        tuple(said["sections"]),
    )


def document(
    log: Log, name: str, target: str | None, clock: datetime, filters: Mapping[str, object],
    progress: Progress = silent,
) -> Document:  # fmt: skip
    """One document of a kind; `clock` is the time that it is as of."""
    kind = kinds()[name]
    where = zone(log.config.organization.timezone)
    request = Request(clock, filters.get("since"), filters.get("until"))  # type: ignore[arg-type]
    rows, said = _rows(log, kind, target, clock, filters, request)
    asking = Asking(log, kind, target, clock, {**filters, **said}, rows)
    span = _span(rows, period(log, request))
    report = build(log, request) if any("review" in one for one in kind.sections) else None
    made = []
    for n, one in enumerate(kind.sections, 1):
        progress(f"asking for the {name} · {one.get('title') or one.get('recipe') or one.get('review')}")
        made.append(_section(n, one, asking, span))
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


@dataclass(frozen=True)
class Asking:
    """What a section may ask: the log, the target, and the rows that the document is about (`asked` in SQL)."""

    log: Log
    kind: Kind
    target: str | None
    clock: datetime
    filters: Mapping[str, object]
    rows: Any

    def sql(self, query: str) -> Any:
        """The rows of SQL over `asked`."""
        return replace(
            self.rows,
            query=f"WITH asked AS ({self.rows.query}\n)\n{query}",
            order=(),
            most=None,
            whole=True,
            asked={},
        )


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
            target, as_of=clock, **_narrowing(filters, "source", "instance", "since", "until")
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


def _narrowing(filters: Mapping[str, object], *names: str) -> dict[str, object]:
    return {name: filters[name] for name in names if filters.get(name)}


def _span(rows: Any, otherwise: Period) -> Period:
    """From the first event of the rows to the last; the period that was asked for when there is none."""
    query, *_ = rows.unsorted()
    [(first, last)] = rows.con.execute(
        f"SELECT epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) FROM ({query})", rows.values or None
    ).fetchall()
    since, until = instant(first, otherwise.since.zone), instant(last, otherwise.since.zone)
    return otherwise if since is None or until is None or otherwise.given else Period(since, until, False)


def _section(n: int, one: Mapping[str, Any], asking: Asking, span: Period) -> Section:
    made = Section(id=f"part-{n}", title=str(one.get("title", "")), lead=str(one.get("note", "")))
    if "review" in one:
        return replace(
            made, id=one["review"], title=made.title or one["review"].capitalize(), review=one["review"]
        )
    if "chart" in one:
        return _charted(made, one, asking)
    if "recipe" in one:
        return _answered(made, one, asking)
    if "sql" in one:
        return _tabled(made, one, asking.sql(one["sql"]))
    if one.get("messages"):
        return _messages(made, asking, span)
    if one.get("finding"):
        return _found(made, asking, span)
    rows = asking.sql(f"SELECT * FROM asked WHERE {one.get('only', 'true')} ORDER BY occurred_at, file, line")
    return replace(
        made,
        id="events",
        entries=read(rows, span.since.zone, one.get("most", ENTRIES)),
        total=rows.count(),
        rows=rows,
    )


def _tabled(made: Section, one: Mapping[str, Any], rows: Any) -> Section:
    """All rows for the attachment, and on the page those that the kind chooses."""
    only = (
        replace(rows, query=f"SELECT * FROM ({rows.sql}\n) WHERE {one['only']}", order=())
        if "only" in one
        else rows
    )
    table = tabled(only, one.get("columns"), one.get("most", ROWS), one.get("json", ()))
    total = rows.count() if "only" in one else table.total
    return replace(made, table=table, total=total, rows=rows, chosen=one.get("chosen", ""))


def _charted(made: Section, one: Mapping[str, Any], asking: Asking) -> Section:
    draw = {
        "timeline": lambda: plots.timeline(asking.rows, one.get("by", "source")),
        "heatmap": lambda: plots.heatmap(asking.rows),
        "matrix": lambda: plots.matrix(asking.rows, "actor", "action"),
        "shared_ips": lambda: plots.shared_ips(asking.rows),
    }
    chart, said = draw[one["chart"]]()
    return replace(made, chart=chart, chart_said=said, total=len(chart))


def _answered(made: Section, one: Mapping[str, Any], asking: Asking) -> Section:
    """A recipe's rows with how to read them and what to do next."""
    target = asking.target if asking.kind.target in ("entity", "person") else None
    given = _narrowing(asking.filters, "source", "instance", "since", "until")
    answer = asking.log.recipe(one["recipe"], target, as_of=asking.clock, **given)
    recipe = answer.recipe
    return replace(
        _tabled(made, one, answer.rows), id=recipe.name, title=made.title or recipe.title, lead=recipe.answers,
        reading=recipe.reading, next_steps=recipe.next_steps, sight=answer.sight,
    )  # fmt: skip


_SENT = """SELECT m.*, epoch_us(coalesce(m.sent_at, m.occurred_at)) AS at_us, a.file, a.line FROM event_messages m
    JOIN asked a USING (event_uid) ORDER BY at_us, m.event_uid, m.subject LIMIT 1000000"""
BODY = 6000


def _messages(made: Section, asking: Asking, span: Period) -> Section:
    rows = asking.sql(_SENT)
    found = replace(rows, most=MESSAGES).arrow().to_pylist()
    return replace(made, messages=tuple(_message(row, span) for row in found), total=rows.count())


def _message(row: Mapping[str, Any], span: Period) -> Message:
    at = instant(row["at_us"], span.since.zone)
    assert at is not None
    sent = (row["channel"], row["direction"], "automated" if row["automated"] else "")
    facts = [
        ("From", row["sender"]), ("To", ", ".join(row["to"] or [])), ("Cc", ", ".join(row["cc"] or [])),
        ("Bcc", ", ".join(row["bcc"] or [])), ("Subject", row["subject"]),
        ("Sent as", ", ".join(part for part in sent if part)),
        ("Body", f"{row['body_format'] or 'text'}, sha256 {row['body_sha256']}" if row["body"] else "none given"),
    ]  # fmt: skip
    body = row["body"] or ""
    return Message(
        at, tuple((name, str(value)) for name, value in facts if value), body[:BODY], max(0, len(body) - BODY),
        f"{row['file']}:{row['line']}",
    )  # fmt: skip


def _found(made: Section, asking: Asking, span: Period) -> Section:
    """The finding that an incident is about, and the others about the same events, with their rules' words."""
    found = asking.sql(
        "SELECT DISTINCT finding_id FROM finding_events JOIN asked USING (event_uid) "
        "JOIN findings USING (finding_id) WHERE state <> 'withdrawn'"
    )
    ids = [row["finding_id"] for row in found.arrow().to_pylist()]
    reader = Reader(asking.log.con, span)
    told = named(reader, rules(reader, shipped()), ids, asking.target or "")
    return replace(made, findings=told[:FINDINGS], total=len(told))


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
