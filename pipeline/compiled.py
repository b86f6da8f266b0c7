"""The compiled judge of lines, where a compiler was at hand when auditbook was installed. Part of load.

`scan` does what `scan.Scanner` and `extract` do in Python, for the lines that it is certain of. It is a plain library
(scanning.c), which needs no headers of Python; AUDITBOOK_COMPILED=0 leaves it alone.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

LIBRARY = Path(__file__).with_name("scanning.so")
MOST_MEMBERS = 128
_KINDS = {"VARCHAR": 0, "JSON": 1}


@dataclass(frozen=True)
class Scanned:
    """Which lines the judge of record is asked about; the keys of the others, and of their members the certain ones."""

    asked: np.ndarray
    keys: frozenset[str]
    members: dict[str, pa.Array]


@cache
def library() -> ctypes.CDLL | None:
    """The library; nothing where there is none, or none that can be opened."""
    if os.environ.get("AUDITBOOK_COMPILED") == "0" or not LIBRARY.is_file():
        return None
    try:
        found = ctypes.CDLL(str(LIBRARY))
    except OSError:  # made for another machine
        return None
    found.auditbook_scan.restype = ctypes.c_int64
    return found


def scan(text: bytes, ends: np.ndarray, wanted: Mapping[str, str]) -> Scanned | None:
    """Judge lines, whose newlines end at `ends`, and take the wanted members (name -> DuckDB type) out of them."""
    found = library()
    if found is None or len(wanted) > MOST_MEMBERS or not len(ends):
        return None
    count, lines, size = len(wanted), len(ends), len(text)
    names = [name.encode() for name in wanted]
    offsets = np.zeros((count, lines + 1), np.int32)
    valid = np.zeros((count, lines), np.uint8)
    data = [np.empty(size, np.uint8) for _ in wanted]  # what is not written to takes no memory
    doubtful, asked = np.zeros(count, np.uint8), np.zeros(lines, np.uint8)
    keys = np.empty(size + 4 * 256, np.uint8)
    used = found.auditbook_scan(
        text, _place(ends), ctypes.c_int64(lines), ctypes.c_int32(count), (ctypes.c_char_p * count)(*names),
        _place(np.array([len(name) for name in names], np.int32)),
        _place(np.array([_KINDS[kind] for kind in wanted.values()], np.uint8)),
        _places(offsets), _places(data), _places(valid), _place(doubtful), _place(asked), _place(keys),
    )  # fmt: skip
    assert used >= 0
    records = lines - int(asked.sum())
    members = {
        name: _texts(records, offsets[n], data[n], valid[n])
        for n, name in enumerate(wanted)
        if not doubtful[n]
    }
    return Scanned(asked.astype(bool), frozenset(_keys(keys[:used].tobytes())), members)


def _place(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _places(arrays: np.ndarray | list[np.ndarray]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def _texts(count: int, offsets: np.ndarray, data: np.ndarray, valid: np.ndarray) -> pa.Array:
    good = valid[:count]
    nulls = count - int(good.sum())
    bits = pa.py_buffer(np.packbits(good, bitorder="little")) if nulls else None
    return pa.Array.from_buffers(
        pa.string(), count, [bits, pa.py_buffer(offsets[: count + 1]), pa.py_buffer(data)], nulls
    )


def _keys(written: bytes) -> list[str]:
    """Each with its length before it."""
    found, at = [], 0
    while at < len(written):
        length = int.from_bytes(written[at : at + 4], "little")
        found.append(written[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found
