"""Speed and memory as ratios, each pair measured in turns in this one run. `make bench` prints them and keeps them.

Every measured command is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import export

LINES = int(os.environ.get("BENCH_LINES", "200000"))
TURNS = 3
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
READ_JSON = """import duckdb, sys
duckdb.connect(sys.argv[2]).execute(f"CREATE TABLE t AS SELECT * FROM read_json('{sys.argv[1]}')")"""
LOAD = """import sys
from pipeline.config import read
from pipeline.load import load
load([sys.argv[1]], store=sys.argv[2], config=read(None))"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = [*_loading(Path(folder)), _help()]
    table = [
        "| what | measured | beside | ratio |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    print("\n".join(table))
    PAGE.write_text(_page(table), "utf-8")


def _loading(folder: Path) -> list[tuple[str, str, str, str]]:
    source = folder / "printago.jsonl"
    export.write(source, LINES)
    ours, theirs = _in_turns(
        lambda turn: [sys.executable, "-c", LOAD, str(source), str(folder / f"store-{turn}")],
        lambda turn: [sys.executable, "-c", READ_JSON, str(source), str(folder / f"plain-{turn}.duckdb")],
    )
    size = source.stat().st_size / 1e6
    what = f"load {LINES:,} lines ({size:.0f} MB): judged, normalized, hashed, de-duplicated, committed"
    memory = "peak memory of that load"
    return [
        (what, f"{ours[0]:.2f} s", f"{theirs[0]:.2f} s, CREATE TABLE AS read_json", f"{ours[0] / theirs[0]:.2f}"),
        (memory, f"{ours[1]:.0f} MB", f"{theirs[1]:.0f} MB", f"{ours[1] / theirs[1]:.2f}"),
    ]  # fmt: skip


def _help() -> tuple[str, str, str, str]:
    command = str(Path(sys.executable).with_name("auditbook"))
    ours, theirs = _in_turns(
        lambda _: [command, "--help"], lambda _: [sys.executable, "-c", "import click"], turns=15
    )
    return (
        "auditbook --help",
        f"{ours[0]:.3f} s",
        f"{theirs[0]:.3f} s, python -c 'import click'",
        f"{ours[0] / theirs[0]:.2f}",
    )


def _in_turns(
    ours: Callable[[int], list[str]], theirs: Callable[[int], list[str]], turns: int = TURNS
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Medians of (seconds, peak MB) of the two, run alternately."""
    measured: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for turn in range(turns):
        for kept, command in zip(measured, (ours, theirs), strict=True):
            kept.append(_measure(command(turn)))
    first, second = ([statistics.median(column) for column in zip(*kept, strict=True)] for kept in measured)
    return (first[0], first[1]), (second[0], second[1])


def _measure(command: list[str]) -> tuple[float, float]:
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    taken = time.perf_counter() - began
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return taken, used.ru_maxrss / 1024


def _page(table: list[str]) -> str:
    day = datetime.now(UTC).date().isoformat()
    cores = os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"{platform.machine()}, {cores} cores, {memory:.0f} GiB, Python {platform.python_version()}"
    intro = f"Written by `make bench` on {day} ({machine}). Medians of alternating runs, each a process of its own."
    return "\n".join(["# Benchmarks", "", intro, "", *table, ""])


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
