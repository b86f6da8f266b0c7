"""Temporary folders: gone with their use, or, when a process was killed, with the next use of one by the same person.

Each is held by a lock on a file in it: what nobody holds any more was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "auditbook-"
HOLD = ".held"


@contextmanager
def folder(purpose: str) -> Iterator[Path]:
    """A folder of the owner's alone, for as long as it is used."""
    _sweep(place())
    path, held = _made(purpose)
    try:
        yield path
    finally:
        _take_away(path)
        os.close(held)


def place() -> Path:
    """Where temporary files go. Python finds out by writing one, which stays if it is killed just then: so it
    is told, where what the surroundings name can be written to."""
    if tempfile.tempdir is None:
        named = next(filter(None, map(os.environ.get, ("TMPDIR", "TEMP", "TMP"))), "/tmp")
        if Path(named).is_dir() and os.access(named, os.W_OK | os.X_OK):
            tempfile.tempdir = str(Path(named).absolute())
    return Path(tempfile.gettempdir())


def _made(purpose: str) -> tuple[Path, int]:
    """A new folder, and the lock on it; another one when somebody swept it away before it was held."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{purpose}-"))
        with contextlib.suppress(FileNotFoundError):
            held = os.open(path / HOLD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(held, fcntl.LOCK_EX)
            if (path / HOLD).exists():
                return path, held
            os.close(held)


def spill(store: Path) -> Path:
    """Where this process may put what does not fit in its memory; DuckDB makes it and takes it away."""
    return store / f".spill-{_host()}-{os.getpid()}"


def sweep_spills(store: Path) -> None:
    """What processes of this machine left behind that are no more."""
    for place in store.glob(f".spill-{_host()}-*"):
        number = place.name.rpartition("-")[2]
        if number.isdigit() and not _alive(int(number)):
            shutil.rmtree(place, ignore_errors=True)


def _host() -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in socket.gethostname())


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sweep(place: Path) -> None:
    for left in place.glob(f"{PREFIX}*-????????"):
        with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
            if left.stat().st_uid != os.geteuid():
                continue
            if not (left / HOLD).exists():
                left.rmdir()  # whoever made it was killed before it could hold it; what has something in it is not ours
                continue
            held = os.open(left / HOLD, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while somebody uses it
                _take_away(left)  # held meanwhile: who made it a moment ago makes another
            finally:
                os.close(held)


def _take_away(path: Path) -> None:
    """The lock last: whoever is killed meanwhile leaves what can be swept."""
    with contextlib.suppress(OSError):
        for inside in path.iterdir():
            if inside.is_dir() and not inside.is_symlink():
                shutil.rmtree(inside, ignore_errors=True)
            elif inside.name != HOLD:
                inside.unlink()
        (path / HOLD).unlink()
        path.rmdir()
