"""What a mapping does not know yet: texts that its maps have no word for, fields that nothing reads. Read off a block.

A text is unknown when a map does not have it and the column came to nothing by it: null, `other` or `unknown`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Dictionary
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.columns import VOCABULARIES
from pipeline.expressions import Expressions
from pipeline.modifiers import quote

if TYPE_CHECKING:
    from pipeline.normalize import Normalized
    from pipeline.store import Commit

MOST = 100  # different texts or fields of one block; a column with more is no enumeration
NO_ANSWER = (None, "other", "unknown")
EXAMPLE = 60
MOST_FIELDS = 1000  # of one source; with more its keys are data, and every load has new ones
VANISHED_AFTER = 3  # loads that had a field
VANISHED_FROM = 100  # events of a load without it


def columns(build: Expressions, rules: Dictionary[str, Any]) -> dict[str, tuple[str, str]]:
    """Extra columns of a block's events: name -> the event's column, SQL of a text that its map does not have."""
    found: dict[str, tuple[str, str]] = {}
    for column in (name for name in VOCABULARIES if name in rules):
        for node in _maps(rules[column]):
            text = build.before_map(node)
            spelled = f"lower({text})" if node.get("fold") else text
            known = ", ".join(quote(key.lower() if node.get("fold") else key) for key in node["map"])
            unknown = f"CASE WHEN {spelled} NOT IN ({known}) THEN {text} END" if known else text
            found[f"unknown_{len(found)}"] = (column, unknown)
    return found


def _maps(expression: Any) -> Iterator[Dictionary[str, Any]]:
    """The expressions with a map that may not know a text; not those about the items of a list."""
    if isinstance(expression, dict):
        if "map" in expression and not isinstance(expression.get("else"), dict):
            yield expression
        cases = expression["when"] if isinstance(expression.get("when"), list) else []
        inner = [*expression.get("first", []), *(case["then"] for case in cases)]
        for one in [*inner, expression.get("of"), expression.get("else")]:
            yield from _maps(one)


def unknown_values(made: Normalized, piece: np.ndarray) -> dict[int, dict[tuple[str, str], int]]:
    """Piece -> (column, text) -> how many of its records have a text that no map of the column has a word for."""
    counts: dict[int, dict[tuple[str, str], int]] = {}
    for name, column in made.watched_columns.items():
        texts = made.watched[name]
        if texts.null_count == len(texts):
            continue
        answers = made.events.column(column).to_pylist()
        found = Counter(
            (int(piece[row]), text)
            for row, text in enumerate(texts.to_pylist())
            if text is not None and answers[row] in NO_ANSWER
        )
        for (number, text), count in found.most_common(MOST * (len(set(piece.tolist())) or 1)):
            own = counts.setdefault(number, {})
            own[column, text] = max(count, own.get((column, text), 0))
    return counts


def unmapped_fields(connection: duckdb.DuckDBPyConnection, unmapped: pa.Array) -> dict[str, tuple[int, str]]:
    """Dotted field -> events that have it and an example of its value."""
    connection.register("rest", pa.table({"unmapped": unmapped}))
    rows = connection.execute(
        f"""SELECT leaf.field, count(*), left(min(leaf.value), {EXAMPLE})
        FROM (SELECT unnest(leaves(unmapped::JSON)) AS leaf FROM rest WHERE unmapped IS NOT NULL)
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST * 10}"""
    ).fetchall()
    connection.unregister("rest")
    return {field: (count, example) for field, count, example in rows}


def fields(connection: duckdb.DuckDBPyConnection, keys: frozenset[str], made: Normalized) -> list[str]:
    """Every field of a block's records: what stands at their top, and below it what the mapping reads nothing from."""
    found = set(keys)
    connection.register("rest", pa.table({"unmapped": made.events.column("unmapped")}))
    shapes = connection.execute(
        "SELECT DISTINCT json_structure(unmapped) FROM rest WHERE unmapped IS NOT NULL"
    ).fetchall()
    connection.unregister("rest")
    for [shape] in shapes:
        found |= set(_below(json.loads(shape), ""))
    return sorted(found)


def _below(shape: Any, above: str) -> Iterator[str]:
    """The dotted names of a JSON structure's members."""
    members = shape[0] if isinstance(shape, list) and shape else shape
    if isinstance(members, dict):
        for key, inner in members.items():
            yield f"{above}{key}"
            yield from _below(inner, f"{above}{key}.")


def drifted(
    chain: Sequence[Commit], now: Dictionary[str, list[str]], events: Dictionary[str, int]
) -> dict[str, dict[str, list[str]]]:
    """Source -> its fields that no load had before (`new`), and those that every one of the last loads had and this
    one, of some size, has not (`vanished`)."""
    told: dict[str, dict[str, list[str]]] = {}
    for source, found in now.items():
        loads = [known[source] for link in chain if source in (known := link.content.get("fields", {}))]
        if not loads or max(len(found), *map(len, loads)) > MOST_FIELDS:
            continue
        usual = (
            set(loads[-1]).intersection(*loads[-VANISHED_AFTER:]) if len(loads) >= VANISHED_AFTER else set()
        )
        gone = usual - set(found) if events.get(source, 0) >= VANISHED_FROM else set()
        both = {"new": sorted(set(found).difference(*loads)), "vanished": sorted(gone)}
        if any(both.values()):
            told[source] = {name: names for name, names in both.items() if names}
    return told


def by_column(unknown: Dictionary[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Column -> text that its map does not have -> lines, the most frequent first."""
    told: dict[str, dict[str, int]] = {}
    for (column, text), count in sorted(unknown.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        if len(told.setdefault(column, {})) < MOST:
            told[column][text] = count
    return told
