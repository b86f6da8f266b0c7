"""The forms that exports have, and what cuts each into judged lines. Part of load.

Every splitter has `blocks(stream, block_bytes)`: tables of lines.BLOCK_SCHEMA that, put together, are the file's bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Protocol

import jiter
import msgspec
import pyarrow as pa

from pipeline.forms.csv import Csv
from pipeline.forms.document import Document, inside, says_nothing, where
from pipeline.forms.schema import checker
from pipeline.forms.window import partly
from pipeline.inputs import RECOGNISED_FROM, Input
from pipeline.lines import BLOCK_BYTES, BOM, Readable, Splitter
from pipeline.mapping import Mapping
from pipeline.marks import fits

RECORDS = 50
SPACE = b" \t\r\n"

Record = dict[str, Any]
_DECODER = msgspec.json.Decoder()


class Form(Protocol):
    """What cuts a file into judged lines; afterwards `line` and `offset` are how many lines and bytes there were."""

    line: int
    offset: int

    def blocks(self, stream: Readable, block_bytes: int = BLOCK_BYTES) -> Iterator[pa.Table]: ...


def splitter(one: Input, mapping: Mapping | None) -> Form:
    """What cuts this file."""
    repeated = mapping.repeated if mapping else ()
    check = checker(mapping)
    kind = form(one, mapping)
    if kind == "csv":
        return Csv(repeated, check, mapping=mapping)
    if kind == "json":
        return Document(repeated, check, mapping=mapping)
    return Splitter(repeated, check)


def form(one: Input, mapping: Mapping | None) -> str:
    """`lines` (of JSON), `json` (of another layout) or `csv`; where the name does not say, the first bytes do."""
    if one.kind == "json":
        return "lines" if _is_lines(one.begun(), mapping) else "json"
    if one.kind != "any":
        return one.kind or "lines"
    begun = one.begun()
    if begun.removeprefix(BOM).lstrip(SPACE)[:1] in (b"{", b"["):
        return "lines" if _is_lines(begun, mapping) else "json"
    names = [
        dict.fromkeys(splitter.names, "") for splitter in [Csv(mapping=mapping)] if _rows(splitter, begun)
    ]
    return "csv" if mapping and any(fits(record, mapping) for record in names) else "lines"


def first_records(one: Input, begun: bytes | None = None) -> tuple[list[Record], bool]:
    """The records at a file's beginning, as far as they can be told without a source, and whether it says anything."""
    begun = one.begun() if begun is None else begun
    more = len(begun) >= RECOGNISED_FROM  # behind so much white space there may be records
    begun = begun.removeprefix(BOM)
    if not begun.strip(SPACE if one.kind == "csv" else SPACE + b"[]"):
        return [], more
    if one.kind == "csv":
        own = Csv()
        rows = _rows(own, begun)
        return [dict.fromkeys(own.names, ""), *rows] if own.names else [], True
    if one.kind == "json" and not _is_lines(begun, None):
        value = partly(begun.lstrip(SPACE))
        return _of_document(value), more or not (isinstance(value, dict) and says_nothing(value))
    return _of_lines(begun), True


def _is_lines(begun: bytes, mapping: Mapping | None) -> bool:
    """Whether the first line is a record by itself, and what follows, if anything, is another."""
    written = [line for line in begun.removeprefix(BOM).split(b"\n") if line.strip(SPACE)]
    record = _object(written[0]) if written else None
    if record is None:
        return False
    others = written[1:]
    if others:
        return others[0].lstrip(SPACE).startswith(b"{") and not _lists_records(record, mapping)
    return not _lists_records(record, mapping) and where(record, mapping, records=False) is None


def _lists_records(record: Record, mapping: Mapping | None) -> bool:
    lists = [one for one in inside(record).values() if one and isinstance(one[0], dict)]
    if mapping is not None and fits(record, mapping):
        return any(fits(one[0], mapping) for one in lists)
    return bool(lists)


def _of_lines(begun: bytes) -> list[Record]:
    first = begun.split(b"\n", RECORDS)[:RECORDS]
    try:
        found = _DECODER.decode_lines(b"\n".join(first))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # A line is none, and be it for being cut.
        found = [_object(line) for line in first] if len(first) > 1 else [partly(begun.lstrip(SPACE))]
    return [record for record in found if isinstance(record, dict)]


def _of_document(value: Any) -> list[Record]:
    if isinstance(value, list):
        return [one for one in value[:RECORDS] if isinstance(one, dict)]
    if not isinstance(value, dict):
        return []
    lists = inside(value).values()
    return [value, *(one for found in lists for one in found[:RECORDS] if isinstance(one, dict))]


def _rows(own: Csv, begun: bytes) -> list[Record]:
    """The whole records at the beginning of CSV."""
    whole = begun[: begun.rfind(b"\n") + 1] if len(begun) >= RECOGNISED_FROM else begun
    texts = [text for block in own.blocks(io.BytesIO(whole)) for text in block.column("record").to_pylist()]
    found = (_object(text.encode()) for text in texts[:RECORDS] if text)
    return [record for record in found if record is not None]


def _object(line: bytes) -> Record | None:
    try:
        value = jiter.from_json(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
