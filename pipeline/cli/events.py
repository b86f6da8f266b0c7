"""events and show: the log, and one entry of it in full."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import options, output

if TYPE_CHECKING:
    from pipeline.query import Log

DEFAULT_LIMIT = 50
COLUMNS = ("time_utc", "source", "actor", "action", "detail", "entity", "outcome", "event")


@click.command()
@click.option("--source", multiple=True, metavar="ID", help="Of this product.")
@click.option("--actor", multiple=True, metavar="WHO", help="By this person: id, name or email.")
@click.option("--action", multiple=True, metavar="VERB", help="create, update, delete, …")
@click.option("--entity", multiple=True, metavar="TYPE[:ID]", help="About this thing; bulk ids count.")
@click.option("--since", metavar="TIME", help="Not before (2026-10-01, 2026-10-01T08:00, 24h, 7d).")
@click.option("--until", metavar="TIME", help="Not after; a bare date includes that day.")
@options.several(options.limit, options.shape_of("ocsf"), options.store, options.config)
def events(shape: str, limit: int | None, store: Path, config: Path | None, **filters: object) -> None:
    """The log, newest first. Filters: AND across, OR within one that is repeated.

    A table shows 50 entries unless --limit says otherwise; csv, json, jsonl and ocsf have all. ocsf is one OCSF 1.8
    record a line, for other security tools.

    \b
    Examples:
      auditbook events --since 7d --action delete
      auditbook events --actor ana@example.com --actor "Ana Ruiz" --entity print_job
      auditbook events --source hoops --format csv > hoops.csv
      auditbook events --since 24h --format ocsf > night.ocsf.jsonl
    """
    most = limit if limit is not None else DEFAULT_LIMIT if shape == "table" else 0
    given = {name: list(value) if isinstance(value, tuple) else value for name, value in filters.items()}
    with options.open_log(store, config) as log:
        found = log.events(**given)
        if shape == "table":
            _table(found, most)
        else:
            output.stream(found.limit(most), shape)


def _table(found: Any, most: int) -> None:
    from pipeline.export import rows_as_json

    shown = [_line(row) for row in rows_as_json(found.limit(most))]
    output.table(COLUMNS, shown, keys=("event", "time_utc"))
    matching = found.count()
    hidden = matching - len(shown)
    more = f"; {hidden:,} more with --limit 0" if hidden else ""
    print(f"\n{len(shown):,} of {output.count(matching, 'event')}{more}")


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    entity = ":".join(part for part in (row["entity_type"], row["entity_id"]) if part)
    bulk = f" (+{len(row['entity_ids'])})" if row["entity_ids"] else ""
    return {
        "time_utc": row["occurred_at"],
        "source": row["source"],
        "actor": actor(row),
        "action": row["action"],
        "detail": row["action_detail"],
        "entity": entity + bulk,
        "outcome": row["outcome"],
        "event": row["event_uid"][:12],
    }


def actor(row: Mapping[str, Any]) -> str:
    """Who it was, in the fewest words."""
    if row["actor_anonymous"]:
        return "Anonymous"
    return str(row["actor_email"] or row["actor_name"] or row["actor_id"] or row["actor_type"])


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
