"""Identities as sorted runs of numbers, found by binary search. Part of load.

An identity is 128 bits of a hash; beside it stands a number that says where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Run:
    """Identities (high and low half), sorted, and for each a number that says where it is."""

    high: np.ndarray
    low: np.ndarray
    where: np.ndarray

    def find(self, high: np.ndarray, low: np.ndarray, order: np.ndarray) -> np.ndarray:
        """For each identity its number, or -1; `order` sorts them."""
        found = np.full(len(high), -1, np.int64)
        if not len(self.high) or not len(high):
            return found
        at = np.searchsorted(self.high, high[order])
        open_ = at < len(self.high)
        while open_.any():  # more than one turn only where two identities share their high half
            places, rows = at[open_], order[open_]
            alike = self.high[places] == high[rows]
            same = alike & (self.low[places] == low[rows])
            found[rows[same]] = self.where[places[same]]
            going = np.flatnonzero(open_)
            open_[going[~alike | same]] = False
            at[open_] += 1
            open_ &= at < len(self.high)
        return found


NONE = Run(np.array([], np.uint64), np.array([], np.uint64), np.array([], np.int64))


def order_of(high: np.ndarray) -> np.ndarray:
    """What sorts identities; two that share their high half need no order between them."""
    return np.argsort(high, kind="stable")


def alone(high: np.ndarray) -> bool:
    """Whether no two share their high half."""
    ordered = np.sort(high)
    return not (ordered[1:] == ordered[:-1]).any()


def run_of(high: np.ndarray, low: np.ndarray, where: np.ndarray, order: np.ndarray | None = None) -> Run:
    order = order_of(high) if order is None else order
    return Run(high[order], low[order], where[order])


@dataclass
class Runs:
    """Runs, the newest last; small ones are put together, so that there are few."""

    runs: list[Run] = field(default_factory=list)

    def add(
        self, high: np.ndarray, low: np.ndarray, where: np.ndarray, order: np.ndarray | None = None
    ) -> None:
        self.runs.append(run_of(high, low, where, order))
        while len(self.runs) > 1 and len(self.runs[-2].high) < 2 * len(self.runs[-1].high):
            last, before = self.runs.pop(), self.runs.pop()
            self.runs.append(merged([before, last]))

    def find(self, high: np.ndarray, low: np.ndarray, order: np.ndarray) -> np.ndarray:
        """For each identity the number it was added with, the newest one, or -1; `order` sorts them."""
        found = np.full(len(high), -1, np.int64)
        for run in self.runs:
            theirs = run.find(high, low, order)
            found = np.where(theirs >= 0, theirs, found)
        return found


def merged(runs: Sequence[Run]) -> Run:
    """Of an identity in several, the last number stays."""
    high, low, where = (
        np.concatenate([getattr(run, name) for run in runs]) for name in ("high", "low", "where")
    )
    order = np.argsort(high, kind="stable")
    high, low, where = high[order], low[order], where[order]
    alike = np.flatnonzero(high[1:] == high[:-1])
    if not len(alike):
        return Run(high, low, where)
    order = np.lexsort((np.arange(len(high)), low, high))  # they still stand in the order of the runs
    high, low, where = high[order], low[order], where[order]
    last = np.ones(len(high), bool)
    last[:-1] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return Run(high[last], low[last], where[last])


def halves(uids: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Identities as they are written, 32 hexadecimal digits each, as two numbers."""
    text = b"".join(uids.cast(pa.binary()).to_pylist()) if uids.offset else _data(uids)
    pairs = np.frombuffer(bytes.fromhex(text.decode("ascii")), ">u8").reshape(-1, 2).astype(np.uint64)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def _data(uids: pa.Array) -> bytes:
    offsets = np.frombuffer(uids.buffers()[1], np.int32)
    return bytes(uids.buffers()[2][offsets[0] : offsets[len(uids)]]) if len(uids) else b""
