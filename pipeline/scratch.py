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
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{purpose}-") as name:
        held = os.open(Path(name) / HOLD, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(name)
        finally:
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
    for left in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # somebody else's, or gone meanwhile
            if left.stat().st_uid == os.geteuid() and _is_free(left / HOLD):
                shutil.rmtree(left, ignore_errors=True)


def _is_free(hold: Path) -> bool:
    held = os.open(hold, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True
