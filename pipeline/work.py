"""One block's way from bytes to Parquet, in steps between which the load says what is known. Part of load.

`prepare` judges and normalizes; `fates` and `settle` find duplicates and conflicts among what the load says is known
already; `finish` writes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import pyarrow as pa

from pipeline import changes, drift, engine, memory, mojibake, normalize, parts, runs, unsaid
from pipeline import fates as deciding
from pipeline.block import EVENT, REJECT, Block, joined
from pipeline.distinct import whole
from pipeline.fates import Fates, Hits, Records
from pipeline.job import Finished, Job, Piece, PieceCounts, Prepared, Told
from pipeline.lines import BOM, Verdict
from pipeline.normalize import Normalized, Plan, Settings
from pipeline.scan import NEWLINE, Scanner
from pipeline.unnamed import Unnamed, of_records

# A block's statements are hundreds of expressions over one table: what else an optimizer looks for is not there.
_OTHER_OPTIMIZERS = """SELECT string_agg(name, ',') FROM duckdb_optimizers()
  WHERE name NOT IN ('expression_rewriter', 'common_subexpressions', 'unused_columns')"""
_NEVER = np.iinfo(np.int64).max


@dataclass
class _Open:
    """A block under way."""

    job: Job
    block: Block
    piece: np.ndarray  # of each line
    mangled: list[mojibake.Seen]
    made: Normalized | None
    rows: np.ndarray  # the lines whose records became events so far
    uids: pa.Array
    unnamed: Unnamed | None = None
    first_line: list[int] = field(default_factory=list)
    records: Records | None = None
    fates: Fates | None = None


class Worker:
    """What a process keeps between blocks: a connection, compiled mappings, the shapes of records."""

    def __init__(self) -> None:
        self._connection = connect()
        self._plans: dict[tuple[str, str, Settings], Plan] = {}
        self._scanners: dict[tuple[str, str], Scanner] = {}
        self._open: dict[int, _Open] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def close(self) -> None:
        self._connection.close()

    def prepare(self, job: Job, data: memoryview | Sequence[Block]) -> Prepared:
        """Judge the lines and make events of the records; `data` are bytes, or blocks that were judged already."""
        began = time.perf_counter()
        block, piece = self._scanned(job, data) if isinstance(data, memoryview) else _beside(data)
        sizes = np.bincount(piece, minlength=len(job.pieces)).tolist()
        mangled = mojibake.seen(block.raw, sizes)
        if job.settings.redact:
            block = unsaid.of_block(block)
        began = self._took("judge", began)
        under_way = self._normalized(job, block, piece, mangled)
        self._took("normalize", began)
        self._open[job.number] = under_way
        high, low = runs.halves(under_way.uids)
        return Prepared(
            job.number, sizes, high, low, under_way.rows, piece[under_way.rows], under_way.unnamed,
            runs.alone(high),
        )  # fmt: skip

    def fates(self, number: int, told: Told) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """Find what is known among the records; returns the conflicts' identities, to be looked up, and their rows."""
        began = time.perf_counter()
        one = self._open[number]
        one.first_line = told.first_line
        if told.uids:
            texts = one.uids.to_pylist()
            one.uids = pa.array([told.uids.get(row, text) for row, text in enumerate(texts)], pa.string())
        if told.hits is None:
            self._took("compare", began)
            return np.array([], np.uint64), np.array([], np.uint64), []
        one.records = self._records(one)
        one.fates = deciding.fates(one.records, told.hits)
        rows = sorted(one.fates.conflicts)
        assert one.fates.uid is not None
        high, low = runs.halves(pa.array([one.fates.uid[row] for row in rows], pa.string()))
        self._took("compare", began)
        return high, low, rows

    def settle(self, number: int, hits: Hits) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Once it is known which conflicts were met before: the identities of the new events, and their lines' rows."""
        one = self._open[number]
        if one.fates is None or one.records is None:
            high, low = runs.halves(one.uids)
            return high, low, one.rows
        deciding.settle(one.fates, one.records, hits)
        new = np.flatnonzero(~one.fates.duplicate)
        uids = one.fates.uid or []
        high, low = runs.halves(pa.array([uids[row] for row in new], pa.string()))
        return high, low, one.rows[new]

    def finish(self, number: int) -> Finished:
        """Write the block's two files."""
        began = time.perf_counter()
        one = self._open.pop(number)
        found = one.fates or Fates.all_new(len(one.rows))
        uids = one.uids if found.uid is None else pa.array(found.uid, pa.string())
        made = parts.codes(one.block, found, one.rows)
        piece_line, piece_offset = self._places(one)
        files = [(piece.name, piece.sha256) for piece in one.job.pieces]
        table = parts.lines(
            one.block,
            made,
            one.rows,
            found,
            uids,
            files,
            one.piece,
            piece_line,
            piece_offset,
            [piece.commit_no for piece in one.job.pieces],
        )
        parts.write(one.job.lines, table)
        rows = {one.job.lines.name: table.num_rows}
        times = None
        if one.made is not None:
            events = self._events(one, found, uids, files, piece_line)
            if events.num_rows:
                parts.write(one.job.events, events)
                rows[one.job.events.name] = events.num_rows
            times = events.column("occurred_at")
        counts = _counts(one, made, times)
        fields = drift.fields(self._connection, one.block.keys, one.made) if one.made is not None else []
        self._took("write", began)
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        return Finished(number, counts, fields, rows, seconds)

    def _scanned(self, job: Job, data: memoryview) -> tuple[Block, np.ndarray]:
        """The lines of all pieces, judged, and the piece of each; offsets are those in the piece."""
        repeated = tuple(job.mapping.repeated) if job.mapping else ()
        key = (job.mapping.source if job.mapping else "", "|".join(repeated))
        scanner = self._scanners.setdefault(key, Scanner(repeated))
        wanted = self._plan(job).members if job.mapping else {}
        blocks, piece = [], []
        for stretch in _stretches(job.pieces, data):
            begin = job.pieces[stretch.start].start
            text = data[begin : job.pieces[stretch.stop - 1].stop]
            block = scanner.scan(text, job.pieces[stretch.start].offset == 0, wanted)
            begins = np.array([job.pieces[n].start - begin for n in stretch], np.int64)
            at = np.searchsorted(begins, block.offset, "right") - 1
            blocks.append(replace(block, offset=block.offset - begins[at]))
            piece.append(at + stretch.start)
        return joined(blocks), np.concatenate(piece)

    def _normalized(
        self,
        job: Job,
        block: Block,
        piece: np.ndarray,
        mangled: list[mojibake.Seen],
    ) -> _Open:
        rows = block.rows
        if job.mapping is None or not len(rows):
            return _Open(job, block, piece, mangled, None, rows[:0], pa.array([], pa.string()))
        made = normalize.events(self._connection, self._plan(job), block.records, block.keys, block.members)
        reasons = made.events.column("reject_reason")
        if reasons.null_count < len(rows):
            block, made, rows = _without_rejects(block, made, rows)
        uids = whole(made.events.column("event_uid")).cast(pa.string())
        one = _Open(job, block, piece, mangled, made, rows, uids)
        return self._named(one) if uids.null_count else one

    def _named(self, one: _Open) -> _Open:
        """Records without an id get an identity too."""
        assert one.made is not None
        assert one.job.mapping is not None
        without = one.uids.is_null()
        unnamed, uids = of_records(
            self._connection, one.job.mapping.source, one.block.records,
            whole(one.made.events.column("instance")), one.piece[one.rows],
            np.flatnonzero(without.to_numpy(zero_copy_only=False)),
        )  # fmt: skip
        return replace(one, uids=pa.compute.replace_with_mask(one.uids, without, uids), unnamed=unnamed)

    def _plan(self, job: Job) -> Plan:
        assert job.mapping is not None
        key = (job.mapping.source, job.mapping.version, job.settings)
        if key not in self._plans:
            self._plans[key] = normalize.compile_mapping(job.mapping, job.settings)
        return self._plans[key]

    def _records(self, one: _Open) -> Records:
        place = np.flatnonzero(np.isin(one.block.rows, one.rows))
        content = {n: one.block.content[int(p)] for n, p in enumerate(place) if int(p) in one.block.content}
        line, _ = self._places(one)
        rows = pa.array(one.rows)
        return Records(
            one.uids, one.block.raw.take(rows), content, one.block.records.take(pa.array(place)), line[one.rows],
            [(one.job.pieces[n].commit_no, one.job.pieces[n].sha256) for n in one.piece[one.rows]],
        )  # fmt: skip

    def _places(self, one: _Open) -> tuple[np.ndarray, np.ndarray]:
        """Line number and byte offset of each line in its file."""
        sizes = np.bincount(one.piece, minlength=len(one.job.pieces))
        begins = np.concatenate(([0], np.cumsum(sizes)[:-1]))
        line = np.arange(one.block.lines) - begins[one.piece] + np.array(one.first_line, np.int64)[one.piece]
        offset = one.block.offset + np.array([piece.offset for piece in one.job.pieces], np.int64)[one.piece]
        return line, offset

    def _events(
        self, one: _Open, found: Fates, uids: pa.Array, files: list[tuple[str, str]], line: np.ndarray
    ) -> pa.Table:
        assert one.made is not None
        table, rows = one.made.events, one.rows
        conflicts = pa.array([found.conflicts.get(n) for n in range(len(rows))], pa.string()) if found.conflicts \
            else pa.nulls(len(rows), pa.string())  # fmt: skip
        numbers = pa.array(one.piece[rows].astype(np.int32))
        extra = {
            "event_uid": uids,
            "file": parts.coded(numbers, [name for name, _ in files]),
            "file_sha256": parts.coded(numbers, [digest for _, digest in files]),
            "line": pa.array(line[rows]),
            "conflicts_with": conflicts,
        }
        made = parts.events(table, extra)
        return made.filter(pa.array(~found.duplicate)) if found.duplicate.any() else made

    def _took(self, stage: str, began: float) -> float:
        now = time.perf_counter()
        self._seconds[stage] += now - began
        return now


def connect() -> duckdb.DuckDBPyConnection:
    """A connection on which records become events."""
    connection = engine.connect(threads=1)
    memory.hold(connection)
    connection.execute("SET TimeZone = 'UTC'")
    [(others,)] = connection.execute(_OTHER_OPTIMIZERS).fetchall()
    connection.execute(f"SET disabled_optimizers = '{others}'")
    connection.execute(changes.LEAVES_MACRO)
    return connection


def _stretches(pieces: Sequence[Piece], data: memoryview) -> Iterator[range]:
    """Pieces that can be read as one text: each but the last ends a line, and none but the first begins with the mark
    of UTF-8, which is no part of a line there."""
    first = 0
    for n in range(1, len(pieces) + 1):
        if n < len(pieces):
            begin = pieces[n].start
            if data[begin - 1] == NEWLINE and bytes(data[begin : begin + len(BOM)]) != BOM:
                continue
        yield range(first, n)
        first = n


def _beside(blocks: Sequence[Block]) -> tuple[Block, np.ndarray]:
    """Blocks that were judged already, each of a piece of its own."""
    return joined(blocks), np.repeat(np.arange(len(blocks)), [one.lines for one in blocks])


def _without_rejects(
    block: Block, made: Normalized, rows: np.ndarray
) -> tuple[Block, Normalized, np.ndarray]:
    """Records that are no events after all, for want of a time, join the rejects."""
    reasons, messages = (made.events.column(name) for name in ("reject_reason", "reject_message"))
    mask = whole(reasons.is_null())
    good = mask.to_numpy(zero_copy_only=False)
    fate, told = block.fate.copy(), dict(block.told)
    for record in np.flatnonzero(~good).tolist():
        row = int(rows[record])
        fate[row] = REJECT
        told[row] = Verdict("reject", reasons[record].as_py(), messages[record].as_py())
    content = {
        int(n): block.content[int(p)] for n, p in enumerate(np.flatnonzero(good)) if int(p) in block.content
    }
    block = replace(block, fate=fate, told=told, records=block.records.filter(mask), content=content)
    watched = {name: array.filter(mask) for name, array in made.watched.items()}
    return block, replace(made, events=made.events.filter(mask), watched=watched), rows[good]


def _counts(one: _Open, made: np.ndarray, times: pa.ChunkedArray | None) -> list[PieceCounts]:
    pieces = len(one.job.pieces)
    table = np.bincount(one.piece * 4 + made, minlength=pieces * 4).reshape(pieces, 4)
    moments = np.asarray(whole(times).cast(pa.int64())) if times is not None else np.array([], np.int64)
    first, last = _ends(moments, one.piece[made == EVENT], pieces)
    unknown = drift.unknown_values(one.made, one.piece[one.rows]) if one.made is not None else {}
    counts = []
    for n, piece in enumerate(one.job.pieces):
        event, reject, blank, duplicate = (int(x) for x in table[n])
        counts.append(
            PieceCounts(
                piece.file,
                event + reject + blank + duplicate,
                (event, duplicate, reject, blank),
                first[n],
                last[n],
                unknown.get(n, {}),
                one.mangled[n],
            )
        )
    return counts


def _ends(moments: np.ndarray, of: np.ndarray, pieces: int) -> tuple[list[int | None], list[int | None]]:
    """The first and the last moment of each piece, or None."""
    first, last = np.full(pieces, _NEVER), np.full(pieces, -_NEVER)
    np.minimum.at(first, of, moments)
    np.maximum.at(last, of, moments)
    return _told(first, _NEVER), _told(last, -_NEVER)


def _told(moments: np.ndarray, none: int) -> list[int | None]:
    return [None if moment == none else moment for moment in moments.tolist()]
