"""The store's lines -> the files that they came from, byte for byte, to be read again. Used by remap and forget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline import engine
from pipeline.errors import AuditbookError
from pipeline.inputs import Input, Reader
from pipeline.lines import Stopped
from pipeline.store import Part
from pipeline.unpack import CODECS, Codec

Load = tuple[int, str, str]  # the commit that brought a file, its name, its hash
NAMED_BY = ["commit_no", "file", "file_sha256"]
BYTES = ["raw", "raw_bytes", "newline", "same_commit", "same_file_sha256", "same_line"]


@dataclass(frozen=True)
class Run:
    """Rows `start` to `stop` of a part: lines of one file, in their order."""

    part: Part
    start: int
    stop: int


class Shelf:
    """Which part has which lines of which file."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self.runs: dict[Load, list[Run]] = {}
        self._of_hash: dict[tuple[int, str], list[Path]] = {}
        self._open: tuple[Path, pa.Table] | None = None
        for part in parts:
            for load, start, stop in _runs(part.lines):
                self.runs.setdefault(load, []).append(Run(part, start, stop))
                self._of_hash.setdefault((load[0], load[2]), []).append(part.lines)

    def holding(self, loads: Iterable[Load]) -> list[Part]:
        """The parts that have lines of these files."""
        wanted = {run.part for load in loads for run in self.runs.get(load, [])}
        return [part for part in self._parts if part in wanted]

    def bytes(self, load: Load) -> Iterator[bytes]:
        """A file's bytes, part by part."""
        for run in self.runs.get(load, []):
            table = self._opened(run.part.lines).slice(run.start, run.stop - run.start)
            text = pc.coalesce(table.column("raw").cast(pa.binary()), table.column("raw_bytes"))
            if text.null_count:
                raise AuditbookError(
                    f"has {text.null_count:,} lines without their text, which retention or erasure took away: the file "
                    "cannot be read again.",
                    path=load[1], hint="What it became stays as it is.",
                )  # fmt: skip
            ending = pc.if_else(table.column("newline"), b"\n", b"")
            yield b"".join(pc.binary_join_element_wise(text, ending, b"").to_pylist())

    def reason(self, load: Load) -> str:
        """Why a file was not read to its end: the code that one of its last lines was rejected with."""
        run = self.runs[load][-1]
        reasons = pq.read_table(run.part.lines, columns=["reason"]).column("reason").slice(run.start)
        return "bomb" if "bomb" in reasons.to_pylist() else "truncated"

    def _opened(self, path: Path) -> pa.Table:
        """A part's texts; the last one stays open, for the next file is often in it."""
        if self._open is None or self._open[0] != path:
            table = pq.ParquetFile(path).read(columns=BYTES).combine_chunks()
            self._open = (path, self._with_first_texts(path, table))
        return self._open[1]

    def _with_first_texts(self, path: Path, table: pa.Table) -> pa.Table:
        """A duplicate whose bytes equal the first's keeps a reference instead of them."""
        absent = pc.and_(pc.is_null(table.column("raw")), pc.is_valid(table.column("same_commit")))
        rows = np.flatnonzero(np.asarray(absent) & np.asarray(pc.is_null(table.column("raw_bytes"))))
        if not len(rows):
            return table
        wanted = table.take(pa.array(rows)).select(["same_commit", "same_file_sha256", "same_line"])
        wanted = wanted.append_column("n", pa.array(rows))
        keys = set(zip(*(wanted.column(n).to_pylist() for n in range(2)), strict=True))
        places = sorted({str(place) for key in keys for place in self._of_hash.get(key, [])})
        found = _texts(wanted, places)
        if len(found) != len(rows):
            raise AuditbookError(
                "refers to lines that are not in the store.", path=path, hint="`auditbook verify` says what is broken."
            )  # fmt: skip
        mask = np.zeros(len(table), bool)
        mask[rows] = True
        raw = pc.replace_with_mask(table.column("raw").combine_chunks(), pa.array(mask), found)
        return table.set_column(table.column_names.index("raw"), "raw", raw)


def _texts(wanted: pa.Table, places: Sequence[str]) -> pa.Array:
    with engine.connect() as connection:
        connection.register("wanted", wanted)
        found = connection.sql(
            """SELECT first.raw FROM wanted w JOIN read_parquet($places) AS first
              ON first.commit_no = w.same_commit AND first.file_sha256 = w.same_file_sha256
              AND first.line = w.same_line AND first.fate = 'event' ORDER BY n""",
            params={"places": list(places)},
        )
        return found.to_arrow_table().column("raw").combine_chunks().cast(pa.string())


def _runs(path: Path) -> Iterator[tuple[Load, int, int]]:
    columns = ["file", "file_sha256"]
    table = pq.read_table(path, columns=NAMED_BY, read_dictionary=columns, partitioning=None).combine_chunks()
    numbers = [np.asarray(table.column("commit_no"))]
    numbers += [np.asarray(table.column(name).combine_chunks().indices) for name in columns]
    changes = np.zeros(len(table), bool)
    changes[:1] = True
    for column in numbers:
        changes[1:] |= column[1:] != column[:-1]
    starts = np.flatnonzero(changes)
    named = table.take(pa.array(starts))
    loads = zip(*(named.column(name).to_pylist() for name in NAMED_BY), strict=True)
    stops = np.concatenate((starts[1:], [len(table)]))
    for load, start, stop in zip(loads, starts, stops, strict=True):
        yield load, int(start), int(stop)


@dataclass(frozen=True)
class Kept(Input):
    """A file as the store has it; `path` is its name, without what it was packed with."""

    shelf: Shelf = field(kw_only=True)
    load: Load = field(kw_only=True)
    length: int = field(kw_only=True)
    stopped: Stopped | None = field(kw_only=True)

    @property
    def codec(self) -> Codec | None:
        return None

    @property
    def size(self) -> int:
        return self.length

    @contextmanager
    def open(self) -> Iterator[Reader]:
        """Its bytes as a stream, which ends as the file's did."""
        yield Reader(self.path, _Chunks(self.shelf.bytes(self.load), self.stopped))


def kept(shelf: Shelf, load: Load, length: int, stopped: str | None) -> Kept:
    """The file of a load, and what was said when it was not read to its end."""
    path = Path(load[1])
    path = path.with_suffix("") if path.suffix.lower() in CODECS else path
    why = Stopped(shelf.reason(load), stopped) if stopped else None
    return Kept(load[1], path, shelf=shelf, load=load, length=length, stopped=why)


class _Chunks:
    """Pieces of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes], stopped: Stopped | None) -> None:
        self._chunks, self.stopped = chunks, stopped
        self._rest = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        while not len(self._rest):
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return bytes(piece)
