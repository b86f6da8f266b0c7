"""Checks the whole chain offline: every record, every file, every link; names the first break and what it means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline import store as stores
from pipeline.errors import UsageError

SHORTEST_HEAD = 12


@dataclass(frozen=True)
class Break:
    """The first thing that does not hold."""

    commit: int | None
    file: str | None
    what: str


@dataclass(frozen=True)
class Verification:
    """What was checked, and what broke if anything did."""

    commits: int
    head: str
    files: int
    bytes: int
    broken: Break | None = None
    after: int | None = None
    seal: str = stores.GENESIS

    @property
    def ok(self) -> bool:
        return self.broken is None

    def as_json(self) -> dict[str, Any]:
        broken = self.broken and {
            "commit": self.broken.commit,
            "file": self.broken.file,
            "what": self.broken.what,
        }
        found = {
            "ok": self.ok,
            "commits": self.commits,
            "head": self.head,
            "seal": self.seal,
            "files": self.files,
            "bytes": self.bytes,
        }
        return {**found, "broken": broken} | (
            {} if self.after is None else {"commits_after_head": self.after}
        )


class _Broken(Exception):
    def __init__(self, file: str | None, what: str) -> None:
        super().__init__(what)
        self.file, self.what = file, what


def verify(store: Path | str, head: str | None = None, seal: str | None = None) -> Verification:
    """Check every commit; with `head` or `seal`, also that this number (from a report) stands in the chain."""
    path = Path(store)
    stores.require(path)
    wanted = [(kind, text) for kind, text in (("head", head), ("seal", seal)) if text is not None]
    for kind, text in wanted:
        if len(text) < SHORTEST_HEAD:
            raise UsageError(
                f'"{text}" is too short to be a {kind}.',
                hint=f"Give {SHORTEST_HEAD} characters of it or more.",
            )
    folders = stores.folders(path)
    previous, sealed, files, size = stores.GENESIS, stores.GENESIS, 0, 0
    known: dict[str, list[str]] = {"head": [previous], "seal": [sealed]}
    for number, folder in enumerate(folders, start=1):
        try:
            record = _check_record(folder, number, previous, sealed)
            for name, said in sorted(record["content"]["files"].items()):
                _check_file(folder / name, said)
                files, size = files + 1, size + said["bytes"]
        except _Broken as error:
            broken = Break(number, error.file, error.what)
            return Verification(number - 1, previous, files, size, broken, seal=sealed)
        previous, sealed = record["head"], record["seal"]
        known["head"].append(previous)
        known["seal"].append(sealed)
    found = Verification(len(folders), previous, files, size, seal=sealed)
    for kind, text in wanted:
        found = found if found.broken else _with_number(found, known[kind], kind, text)
    return found


def _with_number(found: Verification, numbers: Sequence[str], kind: str, text: str) -> Verification:
    places = [place for place, known in enumerate(numbers) if place > 0 and known.startswith(text.lower())]
    if len(places) == 1:
        return replace(found, after=len(numbers) - 1 - places[0])
    what = f"the {kind} {text} is not in this chain: it was cut or rewritten, or is another store's."
    return replace(found, broken=Break(None, None, what))


def _check_record(folder: Path, number: int, previous: str, seal: str) -> dict[str, Any]:
    if folder.name != f"{number:06d}":
        raise _Broken(None, f"commit {number:06d} is missing: the next one found is {folder.name}.")
    try:
        record: dict[str, Any] = json.loads((folder / "record.json").read_bytes())
        content, run = record["content"], record["run"]
        newest = int(content["format"])
        links = (content["previous"], record["head"], record["seal"], content["files"].keys(), run.keys())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Broken("record.json", f"the record cannot be read ({type(error).__name__}).") from error
    stores.refuse_newer(folder.parent.parent, newest)
    if links[0] != previous:
        raise _Broken(
            "record.json", "the record does not follow the one before it: a commit was replaced or removed."
        )
    if stores.head_of(content) != links[1]:
        raise _Broken("record.json", "the record's content was changed: its head does not match.")
    if stores.seal_of(seal, record) != links[2]:
        raise _Broken("record.json", "the record of the run was changed: its seal does not match.")
    present = {path.name for path in folder.iterdir()} - {"record.json"}
    if strange := sorted(present - set(links[3])):
        raise _Broken(strange[0], "a file that no record names was added.")
    return record


def _check_file(path: Path, said: dict[str, Any]) -> None:
    if not path.is_file():
        raise _Broken(path.name, "the file is missing.")
    if stores.sha256_file(path) != said["sha256"]:
        raise _Broken(path.name, "the file's bytes were changed: its sha256 is not the recorded one.")
    rows = pq.ParquetFile(path).metadata.num_rows
    if rows != said["rows"]:
        raise _Broken(path.name, f"the file has {rows} rows, {said['rows']} were recorded.")
