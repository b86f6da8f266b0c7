"""Files -> blocks of about the same size, each of one source: small files together, large ones cut. Part of load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa

from pipeline import forms
from pipeline.block import Block, of_table
from pipeline.crew import BLOCK_BYTES
from pipeline.errors import AuditbookError
from pipeline.inputs import Reader
from pipeline.job import Piece
from pipeline.lines import BLOCK_BYTES as TABLE_BYTES
from pipeline.lines import Readable, Splitter, Stopped
from pipeline.progress import Progress
from pipeline.scan import NEWLINE

if TYPE_CHECKING:
    from pipeline.conduct import File

LEAST_ROOM = 64 * 1024  # a block with less than this left is full
AT_ONCE = 256 * 1024
MOST_LINES = 250_000  # of a block, but for those that are read at once: what is known of a line takes memory
_NOWHERE = memoryview(b"")


@dataclass(frozen=True)
class Packed:
    """A block: its bytes, where they were read to, or what was judged already."""

    data: memoryview | Sequence[Block]
    pieces: Sequence[Piece]


class Packing:
    """Packs files, and counts their bytes; `room` says where each block is to be read to."""

    def __init__(
        self, files: Sequence[tuple[int, File]], room: Callable[[], memoryview], progress: Progress
    ) -> None:
        self._files, self._room, self._progress = _by_source(files), room, progress
        self._data, self._filled, self._pieces = _NOWHERE, 0, list[Piece]()
        self._newlines = 0
        self._key: object = None
        self.bytes: dict[int, int] = {}
        self._total, self._before = sum(file.input.size for _, file in files), 0

    def blocks(self) -> Iterator[Packed]:
        for number, file in self._files:
            self._progress(f"loading {file.input.name}", self._before, self._total)
            if _kind(file) != self._key:
                yield from self._full()
                self._key = _kind(file)
            with file.open() as stream:
                for packed in self._of_file(number, file, stream):
                    yield packed
                    self._progress(f"loading {file.input.name}", self._before + stream.consumed, self._total)
                self._check(file, stream.sha256())
            self.bytes[number] = stream.bytes
            self._before += file.input.size
        yield from self._full()

    def _of_file(self, number: int, file: File, stream: Reader) -> Iterator[Packed]:
        if plain(file):
            yield from self._lines(number, file, stream)
        else:
            yield from self._full()
            tables = forms.splitter(file.input, file.mapping).blocks(stream, TABLE_BYTES)
            yield from judged(tables, number, file)

    def _lines(self, number: int, file: File, stream: Reader) -> Iterator[Packed]:
        """A file of JSON lines; what is not ended by the block's end goes into the next block."""
        offset, carried = 0, 0  # of the file's bytes in the block, how many were read before
        while True:
            if BLOCK_BYTES - self._filled < LEAST_ROOM or self._newlines >= MOST_LINES:
                yield from self._full()
            self._begun()
            start = self._filled
            end, ended = self._fill(stream, start + carried)
            if ended and not stream.stopped:
                self._add(number, file, offset, start, end)
                return
            cut = start + _lines_end(self._data[start:end])
            if ended or not cut:
                self._add(number, file, offset, start, cut)
                rest = bytes(self._data[cut:end])
                yield from self._full()
                yield from self._slowly(number, file, offset + cut - start, _Joined(rest, stream))
                return
            self._add(number, file, offset, start, cut)
            offset += cut - start
            rest = bytes(self._data[cut:end])
            yield from self._full()
            self._begun()
            self._data[: len(rest)] = rest
            carried = len(rest)

    def _begun(self) -> None:
        """A block that nothing was read to yet gets its room."""
        if not self._data:
            self._data = self._room()

    def _fill(self, stream: Reader, at: int) -> tuple[int, bool]:
        """Read until the block is full or there is no more; returns where it ends, and whether there is no more."""
        while at < BLOCK_BYTES and self._newlines < MOST_LINES:
            room = self._data[at : min(at + AT_ONCE, BLOCK_BYTES)]
            length = stream.fill(room)
            if not length:
                return at, True
            self._newlines += int(np.count_nonzero(np.frombuffer(room[:length], np.uint8) == NEWLINE))
            at += length
        return at, False

    def _add(self, number: int, file: File, offset: int, start: int, stop: int) -> None:
        if stop == start:
            return
        self._pieces.append(Piece(number, file.input.name, file.sha256, file.commit_no, offset, start, stop))
        self._filled = stop

    def _full(self) -> Iterator[Packed]:
        if self._pieces:
            yield Packed(self._data[: self._filled], self._pieces)
        self._data, self._filled, self._pieces, self._newlines = _NOWHERE, 0, [], 0

    def _slowly(self, number: int, file: File, offset: int, rest: _Joined) -> Iterator[Packed]:
        """The rest of a file of which a line is longer than a block, or that cannot be read to its end."""
        splitter = Splitter(tuple(file.mapping.repeated) if file.mapping else ())
        splitter.line = 1 if offset else 0  # only the very first line of a file can have a byte order mark
        yield from judged(splitter.blocks(rest, TABLE_BYTES), number, file, offset)

    def _check(self, file: File, digest: str) -> None:
        if digest != file.sha256:
            raise AuditbookError(
                "changed while it was being read.",
                path=file.input.path,
                hint="Load it again when it is complete.",
            )


def plain(file: File) -> bool:
    """Whether a file is of JSON lines, about whose records its mapping asks no more than that they are JSON."""
    asks = file.mapping is not None and "schema" in file.mapping.rules.get("record", {})
    return not asks and forms.form(file.input, file.mapping) == "lines"


def judged(tables: Iterator[pa.Table], number: int, file: File, offset: int = 0) -> Iterator[Packed]:
    """Tables of judged lines as blocks."""
    for table in tables:
        keys = frozenset[str]().union(
            *(msgspec.json.decode(text) for text in table.column("record").to_pylist() if text is not None)
        )
        begins = table.column("byte_offset")[0].as_py()
        block = of_table(table, keys)
        yield Packed([block], [Piece(number, file.input.name, file.sha256, file.commit_no, offset + begins)])


def _lines_end(data: memoryview) -> int:
    """Where the last line that is ended ends; 0 when none is."""
    for end in range(len(data), 0, -LEAST_ROOM):
        begin = max(end - LEAST_ROOM, 0)
        if (found := bytes(data[begin:end]).rfind(b"\n")) >= 0:
            return begin + found + 1
    return 0


@dataclass
class _Joined:
    """Bytes that were read already, and then the rest of the stream."""

    begun: bytes
    stream: Readable

    @property
    def stopped(self) -> Stopped | None:
        return getattr(self.stream, "stopped", None)

    def read(self, size: int, /) -> bytes:
        if self.begun:
            chunk, self.begun = self.begun[:size], self.begun[size:]
            return chunk
        return self.stream.read(size)


def _by_source(files: Sequence[tuple[int, File]]) -> list[tuple[int, File]]:
    """Files of one source one after another, each where the first of its source stands; else in their order."""
    order: dict[object, int] = {}
    for _, file in files:
        order.setdefault(_kind(file), len(order))
    return sorted(files, key=lambda item: order[_kind(item[1])])


def _kind(file: File) -> object:
    return file.mapping.source if file.mapping else None, file.settings
