"""A selection of the log as a document: which question, from which store, and every entry that answers it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline import audience
from pipeline.batches import batches
from pipeline.columns import EVENT_COLUMNS
from pipeline.config import Looks
from pipeline.errors import UsageError
from pipeline.filters import several
from pipeline.hours import zone
from reports.evidence import Entry, about, done, entry, who
from reports.html import css, environment
from reports.model import UNNAMED
from reports.pdf import Annex, press
from reports.period import EPOCH
from reports.rows import Row, recorded
from reports.text import by_number, moment, visible

IN_FULL = 500  # entries with their changes; beyond, one row each
MOST = 100_000
COLUMNS = ("When (UTC)", "Source", "Who", "What", "About", "File : line")
LONGEST = 400  # letters of one cell


@dataclass(frozen=True)
class Selection:
    """What the document says; made of the store alone, so that the same question gives the same bytes."""

    organization: str
    zone: ZoneInfo
    head: str
    filters: tuple[tuple[str, str], ...]
    total: int
    sources: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]  # none when they stand in the annex
    identity: str
    until: datetime
    looks: Looks

    @property
    def in_full(self) -> bool:
        return self.total <= IN_FULL


def pdf(rows: Any) -> tuple[bytes, int]:
    """The PDF of a question's events, and how many they are."""
    chosen = select(rows)
    annex = None if chosen.in_full else annexed(rows, chosen)
    made = press(
        render(chosen), as_of=chosen.until, identifier=chosen.identity, logo=chosen.looks.logo, annex=annex
    )
    return made, chosen.total


def annexed(rows: Any, chosen: Selection) -> Annex:
    """Every entry as a row, read as it is printed."""
    return Annex(
        columns=COLUMNS, rows=lines(rows), paper=chosen.looks.paper,
        running=running(chosen.organization, "Audit-log entries", chosen.looks, chosen.identity, chosen.head),
    )  # fmt: skip


def running(organization: str, what: str, looks: Looks, identity: str, head: str) -> tuple[str, str, str]:
    """What stands above and below every page, as paper.css places it on those of a document."""
    said = f" · {looks.classification}" if looks.classification else ""
    return f"{organization} · {what}{said}", identity, f"head {head[:16]}"


def lines(rows: Any) -> Iterator[tuple[str, ...]]:
    """The events of a question as rows of texts, oldest first, a batch at a time."""
    asked = rows if rows.most or rows.whole else replace(rows, order=_OLDEST_FIRST, over=None)
    for batch in batches(asked, lambda part: _LINES.format(rows=part.sql)):
        yield from map(line, batch.to_pylist())


def line(row: Row) -> tuple[str, ...]:
    """An event in the columns of an annex."""
    what = done(row) if row["outcome"] in ("unknown", "success") else f"{done(row)} · {row['outcome']}"
    told = (moment(row["at_us"]), row["source"], who(row), what, about(row), f"{row['file']}:{row['line']}")
    return tuple(map(cell, told))


def cell(text: str) -> str:
    """A text as a cell of an annex shows it."""
    text = visible(text).replace("\n", by_number("\n")).replace("\t", by_number("\t"))
    more = len(text) - LONGEST
    return text if more <= 0 else f"{text[:LONGEST]}… ({more:,} more)"


_OLDEST_FIRST = (("occurred_at", "ASC"), ("file", "ASC"), ("line", "ASC"), ("event_uid", "ASC"))
_LINES = """SELECT epoch_us(w.occurred_at) AS at_us, w.* EXCLUDE (occurred_at), a.display_name FROM
      (SELECT occurred_at, source, actor_key, actor_anonymous, actor_name, actor_email, actor_id, api_key_id_masked,
        actor_type, action_detail, action_raw, action, entity_type, entity_name, entity_id, entity_ids, outcome, file,
        line, event_uid FROM ({rows})) AS w
    LEFT JOIN (SELECT actor_key, display_name FROM actors) AS a USING (actor_key)
    ORDER BY w.occurred_at, w.file, w.line, w.event_uid"""


def render(selection: Selection) -> bytes:
    """The page that is printed."""
    style = "".join(map(css, ("base.css", "print.css", "paper.css", "selection.css")))
    style += f"@page{{size:{selection.looks.paper}}}"
    template = environment().get_template("selection.html.j2")
    return template.render(selection=selection, style=Markup(style), most=IN_FULL).encode()


def select(rows: Any) -> Selection:
    """Read the entries, oldest first; what no reader would turn the pages of is refused."""
    whole(rows, "A PDF")
    total = rows.count()
    if total > MOST:
        raise UsageError(
            f"{total:,} events are too many for a PDF, which holds {MOST:,}.",
            hint="Narrow the filters, or use csv or xlsx.",
        )
    config, head = recorded(rows.con)
    organization = config.organization
    where = zone(organization.timezone)
    entries = read(rows, where) if total <= IN_FULL else ()
    by_source, last = _counted(rows)
    said = json.dumps([head, rows.sql, str(rows.values)])
    asked = audience.typed(rows.con, rows.asked)
    return Selection(
        organization=organization.name or UNNAMED, zone=where, head=head,
        filters=tuple((name.replace("_", " "), _told(value)) for name, value in asked.items()),
        total=total, sources=by_source, entries=entries, looks=config.report,
        identity="AB-" + hashlib.sha256(said.encode()).hexdigest()[:12].upper(),
        until=last or EPOCH,
    )  # fmt: skip


def _counted(rows: Any) -> tuple[tuple[tuple[str, int], ...], datetime | None]:
    """How many of which source, and the last moment."""
    query, *_ = rows.unsorted()
    found = rows.con.execute(
        f"SELECT source, count(*), max(occurred_at) FROM ({query}) GROUP BY source ORDER BY source",
        rows.values or None,
    ).fetchall()
    last = max((at for _, _, at in found), default=None)
    return tuple((source, number) for source, number, _ in found), last and last.astimezone(UTC)


def read(rows: Any, where: ZoneInfo, most: int | None = None) -> tuple[Entry, ...]:
    """The events of a question as entries, oldest first, at most so many."""
    asked = replace(rows, query=_entries(rows.sql), order=(), most=most, whole=True)
    return tuple(entry(row, where) for row in asked.arrow().to_pylist())


def whole(rows: Any, what: str) -> None:
    """Refuse rows that are not whole events."""
    if missing := [name for name in EVENT_COLUMNS if name not in rows.columns]:
        raise UsageError(
            f"these rows are no events: they have no {missing[0]}.",
            hint=f"{what} is made of whole events; csv and xlsx take any columns.",
        )


def _entries(query: str) -> str:
    return f"""SELECT w.*, epoch_us(w.occurred_at) AS at_us, l.byte_offset, a.display_name FROM ({query}) AS w
    LEFT JOIN (SELECT actor_key, display_name FROM actors) AS a USING (actor_key)
    LEFT JOIN (SELECT event_uid, byte_offset FROM event_lines) AS l USING (event_uid)
    ORDER BY w.occurred_at, w.file, w.line, w.event_uid"""


def _told(value: object) -> str:
    """Several values of one filter are alternatives; a long list is said by its number."""
    values = several(value)
    return " or ".join(map(str, values)) if len(values) <= 8 else f"{len(values):,} of them"
