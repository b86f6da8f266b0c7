"""Conducts a load: files into blocks, blocks to workers, and to each block what is known by then. The middle of load.

Blocks are decided in their order, so that of two equal lines the first is the event, however many processes work.
What is cut where depends on the input alone.
"""

from __future__ import annotations

import io
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline import ids, mojibake, runs
from pipeline.block import Block
from pipeline.crew import Other, Own
from pipeline.drift import by_column
from pipeline.errors import AuditbookError
from pipeline.fates import Hits
from pipeline.inputs import Input, Reader
from pipeline.job import Finished, Job, PieceCounts, Prepared, Told
from pipeline.ledger import Counts, LoadedFile
from pipeline.lines import Stopped
from pipeline.mapping import Mapping
from pipeline.normalize import Settings
from pipeline.packing import Packed, Packing
from pipeline.progress import Progress
from pipeline.store import part_names
from pipeline.unnamed import Equals

Hand = Own | Other


@dataclass(frozen=True)
class File:
    """A file to load, and as what; `why` there are no lines of it, if so. `commit_no` is the load that brings it, and
    `content` what it holds, where it was kept."""

    input: Input
    sha256: str
    mapping: Mapping | None
    settings: Settings
    tenant: str | None
    why: str | None
    commit_no: int
    stopped: Stopped | None = None
    content: bytes | None = None

    def open(self) -> AbstractContextManager[Reader]:
        """The decompressed bytes as a stream."""
        if self.content is None:
            return self.input.open()
        return nullcontext(Reader(self.input.path, io.BytesIO(self.content)))


@dataclass(frozen=True)
class Made:
    """What a load wrote: the ledger's rows in the order of the files, the fields that each source's records had, rows
    by written file, the new identities and in how many blocks they are, time by what was done."""

    loaded: list[LoadedFile]
    fields: dict[str, list[str]]
    rows: dict[str, int]
    identities: runs.Run
    blocks: int
    seconds: dict[str, float]


@dataclass
class _Tally:
    """A file's counts, as its pieces come in."""

    read: int = 0
    fates: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    first: int | None = None
    last: int | None = None
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    mangled: mojibake.Seen = field(default_factory=mojibake.Seen)


class _Load:
    """The state of one load: what came so far, by identity and by file."""

    def __init__(self, files: Sequence[File], known: ids.Known, folder: Path) -> None:
        self._files, self._known, self._folder = files, known, folder
        self._fresh = runs.Runs()
        self._equals = Equals()
        self.lines: Counter[int] = Counter()
        self.tallies = [_Tally() for _ in files]
        self.fields: defaultdict[str, set[str]] = defaultdict(set)
        self.rows: dict[str, int] = {}
        self.seconds: Counter[str] = Counter()
        self._written: set[int] = set()

    def job(self, number: int, packed: Packed) -> Job:
        file = self._files[packed.pieces[0].file]
        lines, events = part_names(number)
        return Job(
            number, file.mapping, file.settings, packed.pieces,
            self._folder / lines, self._folder / events,
        )  # fmt: skip

    def decide(self, hand: Hand, job: Job, hands: Sequence[Hand]) -> None:
        """Tell a worker what is known, and remember what is new."""
        found = hand.prepared(job.number)
        first = []
        for piece, lines in zip(job.pieces, found.lines, strict=True):
            first.append(self.lines[piece.file] + 1)
            self.lines[piece.file] += lines
        uids = self._told_apart(job, found)
        high, low = found.high, found.low
        if uids:
            high, low = high.copy(), low.copy()
            rows = list(uids)
            high[rows], low[rows] = runs.halves(pa.array([uids[row] for row in rows], pa.string()))
        order = runs.order_of(high)
        hits = self._hits(high, low, order)
        told = Told(first, uids, hits)
        if hits is None and (found.alone or (uids and runs.alone(high))):
            self._remember(job.number, high, low, found.rows, order)
            hand.finish(job.number, told)
            return
        told = replace(told, hits=hits or _NO_HITS)
        self._until_written(told.hits, hands)
        again = hand.fates(job.number, told)
        met = self._hits(again[0], again[1], runs.order_of(again[0]))
        if met is not None:
            met = replace(met, rows=np.asarray(again[2])[met.rows])
            self._until_written(met, hands)
        self._remember(job.number, *hand.settle(job.number, met or _NO_HITS))
        hand.finish(job.number, None)

    def take(self, hands: Sequence[Hand]) -> None:
        """What is written."""
        for hand in hands:
            for one in hand.finished():
                self._count(one)

    def _count(self, one: Finished) -> None:
        self._written.add(one.number)
        self.rows |= one.rows
        self.seconds.update(one.seconds)
        if one.fields:
            self.fields[self._source_of(one)].update(one.fields)
        for piece in one.counts:
            _add(self.tallies[piece.file], piece)

    def _source_of(self, one: Finished) -> str:
        mapping = self._files[one.counts[0].file].mapping
        return mapping.source if mapping else ""

    def identities(self) -> runs.Run:
        """Those of the new events, each with its block and row."""
        return runs.merged(self._fresh.runs) if self._fresh.runs else runs.NONE

    def _until_written(self, hits: Hits | None, hands: Sequence[Hand]) -> None:
        """Lines of this load can be compared with once they are on disk."""
        wanted = {_number_of(path) for path in (hits.files if hits else ()) if path.parent == self._folder}
        for hand in hands:
            if not wanted <= self._written:
                hand.wait()
                self.take([hand])

    def _remember(
        self,
        number: int,
        high: np.ndarray,
        low: np.ndarray,
        rows: np.ndarray,
        order: np.ndarray | None = None,
    ) -> None:
        self._fresh.add(high, low, (np.int64(number) << 32) | rows.astype(np.int64), order)

    def _hits(self, high: np.ndarray, low: np.ndarray, order: np.ndarray) -> Hits | None:
        earlier, now = self._known.find(high, low, order), self._fresh.find(high, low, order)
        rows = np.flatnonzero((earlier >= 0) | (now >= 0))
        if not len(rows):
            return None
        stored = earlier[rows] >= 0
        where = np.where(stored, earlier[rows], now[rows])
        keys = (where >> 32) * 2 + stored
        numbers, file = np.unique(keys, return_inverse=True)
        files = [self._known.parts[key // 2].lines if key % 2 else self._folder / part_names(int(key // 2))[0]
                 for key in numbers.tolist()]  # fmt: skip
        return Hits(rows, files, file, where & 0xFFFFFFFF)

    def _told_apart(self, job: Job, found: Prepared) -> dict[int, str]:
        """Equal lines without an id in one file are several events: those of earlier blocks of the file count too."""
        source = job.mapping.source if job.mapping is not None else ""
        offsets = [piece.offset for piece in job.pieces]
        return self._equals.later(source, found.unnamed, offsets, found.piece)


class _Turns:
    """Hands take blocks by turns. A hand's next block is read once it was told what is known of its last: the bytes of
    that one are still needed, those of the one before it are not."""

    def __init__(self, state: _Load, hands: Sequence[Hand]) -> None:
        self._state, self._hands, self._next = state, hands, deque(hands)
        self._waiting: deque[tuple[Hand, Job]] = deque()
        self.blocks = 0

    def room(self) -> memoryview:
        """Where the next block is to be read to."""
        self._make_way()
        return self._next[0].room()

    def begin(self, job: Job, data: memoryview | Sequence[Block]) -> None:
        self._make_way()
        self._next[0].begin(job, data)
        self.blocks = job.number
        self._waiting.append((self._next[0], job))
        self._next.rotate(-1)

    def end(self) -> None:
        while self._waiting:
            self._state.decide(*self._waiting.popleft(), self._hands)

    def _make_way(self) -> None:
        if len(self._waiting) == len(self._hands):
            self._state.decide(*self._waiting.popleft(), self._hands)
            self._state.take(self._hands)


def conduct(
    files: Sequence[File], known: ids.Known, folder: Path, hands: Sequence[Hand], progress: Progress
) -> Made:
    """Load files into the folder of a commit that is being made."""
    state = _Load(files, known, folder)
    turns = _Turns(state, hands)
    to_load = [(n, file) for n, file in enumerate(files) if file.why is None]
    packing = Packing(to_load, turns.room, progress)
    for number, packed in enumerate(packing.blocks(), start=1):
        turns.begin(state.job(number, packed), packed.data)
    turns.end()
    for hand in hands:
        hand.wait()
    state.take(hands)
    loaded = [
        _loaded(file, state.tallies[n], packing.bytes.get(n), state.lines[n]) for n, file in enumerate(files)
    ]
    fields = {source: sorted(found) for source, found in sorted(state.fields.items())}
    return Made(loaded, fields, state.rows, state.identities(), turns.blocks, dict(state.seconds))


_NO_HITS = Hits(np.array([], np.int64), [], np.array([], np.int64), np.array([], np.int64))


def _number_of(path: Path) -> int:
    digits = path.name.removeprefix("lines").removesuffix(".parquet")
    return int(digits[1:]) if digits else 1


def _add(into: _Tally, piece: PieceCounts) -> None:
    if piece.mangled.first is not None:
        into.mangled.add(piece.mangled, into.read)
    into.read += piece.read
    into.fates = [a + b for a, b in zip(into.fates, piece.fates, strict=True)]
    into.first = min((t for t in (into.first, piece.first_event) if t is not None), default=None)
    into.last = max((t for t in (into.last, piece.last_event) if t is not None), default=None)
    into.unknown.update(piece.unknown)


def _loaded(file: File, tally: _Tally, size: int | None, lines: int) -> LoadedFile:
    """The ledger's row; nothing is committed unless it adds up."""
    if sum(tally.fates) != lines:
        raise AuditbookError(
            f"{lines} lines were read and {sum(tally.fates)} accounted for; nothing was committed.",
            path=file.input.path,
            hint="This is a fault of auditbook: please report it.",
        )
    source, version = (
        (file.mapping.source, file.mapping.version) if file.mapping and not file.why else (None, None)
    )
    return LoadedFile(
        file.input.name, file.sha256, file.input.size if size is None else size, source, file.tenant, version,
        Counts(lines, *tally.fates), _text(tally.first), _text(tally.last), file.why, by_column(tally.unknown),
        file.stopped.message if file.stopped else None, tally.mangled.message(file.input.name),
    )  # fmt: skip


def _text(micros: int | None) -> str | None:
    if micros is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
