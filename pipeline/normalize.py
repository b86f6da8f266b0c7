"""Judged records + a mapping -> events, in columns. Knows no store: a block of records in, a table of events out.

A mapping is compiled once to the paths that it reads and to SQL over what stands there; `distinct` makes the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import changes, compiled, drift, extract, nested, times, uids
from pipeline.columns import EVENT_COLUMNS
from pipeline.distinct import Values, put, whole
from pipeline.expressions import Expressions, column_name
from pipeline.leftover import leftover
from pipeline.mapping import Mapping
from pipeline.mapping_check import referred
from pipeline.modifiers import quote
from pipeline.paths import segments
from pipeline.places import read_addresses
from pipeline.records import KEYS_SQL, spelled_sql, unwrapped_sql

SCHEMA_VERSION = "1"
LIST_COLUMNS = [name for name, kind in EVENT_COLUMNS.items() if kind == "VARCHAR[]"]
# What the load knows and normalization does not.
OF_THE_LOAD = ("file", "file_sha256", "line", "conflicts_with")


@dataclass(frozen=True)
class Settings:
    """What a load adds to a mapping: the tenant (one that was typed, or one where records name none), zone and day
    order of local times."""

    instance: str | None = None
    otherwise: str | None = None
    timezone: str = "UTC"
    timezone_configured: bool = False
    day_first: bool | None = None
    redact: bool = False


@dataclass(frozen=True)
class Plan:
    """One compiled mapping. `opened` are the records inside what was exported, as SQL over `block`, if they stand in
    one of `envelopes`, of which these are the keys; `places` say what is read of it; `keys`, if any, are spelled as the
    mapping has them; `watched` are extra values -> the column they watch."""

    mapping: Mapping
    values: Values
    outputs: tuple[str, ...]
    clock: times.Clock
    opened: str | None
    envelopes: tuple[tuple[str, ...], ...]
    places: extract.Places
    read: tuple[str, ...]
    keys: frozenset[str]
    watched: Dictionary[str, str]

    @property
    def members(self) -> compiled.Wanted:
        """What the compiled judge is asked for; nothing when it may be in an envelope or spelled otherwise."""
        return {} if self.keys or self.opened else self.places.wanted


def compile_mapping(mapping: Mapping, settings: Settings) -> Plan:
    """What makes events of a mapping's records, in the order of EVENT_COLUMNS."""
    rules, record = mapping.rules, mapping.rules.get("record", {})
    build = Expressions(rules["columns"])
    clock = times.columns(
        build, rules["time"], settings.timezone, settings.timezone_configured, settings.day_first
    )
    levels = referred(rules)
    made = _made(build, mapping, settings, {name for level in levels for name in level})
    layers = {column_name(name): build.text(rules["columns"][name]) for level in levels for name in level}
    watched = drift.columns(build, rules["columns"])
    once = {f"once_{n}": str(sql) for n, sql in enumerate(build.made_once, 1)}
    tests = {f"test_{n}": sql for n, sql in enumerate(build.tests, 1)}
    parts = {f"part_{n}": sql for n, sql in enumerate(build.parts, 1)}
    named = {**_defaults(), **{name: sql for name, sql in made.items() if sql != "NULL"}}
    outputs = [
        name
        for name in EVENT_COLUMNS
        if name not in (*OF_THE_LOAD, *clock.columns, "event_uid", "unmapped", "ip_key")
    ]
    sql = {
        **once, **tests, **parts, **layers,
        **{f"{name}__": f"({named[name]})::{EVENT_COLUMNS[name]}" for name in outputs},
        **{name: text for name, (_, text) in watched.items()},
    }  # fmt: skip
    secret = [*record.get("secret", []), *record.get("ignore", [])]
    read = (*build.paths, *secret)
    places = extract.places(build.texts, build.jsons, build.exact)
    unwrap = record.get("unwrap", [])
    return Plan(
        mapping=mapping,
        values=Values.of(
            {**places.values, **sql, "raw_time": clock.raw}, places.columns, tests, layers, once, parts
        ),
        outputs=tuple(outputs),
        clock=clock,
        opened=unwrapped_sql("block", unwrap) if unwrap else None,
        envelopes=tuple(tuple(segments(place)) for place in unwrap),
        places=places,
        read=read,
        keys=frozenset(build.keys) if record.get("fold_keys") else frozenset(),
        watched={name: column for name, (column, _) in watched.items()},
    )


def _made(build: Expressions, mapping: Mapping, settings: Settings, shared: Set[str]) -> dict[str, str]:
    """The SQL of each column that the mapping fills; a `shared` one is made before, for others use it too."""
    rules = mapping.rules
    record = rules.get("record", {})
    return {
        "source": quote(mapping.source),
        "instance": _instance(build, rules, settings),
        "source_event_id": build.text(record["id"]) if "id" in record else "NULL",
        **{
            name: _column(build, name, {"column": name} if name in shared else expression)
            for name, expression in rules["columns"].items()
            if name != "instance"
        },
        "changes": changes.column(build, rules.get("changes", [])),
        "related_entities": nested.related(build, rules.get("related", [])),
        "communications": nested.messages(build, rules.get("messages", [])),
        "classes": nested.classes(build, rules.get("classes", {})),
        "mapping_version": quote(mapping.version),
        "schema_version": quote(SCHEMA_VERSION),
    }


@dataclass(frozen=True)
class Normalized:
    """Events as columns, with why a record is none (`reject_reason`, `reject_message`); texts no map had a word for."""

    events: pa.Table
    watched: Dictionary[str, pa.Array]
    watched_columns: Dictionary[str, str]


def events(
    connection: duckdb.DuckDBPyConnection, plan: Plan, records: pa.Array, keys: Iterable[str] | None = None,
    members: Dictionary[str, pa.Array] = MappingProxyType({}),
) -> Normalized:  # fmt: skip
    """An event for each record (the JSON text of an object); `keys`, when known, are all that they have at the top, and
    `members` are those of `plan.members` that were taken out of them already."""
    if plan.opened and (keys is None or any(way[0] in keys for way in plan.envelopes)):
        found = compiled.opened(records, plan.envelopes)
        records = _remade(connection, plan.opened, records) if found is None else found
        keys = None
    if plan.keys:
        found = compiled.spelled(records, plan.keys)
        records = _spelled(connection, plan, records) if found is None else found
        keys = None
    if plan.keys or plan.opened:
        seen = compiled.of_records(records, plan.places.wanted)
        keys, members = (seen.keys, seen.members) if seen is not None else (keys, {})
    rows = extract.rows(connection, plan.places, records, members)
    made = rows.make(plan.values, [f"{name}__" for name in plan.outputs] + ["raw_time", *plan.watched])
    columns = {name: made[f"{name}__"] for name in plan.outputs}
    columns["event_uid"] = uids.of(
        connection, plan.mapping.source, columns["instance"], columns["source_event_id"]
    )
    columns |= times.read(connection, plan.clock, made["raw_time"], records)
    columns |= _addresses(columns)
    columns["unmapped"] = leftover(connection, plan.read, keys, records)
    columns = {
        name: columns[name] for name in (*EVENT_COLUMNS, "reject_reason", "reject_message") if name in columns
    }
    return Normalized(pa.table(columns), {name: made[name] for name in plan.watched}, plan.watched)


def _spelled(connection: duckdb.DuckDBPyConnection, plan: Plan, records: pa.Array) -> pa.Array:
    """The records with their keys in the mapping's spelling."""
    seen = compiled.of_records(records, {}, inner=True)
    if seen is not None and seen.inner is not None:
        found = seen.keys | seen.inner
    else:
        connection.register("opened", pa.table({"record": records}))
        found = frozenset(key for [key] in connection.execute(KEYS_SQL).fetchall())
        connection.unregister("opened")
    relation = spelled_sql("block", plan.keys, found)
    return records if relation == "block" else _remade(connection, relation, records)


def _remade(connection: duckdb.DuckDBPyConnection, relation: str, records: pa.Array) -> pa.Array:
    """The records as a relation over `block` has them; DuckDB keeps the order of rows."""
    connection.register("block", pa.table({"record": records}))
    table = connection.sql(f"SELECT record FROM {relation}").to_arrow_table()
    connection.unregister("block")
    return whole(table.column("record"))


def _addresses(columns: Dictionary[str, pa.Array]) -> dict[str, pa.Array]:
    """The addresses as they are written canonically, their keys, and a warning where there is none."""
    texts = columns["source_ip"]
    coded = texts if isinstance(texts, pa.DictionaryArray) else texts.dictionary_encode()
    read = read_addresses(coded.dictionary.to_pylist())
    address, key = (whole(read.column(name)).take(coded.indices) for name in ("address", "key"))
    wrong = pc.and_(pc.is_valid(texts), pc.is_null(address))
    warnings = columns["parse_warnings"]
    if pc.any(wrong).as_py():
        told = [[*(known or []), "bad_ip"] for known in warnings.filter(wrong).to_pylist()]
        warnings = put(warnings, np.flatnonzero(wrong), pa.array(told, warnings.type))
    return {"source_ip": address, "ip_key": key, "parse_warnings": warnings}


def _defaults() -> dict[str, str]:
    defaults = dict.fromkeys(EVENT_COLUMNS, "NULL")
    defaults |= {name: "[]" for name in EVENT_COLUMNS if EVENT_COLUMNS[name].endswith("[]")}
    return defaults | {
        "actor_type": "'unknown'",
        "actor_anonymous": "false",
        "is_bulk": "false",
        "outcome": "'unknown'",
    }


def _instance(build: Expressions, rules: Dictionary[str, Any], settings: Settings) -> str:
    if settings.instance is not None:
        return quote(settings.instance)
    written = rules.get("record", {}).get("instance", rules["columns"].get("instance"))
    found = "NULL" if written is None else build.text(written)
    return found if settings.otherwise is None else f"coalesce({found}, {quote(settings.otherwise)})"


def _column(build: Expressions, name: str, expression: Any) -> str:
    kind = EVENT_COLUMNS[name]
    if name in LIST_COLUMNS:
        return build.text_list(expression)
    if name == "metadata" and "object" in expression:
        return build.object_text(expression["object"])
    if name == "metadata":
        value = build.json(expression)
        return f"CASE WHEN json_type({value}) IN ('NULL') OR {value} = '{{}}' THEN NULL ELSE {value} END"
    if kind == "BOOLEAN":
        fallback = _defaults()[name]
        return f"coalesce(TRY_CAST({build.text(expression)} AS BOOLEAN), {fallback})"
    fallback = _defaults()[name]
    return build.text(expression) if fallback == "NULL" else f"coalesce({build.text(expression)}, {fallback})"
