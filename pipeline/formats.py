"""Rows -> bytes of one format, batch by batch: whatever their number, only a batch is in memory. Used by export."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, TYPE_CHECKING, Any

from pipeline import rowtext
from pipeline.batches import BATCH, batches, slices

if TYPE_CHECKING:
    import pyarrow

    from pipeline.rows import Rows


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
    return _lines(
        rows, lambda part: rowtext.csv_lines(*part.unsorted(), guarded=choice.guarded), stream, choice
    )


def jsonl(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """One JSON object a line."""
    return _lines(rows, _json, stream, choice)


def json_document(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """One JSON array, an object a line."""
    stream.write(b"[\n")
    told = _lines(rows, _json, stream, choice, between=",\n")
    stream.write(b"\n]\n")
    return told


def ocsf(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """One OCSF 1.8 record a line."""
    from pipeline import ocsf as records

    count = 0
    for record in chain.from_iterable(map(records.records, slices(rows))):
        stream.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        count += 1
        if count % BATCH == 0:
            choice.done(count)
    return {"rows": count}


def parquet(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """Columns as they are in the store, nested ones too."""
    import pyarrow.parquet as pq

    count = 0
    schema = replace(rows, query=f"SELECT * FROM ({rows.sql}) LIMIT 0", order=(), most=None).arrow().schema
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for batch in batches(rows, lambda part: part.sql, 50 * BATCH):
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


def html(rows: Rows, stream: Stream, choice: Choice) -> Told:
    """The log page: one file to filter, open and export, without a network."""
    from pipeline import shown

    told = shown.log_page(rows, stream)
    choice.done(told["rows"])
    return told


WRITERS: dict[str, Writer] = {
    "csv": csv,
    "json": json_document,
    "jsonl": jsonl,
    "parquet": parquet,
    "xlsx": xlsx,
    "pdf": pdf,
    "html": html,
    "ocsf": ocsf,
}


def _lines(
    rows: Rows, query_of: Callable[[Rows], str], stream: Stream, choice: Choice, between: str | None = None
) -> Told:
    """Write rows of one text column; the text of a batch is one stretch of bytes already."""
    count = 0
    begin, end = (f"'{between}' || ", "") if between else ("", " || chr(10)")
    made = lambda part: f"SELECT {begin}line{end} FROM ({query_of(part)}) AS made(line)"  # noqa: E731
    for batch in batches(rows, made):
        text = _bytes(batch.column(0))
        stream.write(text[len(between) :] if between and not count else text)
        count += batch.num_rows
        choice.done(count)
    return {"rows": count}


def _json(rows: Rows) -> str:
    return rowtext.json_lines(*rows.unsorted())


def _bytes(column: pyarrow.StringArray) -> memoryview:
    _, offsets, data = column.buffers()
    ends = memoryview(offsets).cast("i")[column.offset : column.offset + len(column) + 1]
    return memoryview(data)[ends[0] : ends[-1]]
