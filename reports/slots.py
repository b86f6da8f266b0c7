"""The events of the period, counted once by quarter of an hour: what parts of the model share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from reports.rows import Reader

# Columns that say how many, or which of a handful: whatever the number of events, this stays small.
_COUNTED = """CREATE TEMP TABLE period_slots AS
    SELECT counted.*, c.local_date, c.weekday, c.hour, c.is_business_hours AS inside FROM (
      SELECT source, instance, time_bucket(INTERVAL 15 MINUTES, occurred_at) AS slot, actor_type, tz_source,
        time_precision, count(*) AS n, count(*) FILTER (outcome = 'failure') AS failed,
        count(*) FILTER (action = 'delete') AS deleted, count(conflicts_with) AS conflicts,
        count(*) FILTER (unmapped <> '{}') AS unmapped, sum(len(parse_warnings))::BIGINT AS warnings,
        min(occurred_at) AS first_at, max(occurred_at) AS last_at
      FROM counted_events WHERE occurred_at >= $since AND occurred_at < $until GROUP BY ALL) counted
    LEFT JOIN calendar c ON c.slot = counted.slot AND c.schedule = 'organization'"""
_ACTORS = """CREATE TEMP TABLE period_actors AS
    SELECT source, actor_key, count(*) AS n FROM counted_events
    WHERE occurred_at >= $since AND occurred_at < $until AND actor_key IS NOT NULL GROUP BY ALL"""
TABLES = ("period_slots", "period_actors")


@contextmanager
def counted(reader: Reader) -> Iterator[None]:
    """`period_slots` and `period_actors` are there meanwhile: two looks at the events instead of a dozen."""
    gone = "; ".join(f"DROP TABLE IF EXISTS temp.{name}" for name in TABLES)
    reader.con.execute(gone)
    try:
        reader.rows(_COUNTED)
        reader.rows(_ACTORS)
        yield
    finally:
        reader.con.execute(gone)
