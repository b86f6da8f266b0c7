"""What was typed -> the export files that it means, and their decompressed bytes. First step of load."""

from __future__ import annotations

import atexit
import glob
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Protocol

from pipeline import scratch
from pipeline.errors import AuditbookError, UsageError
from pipeline.limits import DEFAULT, Limits
from pipeline.lines import Stopped
from pipeline.store import as_utf8
from pipeline.unpack import CODECS, DAMAGED, READ, Codec, Unpacked

KINDS = {".jsonl": "lines", ".ndjson": "lines", ".json": "json", ".csv": "csv"}
FORMS = ", ".join(KINDS)
PACKED = " ".join(CODECS)
RECOGNISED_FROM = 64 * 1024  # bytes of a file's beginning
AT_ONCE = 1024 * 1024  # bytes that are hashed in one go
HEAD = 6  # bytes by which a packed file is known
OWN_FILES = (
    "manifest.jsonl",
    "reports.jsonl",
)  # what a store has beside its commits and could be taken for one


class UnreadableError(AuditbookError):
    """The file cannot be read at all; inside a folder it is left out on record, and the rest loads."""


class Stream(Protocol):
    """Where bytes come from."""

    def read(self, size: int, /) -> bytes: ...


class Reader:
    """The decompressed bytes of one file, hashed and counted as they are read; `stopped` says why they ended early."""

    def __init__(self, path: Path, stream: Stream, packed: Callable[[], int] | None = None) -> None:
        self._path, self._stream, self._packed = path, stream, packed
        self._digest, self.bytes = hashlib.sha256(), 0
        self.stopped: Stopped | None = None

    def read(self, size: int, /) -> bytes:
        try:
            chunk = self._stream.read(size)
        except DAMAGED as error:
            raise _unreadable(self._path, error) from error
        if not chunk:
            self.stopped = getattr(self._stream, "stopped", None)
        self._digest.update(chunk)
        self.bytes += len(chunk)
        return chunk

    def fill(self, room: memoryview) -> int:
        """Read into a piece of memory, as much as comes at once; returns how much that is, nothing at the end."""
        if not isinstance(self._stream, BufferedReader):
            chunk = self.read(len(room))
            room[: len(chunk)] = chunk
            return len(chunk)
        try:
            length = self._stream.readinto(room)
        except DAMAGED as error:
            raise _unreadable(self._path, error) from error
        self._digest.update(room[:length])
        self.bytes += length
        return length

    def sha256(self) -> str:
        return self._digest.hexdigest()

    @property
    def consumed(self) -> int:
        """How much of the file, as it lies there, was read."""
        return self._packed() if self._packed else self.bytes


def _unreadable(path: Path, error: Exception) -> UnreadableError:
    return UnreadableError(f"cannot be read: {getattr(error, 'strerror', None) or error}.", path=path)


@dataclass(frozen=True)
class Digest:
    """The hash of a file's unpacked bytes, the same whatever they were packed with; why they are not all; the first."""

    sha256: str
    stopped: Stopped | None
    begun: bytes


@dataclass(frozen=True)
class Input:
    """One file to load; `name` is what the ledger calls it, without the folders of this machine."""

    name: str
    path: Path
    in_folder: bool = False
    limits: Limits = DEFAULT

    @cached_property
    def kind(self) -> str | None:
        """What its name says it holds: `lines` of JSON, `json` or `csv`; `any` for standard input, None if unknown."""
        if self.path.name == "stdin":
            return "any"
        name = self.path.name.lower()
        ending = _ending(name)
        return KINDS.get(_ending(name.removesuffix(ending)) if ending in CODECS else ending)

    @property
    def readable(self) -> bool:
        return self.kind is not None

    @cached_property
    def codec(self) -> Codec | None:
        if self.kind == "any":
            return _codec_of(self.path)
        return CODECS.get(self.path.suffix.lower())

    @cached_property
    def size(self) -> int:
        """As it lies there; 0 for a link to nothing."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @contextmanager
    def open(self) -> Iterator[Reader]:
        """The decompressed bytes as a stream."""
        try:
            file = self._file()
        except OSError as error:
            raise _unreadable(self.path, error) from error
        with file:
            stream = Unpacked(file, self.codec, self.limits) if self.codec else file
            yield Reader(self.path, stream, file.tell)

    def digest(self) -> Digest:
        """The whole file, read once."""
        with self.open() as stream:
            begun = b""
            while len(begun) < RECOGNISED_FROM and (more := stream.read(RECOGNISED_FROM - len(begun))):
                begun += more
            if len(begun) == RECOGNISED_FROM:
                room = memoryview(bytearray(AT_ONCE))
                while stream.fill(room):
                    pass
            if stream.stopped and not stream.bytes:
                why = stream.stopped.message.removesuffix(READ).rstrip(".")
                raise UnreadableError(f"cannot be read: {why}.", path=self.path)
            return Digest(stream.sha256(), stream.stopped, begun)

    def begun(self) -> bytes:
        """The first bytes."""
        with self.open() as stream:
            return stream.read(RECOGNISED_FROM)

    def sha256(self) -> str:
        """The hash of the decompressed bytes."""
        return self.digest().sha256

    def _file(self) -> BinaryIO:
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise OSError("it is no regular file")  # a pipe would be waited for, and can be read only once
        return self.path.open("rb")


def _ending(name: str) -> str:
    """As Path.suffix, which takes ten times as long."""
    stem, dot, ending = name.rpartition(".")
    return dot + ending if stem else ""


def find(exports: Sequence[str], limits: Limits = DEFAULT) -> list[Input]:
    """Every export that the arguments mean, each file once, in the order given and by name within a folder."""
    if not exports:
        raise UsageError("nothing to load.", hint="Name files, folders or globs.")
    found: dict[Path, Input] = {}
    folders = cache(Path.resolve)
    for argument in dict.fromkeys(exports):
        for item in _expand(argument):
            path = item.path
            found.setdefault(path.resolve() if path.is_symlink() else folders(path.parent) / path.name, item)
    return [replace(item, limits=limits) for item in found.values()]


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
    files = sorted(_walk(folder), key=lambda found: found[0].split("/"))
    if not files:
        raise UsageError("has no exports in it.", path=folder, hint=f"Looked for {FORMS}, also compressed.")
    return [Input(as_utf8(name), path, in_folder=True) for name, path in files]


def _looks_like_an_export(name: str) -> bool:
    return not name.startswith(".") and any(ending in name.lower() for ending in KINDS)


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every export below a folder but a store's own files, and what it is called there; each folder once, under its own
    name rather than a link's."""
    waiting, seen = [folder], set()
    while waiting:
        for place, folders, files in os.walk(waiting.pop(0), onerror=_cannot_be_listed):
            at = Path(place)
            identity = (at.stat().st_dev, at.stat().st_ino)
            own = ("commits", *OWN_FILES) if _is_store(at) else ()
            folders[:] = sorted(name for name in folders if name not in own and identity not in seen)
            waiting += [at / name for name in folders if (at / name).is_symlink()]
            if identity not in seen:
                above = "" if at == folder else at.relative_to(folder).as_posix() + "/"
                exports = (name for name in files if name not in own and _looks_like_an_export(name))
                yield from ((above + name, at / name) for name in exports)
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
            "is not a file of JSON or CSV.", path=path, hint=f"Readable are {FORMS}, also {PACKED}."
        )
    return found


def _spooled() -> Input:
    """Standard input, kept in a file of its own for the second reading; removed when the process ends."""
    if sys.stdin is None:
        raise UsageError("standard input is closed.", hint="Pipe an export into the command.")
    try:
        path = _spools.enter_context(scratch.folder("stdin")) / "stdin"
        with path.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
    except OSError as error:
        hint = f"It is kept in {scratch.place()} meanwhile; TMPDIR names another place."
        raise AuditbookError(f"standard input cannot be kept: {error.strerror}.", hint=hint) from error
    return Input("stdin", path)


def _codec_of(path: Path) -> Codec | None:
    """What a file without a name is packed with, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return next((one for one in CODECS.values() if len(head) == HEAD and one.begun_by(head)), None)


_spools = ExitStack()
atexit.register(_spools.close)
