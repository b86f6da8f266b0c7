"""The compiled judge of lines, where a compiler was at hand when auditbook was installed. Part of load.

`scan` does what `scan.Scanner` and `extract` do in Python, for the lines that it is certain of. It is a plain library
(scanning/), which needs no headers of Python; AUDITBOOK_COMPILED=0 leaves it alone.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.paths import is_position, keys_of

LIBRARY = Path(__file__).with_name("scanning.so")
INTERFACE = 9  # of scanning/judge.c
MOST_TOP, MOST_COLUMNS = 128, 512
SPARSE = 8  # times as many records as values, from which on a column says each value once
MOST_FIRST = 1000  # lines that are looked at to find out what occurs
MOST_KEYS, MOST_INNER_KEYS, MOST_WAYS = 256, 1024, 8  # as in scanning/
# What is wanted of a record: name of the column -> JSON pointer and kind; as a text or JSON value, in the way of
# DuckDB's from_json at the top (VARCHAR, JSON) or of its json_extract (text, json).
Wanted = Mapping[str, tuple[str, str]]
_KINDS = {"VARCHAR": 0, "JSON": 1, "text": 2, "json": 3}


class _Node(ctypes.Structure):
    """A key on the way to something wanted: node of judge.c."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("length", ctypes.c_int64), ("inside", ctypes.c_int32),
        ("beside", ctypes.c_int32), ("text", ctypes.c_int32), ("json", ctypes.c_int32),
    )  # fmt: skip


class _Column(ctypes.Structure):
    """Where values are written to: column of judge.c."""

    _fields_ = (
        ("kind", ctypes.c_int32), ("doubtful", ctypes.c_int32), ("offsets", ctypes.c_void_p),
        ("rows", ctypes.c_void_p), ("data", ctypes.c_void_p), ("room", ctypes.c_int64), ("count", ctypes.c_int64),
        ("touched", ctypes.c_int32), ("doubt", ctypes.c_int32), ("valid", ctypes.c_int32),
    )  # fmt: skip


class _Way(ctypes.Structure):
    """The keys of an envelope: way of envelopes.c."""

    _fields_ = (
        ("depth", ctypes.c_int32), ("names", ctypes.c_char_p * MOST_WAYS), ("lengths", ctypes.c_int64 * MOST_WAYS),
    )  # fmt: skip


class _Spelling(ctypes.Structure):
    """A key of a mapping: spelling of spelling.c."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("length", ctypes.c_int64), ("next", ctypes.c_int32), ("kind", ctypes.c_int32),
        ("other", ctypes.c_void_p), ("there", ctypes.c_int64),
    )  # fmt: skip


class _Part(ctypes.Structure):
    """A key of which something is read: part of leftover.c."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("length", ctypes.c_int64), ("inside", ctypes.c_int32),
        ("beside", ctypes.c_int32), ("empty", ctypes.c_int32),
    )  # fmt: skip


@dataclass(frozen=True)
class Scanned:
    """Which lines the judge of record is asked about; the keys of the others, and of their members the certain ones;
    `inner` are the keys below the top, when somebody asked and there are not too many."""

    asked: np.ndarray
    keys: frozenset[str]
    members: dict[str, pa.Array]
    inner: frozenset[str] | None = None


@cache
def library() -> ctypes.CDLL | None:
    """The library; nothing where there is none, or none that can be opened."""
    if os.environ.get("AUDITBOOK_COMPILED") == "0" or not LIBRARY.is_file():
        return None
    try:
        found = ctypes.CDLL(str(LIBRARY))
        interface = found.auditbook_interface()
    except (OSError, AttributeError):  # made for another machine, or by an older auditbook
        return None
    if interface != INTERFACE:
        return None
    for name in ("scan", "spell", "lines", "codes", "together"):
        getattr(found, f"auditbook_{name}").restype = ctypes.c_int64
    found.auditbook_give_back.argtypes = [ctypes.c_void_p]
    return found


def line_ends(text: memoryview) -> np.ndarray | None:
    """Behind each newline; nothing without the library."""
    found = library()
    if found is None:
        return None
    begin = address_of(np.frombuffer(text, np.uint8))
    ends = np.empty(found.auditbook_lines(begin, ctypes.c_int64(len(text)), None), np.int64)
    found.auditbook_lines(begin, ctypes.c_int64(len(text)), address_of(ends))
    return ends


def scan(text: bytes | memoryview, ends: np.ndarray, wanted: Wanted) -> Scanned | None:
    """Judge lines, whose newlines end at `ends`, and take what is wanted out of them."""
    if _are_too_many(wanted):
        return _of_what_occurs(text, ends, wanted)
    return _scan(address_of(np.frombuffer(text, np.uint8)), len(text), ends, wanted)


def of_records(records: pa.Array, wanted: Wanted, *, inner: bool = False) -> Scanned | None:
    """The same for records that were judged before; nothing where one of them is not certain."""
    given = _given(records)
    if given is None:
        return None
    text, ends = given
    found = _scan(text, int(ends[-1]), ends, wanted, judged=True, inner=inner)
    return None if found is None or found.asked.any() else found


def opened(records: pa.Array, envelopes: Sequence[tuple[str, ...]]) -> pa.Array | None:
    """As `records.unwrapped_sql` has them; nothing where one of them is not certain."""
    given, count = _given(records), len(envelopes)
    if given is None or any(len(keys) > MOST_WAYS or any(map(is_position, keys)) for keys in envelopes):
        return None
    text, ends = given
    ways = (_Way * count)(*(_way([key.encode() for key in keys]) for keys in envelopes))
    made, offsets = np.empty(int(ends[-1]) + 32 * len(ends), np.uint8), np.empty(len(ends) + 1, np.int32)
    certain = library().auditbook_open(  # type: ignore[union-attr]
        text, address_of(ends), ctypes.c_int64(len(ends)), ways, ctypes.c_int32(count), address_of(made),
        address_of(offsets),
    )  # fmt: skip
    return _written(made, offsets) if certain else None


def spelled(records: pa.Array, keys: Collection[str]) -> pa.Array | None:
    """As `records.spelled_sql` has them; nothing where one of them is not certain."""
    given = _given(records)
    if given is None or not "".join(keys).isascii():
        return None
    text, ends = given
    names = [key.encode() for key in sorted(keys)]
    known = (_Spelling * len(names))(*(_Spelling(name, len(name)) for name in names))
    made, offsets = np.empty(int(ends[-1]), np.uint8), np.empty(len(ends) + 1, np.int32)
    changed = library().auditbook_spell(  # type: ignore[union-attr]
        text, address_of(ends), ctypes.c_int64(len(ends)), known, ctypes.c_int32(len(names)), address_of(made),
        address_of(offsets),
    )  # fmt: skip
    return None if changed < 0 else _written(made, offsets) if changed else records


def leftover(records: pa.Array, patch: Mapping[str, Any]) -> tuple[pa.Array, np.ndarray] | None:
    """Records without what a merge patch takes out of them, and of which of them the engine is asked."""
    given = _given(records)
    if given is None:
        return None
    text, ends = given
    count = len(ends)
    made, offsets = np.empty(int(ends[-1]), np.uint8), np.empty(count + 1, np.int32)
    valid, asked = np.empty(count, np.uint8), np.empty(count, np.uint8)
    library().auditbook_leftover(  # type: ignore[union-attr]
        text, address_of(ends), ctypes.c_int64(count), _parts(patch), address_of(made), address_of(offsets),
        address_of(valid), address_of(asked),
    )  # fmt: skip
    bits = np.packbits(valid, bitorder="little")
    buffers = [pa.py_buffer(array) for array in (bits, offsets, made[: offsets[-1]])]
    return pa.Array.from_buffers(pa.string(), count, buffers), asked


def mangled(texts: pa.Array, firsts: np.ndarray, others: np.ndarray) -> np.ndarray | None:
    """In which texts a character of one set stands before one of another, or an escape of such a one: see mangled.c.
    The sets are bits of 65,536 characters."""
    found = library()
    if found is None or not len(texts) or texts.buffers()[2] is None:
        return None
    _, offsets, data = texts.buffers()
    marked = np.empty(len(texts), np.uint8)
    found.auditbook_mangled(
        ctypes.c_void_p(data.address), ctypes.c_void_p(offsets.address + 4 * texts.offset), ctypes.c_int64(len(texts)),
        address_of(firsts), address_of(others), address_of(marked),
    )  # fmt: skip
    return marked.astype(bool)


def times(texts: pa.Array, *, epoch: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Microseconds since 1970 of texts, and what each is: see times.c."""
    found = library()
    if found is None or not len(texts) or texts.buffers()[2] is None:
        return None
    _, offsets, data = texts.buffers()
    micros, how = np.zeros(len(texts), np.int64), np.zeros(len(texts), np.uint8)
    found.auditbook_times(
        ctypes.c_void_p(data.address), ctypes.c_void_p(offsets.address + 4 * texts.offset), ctypes.c_int64(len(texts)),
        ctypes.c_int32(epoch), address_of(micros), address_of(how),
    )  # fmt: skip
    if texts.null_count:
        how[np.asarray(texts.is_null())] = 0
    return micros, how


def _given(records: pa.Array) -> tuple[ctypes.c_void_p, np.ndarray] | None:
    """Where records begin and each of them ends; nothing without the library, or without records."""
    if library() is None or records.null_count or not len(records):
        return None
    _, offsets, data = records.buffers()
    ends = np.frombuffer(offsets, np.int32)[records.offset : records.offset + len(records) + 1]
    return ctypes.c_void_p(data.address + int(ends[0])), ends[1:].astype(np.int64) - int(ends[0])


def _written(made: np.ndarray, offsets: np.ndarray) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(made)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers, 0)


def _way(keys: list[bytes]) -> _Way:
    return _Way(
        len(keys), (ctypes.c_char_p * MOST_WAYS)(*keys), (ctypes.c_int64 * MOST_WAYS)(*map(len, keys))
    )


def _are_too_many(wanted: Wanted) -> bool:
    return len(wanted) > MOST_COLUMNS or len({keys_of(place)[0] for place, _ in wanted.values()}) > MOST_TOP


def _of_what_occurs(text: bytes | memoryview, ends: np.ndarray, wanted: Wanted) -> Scanned | None:
    """Of very many members only those are looked for that occur: in the first lines and, if there are more, in all."""
    found = scan(text, ends[:MOST_FIRST], {})
    there: Wanted | None = None
    while found is not None:
        occur = {name: one for name, one in wanted.items() if keys_of(one[0])[0] in found.keys}
        if occur == there:
            nothing = pa.nulls(len(ends) - int(found.asked.sum()), pa.string())
            return replace(
                found, members=dict.fromkeys(wanted.keys() - there.keys(), nothing) | found.members
            )
        there = occur
        found = scan(text, ends, {} if _are_too_many(there) else there)
    return None


def _scan(
    text: ctypes.c_void_p, size: int, ends: np.ndarray, wanted: Wanted, *, judged: bool = False, inner: bool = False
) -> Scanned | None:  # fmt: skip
    found = library()
    if found is None or not len(ends):
        return None
    count, lines = len(wanted), len(ends)
    # Memory that nothing is written to costs nothing.
    offsets, rows = np.empty((count, lines + 1), np.int32), np.empty((count, lines), np.int32)
    columns = (_Column * count)(
        *(
            _Column(_KINDS[kind], 0, offsets[n].ctypes.data, rows[n].ctypes.data)
            for n, (_, kind) in enumerate(wanted.values())
        )
    )
    asked = np.zeros(lines, np.uint8)
    keys = np.empty(size + 4 * MOST_KEYS, np.uint8)
    below = np.empty(size + 4 * MOST_INNER_KEYS if inner else 0, np.uint8)
    below_used = ctypes.c_int64()
    used = found.auditbook_scan(
        text, address_of(ends), ctypes.c_int32(judged), ctypes.c_int64(lines), _nodes(wanted), columns,
        ctypes.c_int32(count), address_of(asked), address_of(keys), address_of(below) if inner else None,
        ctypes.byref(below_used),
    )  # fmt: skip
    data = [_Data(column.data) for column in columns]
    if used < 0:
        raise MemoryError("There was no memory left for what lines hold.")
    records = lines - int(asked.sum())
    members = {
        name: _texts(records, columns[n].count, offsets[n], rows[n], data[n])
        for n, name in enumerate(wanted)
        if not columns[n].doubtful
    }
    told = inner and below_used.value >= 0
    return Scanned(
        asked.astype(bool),
        _keys(keys[:used].tobytes()),
        members,
        _keys(below[: below_used.value].tobytes()) if told else None,
    )


def _nodes(wanted: Wanted) -> ctypes.Array[_Node]:
    """The ways to what is wanted as a tree; the first node is the record."""
    made = [_Node(b"", 0, -1, -1, -1, -1)]
    known: dict[tuple[str, ...], int] = {(): 0}
    for column, (place, kind) in enumerate(wanted.values()):
        keys = keys_of(place)
        for depth in range(1, len(keys) + 1):
            if keys[:depth] not in known:
                above, name = made[known[keys[: depth - 1]]], keys[depth - 1].encode()
                known[keys[:depth]] = len(made)
                made.append(_Node(name, len(name), -1, above.inside, -1, -1))
                above.inside = len(made) - 1
        setattr(made[known[keys]], "text" if kind in ("VARCHAR", "text") else "json", column)
    return (_Node * len(made))(*made)


def _parts(patch: Mapping[str, Any]) -> ctypes.Array[_Part]:
    """A merge patch as a tree; the first part is the record."""
    made: list[_Part] = []

    def add(key: str, inside: Mapping[str, Any] | None) -> int:
        name, place = key.encode(), len(made)
        made.append(_Part(name, len(name), -1, -1, 0))
        before = None
        for inner, below in (inside or {}).items():
            found = add(inner, below)
            if below is not None:
                made[place].empty = max(made[place].empty, made[found].empty + 1)
            if before is None:
                made[place].inside = found
            else:
                made[before].beside = found
            before = found
        return place

    add("", patch)
    return (_Part * len(made))(*made)


class _Data:
    """What the library allocated, until nobody needs it."""

    def __init__(self, address: int | None) -> None:
        self.address = address

    def __del__(self) -> None:
        if self.address is not None and (found := library()) is not None:
            found.auditbook_give_back(self.address)


def address_of(array: np.ndarray) -> ctypes.c_void_p:
    """Where an array lies, for the library."""
    return ctypes.c_void_p(array.ctypes.data)


def _texts(records: int, count: int, offsets: np.ndarray, rows: np.ndarray, data: _Data) -> pa.Array:
    """A column of which so many of the records have a value; where few have, each is said once."""
    if not count:
        return pa.nulls(records, pa.string())
    text = pa.foreign_buffer(data.address, int(offsets[count]), base=data)
    if SPARSE * count >= records > count:
        spread, bits = np.empty(records + 1, np.int32), np.empty((records + 7) // 8, np.uint8)
        library().auditbook_spread(  # type: ignore[union-attr]
            address_of(offsets), address_of(rows), ctypes.c_int64(count), ctypes.c_int64(records), address_of(spread),
            address_of(bits),
        )  # fmt: skip
        buffers = [pa.py_buffer(bits), pa.py_buffer(spread), text]
        return pa.Array.from_buffers(pa.string(), records, buffers, records - count)
    values = pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets[: count + 1]), text], 0)
    if count == records:
        return values
    coded = values.dictionary_encode()
    numbers, there = np.zeros(records, np.int32), np.zeros(records, np.uint8)
    numbers[rows[:count]], there[rows[:count]] = coded.indices, 1
    bits = pa.py_buffer(np.packbits(there, bitorder="little"))
    indices = pa.Array.from_buffers(pa.int32(), records, [bits, pa.py_buffer(numbers)], records - count)
    return pa.DictionaryArray.from_arrays(indices, coded.dictionary)


def _keys(written: bytes) -> frozenset[str]:
    """Each with its length before it."""
    found, at = [], 0
    while at < len(written):
        length = int.from_bytes(written[at : at + 4], "little")
        found.append(written[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return frozenset(found)
