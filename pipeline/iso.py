"""Times as most logs write them, read in columns. Part of normalize.

The compiled judge's library reads those of ISO 8601 to the microsecond, and seconds or milliseconds since 1970; without
it columns of one shape are read here, 2026-03-02T15:04:05.120Z and without the fraction. Anything else, and any text
that would need a thought (a 30th of February), is left to the general reading in `times`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline import compiled

SHAPES = {24: "0000-00-00T00:00:00.000Z", 20: "0000-00-00T00:00:00Z"}
DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
FIRST_YEAR, LAST_YEAR = 1970, 2200
ZONED, LOCAL, FINER = 1, 3, 4  # as in scanning/times.c
FEW = 0.5  # times that others must read, of all, up to which it pays to read the rest here


@dataclass(frozen=True)
class Usual:
    """The columns about time of texts, and the places of those that must be read in another way."""

    columns: Mapping[str, pa.Array]
    others: np.ndarray


def usual(texts: pa.Array, epoch: bool, local: str | None) -> Usual | None:
    """None when too many are not usual; what `times.Clock` says is `epoch` and `local`."""
    found = _by_library(texts, epoch) or _of_one_shape(texts)
    if found is None:
        return None
    micros, how = found
    if local is None:
        how = np.where(how & (FINER - 1) == LOCAL, 0, how)
    others = np.flatnonzero(how == 0)
    if len(others) > FEW * len(how):
        return None
    told = {
        "occurred_at": pa.array(micros).cast(pa.timestamp("us", "UTC")),
        "time_precision": _coded(how // FINER, ["s", "ms"]),
        "tz_source": _coded(
            np.maximum(how % FINER, ZONED) - ZONED, ["in_value", "epoch", local or "assumed"]
        ),
        "parse_warnings": _empty_lists(len(how)),
    }
    return Usual(told, others)


def _by_library(texts: pa.Array, epoch: bool) -> tuple[np.ndarray, np.ndarray] | None:
    if not isinstance(texts, pa.DictionaryArray):
        return compiled.times(texts, epoch=epoch)
    found = compiled.times(texts.dictionary, epoch=epoch)
    if found is None:
        return None
    places = np.asarray(texts.indices.fill_null(len(texts.dictionary)))
    micros, how = (np.append(array, array.dtype.type(0))[places] for array in found)
    return micros, how


def _of_one_shape(texts: pa.Array) -> tuple[np.ndarray, np.ndarray] | None:
    if isinstance(texts, pa.DictionaryArray) or texts.null_count or not len(texts):
        return None
    width = len(texts[0].as_py())
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    if width not in SHAPES or (np.diff(offsets) != width).any():
        return None
    data = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(-1, width)
    micros = _micros(data, SHAPES[width])
    if micros is None:
        return None
    return micros, np.full(len(texts), ZONED + FINER if width == 24 else ZONED)


def _micros(data: np.ndarray, shape: str) -> np.ndarray | None:
    pattern = np.frombuffer(shape.encode(), np.uint8)
    digits = pattern == ord("0")
    if (data[:, ~digits] != pattern[~digits]).any():
        return None
    figures = (data[:, digits] - ord("0")).astype(np.int64)
    if (figures > 9).any():
        return None
    year, month, day, hour, minute, second = (
        figures[:, start : start + size] @ (10 ** np.arange(size - 1, -1, -1))
        for start, size in ((0, 4), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2))
    )
    fraction = figures[:, 14:17] @ np.array([100, 10, 1]) if data.shape[1] == 24 else np.zeros_like(year)
    bad = (year < FIRST_YEAR) | (year > LAST_YEAR) | (month < 1) | (month > 12) | (day < 1)
    bad |= (hour > 23) | (minute > 59) | (second > 59)
    if bad.any():
        return None
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    if (day > DAYS[month] + (leap & (month == 2))).any():
        return None
    days = _days(year, month, day)
    seconds: np.ndarray = ((days * 24 + hour) * 60 + minute) * 60 + second
    return np.asarray((seconds * 1000 + fraction) * 1000)


def _days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Days since 1970-01-01, counted in years that begin in March, so that the leap day comes last."""
    year = year - (month <= 2)
    shifted = (month + 9) % 12
    since_march = (153 * shifted + 2) // 5 + day - 1
    return np.asarray(365 * year + year // 4 - year // 100 + year // 400 + since_march - 719_468)


def _coded(numbers: np.ndarray, texts: list[str]) -> pa.DictionaryArray:
    """The texts in the order in which they come, as of texts that were encoded."""
    coded = pa.array(numbers.astype(np.int32)).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices, pa.array(texts).take(coded.dictionary))


def _empty_lists(length: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.zeros(length + 1, np.int32)), pa.array([], pa.string()))
