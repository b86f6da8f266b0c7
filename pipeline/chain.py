"""Checks the whole chain offline: every record, file, link and signature; names the first break and what it means.

What stands beside the commits (database, manifest, reports) is held against them by `beside`, while files are hashed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipeline import signing
from pipeline import store as stores
from pipeline.errors import UsageError
from pipeline.found import Beside, Break, Verification
from pipeline.replaced import superseded
from pipeline.store import Commit

SHORTEST_HEAD = 12
AT_ONCE = min(
    4, os.cpu_count() or 1
)  # files hashed at once; threads are enough, for hashing lets go of Python
TRIES = 5  # while runs go on, whose half-seen work is no break


class _Broken(Exception):
    def __init__(self, file: str | None, what: str) -> None:
        super().__init__(what)
        self.file, self.what = file, what


def verify(
    store: Path | str,
    head: str | None = None,
    seal: str | None = None,
    public_key: str | None = None,
    documents: Sequence[Path] = (),
) -> Verification:
    """Check every commit and what was made of them; with `head` or `seal`, also that this number (from a report) stands
    in the chain; with a public key, that the chain is signed to its end with it or with keys that it introduced; with
    documents, that they are reports that the chain tells of."""
    path = Path(store)
    stores.require(path)
    wanted = [(kind, text) for kind, text in (("head", head), ("seal", seal)) if text is not None]
    for kind, text in wanted:
        if len(text) < SHORTEST_HEAD:
            raise UsageError(
                f'"{text}" is too short to be a {kind}.',
                hint=f"Give {SHORTEST_HEAD} characters of it or more.",
            )
    trusted = None if public_key is None else signing.public_key(public_key)
    for _ in range(TRIES):
        before = _seen(path)
        found = _verified(path, wanted, trusted, documents)
        if found.ok or _seen(path) == before:
            break
    return found


def _seen(path: Path) -> list[tuple[str, int]]:
    """What a run that goes on meanwhile makes anew: a break is one only if nothing of it was."""
    places = ("commits/*", "ids/*", "entities/*", "auditbook.duckdb", "manifest.jsonl")
    return sorted((str(each), _inode(each)) for place in places for each in path.glob(place))


def _inode(path: Path) -> int:
    try:
        return path.lstat().st_ino
    except FileNotFoundError:
        return 0


def _verified(
    path: Path, wanted: Sequence[tuple[str, str]], trusted: str | None, documents: Sequence[Path]
) -> Verification:
    state, broken = _records(path, trusted)
    chain = state.chain[:]
    with ThreadPoolExecutor(1) as aside:
        rest = None if broken else aside.submit(_beside, path, chain, documents)
        found = state.told(broken or _files(state))
        if found.broken or rest is None:
            return found
        for kind, text in wanted:
            numbers = [stores.GENESIS, *(link.record[kind] for link in chain)]
            found = found if found.broken else _with_number(found, numbers, kind, text)
        return found if found.broken else rest.result().added_to(found)


def verify_commits(path: Path, trusted: str | None = None) -> tuple[Verification, list[Commit]]:
    """The chain alone: what was checked, and the commits up to the first break."""
    state, broken = _records(path, trusted)
    found = state.told(broken or _files(state))
    return found, state.chain


def _beside(path: Path, chain: Sequence[Commit], documents: Sequence[Path]) -> Beside:
    """Imported here, in the thread: what a database is made with takes as long to import as a small store to hash."""
    from pipeline import beside

    return beside.check(path, chain, documents)


def _records(path: Path, trusted: str | None) -> tuple[_State, Break | None]:
    """Link by link what the records say, up to the first that does not hold."""
    state = _State(trusted)
    for number, folder in enumerate(stores.folders(path), start=1):
        try:
            state.add(_check_record(folder, number, state))
        except _Broken as error:
            return state, Break(number, error.file, error.what)
    return state, None


def _files(state: _State) -> Break | None:
    """Every file that the records name, in their order, several at once."""
    gone = superseded(state.chain)
    named = [
        (link, name, said) for link in state.chain for name, said in sorted(link.content["files"].items())
    ]

    def present(one: tuple[Commit, str, dict[str, Any]]) -> bool | Break:
        link, name, said = one
        try:
            return _check_file(link.folder / name, said, f"{link.folder.name}/{name}" in gone)
        except _Broken as error:
            return Break(link.number, error.file, error.what)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (link, _, said), found in zip(named, pool.map(present, named), strict=True):
            if isinstance(found, Break):
                pool.shutdown(cancel_futures=True)
                state.chain = state.chain[: link.number - 1]
                return found
            state.count(found, said)
    there = [one for one in named if one[0].folder.joinpath(one[1]).is_file()]
    return _rows(there) or _unsigned(state)


def _rows(named: Sequence[tuple[Commit, str, dict[str, Any]]]) -> Break | None:
    """The first file that has not as many rows as its record says; one look at all saves opening each."""
    from pipeline import caches

    counted = caches.rows([link.folder / name for link, name, _ in named])
    for (link, name, said), rows in zip(named, counted, strict=True):
        if rows != said["rows"]:
            told = "no rows that can be counted" if rows is None else f"{rows} rows"
            return Break(link.number, name, f"the file has {told}, {said['rows']} were recorded.")
    return None


@dataclass
class _State:
    """What is known so far of a chain that is being checked."""

    trusted: str | None
    chain: list[Commit] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    removed: int = 0
    signed: int = 0

    @property
    def head(self) -> str:
        return self.chain[-1].head if self.chain else stores.GENESIS

    @property
    def seal(self) -> str:
        return str(self.chain[-1].record["seal"]) if self.chain else stores.GENESIS

    @property
    def key(self) -> str | None:
        """Whose signature the next record must bear; before the first one, the key that is trusted from outside."""
        return stores.expected_key(self.chain) or self.trusted

    def add(self, link: Commit) -> None:
        self.chain.append(link)
        self.signed += "signature" in link.record

    def count(self, present: bool, said: dict[str, Any]) -> None:
        self.files += present
        self.bytes += said["bytes"] if present else 0
        self.removed += not present

    def told(self, broken: Break | None) -> Verification:
        key = self.chain[-1].record["run"].get("signed_with") if self.chain else None
        return Verification(
            len(self.chain), self.head, self.files, self.bytes, broken, seal=self.seal, signed=self.signed,
            public_key=key, removed=self.removed,
        )  # fmt: skip


def _unsigned(state: _State) -> Break | None:
    """With a key from outside the newest commit must bear a signature: it covers all that stand before it."""
    if state.trusted is None or (state.chain and "signature" in state.chain[-1].record):
        return None
    what = "the newest commit is not signed: the chain was written without the key, or was never signed."
    return Break(len(state.chain) or None, "record.json", what)


def _with_number(found: Verification, numbers: Sequence[str], kind: str, text: str) -> Verification:
    places = [place for place, known in enumerate(numbers) if place > 0 and known.startswith(text.lower())]
    if len(places) == 1:
        return replace(found, after=len(numbers) - 1 - places[0])
    what = f"the {kind} {text} is not in this chain: it was cut or rewritten, or is another store's."
    return replace(found, broken=Break(None, None, what))


def _check_record(folder: Path, number: int, state: _State) -> Commit:
    if folder.name != f"{number:06d}":
        raise _Broken(None, f"commit {number:06d} is missing: the next one found is {folder.name}.")
    try:
        written = (folder / "record.json").read_bytes()
        record: dict[str, Any] = json.loads(written)
        content, run = record["content"], record["run"]
        newest = int(content["format"])
        links = (content["previous"], record["head"], record["seal"], content["files"].keys(), run.keys())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Broken("record.json", f"the record cannot be read ({type(error).__name__}).") from error
    stores.refuse_newer(folder.parent.parent, newest)
    if links[0] != state.head:
        raise _Broken(
            "record.json", "the record does not follow the one before it: a commit was replaced or removed."
        )
    if stores.head_of(content) != links[1]:
        raise _Broken("record.json", "the record's content was changed: its head does not match.")
    if stores.seal_of(state.seal, record) != links[2]:
        raise _Broken("record.json", "the record of the run was changed: its seal does not match.")
    if stores.record_text(record).encode() != written:
        raise _Broken("record.json", "the record says the same in other bytes than were written.")
    _check_signature(record, state)
    if (led_out := stores.leads_out(links[3])) is not None:
        raise _Broken("record.json", f'the record names the file "{led_out}", which is not in its folder.')
    present = {path.name for path in folder.iterdir()} - {"record.json"}
    if strange := sorted(present - set(links[3])):
        raise _Broken(strange[0], "a file that no record names was added.")
    return Commit(number, folder, record)


def _check_signature(record: dict[str, Any], state: _State) -> None:
    """Once a record is signed all that follow are, with its key or with the one that it introduced."""
    signature, own = record.get("signature"), record["run"].get("signed_with")
    begun = stores.expected_key(state.chain) is not None
    if signature is None and own is None and not begun:
        return
    if signature is None or own is None:
        raise _Broken(
            "record.json", "the record is not signed, and those before it are: the key was not there."
        )
    if set(record) != {"content", "run", "head", "seal", "signature"}:
        raise _Broken("record.json", "the record has a part that nothing covers.")
    if state.key is not None and own != state.key:
        raise _Broken(
            "record.json", f"the record is signed with another key ({own[:16]}…) than the one that holds."
        )
    if not signing.verifies(own, record["seal"], signature):
        raise _Broken(
            "record.json", "the signature is not that of the record's key: it was sealed again without it."
        )


def _check_file(path: Path, said: dict[str, Any], replaced: bool) -> bool:
    """Whether the file is there; one that a later commit replaced may be gone."""
    if not path.is_file():
        if replaced:
            return False
        raise _Broken(path.name, "the file is missing.")
    if stores.sha256_file(path) != said["sha256"]:
        raise _Broken(path.name, "the file's bytes were changed: its sha256 is not the recorded one.")
    return True
