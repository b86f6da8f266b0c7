"""What a load did, file by file: the counts that must add up. Made by load; committed, printed and reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.store import Commit


@dataclass(frozen=True)
class Counts:
    """The sum that every report prints: read = events + duplicates + rejects + blank."""

    read: int = 0
    events: int = 0
    duplicates: int = 0
    rejects: int = 0
    blank: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(self.as_tuple(), other.as_tuple(), strict=True)))

    def as_tuple(self) -> tuple[int, ...]:
        return (self.read, self.events, self.duplicates, self.rejects, self.blank)

    def as_json(self) -> dict[str, int]:
        return dict(zip(("read", "events", "duplicates", "rejects", "blank"), self.as_tuple(), strict=True))


@dataclass(frozen=True)
class LoadedFile:
    """One line of the ledger."""

    file: str
    sha256: str
    bytes: int
    source: str | None
    instance: str | None
    mapping: str | None
    counts: Counts
    first_event: str | None
    last_event: str | None
    skipped: str | None = None
    unknown_values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # column -> text -> lines
    stopped: str | None = None  # why it was not read to its end
    mangled: str | None = None  # what looks as if it had been read in a wrong code page

    def as_json(self) -> dict[str, Any]:
        row = {key: value for key, value in vars(self).items() if key != "counts"}
        for name in ("unknown_values", "stopped", "mangled"):
            if not row[name]:
                del row[name]
        return {**row, **self.counts.as_json()}


@dataclass(frozen=True)
class InForce:
    """A file that the store has: the load that brought it, its line of the ledger, and the commit that it is as of."""

    commit_no: int
    entry: dict[str, Any]
    link: Commit

    @property
    def key(self) -> tuple[int, str, str]:
        """What its lines are known by: load, name and hash."""
        return self.commit_no, self.entry["file"], self.entry["sha256"]

    def known(self) -> dict[str, Any]:
        """Its line of the ledger, with the load that brought it."""
        return {**self.entry, "commit_no": self.commit_no}

    @property
    def counts(self) -> Counts:
        return Counts(*(self.entry[name] for name in Counts().as_json()))


def in_force(chain: Sequence[Commit]) -> list[InForce]:
    """The files that the store has; what a later commit withdrew, or read again, is not in force as it was."""
    found: list[InForce] = []
    for link in chain:
        gone = {(one["commit_no"], one["file"], one["sha256"]) for one in link.content.get("withdraws", [])}
        found = [one for one in found if one.key not in gone]
        found += [
            InForce(one.get("commit_no", link.number), one, link) for one in link.content.get("inputs", [])
        ]
    return found


def _unknown(loaded: Sequence[LoadedFile]) -> dict[str, dict[str, dict[str, int]]]:
    """Source -> column -> text that no map has a word for -> lines."""
    told: dict[str, dict[str, dict[str, int]]] = {}
    for one in loaded:
        for column, texts in one.unknown_values.items():
            known = told.setdefault(str(one.source), {}).setdefault(column, {})
            for text, lines in texts.items():
                known[text] = known.get(text, 0) + lines
    return told


@dataclass(frozen=True)
class LoadResult:
    """What a load did. `commit` is None when nothing was new."""

    files: int
    loaded: tuple[LoadedFile, ...]
    already_loaded: tuple[str, ...]
    unrecognised: tuple[str, ...]
    messages: tuple[str, ...]
    commit: Commit | None
    head: str
    drift: Mapping[str, Mapping[str, Sequence[str]]] = field(
        default_factory=dict
    )  # source -> new, vanished -> fields
    seconds: Mapping[str, float] = field(default_factory=dict)  # by what was done, added up over processes

    @property
    def counts(self) -> Counts:
        return sum((one.counts for one in self.loaded), Counts())

    def as_json(self) -> dict[str, Any]:
        by_source: dict[str, Counts] = {}
        for one in self.loaded:
            if one.source:
                by_source[one.source] = by_source.get(one.source, Counts()) + one.counts
        times = [t for one in self.loaded for t in (one.first_event, one.last_event) if t]
        return {
            "files": self.files,
            "already_loaded": len(self.already_loaded),
            "unrecognised": list(self.unrecognised),
            "stopped": [f"{one.file}: {one.stopped}" for one in self.loaded if one.stopped],
            "lines": self.counts.as_json(),
            "sources": {source: counts.as_json() for source, counts in sorted(by_source.items())},
            "drift": self.drift,
            "unknown_values": _unknown(self.loaded),
            "events_from": min(times, default=None),
            "events_until": max(times, default=None),
            "head": self.head,
        }
