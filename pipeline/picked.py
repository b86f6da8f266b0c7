"""A list of ids that somebody picked -> the events they mean: uids, the beginning that tables print, or source ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipeline.errors import AuditbookError, UsageError

PRINTED = 12  # characters of a uid in a table
NAMED = 10  # unknown ids that an error names


def read(path: Path) -> list[str]:
    """The ids of a file, one a line; `-` is standard input."""
    import sys

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise AuditbookError(f"cannot be read: {why}.", path=path) from error
    ids = list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    if not ids:
        raise UsageError("holds no id.", path=path, hint="One uid or source id a line.")
    return ids


def uids(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[str]:
    """The uids of all the events that the ids mean; an id that means none is an error that names it."""
    found = connection.execute(_MEANT, {"ids": list(ids), "printed": PRINTED}).fetchall()
    if unknown := [name for name, uid in found if uid is None]:
        more = f" and {len(unknown) - NAMED:,} more" if len(unknown) > NAMED else ""
        raise UsageError(
            f"{', '.join(unknown[:NAMED])}{more}: no such event in this store.",
            hint="`auditbook events` prints uids; source ids are the products' own.",
        )
    return sorted({uid for _, uid in found})


_MEANT = """WITH wanted AS (SELECT unnest($ids::VARCHAR[]) AS id, generate_subscripts($ids::VARCHAR[], 1) AS place),
  meant AS (
    SELECT id, event_uid FROM wanted JOIN events ON event_uid = lower(id)
    UNION SELECT id, event_uid FROM wanted JOIN events ON source_event_id = id
    UNION SELECT id, event_uid FROM wanted JOIN events ON left(event_uid, $printed) = lower(id))
  SELECT id, event_uid FROM wanted LEFT JOIN meant USING (id) ORDER BY place, event_uid"""
