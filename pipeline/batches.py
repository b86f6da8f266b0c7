"""A question's rows in parts, in order: a stretch of time is sorted at once, never the whole. Used by formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import duckdb

from pipeline.errors import AuditbookError

if TYPE_CHECKING:
    import pyarrow

    from pipeline.rows import Rows

SLICE = 250_000  # rows that are sorted at once
BATCH = 2048  # rows that are handed on at once


def batches(rows: Rows, query_of: Callable[[Rows], str], size: int = BATCH) -> Iterator[pyarrow.RecordBatch]:
    """What `query_of` makes of the rows, part by part; the connection is busy until all are read."""
    for part in slices(rows):
        try:
            reader = rows.con.sql(query_of(part), params=part.values or None).to_arrow_reader(size)
        except duckdb.Error as error:
            raise _unreadable(error) from error
        try:
            yield from _each(reader)
        finally:
            reader.close()
            del reader


def slices(rows: Rows) -> Iterator[Rows]:
    """The same rows as several questions, each of a stretch of time; one when they are few or ordered otherwise."""
    positional = isinstance(rows.values, Sequence)
    if not rows.order or rows.order[0][0] != "occurred_at" or rows.most is not None or not positional:
        yield rows
        return
    edges: list[int | None] = [None, *_edges(rows), None]
    pairs = list(pairwise(edges))
    for since, until in reversed(pairs) if rows.order[0][1] == "DESC" else pairs:
        bounds = {">=": since, "<": until}
        given = {sign: edge for sign, edge in bounds.items() if edge is not None}
        where = " AND ".join(f"occurred_at {sign} make_timestamptz(?::BIGINT)" for sign in given)
        query = f"SELECT * FROM ({rows.query}) WHERE {where or 'true'}"
        yield replace(rows, query=query, values=[*rows.values, *given.values()])


def _edges(rows: Rows) -> list[int]:
    """Moments (in microseconds) that cut the rows into stretches of about the same number."""
    total = rows.count()
    parts = -(-total // SLICE)
    if parts < 2:
        return []
    shares = ", ".join(f"{n / parts:.9f}" for n in range(1, parts))
    asked = f"SELECT quantile_disc(epoch_us(occurred_at), [{shares}]) FROM ({rows.query})"
    [(edges,)] = rows.con.execute(asked, rows.values or None).fetchall()
    return sorted(set(edges))


def _each(reader: pyarrow.RecordBatchReader) -> Iterator[pyarrow.RecordBatch]:
    """What the engine could not do is an error of its own, not one of the file that is written."""
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, RuntimeError, ValueError) as error:  # as Arrow passes the engine's errors on
            raise _unreadable(error) from error
        yield batch


def _unreadable(error: Exception) -> AuditbookError:
    first = str(error).partition("\n")[0]
    return AuditbookError(f"the rows could not be read: {first}")
