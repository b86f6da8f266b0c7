"""Judged lines + a mapping -> events, in columns. Knows no store: a block of lines in, a table of events out.

A mapping is compiled once to one SELECT that DuckDB runs over each block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from pipeline import changes, times
from pipeline.columns import EVENT_COLUMNS, MESSAGE, RELATED
from pipeline.expressions import Expressions, quote, text_list
from pipeline.mapping import Mapping, segments
from pipeline.places import read_addresses

SCHEMA_VERSION = "1"
SEPARATOR = "chr(31)"
MESSAGE_TEXTS = ("channel", "direction", "sender", "subject", "body", "body_format", "sent_at")
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
    """One compiled mapping: SQL over a relation `block` (lines.BLOCK_SCHEMA) of one file."""

    mapping: Mapping
    sql: str


def compile_mapping(mapping: Mapping, settings: Settings) -> Plan:
    """The SELECT that makes events of a block's good lines, in the order of EVENT_COLUMNS (plus the line's hashes)."""
    rules = mapping.rules
    build = Expressions(rules["columns"])
    clock = times.columns(
        build, rules["time"], settings.timezone, settings.timezone_configured, settings.day_first
    )
    made = {
        "source": quote(mapping.source),
        "instance": _instance(build, rules.get("record", {}), settings),
        "source_event_id": build.text(rules["record"]["id"]) if rules.get("record", {}).get("id") else "NULL",
        **{name: _column(build, name, rules["columns"]) for name in rules["columns"] if name != "instance"},
        **clock.columns,
        "changes": changes.column(build, rules.get("changes", [])),
        "related_entities": _related(build, rules.get("related", [])),
        "communications": _messages(build, rules.get("messages", [])),
        "classes": _classes(build, rules.get("classes", {})),
        "mapping_version": quote(mapping.version),
        "schema_version": quote(SCHEMA_VERSION),
    }
    made["unmapped"] = _unmapped(build, rules.get("record", {}))
    return Plan(mapping, _select(build, made, clock))


def events(connection: duckdb.DuckDBPyConnection, plan: Plan, block: pa.Table) -> None:
    """Run the plan over a block: leaves the temporary table `normalized`, lines without a time included."""
    connection.register("block", block)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE picked AS {plan.sql}")
    found = connection.execute("SELECT DISTINCT source_ip FROM picked WHERE source_ip IS NOT NULL").fetchall()
    connection.register("addresses", read_addresses(sorted(row[0] for row in found)))
    connection.execute(
        """CREATE OR REPLACE TEMP TABLE normalized AS
        SELECT picked.* REPLACE (
            addresses.address AS source_ip, addresses.key AS ip_key,
            list_concat(parse_warnings, CASE WHEN picked.source_ip IS NOT NULL AND addresses.address IS NULL
                        THEN ['bad_ip'] ELSE [] END) AS parse_warnings)
        FROM picked LEFT JOIN addresses ON picked.source_ip = addresses.text"""
    )
    connection.unregister("block")
    connection.unregister("addresses")


def _select(build: Expressions, made: Dictionary[str, str], clock: times.Clock) -> str:
    known = {**_defaults(), **{k: v for k, v in made.items() if v != "NULL"}}
    columns = ",\n  ".join(f'({known[name]})::{kind} AS "{name}"' for name, kind in EVENT_COLUMNS.items())
    paths = "[" + ", ".join(map(quote, build.paths)) + "]"
    return f"""WITH parsed AS (
  SELECT line, line_sha256, record_sha256, ordinal, record,
    json_extract_string(record, {paths}) AS t, json_extract(record, {paths}) AS j
  FROM block WHERE fate = 'event')
SELECT line_sha256, record_sha256,
  {clock.reason} AS reject_reason, {clock.message} AS reject_message,
  {columns}
FROM (SELECT parsed.*, {_uid(made)} AS event_uid, {clock.instant} AS instant FROM parsed) AS parsed
ORDER BY line"""


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
    """Source, tenant and the source's own id; without an id the line itself and its place among equal lines."""
    own = f"'id' || {SEPARATOR} || {made['source_event_id']}"
    without = f"'line' || {SEPARATOR} || line_sha256 || {SEPARATOR} || ordinal"
    identity = f"coalesce({own}, {without})" if made["source_event_id"] != "NULL" else without
    parts = (
        f"{made['source']} || {SEPARATOR} || coalesce({made['instance']}, '') || {SEPARATOR} || {identity}"
    )
    return f"left(sha256({parts}), 32)"


def _instance(build: Expressions, record: Dictionary[str, Any], settings: Settings) -> str:
    if settings.instance is not None:
        return quote(settings.instance)
    return build.text(record["instance"]) if "instance" in record else "NULL"


def _column(build: Expressions, name: str, columns: Dictionary[str, Any]) -> str:
    expression, kind = columns[name], EVENT_COLUMNS[name]
    if name in LIST_COLUMNS:
        return text_list(build.json(expression))
    if name == "metadata":
        value = build.json(expression)
        return f"CASE WHEN json_type({value}) IN ('NULL') OR {value} = '{{}}' THEN NULL ELSE {value} END"
    if kind == "BOOLEAN":
        fallback = _defaults()[name]
        return f"coalesce(TRY_CAST({build.text(expression)} AS BOOLEAN), {fallback})"
    fallback = _defaults()[name]
    return build.text(expression) if fallback == "NULL" else f"coalesce({build.text(expression)}, {fallback})"


def _related(build: Expressions, entries: list[Dictionary[str, Any]]) -> str:
    lists = []
    for entry in entries:
        parts = {
            key: build.text(entry[key]) if key in entry else "NULL"
            for key in ("type", "id", "name", "relation")
        }
        found = "coalesce({}, {}) IS NOT NULL".format(parts["id"], parts["name"])
        if "ids" in entry:
            ids = text_list(build.json(entry["ids"]))
            made = f"list_transform({ids}, lambda x: row({parts['type']}, x, NULL, {parts['relation']})::{RELATED})"
        else:
            made = (
                f"CASE WHEN {found} THEN [row({parts['type']}, {parts['id']}, {parts['name']}, {parts['relation']})"
                f"::{RELATED}] ELSE [] END"
            )
        lists.append(_only_when(build, entry, made))
    return concatenated(lists)


def _messages(build: Expressions, entries: list[Dictionary[str, Any]]) -> str:
    return concatenated([_only_when(build, entry, _message(build, entry)) for entry in entries])


def _message(build: Expressions, entry: Dictionary[str, Any]) -> str:
    text = {key: build.text(entry[key]) if key in entry else "NULL" for key in MESSAGE_TEXTS}
    lists = {key: text_list(build.json(entry[key])) if key in entry else "[]" for key in ("to", "cc", "bcc")}
    automated = build.condition(entry["automated"]) if "automated" in entry else "NULL"
    fields = [
        text["channel"], text["direction"], automated, text["sender"], lists["to"], lists["cc"], lists["bcc"],
        text["subject"], text["body"], text["body_format"], f"sha256({text['body']})",
        times.instant_of_iso(text["sent_at"]),
    ]  # fmt: skip
    found = f"(len({lists['to']}) > 0 OR coalesce({text['subject']}, {text['body']}) IS NOT NULL)"
    return f"CASE WHEN {found} THEN [row({', '.join(fields)})::{MESSAGE}] ELSE [] END"


def _classes(build: Expressions, classes: Dictionary[str, Any]) -> str:
    cases = [
        f"CASE WHEN {build.condition({'any': rules})} THEN {quote(name)} END"
        for name, rules in classes.items()
    ]
    return f"list_filter([{', '.join(cases)}]::VARCHAR[], lambda c: c IS NOT NULL)" if cases else "[]"


def _only_when(build: Expressions, entry: Dictionary[str, Any], made: str) -> str:
    return f"CASE WHEN {build.condition(entry['when'])} THEN {made} ELSE [] END" if "when" in entry else made


def concatenated(lists: list[str]) -> str:
    """One list of several."""
    return f"flatten([{', '.join(lists)}])" if lists else "[]"


def _unmapped(build: Expressions, record: Dictionary[str, Any]) -> str:
    """The record without the fields that were read: a merge patch of nulls, then without the objects it emptied."""
    patch: dict[str, Any] = {}
    read = [place for place in build.paths if not any(key.isdigit() for key in segments(place))]
    told = [
        *read,
        *("/" + "/".join(segments(p)) for p in (*record.get("secret", []), *record.get("ignore", []))),
    ]
    for place in told:
        inner = patch
        *parents, last = segments(place)
        for key in parents:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else {}
            inner = inner if isinstance(inner, dict) else {}
        inner[last] = None
    odd = [_when_not_object(build, key) for key, inner in patch.items() if isinstance(inner, dict)]
    rest = f"json_merge_patch(record, {', '.join([quote(json.dumps(patch)), *odd])})::VARCHAR"
    for _ in range(
        2
    ):  # objects emptied two deep; the patterns match only where a key can start, never inside a text
        rest = f"""regexp_replace({rest}, ',"[^"\\\\]*":\\{{\\}}', '', 'g')"""
        rest = f"""regexp_replace({rest}, '\\{{"[^"\\\\]*":\\{{\\}},?', '{{', 'g')"""
    return f"nullif({rest}, '{{}}')"


def _when_not_object(build: Expressions, key: str) -> str:
    """A value where the mapping expects an object to read from; it is put back, for nothing of it was read."""
    value = f"j[{build.slot('/' + key.replace('~', '~0').replace('/', '~1'))}]"
    odd = f"json_type({value}) NOT IN ('OBJECT', 'NULL')"
    return f"CASE WHEN {odd} THEN json_object({quote(key)}, {value}) ELSE '{{}}' END"
