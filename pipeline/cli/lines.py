"""rejects and ledger: what became of every line."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options, output

COUNTS = ("read", "events", "duplicates", "rejects", "blank")
TEXT_SHOWN = 80


@click.command()
@options.several(options.limit, options.shape, options.store)
def rejects(limit: int | None, shape: str, store: Path) -> None:
    """Lines that did not load, and why.

    \b
    Example:
      auditbook rejects --format jsonl
    """
    with options.open_log(store, None) as log:
        found = log.rejects().limit(limit)
        output.rows(
            found, shape, ("file", "line", "byte_offset", "reason", "message", "text"), keys=("file",)
        )
        if shape == "table":
            print(f"\n{output.count(found.count(), 'reject')}")


@click.command()
@options.several(options.shape, options.store)
def ledger(shape: str, store: Path) -> None:
    """Files and the fates of their lines, and the sum.

    read = events + duplicates + rejects + blank, always.

    \b
    Example:
      auditbook ledger --format csv
    """
    from pipeline.export import rows_as_json

    with options.open_log(store, None) as log:
        found = list(rows_as_json(log.ledger()))
    if shape != "table":
        output.structured(found, shape)
        return
    files = [{**row, "sha256": row["sha256"][:12]} for row in found]
    output.table(("file", "sha256", "source", *COUNTS), files, keys=("file", *COUNTS))
    total = {name: sum(row[name] for row in found) for name in COUNTS}
    equal = "=" if total["read"] == sum(total[name] for name in COUNTS[1:]) else "is NOT"
    parts = " + ".join(f"{total[name]:,} {name}" for name in COUNTS[1:])
    print(f"\n{output.count(len(found), 'file')}: {total['read']:,} lines read {equal} {parts}")
