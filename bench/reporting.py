"""Documents: a review of a month with a million events, its annex beside a plain table, the log page in a browser.

`python -m bench.reporting` writes docs/benchmarks.md. BENCH_EVENTS=n and BENCH_ROWS=n for other numbers, and
BENCH_STORE=folder to keep the store between runs. Every measured thing is a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

from bench.detecting import write
from bench.made import make
from bench.turns import PAGE, TURNS, Row, in_turns, machine, ratio
from pipeline import config, detect
from pipeline import load as loading
from pipeline import store as stores

ROOT = Path(__file__).parent.parent
EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
ROWS = int(os.environ.get("BENCH_ROWS", "20000"))
FEWER = 5  # times as few rows has the plain table: it takes as long for each, and less memory
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)
LEAVE = {"model": 2.0, "HTML": 2.0, "PDF": 20.0}  # seconds that each may take
MEMORY, SIZE, READY, FILTER = 700, 20, 3.0, 0.3  # MB, MB, seconds, seconds
SAID = "Ratios of what is not told in a browser are of seconds of CPU: the machine has other work as well."
# What one process does, and what it and the largest of its children took. A child's peak begins with its parent's at
# the fork, so that the memory of the printing process is asked of that process alone, in `PRINTED`.
REVIEWED = """import datetime, json, resource, sys, time
import pipeline, reports
from bench.reporting import AS_OF
def said(what, made):
    wall, used = time.perf_counter(), [resource.getrusage(who) for who in (0, -1)]
    size = len(made() or b"")
    now = [resource.getrusage(who) for who in (0, -1)]
    cpu = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(used, now))
    print(json.dumps([what, time.perf_counter() - wall, cpu, now[0].ru_maxrss / 1024, size]), flush=True)
made = []
with pipeline.open(sys.argv[1]) as log:
    said("model", lambda: made.append(reports.review(log, as_of=AS_OF)))
    said("HTML", lambda: made[0].html())
    said("PDF", lambda: made[0].pdf())
    said("log page", lambda: made[0].log.html())
    for name, content in (("review.pdf", made[0].pdf()), ("log.html", made[0].log.html())):
        open(sys.argv[2] + "/" + name, "wb").write(content)
"""
# A print of so many rows, as a process without a store: what its child took is the annex's own.
PRINTED = """import json, resource, sys, time
from bench.reporting import AS_OF, annexed, cells, table
from reports.pdf import press
kind, rows = sys.argv[1], int(sys.argv[2])
page, annex = (annexed(rows) if kind == "annex" else (table(rows), None))
began = time.perf_counter()
press(page, as_of=AS_OF, identifier=kind, annex=annex, seconds=3600, memory=16 * 1024**3)
seconds = time.perf_counter() - began
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024]))
"""


def cells(number: int) -> Iterator[tuple[str, ...]]:
    """Rows like those of the annex: time, source, who, what, about what, where."""
    return (
        (f"2026-10-{1 + n % 31:02d} 08:{n % 60:02d}:00", "printago", f"person{n % 60}@example.com", "printJob.update",
         f"print job k6v56pyt82039jh01sro{n:06d}", f"printago.jsonl:{n}")
        for n in range(number)
    )  # fmt: skip


def annexed(number: int) -> tuple[bytes, Any]:
    """An annex of so many rows behind a page."""
    from reports.html import css
    from reports.pdf import Annex
    from reports.selection import COLUMNS

    style = "".join(map(css, ("base.css", "print.css", "paper.css", "selection.css")))
    page = f'<html lang="en"><head><title>Annex</title><style>{style}</style></head><body><h1>Annex</h1></body></html>'
    return page.encode(), Annex(COLUMNS, cells(number), ("a", "b", "c"))


def table(number: int) -> bytes:
    """As anybody would mark up a table."""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in cells(number))
    page = f"<title>Table</title></head><body><table><tbody>{body}</tbody></table></body></html>"
    return f'<html lang="en"><head>{page}'.encode()


def main() -> None:
    table = ["| what | measured | beside | ratio |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        for row in rows(Path(os.environ.get("BENCH_STORE", name))):
            table.append(f"| {' | '.join(row)} |")
            print(table[-1], flush=True)
            write(PAGE, "reporting", [f"{machine()}. {SAID}", "", *table])


def rows(folder: Path) -> Iterator[Row]:
    """The review first, then what it consists of."""
    store = folder / "store"
    if not stores.exists(store):
        make_store(store)
    yield from review(store, folder)
    yield from page(folder / "log.html")
    yield from annex()


def make_store(store: Path) -> None:
    """A month with so many events of one shop, and the example company's month twice, in which much is found."""
    settings = config.read(ROOT / "sample_data" / "auditbook.toml")
    make(store, EVENTS, datetime(2026, 10, 1, tzinfo=UTC))
    for instance in ("first", "second"):
        loading.load([str(ROOT / "sample_data")], store=store, config=settings, instance=instance)
    detect.detect(store, config=settings)


def review(store: Path, folder: Path) -> Iterator[Row]:
    """Each part of a review beside what it may take."""
    told = [json.loads(line) for line in _said(REVIEWED, str(store), str(folder)).splitlines()]
    facts = subprocess.run(
        ["pdfinfo", str(folder / "review.pdf")], capture_output=True, text=True, check=True
    )
    pages = next(line.split()[1] for line in facts.stdout.splitlines() if line.startswith("Pages"))
    for what, wall, cpu, _, size in told:
        if what in LEAVE:
            name = {
                "model": f"model of a review of {EVENTS:,} events",
                "HTML": "its HTML",
                "PDF": f"its PDF of {pages} pages",
            }
            seconds = f"{wall:.2f} s ({cpu:.2f} s of CPU)"
            yield ratio(name[what], seconds, f"{LEAVE[what]:.0f} s at most", cpu / LEAVE[what])
        else:
            yield ratio(
                f"its log page of {min(EVENTS, 100_000):,} events",
                f"{size / 1e6:.1f} MB",
                f"{SIZE} MB at most",
                size / 1e6 / SIZE,
            )
    peak = max(one[3] for one in told)
    yield ratio("peak memory of that process", f"{peak:.0f} MB", f"{MEMORY} MB at most", peak / MEMORY)


def page(path: Path) -> Iterator[Row]:
    """How soon the log page answers in a browser, and how long a filter takes until the rows are drawn."""
    from tests.browsing import chromium

    with chromium() as browser:
        opened, filtered = [], {address: list[float]() for address in ADDRESSES}
        for _ in range(TURNS):
            tab = browser.new_page()
            began = time.perf_counter()
            tab.goto(path.as_uri())
            tab.wait_for_selector("body[data-ready]")
            opened.append(time.perf_counter() - began)
            for address, taken in filtered.items():
                taken.append(tab.evaluate(FILTERED, address))
            tab.close()
    yield ratio(
        "that page in Chromium until it can be used",
        f"{median(opened):.2f} s",
        f"{READY:.0f} s at most",
        median(opened) / READY,
    )
    slowest = max(map(median, filtered.values())) / 1000
    yield ratio("the slowest filter of it", f"{slowest:.2f} s", f"{FILTER} s at most", slowest / FILTER)


ADDRESSES = (
    "action=delete",
    "text=slot%203%20of%20printer%2017",
    "actor=person7@example.com",
    "ip=198.51.100.0/24",
    "",
)
FILTERED = """address => new Promise(done => {
  const began = performance.now();
  const drawn = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
  addEventListener("hashchange", drawn, {once: true});
  location.hash = address;
})"""


def annex() -> Iterator[Row]:
    """The annex and the table in turns, then the annex of other lengths."""
    ours, theirs = in_turns(lambda _: _printed("annex", ROWS), lambda _: _printed("table", ROWS // FEWER))
    told = f"{ROWS / FEWER / theirs[2]:,.0f} rows/s of CPU, a plain table of {ROWS // FEWER:,}"
    yield ratio(
        f"annex of {ROWS:,} rows", f"{ROWS / ours[2]:,.0f} rows/s of CPU", told, FEWER * theirs[2] / ours[2]
    )
    few, *more = (ROWS // 4, ROWS, ROWS * 3)
    _, least = json.loads(_said(PRINTED, "annex", str(few)))
    for number in more:
        _, peak = json.loads(_said(PRINTED, "annex", str(number)))
        yield ratio(
            f"memory of printing {number:,} rows",
            f"{peak:.0f} MB",
            f"{least:.0f} MB, {few:,} rows",
            peak / least,
        )


def _printed(kind: str, number: int) -> list[str]:
    return [sys.executable, "-c", PRINTED, kind, str(number)]


def _said(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
