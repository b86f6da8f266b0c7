"""What was typed -> the export files that it means, and their decompressed bytes. First step of load."""

from __future__ import annotations

import glob
import hashlib
import io
import lzma
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from pipeline import lines
from pipeline.errors import AuditbookError, UsageError
from pipeline.store import as_utf8
from pipeline.unpack import Xz

LINES = (".jsonl", ".ndjson")
LOOKS_LIKE_ONE = (".jsonl", ".ndjson", ".json", ".csv")
COMPRESSED = {"": None, ".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
READABLE = tuple(form + packed for form in LINES for packed in COMPRESSED)
OWN_FILES = (
    "manifest.jsonl",
    "reports.jsonl",
)  # what a store has beside its commits and could be taken for one
TROUBLE = (OSError, EOFError, lzma.LZMAError)


class UnreadableError(AuditbookError):
    """The file cannot be read to its end; inside a folder it is left out on record, and the rest loads."""


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


def _unreadable(path: Path, error: Exception) -> UnreadableError:
    return UnreadableError(f"cannot be read: {getattr(error, 'strerror', None) or error}.", path=path)


@dataclass(frozen=True)
class Input:
    """One file to load; `name` is what the ledger calls it, without the folders of this machine."""

    name: str
    path: Path
    in_folder: bool = False

    @property
    def readable(self) -> bool:
        return self.path.name.lower().endswith(READABLE) or self.path.name == "stdin"

    @property
    def size(self) -> int:
        """As it lies there; 0 for a link to nothing."""
        return self.path.stat().st_size if self.path.exists() else 0

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
        begun = 0
        with self.open() as stream:
            while chunk := stream.read(1 << 20):
                if (newline := chunk.rfind(b"\n")) >= 0:
                    begun = stream.bytes - len(chunk) + newline + 1
                if stream.bytes - begun > lines.LONGEST_KEPT:
                    raise UnreadableError(
                        f"has more than {lines.LONGEST_KEPT:,} bytes without an end of line after byte {begun:,}.",
                        path=self.path,
                    )
            return stream.sha256()

    def _unpacked(self) -> BinaryIO:
        if self.path.exists() and not self.path.is_file():
            raise OSError("it is no regular file")  # a pipe would be waited for, and can be read only once
        codec = COMPRESSED.get(self.path.suffix.lower())
        if codec is None:
            return self.path.open("rb")
        if codec == "xz":
            return io.BufferedReader(Xz(self.path))
        return io.BufferedReader(pa.input_stream(self.path.open("rb"), compression=codec))


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
    matches = sorted(glob.glob(argument, recursive=True))
    if not any(Path(match).exists() for match in matches):
        raise UsageError("does not exist.", path=argument)
    return [item for match in matches for item in _expand(match)]


def _in_folder(folder: Path) -> list[Input]:
    """What looks like an export; whether it can be read is found out, and recorded, when it is loaded."""
    if any(_is_store(above) and "commits" in _below(above, folder) for above in folder.resolve().parents):
        raise UsageError("is part of a store, there are no exports in it.", path=folder)
    files = sorted(path for path in _walk(folder) if _looks_like_an_export(path.name))
    if not files:
        raise UsageError(
            "has no exports in it.", path=folder, hint=f"Looked for {', '.join(LINES)}, also compressed."
        )
    return [Input(as_utf8(path.relative_to(folder).as_posix()), path, in_folder=True) for path in files]


def _looks_like_an_export(name: str) -> bool:
    return not name.startswith(".") and any(ending in name.lower() for ending in LOOKS_LIKE_ONE)


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder but a store's own; each folder once, under its own name rather than a link's."""
    waiting, seen = [folder], set()
    while waiting:
        for place, folders, files in os.walk(waiting.pop(0), onerror=_cannot_be_listed):
            at = Path(place)
            identity = (at.stat().st_dev, at.stat().st_ino)
            own = ("commits", *OWN_FILES) if _is_store(at) else ()
            folders[:] = sorted(name for name in folders if name not in own and identity not in seen)
            waiting += [at / name for name in folders if (at / name).is_symlink()]
            if identity not in seen:
                yield from (at / name for name in files if name not in own)
            seen.add(identity)


def _cannot_be_listed(error: OSError) -> None:
    raise _unreadable(Path(os.fsdecode(error.filename)), error) from error


def _is_store(folder: Path) -> bool:
    return (folder / "commits").is_dir() and (folder / "lock").is_file()


def _below(store: Path, folder: Path) -> tuple[str, ...]:
    return folder.resolve().relative_to(store).parts[:1]


def _named(path: Path) -> Input:
    found = Input(as_utf8(path.name), path)
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
