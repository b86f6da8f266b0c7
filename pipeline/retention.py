"""How long each source is kept: a plan in numbers, and the one commit that purges what is due and not held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline import catalog, purge
from pipeline import store as stores
from pipeline.config import Config
from pipeline.lock import locked
from pipeline.purge import Due
from pipeline.store import Commit


@dataclass(frozen=True)
class SourcePlan:
    """One source: its policy, and how many of its events are in which state. A line is due once it is past both."""

    source: str
    retention: str | None
    archive: str | None
    legal_basis: str | None
    active: int
    archived: int
    purge_due: int
    held: int
    before: str | None


@dataclass(frozen=True)
class Plan:
    """What `retain --apply` would do as of a moment."""

    as_of: datetime
    sources: tuple[SourcePlan, ...]
    due: Due

    @property
    def word(self) -> str:
        return purge.word("purge", self.due.lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "as_of": self.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"), "sources": [vars(one) for one in self.sources],
            "lines": self.due.lines, "by_source": self.due.counts, "parts": [part.name for part in self.due.rows],
            "bytes": self.due.bytes, "originals": len(self.due.originals),
            "originals_on_hold": len(self.due.staying), "word": self.word if self.due.anything else None,
        }  # fmt: skip


def plan(store: Path | str, config: Config, as_of: datetime | None = None) -> Plan:
    """What is to be kept, archived and purged, in numbers; nothing is changed."""
    path = Path(store)
    stores.require(path)
    with catalog.connect(path, config) as connection:
        return _plan(connection, stores.commits(path), config, as_of or datetime.now(UTC))


def apply(
    store: Path | str, config: Config, word: str | None, as_of: datetime | None = None
) -> tuple[Plan, Commit | None]:
    """Purge what is due, in one commit; the word is the plan's. None when there is nothing to do."""
    path = Path(store)
    stores.require(path)
    with locked(path) as interrupted, catalog.connect(path, config) as connection:
        chain = stores.commits(path)
        found = _plan(connection, chain, config, as_of or datetime.now(UTC))
        if not found.due.anything:
            return found, None
        policies = {one.source: one for one in found.sources}
        stones = [
            purge.tombstone(
                source, found.due, policy=_said(policies[source]), legal_basis=policies[source].legal_basis,
                before=policies[source].before,
            )
            for source in found.due.counts
        ]  # fmt: skip
        run = {"interrupted": interrupted} if interrupted else {}
        return found, purge.commit(path, "retention", found.due, stones, config, word, run)


def _said(one: SourcePlan) -> str:
    archived = f", {one.archive} more as archived" if one.archive else ""
    return f"kept {one.retention}{archived}"


def _plan(
    connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit], config: Config, as_of: datetime
) -> Plan:
    _bounds(connection, config, as_of)
    connection.execute(
        "CREATE TEMP TABLE due_events AS SELECT event_uid, source FROM "
        "(SELECT e.event_uid, e.source FROM events e JOIN bounds b USING (source) WHERE e.occurred_at < b.purged) "
        "ANTI JOIN held_events USING (event_uid)"
    )
    connection.execute(_REJECTS, {"committed": _commit_times(chain)})
    due = purge.due(connection, chain)
    rows = connection.execute(_STATES).fetchall()
    sources = tuple(
        SourcePlan(source, settings.retention, settings.archive, settings.legal_basis, *numbers)
        for source, *numbers in rows
        if (settings := config.source(source))
    )
    return Plan(as_of, sources, due)


def _bounds(connection: duckdb.DuckDBPyConnection, config: Config, as_of: datetime) -> None:
    """Until when each source is archived and purged; spans are calendar years, months and days where the people are."""
    connection.execute("CREATE TEMP TABLE bounds (source VARCHAR, archived TIMESTAMPTZ, purged TIMESTAMPTZ)")
    zone = config.organization.timezone.replace("'", "''")
    connection.execute(f"SET TimeZone = '{zone}'")
    for source, settings in config.sources.items():
        if settings.retention:
            connection.execute(
                "INSERT INTO bounds SELECT $source, edge, edge - $archive::INTERVAL FROM "
                "(SELECT $as_of::TIMESTAMPTZ - $retention::INTERVAL AS edge)",
                {"source": source, "as_of": as_of, "retention": settings.retention,
                 "archive": settings.archive or "0 days"},
            )  # fmt: skip
    connection.execute("SET TimeZone = 'UTC'")


def _commit_times(chain: Sequence[Commit]) -> list[dict[str, Any]]:
    return [{"commit_no": link.number, "at": link.record["run"]["committed"]} for link in chain] or [
        {"commit_no": 0, "at": "1970-01-01T00:00:00Z"}
    ]


# A line that is no event says no time and nobody's name: it goes with the last event of its file, or, of a file without
# events, by the day of its load; and it stays while anything of its source is on hold.
_REJECTS = """CREATE TEMP TABLE due_lines AS
  SELECT l.commit_no, l.file, l.file_sha256, l.line, f.source
  FROM stored_lines l JOIN files f ON l.commit_no = f.commit_no AND l.file = f.file AND l.file_sha256 = f.sha256
  JOIN bounds b ON b.source = f.source
  LEFT JOIN (SELECT unnest($committed::STRUCT(commit_no BIGINT, "at" TIMESTAMPTZ)[], recursive := true)) c
    ON c.commit_no = f.commit_no
  WHERE l.fate = 'reject' AND coalesce(f.last_event, c."at") < b.purged
    AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.active AND (h.source IS NULL OR h.source = f.source))"""

_STATES = """SELECT e.source,
    count(*) FILTER (b.archived IS NULL OR e.occurred_at >= b.archived) AS active,
    count(*) FILTER (e.occurred_at < b.archived AND e.occurred_at >= b.purged) AS archived,
    count(*) FILTER (e.occurred_at < b.purged) AS purge_due,
    count(*) FILTER (e.occurred_at < b.purged AND h.event_uid IS NOT NULL) AS held,
    strftime(any_value(b.purged), '%Y-%m-%dT%H:%M:%SZ') AS before
  FROM events e LEFT JOIN bounds b USING (source)
  LEFT JOIN (SELECT DISTINCT event_uid FROM held_events) h USING (event_uid)
  GROUP BY e.source ORDER BY e.source"""
