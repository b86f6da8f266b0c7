"""Findings -> whose and which sources' events stand behind each, and its local day. Part of evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.detector import Finding


def of(
    connection: duckdb.DuckDBPyConnection, found: Sequence[Finding], logs: Set[str]
) -> list[tuple[Finding, Mapping[str, object]]]:
    """Each finding with whose and which sources' events stand behind it, how many are there, and the local day on
    which it began."""
    if not found:
        return []
    pairs = pa.table({
        "n": [n for n, one in enumerate(found) for _ in one.events],
        "event_uid": [uid for one in found for uid in one.events],
    })  # fmt: skip
    connection.register("pairs", pairs)
    starts = pa.table({
        "n": range(len(found)), "start": [one.window_start for one in found],
        "of_log": [one.detector in logs for one in found],
    })  # fmt: skip
    connection.register("starts", starts)
    rows = connection.execute(_BEHIND).fetchall()
    connection.unregister("pairs")
    connection.unregister("starts")
    names = ("actor_key", "actor_keys", "sources", "there", "local_date")
    told: dict[int, Mapping[str, Any]] = {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}
    return [(one, told[n]) for n, one in enumerate(found)]


# The actor of a finding is who has most of its events, unless it is about the log; what nobody is named for is ''.
_BEHIND = """WITH backed AS (
    SELECT n, source, actor_key, schedule, count(DISTINCT event_uid) AS events
    FROM pairs JOIN laid USING (event_uid) GROUP BY ALL),
  mostly AS (
    SELECT n, actor_key, any_value(schedule) AS schedule, sum(events) AS events FROM backed
    WHERE actor_key IS NOT NULL GROUP BY n, actor_key),
  first AS (
    SELECT n, arg_min(actor_key, (-events, actor_key)) AS actor_key, arg_min(schedule, (-events, actor_key)) AS schedule
    FROM mostly GROUP BY n),
  all_of AS (
    SELECT n, list_sort(list(DISTINCT coalesce(actor_key, ''))) AS actor_keys,
      list_sort(list(DISTINCT source)) AS sources, sum(events)::BIGINT AS there FROM backed GROUP BY n)
  SELECT s.n, f.actor_key, coalesce(a.actor_keys, []), coalesce(a.sources, []), coalesce(a.there, 0),
    coalesce(c.local_date, (s.start AT TIME ZONE 'UTC')::DATE)
  FROM starts s LEFT JOIN all_of a USING (n) LEFT JOIN first f ON f.n = s.n AND NOT s.of_log
  LEFT JOIN calendar c ON c.schedule = coalesce(f.schedule, 'organization')
    AND c.slot = time_bucket(INTERVAL 15 MINUTE, s.start)
  ORDER BY s.n"""
