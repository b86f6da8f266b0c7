"""Questions to a store, and how much of it each one reads: python -m bench.asking, written to docs/benchmarks.md.

The store is loaded from an export of BENCH_EVENTS lines (1,000,000). BENCH_STORE=folder asks a store that is there.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pipeline
from bench import export
from bench.detecting import write
from bench.turns import PAGE, machine
from pipeline.query import Log
from pipeline.rows import Rows

TURNS = 3
EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
OF_EVENTS = "path LIKE '%/events%.parquet'"


@dataclass(frozen=True)
class Question:
    """What is asked, what gives the number of its rows, and the rows whose plan is looked at, if there is one plan."""

    what: str
    ask: Callable[[], int]
    rows: Rows | None = None


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        given = os.environ.get("BENCH_STORE")
        store = Path(given) if given else export.loaded(Path(name), EVENTS)
        began, used = time.perf_counter(), time.process_time()
        with pipeline.open(store) as log:
            log.events(limit=1).arrow()
            opened = f"{time.perf_counter() - began:.2f} s, {time.process_time() - used:.2f} s of CPU"
            _tell(log, opened)


def _tell(log: Log, opened: str) -> None:
    [(events, parts)] = log.con.execute(
        "SELECT count(*), (SELECT count(DISTINCT file) FROM glob(?)) FROM events",
        [str(log.store / "commits" / "*" / "events*.parquet")],
    ).fetchall()
    lines = [
        f"{machine()}: {events:,} events in {parts:,} parts. Opening the store and asking for the newest entry took "
        f"{opened}; what follows was asked {TURNS} times, the middle one is told. Parts are those of which anything "
        "but their end was read, be it the filter that says that an id is not among them; row groups are those of the "
        "engine's plan.",
        "",
        "| question | rows | seconds | CPU seconds | parts read | MB read | row groups read |",
        "|---|---|---|---|---|---|---|",
    ]
    for question in _questions(log):
        lines.append(_row(log, question, parts))
        print(lines[-1], flush=True)
        write(PAGE, "asking", lines)  # what was measured stays when the rest is broken off


def _questions(log: Log) -> list[Question]:
    """About an entry in the middle of the log, who made it, that day, that month, and what was often touched then."""
    [(uid, own, who, at)] = log.con.execute(
        """SELECT event_uid, source_event_id, actor_email, occurred_at FROM events
        WHERE occurred_at >= (SELECT min(occurred_at) + (max(occurred_at) - min(occurred_at)) / 2 FROM events)
        ORDER BY occurred_at LIMIT 1"""
    ).fetchall()
    thing, busiest = _things(log, at)
    day, fortnight = at.date(), timedelta(days=15)
    month = {"since": day - fortnight, "until": day + fortnight}
    asked = {
        "one person's day": log.events(actor=who, on=day),
        "one person's day, the newest 50": log.events(actor=who, on=day, limit=50),
        "entries about one thing": log.events(entity=thing),
        "a text that is in many entries of 31 days, the newest 50": log.events(text="cancel", **month, limit=50),
        "a text that is nowhere in 31 days": log.events(text="zzqxjk", **month),
        "the newest 50": log.events(limit=50),
        "one correlation": log.events(correlation=log.event(uid)["correlation_id"]),
    }  # fmt: skip
    return [
        Question("`show` by a whole uid", lambda: len([log.event(uid)])),
        Question("`show` by 12 digits of it", lambda: len([log.event(uid[:12])])),
        Question("`show` by the source's own id", lambda: len([log.event(own)])),
        _history(log, "a print job", thing),
        _history(log, "the busiest thing", busiest),
        *(Question(what, lambda rows=rows: rows.arrow().num_rows, rows) for what, rows in asked.items()),  # type: ignore[misc]
    ]


def _history(log: Log, what: str, thing: str) -> Question:
    return Question(f"`history` of {what}", lambda: log.history(thing).arrow().num_rows)


def _things(log: Log, at: datetime) -> tuple[str, str]:
    """The print job that has the most entries within a day of a moment, and what has the most of all."""
    found = []
    for among in ("AND entity_type = 'print_job'", ""):
        [(kind, name)] = log.con.execute(
            f"""SELECT entity_type, entity_id FROM events WHERE entity_id IS NOT NULL {among}
            AND occurred_at BETWEEN ?::TIMESTAMPTZ - INTERVAL 1 DAY AND ?::TIMESTAMPTZ + INTERVAL 1 DAY
            GROUP BY ALL ORDER BY count(*) DESC, entity_type, entity_id LIMIT 1""",
            [at.isoformat(), at.isoformat()],
        ).fetchall()
        found.append(f"{kind}:{name}")
    return found[0], found[1]


def _row(log: Log, question: Question, parts: int) -> str:
    walls, cpus, number = [], [], 0
    for _ in range(TURNS):
        began, used = time.perf_counter(), time.process_time()
        number = question.ask()
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - used)
    read, size = _read(log, question)
    cells = (
        question.what, f"{number:,}", f"{statistics.median(walls):.2f}", f"{statistics.median(cpus):.2f}",
        f"{read:,} of {parts:,}", f"{size / 1e6:.1f}", _groups(log, question.rows) if question.rows is not None else "",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _read(log: Log, question: Question) -> tuple[int, int]:
    """Of how many parts' events anything is read, and how many bytes, when nothing of them is remembered."""
    log.con.execute("SET enable_external_file_cache = false")
    log.con.execute("CALL enable_logging('FileSystem', storage = 'memory')")
    question.ask()
    log.con.execute("CALL disable_logging()")
    [(read, size)] = log.con.execute(
        f"""SELECT count(DISTINCT path) FILTER ({OF_EVENTS}), coalesce(sum(bytes), 0)
        FROM duckdb_logs_parsed('FileSystem') WHERE op = 'READ'"""
    ).fetchall()
    log.con.execute("CALL truncate_duckdb_logs()")
    log.con.execute("RESET enable_external_file_cache")
    return read, size


def _groups(log: Log, rows: Rows) -> str:
    plan = log.con.execute(f"EXPLAIN (ANALYZE, FORMAT json) {rows.sql}", rows.values or None).fetchall()[0][1]
    told = json.loads(plan)["query"]
    return f"{told['total_row_groups_scanned']:,} of {told['total_row_groups_to_scan']:,}"


if __name__ == "__main__":
    main()
