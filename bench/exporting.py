"""Exports of a million loaded events beside DuckDB's own COPY of the same columns, in turns: python -m bench.exporting.

Every measured command is a process of its own, so that its peak memory is its own. BENCH_EVENTS=n for another number,
BENCH_STORE=folder to export a store that is there. What is measured is written to docs/benchmarks.md.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pipeline
from bench import export
from bench.detecting import write
from bench.turns import PAGE, machine

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
TURNS = 3
Measured = tuple[float, float, float]
COPY = """import duckdb, sys
con = duckdb.connect(sys.argv[1], read_only=True)
con.execute(f"COPY (SELECT * EXCLUDE (ip_key) FROM events {sys.argv[3]}) TO '{sys.argv[2]}' (FORMAT csv)")"""
NEWEST_FIRST = "ORDER BY occurred_at DESC, file DESC, line DESC"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, given = Path(name), os.environ.get("BENCH_STORE")
        store = Path(given) if given else export.loaded(folder, EVENTS)
        lines = [
            f"{machine()}: a store of {_events(store):,} loaded events. Medians of {TURNS} alternating runs; each "
            "is told in seconds, in seconds of CPU, and in MB at its peak.", "",
            "| what | measured | beside | ratio | of CPU |", "|---|---|---|---|---|",
        ]  # fmt: skip
        for kind in ("csv", "parquet", "jsonl"):
            for words, order in (("", ""), (", newest first too", NEWEST_FIRST)):
                lines.append(_row(store, folder, kind, words, order))
                print(lines[-1], flush=True)
                write(PAGE, "exporting", lines)  # what was measured stays when the rest is broken off


def _events(store: Path) -> int:
    with pipeline.open(store) as log:
        return log.events().count()


def _row(store: Path, folder: Path, kind: str, words: str, order: str) -> str:
    command = str(Path(sys.executable).with_name("auditbook"))
    target, copied = folder / f"ours.{kind}", folder / "theirs.csv"
    ours = [command, "export", "--store", str(store), "--output", str(target), "-q"]
    theirs = [sys.executable, "-c", COPY, str(store / "auditbook.duckdb"), str(copied), order]
    measured: tuple[list[Measured], list[Measured]] = ([], [])
    for _ in range(TURNS):
        for kept, one in zip(measured, (ours, theirs), strict=True):
            kept.append(_measure(one))
    (took, cpu, peak), (other, other_cpu, other_peak) = (
        [statistics.median(column) for column in zip(*kept, strict=True)] for kept in measured
    )
    return (
        f"| export to {kind} ({target.stat().st_size / 1e6:.0f} MB), hashed, durable, newest first "
        f"| {took:.2f} s, {cpu:.2f} s, {peak:.0f} MB | {other:.2f} s, {other_cpu:.2f} s, {other_peak:.0f} MB, "
        f"COPY to csv{words} | {took / other:.2f} | {cpu / other_cpu:.2f} |"
    )


def _measure(command: list[str]) -> Measured:
    os.sync()  # what the other left to be written is not this one's
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    taken = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return taken, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
