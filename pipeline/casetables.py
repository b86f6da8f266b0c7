"""A case's events and configuration -> the tables of a store, in memory. Part of cases.

Events are written short: `at`, `repeat` and `every` for many, `ids` for a list of so many, plain values in changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from pipeline import activity, catalog, config, declared, geography, places, views
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import AuditbookError
from pipeline.hours import suggestion

MADE = {"event_uid", "occurred_at", "ip_key"}  # of what the case says
EVENT_KEYS = set(EVENT_COLUMNS) - MADE | {"at", "label", "repeat", "every", "ids"}
FREE = {"at", "label", "repeat", "every", "ids", "changes", *views.JSON_COLUMNS}  # told in ways of their own
REJECT_COLUMNS = {
    "file": "VARCHAR", "line": "BIGINT", "byte_offset": "BIGINT", "reason": "VARCHAR", "message": "VARCHAR",
    "text": "VARCHAR", "file_sha256": "VARCHAR",
}  # fmt: skip
EXAMPLE = "2026-03-02T23:10:00Z"
STEPS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
Table = Mapping[str, Any]


def build(connection: duckdb.DuckDBPyConnection, case: Table) -> None:
    """The tables of a store, in memory, from a case's events and configuration."""
    connection.execute("SET TimeZone = 'UTC'")
    columns = ", ".join(f'"{name}" {kind}' for name, kind in EVENT_COLUMNS.items())
    connection.execute(f"CREATE TABLE kept ({columns})")
    schema = connection.sql("SELECT * FROM kept").to_arrow_table().schema
    connection.register("made", pa.Table.from_pylist(list(_events(case, schema)), schema=schema))
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


def _rows(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Table]) -> None:
    """Rows of a case into a table that is there."""
    schema = connection.sql(f"SELECT * FROM {table}").to_arrow_table().schema
    for number, row in enumerate(rows):
        _check_row(f"{table}.{number}", row, schema, set(schema.names))
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _check_row(place: str, row: Table, schema: pa.Schema, known: Set[str]) -> None:
    """Its columns are there, and what they say is of their types."""
    if unknown := sorted(set(row) - known):
        raise AuditbookError(
            f"{place}: {unknown[0]} is not a column.", hint=suggestion(unknown[0], sorted(known))
        )
    if not row:
        raise AuditbookError(f"{place}: it is empty.", hint="Give it a value or remove it.")
    for name, value in row.items():
        if name not in FREE and value != "" and not _fits(value, schema.field(name).type):
            shown = json.dumps(value, ensure_ascii=False)
            hint = f"Expected {_wanted(schema.field(name).type)}."
            raise AuditbookError(f"{place}.{name}: {shown} is not what is expected.", hint=hint)
        if name in VOCABULARIES and value not in ("", *VOCABULARIES[name]):
            hint = f"Known are: {', '.join(VOCABULARIES[name])}."
            raise AuditbookError(f'{place}.{name}: "{value}" is none of its values.', hint=hint)


def _fits(value: Any, kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return isinstance(value, list) and all(_fits(one, kind.value_type) for one in value)
    if pa.types.is_struct(kind):
        parts = {kind.field(n).name: kind.field(n).type for n in range(kind.num_fields)}
        return isinstance(value, dict) and all(
            name in parts and _fits(one, parts[name]) for name, one in value.items()
        )
    if pa.types.is_timestamp(kind):
        return isinstance(value, str) and time(value).tzinfo is not None
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return isinstance(value, bool) and pa.types.is_boolean(kind)
    if isinstance(value, str) or pa.types.is_string(kind):
        return isinstance(value, str) and pa.types.is_string(kind)
    number = isinstance(value, int) or (isinstance(value, float) and pa.types.is_floating(kind))
    return number and -(2**63) <= value < 2**63


def _wanted(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"a list; of each, {_wanted(kind.value_type)}"
    if pa.types.is_struct(kind):
        return f"a table of {', '.join(kind.field(n).name for n in range(kind.num_fields))}"
    if pa.types.is_boolean(kind):
        return "true or false"
    return "a text in quotes" if pa.types.is_string(kind) else "a number"


def _written(case: Table) -> list[tuple[str, dict[str, Any]]]:
    """The events as the case has them, each with its place: those of its groups, then its own, with the defaults."""
    groups = [(f"groups.{name}", case["groups"][name]) for name in case.get("use", [])]
    return [
        (f"{place}.{number}", {**case["defaults"], **event})
        for place, events in [*groups, ("events", case.get("events", []))]
        for number, event in enumerate(events)
    ]


def _events(case: Table, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    for number, (place, told) in enumerate(_written(case), start=1):
        _check_row(place, told, schema, EVENT_KEYS)
        if "at" not in told:
            raise AuditbookError(f"{place}.at is missing.", hint=f"Write at = {EXAMPLE}.")
        try:
            start, step = time(told["at"]), _step(told.get("every", "1m"))
            for n, uid in enumerate(_uids(number, told)):
                yield _event(told, uid, start + n * step, number)
        except AuditbookError as error:
            raise AuditbookError(f"{place}: {error.message}", hint=error.hint) from error
        except OverflowError as error:
            raise AuditbookError(
                f"{place}: it reaches beyond the year 9999.", hint="Repeat it less."
            ) from error


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
    event["communications"] = [_message(one) for one in told.get("communications", [])]
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


def _message(told: Table) -> dict[str, Any]:
    return {**told, "sent_at": time(told["sent_at"]) if "sent_at" in told else None}


def labels(case: Table) -> dict[str, list[str]]:
    """The uids of the events of each label."""
    found: dict[str, list[str]] = {}
    for number, (_, told) in enumerate(_written(case), start=1):
        found.setdefault(told.get("label", f"event-{number}"), []).extend(_uids(number, told))
    return found


def _uids(number: int, told: Table) -> list[str]:
    label = told.get("label", f"event-{number}")
    if "repeat" not in told:
        return [label]
    return [f"{label}-{n:04}" for n in range(1, told["repeat"] + 1)]


def time(text: str) -> datetime:
    """An instant; the zone is never guessed."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise AuditbookError(f'"{text}" is not a time.', hint=f"Write {EXAMPLE}.") from error
    if not 1 < moment.year < 9999:
        raise AuditbookError(f'"{text}" is too far away.', hint=f"Write {EXAMPLE}.")
    if moment.tzinfo is None:
        raise AuditbookError(f'"{text}" has no zone.', hint=f"Write {EXAMPLE} or 2026-03-02T18:10:00-05:00.")
    return moment.astimezone(UTC)


def _step(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise AuditbookError(f'every = "{text}" is not a step.', hint="Write 30s, 15m, 2h or 1d.")
    return timedelta(seconds=int(found.group(1)) * STEPS[found.group(2)])
