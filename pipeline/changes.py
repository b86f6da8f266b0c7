"""The common shapes of a diff -> the event's `changes`. Part of normalize."""

from __future__ import annotations

from collections.abc import Mapping as Dictionary
from typing import Any

from pipeline.columns import CHANGE
from pipeline.expressions import Expressions
from pipeline.modifiers import quote
from pipeline.paths import pointer

REDACTED = "'\"[REDACTED]\"'"


def column(build: Expressions, entries: list[Dictionary[str, Any]]) -> str:
    """All diffs of a record, in the mapping's order."""
    shapes = {"old_new": _old_new, "list": _list, "before_after": _before_after, "pair": _pair, "was": _was}
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
    """{field: {old, new}}, or what the product calls the two; a field with a plain value is one that was set."""
    places = f"[{quote(pointer(entry.get('old', 'old')))}, {quote(pointer(entry.get('new', 'new')))}]"
    whole = build.json_at(entry["path"])
    members = f"map_entries(CAST({whole} AS MAP(VARCHAR, JSON)))"
    entries = f"CASE WHEN json_type({whole}) = 'OBJECT' THEN {members} ELSE [] END"
    both = (
        f"list_transform({entries}, lambda e: {{k: e.key, v: e.value, p: json_extract(e.value, {places})}})"
    )
    is_pair = "(c.p[1] IS NOT NULL OR c.p[2] IS NOT NULL)"
    made = _change(
        "c.k",
        "c.p[1]",
        f"CASE WHEN {is_pair} THEN c.p[2] ELSE coalesce(c.v, 'null'::JSON) END",
        "c.p[1] IS NOT NULL",
        f"(c.p[2] IS NOT NULL OR NOT {is_pair})",
    )
    return f"list_transform({both}, lambda c: {made})"


def _list(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """[{field, from, to}], under the names that the product gives them; `json`: the values are JSON written as text."""
    item, items = build.inside(entry["path"])
    values = {side: item.json_at(entry[side]) if side in entry else "NULL::JSON" for side in ("old", "new")}
    read = {side: _embedded(value) if entry.get("json") else value for side, value in values.items()}
    there = {side: f"{value} IS NOT NULL" for side, value in values.items()}
    parts = f"{{f: {item.text(entry['field'])}, old: {read['old']}, new: {read['new']}, "
    parts += f"had: {there['old']}, has: {there['new']}}}"
    members = f"list_transform({items}, lambda {item.item}: {parts})"
    return f"list_transform({members}, lambda c: {_change('c.f', 'c.old', 'c.new', 'c.had', 'c.has')})"


def _embedded(value: str) -> str:
    """A text that says nothing is no value; one that is not JSON after all stays the text that it is."""
    text = f"json_extract_string({value}, '$')"
    return (
        f"CASE WHEN json_type({value}) <> 'VARCHAR' THEN {value} WHEN trim({text}) = '' THEN NULL "
        f"WHEN TRY_CAST({text} AS JSON) IS NOT NULL THEN json({text}) ELSE {value} END"
    )


def _was(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """`x` beside `x_was` (or `old_x`): what changed is what has a former value, be it null."""
    table = entry["path"] + "." if "path" in entry else ""
    lists = []
    for name in entry["fields"]:
        former = f"{entry.get('prefix', '')}{name}{entry.get('suffix', '')}"
        old, new = (build.json_or_null_at(table + key) for key in (former, name))
        made = _change(quote(name), old, new, "true", f"({new}) IS NOT NULL")
        lists.append(f"CASE WHEN {old} IS NOT NULL THEN [{made}] ELSE [] END")
    return f"flatten([{', '.join(lists)}])"


def _pair(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """One field whose two values stand somewhere in the record."""
    for side in ("old", "new"):
        if isinstance(entry[side], str):
            build.json_or_null_at(entry[side])
    old, new = build.json(entry["old"]), build.json(entry["new"])
    made = _change(build.text(entry["field"]), old, new, f"({old}) IS NOT NULL", f"({new}) IS NOT NULL")
    return f"CASE WHEN coalesce({old}, {new}) IS NOT NULL THEN [{made}] ELSE [] END"


def _before_after(build: Expressions, entry: Dictionary[str, Any]) -> str:
    """Two objects (or JSON texts of objects): the leaves that differ, nested fields as dotted names."""
    before, after = (build.once(_leaves(build, entry[side])) for side in ("before", "after"))
    fields, values = (
        build.once(f"list_transform({after}, lambda x: x.{part})") for part in ("field", "value")
    )
    place = f"list_position({fields}, b.field)"
    found = f"{{f: b.field, old: b.value, new: {values}[{place}], had: true, has: {place} IS NOT NULL}}"
    kept = f"list_transform({before}, lambda b: {found})"
    former = build.once(f"list_transform({before}, lambda x: x.field)")
    fresh = f"list_filter({after}, lambda a: NOT list_contains({former}, a.field))"
    added = (
        f"list_transform({fresh}, lambda a: {{f: a.field, old: NULL, new: a.value, had: false, has: true}})"
    )
    differ = f"c.old IS DISTINCT FROM c.new OR c.new = {REDACTED}"
    both = f"list_filter(list_concat({kept}, {added}), lambda c: {differ})"
    return f"list_transform({both}, lambda c: {_change('c.f', 'c.old', 'c.new', 'c.had', 'c.has')})"


def _leaves(build: Expressions, path: str) -> str:
    """The leaves of an object as a list of (field, value)."""
    value = build.json_at(path)
    return f"leaves(CASE json_type({value}) WHEN 'VARCHAR' THEN TRY_CAST({build.text(path)} AS JSON) ELSE {value} END)"


def _leaves_macro(depth: int) -> str:
    """Leaves: everything that is not an object with members; lists are compared whole, as is what lies too deep."""
    member, value = f"m{depth}", f"coalesce(m{depth}.value, 'null'::JSON)"
    leaf = f"[{{field: prefix || {member}.key, value: {value}::VARCHAR}}]"
    if depth < DEEPEST:
        inner = f"leaves_{depth + 1}({value}, prefix || {member}.key || '.')"
        leaf = f"CASE WHEN json_type({value}) = 'OBJECT' AND {value} <> '{{}}' THEN {inner} ELSE {leaf} END"
    return f"""CREATE OR REPLACE TEMP MACRO leaves_{depth}(whole, prefix) AS flatten(list_transform(
      map_entries(CAST(whole AS MAP(VARCHAR, JSON))), lambda {member}: {leaf}))"""


DEEPEST = 6
LEAVES_MACRO = ";".join(
    [
        *(_leaves_macro(depth) for depth in range(DEEPEST, 0, -1)),
        """CREATE OR REPLACE TEMP MACRO leaves(whole) AS
        CASE WHEN json_type(whole) = 'OBJECT' THEN leaves_1(whole, '') ELSE [] END""",
    ]
)
