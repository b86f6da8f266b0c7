"""Columns of texts as numbers of the different ones, in the order in which they come first. Of normalize.

The compiled library does it where there is one, Arrow where not; the numbers are the same.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pyarrow as pa

from pipeline import compiled
from pipeline.compiled import address_of

MOST_NUMBERS = 1 << 20  # of combinations that can be, above which those that are get numbers of their own
MOST_PLACES = 1 << 24  # of a table that has one for each


@dataclass(frozen=True)
class Coded:
    """For each row of a column the number of its text, -1 for none, and the texts."""

    numbers: np.ndarray
    texts: pa.Array

    @cached_property
    def codes(self) -> np.ndarray:
        """The numbers, none having the one behind the last."""
        return np.where(self.numbers < 0, len(self.texts), self.numbers).astype(np.int64)

    @cached_property
    def different(self) -> int:
        """How many codes there are."""
        return len(self.texts) + bool((self.numbers < 0).any())

    @cached_property
    def column(self) -> pa.DictionaryArray:
        """The column, saying each text once."""
        indices = pa.array(self.numbers, pa.int32(), mask=self.numbers < 0)
        return pa.DictionaryArray.from_arrays(indices, self.texts)


def coded(column: pa.Array, most: int) -> Coded | None:
    """A column that is not nested, unless it has more than so many different values."""
    library = compiled.library()
    if library is not None and pa.types.is_string(column.type) and len(column):
        return _by(library, column, most)
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
        if len(column.dictionary) > most:
            return None
    return Coded(np.asarray(column.indices.fill_null(-1)), column.dictionary)


@dataclass(frozen=True)
class Different:
    """For each row the number of its combination, in the order of their first rows, and these rows."""

    number: np.ndarray
    first: np.ndarray

    def beside(self, other: Different, most: int) -> Different | None:
        """The combinations of both, unless there are more than so many."""
        if max(len(self.first), len(other.first)) > most:
            return None
        size = max(len(other.first), 1)
        found = _numbered(self.number * size + other.number, len(self.first) * size)
        return None if len(found.first) > most else found


def different(columns: Sequence[Coded | None], length: int, most: int) -> Different | None:
    """The combinations of some columns, unless there are more than so many, or a column has more by itself."""
    codes, size = np.zeros(length, np.int64), 1
    for one in columns:
        if one is None or one.different > most:
            return None
        codes, size = codes * one.different + one.codes, size * one.different
        if size > MOST_NUMBERS:
            found = _numbered(codes, size)
            if len(found.first) > most:
                return None
            codes, size = found.number, len(found.first)
    found = _numbered(codes, size)
    return None if len(found.first) > most else found


def _numbered(codes: np.ndarray, size: int) -> Different:
    """Codes below `size` as numbers."""
    library = compiled.library()
    if library is not None and size <= MOST_PLACES and len(codes):
        numbers, first = np.empty(len(codes), np.int64), np.empty(min(size, len(codes)), np.int64)
        count = library.auditbook_numbered(
            address_of(codes),
            ctypes.c_int64(len(codes)),
            ctypes.c_int64(size),
            address_of(numbers),
            address_of(first),
        )
        if count >= 0:
            return Different(numbers, first[:count])
    numbers = np.asarray(pa.array(codes).dictionary_encode().indices).astype(np.int64)
    if not len(numbers):
        return Different(numbers, numbers)
    most = np.maximum.accumulate(numbers)
    return Different(numbers, np.flatnonzero(np.concatenate(([True], most[1:] > most[:-1]))))


def _by(library: ctypes.CDLL, column: pa.Array, most: int) -> Coded | None:
    valid, offsets, data = column.buffers()
    numbers, firsts = np.empty(len(column), np.int32), np.empty(most, np.int64)
    different = library.auditbook_codes(
        _address(data), ctypes.c_void_p(offsets.address + 4 * column.offset),
        _address(valid if column.null_count else None), ctypes.c_int64(column.offset), ctypes.c_int64(len(column)),
        ctypes.c_int64(most), _seed(), address_of(numbers), address_of(firsts),
    )  # fmt: skip
    if different < -1:
        raise MemoryError("There was no memory left to tell texts apart.")
    return None if different < 0 else Coded(numbers, column.take(pa.array(firsts[:different])))


@cache
def _seed() -> ctypes.c_uint64:
    """Nobody can write texts that are hard to tell apart."""
    return ctypes.c_uint64(int.from_bytes(os.urandom(8)))


def _address(buffer: pa.Buffer | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(buffer.address if buffer else None)
