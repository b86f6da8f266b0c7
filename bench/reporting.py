"""The evidence annex beside a plain table of the same columns, in turns: python -m bench.reporting (BENCH_ROWS=n).

Both are printed by the same child process with the same fonts; what differs is how the rows are marked up.
"""

from __future__ import annotations

import os
import resource
import time
from datetime import UTC, datetime
from html import escape

from reports.html import css
from reports.pdf import press

ROWS = int(os.environ.get("BENCH_ROWS", "20000"))
TURNS = int(os.environ.get("BENCH_TURNS", "3"))
AS_OF = datetime(2026, 11, 1, tzinfo=UTC)


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
