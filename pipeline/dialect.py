"""The plain SQL that a detector may use: one SELECT, known tables, a short list of functions. Part of detector.

The judgement is on DuckDB's own parse tree, so nothing hides in a comment, a string or an unusual spelling. It keeps
rules portable and honest; it is no sandbox: a detector is code of whoever installs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb

from pipeline import engine

TABLES = frozenset(
    """
    activity habits places spans tenants geography events actors calendar
    event_changes event_entities event_messages correlation_groups job_runs files rejects
    status_graph retention_policy
    """.split()
)
FUNCTIONS = frozenset(
    """
    + - * / % || ->> ~~ !~~
    abs any_value arg_max arg_min array_extract asin avg bool_and bool_or cast ceil contains cos count count_if
    count_star date_diff date_part date_trunc dense_rank ends_with epoch exp first_value flatten floor format
    greatest hex isfinite isodow lag last_value lead least left len length list list_contains list_distinct
    list_extract list_has_any list_position list_slice list_sort list_value ln lower mad max median min mode nullif
    quantile_cont quantile_disc radians rank regexp_extract regexp_matches regexp_replace replace right round row
    row_number sha256 sin split_part sqrt starts_with stddev_pop strftime string_agg strlen strpos struct_extract
    substring sum time_bucket timezone to_days to_hours to_minutes to_seconds trim trunc unnest upper
    """.split()
)
NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE"})
NO_PLACE = 2**64 - 1


@dataclass(frozen=True)
class Problem:
    """What is not allowed, and on which line of the file."""

    line: int
    message: str
    hint: str | None = None


def problems(text: str) -> list[Problem]:
    """Everything in a detector's SQL that is not in the dialect, in the order of the file."""
    with engine.connect() as connection:
        try:
            statements = connection.extract_statements(text)
        except duckdb.ParserException as error:
            return [Problem(_error_line(str(error)), f"{first_line(error)}.")]
        if len(statements) != 1 or statements[0].type.name != "SELECT":
            kinds = ", ".join(one.type.name for one in statements) or "nothing"
            return [Problem(1, f"must be exactly one SELECT statement, but holds: {kinds}.")]
        row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [text]).fetchone()
    tree = json.loads(row[0]) if row else {"error": True, "error_message": "no parse tree"}
    if tree["error"]:
        return [Problem(1, f"{tree['error_message']}.")]
    return sorted(_problems(text, tree), key=lambda one: one.line)


@cache
def parameters(text: str) -> frozenset[str]:
    """The names of all `$parameters` of one statement."""
    return frozenset(duckdb.extract_statements(text)[0].named_parameters)


def first_line(error: Exception) -> str:
    """A database error without its drawing of the statement."""
    return str(error).strip().splitlines()[0].rstrip(".!")


def _problems(text: str, tree: Any) -> Iterator[Problem]:
    named = {entry["key"] for node in _nodes(tree) for entry in node.get("cte_map", {}).get("map", [])}
    read_from = [id(node["function"]) for node in _nodes(tree) if node.get("type") == "TABLE_FUNCTION"]
    for node in _nodes(tree):
        place = _line(text, node.get("query_location", NO_PLACE))
        is_call = node.get("class") in ("FUNCTION", "WINDOW") and id(node) not in read_from
        if is_call and node["function_name"] not in FUNCTIONS:
            allowed = ", ".join(sorted(name for name in FUNCTIONS if name.isidentifier()))
            message = f"{node['function_name']}() is not a function that detectors may use."
            yield Problem(place, message, f"Allowed are: {allowed}.")
        kind = str(node.get("type", ""))
        if kind == "TABLE_FUNCTION":
            yield Problem(place, "reads from a function; detectors read tables.", _known_tables())
        if kind == "BASE_TABLE" and (node["schema_name"] or node["table_name"] not in TABLES | named):
            name = ".".join(part for part in (node["schema_name"], node["table_name"]) if part)
            yield Problem(place, f'"{name}" is not a table that detectors may read.', _known_tables())
        if kind.endswith("_NODE") and kind not in NODES:
            yield Problem(
                place, f"{kind.removesuffix('_NODE').lower()} is not allowed; a detector only selects."
            )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for inner in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(inner)


def _known_tables() -> str:
    return f"Allowed are: {', '.join(sorted(TABLES))}."


def _line(text: str, offset: int) -> int:
    """The line of a byte offset; line 1 where the parser knows no place."""
    return 1 if offset == NO_PLACE else text.encode()[:offset].count(b"\n") + 1


def _error_line(message: str) -> int:
    """The line that DuckDB's drawing of a syntax error names."""
    after = message.rpartition("\nLINE ")[2].partition(":")[0]
    return int(after) if after.isdecimal() else 1
