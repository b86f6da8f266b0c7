"""The common shapes of a diff -> the event's `changes`. Part of normalize."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any

from pipeline.columns import CHANGE
from pipeline.expressions import Expressions, json_list, pointer, quote

REDACTED = "'\"[REDACTED]\"'"


def column(build: Expressions, entries: list[Dictionary[str, Any]]) -> str:
    """All diffs of a record, in the mapping's order."""
    shapes = {"old_new": _old_new, "list": _list, "before_after": _before_after, "pair": _pair}
    lists = []
    for entry in entries:
        made = shapes[entry["shape"]](build, entry)
        if "when" in entry:
            made = f"CASE WHEN {build.condition(entry['when'])} THEN {made} ELSE [] END"
        lists.append(made)
    return f"flatten([{', '.join(lists)}])" if lists else "[]"


def _change(field: str, old: str, new: str, old_present: str, new_present: str) -> str:
    redacted = f"coalesce({old} = {REDACTED}, false) OR coalesce({new} = {REDACTED}, false)"
    kept_old, kept_new = f"CASE WHEN {old_present} THEN {old} END", f"CASE WHEN {new_present} THEN {new} END"
    return f"row({field}, {kept_old}, {kept_new}, {old_present}, {new_present}, {redacted})::{CHANGE}"


def _old_new(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """{field: {old, new}}; a field with a plain value is one that was set."""
    whole = f"j[{build.slot(entry['path'])}]"
    step = "'/' || replace(replace(k, '~', '~0'), '/', '~1')"
    value = f"json_extract({whole}, {step})"
    is_pair = f"(json_exists({value}, '/old') OR json_exists({value}, '/new'))"
    made = _change(
        "k",
        f"json_extract({value}, '/old')",
        f"CASE WHEN {is_pair} THEN json_extract({value}, '/new') ELSE {value} END",
        f"coalesce(json_exists({value}, '/old'), false)",
        f"coalesce(json_exists({value}, '/new') OR NOT {is_pair}, true)",
    )
    keys = f"CASE WHEN json_type({whole}) = 'OBJECT' THEN json_keys({whole}) ELSE [] END"
    return f"list_transform({keys}, lambda k: {made})"


def _list(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """[{field, from, to}], under the names that the product gives them."""
    old, new = quote(pointer(entry["old"])), quote(pointer(entry["new"]))
    made = _change(
        f"json_extract_string(o, {quote(pointer(entry['field']))})",
        f"json_extract(o, {old})",
        f"json_extract(o, {new})",
        f"coalesce(json_exists(o, {old}), false)",
        f"coalesce(json_exists(o, {new}), false)",
    )
    objects = json_list(f"j[{build.slot(entry['path'])}]")
    return f"list_transform({objects}, lambda o: {made})"


def _pair(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """One field whose two values stand somewhere in the record."""
    old, new = build.json(entry["old"]), build.json(entry["new"])
    made = _change(build.text(entry["field"]), old, new, f"({old}) IS NOT NULL", f"({new}) IS NOT NULL")
    return f"CASE WHEN coalesce({old}, {new}) IS NOT NULL THEN [{made}] ELSE [] END"


def _before_after(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """Two objects (or JSON texts of objects): the leaves that differ, nested fields as dotted names."""
    before, after = (_object(build, entry[side]) for side in ("before", "after"))
    made = _change(
        "coalesce(b.field, a.field)", "b.value", "a.value", "b.field IS NOT NULL", "a.field IS NOT NULL"
    )
    return f"""coalesce((SELECT list({made} ORDER BY coalesce(b.place, a.place + 1000000), coalesce(b.field, a.field))
      FROM (SELECT unnest({before}, recursive := true)) b
      FULL JOIN (SELECT unnest({after}, recursive := true)) a ON a.field = b.field
      WHERE a.value IS DISTINCT FROM b.value OR a.value = {REDACTED}), [])"""


def _object(build: Expressions, path: str) -> str:
    """The leaves of an object as a list of (field, value, place)."""
    slot = build.slot(path)
    return f"leaves(CASE json_type(j[{slot}]) WHEN 'VARCHAR' THEN TRY_CAST(t[{slot}] AS JSON) ELSE j[{slot}] END)"


# Leaves: everything that is not an object with members; lists are compared whole, so what is inside them is left out.
LEAVES_MACRO = r"""CREATE OR REPLACE TEMP MACRO leaves(whole) AS (
  SELECT list({
    'field': replace(replace(replace(regexp_replace(fullkey, '^\$\.', ''), '\"', chr(1)), '"', ''), chr(1), '"'),
    'value': value::VARCHAR, 'place': place} ORDER BY place)
  FROM (SELECT fullkey, value, type, row_number() OVER () AS place FROM json_tree(whole))
  WHERE fullkey <> '$' AND (type <> 'OBJECT' OR value = '{}') AND NOT regexp_matches(fullkey, '\[\d+\](\.|\[|$)'))"""
