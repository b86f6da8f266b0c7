"""What must stay and what may go, as tables of the catalog: holds, retention rules, and the stones of what went."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from pipeline import engine, views
from pipeline.config import Config
from pipeline.replaced import in_force
from pipeline.store import Commit

FILE = "holds.parquet"
ROWS: dict[str, str] = {
    "hold_id": "VARCHAR", "change": "VARCHAR", "case_name": "VARCHAR", "source": "VARCHAR", "actor": "VARCHAR",
    "entity_type": "VARCHAR", "entity_id": "VARCHAR", "finding": "VARCHAR", "since": "TIMESTAMP WITH TIME ZONE",
    "until": "TIMESTAMP WITH TIME ZONE", "reason": "VARCHAR", "by": "VARCHAR", "os_user": "VARCHAR",
    "at": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip


def tables(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit], config: Config) -> None:
    """The tables `holds`, `retention_rules` and `tombstones`."""
    files = [str(path.resolve()) for _, path in in_force(chain, FILE)]
    connection.execute(f"CREATE TABLE holds AS {_HOLDS.format(rows=views.parquet(files, ROWS))}")
    connection.execute(
        "CREATE TABLE retention_rules (source VARCHAR, retention INTERVAL, archive INTERVAL, legal_basis VARCHAR)"
    )
    for source, settings in sorted(config.sources.items()):
        connection.execute(
            "INSERT INTO retention_rules VALUES (?, ?::INTERVAL, ?::INTERVAL, ?)",
            [source, settings.retention, settings.archive or "0 days", settings.legal_basis],
        )
    connection.execute(
        "CREATE TABLE tombstones (commit_no BIGINT, kind VARCHAR, source VARCHAR, policy VARCHAR, "
        'legal_basis VARCHAR, "before" TIMESTAMPTZ, events BIGINT, duplicates BIGINT, rejects BIGINT, '
        "others BIGINT, first_event TIMESTAMPTZ, last_event TIMESTAMPTZ, committed TIMESTAMPTZ)"
    )
    stones = [
        (link.number, link.kind, stone["source"], stone.get("policy"), stone.get("legal_basis"),
         stone.get("before"), *(stone["lines"].get(fate, 0) for fate in ("event", "duplicate", "reject", "blank")),
         stone["first_event"], stone["last_event"], link.record["run"]["committed"])
        for link in chain
        for stone in link.content.get("tombstones", [])
    ]  # fmt: skip
    engine.insert(connection, "tombstones", stones)


# A hold once added is only ever released; who, when and why of both stay.
_HOLDS = """SELECT a.hold_id, a.case_name, a.source, a.actor, a.entity_type, a.entity_id, a.finding, a.since, a.until,
    a.reason, a."by", a.os_user, a."at", r.hold_id IS NULL AS active, r."by" AS released_by,
    r.reason AS release_reason, r."at" AS released_at
  FROM (SELECT * FROM {rows} WHERE change = 'added') a
  LEFT JOIN (SELECT * FROM {rows} WHERE change = 'released') r USING (hold_id) ORDER BY a."at", a.hold_id"""

_HELD_EVENTS = """SELECT DISTINCT h.hold_id, e.event_uid FROM events e LEFT JOIN actors a USING (actor_key)
  JOIN holds h ON h.active AND (h.source IS NULL OR h.source = e.source)
    AND (h.since IS NULL OR e.occurred_at >= h.since) AND (h.until IS NULL OR e.occurred_at < h.until)
    AND (h.actor IS NULL OR coalesce(lower(h.actor) IN (lower(e.actor_id), lower(e.actor_name),
      lower(e.actor_email), lower(e.actor_key), lower(a.person), lower(a.display_name), lower(a.email),
      lower(e.impersonator_id), lower(e.impersonator_name), lower(e.impersonator_email)), false))
    AND (h.entity_type IS NULL OR EXISTS (SELECT 1 FROM event_entities x WHERE x.event_uid = e.event_uid
      AND x.entity_type = h.entity_type AND (h.entity_id IS NULL OR x.entity_id = h.entity_id)))
    AND (h.finding IS NULL OR EXISTS (SELECT 1 FROM finding_events f WHERE f.event_uid = e.event_uid
      AND starts_with(f.finding_id, h.finding)))"""

_STATE = """SELECT e.event_uid, e.source, e.occurred_at, r.retention, r.archive,
    CASE WHEN r.retention IS NULL OR e.occurred_at >= m.moment - r.retention THEN 'active'
      WHEN e.occurred_at >= m.moment - r.retention - r.archive THEN 'archived' ELSE 'purge_due' END AS state
  FROM events e LEFT JOIN retention_rules r USING (source),
    (SELECT coalesce(getvariable('as_of')::TIMESTAMPTZ, current_timestamp) AS moment) m"""

PURGED = """SELECT event_uid, reason, file, file_sha256, line, commit_no FROM stored_lines
  WHERE fate = 'purged' AND event_uid IS NOT NULL"""

DERIVED: dict[str, str] = {"held_events": _HELD_EVENTS, "retention_state": _STATE, "purged_events": PURGED}
