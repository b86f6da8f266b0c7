"""A line's JSON -> the record that a mapping speaks about: out of its envelope, its keys in one spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from typing import Any

from pipeline.modifiers import quote
from pipeline.paths import is_position, pointer, segments

KEYS_SQL = """SELECT DISTINCT unnest(regexp_extract_all(record, '"([^"\\\\]+)"\\s*:', 1)) FROM opened"""


def unwrapped_sql(record: str, places: Iterable[str]) -> str:
    """SQL: the object (or text of one) at the first of the places, what is around it kept under `envelope`."""
    cases = []
    for place in places:
        value = f"json_extract({record}, {quote(pointer(place))})"
        text = f"json_extract_string({record}, {quote(pointer(place))})"
        inner = f"CASE json_type({value}) WHEN 'OBJECT' THEN {value}::VARCHAR "
        inner += f"WHEN 'VARCHAR' THEN regexp_replace({text}, '^\\s+|\\s+$', '', 'g') END"
        around = f"json_merge_patch({record}, {quote(json.dumps(without([place])))})::VARCHAR"
        is_object = f"json_type(TRY_CAST({inner} AS JSON)) = 'OBJECT'"
        joined = f"left({inner}, length({inner}) - 1) || CASE WHEN len(json_keys({inner})) = 0 THEN '' ELSE ',' END"
        cases.append(f"WHEN {is_object} THEN {joined} || '\"envelope\":' || {around} || '}}'")
    return f"CASE {' '.join(cases)} ELSE {record} END" if cases else record


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
