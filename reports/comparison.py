"""This period beside the one of the same length before it: what became more, and what less."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from reports.period import Instant
from reports.rows import Reader

EVENTS = {
    "Events": "count(*)",
    "People and programs": "count(DISTINCT actor_key)",
    "Events that failed": "count(*) FILTER (outcome = 'failure')",
    "Deletions": "count(*) FILTER (action = 'delete')",
}
FINDINGS = {
    "Findings": "count(*)",
    "Critical and high findings": "count(*) FILTER (severity IN ('critical', 'high'))",
}


@dataclass(frozen=True)
class Comparison:
    """The measures of both periods; none when the store knows nothing of the time before."""

    since: Instant
    until: Instant
    rows: tuple[tuple[str, int, int], ...]


def comparison(reader: Reader) -> Comparison:
    """Counted over the same columns, whatever the rules were then."""
    begin, end = reader.period.since.at, reader.period.until.at
    before = begin - (end - begin)
    where = reader.period.since.zone
    events = _counted(reader, "events", "occurred_at", EVENTS, before)
    found = _counted(reader, "findings", "window_start", FINDINGS, before, "state <> 'withdrawn' AND")
    known = events[0][1] > 0
    return Comparison(
        Instant(before, where),
        Instant(begin - timedelta(seconds=1), where),
        (*events, *found) if known else (),
    )


def _counted(
    reader: Reader, table: str, time: str, measures: dict[str, str], before: datetime, only: str = ""
) -> tuple[tuple[str, int, int], ...]:
    """Each measure before and now, in one look at the table."""
    listed = ", ".join(f"{sql} AS m{n}" for n, sql in enumerate(measures.values()))
    rows = reader.rows(
        f"SELECT {time} >= $since AS now, {listed} FROM {table} "
        f"WHERE {only} {time} >= $before AND {time} < $until GROUP BY ALL",
        before=before,
    )
    before_and_now = {row["now"]: row for row in rows}

    def told(now: bool, n: int) -> int:
        return int(before_and_now[now][f"m{n}"]) if now in before_and_now else 0

    return tuple((name, told(False, n), told(True, n)) for n, name in enumerate(measures))
