"""What a kind says of one chapter -> its rows, entries, messages, findings or chart. Part of document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from markupsafe import Markup

from pipeline.ownrules import ran
from pipeline.recipefile import Recipe
from pipeline.recipefile import shipped as shipped_recipes
from pipeline.vocabulary import names as known
from reports import plots
from reports.evidence import Entry
from reports.findings import Finding, named
from reports.kindfile import Kind
from reports.method import rules
from reports.period import Instant, Period, instant
from reports.rows import Log, Reader
from reports.selection import read
from reports.tabled import ROWS, Table, tabled

ENTRIES = 150
ATTACHED = 100_000  # rows of one section
PRINTED = 10_000  # entries behind a document that tells only the first of them
MESSAGES = 40
FINDINGS = 20
BODY = 6000


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
    def attached(self) -> str:
        """How many of its rows the attached files have, in words."""
        return f"all {self.total:,}" if self.total <= ATTACHED else f"the first {ATTACHED:,}"

    @property
    def empty(self) -> bool:
        return not self.review and not self.total


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


def narrowing(filters: Mapping[str, object], *names: str) -> dict[str, object]:
    """Those of the filters that are on."""
    return {name: filters[name] for name in names if filters.get(name)}


def section(n: int, one: Mapping[str, Any], asking: Asking, span: Period) -> Section:
    """The nth chapter, as its kind says."""
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
    only = one.get("only", "true")
    rows = asking.sql(f"SELECT * FROM asked WHERE {only} ORDER BY occurred_at, file, line, event_uid")
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


# How settings of an added recipe are told from its target: `value="Tasting room"`, and words.
WORD = re.compile(r'[\w-]+="[^"]*"|\S+')


def recipe_section(written: str) -> dict[str, Any]:
    """A recipe that is added to a document, as it is typed: `ip-story 192.0.2.214`, `user-day Ana Ruiz day=today`."""
    name, *rest = WORD.findall(written) or [""]
    known({name: None}, {*shipped_recipes()}, "recipe")
    settings = {
        key: value.strip('"') for key, equals, value in (one.partition("=") for one in rest) if equals
    }
    target = " ".join(word for word in rest if "=" not in word)
    return {"recipe": name, "added": {"target": target or None, **settings}}


def _answered(made: Section, one: Mapping[str, Any], asking: Asking) -> Section:
    """A recipe's rows with how to read them and what to do next."""
    given = narrowing(asking.filters, "source", "instance", "since", "until")
    target = asking.target if asking.kind.target in ("entity", "person") else None
    added = one.get("added")
    answer = asking.log.recipe(
        one["recipe"], as_of=asking.clock, **{**given, "target": target, **(added or {})}
    )
    recipe = answer.recipe
    placed = _tabled(made, {**one, **(_people(recipe) if added else {})}, answer.rows)
    return replace(
        placed, id=f"{recipe.name}-{made.id}" if added else recipe.name,
        title=(made.title or recipe.title) + (_about(answer, added, asking) if added else ""), lead=recipe.answers,
        reading=recipe.reading, next_steps=recipe.next_steps, sight=answer.sight,
    )  # fmt: skip


def _people(recipe: Recipe) -> dict[str, Any]:
    """The columns of a recipe that people want, where no kind has chosen some."""
    return {"columns": [name for name in recipe.columns if name not in recipe.spare]}


def _about(answer: Any, added: Mapping[str, Any], asking: Asking) -> str:
    """What a recipe was asked about, but for those who may not read it."""
    told = [answer.target, *(value for name, value in added.items() if name != "target")]
    return (
        ""
        if asking.log.shown.audience == "external" or not any(told)
        else f": {', '.join(filter(None, told))}"
    )


_SENT = """SELECT m.*, epoch_us(coalesce(m.sent_at, m.occurred_at)) AS at_us, a.file, a.line FROM event_messages m
    JOIN asked a USING (event_uid) ORDER BY at_us, m.event_uid, m.subject LIMIT 1000000"""


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
    told = named(reader, rules(reader, ran(asking.log.chain)), ids, asking.target or "")
    return replace(made, findings=told[:FINDINGS], total=len(told))
