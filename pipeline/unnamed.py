"""Records without an id are told apart by what they say, and equal ones of a file by their place. Part of load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline import runs
from pipeline.distinct import whole
from pipeline.hashes import SHORT, hashes

_FOUND = """
WITH hashed AS (SELECT row_number, piece, instance, sha256(record) AS digest FROM unnamed),
placed AS (
  SELECT *, row_number() OVER (PARTITION BY piece, digest ORDER BY row_number) - 1 AS place FROM hashed
)
SELECT digest, place, left(sha256(concat_ws(
  chr(31), $source, coalesce(instance, ''), 'line', digest, place::VARCHAR
)), 32) AS uid
FROM placed ORDER BY row_number"""


@dataclass(frozen=True)
class Unnamed:
    """Which records of a block, hashes of what they say, their places among equal ones of a piece, their tenants."""

    records: np.ndarray
    digests: pa.Array
    place: np.ndarray
    instance: pa.Array


@dataclass
class Equals:
    """How many equal ones the blocks before held of the file that is under way."""

    counts: runs.Runs = field(default_factory=runs.Runs)

    def later(
        self, source: str, found: Unnamed | None, offsets: Sequence[int], piece: np.ndarray
    ) -> dict[int, str]:
        """The identities of records that are not the first of their kind; `piece` is that of each, and
        `offsets` say where each piece begins in its file."""
        made: dict[int, str] = {}
        pieces = piece[found.records] if found is not None else piece[:0]
        have = set(np.unique(pieces).tolist())
        for number, offset in enumerate(offsets):
            if offset == 0:  # another file, though this piece of it may have no such record
                self.counts = runs.Runs()
            if found is not None and number in have:
                made |= self._of_piece(source, found, np.flatnonzero(pieces == number))
        return made

    def _of_piece(self, source: str, found: Unnamed, chosen: np.ndarray) -> dict[int, str]:
        digests = found.digests.take(pa.array(chosen))
        high, low = runs.halves(pc.utf8_slice_codeunits(digests, 0, 32))
        before = np.maximum(self.counts.find(high, low, runs.order_of(high)), 0)
        count = before + found.place[chosen] + 1
        order = np.lexsort((count, low, high))
        last = order[np.append((np.diff(high[order]) != 0) | (np.diff(low[order]) != 0), True)]
        self.counts.add(high[last], low[last], count[last])
        return {
            int(found.records[chosen[n]]): uid(
                source, found.instance[int(chosen[n])].as_py(), digests[n].as_py(), count[n] - 1
            )
            for n in np.flatnonzero(before).tolist()
        }


def of_records(
    connection: duckdb.DuckDBPyConnection, source: str, records: pa.Array, instance: pa.Array, piece: np.ndarray,
    chosen: np.ndarray,
) -> tuple[Unnamed, pa.Array]:  # fmt: skip
    """The chosen ones of a block's records, and their identities as far as the block tells."""
    places = pa.array(chosen)
    tenants, texts = instance.take(places).cast(pa.string()), records.take(places)
    digests = hashes(texts)
    if digests is not None:
        place = _place_among_equals(digests, piece[chosen])
        told = pc.binary_join_element_wise(digests, pa.array(place).cast(pa.string()), "\x1f")
        uids = hashes(told, tenants, (f"{source}\x1f", "\x1fline\x1f", ""), SHORT)
        return Unnamed(chosen, digests, place, tenants), uids
    numbers = np.arange(len(chosen))
    given = pa.table({"row_number": numbers, "piece": piece[chosen], "instance": tenants, "record": texts})
    connection.register("unnamed", given)
    table = connection.sql(_FOUND, params={"source": source}).to_arrow_table()
    connection.unregister("unnamed")
    digests, place, uids = (whole(column) for column in table.columns)
    return Unnamed(chosen, digests, place.to_numpy(), tenants), uids


def _place_among_equals(digests: pa.Array, piece: np.ndarray) -> np.ndarray:
    """How many records before each in its piece say the same."""
    high, low = runs.halves(pc.utf8_slice_codeunits(digests, 0, SHORT))
    if runs.alone(high):
        return np.zeros(len(piece), np.int64)
    order = np.lexsort((np.arange(len(piece)), low, high, piece))
    changes = [np.diff(column[order]) != 0 for column in (piece, high, low)]
    begins = np.append(True, np.logical_or.reduce(changes))
    place = np.empty(len(order), np.int64)
    rows = np.arange(len(order))
    place[order] = rows - np.maximum.accumulate(np.where(begins, rows, 0))
    return place


def uid(source: str, instance: str | None, digest: str, place: int) -> str:
    """The identity of a record without an id: what it says, and its place among equal ones of its file."""
    parts = (source, instance or "", "line", digest, str(place))
    return sha256("\x1f".join(parts).encode()).hexdigest()[:32]
