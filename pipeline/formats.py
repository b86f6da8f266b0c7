"""Rows -> bytes of one format, batch by batch: whatever their number, only a batch is in memory. Used by export."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import duckdb

from pipeline import rowtext
from pipeline.errors import AuditbookError

if TYPE_CHECKING:
    import pyarrow

    from pipeline.query import Rows

BATCH = 2048
MEMORY = "512MiB"  # what sorting may take before it spills; the engine's own limit is most of the machine


@dataclass(frozen=True)
class Choice:
    """What a writer is told besides the rows: whether cells are made safe, and whom to tell how far it is."""

    guarded: bool = True
    done: Callable[[int], None] = lambda rows: None


Told = dict[str, Any]
Stream = IO[bytes] | io.RawIOBase
Writer = Callable[["Rows", Stream, Choice], Told]


def csv(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """Comma-separated, header first; what a spreadsheet would run as a formula gets an apostrophe before it."""
    from pipeline.export import to_csv

    header = [name for name in rows.columns if name not in rowtext.NOT_FOR_PEOPLE]
    stream.writelines(line.encode() for line in to_csv([], header, guarded=choice.guarded))
    return _lines(rows, rowtext.csv_lines(*rows.unsorted(), guarded=choice.guarded), stream, choice)


def jsonl(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """One JSON object a line."""
    return _lines(rows, rowtext.json_lines(*rows.unsorted()), stream, choice)


def json_document(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """One JSON array, an object a line."""
    stream.write(b"[\n")
    told = _lines(rows, rowtext.json_lines(*rows.unsorted()), stream, choice, between=",\n")
    stream.write(b"\n]\n")
    return told


def ocsf(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """One OCSF 1.8 record a line."""
    from pipeline import ocsf as records

    count = 0
    for count, record in enumerate(records.records(rows), 1):
        stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        if count % BATCH == 0:
            choice.done(count)
    return {"rows": count}


def parquet(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """Columns as they are in the store, nested ones too."""
    import pyarrow.parquet as pq

    count = 0
    with (
        batches(rows, rows.sql, 50 * BATCH) as read,
        pq.ParquetWriter(stream, read.schema, compression="zstd") as writer,
    ):
        for batch in each(read):
            writer.write_batch(batch)
            count += batch.num_rows
            choice.done(count)
    return {"rows": count}


def xlsx(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """A workbook; what one sheet cannot hold goes on in the next."""
    from pipeline import workbook

    return workbook.write(rows, stream, choice.done)


def pdf(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """A document to read and to hand over."""
    from pipeline import shown

    told = shown.pdf(rows, stream)
    choice.done(told["rows"])
    return told


WRITERS: dict[str, Writer] = {
    "csv": csv,
    "json": json_document,
    "jsonl": jsonl,
    "parquet": parquet,
    "xlsx": xlsx,
    "pdf": pdf,
    "ocsf": ocsf,
}


@contextmanager
def batches(rows: Rows, query: str, size: int = BATCH) -> Iterator[pyarrow.RecordBatchReader]:
    """The rows of a query in parts, sorted within bounded memory; the connection is busy until they are read."""
    asked = """SELECT set, least(parse_formatted_bytes(set), parse_formatted_bytes(?))
      FROM (SELECT current_setting('memory_limit') AS set)"""
    [(before, limit)] = rows.con.execute(asked, [MEMORY]).fetchall()
    rows.con.execute(f"SET memory_limit = '{limit}B'")
    try:
        reader = _reader(rows, query, size)
        try:
            yield reader
        finally:
            reader.close()
            del reader
    finally:
        # What the engine tells is rounded; set again and again it would shrink.
        rows.con.execute(
            "RESET memory_limit" if before == _default_memory() else f"SET memory_limit = '{before}'"
        )


@cache
def _default_memory() -> str:
    with duckdb.connect() as other:
        [(limit,)] = other.execute("SELECT current_setting('memory_limit')").fetchall()
    return str(limit)


def _reader(rows: Rows, query: str, size: int) -> pyarrow.RecordBatchReader:
    try:
        return rows.con.sql(query, params=rows.values or None).to_arrow_reader(size)
    except duckdb.Error as error:
        raise _unreadable(error) from error


def each(reader: pyarrow.RecordBatchReader) -> Iterator[pyarrow.RecordBatch]:
    """The parts one by one; what the engine could not do is an error of its own, not one of the file."""
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


def _lines(rows: Rows, query: str, stream: Stream, choice: Choice, between: str | None = None) -> Told:
    """Write rows of one text column; the text of a batch is one stretch of bytes already."""
    count = 0
    begin, end = (f"'{between}' || ", "") if between else ("", " || chr(10)")
    with batches(rows, f"SELECT {begin}line{end} FROM ({query}) AS made(line)") as read:
        for batch in each(read):
            text = _bytes(batch.column(0))
            stream.write(text[len(between) :] if between and not count else text)
            count += batch.num_rows
            choice.done(count)
    return {"rows": count}


def _bytes(column: pyarrow.StringArray) -> memoryview:
    _, offsets, data = column.buffers()
    ends = memoryview(offsets).cast("i")[column.offset : column.offset + len(column) + 1]
    return memoryview(data)[ends[0] : ends[-1]]
