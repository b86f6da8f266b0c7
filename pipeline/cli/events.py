"""events and values: the log as a table or as data, and what values its columns have."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cli import filters as filtering
from pipeline.cli import options, output

if TYPE_CHECKING:
    from pipeline.query import Log
    from pipeline.rows import Rows

DEFAULT_LIMIT = 50
COLUMNS = ("source", "actor", "action", "detail", "entity", "changes", "from", "outcome")
# What a table gives up first where the terminal has no room.
SPARE = ("from", "changes", "source", "status", "entity_type", "detail", "outcome", "type", "ago")


@click.command()
@filtering.filters
@click.option("--columns", metavar="A,B,…", help="Only these columns, in this order.")
@options.several(options.limit, options.shape_of("ocsf"), options.store, options.config)
def events(
    shape: str, limit: int | None, columns: str | None, store: Path, config: Path | None, **filters: object
) -> None:
    """The log, newest first. Filters: AND across, OR within one that is repeated.

    A table shows 50 entries unless --limit says otherwise; csv, json, jsonl and ocsf have all. ocsf is one OCSF 1.8
    record a line, for other security tools. With --source of one product the table is as that product's own page has
    it: its columns, its window, what it hides; what is hidden is counted, and how to see it is said.

    \b
    Examples:
      auditbook events --since 7d --action delete
      auditbook events --actor ana@example.com --actor "Ana Ruiz" --entity print_job
      auditbook events --preset investigate --since 24h --sort source
      auditbook events --source hoops --format csv > hoops.csv
      auditbook events --since 24h --format ocsf > night.ocsf.jsonl
    """
    asked = filtering.given(filters)
    most = limit if limit is not None else asked.pop("limit", DEFAULT_LIMIT if shape == "table" else 0)
    with options.open_log(store, config) as log:
        found = log.events(**asked, profile=True)
        limited = found.limit(most if limit is not None or not found.most else found.most)
        if columns:
            limited = limited.select(*(name.strip() for name in columns.split(",")))
        if shape != "table":
            output.stream(limited, shape)
            notices(found, sys.stderr)
        elif columns:
            output.rows(limited, shape, limited.columns)
            notices(found)
        else:
            _table(log, found, limited)


def notices(found: Rows, stream: Any = None) -> None:
    """What relative times meant and what defaults leave out."""
    question = found.question
    told = [*question.said, *found.notices()] if question else []
    if question and question.relative and question.now:
        from pipeline.moments import instant

        told.append(f"as of {instant(question.now)}")
    for line in told:
        print(output.inert(line), file=stream or sys.stdout)


def _table(log: Log, found: Rows, limited: Rows) -> None:
    from pipeline.entry import operations
    from pipeline.export import rows_as_json

    assert found.question is not None
    view, now = found.question.view, found.question.now if found.question.relative else None
    entries = list(rows_as_json(limited))
    together = operations(log, entries)
    shown = [_line(row, n, view.columns, now) for row, n in zip(entries, together, strict=True)]
    names = view.columns or (*(("ago",) if now else ()), *COLUMNS)
    uid = "uid" if "event" in names else "event"
    output.table(("time_utc", *names, uid), shown, keys=(uid, "time_utc"), spare=SPARE)
    matching = found.count()
    hidden = matching - len(shown)
    more = f"; {hidden:,} more with --limit 0" if hidden else ""
    print(f"\n{len(shown):,} of {output.count(matching, 'event')}{more}")
    if not matching and found.question.relative:
        _say_newest(log)
    if any(n > 1 for n in together):
        print("(2): one of two entries of one operation, and so on; `auditbook show` has all of it")
    notices(found)


def _say_newest(log: Log) -> None:
    """Why a time that counts from now finds nothing in a log that ends before it."""
    from pipeline.moments import instant

    [(newest,)] = log.con.execute("SELECT max(occurred_at) FROM events").fetchall()
    if newest:
        print(f"the newest entry of the log is of {instant(newest)}; --as-of counts from there")


def _line(
    row: Mapping[str, Any], together: int, columns: tuple[str, ...], now: datetime | None
) -> dict[str, Any]:
    bulk = f" (+{len(row['entity_ids'])})" if row["entity_ids"] else ""
    uid = f"{row['event_uid'][:12]}{f' ({together})' if together > 1 else ''}"
    told = {
        "time_utc": row["occurred_at"],
        "source": row["source"],
        "type": row["event_type_raw"],
        "actor": actor(row),
        "action": row["action"],
        "detail": row["action_detail"],
        "entity": entity(row) + bulk,
        "entity_type": row["entity_type"],
        "entity_id": f"{row['entity_id'] or ''}{bulk}".strip(),
        "changes": changes(row),
        "from": row["source_ip"],
        "outcome": row["outcome"],
        "status": row["status_raw"] or row["outcome"],
        "message": row["message"],
        "event": uid,
        "uid": uid,
    }
    if now is not None:
        from pipeline.moments import ago

        told["ago"] = ago(datetime.fromisoformat(row["occurred_at"]), now)
    if "event" in columns:
        told["event"] = " · ".join(part for part in (row["action_detail"], row["entity_name"]) if part)
    return told


def actor(row: Mapping[str, Any]) -> str:
    """Who it was, in the fewest words; who acted as somebody else is said first."""
    if row["actor_anonymous"]:
        return "Anonymous"
    who = str(row["actor_email"] or row["actor_name"] or row["actor_id"] or row["actor_type"])
    other = row.get("impersonator_email") or row.get("impersonator_name") or row.get("impersonator_id")
    return f"{other} as {who}" if other else who


def entity(row: Mapping[str, Any]) -> str:
    """What it was about, as `--entity` takes it."""
    return ":".join(part for part in (row["entity_type"], row["entity_id"]) if part)


def changes(row: Mapping[str, Any]) -> str:
    """What changed, in one line."""
    return ", ".join(_change(one) for one in row["changes"])


def _change(one: Mapping[str, Any]) -> str:
    if one["redacted"]:
        return f"{one['field']} [REDACTED]"
    old, new = (output.cell(one[side]) or "–" if side in one else None for side in ("old", "new"))
    if old is None or new is None:
        return f"{one['field']} {'+' if old is None else '−'}{old or new or ''}"
    return f"{one['field']} {old} → {new}"


@click.command()
@click.argument("column", metavar="COLUMN", shell_complete=filtering.suggests("column"))
@filtering.filters
@click.option("--like", metavar="TEXT", help="Only values with this in them, in any case.")
@options.several(options.limit, options.shape, options.store, options.config)
def values(
    column: str,
    like: str | None,
    shape: str,
    limit: int | None,
    store: Path,
    config: Path | None,
    **filters: object,
) -> None:
    """The values of a column, most frequent first, with how many entries have each, since when and until when.

    COLUMN is a column of `events`, or what a filter is called: actor, type, detail, entity, ip, correlation.

    \b
    Examples:
      auditbook values detail --source printago
      auditbook values actor --since 7d
      auditbook values field --like token
    """
    with options.open_log(store, config) as log:
        found = log.values(column, like=like, **filtering.given(filters), profile=False)
        most = DEFAULT_LIMIT if limit is None and shape == "table" else limit
        output.rows(found.limit(most), shape, ("value", "n", "first_seen", "last_seen"), keys=("n",))
        if shape == "table":
            total = found.count()
            more = f"; {total - most:,} more with --limit 0" if most and total > most else ""
            print(f"\n{output.count(total, 'value')}{more}")
