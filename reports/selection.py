"""A selection of the log as a document: which question, from which store, and every entry that answers it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline import audience
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import UsageError
from pipeline.filters import several
from pipeline.hours import zone
from reports.evidence import Entry, entry
from reports.html import css, environment
from reports.model import UNNAMED
from reports.pdf import press
from reports.period import EPOCH
from reports.rows import recorded

IN_FULL = 500  # entries with their changes; beyond, one line each
MOST = 20_000


@dataclass(frozen=True)
class Selection:
    """What the document says; made of the store alone, so that the same question gives the same bytes."""

    organization: str
    zone: ZoneInfo
    head: str
    filters: tuple[tuple[str, str], ...]
    total: int
    sources: tuple[tuple[str, int], ...]
    entries: tuple[Entry, ...]
    identity: str
    until: datetime

    @property
    def in_full(self) -> bool:
        return self.total <= IN_FULL


def pdf(rows: Any) -> tuple[bytes, int]:
    """The PDF of a question's events, and how many they are."""
    chosen = select(rows)
    return press(render(chosen), as_of=chosen.until, identifier=chosen.identity), chosen.total


def render(selection: Selection) -> bytes:
    """The page that is printed."""
    style = "".join(map(css, ("base.css", "print.css", "paper.css", "selection.css")))
    template = environment().get_template("selection.html.j2")
    return template.render(selection=selection, style=Markup(style)).encode()


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
    entries = read(rows, where)
    said = json.dumps([head, rows.sql, str(rows.values)])
    asked = audience.typed(rows.con, rows.asked)
    return Selection(
        organization=organization.name or UNNAMED, zone=where, head=head,
        filters=tuple((name.replace("_", " "), _told(value)) for name, value in asked.items()),
        total=total, sources=tuple(sorted(Counter(one.source for one in entries).items())), entries=entries,
        identity="AB-" + hashlib.sha256(said.encode()).hexdigest()[:12].upper(),
        until=max((one.at.at for one in entries), default=EPOCH),
    )  # fmt: skip


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
