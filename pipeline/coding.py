"""Columns of texts as numbers of the different ones, in the order in which they come first. Of normalize.

The compiled library does it where there is one, Arrow where not; the numbers are the same.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Protocol

import numpy as np
import pyarrow as pa

from pipeline import compiled
from pipeline.compiled import address_of

MOST_NUMBERS = 1 << 20  # of combinations that can be, above which those that are get numbers of their own


class Numbered(Protocol):
    """A number for each row, -1 for none, and how many different ones there are."""

    @property
    def numbers(self) -> np.ndarray: ...

    @property
    def different(self) -> int: ...


@dataclass(frozen=True)
class Coded:
    """For each row of a column the number of its text, -1 for none, and the texts."""

    numbers: np.ndarray
    texts: pa.Array

    @cached_property
    def different(self) -> int:
        """How many different ones there are, none being one."""
        return len(self.texts) + bool(len(self.numbers) and self.numbers.min() < 0)

    @cached_property
    def column(self) -> pa.DictionaryArray:
        """The column, saying each text once."""
        indices = pa.array(self.numbers, pa.int32(), mask=self.numbers < 0)
        return pa.DictionaryArray.from_arrays(indices, self.texts)


def plain(column: pa.Array) -> pa.Array:
    """A column whose rows say their values themselves."""
    return column.cast(column.type.value_type) if isinstance(column, pa.DictionaryArray) else column


def coded(column: pa.Array, most: int) -> Coded | None:
    """A column that is not nested, unless it has more than so many different values."""
    library = compiled.library()
    if library is not None and pa.types.is_string(column.type) and len(column):
        return _by(library, column, most)
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
        if len(column.dictionary) > most:
            return None
    return Coded(np.asarray(column.indices.fill_null(-1)).astype(np.int32, copy=False), column.dictionary)


@dataclass(frozen=True)
class Different:
    """For each row the number of its combination, in the order of their first rows, and these rows."""

    numbers: np.ndarray
    first: np.ndarray

    @property
    def different(self) -> int:
        """How many combinations there are."""
        return len(self.first)


def different(columns: Sequence[Numbered | None], length: int, most: int) -> Different | None:
    """The combinations of some columns, unless there are more than so many, or a column has more by itself."""
    known = [one for one in columns if one is not None and one.different <= most]
    if len(known) < len(columns):
        return None
    library = compiled.library()
    if library is not None and length:
        return _together(library, known, length, most)
    codes, size = np.zeros(length, np.int64), 1
    for one in known:
        codes = codes * one.different + np.where(one.numbers < 0, one.different - 1, one.numbers)
        size *= one.different
        if size > MOST_NUMBERS:
            found = _in_order(codes)
            codes, size = found.numbers.astype(np.int64), found.different
    found = _in_order(codes)
    return None if found.different > most else found


def _in_order(codes: np.ndarray) -> Different:
    numbers = np.asarray(pa.array(codes).dictionary_encode().indices)
    most = np.maximum.accumulate(numbers)
    return Different(numbers, np.flatnonzero(np.diff(most, prepend=-1)))


def _together(library: ctypes.CDLL, columns: Sequence[Numbered], length: int, most: int) -> Different | None:
    count = len(columns)
    numbers, firsts = np.empty(length, np.int32), np.empty(most, np.int64)
    sizes = np.array([one.different for one in columns], np.int64)
    found = library.auditbook_together(
        (ctypes.c_void_p * count)(*(one.numbers.ctypes.data for one in columns)), address_of(sizes),
        ctypes.c_int64(count), ctypes.c_int64(length), ctypes.c_int64(most), _seed(), address_of(numbers),
        address_of(firsts),
    )  # fmt: skip
    if found < -1:
        raise MemoryError("There was no memory left to tell combinations apart.")
    return None if found < 0 else Different(numbers, firsts[:found])


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
