"""Questions to a store of ten million events, and how much of it each one reads: python -m bench.asking.

The store is made by the same writer as a load's, in blocks of load order. BENCH_EVENTS=n for another number,
BENCH_STORE=folder to keep the store between runs.
"""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa

import pipeline
from bench.exporting import MADE
from pipeline import catalog, parts
from pipeline import store as stores
from pipeline.columns import EVENT_COLUMNS
from pipeline.config import from_dict, to_dict
from pipeline.query import Log
from pipeline.store import part_names
from pipeline.views import LINE_COLUMNS

EVENTS = int(os.environ.get("BENCH_EVENTS", "10000000"))
BLOCK = 50_000  # lines of 640 bytes in the 32 MB that a load judges at once
TURNS = 5
WRITTEN = {
    **MADE,
    "event_uid": "md5('e' || i)",
    "source_event_id": "left(md5('s' || i), 24)",
    "actor_id": "left(md5('a' || hash(i + 1) % 60), 24)",
    "entity_id": "left(md5('j' || hash(i + 3) % 200000), 24)",
    "correlation_id": "left(md5('c' || i // 2), 24)",
    "message": """'Job ' || hash(i + 3) % 200000 || ' moved to slot ' || hash(i) % 8
      || ' of printer ' || hash(i + 4) % 40""",
}
LINE = {
    "file": "'printago.jsonl'",
    "file_sha256": "repeat('a', 64)",
    "line": "i + 1",
    "byte_offset": "i * 640",
    "fate": "'event'",
    "raw": """'{"id":"' || left(md5('s' || i), 24) || '","actorEmail":"person' || hash(i + 1) % 60 || '","userAgent":"'
      || repeat('x', 400) || '","correlationId":"' || left(md5('c' || i // 2), 24) || '"}'""",
    "newline": "true",
    "event_uid": "md5('e' || i)",
    "commit_no": "1",
}
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
            print("| question | seconds | row groups read | of |\n|---|---|---|---|")
            for what, ask in questions(log):
                print(_row(what, ask), flush=True)


def make(store: Path, events: int) -> None:
    """A store of one commit in parts, its lines and events made in SQL, block by block."""
    lists = {name: "[]" for name, kind in EVENT_COLUMNS.items() if kind.endswith("[]")}
    made = _select(EVENT_COLUMNS, {**lists, **WRITTEN})
    lines = _select(LINE_COLUMNS, LINE)

    def write(folder: Path) -> dict[str, int]:
        counts = {}
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            for number, begin in enumerate(range(0, events, BLOCK), start=1):
                size = min(BLOCK, events - begin)
                among = f"FROM range({begin}, {begin + size}) AS t(i)"
                for name, query in zip(part_names(number), (lines, made), strict=True):
                    parts.write(folder / name, con.sql(f"{query} {among}").to_arrow_table())
                    counts[name] = size
        return counts

    config = from_dict({})
    stores.create(store)
    stores.commit(store, "load", {"config": to_dict(config), "inputs": []}, write)
    catalog.publish(store, config)


def _select(columns: dict[str, str], values: dict[str, str]) -> str:
    cells = (f'({values.get(name, "NULL")})::{kind} AS "{name}"' for name, kind in columns.items())
    return f"SELECT {', '.join(cells)}"


def questions(log: Log) -> list[tuple[str, Callable[[], pa.Table | int]]]:
    """What is asked, after the store is open."""
    [(uid, own, entity, at)] = log.con.execute(
        f"""SELECT {UID}, left(md5('s' || {MIDDLE}), 24), left(md5('j' || 7), 24),
        make_timestamptz({1_767_225_600_000_000 + MIDDLE * 2_500_000}::BIGINT)"""
    ).fetchall()
    day, month = at.date().isoformat(), at.date().replace(day=1)
    till = month.replace(day=28)
    return [
        ("show, by a whole uid", lambda: log.event(uid)),
        ("show, by 12 digits of it", lambda: log.event(uid[:12])),
        ("show, by the source's own id", lambda: log.event(own)),
        ("actor and day", lambda: log.events(actor="person7@example.com", since=day, until=day).arrow()),
        ("actor and day, the first 50", lambda: log.events(actor="person7@example.com", on=day, limit=50).arrow()),
        ("one thing by its id", lambda: log.events(entity=f"print_job:{entity}").arrow()),
        ("history of one thing", lambda: len(log.history(f"print_job:{entity}"))),
        ("text over a month", lambda: log.events(text="slot 3 of printer 17", since=month, until=till).arrow()),
        ("the newest 50", lambda: log.events(limit=50).arrow()),
        ("entries of one correlation", lambda: log.events(correlation="x" * 24).arrow()),
    ]  # fmt: skip


def _row(what: str, ask: Callable[[], object]) -> str:
    taken = []
    for _ in range(TURNS):
        began = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - began)
    return f"| {what} | {statistics.median(taken):.3f} | | |"


def pruned(plan: str) -> tuple[int, int]:
    """Row groups that were read, and how many there are, as EXPLAIN ANALYZE tells them."""
    found = re.findall(r"Row Groups[^0-9]*(\d+)/(\d+)", plan)
    return sum(int(read) for read, _ in found), sum(int(all_) for _, all_ in found)


if __name__ == "__main__":
    main()
