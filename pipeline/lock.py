"""One run at a time: the store's lock, and what it tells of a run that was killed. Held by whatever commits."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline import replaced, scratch
from pipeline.errors import AuditbookError, StoreBusyError
from pipeline.store import commits, create, folders, now


@contextmanager
def locked(store: Path, *, wait: float = 0.0) -> Iterator[dict[str, Any]]:
    """Hold the store alone; yields what is known of a run that did not finish (empty when all is well)."""
    create(store)
    try:
        lock = os.open(store / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(lock, 0o600)
    except OSError as error:
        raise AuditbookError(f"cannot be written: {error.strerror}.", path=store / "lock") from error
    try:
        _acquire(lock, store, wait)
        interrupted = _read_holder(lock)
        _write_holder(lock, {"pid": os.getpid(), "host": socket.gethostname(), "started": now()})
        try:
            _remove_unfinished(store)
            replaced.remove(commits(store))
            yield interrupted
        finally:
            # An error that was told is no interrupted run; one that no commit has told yet waits for the next.
            if not isinstance(sys.exc_info()[1], KeyboardInterrupt):
                _write_holder(lock, {} if _told(store, interrupted) else interrupted)
    finally:
        os.close(lock)


def _told(store: Path, interrupted: dict[str, Any]) -> bool:
    return not interrupted or any(_tells(folder, interrupted) for folder in folders(store)[-2:])


def _tells(folder: Path, interrupted: dict[str, Any]) -> bool:
    """A record that cannot be read tells nothing; whoever reads the chain says what is wrong with it."""
    try:
        told = json.loads((folder / "record.json").read_bytes())["run"].get("interrupted")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(told == interrupted)


def _remove_unfinished(store: Path) -> None:
    for leftover in (store / "commits").glob(".tmp-*"):
        shutil.rmtree(leftover)
    for leftover in store.glob(".new-*"):
        leftover.unlink()
    scratch.sweep_spills(store)


def _acquire(lock: int, store: Path, wait: float) -> None:
    until = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                break
            time.sleep(0.05)
    holder = _read_holder(lock)
    who = f" (process {holder['pid']} on {holder['host']}, since {holder['started']})" if holder else ""
    raise StoreBusyError(
        f"another run holds the store{who}.", path=store, hint="Wait for it, then run again."
    )


def _read_holder(lock: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(lock, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _write_holder(lock: int, holder: dict[str, Any]) -> None:
    os.ftruncate(lock, 0)
    if holder:
        os.pwrite(lock, json.dumps(holder).encode(), 0)
