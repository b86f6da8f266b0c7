"""A block of judged lines -> the fate of each: an event, a duplicate of one, or a reject. Last step of load.

The same identity with the same content is a duplicate; with other content it is a conflict: an event of its own that
names the other. A duplicate whose bytes equal the first keeps a reference instead of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from pipeline.columns import EVENT_COLUMNS
from pipeline.normalize import Plan, events
from pipeline.views import LINE_COLUMNS, parquet

KNOWN = """event_uid VARCHAR, record_sha256 VARCHAR, line_sha256 VARCHAR,
  commit_no BIGINT, file_sha256 VARCHAR, line BIGINT"""


def prepare(connection: duckdb.DuckDBPyConnection, line_files: Sequence[str]) -> None:
    """What this store already knows, by identity."""
    connection.execute(f"CREATE TEMP TABLE known ({KNOWN})")
    connection.execute(f"CREATE TEMP VIEW earlier_lines AS SELECT * FROM {parquet(line_files, LINE_COLUMNS)}")


def decide(
    connection: duckdb.DuckDBPyConnection,
    plan: Plan | None,
    block: pa.Table,
    file: str,
    file_sha256: str,
    commit_no: int,
) -> tuple[pa.Table, pa.Table | None]:
    """The block's rows for `lines` and for `events`; without a plan (a file without records) there are no events."""
    names = {"file": file, "file_sha256": file_sha256}
    place = {"file_sha256": file_sha256, "commit_no": commit_no}
    if plan is None:
        connection.execute(_NOTHING_DECIDED)
    else:
        events(connection, plan, block)
        connection.execute(_RECALL)
        connection.execute(_IDENTIFY)
        connection.execute(_DECIDE, place)
        connection.execute(_REMEMBER, place)
    connection.register("block", block)
    lines = connection.sql(_LINES, params={**names, "commit_no": commit_no}).to_arrow_table()
    connection.unregister("block")
    return lines, None if plan is None else connection.sql(_EVENTS, params=names).to_arrow_table()


def span(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """First and last time of the block's events, as ISO text; empty when it has none."""
    ends = ", ".join(f"strftime({end}(occurred_at), '%Y-%m-%dT%H:%M:%S.%gZ')" for end in ("min", "max"))
    [times] = connection.execute(f"SELECT {ends} FROM decided WHERE fate = 'event'").fetchall()
    return [text for text in times if text is not None]


_CONFLICT_UID = "left(sha256(event_uid || chr(31) || record_sha256), 32)"

# What the store already has of the identities in this block, their possible conflicts included.
_RECALL = f"""INSERT INTO known
  SELECT event_uid, record_sha256, line_sha256, commit_no, file_sha256, line FROM earlier_lines
  WHERE fate = 'event'
    AND event_uid IN (SELECT event_uid FROM normalized UNION ALL SELECT {_CONFLICT_UID} FROM normalized)
    AND event_uid NOT IN (SELECT event_uid FROM known)"""

# An identity that comes again with other content gets an identity of its own.
_IDENTIFY = f"""CREATE OR REPLACE TEMP TABLE identified AS
  SELECT n.* REPLACE (
      CASE WHEN n.record_sha256 = first_record THEN event_uid ELSE {_CONFLICT_UID} END AS event_uid,
      CASE WHEN n.record_sha256 <> first_record THEN event_uid END AS conflicts_with)
  FROM (SELECT n.*, coalesce(k.record_sha256,
          first_value(n.record_sha256) OVER (PARTITION BY n.event_uid ORDER BY n.line)) AS first_record
        FROM (SELECT * FROM normalized WHERE reject_reason IS NULL) n LEFT JOIN known k USING (event_uid)) n"""

_DECIDE = """CREATE OR REPLACE TEMP TABLE decided AS
  SELECT i.*, k.event_uid IS NULL AND row_number() OVER same = 1 AS is_first,
    CASE WHEN k.event_uid IS NULL AND row_number() OVER same = 1 THEN 'event' ELSE 'duplicate' END AS fate,
    coalesce(k.commit_no, $commit_no) AS first_commit,
    coalesce(k.file_sha256, $file_sha256) AS first_file_sha256,
    coalesce(k.line, first_value(i.line) OVER same) AS first_line,
    coalesce(k.line_sha256, first_value(i.line_sha256) OVER same) AS first_line_sha256
  FROM identified i LEFT JOIN known k ON k.event_uid = i.event_uid
  WINDOW same AS (PARTITION BY i.event_uid ORDER BY i.line)"""

_REMEMBER = """INSERT INTO known SELECT event_uid, record_sha256, line_sha256, $commit_no, $file_sha256, line
  FROM decided WHERE fate = 'event'"""

_NOTHING_DECIDED = """CREATE OR REPLACE TEMP TABLE decided (line BIGINT, fate VARCHAR, event_uid VARCHAR,
  first_commit BIGINT, first_file_sha256 VARCHAR, first_line BIGINT, first_line_sha256 VARCHAR);
  CREATE OR REPLACE TEMP TABLE normalized (line BIGINT, reject_reason VARCHAR, reject_message VARCHAR)"""

_LINES = """SELECT $file AS file, $file_sha256 AS file_sha256, b.line, b.byte_offset,
    CASE WHEN n.reject_reason IS NOT NULL THEN 'reject' ELSE coalesce(d.fate, b.fate) END AS fate,
    coalesce(n.reject_reason, b.reason) AS reason, coalesce(n.reject_message, b.message) AS message,
    CASE WHEN NOT same_bytes THEN b.raw END AS raw, b.raw_bytes, b.newline,
    CASE WHEN NOT same_bytes THEN b.line_sha256 END AS line_sha256,
    CASE WHEN d.fate = 'event' THEN b.record_sha256 END AS record_sha256,
    CASE WHEN d.fate = 'event' THEN d.event_uid END AS event_uid,
    $commit_no::BIGINT AS commit_no, CASE WHEN d.fate = 'duplicate' THEN d.first_commit END AS same_commit,
    CASE WHEN d.fate = 'duplicate' THEN d.first_file_sha256 END AS same_file_sha256,
    CASE WHEN d.fate = 'duplicate' THEN d.first_line END AS same_line
  FROM (SELECT b.*, (d.fate = 'duplicate' AND d.first_line_sha256 = b.line_sha256) IS TRUE AS same_bytes
        FROM block b LEFT JOIN decided d USING (line)) b
  LEFT JOIN decided d USING (line)
  LEFT JOIN (SELECT line, reject_reason, reject_message FROM normalized) n USING (line)
  ORDER BY b.line"""

_EVENTS = "SELECT {} FROM decided WHERE fate = 'event' ORDER BY line".format(
    ", ".join(
        f'${name}::VARCHAR AS "{name}"' if name in ("file", "file_sha256") else f'"{name}"'
        for name in EVENT_COLUMNS
    )
)
