"""Exports of a million loaded events beside DuckDB's own COPY of the same columns, in turns: python -m bench.exporting.

Every measured command is a process of its own, so that its peak memory is its own. BENCH_EVENTS=n for another number.
What is measured is written to docs/benchmarks.md.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import export
from bench.detecting import write
from bench.turns import PAGE, machine

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
TURNS = 3
COPY = """import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=True)
con.execute(f"COPY (SELECT * EXCLUDE (ip_key) FROM events {sys.argv[3]}) TO '{sys.argv[2]}' (FORMAT csv)")"""
NEWEST_FIRST = "ORDER BY occurred_at DESC, file DESC, line DESC"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export.loaded(folder, EVENTS)
        lines = [
            f"{machine()}: a store of {EVENTS:,} loaded events. Medians of {TURNS} alternating runs.", "",
            "| what | measured | beside | ratio | peak memory |", "|---|---|---|---|---|",
        ]  # fmt: skip
        for kind in ("csv", "parquet", "jsonl"):
            for words, order in (("", ""), (", newest first too", NEWEST_FIRST)):
                lines.append(_row(folder, kind, words, order))
                print(lines[-1], flush=True)
        write(PAGE, "exporting", lines)


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
