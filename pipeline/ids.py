"""Which identities a store knows, and where each was first. Part of load.

They lie as sorted runs beside the commits in `ids/`, one file for one or more commits: a cache, made again from the
commits when it does not belong to them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline import store as stores
from pipeline.runs import Run, halves, merged, run_of
from pipeline.store import Commit, Part

if TYPE_CHECKING:
    import duckdb

FOLDER = "ids"
NEW = ".new"  # what a file is called until it is whole
AT_ONCE = 1_000_000  # identities that are held against the lines in one go


def _valid(uids: pa.Array) -> np.ndarray:
    """Which rows have an identity; without what pyarrow imports to hand out booleans."""
    import pyarrow.compute as pc

    bits = np.frombuffer(pc.is_valid(uids).buffers()[1], np.uint8)
    return np.unpackbits(bits, count=len(uids), bitorder="little").view(bool)


class Known:
    """What a store knows, by identity."""

    def __init__(self, parts: Sequence[Part], runs: Sequence[tuple[Run, Sequence[int]]]) -> None:
        self.parts = list(parts)
        self._runs = runs

    def find(self, high: np.ndarray, low: np.ndarray, order: np.ndarray) -> np.ndarray:
        """For each identity the number of its part (its upper 32 bits) and the row there, or -1; `order` sorts them."""
        found = np.full(len(high), -1, np.int64)
        for run, numbers in self._runs:
            theirs = run.find(high, low, order)
            hit = theirs >= 0
            part = np.asarray(numbers, np.int64)[theirs[hit] >> 32]
            found[hit] = (part << 32) | (theirs[hit] & 0xFFFFFFFF)
        return found

    def part(self, uid: str) -> Part | None:
        """The part that has an identity, written as 32 digits."""
        number = int(uid, 16)
        [found] = self.find(
            np.array([number >> 64], np.uint64),
            np.array([number & (1 << 64) - 1], np.uint64),
            np.zeros(1, np.int64),
        )
        return None if found < 0 else self.parts[int(found) >> 32]

    def beginning(self, digits: str, most: int) -> tuple[list[str], int]:
        """The identities whose 32 digits begin so, in order and at most so many, and how many there are."""
        first, last = (int(digits.ljust(32, filler), 16) for filler in "0f")
        found: list[str] = []
        total = 0
        for run, _ in self._runs:
            at = int(np.searchsorted(run.high, np.uint64(first >> 64), "left"))
            end = int(np.searchsorted(run.high, np.uint64(last >> 64), "right"))
            numbers = [(int(run.high[n]) << 64) | int(run.low[n]) for n in range(at, min(end, at + most))]
            here = [f"{number:032x}" for number in numbers if first <= number <= last]
            found += here
            total += end - at - len(numbers) + len(here)
        return sorted(set(found))[:most], total


def known(store: Path, chain: Sequence[Commit]) -> Known:
    """Everything that the commits' parts have; runs that do not belong to them are made again."""
    wanted = {part.name: part for part in stores.parts(chain)}
    heads = {f"{link.number:06d}": link.head for link in chain}
    parts = list(wanted.values())
    numbers = {name: n for n, name in enumerate(wanted)}
    runs, covered = [], set[str]()
    for path in sorted((store / FOLDER).glob("*.ids")):
        names = _belongs(path, heads, wanted.keys() - covered)
        if names is not None:
            runs.append((_opened(path), [numbers[name] for name in names]))
            covered |= set(names)
    missing = [name for name in wanted if name not in covered]
    if missing:
        runs.append((_run_of_parts([wanted[name].lines for name in missing]), [numbers[n] for n in missing]))
    return Known(parts, runs)


def keep(store: Path, done: Commit, run: Run, blocks: int) -> None:
    """Write down what a load knows of its own commit, so that it need not be read again; `run` says where in which
    block, counted from 1, each of its identities is."""
    names = [part.name for part in stores.parts([done])]
    if not names or len(names) != blocks:  # it has none, or those of other files too
        return
    folder = store / FOLDER
    with contextlib.suppress(OSError):  # whoever publishes makes it, or says why that cannot be
        folder.mkdir(mode=0o700, exist_ok=True)
        _write(folder, names, done.head, _shifted(run, -1))


def publish(store: Path, chain: Sequence[Commit]) -> None:
    """Bring the files in `ids/` up to date: what is new becomes a file, small ones are put together."""
    folder = store / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = {part.name: part.lines for part in stores.parts(chain)}
    heads = {f"{link.number:06d}": link.head for link in chain}
    files: list[tuple[Path | None, Sequence[str], Run]] = []
    covered: set[str] = set()
    for path in sorted(folder.glob("*.ids")):
        names = _belongs(path, heads, wanted.keys() - covered)
        if names is None:
            path.unlink()
        else:
            files.append((path, names, _opened(path)))
            covered |= set(names)
    missing = [name for name in wanted if name not in covered]
    if missing:
        files.append((None, missing, _run_of_parts([wanted[name] for name in missing])))
    while len(files) > 1 and len(files[-2][2].high) < 2 * len(files[-1][2].high):
        last, before = files.pop(), files.pop()
        files.append((None, [*before[1], *last[1]], merged([before[2], _shifted(last[2], len(before[1]))])))
    kept = {path for path, _, _ in files}
    for path in folder.glob("*.ids"):
        if path not in kept:
            path.unlink()
    for place, covers, run in files:
        if place is None:
            _write(folder, covers, heads[covers[-1].partition("/")[0]], run)


def _shifted(run: Run, by: int) -> Run:
    return Run(run.high, run.low, run.where + (np.int64(by) << 32))


def _belongs(path: Path, heads: dict[str, str], wanted: Iterable[str]) -> list[str] | None:
    """The parts that a file covers; None when it is of other commits, or another file covers them already."""
    head = _head(path)
    names = head.get("parts")
    free = set(wanted)
    if not names or not free.issuperset(names) or heads.get(names[-1].partition("/")[0]) != head["head"]:
        return None
    return list(names)


def _head(path: Path) -> dict[str, Any]:
    """What a file's numbers belong to, which is written behind them; nothing when it is not whole."""
    try:
        with path.open("rb") as stream:
            stream.seek(-8, 2)
            length = int.from_bytes(stream.read())
            numbers = stream.seek(-8 - length, 2)
            found = json.loads(stream.read(length))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and numbers == 24 * found.get("rows", -1) else {}


def _opened(path: Path) -> Run:
    rows = _head(path)["rows"]
    if not rows:
        nothing = np.array([], np.uint64)
        return Run(nothing, nothing, nothing.astype(np.int64))
    whole = np.memmap(path, np.uint64, "r", 0, (3, rows))
    return Run(whole[0], whole[1], whole[2].view(np.int64))


def _write(folder: Path, names: Sequence[str], head: str, run: Run) -> None:
    text = json.dumps({"parts": list(names), "head": head, "rows": len(run.high)}).encode()
    temporary = folder / NEW
    with temporary.open("wb") as stream:
        temporary.chmod(0o600)
        for column in (run.high, run.low, run.where):
            stream.write(np.ascontiguousarray(column).tobytes())
        stream.write(text + len(text).to_bytes(8))
    stores.fsync(temporary)
    temporary.rename(folder / f"{names[0].partition('/')[0]}-{names[-1].partition('/')[0]}.ids")


def _run_of_parts(paths: Sequence[Path]) -> Run:
    """Read from the lines themselves."""
    import pyarrow.parquet as pq

    from pipeline.distinct import whole

    runs = []
    for n, path in enumerate(paths):
        uids = whole(pq.ParquetFile(path).read(columns=["event_uid"]).column("event_uid"))
        rows = np.flatnonzero(_valid(uids))  # of the events; no other line has one
        high, low = halves(uids.drop_null())
        runs.append(run_of(high, low, (np.int64(n) << 32) | rows.astype(np.int64)))
    return merged(runs)


def strange(
    connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit], drawn: int
) -> tuple[Path | None, list[Path]]:
    """The first file of `ids/` whose identities, or their places, are not those of the lines that it covers, by sums of
    hashes that begin with a number; and the files of no commits here, which whoever loads next makes again."""
    wanted = {part.name: part.lines for part in stores.parts(chain)}
    heads = {f"{link.number:06d}": link.head for link in chain}
    foreign = []
    for path in sorted((store / FOLDER).glob("*")):
        if path.name == NEW:
            continue  # a run is writing it, or was killed then: nobody reads it
        names = _belongs(path, heads, wanted)
        if names is None:
            foreign.append(path)
            continue
        try:
            run = _opened(path)
        except (FileNotFoundError, KeyError):  # a run put it together with another meanwhile
            return path, foreign
        lines = [str(wanted[name]) for name in names]
        ours = connection.execute(_SUM.format(drawn=drawn, identities=_OURS), [lines]).fetchall()
        # Those that are not in order are not found, though they are there.
        if (run.high[1:] < run.high[:-1]).any() or [_sums(connection, run, drawn)] != ours:
            return path, foreign
    return None, foreign


def _sums(connection: duckdb.DuckDBPyConnection, run: Run, drawn: int) -> tuple[int, ...]:
    rows, total, mixed = 0, 0, 0
    for first in range(0, len(run.high), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        uids = np.stack([run.high[some], run.low[some]], axis=1).astype(">u8").tobytes().hex().encode()
        ends = np.arange(0, len(uids) + 1, 32, dtype=np.int32)
        text = pa.StringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(uids))
        place = pa.Array.from_buffers(pa.int64(), len(text), [None, pa.py_buffer(run.where[some])])
        connection.register("theirs", pa.table({"event_uid": text, "place": place}))
        found = connection.execute(_SUM.format(drawn=drawn, identities="theirs")).fetchall()[0]
        connection.unregister("theirs")
        rows, total, mixed = rows + found[0], total + found[1], mixed ^ found[2]
    return rows, total, mixed


_SUM = """SELECT count(*), coalesce(sum(hash({drawn}, event_uid, place)::HUGEINT), 0),
  coalesce(bit_xor(hash({drawn}, event_uid, place)), 0) FROM {identities}"""
_OURS = """(SELECT event_uid, (file_index::BIGINT << 32) | file_row_number AS place
  FROM read_parquet(?, file_row_number = true) WHERE event_uid IS NOT NULL)"""
