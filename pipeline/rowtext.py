"""DuckDB types -> SQL that writes a row as JSON or as CSV: rows become lines inside the engine. Used by formats.

What a row says is the same in every format; export.canonical says it of a row that is already in Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

Kind = Any  # DuckDB's object for a type: an id, and children for what is nested

# What a spreadsheet runs: an operator at the beginning, after white space or a quote too, or a tab or return there.
# Full-width signs are operators where such keyboards are used. Python and DuckDB read the pattern alike.
_SPACES = "\x01- \u00a0\u2000-\u200f\u202f\u205f\u2060\u3000\ufeff"
_FORMULA = f"^([\t\r]|[{_SPACES}\"']*[=+\\-@\uff1d\uff0b\uff0d\uff20])"
FORMULA = re.compile(_FORMULA)

NOT_FOR_PEOPLE = frozenset({"ip_key", "raw_bytes"})
JSON_TEXT = frozenset({"metadata", "unmapped", "content", "run", "parameters"})  # where it is stored as text
CHANGE_SIDES = ("old", "new")
_NUMBERS = frozenset(
    "tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint uhugeint decimal".split()
)
_WHOLE = frozenset("tinyint smallint integer bigint utinyint usmallint uinteger".split())
_PLAIN = _NUMBERS | {"boolean", "float", "double"}
_TEXTS = frozenset("varchar enum uuid date time interval bit blob".split())


Order = Sequence[tuple[str, str]]  # column and direction


def json_lines(query: str, names: Sequence[str], kinds: Sequence[Kind], order: Order = ()) -> str:
    """A query whose rows are JSON objects; a column that is null is there and null."""
    members = {
        name: json_of(f"c{place}", kind, name)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if name not in NOT_FOR_PEOPLE
    }
    keys = "".join(f", c{names.index(name)}" for name, _ in order)
    return _in_order(
        f"SELECT {_object(members)} AS line{keys} FROM {_numbered(query, len(names))}", names, order
    )


def csv_lines(
    query: str, names: Sequence[str], kinds: Sequence[Kind], order: Order = (), *, guarded: bool
) -> str:
    """A query whose rows are lines of CSV; a cell is quoted when it holds a comma, a quote or a line end.

    Texts are made in one layer and quoted in the next, so that each is made once.
    """
    kept = [
        (place, name, kind)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if name not in NOT_FOR_PEOPLE
    ]
    texts = ", ".join(f"{_text(f'c{place}', kind, name)} AS t{place}" for place, name, kind in kept)
    cells = ", ".join(
        f"coalesce(t{place}, '')" if _harmless(kind) else _quoted(f"t{place}", guarded)
        for place, _, kind in kept
    )
    if len(kept) == 1:  # an empty line would be no row
        cells = f"coalesce(nullif({cells}, ''), '\"\"')"
    keys = "".join(f", c{names.index(name)}" for name, _ in order)
    made = f"SELECT {texts}{keys} FROM {_numbered(query, len(names))}"
    return _in_order(f"SELECT concat_ws(',', {cells}) AS line{keys} FROM ({made})", names, order)


def cells(query: str, names: Sequence[str], kinds: Sequence[Kind]) -> str:
    """A query of what a spreadsheet has types for: numbers, true and false, times (in UTC), and texts."""
    kept = ", ".join(
        _typed(f"c{place}", kind, name)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if name not in NOT_FOR_PEOPLE
    )
    return f"SELECT {kept} FROM {_numbered(query, len(names))}"


def _typed(value: str, kind: Kind, name: str) -> str:
    if kind.id.startswith("timestamp"):
        told = (
            f"WHEN {value} IS NOT NULL THEN error('a workbook holds no time before the year 1 or after 9999')"
        )
        return f"CASE WHEN year({value}) BETWEEN 1 AND 9999 THEN make_timestamp(epoch_us({value})) {told} END"
    if kind.id == "boolean":
        return value
    if kind.id in _WHOLE:
        return f"{value}::BIGINT"
    return f"{value}::DOUBLE" if kind.id in _PLAIN else _text(value, kind, name)


def _in_order(made: str, names: Sequence[str], order: Order) -> str:
    """Lines are sorted when they are made: moving one text is much cheaper than moving sixty columns."""
    keys = ", ".join(f"c{names.index(name)} {direction}" for name, direction in order)
    return f"SELECT line FROM ({made}) ORDER BY {keys}" if keys else made


def _numbered(query: str, columns: int) -> str:
    """The rows with columns called by their place, whatever they are called in the query."""
    return f"({query}\n) AS q({', '.join(f'c{place}' for place in range(columns))})"


def json_of(value: str, kind: Kind, name: str = "", depth: int = 0) -> str:
    """SQL for the JSON text of one value of this type."""
    if kind.id in ("list", "array"):
        one, child = f"v{depth}", kind.children[0][1]
        each = _change(one) if _is_change(child) else json_of(one, child, "", depth + 1)
        listed = f"list_transform(({value})::{child}[], lambda {one}: {each})"
        text = f"concat('[', array_to_string({listed}, ','), ']')"
    elif kind.id == "struct":
        text = _object(
            {key: json_of(f"({value}).{column(key)}", child, key, depth) for key, child in kind.children}
        )
    else:
        text = _scalar(value, kind, name)
    return f"CASE WHEN {value} IS NULL THEN 'null' ELSE {text} END"


def _object(members: dict[str, str]) -> str:
    signs = ("{", *"," * (len(members) - 1))
    parts = [
        f"{_literal(sign + json.dumps(name, ensure_ascii=False) + ':')}, {text}"
        for sign, (name, text) in zip(signs, members.items(), strict=True)
    ]
    return f"concat({', '.join(parts)}, '}}')"


def _scalar(value: str, kind: Kind, name: str) -> str:
    if str(kind) == "JSON":
        return f"{value}::VARCHAR"
    if name in JSON_TEXT and kind.id == "varchar":
        return f"CASE WHEN json_valid({value}) THEN {value} ELSE to_json({value})::VARCHAR END"
    if kind.id in ("float", "double"):
        return f"CASE WHEN isfinite({value}) THEN {value}::VARCHAR ELSE concat('\"', {value}, '\"') END"
    if kind.id in _PLAIN:
        return f"{value}::VARCHAR"
    if kind.id.startswith("timestamp"):
        return f"concat('\"', {_instant(value, kind)}, '\"')"
    return f"to_json({value}{'::VARCHAR' if kind.id in _TEXTS else ''})::VARCHAR"


def _instant(value: str, kind: Kind) -> str:
    """UTC with milliseconds, with microseconds only where there are some; a time without a zone stays without."""
    zone = "Z" if "time zone" in kind.id else ""
    moment = f"make_timestamp(epoch_us({value}))"
    told = (
        f"CASE WHEN epoch_us({value}) % 1000 = 0 THEN strftime({moment}, '%Y-%m-%dT%H:%M:%S.%g{zone}') "
        f"ELSE strftime({moment}, '%Y-%m-%dT%H:%M:%S.%f{zone}') END"
    )
    return f"CASE WHEN isfinite({value}) THEN {told} ELSE {value}::VARCHAR END"


def _is_change(kind: Kind) -> bool:
    sides = {"field", "old", "new", "old_present", "new_present", "redacted"}
    return kind.id == "struct" and {name for name, _ in kind.children} == sides


def _change(value: str) -> str:
    """A change with its values as JSON; a side that the source did not give is absent, which is not null."""
    told = "".join(
        f", ',\"{name}\":', coalesce({value}.{name}::VARCHAR, 'null')"
        for name in ("old_present", "new_present", "redacted")
    )
    sides = "".join(
        f", CASE WHEN {value}.{side}_present THEN concat(',\"{side}\":', coalesce({value}.{side}, 'null')) END"
        for side in CHANGE_SIDES
    )
    return f"concat('{{\"field\":', to_json({value}.field){told}{sides}, '}}')"


def _text(value: str, kind: Kind, name: str) -> str:
    if kind.id in _PLAIN or kind.id in _TEXTS or str(kind) == "JSON":
        return f"{value}::VARCHAR"
    if kind.id.startswith("timestamp"):
        return _instant(value, kind)
    return f"CASE WHEN {value} IS NOT NULL THEN {json_of(value, kind, name)} END"


def _harmless(kind: Kind) -> bool:
    return kind.id in _PLAIN or kind.id.startswith("timestamp")


def _quoted(text: str, guarded: bool) -> str:
    """Looking at the first character is much faster than the pattern, and lets nearly every cell pass."""
    special = " OR ".join(f"contains({text}, {sign})" for sign in ("','", "'\"'", "chr(10)", "chr(13)"))
    signs = f"({text} >= '=' AND {text} < '>') OR ({text} >= '@' AND {text} < 'A')"
    suspect = f"{text} < '0' OR {text} >= chr(128) OR {signs}"
    apostrophe = f"CASE WHEN regexp_matches({text}, {_literal(_FORMULA)}) THEN '''' END, " if guarded else ""
    careful = f"""concat('"', {apostrophe}replace({text}, '"', '""'), '"')"""
    return (
        f"CASE WHEN {text} IS NULL THEN '' WHEN {special} THEN {careful} "
        + (f"WHEN {suspect} THEN concat({apostrophe}{text}) " if guarded else "")
        + f"ELSE {text} END"
    )


def column(name: str) -> str:
    """A column's name as SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
