"""A question's events -> one HTML file that is the log itself: filters, history, details, export, without a network."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from pipeline import audience, mapping
from pipeline.config import Looks
from pipeline.filters import several
from pipeline.hours import zone
from reports.html import css, environment
from reports.model import UNNAMED
from reports.packed import Packed, pack
from reports.period import EPOCH, Instant, instant
from reports.rows import recorded
from reports.selection import whole

MOST = 100_000
SCRIPTS = ("read", "words", "filters", "address", "entry", "save", "page", "controls", "start")


@dataclass(frozen=True)
class LogPage:
    """What the page says of itself, beside the events."""

    organization: str
    looks: Looks
    head: str
    as_of: Instant
    since: Instant | None
    until: Instant | None
    filters: tuple[tuple[str, str], ...]
    packed: Packed

    @property
    def shown(self) -> int:
        return self.packed.shown

    @property
    def total(self) -> int:
        return self.packed.total

    @property
    def left_out(self) -> int:
        return self.total - self.shown


def of_rows(rows: Any) -> tuple[bytes, int]:
    """The page of a question's events as of the last of them, and how many are in it."""
    whole(rows, "A page")
    query, *_ = rows.unsorted()
    [(last,)] = rows.con.execute(f"SELECT max(occurred_at) FROM ({query})", rows.values or None).fetchall()
    return render(rows, last or EPOCH), min(rows.count(), MOST)


def render(rows: Any, as_of: datetime, most: int = MOST) -> bytes:
    """The page of a question's events, the newest first; `as_of` is the clock of "2 days ago"."""
    config, head = recorded(rows.con)
    where = zone(config.organization.timezone)
    clock = Instant(as_of.astimezone(UTC).replace(microsecond=0), where)
    packed = pack(rows, most, _facts(rows, clock, config.mappings))
    page = LogPage(
        organization=config.organization.name or UNNAMED, looks=config.report, head=head, as_of=clock,
        since=instant(packed.first_us, where), until=instant(packed.last_us, where),
        filters=_said(audience.typed(rows.con, rows.asked)), packed=packed,
    )  # fmt: skip
    style, code = css("base.css") + css("dark.css") + css("screen.css") + css("log.css"), script()
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(code)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    parts = [Markup(one) for one in (packed.index, *packed.parts)]
    template = environment().get_template("log.html.j2")
    return template.render(
        page=page, style=Markup(style), script=Markup(code), parts=parts, policy=policy
    ).encode()


def _said(asked: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """The question in words; the period stands beside them already."""
    left = {name: several(value) for name, value in asked.items() if name not in ("as_of", "since", "until")}
    return tuple((name.replace("_", " "), " or ".join(map(str, values))) for name, values in left.items())


@cache
def script() -> str:
    """The page's program: our own files, one after the other."""
    folder = importlib.resources.files("reports") / "assets" / "log"
    return '"use strict";\n' + "\n".join((folder / f"{name}.js").read_text("utf-8") for name in SCRIPTS)


def _facts(rows: Any, clock: Instant, mappings: Path | None) -> dict[str, Any]:
    query, *_ = rows.unsorted()
    [(sources, first, last)] = rows.con.execute(
        f"SELECT list(DISTINCT source), min(occurred_at), max(occurred_at) FROM ({query})",
        rows.values or None,
    ).fetchall()
    hidden = _hidden(sources[0], mappings) if sources and len(sources) == 1 else ()
    first, last = (first or clock.at).astimezone(UTC), max((last or clock.at).astimezone(UTC), clock.at)
    return {
        "as_of": clock.iso, "zone": clock.zone.key, "hidden": hidden,
        "changes": [
            (int(at.timestamp() * 1000), offset, name) for at, offset, name in _changes(clock.zone, first, last)
        ],
    }  # fmt: skip


def _hidden(source: str, mappings: Path | None) -> list[str]:
    """What a product's own page hides until asked for; a page of this product alone begins as that one does."""
    found = mapping.known(mappings).get(source)
    return list(found.rules.get("view", {}).get("hide_actor_type", ())) if found else []


def _changes(where: ZoneInfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, int, str]]:
    """Since when the zone's clock was how many minutes ahead of UTC, from a day before the first event on."""
    at, before = first - timedelta(days=1), None
    at = at.replace(minute=0, second=0, microsecond=0)
    while at <= last + timedelta(days=1):
        local = at.astimezone(where)
        now = (int((local.utcoffset() or timedelta()).total_seconds() // 60), local.tzname() or "")
        if before is not None and now != before:
            while (sooner := at - timedelta(minutes=15)).astimezone(where).utcoffset() == local.utcoffset():
                at = sooner
        if now != before:
            yield (at, *now)
        before, at = now, at + timedelta(days=1)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
