"""What a verification found. Made by chain and beside; printed by the command."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from pipeline import store as stores


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
    signed: int = 0
    public_key: str | None = None
    removed: int = 0  # files that a later commit replaced, and that are gone for good
    notes: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()  # what the documents are that were held against the chain
    reports: int = 0  # files of reports that are where, and as, they were written

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
            "signed": self.signed,
            "public_key": self.public_key,
            "removed": self.removed,
            "notes": list(self.notes),
            "documents": list(self.documents),
            "reports": self.reports,
        }
        return {**found, "broken": broken} | (
            {} if self.after is None else {"commits_after_head": self.after}
        )


@dataclass(frozen=True)
class Beside:
    """What was found beside the commits: the first thing that says otherwise, else what the reader should know."""

    broken: Break | None = None
    notes: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    reports: int = 0

    def added_to(self, found: Verification) -> Verification:
        return replace(
            found, broken=self.broken, notes=self.notes, documents=self.documents, reports=self.reports
        )
