"""A block's records -> the fate of each: an event, a duplicate of one, or a conflict with one. Part of load.

The same identity with the same content is a duplicate; with other content it is a conflict: an event of its own that
names the other. A duplicate whose bytes equal the first keeps a reference instead of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jiter
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import AuditbookError
from pipeline.lines import content_hash

NAMES = ["event", "duplicate"]
COLUMNS = ["event_uid", "raw", "record_sha256", "commit_no", "file_sha256", "line"]


@dataclass(frozen=True)
class Hits:
    """Records whose identity is known already: which, and where its first line is: a file of lines and a row there."""

    rows: np.ndarray
    files: Sequence[Path]
    file: np.ndarray
    place: np.ndarray


@dataclass
class Fates:
    """For each record: whether it is a duplicate, of which line, whether its bytes need not be kept, its identity and
    which event it contradicts."""

    duplicate: np.ndarray
    first: list[tuple[int, str, int] | None]
    dropped: np.ndarray
    uid: list[str] | None = None  # only where conflicts changed it
    conflicts: dict[int, str] = field(default_factory=dict)

    @staticmethod
    def all_new(records: int) -> Fates:
        return Fates(np.zeros(records, bool), [None] * records, np.zeros(records, bool))


@dataclass(frozen=True)
class Records:
    """A block's records as they are compared: identity, raw text (null when it is no text), the hash of what a record
    says where that is not what its line says, and the number of the line in its file."""

    uid: pa.Array
    raw: pa.Array
    content: Mapping[int, str]
    record: pa.Array
    line: np.ndarray
    load: Sequence[tuple[int, str]]


@dataclass
class _First:
    """The first line of an identity."""

    raw: str | None
    content: str | None
    where: tuple[int, str, int]

    @property
    def purged(self) -> bool:
        """Its words were removed for good: what has its identity is neither compared nor kept."""
        return self.raw is None and self.content is None


def fates(records: Records, hits: Hits) -> Fates:
    """What is new of records of which some are known, in the store or from earlier in the block; conflicts are
    named, and still to be looked up under the identity that they get."""
    found = Fates.all_new(len(records.uid))
    found.uid = uids = records.uid.to_pylist()
    firsts = _read(uids, hits)
    seen: dict[str, _First] = {uids[row]: first for row, first in firsts.items()}
    suspects = _suspects(uids, firsts)
    for row in suspects:
        own = records.raw[row].as_py()
        first = seen.get(uids[row])
        if first is None:
            seen[uids[row]] = _own(records, row, own)
        elif first.purged or (first.raw is not None and first.raw == own):
            found.duplicate[row] = found.dropped[row] = True
            found.first[row] = first.where
        elif _content(records, row) == _content_of(first):
            found.duplicate[row] = True
            found.first[row] = first.where
        else:
            found.conflicts[row] = uids[row]
    for row, uid in found.conflicts.items():
        uids[row] = _conflict_uid(uid, _content(records, row))
    return found


def settle(found: Fates, records: Records, hits: Hits) -> None:
    """The conflicts, once it is known which of them were met before: the same contradiction twice is a duplicate."""
    uids = found.uid or []
    seen = {uids[row]: first for row, first in _read(uids, hits).items()}
    for row in sorted(found.conflicts):
        own = records.raw[row].as_py()
        first = seen.get(uids[row])
        if first is None:
            seen[uids[row]] = _own(records, row, own)
            continue
        del found.conflicts[row]
        found.duplicate[row] = True
        found.dropped[row] = first.purged or (first.raw is not None and first.raw == own)
        found.first[row] = first.where


def _suspects(uids: Sequence[str], firsts: Mapping[int, _First]) -> list[int]:
    """The records whose identity is known or comes more than once."""
    known = {uids[row] for row in firsts}
    once: set[str] = set()
    twice: set[str] = set()
    for uid in uids:
        (twice if uid in once else once).add(uid)
    wanted = known | twice
    return [row for row, uid in enumerate(uids) if uid in wanted]


def _own(records: Records, row: int, raw: str | None) -> _First:
    where = (*records.load[row], int(records.line[row]))
    return _First(raw, _content(records, row), where)


def _read(uids: Sequence[str], hits: Hits) -> dict[int, _First]:
    found: dict[int, _First] = {}
    for number in np.unique(hits.file):
        rows = np.flatnonzero(hits.file == number)
        table = pq.ParquetFile(hits.files[number]).read(columns=COLUMNS).take(pa.array(hits.place[rows]))
        columns = [table.column(name).to_pylist() for name in COLUMNS]
        wanted = [uids[row] for row in hits.rows[rows].tolist()]
        for row, uid, own, *rest in zip(hits.rows[rows], wanted, *columns, strict=True):
            if uid != own:
                raise AuditbookError(
                    "does not have the event that was looked for: the index is of another store.",
                    path=hits.files[number], hint="`auditbook rebuild` makes it again.",
                )  # fmt: skip
            raw, content, *where = rest
            found[int(row)] = _First(raw, content, (where[0], where[1], where[2]))
    return found


def _content(records: Records, row: int) -> str:
    if row in records.content:
        return records.content[row]
    return _hash(records.record[row].as_py())


def _content_of(first: _First) -> str:
    if first.content is None:
        first.content = _hash(first.raw or "")
    return first.content


def _hash(text: str) -> str:
    return content_hash(jiter.from_json(text.removeprefix("\ufeff").encode(), allow_inf_nan=False))


def _conflict_uid(uid: str, content: str) -> str:
    return hashlib.sha256(f"{uid}\x1f{content}".encode()).hexdigest()[:32]
