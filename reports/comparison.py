"""This period beside the one of the same length before it: what became more, and what less."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reports.period import Instant
from reports.rows import Reader

EVENTS = ("Events", "People and programs", "Events that failed", "Deletions")
_NOW = """SELECT coalesce(sum(n), 0)::BIGINT, (SELECT count(DISTINCT actor_key) FROM period_actors),
    coalesce(sum(failed), 0)::BIGINT, coalesce(sum(deleted), 0)::BIGINT FROM period_slots"""
_BEFORE = """SELECT count(*), count(DISTINCT actor_key), count(*) FILTER (outcome = 'failure'),
    count(*) FILTER (action = 'delete') FROM counted_events WHERE occurred_at >= $before AND occurred_at < $since"""
FINDINGS = ("Findings", "Critical and high findings")
_FOUND = """SELECT count(*) FILTER (window_start < $since), count(*) FILTER (window_start < $since AND grave),
    count(*) FILTER (window_start >= $since), count(*) FILTER (window_start >= $since AND grave)
    FROM (SELECT window_start, severity IN ('critical', 'high') AS grave FROM findings
      WHERE state <> 'withdrawn' AND window_start >= $before AND window_start < $until)"""


@dataclass(frozen=True)
class Comparison:
    """The measures of both periods; none when the store knows nothing of the time before."""

    since: Instant
    until: Instant
    rows: tuple[tuple[str, int, int], ...]


def comparison(reader: Reader) -> Comparison:
    """Counted over the same columns, whatever the rules were then; the tables of slots.py say what is now."""
    begin, end = reader.period.since.at, reader.period.until.at
    before = begin - (end - begin)
    where = reader.period.since.zone
    events = tuple(zip(EVENTS, _numbers(reader, _BEFORE, before=before), _numbers(reader, _NOW), strict=True))
    found = _numbers(reader, _FOUND, before=before)
    known = events[0][1] > 0
    return Comparison(
        Instant(before, where),
        Instant(begin - timedelta(seconds=1), where),
        (*events, *zip(FINDINGS, found[:2], found[2:], strict=True)) if known else (),
    )


def _numbers(reader: Reader, sql: str, **values: datetime) -> list[int]:
    """The only row of a query."""
    return [int(n) for n in reader.one(sql, **values).values()]
