"""A line's JSON -> the record that a mapping speaks about: out of its envelope, its keys in one spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Dictionary
from typing import Any

from pipeline.modifiers import quote
from pipeline.paths import is_position, pointer, segments

KEYS_SQL = """SELECT DISTINCT unnest(regexp_extract_all(record, '"([^"\\\\]+)"\\s*:', 1)) FROM opened"""


def unwrapped_sql(relation: str, places: Sequence[str]) -> str:
    """SQL: the records of a relation, or the object (or text of one) at the first of the places, what is around it kept
    under `envelope`."""
    # What has not even the name of an envelope need not be parsed; behind \\u there may be one.
    names = sorted({json.dumps(segments(place)[0], ensure_ascii=False) for place in places})
    none = " AND ".join(f"NOT contains(record, {quote(text)})" for text in [*names, "\\u"])
    pointers = ", ".join(quote(pointer(place)) for place in places)
    inner, patches = [], []
    for n, place in enumerate(places, 1):
        text = f"regexp_replace(json_extract_string(v[{n}], '$'), '^\\s+|\\s+$', '', 'g')"
        inner.append(
            f"CASE left(v[{n}]::VARCHAR, 1) WHEN '{{' THEN v[{n}]::VARCHAR "
            f"""WHEN '"' THEN CASE WHEN left({text}, 1) = '{{' AND json_valid({text}) THEN {text} END END"""
        )
        patches.append(f"WHEN i[{n}] IS NOT NULL THEN {quote(json.dumps(without([place])))}")
    first = ", ".join(f"i[{n}]" for n in range(1, len(places) + 1))
    comma = "CASE WHEN regexp_matches(inside, '^\\{\\s*\\}$') THEN '' ELSE ',' END"
    around = "json_merge_patch(record, patch)::VARCHAR"
    return f"""(
        WITH looked AS (
            SELECT record, CASE WHEN {none} THEN NULL ELSE json_extract(record, [{pointers}]) END AS v FROM {relation}
        ), found AS (SELECT record, [{", ".join(inner)}] AS i FROM looked),
        chosen AS (SELECT record, coalesce({first}) AS inside, CASE {" ".join(patches)} END AS patch FROM found)
        SELECT CASE WHEN inside IS NULL THEN record
            ELSE left(inside, -1) || {comma} || '"envelope":' || {around} || '}}' END AS record
        FROM chosen
    )"""


def unwrapped(record: Dictionary[str, Any], places: Iterable[str]) -> Dictionary[str, Any]:
    """The same for one record in Python, for recognition."""
    for place in places:
        inner: Any = value_at(record, segments(place))
        if isinstance(inner, str) and inner.lstrip().startswith("{"):
            try:
                inner = json.loads(inner)
            except ValueError:
                continue
        if isinstance(inner, dict):
            return {**inner, "envelope": record}
    return record


def value_at(record: Any, keys: Iterable[str], fold: bool = False) -> Any:
    """The value at the keys of a path, or None."""
    for key in keys:
        if isinstance(record, list) and is_position(key):
            record = record[int(key)] if -len(record) <= int(key) < len(record) else None
        elif isinstance(record, dict):
            record = (
                next((v for k, v in record.items() if k.lower() == key.lower()), None)
                if fold
                else record.get(key)
            )
        else:
            return None
    return record


def spelled_sql(relation: str, wanted: Iterable[str], found: Iterable[str]) -> str:
    """SQL: the relation, with the records' keys that differ from the mapping's only in case spelled as in the mapping.

    A record that has the mapping's spelling too is left alone: there the two are two keys.
    """
    wanted = set(wanted)
    ours = {key.lower(): key for key in sorted(wanted)}
    for theirs in sorted(set(found) - wanted):
        if theirs.lower() in ours:
            own = ours[theirs.lower()]
            there, other = (f'"{re.escape(name)}"\\s*:' for name in (own, theirs))
            relation = (
                f"(SELECT * REPLACE (CASE WHEN regexp_matches(record, {quote(there)}) THEN record "
                f"ELSE regexp_replace(record, {quote(other)}, {quote(json.dumps(own) + ':')}, 'g') END AS record) "
                f"FROM {relation})"
            )
    return relation


def without(places: Iterable[str]) -> dict[str, Any]:
    """The merge patch that takes the values at these places out of a record."""
    patch: dict[str, Any] = {}
    for place in places:
        inner = patch
        *parents, last = segments(place)
        for key in parents:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else {}
            inner = inner if isinstance(inner, dict) else {}
        inner[last] = None
    return patch
