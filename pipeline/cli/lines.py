"""rejects and ledger: what became of every line."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli import options, output

COUNTS = ("read", "events", "duplicates", "rejects", "blank")
TEXT_SHOWN = 80


@click.command()
@click.option("--all", "resolved", is_flag=True, help="Also those that a later load has repaired.")
@options.several(options.limit, options.shape, options.store)
def rejects(resolved: bool, limit: int | None, shape: str, store: Path) -> None:
    """Lines that did not load, and why.

    A line is resolved, and not listed any more, when a later file of the same name loads it in its place, or when
    `auditbook remap` could read it.

    \b
    Examples:
      auditbook rejects --format jsonl
      auditbook rejects --all
    """
    columns = ("file", "line", "byte_offset", "reason", "message", "text")
    with options.open_log(store, None) as log:
        every = log.rejects(resolved=resolved)
        found = every.limit(limit)
        output.rows(found, shape, (*columns, "resolved_by") if resolved else columns, keys=("file",))
        if shape == "table":
            shown, total = found.count(), every.count()
            hidden = 0 if resolved else log.rejects(resolved=True).count() - total
            of = f"{shown:,} of {output.count(total, 'reject')}; {total - shown:,} more with --limit 0"
            notice = f"; {hidden:,} more resolved by later loads (--all shows them)" if hidden else ""
            print(f"\n{of if shown < total else output.count(total, 'reject')}{notice}")


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
        purged, by = log.con.execute(_PURGED).fetchall()[0]
    if shape != "table":
        output.structured(found, shape)
        return
    files = [{**row, "sha256": row["sha256"][:12]} for row in found]
    output.table(("file", "sha256", "source", *COUNTS), files, keys=("file", *COUNTS))
    total = {name: sum(row[name] for row in found) for name in COUNTS}
    equal = "=" if total["read"] == sum(total[name] for name in COUNTS[1:]) else "is NOT"
    parts = " + ".join(f"{total[name]:,} {name}" for name in COUNTS[1:])
    print(f"\n{output.count(len(found), 'file')}: {total['read']:,} lines read {equal} {parts}")
    if purged:
        print(
            f"{output.count(purged, 'line')} of them purged or erased since ({by}); the sum is of what was loaded"
        )


# Lines are looked through only where something was purged.
_PURGED = """SELECT CASE WHEN count(*) > 0 THEN (SELECT count(*) FROM stored_lines WHERE fate = 'purged') END,
    'commit ' || string_agg(DISTINCT commit_no::VARCHAR, ', ' ORDER BY commit_no::VARCHAR) FROM tombstones"""
