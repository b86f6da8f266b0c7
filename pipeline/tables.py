"""What the tables of a store hold, column by column: the database's own list beside one sentence for each."""

from __future__ import annotations

import importlib.resources
import json
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

import duckdb


@dataclass(frozen=True)
class Column:
    name: str
    kind: str
    meaning: str | None


@dataclass(frozen=True)
class Table:
    """A table or view; `about` and a column's meaning are None when nobody wrote them."""

    name: str
    about: str | None
    columns: tuple[Column, ...]


def tables(connection: duckdb.DuckDBPyConnection) -> list[Table]:
    """Every table and view that a user sees, those that are documented first, in the order of the document."""
    written = _written()
    found: dict[str, list[Column]] = {}
    for table, name, kind in connection.execute(_COLUMNS).fetchall():
        found.setdefault(table, []).append(Column(name, kind, _meaning(table, name)))
    order = [*(name for name in written if name in found), *sorted(found.keys() - written.keys())]
    return [Table(name, written.get(name, {}).get("about"), tuple(found[name])) for name in order]


_COLUMNS = """SELECT table_name, column_name, data_type FROM duckdb_columns()
  WHERE NOT internal AND database_name NOT IN ('temp', 'system') ORDER BY table_name, column_index"""


def page(connection: duckdb.DuckDBPyConnection) -> str:
    """The same as a document."""
    parts = [
        "# Tables",
        "Made from the store and schemas/ (`make accept`). Open with `auditbook sql`, `log.sql(…)`, or any "
        "DuckDB: `duckdb -readonly store/auditbook.duckdb`. Times are instants in UTC; JSON columns are read with "
        '`->>`. `auditbook sql "describe events"` prints the types of a table.',
    ]
    for table in tables(connection):
        rows = [f"| `{one.name}` | {_cell(one.kind)} | {one.meaning} |" for one in table.columns]
        parts.append(
            "\n".join(
                [
                    f"## {table.name}\n",
                    f"{table.about}\n",
                    "| column | type | meaning |",
                    "|---|---|---|",
                    *rows,
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def _cell(kind: str) -> str:
    """A type in few words: what is in a structure stands in the schema."""
    short = kind.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")
    return f"{short.partition('(')[0]}{'[]' if short.endswith('[]') else ''}" if "(" in short else short


def _meaning(table: str, column: str) -> str | None:
    """What is written for this table, else what a finding's or an event's column of that name means."""
    own = _written().get(table, {}).get("columns", {}).get(column)
    inherited = ("finding", "event") if "finding" in table or table in _OF_FINDINGS else ("event", "finding")
    return own or next((text for schema in inherited if (text := _described(schema).get(column))), None)


_OF_FINDINGS = ("dispositions", "detector_coverage")


@cache
def _written() -> dict[str, Any]:
    return tomllib.loads((importlib.resources.files("schemas") / "tables.toml").read_text("utf-8"))


@cache
def _described(schema: str) -> dict[str, str]:
    text = (importlib.resources.files("schemas") / f"{schema}.schema.json").read_text("utf-8")
    return {
        name: one["description"]
        for name, one in json.loads(text)["properties"].items()
        if "description" in one
    }
