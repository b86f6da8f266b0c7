"""The store: commits that are folders, and the chain of their hashes. The truth that everything reads.

A commit is written under a temporary name, made durable, and renamed: the rename is the commit. A folder under a
temporary name counts for nothing.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import issued, redact, witness
from pipeline import signing as signers
from pipeline.errors import AuditbookError, UsageError
from pipeline.signing import Signer, Signing

FORMAT = 1
GENESIS = "0" * 64
# What judges, times, counts or writes: another version of any of these may come to another outcome.
LIBRARIES = ("auditbook", "duckdb", "holidays", "jiter", "msgspec", "polars", "pyarrow", "tzdata")


@dataclass(frozen=True)
class Commit:
    """One link of the chain, as its record says; `folder` is where its files are."""

    number: int
    folder: Path
    record: dict[str, Any]

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.record["content"])

    @property
    def kind(self) -> str:
        return str(self.record["content"]["kind"])

    @property
    def head(self) -> str:
        return str(self.record["head"])

    def file(self, name: str) -> Path | None:
        """The path of one of the commit's files, if it has it."""
        return self.folder / name if name in self.record["content"]["files"] else None


@dataclass(frozen=True)
class Part:
    """Lines of one commit and the events among them, in two Parquet files; `events` is None when there are none."""

    commit_no: int
    lines: Path
    events: Path | None

    @property
    def name(self) -> str:
        """How the chain names it: the commit's folder and the file of lines."""
        return f"{self.lines.parent.name}/{self.lines.name}"


def part_names(number: int) -> tuple[str, str]:
    """What the files of a commit's n-th part are called, counted from 1."""
    ending = ".parquet" if number == 1 else f"-{number:04d}.parquet"
    return f"lines{ending}", f"events{ending}"


def parts(chain: Sequence[Commit]) -> list[Part]:
    """Every part that is in force, in the order in which they were loaded; a later commit may have replaced some."""
    replaced = {name for link in chain for name in link.content.get("replaces", [])}
    found = [part for link in chain for part in _parts_of(link)]
    return [part for part in found if part.name not in replaced]


def _parts_of(link: Commit) -> list[Part]:
    files = link.content["files"]
    numbers = sorted(_part_number(name) for name in files if name.startswith("lines"))
    made = []
    for lines, events in map(part_names, numbers):
        made.append(Part(link.number, link.folder / lines, link.folder / events if events in files else None))
    return made


def _part_number(name: str) -> int:
    found = re.fullmatch(r"lines(?:-(\d+))?\.parquet", name)
    return int(found[1] or 1) if found else 1


def canonical(value: object) -> str:
    """The one way a JSON value is written for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def as_utf8(text: str) -> str:
    """Text of the machine (a file's name, an argument) with every byte that is not UTF-8 shown as \\xff."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")


def sha256_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def create(store: Path) -> None:
    """Make the store's folder, private to its owner; an existing one is left as it is."""
    if store.exists() and not store.is_dir():
        raise AuditbookError("is a file, a store is a folder.", path=store, hint="Give another --store.")
    _refuse_unusable(store)
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        for folder in (store, store / "commits"):
            if not folder.is_dir():
                folder.mkdir()
                folder.chmod(0o700)
    except OSError as error:
        raise AuditbookError(f"cannot be made: {error.strerror}.", path=store) from error


def _refuse_unusable(store: Path) -> None:
    """DuckDB takes what follows a question mark for options, and knows names in UTF-8 only."""
    place = str(store.resolve())
    problem = "has a question mark in its path" if "?" in place else "has a path that is not UTF-8"
    if "?" in place or os.fsencode(place) != place.encode("utf-8", "surrogatepass"):
        raise UsageError(f"{problem}, where DuckDB cannot write.", path=store, hint="Give another --store.")


def exists(store: Path) -> bool:
    try:
        return (store / "commits").is_dir()
    except PermissionError as error:
        raise AuditbookError(f"cannot be read: {error.strerror}.", path=store) from error


def require(store: Path) -> None:
    """An error that says what to type when there is no store yet."""
    if not exists(store):
        raise UsageError(
            "is not a store.", path=store, hint="`auditbook run EXPORT…` makes one; or give --store."
        )


def commits(store: Path) -> list[Commit]:
    """The chain, oldest first. A store of a newer version is refused."""
    found = []
    for folder in folders(store):
        try:
            record = json.loads((folder / "record.json").read_bytes())
            number, newest = int(folder.name), int(record["content"]["format"])
            led_out = leads_out(record["content"]["files"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AuditbookError(
                "cannot be read.", path=folder / "record.json", hint="`auditbook verify` says what is broken."
            ) from error
        refuse_newer(store, newest)
        if led_out is not None:
            raise AuditbookError(
                f'names the file "{led_out}", which is not in its folder.', path=folder / "record.json"
            )
        found.append(Commit(number, folder, record))
    return found


def leads_out(files: Iterable[str]) -> str | None:
    """The first name of a commit's files that is a path: whoever can write a record names no file but the commit's."""
    return next((name for name in files if "/" in name or name in ("", ".", "..")), None)


def refuse_newer(store: Path, newest: int) -> None:
    """A format that a later version made is not guessed at."""
    if newest > FORMAT:
        raise AuditbookError(
            f"was written by a newer auditbook (store format {newest}, this one reads {FORMAT}).",
            path=store,
            hint="Install the newer version: pip install --upgrade auditbook.",
        )


def folders(store: Path) -> list[Path]:
    """Where the commits are, oldest first; what stands under a temporary name is none."""
    try:
        return sorted(path for path in (store / "commits").iterdir() if path.name[0].isdigit())
    except OSError as error:
        raise AuditbookError(f"cannot be read: {error.strerror}.", path=store / "commits") from error


def head(store: Path) -> str:
    """The hash that stands for everything committed so far."""
    chain = commits(store)
    return chain[-1].head if chain else GENESIS


def up_to(chain: list[Commit], head: str | None) -> list[Commit]:
    """The chain as it was when its head was this one; all of it without."""
    if head is None:
        return chain
    places = [place for place, link in enumerate(chain, start=1) if link.head.startswith(head)]
    if not places:
        raise UsageError(
            f'the head "{head}" is not in this chain.', hint="`auditbook verify --head` says more."
        )
    return chain[: places[-1]]


@cache
def versions() -> dict[str, str]:
    """The libraries that decide what bytes are written."""
    return {name: metadata.version(name) for name in LIBRARIES}


def commit(
    store: Path,
    kind: str,
    content: dict[str, Any],
    write: Callable[[Path], dict[str, int]],
    run: dict[str, Any] | None = None,
    signing: Signing | None = None,
) -> Commit:
    """Add one link: `write` puts files in a folder and returns their row counts. The caller holds the lock."""
    chain = commits(store)
    signer = _signer(chain, signing)
    number = chain[-1].number + 1 if chain else 1
    temporary = store / "commits" / f".tmp-{number:06d}"
    folder = store / "commits" / f"{number:06d}"
    try:
        temporary.mkdir()
        temporary.chmod(0o700)
        rows = write(temporary)
        told = {**(run or {}), **issued.told(store, [link.record for link in chain])}
        record = _record(chain, kind, content, temporary, rows, told, signer)
        _write_record(temporary / "record.json", record)
        _make_durable(temporary)
        temporary.rename(folder)
        fsync(folder.parent)
    except OSError as error:
        hint = "Nothing of it was committed; what was committed before stays."
        raise AuditbookError(
            f"cannot be written: {os.strerror(error.errno) if error.errno else error}.",
            path=store / "commits",
            hint=hint,
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    done = Commit(number, folder, record)
    witness.owe(store, done, signing)
    return done


def seal_of(previous: str, record: dict[str, Any]) -> str:
    """What is signed: the previous seal and everything the record says, the run included."""
    return sha256_text(previous + canonical({key: record[key] for key in ("content", "run", "head")}))


def head_of(content: dict[str, Any]) -> str:
    """The chain's number: the previous head is part of the content."""
    return sha256_text(content["previous"] + canonical(content))


def _record(
    chain: Sequence[Commit],
    kind: str,
    content: dict[str, Any],
    folder: Path,
    rows: dict[str, int],
    run: dict[str, Any],
    signer: Signer | None,
) -> dict[str, Any]:
    files = {
        name: {"sha256": sha256_file(folder / name), "bytes": (folder / name).stat().st_size, "rows": count}
        for name, count in sorted(rows.items())
    }
    content = {
        **content,
        "format": FORMAT,
        "kind": kind,
        "previous": chain[-1].head if chain else GENESIS,
        "files": files,
        "versions": versions(),
    }
    who = {
        "user": _user(), "host": socket.gethostname(), "python": platform.python_version(),
        "arguments": redact.arguments(as_utf8(text) for text in sys.argv[1:]), "committed": now(), **run,
    }  # fmt: skip
    if signer is not None:
        who["signed_with"] = signer.public
    record = {"content": content, "run": who, "head": head_of(content)}
    record["seal"] = seal_of(chain[-1].record["seal"] if chain else GENESIS, record)
    return record if signer is None else {**record, "signature": signer.sign(str(record["seal"]))}


def _signer(chain: Sequence[Commit], signing: Signing | None) -> Signer | None:
    """Who signs: a chain that is signed goes on with its key, and with no other that was not introduced."""
    signer = signers.signer(signing) if signing is not None else None
    wanted = expected_key(chain)
    if wanted and (signer is None or signer.public != wanted):
        problem = "no key is configured" if signer is None else f"the configured key is {signer.public[:16]}…"
        raise UsageError(
            f"the chain is signed with the key {wanted[:16]}…, and {problem}; nothing was committed.",
            hint="[signing] says where the key is; `auditbook keys rotate` introduces another.",
        )
    return signer


def expected_key(chain: Sequence[Commit]) -> str | None:
    """The public key that must sign the next commit: the last one's, or the one that it introduced."""
    if not chain:
        return None
    found: str | None = chain[-1].content.get("next_key") or chain[-1].record["run"].get("signed_with")
    return found


def record_text(record: dict[str, Any]) -> str:
    """The one way a record is written."""
    import msgspec

    # Python's own indenting takes ten times as long, for the same bytes.
    return msgspec.json.format(json.dumps(record, ensure_ascii=False, sort_keys=True), indent=1) + "\n"


def _write_record(path: Path, record: dict[str, Any]) -> None:
    """Written and read back: a record that says something else once it is committed would break the chain for good."""
    path.write_text(record_text(record), encoding="utf-8")
    if canonical(json.loads(path.read_bytes())) != canonical(record):
        raise AuditbookError("does not read as it was written; nothing was committed.", path=path)


def _make_durable(folder: Path) -> None:
    for path in folder.iterdir():
        path.chmod(0o600)
        fsync(path)
    fsync(folder)


def fsync(path: Path) -> None:
    """Make a file's bytes, or a folder's names, outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _user() -> str:
    try:
        return as_utf8(getpass.getuser())
    except (KeyError, OSError):
        return str(os.getuid())
