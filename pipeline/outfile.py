"""A file that is there whole or not at all, readable by its owner only. Used by export.

Where the system can, the file has no name until it is complete: not even a killed process leaves anything.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from pipeline.errors import AuditbookError
from pipeline.store import fsync

_NAMELESS = getattr(os, "O_TMPFILE", None)
_CANNOT = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


class Counted(io.RawIOBase):
    """A stream that only grows, and knows how much went through and its hash."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        self._stream.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def replace(writers: Mapping[Path, Callable[[IO[bytes]], None]]) -> None:
    """Put files at their paths when all of them are complete; an error of the disk says where."""
    at = next(iter(writers))
    try:
        with ExitStack() as held:
            made = {}
            for at, write in writers.items():
                made[at] = held.enter_context(_New(at))
                made[at].fill(write)
            for at, new in made.items():
                new.appear()
                fsync(at.parent)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        hint = "Nothing was left there; what was there before stays."
        raise AuditbookError(f"cannot be written: {why}.", path=at, hint=hint) from error


class _New:
    """A file on its way to its place; leaving without `appear` leaves nothing."""

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._path = path
        self._descriptor, self._name = _opened(path.parent)

    def __enter__(self) -> _New:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)
        if self._name is not None:
            self._name.unlink(missing_ok=True)

    def fill(self, write: Callable[[IO[bytes]], None]) -> None:
        os.fchmod(self._descriptor, 0o600)
        with open(self._descriptor, "wb", closefd=False) as stream:
            write(stream)
        os.fsync(self._descriptor)

    def appear(self) -> None:
        if self._name is None:
            self._name = self._path.with_name(f".auditbook-{os.getpid()}.tmp")
            self._name.unlink(missing_ok=True)
            # Python follows the link in /proc only when it is given a folder, which an absolute path ignores.
            place = f"/proc/self/fd/{self._descriptor}"
            os.link(place, self._name, src_dir_fd=self._descriptor, follow_symlinks=True)
        self._name.rename(self._path)
        self._name = None


def _opened(folder: Path) -> tuple[int, Path | None]:
    """An open file without a name, where the system has such; else one with a name that says what it is."""
    if _NAMELESS is not None:
        try:
            return os.open(folder, _NAMELESS | os.O_RDWR, 0o600), None
        except OSError as error:
            if error.errno not in _CANNOT or not folder.is_dir():
                raise
    descriptor, name = tempfile.mkstemp(prefix=".auditbook-", suffix=".tmp", dir=folder)
    return descriptor, Path(name)
