"""Store -> documents that can be handed over. `review` is the entry; reads the store, writes only under `out`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import issued

if TYPE_CHECKING:
    from reports.model import Report
    from reports.period import Moment
    from reports.rows import Log

__all__ = ["Review", "review"]


@dataclass(frozen=True)
class Review:
    """One review: the numbers, and the two documents made of them."""

    model: Report
    store: Path

    def html(self) -> bytes:
        """One self-contained HTML file."""
        return self._html

    def pdf(self) -> bytes:
        """The same on A4 pages."""
        return self._pdf

    def write(self, out: Path | str = "out") -> list[Path]:
        """Write both under a folder of the report's day; nothing that is there is overwritten."""
        from reports.shelf import place

        cover = self.model.cover
        documents = (
            {"review.html": self.html}
            if self.without_pdf
            else {"review.html": self.html, "review.pdf": self.pdf}
        )
        written = place(Path(out), cover.as_of.local[:10], documents)
        issued.note(self.store, self._entry(written))
        return written

    @cached_property
    def without_pdf(self) -> str | None:
        """Why this machine makes no PDF, and what to install; None when it does."""
        from reports.pdf import missing

        return missing()

    def _entry(self, written: Sequence[Path]) -> dict[str, object]:
        """What the next commit's record says of this report."""
        cover = self.model.cover
        return {
            "kind": "review", "report_id": cover.report_id, "status": cover.status, "head": cover.head,
            "since": cover.period.since.iso, "until": cover.period.until.iso, "as_of": cover.as_of.iso,
            "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written},
        }  # fmt: skip

    @cached_property
    def _html(self) -> bytes:
        from reports.html import render

        return render(self.model)

    @cached_property
    def _pdf(self) -> bytes:
        from reports.html import for_paper
        from reports.pdf import press

        return press(
            for_paper(self.model), as_of=self.model.cover.as_of.at, identifier=self.model.cover.report_id
        )


def review(
    log: Log,
    since: Moment = None,
    until: Moment = None,
    as_of: datetime | None = None,
    prepared_by: str | None = None,
    reviewed_by: str | None = None,
) -> Review:
    """The review of a period (default: everything in the store) as of a moment (default: now)."""
    from reports.model import Request, build

    clock = as_of or datetime.now(UTC)
    if clock.tzinfo is None:
        clock = clock.replace(tzinfo=UTC)
    return Review(build(log, Request(clock, since, until, prepared_by, reviewed_by)), log.store)
