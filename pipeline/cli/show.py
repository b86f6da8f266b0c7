"""show: one entry of the log in full."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options, output

if TYPE_CHECKING:
    from pipeline.query import Log


@click.command()
@click.argument("event", metavar="EVENT")
@options.several(options.store, options.config, options.as_json)
def show(event: str, store: Path, config: Path | None, as_json: bool) -> None:
    """One event in full.

    Who, what, from where, what changed, the other entries of its correlation, and the raw line with its place.
    EVENT is an event's uid, the beginning of it, or the source's own id.

    \b
    Example:
      auditbook show 51c0a7b2
    """
    from pipeline.export import canonical

    with options.open_log(store, config) as log:
        row = canonical(log.event(event))
        related = _correlated(log, row)
    if as_json:
        output.document({**row, "correlated": related})
    else:
        _in_full(row, related)


def _correlated(log: Log, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    from pipeline.export import rows_as_json

    if row["correlation_id"] is None:
        return []
    query = """SELECT event_uid, occurred_at, action_detail, entity_type, entity_id, outcome FROM events
      WHERE correlation_id = ? AND source = ? AND event_uid <> ? ORDER BY occurred_at, file, line"""
    return list(rows_as_json(log.sql(query, [row["correlation_id"], row["source"], row["event_uid"]])))


NESTED = ("changes", "communications", "related_entities", "metadata", "unmapped", "raw", "error_stack")


def _in_full(row: Mapping[str, Any], related: list[dict[str, Any]]) -> None:
    output.record((name, value) for name, value in row.items() if name not in NESTED)
    for change in row["changes"]:
        output.heading(f"changed {change['field']}")
        for side in ("old", "new"):
            print(f"  {side}  {output.cell(change[side]) if side in change else '(not given)'}")
    for name in ("communications", "related_entities"):
        for item in row[name]:
            output.heading(name.replace("_", " "))
            output.record(item.items())
    for name in ("metadata", "unmapped"):
        if row[name]:
            output.heading(name)
            output.record(row[name].items() if isinstance(row[name], dict) else [("value", row[name])])
    if related:
        output.heading(
            f"{output.count(len(related), 'other entry', 'other entries')} with the same correlation id"
        )
        output.table(tuple(related[0]), related, keys=("event_uid",))
    output.heading(f"raw line: {row['file']}, line {row['line']}, byte {row['byte_offset']}")
    print(output.inert(row["raw"] or ""))
