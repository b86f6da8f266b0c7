"""What a mapping reads nothing from -> `unmapped`: nothing that a product says is lost. Part of normalize."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from pipeline.distinct import Rows, Values, whole
from pipeline.modifiers import quote
from pipeline.paths import is_position, segments
from pipeline.records import without


def partly_read(read: Iterable[str]) -> set[str]:
    """The record's own members of which only a part is read."""
    return {key for key, inner in _patch(read).items() if isinstance(inner, dict)}


def leftover(
    connection: duckdb.DuckDBPyConnection,
    read: Sequence[str],
    keys: Iterable[str],
    records: pa.Array,
    known: Mapping[str, pa.Array],
) -> pa.Array:
    """The rest of records that have no other keys than these; `known` are the values of some."""
    patch = _patch(read)
    unread = sorted(key for key in keys if patch.get(key, ...) is not None)
    if not unread:
        return pa.nulls(len(records), pa.string())
    missing = [key for key in unread if key not in known]
    columns = dict(zip(missing, _extracted(connection, missing, records), strict=True))
    columns |= {key: known[key] for key in unread if key in known}
    given = {f"v{n}": columns[key] for n, key in enumerate(unread)}
    rows = Rows(connection, given, len(records), frozenset(given))
    return rows.make(_values(tuple(read), tuple(unread)), ["unmapped"])["unmapped"]


@lru_cache(maxsize=64)
def _values(read: Sequence[str], unread: Sequence[str]) -> Values:
    """How the rest is made of the members that are not read, or not wholly: `v0` and so on, as they are named."""
    patch = _patch(read)
    rests = {f"r{n}": _rest(f"v{n}", patch.get(key)) for n, key in enumerate(unread)}
    members = {f"m{n}": _member(f"r{n}", key) for n, key in enumerate(unread)}
    text = f"nullif('{{' || concat_ws(',', {', '.join(members)}) || '}}', '{{}}')"
    given = [f"v{n}" for n in range(len(unread))]
    return Values.of({**rests, **members, "unmapped": text}, given, members)


def leftover_of_record(
    connection: duckdb.DuckDBPyConnection, read: Sequence[str], records: pa.Array
) -> pa.Array:
    """The same for records whose keys were not counted: all of them, without the fields that were read."""
    patch = _patch(read)
    odd = {_when_not_object(key) for key, inner in patch.items() if isinstance(inner, dict)}
    rest = f"json_merge_patch(record, {quote(json.dumps(patch))})"
    if odd:
        put_back = ", ".join(
            f"CASE WHEN {test} THEN {member} ELSE '{{}}' END" for test, member in sorted(odd)
        )
        any_odd = " OR ".join(sorted(test for test, _ in odd))
        rest = f"CASE WHEN {any_odd} THEN json_merge_patch({rest}, {put_back}) ELSE {rest} END"
    connection.register("block", pa.table({"record": records}))
    made = connection.sql(f"SELECT nullif({_emptied(rest)}, '{{}}') AS rest FROM block").to_arrow_table()
    connection.unregister("block")
    return whole(made.column("rest"))


def _patch(read: Iterable[str]) -> dict[str, Any]:
    return without([place for place in read if not _counts(place)])


def _extracted(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], records: pa.Array
) -> list[pa.Array]:
    if not keys:
        return []
    places = ", ".join(quote(_place(key)) for key in keys)
    columns = ", ".join(f"v[{n}] AS v{n}" for n in range(1, len(keys) + 1))
    connection.register("block", pa.table({"record": records}))
    made = connection.sql(
        f"SELECT {columns} FROM (SELECT json_extract(record, [{places}]) AS v FROM block)"
    ).to_arrow_table()
    connection.unregister("block")
    return [whole(column) for column in made.columns]


def _rest(value: str, patch: dict[str, Any] | None) -> str:
    """SQL of what is left of one member."""
    if patch is None:
        return f"{value}::VARCHAR"
    cut = f"json_merge_patch({value}, {quote(json.dumps(patch))})::VARCHAR"
    return f"CASE json_type({value}) WHEN 'OBJECT' THEN {cut} WHEN 'NULL' THEN NULL ELSE {value}::VARCHAR END"


def _member(rest: str, key: str) -> str:
    """SQL of one member as it is written in the rest, null where nothing is left of it."""
    emptied = f"CASE WHEN contains({rest}, ':{{}}') THEN {_emptied(rest)} ELSE {rest} END"
    return f"{quote(json.dumps(key, ensure_ascii=False) + ':')} || nullif({emptied}, '{{}}')"


def _emptied(rest: str) -> str:
    """Without empty objects, three deep; the patterns match only where a key can start, never inside a text."""
    text = f"({rest})::VARCHAR"
    for _ in range(3):
        text = f"""regexp_replace({text}, ',"[^"\\\\]*":\\{{\\}}', '', 'g')"""
        text = f"""regexp_replace({text}, '\\{{"[^"\\\\]*":\\{{\\}},?', '{{', 'g')"""
    return text


def _place(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _when_not_object(key: str) -> tuple[str, str]:
    """A value where the mapping expects an object to read from: when, and what is put back, for nothing was read."""
    place = quote(_place(key))
    odd = f"coalesce(json_type(record, {place}) NOT IN ('OBJECT', 'NULL'), false)"
    return odd, f"json_object({quote(key)}, json_extract(record, {place}))"


def _counts(place: str) -> bool:
    """A path that reads one member of a list; the others are still to be told."""
    return place.startswith("$") or any(map(is_position, segments(place)))
