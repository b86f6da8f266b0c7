"""The tables that people query, as SQL over the commits' Parquet files and the catalog's small tables.

One text for the database in the store, for private copies of it and for the detectors' cases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from pipeline.columns import ACTOR_KEY_SQL, EVENT_COLUMNS

LINE_COLUMNS: dict[str, str] = {
    "file": "VARCHAR",
    "file_sha256": "VARCHAR",
    "line": "BIGINT",
    "byte_offset": "BIGINT",
    "fate": "VARCHAR",
    "reason": "VARCHAR",
    "message": "VARCHAR",
    "raw": "VARCHAR",
    "raw_bytes": "BLOB",
    "newline": "BOOLEAN",
    "record_sha256": "VARCHAR",
    "event_uid": "VARCHAR",
    "commit_no": "BIGINT",
    "same_commit": "BIGINT",
    "same_file_sha256": "VARCHAR",
    "same_line": "BIGINT",
}
JSON_COLUMNS = ("metadata", "unmapped")
# Files that were passed over and are missing still: neither were the same bytes loaded since, nor, of what could not be
# read at all, a file of the name.
PASSED_OVER = """files f WHERE f.skipped IS NOT NULL AND NOT EXISTS (
    FROM files later WHERE later.skipped IS NULL AND (later.sha256 = f.sha256
      OR (f.sha256 = '' AND later.file = f.file AND later.commit_no > f.commit_no)))"""


def parquet(files: Sequence[str], columns: dict[str, str]) -> str:
    """A relation of the named files; without files the same columns and no rows.

    Files of one kind have these columns in every store of this format, and some older ones more; the first is asked
    for their types.
    """
    if not files:
        nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
        return f"(SELECT {nothing} WHERE false)"
    named = ", ".join(f'"{name}"' for name in columns)
    return f"(SELECT {named} FROM {all_of(files)})"


def all_of(files: Sequence[str]) -> str:
    """Everything that the named files have."""
    paths = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
    return f"read_parquet([{paths}])"


def events_of(relation: str) -> str:
    """The view `events` over rows of EVENT_COLUMNS."""
    columns = ", ".join(
        f'"{name}"::JSON AS "{name}"' if name in JSON_COLUMNS else f'"{name}"' for name in EVENT_COLUMNS
    )
    return f"SELECT {columns}, {ACTOR_KEY_SQL} AS actor_key FROM {relation}"


def make(connection: duckdb.DuckDBPyConnection, sql: Mapping[str, str], *, temporary: bool = False) -> None:
    """Views by name, in this order."""
    for name, query in sql.items():
        connection.execute(f"CREATE {'TEMP ' if temporary else ''}VIEW {name} AS {query}")


@contextmanager
def standing_in(
    connection: duckdb.DuckDBPyConnection, sql: Mapping[str, str], *, temporary: bool = False
) -> Iterator[None]:
    """Tables without rows in place of views, while those over them are made.

    Making a view binds it, and binding one that reads Parquet files takes a look into each of them.
    """
    for name, query in sql.items():
        connection.execute(f"CREATE {'TEMP ' if temporary else ''}TABLE {name} AS {query}")
    yield
    for name in sql:
        connection.execute(f"DROP TABLE {'temp.' if temporary else ''}{name}")


def lay(
    connection: duckdb.DuckDBPyConnection, stored: Mapping[str, str], more: Mapping[str, str], *,
    temporary: bool = False,
) -> None:  # fmt: skip
    """The views that read Parquet files, what joins them, and more that is over them."""
    with standing_in(connection, NOTHING, temporary=temporary):
        make(connection, {**JOINED, **more}, temporary=temporary)
    make(connection, stored, temporary=temporary)


def stored(lines: Sequence[str], events: Sequence[str]) -> dict[str, str]:
    """The views that read Parquet files, by name."""
    return {
        "events": events_of(parquet(events, EVENT_COLUMNS)),
        "stored_lines": f"SELECT * FROM {parquet(lines, LINE_COLUMNS)}",
    }


NOTHING = stored([], [])
JOINED: dict[str, str] = {
    "lines": """SELECT l.file, l.line, l.byte_offset, l.fate, l.reason, l.message, coalesce(l.raw, first.raw) AS raw,
          l.raw_bytes, l.newline,
          CASE WHEN l.raw_bytes IS NULL THEN sha256(coalesce(l.raw, first.raw))
            ELSE sha256(l.raw_bytes) END AS line_sha256,
          coalesce(l.event_uid, first.event_uid) AS event_uid, l.file_sha256, l.commit_no,
          l.same_commit, l.same_file_sha256, l.same_line
        FROM stored_lines l LEFT JOIN (SELECT * FROM stored_lines WHERE fate = 'event') AS first
          ON first.commit_no = l.same_commit AND first.file_sha256 = l.same_file_sha256
          AND first.line = l.same_line""",
    "event_lines": """SELECT e.event_uid, e.source, e.file, e.line, l.byte_offset,
          sha256(l.raw) AS line_sha256, l.raw, e.file_sha256
        FROM events e JOIN (SELECT * FROM stored_lines WHERE fate = 'event') AS l USING (event_uid)""",
}


def changes_of(events: str, more: str = "") -> str:
    """Each change of each event of a relation, with more of the event's columns."""
    return f"""SELECT event_uid, source, occurred_at{more}, c.field, c.old::JSON AS old, c.new::JSON AS new,
          c.old_present, c.new_present, c.redacted
        FROM (SELECT event_uid, source, occurred_at{more}, unnest(changes) AS c FROM {events})"""


def entities_of(events: str, more: str = "") -> str:
    """Each thing that each event of a relation names, with more of the event's columns."""
    known = f"event_uid, source, occurred_at{more}"
    return f"""SELECT {known}, entity_type, entity_id, 'entity' AS relation FROM {events} WHERE entity_id IS NOT NULL
        UNION ALL SELECT {known}, entity_type, unnest(entity_ids), 'bulk' FROM {events}
        UNION ALL SELECT {known}, parent_entity_type, parent_entity_id, 'parent' FROM {events}
          WHERE parent_entity_id IS NOT NULL
        UNION ALL SELECT {known}, r.type, r.id, coalesce(r.relation, 'related')
          FROM (SELECT {known}, unnest(related_entities) AS r FROM {events}) WHERE r.id IS NOT NULL"""


RESOLVED_LINES = """CREATE TABLE resolved_lines (
  commit_no BIGINT, file VARCHAR, file_sha256 VARCHAR, line BIGINT, by_commit BIGINT)"""
DERIVED: dict[str, str] = {
    "rejects": """SELECT l.file, l.line, l.byte_offset, l.reason, l.message,
          coalesce(l.raw, l.raw_bytes::VARCHAR) AS text, l.file_sha256, l.commit_no, r.by_commit AS resolved_by
        FROM (SELECT * FROM stored_lines WHERE fate = 'reject') AS l
        LEFT JOIN resolved_lines r USING (commit_no, file, file_sha256, line)""",
    "event_changes": changes_of("events"),
    "event_entities": entities_of("events"),
    "event_messages": """SELECT event_uid, source, occurred_at, m.*
        FROM (SELECT event_uid, source, occurred_at, unnest(communications) AS m FROM events)""",
    "correlation_groups": """SELECT correlation_id, source,
          arg_min(event_uid, (occurred_at, file, line, event_uid)) AS primary_event_uid, count(*) AS n
        FROM events WHERE correlation_id IS NOT NULL GROUP BY ALL""",
    "job_runs": """SELECT source, instance, coalesce(metadata->>'job_run_id', event_uid) AS job_run,
          arg_min(action_detail, (occurred_at, file, line, event_uid)) AS job,
          min(occurred_at) AS started, max(occurred_at) AS ended, count(*) AS entries,
          arg_max(outcome, (occurred_at, file, line, event_uid)) AS outcome,
          arg_max(error_message, (occurred_at, file, line, event_uid)) AS error_message
        FROM events WHERE category = 'background_job' GROUP BY source, instance, job_run""",
}


def actors_of(sightings: str) -> str:
    """One row for each actor key, made of the spellings under which it was seen."""
    return f"""WITH seen AS (SELECT * FROM {sightings} WHERE actor_key IS NOT NULL),
    types AS (SELECT actor_key, actor_type, sum(n) AS n FROM seen GROUP BY ALL),
    mostly AS (SELECT actor_key, arg_min(actor_type, (-n, actor_type)) AS actor_type FROM types GROUP BY actor_key)
    SELECT actor_key, coalesce(min(p.id), actor_key) AS person,
      coalesce(min(p.name), arg_max(s.actor_name, (s.last_at, s.actor_name)),
               arg_max(s.actor_email, (s.last_at, s.actor_email)),
               arg_max(s.actor_id, (s.last_at, s.actor_id))) AS display_name,
      coalesce(arg_max(s.actor_email, (s.last_at, s.actor_email)), min(p.email)) AS email,
      min(m.actor_type) AS actor_type,
      coalesce(min(p.schedule), 'organization') AS schedule,
      min(p.team) AS team, coalesce(min(p.role), arg_max(s.actor_role, (s.last_at, s.actor_role))) AS "role",
      coalesce(bool_or(p.service), NOT bool_or(s.actor_type IN ('user', 'customer'))) AS is_service,
      min(p.left_on) AS left_on, min(s.first_at) AS first_seen, max(s.last_at) AS last_seen, sum(s.n)::BIGINT AS events
    FROM seen s JOIN mostly m USING (actor_key) LEFT JOIN people p USING (actor_key) GROUP BY actor_key"""


PEOPLE_COLUMNS: dict[str, str] = {
    "actor_key": "VARCHAR",
    "id": "VARCHAR",
    "name": "VARCHAR",
    "email": "VARCHAR",
    "schedule": "VARCHAR",
    "team": "VARCHAR",
    "role": "VARCHAR",
    "service": "BOOLEAN",
    "left_on": "DATE",
}
