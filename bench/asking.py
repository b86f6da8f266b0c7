"""Questions to a store of ten million events, and how much of it each one reads: python -m bench.asking.

The store is made by the same writer as a load's, in blocks of load order. BENCH_EVENTS=n for another number,
BENCH_STORE=folder to keep the store between runs.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pipeline
from bench.made import make
from pipeline import store as stores
from pipeline.query import Log
from pipeline.rows import Rows

EVENTS = int(os.environ.get("BENCH_EVENTS", "10000000"))
TURNS = 3
MIDDLE = EVENTS // 2
UID = f"md5('e' || {MIDDLE})"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        store = Path(os.environ.get("BENCH_STORE", name)) / "store"
        if not stores.exists(store):
            make(store, EVENTS)
        began = time.perf_counter()
        with pipeline.open(store) as log:
            opened = time.perf_counter() - began
            print(f"opening {EVENTS:,} events: {opened:.2f} s\n")
            print("| question | seconds | CPU seconds | row groups read |\n|---|---|---|---|")
            for what, ask, rows in questions(log):
                print(_row(log, what, ask, rows), flush=True)


def questions(log: Log) -> list[tuple[str, Callable[[], object], Rows]]:
    """What is asked after the store is open, and the question whose reading is looked at."""
    [(uid, own, thing)] = log.con.execute(
        f"SELECT {UID}, left(md5('s' || {MIDDLE}), 24), left(md5('j' || 7), 24)"
    ).fetchall()
    at = datetime.fromtimestamp(1_767_225_600 + MIDDLE * 2.5, UTC)
    day, month = at.date().isoformat(), at.date().replace(day=1)
    one = log.sql("SELECT * FROM events WHERE event_uid = ?", [uid])
    theirs = log.sql("SELECT event_uid FROM events WHERE source_event_id = ?", [own])
    found: list[tuple[str, Callable[[], object], Rows]] = [
        ("show, by a whole uid", lambda: log.event(uid), one),
        ("show, by 12 digits of it", lambda: log.event(uid[:12]), one),
        ("show, by the source's own id", lambda: log.event(own), theirs),
    ]
    for what, asked in {
        "actor and day": log.events(actor="person7@example.com", on=day),
        "actor and day, the newest 50": log.events(actor="person7@example.com", on=day, limit=50),
        "one thing by its id": log.events(entity=f"print_job:{thing}", limit=50),
        "text over four weeks, the newest 50": log.events(
            text="slot 3 of printer 17", since=month, until=month.replace(day=28), limit=50
        ),
        "the newest 50": log.events(limit=50),
        "entries of one correlation": log.events(correlation="x" * 24),
    }.items():
        found.append((what, asked.arrow, asked))
    return found


def _row(log: Log, what: str, ask: Callable[[], object], rows: Rows) -> str:
    walls, cpus = [], []
    for _ in range(TURNS):
        began, used = time.perf_counter(), time.process_time()
        ask()
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - used)
    plan = log.con.execute(f"EXPLAIN (ANALYZE, FORMAT json) {rows.sql}", rows.values or None).fetchall()[0][1]
    told = json.loads(plan)["query"]
    groups = f"{told['total_row_groups_scanned']:,} of {told['total_row_groups_to_scan']:,}"
    return f"| {what} | {statistics.median(walls):.2f} | {statistics.median(cpus):.2f} | {groups} |"


if __name__ == "__main__":
    main()
