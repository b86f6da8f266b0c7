"""Times as most logs write them, read in columns: 2026-03-02T15:04:05.120Z and without the fraction. Part of normalize.

Anything else, and any text that would need a thought (a 30th of February), is left to the general reading in `times`.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

SHAPES = {24: "0000-00-00T00:00:00.000Z", 20: "0000-00-00T00:00:00Z"}
DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
FIRST_YEAR, LAST_YEAR = 1970, 2200


def usual(texts: pa.Array) -> dict[str, pa.Array] | None:
    """The columns about time of texts that are all of one usual shape; None when one is not."""
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
    length = len(texts)
    return {
        "occurred_at": pa.array(micros).cast(pa.timestamp("us", "UTC")),
        "time_precision": _all("ms" if width == 24 else "s", length),
        "tz_source": _all("in_value", length),
        "parse_warnings": _empty_lists(length),
    }


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


def _all(text: str, length: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(length, np.int32)), pa.array([text]))


def _empty_lists(length: int) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(np.zeros(length + 1, np.int32)), pa.array([], pa.string()))
