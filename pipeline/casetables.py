"""A case's events and configuration -> the tables of a store, in memory. Part of cases.

Events are written short: `at`, `repeat` and `every` for many, `ids` for a list of so many, plain values in changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from pipeline import activity, catalog, config, declared, geography, places, views
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import AuditbookError

EVENT_KEYS = set(EVENT_COLUMNS) | {"at", "label", "repeat", "every", "ids"}
REJECT_COLUMNS = {
    "file": "VARCHAR", "line": "BIGINT", "byte_offset": "BIGINT", "reason": "VARCHAR", "message": "VARCHAR",
    "text": "VARCHAR", "file_sha256": "VARCHAR",
}  # fmt: skip
STEPS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Table = Mapping[str, Any]


def build(connection: duckdb.DuckDBPyConnection, case: Table) -> None:
    """The tables of a store, in memory, from a case's events and configuration."""
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in EVENT_COLUMNS.items())
    connection.execute(f"CREATE TABLE kept ({columns})")
    schema = connection.sql("SELECT * FROM kept").to_arrow_table().schema
    connection.register("made", pa.Table.from_pylist(list(_events(case)), schema=schema))
    connection.execute("INSERT INTO kept SELECT * FROM made")
    connection.execute(f"CREATE VIEW events AS {views.events_of('kept')}")
    for name in ("event_changes", "event_entities", "event_messages", "correlation_groups", "job_runs"):
        connection.execute(f"CREATE VIEW {name} AS {views.DERIVED[name]}")
    settings = config.from_dict(case.get("config", {}))
    past = activity.at_once()
    catalog.people(connection, settings, past["sightings"])
    times = "(SELECT occurred_at AS first_at, occurred_at AS last_at FROM events)"
    catalog.slots(connection, settings, catalog.years(connection, times))
    for name, sql in activity.tables(past).items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    declared.tables(connection, settings)
    _rejects(connection, case)
    geography.table(connection, settings.places)
    _rows(connection, "geography", case.get("geography", []))
    connection.execute(
        "CREATE VIEW files AS SELECT file, file_sha256 AS sha256, source, count(*) AS events FROM kept GROUP BY ALL"
    )


def _rejects(connection: duckdb.DuckDBPyConnection, case: Table) -> None:
    """The lines of a case that did not become events, as the view of a store has them."""
    columns = ", ".join(f"{name} {kind}" for name, kind in REJECT_COLUMNS.items())
    connection.execute(f"CREATE TABLE rejects ({columns})")
    _rows(connection, "rejects", [{"file": "case", **told} for told in case.get("rejects", [])])


def _rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Table]) -> None:
    """Rows of a case into a table that is there."""
    for row in rows:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _written(case: Table) -> list[dict[str, Any]]:
    """The events as the case has them: those of its groups, then its own, each with the defaults."""
    groups = [event for name in case.get("use", []) for event in case["groups"][name]]
    return [{**case["defaults"], **event} for event in [*groups, *case.get("events", [])]]


def _events(case: Table) -> Iterator[dict[str, Any]]:
    for number, told in enumerate(_written(case), start=1):
        if unknown := sorted(set(told) - EVENT_KEYS):
            raise AuditbookError(f'case "{case["name"]}": {unknown[0]} is not a column of events.')
        start, step = time(told["at"]), _step(told.get("every", "1m"))
        for n, uid in enumerate(_uids(number, told)):
            yield _event(told, uid, start + n * step, number)


def _event(told: Table, uid: str, moment: datetime, line: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        name: [] if kind.endswith("[]") else None for name, kind in EVENT_COLUMNS.items()
    }
    event |= {
        "actor_type": "user",
        "actor_anonymous": False,
        "is_bulk": False,
        "outcome": "unknown",
        "file": "case",
    }
    event |= {name: None if value == "" else value for name, value in told.items() if name in EVENT_COLUMNS}
    if "ids" in told:
        event["entity_ids"] = [f"id-{n}" for n in range(1, told["ids"] + 1)]
    event["changes"] = [_change(one) for one in told.get("changes", [])]
    for name in views.JSON_COLUMNS:
        event[name] = json.dumps(told[name]) if name in told else None
    address = places.parse(told["source_ip"]) if told.get("source_ip") else None
    event["ip_key"] = places.sort_key(address) if address else None
    return {**event, "event_uid": uid, "occurred_at": moment, "line": told.get("line", line)}


def _change(told: Table) -> dict[str, Any]:
    """A change whose old and new are plain values here and JSON text in the event; a side left out was absent."""
    sides = {side: json.dumps(told[side]) if side in told else None for side in ("old", "new")}
    present = {f"{side}_present": side in told for side in ("old", "new")}
    return {"field": told["field"], **sides, **present, "redacted": told.get("redacted", False)}


def labels(case: Table) -> dict[str, list[str]]:
    """The uids of the events of each label."""
    found: dict[str, list[str]] = {}
    for number, told in enumerate(_written(case), start=1):
        found.setdefault(told.get("label", f"event-{number}"), []).extend(_uids(number, told))
    return found


def _uids(number: int, told: Table) -> list[str]:
    label = told.get("label", f"event-{number}")
    if "repeat" not in told:
        return [label]
    return [f"{label}-{n:04}" for n in range(1, told["repeat"] + 1)]


def time(text: str) -> datetime:
    """An instant; the zone is never guessed."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise AuditbookError(
            f'"{text}" has no zone.', hint="Write 2026-03-02T23:10:00Z or 2026-03-02T18:10:00-05:00."
        )
    return moment.astimezone(UTC)


def _step(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise AuditbookError(f'every = "{text}" is not a step.', hint="Write 30s, 15m, 2h or 1d.")
    return timedelta(seconds=int(found.group(1)) * STEPS[found.group(2)])
