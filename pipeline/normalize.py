"""Judged lines + a mapping -> events, in columns. Knows no store: a block of lines in, a table of events out.

A mapping is compiled once to one SELECT that DuckDB runs over each block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from pipeline import changes, drift, nested, times
from pipeline.columns import EVENT_COLUMNS
from pipeline.expressions import Expressions, column_name
from pipeline.mapping import Mapping
from pipeline.mapping_check import referred
from pipeline.modifiers import blank_null, quote
from pipeline.paths import is_position, segments
from pipeline.places import read_addresses
from pipeline.records import KEYS_SQL, spelled_sql, unwrapped_sql, without

SCHEMA_VERSION = "1"
SEPARATOR = "chr(31)"
LIST_COLUMNS = [name for name, kind in EVENT_COLUMNS.items() if kind == "VARCHAR[]"]


@dataclass(frozen=True)
class Settings:
    """What a load adds to a mapping: tenant, zone and day order of local times."""

    instance: str | None = None
    timezone: str = "UTC"
    timezone_configured: bool = False
    day_first: bool | None = None


@dataclass(frozen=True)
class Plan:
    """One compiled mapping: `opened` is SQL over a relation `block` (lines.BLOCK_SCHEMA) of one file that finds the
    records, `sql` over a relation `records` makes the events. `keys`, if any, are spelled as the mapping has them."""

    mapping: Mapping
    opened: str
    sql: str
    keys: frozenset[str] = frozenset()
    watched: Dictionary[str, str] = field(
        default_factory=dict
    )  # extra columns of `picked` -> the column they watch


def compile_mapping(mapping: Mapping, settings: Settings) -> Plan:
    """The SELECT that makes events of a block's good lines, in the order of EVENT_COLUMNS (plus the line's hashes)."""
    rules, record = mapping.rules, mapping.rules.get("record", {})
    build = Expressions(rules["columns"])
    clock = times.columns(
        build, rules["time"], settings.timezone, settings.timezone_configured, settings.day_first
    )
    levels = referred(rules)
    shared = {name for level in levels for name in level}
    made = {
        "source": quote(mapping.source),
        "instance": _instance(build, rules, settings),
        "source_event_id": build.text(record["id"]) if "id" in record else "NULL",
        **{
            name: _column(build, name, {"column": name} if name in shared else expression)
            for name, expression in rules["columns"].items()
            if name != "instance"
        },
        **clock.columns,
        "changes": changes.column(build, rules.get("changes", [])),
        "related_entities": nested.related(build, rules.get("related", [])),
        "communications": nested.messages(build, rules.get("messages", [])),
        "classes": nested.classes(build, rules.get("classes", {})),
        "mapping_version": quote(mapping.version),
        "schema_version": quote(SCHEMA_VERSION),
    }
    layers = [{column_name(name): build.text(rules["columns"][name]) for name in level} for level in levels]
    watched = drift.columns(build, rules["columns"])
    made["unmapped"] = _unmapped(build, record)
    opened = f"""SELECT line, line_sha256, record_sha256, ordinal,
  {unwrapped_sql("record", record.get("unwrap", []))} AS record FROM block WHERE fate = 'event'"""
    keys = frozenset(build.keys) if record.get("fold_keys") else frozenset()
    sql = _select(build, made, clock, layers, {name: text for name, (_, text) in watched.items()})
    return Plan(mapping, opened, sql, keys, {name: column for name, (column, _) in watched.items()})


def events(connection: duckdb.DuckDBPyConnection, plan: Plan, block: pa.Table) -> None:
    """Run the plan over a block: leaves the temporary table `normalized`, lines without a time included."""
    connection.register("block", block)
    records = f"({plan.opened})"
    if plan.keys:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE opened AS {plan.opened}")
        found = connection.execute(KEYS_SQL).fetchall()
        records = spelled_sql("opened", plan.keys, (key for [key] in found))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE picked AS WITH records AS (SELECT * FROM {records}) {plan.sql}"
    )
    found = connection.execute("SELECT DISTINCT source_ip FROM picked WHERE source_ip IS NOT NULL").fetchall()
    connection.register("addresses", read_addresses(sorted(row[0] for row in found)))
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE normalized AS
        SELECT picked.* {f"EXCLUDE ({', '.join(plan.watched)})" if plan.watched else ""} REPLACE (
            addresses.address AS source_ip, addresses.key AS ip_key,
            list_concat(parse_warnings, CASE WHEN picked.source_ip IS NOT NULL AND addresses.address IS NULL
                        THEN ['bad_ip'] ELSE [] END) AS parse_warnings)
        FROM picked LEFT JOIN addresses ON picked.source_ip = addresses.text"""
    )
    connection.unregister("block")
    connection.unregister("addresses")


def _select(
    build: Expressions,
    made: Dictionary[str, str],
    clock: times.Clock,
    layers: list[dict[str, str]],
    watched: Dictionary[str, str],
) -> str:
    """Each value that is used more than once is a column of a layer below, so that it is made once."""
    known = {**_defaults(), **{k: v for k, v in made.items() if v != "NULL"}}
    columns = ",\n  ".join(
        [f'({known[name]})::{kind} AS "{name}"' for name, kind in EVENT_COLUMNS.items()]
        + [f"{sql} AS {name}" for name, sql in watched.items()]
    )
    source = f"(SELECT line, line_sha256, record_sha256, ordinal, record{_extracted(build)} FROM records)"
    values = [f"{blank_null(f't[{n}]')} AS t{n}" for n in range(1, len(build.texts) + 1)]
    values += [f"j[{n}] AS j{n}" for n in range(1, len(build.jsons) + 1)]
    lower = [
        {"event_uid": _uid(made), "zoned": clock.zoned},
        {"local": clock.local},
        {"instant": clock.instant},
        *layers,
    ]
    source = f"(SELECT * EXCLUDE (t, j), {', '.join(values)} FROM {source})"
    lower[:0] = [{f"once_{n}": value} for n, value in enumerate(build.made_once, 1)]
    for layer in lower:
        source = f"(SELECT *, {', '.join(f'{sql} AS {name}' for name, sql in layer.items())} FROM {source})"
    return f"""SELECT line_sha256, record_sha256,
  {clock.reason} AS reject_reason, {clock.message} AS reject_message,
  {columns}
FROM {source}"""


def _extracted(build: Expressions) -> str:
    lists = {"t": ("json_extract_string", build.texts), "j": ("json_extract", build.jsons)}
    return "".join(
        f", {function}(record, [{', '.join(map(quote, places))}]) AS {name}"
        for name, (function, places) in lists.items()
    )


def _defaults() -> dict[str, str]:
    defaults = dict.fromkeys(EVENT_COLUMNS, "NULL")
    defaults |= {name: "[]" for name in EVENT_COLUMNS if EVENT_COLUMNS[name].endswith("[]")}
    return defaults | {
        "event_uid": "event_uid",
        "line": "line",
        "actor_type": "'unknown'",
        "actor_anonymous": "false",
        "is_bulk": "false",
        "outcome": "'unknown'",
    }


def _uid(made: Dictionary[str, str]) -> str:
    """Source, tenant and the source's own id; without an id the record itself and its place among equal ones."""
    own = f"'id' || {SEPARATOR} || {made['source_event_id']}"
    without = f"'line' || {SEPARATOR} || sha256(record) || {SEPARATOR} || ordinal"
    identity = f"coalesce({own}, {without})" if made["source_event_id"] != "NULL" else without
    parts = (
        f"{made['source']} || {SEPARATOR} || coalesce({made['instance']}, '') || {SEPARATOR} || {identity}"
    )
    return f"left(sha256({parts}), 32)"


def _instance(build: Expressions, rules: Dictionary[str, Any], settings: Settings) -> str:
    if settings.instance is not None:
        return quote(settings.instance)
    written = rules.get("record", {}).get("instance", rules["columns"].get("instance"))
    return "NULL" if written is None else build.text(written)


def _column(build: Expressions, name: str, expression: Any) -> str:
    kind = EVENT_COLUMNS[name]
    if name in LIST_COLUMNS:
        return build.text_list(expression)
    if name == "metadata" and "object" in expression:
        return build.json(expression)
    if name == "metadata":
        value = build.json(expression)
        return f"CASE WHEN json_type({value}) IN ('NULL') OR {value} = '{{}}' THEN NULL ELSE {value} END"
    if kind == "BOOLEAN":
        fallback = _defaults()[name]
        return f"coalesce(TRY_CAST({build.text(expression)} AS BOOLEAN), {fallback})"
    fallback = _defaults()[name]
    return build.text(expression) if fallback == "NULL" else f"coalesce({build.text(expression)}, {fallback})"


def _unmapped(build: Expressions, record: Dictionary[str, Any]) -> str:
    """The record without the fields that were read: a merge patch of nulls, then without the objects it emptied."""
    read = [place for place in build.paths if not _counts(place)]
    patch = without([*read, *record.get("secret", []), *record.get("ignore", [])])
    rest = f"json_merge_patch(record, {quote(json.dumps(patch))})"
    parents = [key for key, inner in patch.items() if isinstance(inner, dict)]
    if parents:
        odd = [_when_not_object(place) for place in parents]
        put_back = ", ".join(f"CASE WHEN {test} THEN {member} ELSE '{{}}' END" for test, member in odd)
        any_odd = " OR ".join(test for test, _ in odd)
        rest = f"CASE WHEN {any_odd} THEN json_merge_patch({rest}, {put_back}) ELSE {rest} END"
    rest = f"({rest})::VARCHAR"
    # Objects emptied three deep; the patterns match only where a key can start, never inside a text.
    for _ in range(3):
        rest = f"""regexp_replace({rest}, ',"[^"\\\\]*":\\{{\\}}', '', 'g')"""
        rest = f"""regexp_replace({rest}, '\\{{"[^"\\\\]*":\\{{\\}},?', '{{', 'g')"""
    return f"nullif({rest}, '{{}}')"


def _when_not_object(key: str) -> tuple[str, str]:
    """A value where the mapping expects an object to read from: when, and what is put back, for nothing was read."""
    place = quote("/" + key.replace("~", "~0").replace("/", "~1"))
    odd = f"coalesce(json_type(record, {place}) NOT IN ('OBJECT', 'NULL'), false)"
    return odd, f"json_object({quote(key)}, json_extract(record, {place}))"


def _counts(place: str) -> bool:
    """A path that reads one member of a list; the others are still to be told."""
    return place.startswith("$") or any(map(is_position, segments(place)))
