"""What was typed -> the export files that it means, and their decompressed bytes. First step of load."""

from __future__ import annotations

import glob
import hashlib
import io
import lzma
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipeline.errors import AuditbookError, UsageError
from pipeline.unpack import Xz

LINES = (".jsonl", ".ndjson")
LATER = (".json", ".csv")
COMPRESSED = {"": None, ".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
READABLE = tuple(form + packed for form in LINES for packed in COMPRESSED)
EXPORTS = READABLE + tuple(form + packed for form in LATER for packed in COMPRESSED)
TROUBLE = (OSError, EOFError, lzma.LZMAError)


class Reader:
    """The decompressed bytes of one file, hashed and counted as they are read."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self._path, self._stream, self._digest, self.bytes = path, stream, hashlib.sha256(), 0

    def read(self, size: int, /) -> bytes:
        try:
            chunk = self._stream.read(size)
        except TROUBLE as error:
            raise _unreadable(self._path, error) from error
        self._digest.update(chunk)
        self.bytes += len(chunk)
        return chunk

    def sha256(self) -> str:
        return self._digest.hexdigest()


def _unreadable(path: Path, error: Exception) -> AuditbookError:
    return AuditbookError(f"cannot be read: {getattr(error, 'strerror', None) or error}.", path=path)


@dataclass(frozen=True)
class Input:
    """One file to load; `name` is what the ledger calls it, without the folders of this machine."""

    name: str
    path: Path
    in_folder: bool = False

    @property
    def readable(self) -> bool:
        return self.path.name.endswith(READABLE) or self.path.name == "stdin"

    @contextmanager
    def open(self) -> Iterator[Reader]:
        """The decompressed bytes as a stream."""
        try:
            stream = self._unpacked()
        except TROUBLE as error:
            raise _unreadable(self.path, error) from error
        with stream:
            yield Reader(self.path, stream)

    def sha256(self) -> str:
        """The hash of the decompressed bytes: the same export is the same whatever it was packed with."""
        with self.open() as stream:
            while stream.read(1 << 20):
                pass
            return stream.sha256()

    def _unpacked(self) -> BinaryIO:
        codec = COMPRESSED.get(self.path.suffix)
        if codec is None:
            return self.path.open("rb")
        if codec == "xz":
            return io.BufferedReader(Xz(self.path))
        return io.BufferedReader(pa.input_stream(str(self.path), compression=codec))


def find(exports: Sequence[str]) -> list[Input]:
    """Every export that the arguments mean, each file once, in the order given and by name within a folder."""
    if not exports:
        raise UsageError("nothing to load.", hint="Name files, folders or globs.")
    found = {item.path.resolve(): item for argument in exports for item in _expand(argument)}
    return list(found.values())


def _expand(argument: str) -> list[Input]:
    path = Path(argument)
    if argument == "-":
        return [_spooled()]
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return [_named(path)]
    matches = [match for match in sorted(glob.glob(argument, recursive=True)) if Path(match).exists()]
    if not matches:
        raise UsageError("does not exist.", path=argument)
    return [item for match in matches for item in _expand(match)]


def _in_folder(folder: Path) -> list[Input]:
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.name.endswith(EXPORTS) and path.is_file() and not path.name.startswith(".")
    )
    if not files:
        raise UsageError(
            "has no exports in it.", path=folder, hint=f"Looked for {', '.join(LINES)}, also compressed."
        )
    return [Input(path.relative_to(folder).as_posix(), path, in_folder=True) for path in files]


def _named(path: Path) -> Input:
    found = Input(path.name, path)
    if not found.readable:
        raise UsageError(
            "is not a file of JSON lines.",
            path=path,
            hint=f"Readable are {', '.join(LINES)}, also .gz .zst .bz2 .xz.",
        )
    return found


def _spooled() -> Input:
    """Standard input, kept in a file of its own for the second reading; removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="auditbook-stdin-")
    _spools.append(folder)
    path = Path(folder.name) / "stdin"
    with path.open("wb") as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
    return Input("stdin", path)


_spools: list[tempfile.TemporaryDirectory[str]] = []
