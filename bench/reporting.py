"""A review of a month with a million events, then the evidence annex beside a plain table: python -m bench.reporting.

The annex and the table are printed in turns by the same child process with the same fonts; what differs is how the rows
are marked up. BENCH_EVENTS=n and BENCH_ROWS=n for other numbers, BENCH_STORE=folder to keep the store between runs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from bench.asking import make
from pipeline import detect
from pipeline import store as stores
from reports.html import css
from reports.pdf import press

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
ROWS = int(os.environ.get("BENCH_ROWS", "20000"))
TURNS = int(os.environ.get("BENCH_TURNS", "3"))
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
# In a process of its own, so that its peak is its own; the PDF's is that of its child.
REVIEWED = """import datetime, json, resource, sys, time
import pipeline, reports
def said(what, made, who=resource.RUSAGE_SELF):
    wall, used = time.perf_counter(), resource.getrusage(who)
    made()
    now = resource.getrusage(who)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(json.dumps([what, time.perf_counter() - wall, cpu, now.ru_maxrss / 1024]), flush=True)
made = []
with pipeline.open(sys.argv[1]) as log:
    at = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC)
    said("model", lambda: made.append(reports.review(log, as_of=at)))
    said("HTML", lambda: made[0].html())
    said("PDF (its child)", lambda: made[0].pdf(), resource.RUSAGE_CHILDREN)
    said("log page", lambda: made[0].log.html())
"""


def rows(number: int) -> list[tuple[str, ...]]:
    """Rows like those of the annex: time, source, who, what, about what, where."""
    return [
        (f"2026-10-{1 + n % 31:02d} 08:{n % 60:02d}:00", "printago", f"person{n % 60}@example.com", "printJob.update",
         f"print job k6v56pyt82039jh01sro{n:06d}", f"printago.jsonl:{n}")
        for n in range(number)
    ]  # fmt: skip


def annex(number: int) -> bytes:
    """As `export --format pdf` marks up more than 500 entries."""
    lines = [escape("  ".join(row)) for row in rows(number)]
    parts = ("\n".join(lines[n : n + 50]) for n in range(0, number, 50))
    return _page(
        "".join(f'<pre class="chosen-line">{part}</pre>' for part in parts),
        "base.css",
        "print.css",
        "paper.css",
        "selection.css",
    )


def table(number: int) -> bytes:
    """As anybody would mark up a table."""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows(number))
    return _page(f"<table><tbody>{body}</tbody></table>")


def main() -> None:
    review()
    annex_beside_table()


def review() -> None:
    """How long each part of a review takes, and the most memory until then."""
    with tempfile.TemporaryDirectory() as name:
        store = Path(os.environ.get("BENCH_STORE", name)) / "store"
        if not stores.exists(store):
            make(store, EVENTS)
            detect.detect(store)
        done = subprocess.run(
            [sys.executable, "-c", REVIEWED, str(store)], capture_output=True, text=True, check=True
        )
    print(f"review of {EVENTS:,} events\n\n| part | seconds | CPU seconds | peak MiB |\n|---|---|---|---|")
    for line in done.stdout.splitlines():
        what, wall, cpu, peak = json.loads(line)
        print(f"| {what} | {wall:.2f} | {cpu:.2f} | {peak:,.0f} |")
    print()


def annex_beside_table() -> None:
    """Medians of both, and the larger child's memory."""
    print("| what | rows | seconds | rows a second |\n|---|---|---|---|")
    taken: dict[str, list[float]] = {"annex": [], "table": []}
    for _ in range(TURNS):
        for name, made in (("annex", annex), ("table", table)):
            page = made(ROWS)
            began = time.perf_counter()
            press(page, as_of=AS_OF, identifier=name, seconds=3600, memory=16 * 1024**3)
            taken[name].append(time.perf_counter() - began)
    middle = {name: sorted(times)[len(times) // 2] for name, times in taken.items()}
    for name, seconds in middle.items():
        print(f"| {name} | {ROWS:,} | {seconds:.2f} | {ROWS / seconds:,.0f} |")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"\nThe annex is {middle['table'] / middle['annex']:.1f} times as fast; the larger child took {peak:,.0f} MiB."
    )


def _page(body: str, *styles: str) -> bytes:
    style = "".join(map(css, styles))
    return f'<html lang="en"><head><title>Annex</title><style>{style}</style></head><body>{body}</body></html>'.encode()


if __name__ == "__main__":
    main()
