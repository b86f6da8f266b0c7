"""A block with its fates -> two Parquet files of a commit: its lines and its events. Last step of load.

Written the same way every time, so that the same input makes the same bytes: dictionaries only where values repeat,
statistics only where they are asked for, a filter (Bloom's) where one value out of very many is looked for, and short
pages with an index, so that a reader of few rows unpacks little.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from pipeline.block import BLANK, Block
from pipeline.columns import EVENT_COLUMNS
from pipeline.fates import Fates
from pipeline.store import Part, part_names

FATES = ["event", "reject", "blank", "duplicate"]
DUPLICATE = 3
VARIED = {
    "event_uid", "source_event_id", "occurred_at", "occurred_at_raw", "entity_id", "correlation_id", "line", "unmapped",
    "metadata", "message", "raw", "raw_bytes", "byte_offset", "record_sha256", "same_line", "ip_key",
}  # fmt: skip
COUNTED = {"line", "byte_offset", "same_line"}
# Short texts, each another one: their lengths are written first, which is less to write and quicker to read.
NAMES = {"event_uid", "source_event_id", "occurred_at_raw", "entity_id", "correlation_id"}
ASKED_FOR = {"event_uid", "source", "instance", "occurred_at", "actor_id", "actor_email", "entity_type", "entity_id",
             "correlation_id", "line", "fate", "file_sha256", "conflicts_with"}  # fmt: skip
LOOKED_FOR = ("event_uid", "source_event_id", "entity_id", "correlation_id")
MISTAKEN = 0.01  # how often a filter says "perhaps" of what is not there
PAGE_ROWS = 8192
NESTED_VARIED = (
    "entity_ids.list.element", "changes.list.element.old", "changes.list.element.new",
    "related_entities.list.element.id",
    "communications.list.element.body", "communications.list.element.body_sha256",
)  # fmt: skip


def write(path: Path, table: pa.Table) -> None:
    """One Parquet file."""
    leaves = _leaves(table.schema)
    dictionary = [leaf for leaf in leaves if leaf.split(".")[0] not in VARIED and leaf not in NESTED_VARIED]
    encoded = {leaf: "DELTA_BINARY_PACKED" for leaf in leaves if leaf in COUNTED}
    encoded |= {leaf: "DELTA_LENGTH_BYTE_ARRAY" for leaf in leaves if leaf in NAMES}
    filters = {
        leaf: {"ndv": max(table.num_rows, 1), "fpp": MISTAKEN} for leaf in LOOKED_FOR if leaf in leaves
    }
    pq.write_table(
        table, path, bloom_filter_options=filters, write_page_index=True, max_rows_per_page=PAGE_ROWS,
        column_encoding=encoded, compression="zstd", compression_level=1, use_dictionary=dictionary,
        write_statistics=[leaf for leaf in leaves if leaf in ASKED_FOR], store_schema=False, version="2.6",
    )  # fmt: skip
    path.chmod(0o600)


def _leaves(schema: pa.Schema) -> list[str]:
    def below(name: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_list(kind):
            return below(f"{name}.list.element", kind.value_type)
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in below(f"{name}.{field.name}", field.type)]
        return [name]

    return [leaf for field in schema for leaf in below(field.name, field.type)]


def codes(block: Block, fates: Fates, rows: np.ndarray) -> np.ndarray:
    """The fate of each line; `rows` are the lines that hold the records of `fates`."""
    made = np.where(block.fate == BLANK, 2, block.fate)
    made[rows[fates.duplicate]] = DUPLICATE
    return made


def lines(
    block: Block, made: np.ndarray, rows: np.ndarray, fates: Fates, uids: pa.Array, files: Sequence[tuple[str, str]],
    piece: np.ndarray, line: np.ndarray, offset: np.ndarray, commits: Sequence[int],
) -> pa.Table:  # fmt: skip
    """The rows of `lines`: `files` are name and hash of each piece, `uids` the identities of the records at `rows`,
    `commits` the load that brought each piece."""
    dropped = np.zeros(block.lines, bool)
    dropped[rows[fates.dropped]] = True
    raw = pa.compute.if_else(pa.array(dropped), None, block.raw) if dropped.any() else block.raw
    same = fates.first
    event = made == 0
    content = _placed(block.lines, {int(rows_of): text for rows_of, text in _contents(block, event)})
    firsts = (
        {int(rows[n]): first for n, first in enumerate(same) if first is not None}
        if fates.duplicate.any()
        else {}
    )
    numbers = pa.array(piece.astype(np.int32))
    return pa.table(
        {
            "file": coded(numbers, [name for name, _ in files]),
            "file_sha256": coded(numbers, [digest for _, digest in files]),
            "line": pa.array(line),
            "byte_offset": pa.array(offset),
            "fate": pa.DictionaryArray.from_arrays(pa.array(made.astype(np.int32)), pa.array(FATES)),
            "reason": _told(block, "reason"),
            "message": _told(block, "message"),
            "raw": raw,
            "raw_bytes": block.raw_bytes,
            "newline": pa.array(block.newline),
            "record_sha256": content,
            "event_uid": _at(uids, rows, event, block.lines),
            "commit_no": pa.array(np.array(commits, np.int64)[piece]),
            "same_commit": _placed(block.lines, {row: first[0] for row, first in firsts.items()}, pa.int64()),
            "same_file_sha256": _placed(block.lines, {row: first[1] for row, first in firsts.items()}),
            "same_line": _placed(block.lines, {row: first[2] for row, first in firsts.items()}, pa.int64()),
        }
    )


def rewrite(part: Part, lines: pa.Table, folder: Path, number: int) -> dict[str, int]:
    """A part with some of its lines only, and the events among them; no file for none. Returns rows by file."""
    names = part_names(number)
    made = {names[0]: lines}
    if part.events is not None:
        table = pq.ParquetFile(part.events).read()
        left = lines.column("event_uid").combine_chunks()
        made[names[1]] = table.filter(pa.compute.is_in(table.column("event_uid"), value_set=left))
    made = {name: table for name, table in made.items() if table.num_rows}
    for name, table in made.items():
        write(folder / name, table)
    return {name: table.num_rows for name, table in made.items()}


def events(table: pa.Table, extra: dict[str, pa.Array]) -> pa.Table:
    """The rows of `events`, with what the load knows of them."""
    columns = {name: extra[name] if name in extra else table.column(name) for name in EVENT_COLUMNS}
    return pa.table(columns)


def _contents(block: Block, event: np.ndarray) -> list[tuple[int, str]]:
    places = block.rows
    return [(places[n], text) for n, text in block.content.items() if event[places[n]]]


def _told(block: Block, name: str) -> pa.Array:
    return _placed(block.lines, {row: getattr(verdict, name) for row, verdict in block.told.items()})


def _placed(length: int, values: dict[int, object], kind: pa.DataType | None = None) -> pa.Array:
    """A column that is null but in some rows."""
    kind = kind or pa.string()
    if not values:
        return pa.nulls(length, kind)
    mask = np.zeros(length, bool)
    mask[list(values)] = True
    return pa.compute.replace_with_mask(
        pa.nulls(length, kind), pa.array(mask), pa.array([values[row] for row in sorted(values)], kind)
    )


def _at(values: pa.Array, rows: np.ndarray, event: np.ndarray, length: int) -> pa.Array:
    """The values of the records that are events, each in the row of its line."""
    if len(rows) == length and event.all():
        return values
    place = np.full(length, -1, np.int64)
    place[rows] = np.arange(len(rows))
    place[~event] = -1
    return values.take(pa.array(place, mask=place < 0))


def coded(numbers: pa.Array, texts: Sequence[str]) -> pa.Array:
    """A column of few texts, by the number of each."""
    values = pa.array(texts, pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(values.indices.take(numbers), values.dictionary)
