"""What a mapping reads nothing from -> `unmapped`: nothing that a product says is lost. Part of normalize."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipeline import compiled
from pipeline.coding import coded
from pipeline.distinct import FEW, Rows, Values, put, whole
from pipeline.modifiers import quote
from pipeline.paths import is_position, segments
from pipeline.records import without


def leftover(
    connection: duckdb.DuckDBPyConnection, read: Sequence[str], keys: Iterable[str] | None, records: pa.Array
) -> pa.Array:
    """The rest of records that have no other keys than these, if they are known: by the compiled library where it is
    certain, by the engine where not."""
    found = compiled.leftover(records, _patch(read))
    if found is None:
        return _by_engine(connection, read, keys, records)
    rest, others = found[0], np.flatnonzero(found[1])
    if len(others):
        made = _by_engine(connection, read, keys, records.take(pa.array(others)))
        rest = put(rest, others, made)
    if rest.null_count == len(rest):
        return pa.nulls(len(rest), pa.string())
    few = coded(rest, max(int(FEW * len(rest)), 64))
    return rest if few is None else few.column


def _by_engine(
    connection: duckdb.DuckDBPyConnection, read: Sequence[str], keys: Iterable[str] | None, records: pa.Array
) -> pa.Array:
    patch = _patch(read)
    if keys is None:
        keys = _keys(connection, records)
    unread = sorted(key for key in keys if patch.get(key, ...) is not None)
    if not unread:
        return pa.nulls(len(records), pa.string())
    given = {f"v{n}": column for n, column in enumerate(_extracted(connection, unread, records))}
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


def _patch(read: Iterable[str]) -> dict[str, Any]:
    return without([place for place in read if not _counts(place)])


def _keys(connection: duckdb.DuckDBPyConnection, records: pa.Array) -> list[str]:
    connection.register("block", pa.table({"record": records}))
    found = connection.execute("SELECT DISTINCT unnest(json_keys(record)) FROM block").fetchall()
    connection.unregister("block")
    return [key for [key] in found]


def _extracted(
    connection: duckdb.DuckDBPyConnection, keys: Sequence[str], records: pa.Array
) -> list[pa.Array]:
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


def _counts(place: str) -> bool:
    """A path that reads one member of a list; the others are still to be told."""
    return place.startswith("$") or any(map(is_position, segments(place)))
