"""What a mapping does not know yet: texts that its maps have no word for, fields that nothing reads. Read off a block.

A text is unknown when a map does not have it and the column came to nothing by it: null, `other` or `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as Dictionary
from typing import Any

import duckdb

from pipeline.columns import VOCABULARIES
from pipeline.expressions import Expressions
from pipeline.modifiers import quote

MOST = 100  # different texts or fields of one block; a column with more is no enumeration
NO_ANSWER = "('other', 'unknown')"
EXAMPLE = 60


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


def unknown_values(
    connection: duckdb.DuckDBPyConnection, watched: Dictionary[str, str]
) -> dict[tuple[str, str], int]:
    """(column, text) -> lines of the block; `watched` says which extra column watches which."""
    counts: dict[tuple[str, str], int] = {}
    for name, column in watched.items():
        rows = connection.execute(
            f"""SELECT {name}, count(*) FROM picked
            WHERE {name} IS NOT NULL AND coalesce({column}, 'other') IN {NO_ANSWER}
            GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST}"""
        ).fetchall()
        for text, count in rows:
            counts[column, text] = max(count, counts.get((column, text), 0))
    return counts


def unmapped_fields(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[int, str]]:
    """Dotted field -> events of the block that have it and an example of its value."""
    rows = connection.execute(
        f"""SELECT leaf.field, count(*), left(min(leaf.value), {EXAMPLE})
        FROM (SELECT unnest(leaves(unmapped::JSON)) AS leaf FROM decided WHERE fate = 'event' AND unmapped IS NOT NULL)
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST * 10}"""
    ).fetchall()
    return {field: (count, example) for field, count, example in rows}


def by_column(unknown: Dictionary[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Column -> text that its map does not have -> lines, the most frequent first."""
    told: dict[str, dict[str, int]] = {}
    for (column, text), count in sorted(unknown.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        if len(told.setdefault(column, {})) < MOST:
            told[column][text] = count
    return told
