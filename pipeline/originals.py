"""The input files themselves, byte for byte, packed, by hash: kept beside the commits when [originals] keep says so."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import AuditbookError, UsageError
from pipeline.inputs import Input
from pipeline.store import Commit, fsync

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FOLDER = "originals"
_CHUNK = 1 << 20


def keep(store: Path, files: Sequence[tuple[Input, str]]) -> list[dict[str, Any]]:
    """Put files away as they lie; what the record says of each. `files` come with the hash of their unpacked bytes."""
    folder = store / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    said = []
    for file, unpacked in files:
        digest, size, packed = _put(folder, file.path)
        said.append(
            {
                "file": file.name,
                "file_sha256": unpacked,
                "sha256": digest,
                "bytes": size,
                "packed_sha256": packed,
            }
        )
    return said


def _put(folder: Path, path: Path) -> tuple[str, int, str]:
    digest, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    temporary = folder / f".new-{os.getpid()}"
    try:
        with path.open("rb") as source, temporary.open("wb") as target:
            temporary.chmod(0o600)
            compressor = zstd.ZstdCompressor(level=3)
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                packed.update(made := compressor.compress(chunk))
                target.write(made)
            packed.update(made := compressor.flush())
            target.write(made)
        fsync(temporary)
        temporary.rename(folder / f"{digest.hexdigest()}.zst")
        fsync(folder)
    except OSError as error:
        raise AuditbookError(f"cannot be kept: {error.strerror}.", path=path) from error
    finally:
        temporary.unlink(missing_ok=True)
    return digest.hexdigest(), size, packed.hexdigest()


def kept(chain: Sequence[Commit]) -> dict[str, dict[str, Any]]:
    """The files that are put away, by hash, as the records say; those that a purge removed are not."""
    found: dict[str, dict[str, Any]] = {}
    for link in chain:
        for one in link.content.get("originals", []):
            found[one["sha256"]] = {**one, "commit_no": link.number}
        for digest in link.content.get("originals_removed", []):
            found.pop(digest, None)
    return found


def read(store: Path, digest: str) -> Iterator[bytes]:
    """The bytes of a file that was put away."""
    path = store / FOLDER / f"{digest}.zst"
    try:
        with zstd.ZstdFile(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except (OSError, EOFError, zstd.ZstdError) as error:
        raise AuditbookError(
            "cannot be read.", path=path, hint="`auditbook verify` says what is broken."
        ) from error


def named(chain: Sequence[Commit], text: str) -> dict[str, Any]:
    """The one that is meant by a name or by the beginning of a hash."""
    found = [one for one in kept(chain).values() if text in (one["file"], one["file_sha256"])]
    found = found or [
        one for digest, one in kept(chain).items() if len(text) >= 6 and digest.startswith(text)
    ]
    if len({one["sha256"] for one in found}) != 1:
        problem = "means several originals" if found else "is no original that is kept"
        raise UsageError(f'"{text}" {problem}.', hint="`auditbook originals` lists them.")
    return found[0]


def of_lines(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> tuple[list[str], list[str]]:
    """The originals that hold a line which is about to be purged (the temporary table `going`) or was purged before;
    and those of them that stay, because something else in them is on hold."""
    files = kept(chain)
    if not files:
        return [], []
    gone, held = (
        {digest for (digest,) in connection.execute(asked).fetchall()} for asked in (_PURGED, _ON_HOLD)
    )
    found = sorted(digest for digest, one in files.items() if one["file_sha256"] in gone)
    staying = [digest for digest in found if files[digest]["file_sha256"] in held]
    return [digest for digest in found if digest not in staying], staying


_PURGED = """SELECT DISTINCT file_sha256 FROM going
  UNION SELECT DISTINCT file_sha256 FROM stored_lines WHERE fate = 'purged'"""
_ON_HOLD = "SELECT DISTINCT file_sha256 FROM events SEMI JOIN held_events USING (event_uid)"


def sweep(store: Path, chain: Sequence[Commit]) -> None:
    """Take away what no record has: purged originals, and those of a run that did not finish."""
    known = {f"{digest}.zst" for digest in kept(chain)}
    for path in (store / FOLDER).glob("*"):
        if path.name not in known:
            path.unlink()
