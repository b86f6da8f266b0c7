"""Exports of a million events beside DuckDB's own COPY of the same columns, in turns: python -m bench.exporting.

Every measured command is a process of its own, so that its peak memory is its own. BENCH_EVENTS=n for another number.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from pipeline import catalog
from pipeline import store as stores
from pipeline.columns import EVENT_COLUMNS
from pipeline.config import from_dict, to_dict

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
TURNS = 3
COPY = """import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=True)
con.execute(f"COPY (SELECT * EXCLUDE (ip_key) FROM events {sys.argv[3]}) TO '{sys.argv[2]}' (FORMAT csv)")"""
NEWEST_FIRST = "ORDER BY occurred_at DESC, file DESC, line DESC"

# What differs from nothing or from one value; `i` counts the events.
MADE = {
    "event_uid": "left(sha256('e' || i), 32)",
    "source": "'printago'",
    "instance": "'s1t2o3r4e5i6d7x8y9z0a1b2'",
    "source_event_id": "left(sha256('s' || i), 24)",
    "occurred_at": "make_timestamptz(1767225600000000 + i * 2500000 + (hash(i) % 2000)::BIGINT * 1000)",
    "occurred_at_raw": "strftime(make_timestamp(1767225600000000 + i * 2500000), '%Y-%m-%dT%H:%M:%S.%gZ')",
    "time_precision": "'ms'",
    "tz_source": "'in_value'",
    "actor_type": "'user'",
    "actor_type_raw": "'user'",
    "actor_id": "left(sha256('a' || hash(i + 1) % 60), 24)",
    "actor_email": "'person' || hash(i + 1) % 60 || '@example.com'",
    "actor_anonymous": "false",
    "action": "(['update', 'create', 'delete'])[1 + (hash(i + 2) % 3)::BIGINT]",
    "is_bulk": "false",
    "action_raw": "(['update', 'create', 'delete'])[1 + (hash(i + 2) % 3)::BIGINT]",
    "action_detail": "(['printJob.update', 'order.create', 'part.delete'])[1 + (hash(i + 2) % 3)::BIGINT]",
    "category": "'printer'",
    "entity_type": "'print_job'",
    "entity_type_raw": "'PrintJobs'",
    "entity_id": "left(sha256('j' || hash(i + 3) % 200000), 24)",
    "outcome": "'unknown'",
    "source_ip": "'198.51.100.' || (1 + hash(i + 1) % 60)",
    "user_agent": "'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36'",
    "correlation_id": "left(sha256('c' || i // 2), 24)",
    "reason": "CASE WHEN i % 50 = 0 THEN '=A1 is what they typed, \"quoted\"' END",
    "changes": """[{'field': 'status', 'old': '"pending"', 'new': '"printing"', 'old_present': true,
        'new_present': true, 'redacted': false},
      {'field': 'slot', 'old': (hash(i) % 8)::VARCHAR, 'new': 'null', 'old_present': true, 'new_present': true,
        'redacted': false}]""",
    "metadata": "CASE WHEN i % 6 = 0 THEN '{\"count\":3}' END",
    "file": "'printago.jsonl'",
    "file_sha256": "repeat('a', 64)",
    "line": "i + 1",
    "mapping_version": "'1'",
    "schema_version": "'1'",
}


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder / "store", EVENTS)
        print("| what | measured | beside | ratio | peak memory |\n|---|---|---|---|---|")
        for kind in ("csv", "parquet", "jsonl"):
            for words, order in (("", ""), (", newest first too", NEWEST_FIRST)):
                print(_row(folder, kind, words, order), flush=True)


def make(store: Path, events: int) -> None:
    """A store of one commit, its events made in SQL."""
    lists = {name: "[]" for name, kind in EVENT_COLUMNS.items() if kind.endswith("[]")}
    columns = ", ".join(
        f'({({**lists, **MADE}).get(name, "NULL")})::{kind} AS "{name}"'
        for name, kind in EVENT_COLUMNS.items()
    )

    def write(folder: Path) -> dict[str, int]:
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(
                f"COPY (SELECT {columns} FROM range({events}) AS t(i)) TO '{folder}/events.parquet' (COMPRESSION zstd)"
            )
        return {"events.parquet": events}

    config = from_dict({})
    stores.create(store)
    stores.commit(store, "load", {"config": to_dict(config), "inputs": []}, write)
    catalog.publish(store, config)


def _row(folder: Path, kind: str, words: str, order: str) -> str:
    command = str(Path(sys.executable).with_name("auditbook"))
    store, target, copied = folder / "store", folder / f"ours.{kind}", folder / "theirs.csv"
    ours = [command, "export", "--store", str(store), "--output", str(target), "-q"]
    theirs = [sys.executable, "-c", COPY, str(store / "auditbook.duckdb"), str(copied), order]
    measured: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for _ in range(TURNS):
        for kept, one in zip(measured, (ours, theirs), strict=True):
            kept.append(_measure(one))
    (took, memory), (took_theirs, memory_theirs) = (
        [statistics.median(column) for column in zip(*kept, strict=True)] for kept in measured
    )
    size = target.stat().st_size / 1e6
    peak = f"{memory:.0f} MB, {memory_theirs:.0f} MB"
    return (
        f"| export {EVENTS:,} events to {kind} ({size:.0f} MB), hashed, durable, newest first | {took:.2f} s "
        f"| {took_theirs:.2f} s, COPY to csv{words} | {took / took_theirs:.2f} | {peak} |"
    )


def _measure(command: list[str]) -> tuple[float, float]:
    os.sync()  # what the other left to be written is not this one's
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    taken = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return taken, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
