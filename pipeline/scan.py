"""Bytes of JSON lines -> a judged block, as fast as Python can: what is plainly right is seen in bulk. Part of load.

A chunk of lines is right when decoding it and encoding it again gives the same bytes: nothing was repaired, dropped or
said twice. Chunks that fail, for white space or for worse, go line by line to the judge of record, `lines.judge`. Where
the compiled judge is installed it says which lines are right, and takes their members out on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import compiled
from pipeline.block import CODES, EVENT, Block
from pipeline.lines import BOM, EMPTY, Verdict, judge

CHUNK = 64 * 1024
NEWLINE = 10
MAX_FIELDS = 200
NESTED = 200  # more brackets than these may be nested too deep, and only the judge of record tells
OFTEN = 0.1  # when the compiled judge asks about more lines than this, its way is not the shorter one
_ENCODER = msgspec.json.Encoder()
_ANY = msgspec.json.Decoder(dict[str, Any])
_ESCAPED = re.compile(r'["\\\x00-\x1f]')  # in JSON; a struct has no field of such a name
_NOT_DECODED = (msgspec.MsgspecError, UnicodeDecodeError)
_TYPE = {str: str | None, int: int | float | None, float: int | float | None, bool: bool | None}


class Scanner:
    """Judges the lines of one source; learns in what order its records have their keys."""

    def __init__(self, repeated: Sequence[str] = ()) -> None:
        self._repeated = repeated
        self._shape: msgspec.json.Decoder[list[Any]] | None = None
        self._fields: tuple[str, ...] = ()
        self._spaced = False
        self._misses = 0

    def scan(
        self, data: bytes | memoryview, first: bool, wanted: compiled.Wanted = MappingProxyType({})
    ) -> Block:
        """The lines of the data, whose last one may lack its end; `first` when it begins a file. What is `wanted` of
        its records is taken out where that costs nothing. The block's texts lie where the data do."""
        if not data:
            return _empty()
        unended = data[-1] != NEWLINE
        text = memoryview(b"".join((data, b"\n")) if unended else data)
        ends = compiled.line_ends(text)
        if ends is None:
            ends = np.flatnonzero(np.frombuffer(text, np.uint8) == NEWLINE).astype(np.int64) + 1
        starts = np.concatenate(([0], ends[:-1]))
        fate = np.zeros(len(ends), np.int8)
        told: dict[int, Verdict] = {}
        keys: set[str] = set()
        first = first and text[: len(BOM)] == BOM
        done = compiled.scan(text, ends, wanted)
        if done is None or done.asked.mean() > OFTEN:
            done = None
            self._in_chunks(text, starts, ends, told, keys, first)
        else:
            keys.update(done.keys)
            for row in np.flatnonzero(done.asked).tolist():
                self._slowly(text, starts, ends, row, row + 1, told, keys, first and row == 0)
        newline = np.ones(len(ends), bool)
        newline[-1] = not unended
        for place, verdict in told.items():
            fate[place] = CODES[verdict.fate]
        block = _block(text, ends, newline, starts, fate, told, frozenset(keys))
        if done is None or len(block.records) != np.count_nonzero(~done.asked):
            return block  # a record that was asked about is one of which nothing was taken out
        return replace(block, members=done.members)

    def _in_chunks(
        self, text: memoryview, starts: np.ndarray, ends: np.ndarray, told: dict[int, Verdict], keys: set[str],
        first: bool,
    ) -> None:  # fmt: skip
        row = 0
        if first:
            self._slowly(text, starts, ends, 0, 1, told, keys, first=True)
            row = 1
        while row < len(ends):
            until = max(int(np.searchsorted(ends, starts[row] + CHUNK, "right")), row + 1)
            chunk = bytes(text[starts[row] : ends[until - 1]])
            deep = _may_be_deep(chunk, starts[row:until] - starts[row])
            if deep or not self._right(chunk, until - row, keys):
                self._slowly(text, starts, ends, row, until, told, keys)
            row = until

    def _right(self, chunk: bytes, lines: int, keys: set[str]) -> bool:
        """Whether a chunk is so many plain records, whichever way it is spaced."""
        objects = self._decoded(chunk)
        if objects is None or len(objects) != lines:
            return False
        if self._spaced and _spaced(objects, chunk):
            pass
        elif _ENCODER.encode_lines(objects) == chunk:
            self._spaced = False
        elif not self._spaced and _spaced(objects, chunk):
            self._spaced = True
        else:
            return self._right_as_dicts(chunk, lines, keys)
        self._note(objects, keys)
        return True

    def _right_as_dicts(self, chunk: bytes, lines: int, keys: set[str]) -> bool:
        """The shape that was learnt did not fit: the keys may stand in another order."""
        if self._shape is None:
            return False
        self._misses += 1
        self._shape = None
        return self._right(chunk, lines, keys)

    def _decoded(self, chunk: bytes) -> list[Any] | None:
        try:
            if self._shape is not None:
                return self._shape.decode_lines(chunk)
        except _NOT_DECODED:
            self._misses += 1
            self._shape = None
        try:
            objects = _ANY.decode_lines(chunk)
        except _NOT_DECODED:
            return None
        if self._misses < 3 and objects:
            self._shape, self._fields = _shape(objects)
        return objects

    def _note(self, objects: list[Any], keys: set[str]) -> None:
        if objects and isinstance(objects[0], dict):
            keys.update(*objects)
        else:
            keys.update(self._fields)

    def _slowly(
        self, text: memoryview, starts: np.ndarray, ends: np.ndarray, row: int, until: int, told: dict[int, Verdict],
        keys: set[str], first: bool = False,
    ) -> None:  # fmt: skip
        for place in range(row, until):
            line = bytes(text[starts[place] : ends[place] - 1])
            if first:
                line = b"   " + line[3:]
            if not line.strip():
                told[place] = EMPTY
                continue
            found = _plain(line)
            if found is not None:
                keys.update(found)
                if first:
                    told[place] = Verdict("event", record=line.decode())
                continue
            verdict = judge(line, self._repeated)
            if verdict.fate == "event":
                keys.update(msgspec.json.decode(verdict.record or "{}"))
            if verdict.fate != "event" or first or (verdict.record or "").encode() != line:
                told[place] = verdict


def _plain(line: bytes) -> dict[str, Any] | None:
    """The record of a line that is right beyond doubt."""
    if line.count(b"{") + line.count(b"[") > NESTED:
        return None
    try:
        record = _ANY.decode(line)
    except _NOT_DECODED:
        return None
    encoded = _ENCODER.encode(record)
    if encoded == line or msgspec.json.format(encoded, indent=0) == line:
        return record
    return None


def _may_be_deep(chunk: bytes, starts: np.ndarray) -> bool:
    """Whether one of the lines opens so many brackets that it may be nested too deep."""
    opened = (np.frombuffer(chunk, np.uint8) | 0x20) == ord("{")  # "[" is the same but for this bit
    each = np.add.reduceat(opened, starts, dtype=np.uint8)  # the quickest sum, which begins again at 256
    return bool(each.max() > NESTED) or int(each.sum()) != np.count_nonzero(opened)


def _spaced(objects: list[Any], chunk: bytes) -> bool:
    """Written with a space after each comma and colon, as Python's own writer does."""
    as_list = b"[" + chunk[:-1].replace(b"\n", b", ") + b"]"
    return msgspec.json.format(_ENCODER.encode(objects), indent=0) == as_list


def _shape(objects: list[dict[str, Any]]) -> tuple[msgspec.json.Decoder[list[Any]] | None, tuple[str, ...]]:
    """A decoder for records that have these keys in this order, some of them perhaps not."""
    fields: dict[str, Any] = {}
    for record in objects:
        for key, value in record.items():
            seen = _TYPE.get(type(value), Any) if value is not None else None
            known = fields.get(key)
            fields[key] = seen if known is None else known if seen is None or seen == known else Any
    if not fields or len(fields) > MAX_FIELDS or any(map(_ESCAPED.search, fields)):
        return None, ()
    named = [(f"f{n}", _member(kind), msgspec.UNSET) for n, kind in enumerate(fields.values())]
    struct = msgspec.defstruct(
        "Record",
        named,
        rename={f"f{n}": key for n, key in enumerate(fields)},
        gc=False,
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(struct), tuple(fields)


def _member(kind: Any) -> Any:
    return Any if kind is None or kind is Any else kind | msgspec.UnsetType


def _block(
    text: memoryview, ends: np.ndarray, newline: np.ndarray, starts: np.ndarray, fate: np.ndarray,
    told: dict[int, Verdict], keys: frozenset[str],
) -> Block:  # fmt: skip
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    whole = pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)])
    lines = pc.binary_slice(whole, 0, -1)
    undecodable = [row for row, verdict in told.items() if verdict.reason in ("not_utf8", "too_long")]
    raw_bytes = pa.nulls(len(ends), pa.binary())
    if undecodable:
        lines, raw_bytes = _set_apart(lines, undecodable)
    raw = lines.cast(pa.string())
    records = raw if not told else raw.filter(pa.array(fate == EVENT))
    other = {row: v.record for row, v in told.items() if v.fate == "event"}
    content: dict[int, str] = {}
    if other:
        records, content = _replaced(records, fate, other, told)
    plain = {row: verdict for row, verdict in told.items() if verdict.fate != "event"}
    return Block(raw, raw_bytes, newline, starts, fate, plain, records, keys, content)


def _set_apart(lines: pa.Array, rows: list[int]) -> tuple[pa.Array, pa.Array]:
    """Lines that are no text are kept as bytes beside."""
    values = {row: lines[row].as_py() for row in rows}
    odd = {row: value for row, value in values.items() if _is_no_text(value)}
    mask = np.zeros(len(lines), bool)
    mask[list(odd)] = True
    apart = pa.array([odd.get(row) for row in range(len(lines))], pa.binary())
    return pc.replace_with_mask(lines, pa.array(mask), pa.nulls(len(odd), pa.binary())), apart


def _is_no_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return True
    return False


def _replaced(
    records: pa.Array, fate: np.ndarray, other: dict[int, str | None], told: dict[int, Verdict]
) -> tuple[pa.Array, dict[int, str]]:
    """Records that are read otherwise than their line is written."""
    place = np.cumsum(fate == EVENT) - 1
    texts = {int(place[row]): text for row, text in other.items()}
    made = pa.array([texts.get(n, text) for n, text in enumerate(records.to_pylist())], pa.string())
    return made, {int(place[row]): told[row].content or "" for row in other}


def _empty() -> Block:
    nothing = np.array([], np.int64)
    text, binary = pa.array([], pa.string()), pa.array([], pa.binary())
    return Block(text, binary, nothing.astype(bool), nothing, nothing.astype(np.int8), {}, text, frozenset())
