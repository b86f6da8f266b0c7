"""Connections to DuckDB: every one of ours is made here, so that none prints where a command's answer goes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

import duckdb


def connect(
    path: str = ":memory:", *, read_only: bool = False, **settings: str | int
) -> duckdb.DuckDBPyConnection:
    """A connection without DuckDB's own bar, which it draws on the standard output when a statement takes long."""
    connection = duckdb.connect(path, read_only=read_only, config=dict(settings))
    with contextlib.suppress(
        duckdb.InvalidInputException
    ):  # in Jupyter without widgets there is none to switch off
        connection.execute("SET enable_progress_bar = false")
    return connection


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Sequence[object]]) -> None:
    """Rows into a table that is there, in one statement: one for each row would take a millisecond each."""
    import pyarrow as pa  # most questions to a store need none

    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    if columns:
        connection.register("rows", pa.table(columns, list(map(str, range(len(columns))))))
        connection.execute(f"INSERT INTO {table} SELECT * FROM rows")
        connection.unregister("rows")
