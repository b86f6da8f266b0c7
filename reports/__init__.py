"""Store -> documents that can be handed over. `review` is the entry; reads the store, writes only under `out`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import duckdb

from pipeline.config import config_sha256
from pipeline.errors import AuditbookError
from pipeline.progress import Progress, silent
from reports import onrecord

if TYPE_CHECKING:
    from reports.document import Document
    from reports.model import Report
    from reports.pdf import Annex, Attached
    from reports.period import Moment
    from reports.rows import Log

__all__ = [
    "Page", "Paper", "Review", "access", "accounting", "activity", "actor", "communications", "digest", "entity",
    "failures", "incident", "integrity", "log", "review",
]  # fmt: skip


Made = TypeVar("Made")


@dataclass(frozen=True)
class Paper:
    """A document of one kind, with its two forms."""

    model: Document
    store: Path
    behind: Callable[[], tuple[list[Attached], Annex | None]]
    asked: Mapping[str, object] = field(default_factory=dict)  # what it takes to make it again
    progress: Progress = silent

    def html(self) -> bytes:
        """One self-contained HTML file."""
        return self._html

    def pdf(self) -> bytes:
        """The same on paper."""
        return self._pdf

    def attached(self) -> list[Attached]:
        """The files inside the PDF."""
        return self.behind()[0]

    def write(self, out: Path | str = "out") -> list[Path]:
        """Write both under a folder of the report's day; nothing that is there is overwritten."""
        written = self.place(out)
        own = self.model
        span = {"since": own.period.since.iso, "until": own.period.until.iso}
        onrecord.tell(
            self.store, own.kind.name, own.report_id, own.head, own.as_of.iso, written, self.asked, **span
        )  # fmt: skip
        return written

    def place(self, out: Path | str) -> list[Path]:
        """The same without telling the store of it."""
        from reports.shelf import place

        name = "-".join(part for part in (self.model.kind.name, _slug(self.model.target)) if part)
        pdf = {} if self.without_pdf else {f"{name}.pdf": self.pdf}
        return place(Path(out), self.model.as_of.local[:10], {f"{name}.html": self.html, **pdf})

    @cached_property
    def without_pdf(self) -> str | None:
        """Why this machine makes no PDF, and what to install; None when it does."""
        from reports.pdf import missing

        return missing()

    @cached_property
    def _html(self) -> bytes:
        from reports.html import document

        return document(self.model, self.progress)

    @cached_property
    def _pdf(self) -> bytes:
        from reports.html import document_for_paper
        from reports.pdf import press

        attached, annex = self.behind()
        return press(
            document_for_paper(self.model, self.progress), as_of=self.model.as_of.at, identifier=self.model.report_id,
            logo=self.model.looks.logo, attached=attached, annex=annex, progress=self.progress,
        )  # fmt: skip


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._@]+", "-", text).strip("-.")[:60]


@dataclass(frozen=True)
class Page:
    """The log itself as one HTML file: filters, history, details and export work in it without a network."""

    make: Callable[[], bytes]
    day: str
    store: Path
    head: str
    asked: Mapping[str, object] = field(default_factory=dict)  # what it takes to make it again

    def html(self) -> bytes:
        """One self-contained HTML file."""
        return self._html

    def write(self, out: Path | str = "out") -> list[Path]:
        """Write it under a folder of the report's day; nothing that is there is overwritten."""
        written = self.place(out)
        name = hashlib.sha256(self._html).hexdigest()[:12]
        onrecord.tell(self.store, "log", name, self.head, str(self.asked["as_of"]), written, self.asked)
        return written

    def place(self, out: Path | str) -> list[Path]:
        """The same without telling the store of it."""
        from reports.shelf import place

        return place(Path(out), self.day, {"log.html": self.html})

    @cached_property
    def _html(self) -> bytes:
        return self.make()


@dataclass(frozen=True)
class Review:
    """One review: the numbers, the two documents made of them, and the log page of the same period beside."""

    model: Report
    store: Path
    log: Page
    asked: Mapping[str, object] = field(default_factory=dict)  # what it takes to make it again
    progress: Progress = silent

    def html(self) -> bytes:
        """One self-contained HTML file."""
        return self._html

    def pdf(self) -> bytes:
        """The same on A4 pages."""
        return self._pdf

    def write(self, out: Path | str = "out") -> list[Path]:
        """Write both under a folder of the report's day; nothing that is there is overwritten."""
        written = self.place(out)
        cover = self.model.cover
        onrecord.tell(
            self.store, "review", cover.report_id, cover.head, cover.as_of.iso, written, self.asked,
            status=cover.status, since=cover.period.since.iso, until=cover.period.until.iso,
        )  # fmt: skip
        return written

    def place(self, out: Path | str) -> list[Path]:
        """The same without telling the store of it."""
        from reports.shelf import place

        cover = self.model.cover
        pdf = {} if self.without_pdf else {"review.pdf": self.pdf}
        documents = {"review.html": self.html, **pdf, "log.html": self.log.html}
        return place(Path(out), cover.as_of.local[:10], documents)

    @cached_property
    def without_pdf(self) -> str | None:
        """Why this machine makes no PDF, and what to install; None when it does."""
        from reports.pdf import missing

        return missing()

    @cached_property
    def _html(self) -> bytes:
        from reports.html import render

        return render(self.model, self.progress)

    @cached_property
    def _pdf(self) -> bytes:
        from reports.annex import of_review, printed_of_review
        from reports.html import for_paper
        from reports.pdf import press

        cover = self.model.cover
        return press(
            for_paper(self.model, self.progress), as_of=cover.as_of.at, identifier=cover.report_id,
            logo=cover.looks.logo, attached=of_review(self.model), annex=printed_of_review(self.model),
            progress=self.progress,
        )  # fmt: skip


def log(log: Log, as_of: datetime | None = None, **filters: object) -> Page:
    """The events that match, as a page to search; keywords as those of `log.events`. As of a moment (default: now)."""
    clock, given = _clock(as_of), onrecord.settled(filters)
    return _logpage(log, clock, given)


def review(
    log: Log,
    since: Moment = None,
    until: Moment = None,
    as_of: datetime | None = None,
    prepared_by: str | None = None,
    reviewed_by: str | None = None,
    progress: Progress = silent,
) -> Review:
    """The review of a period (default: everything in the store) as of a moment (default: now)."""
    from reports.model import Request, build

    clock = _clock(as_of)
    model = build(log, Request(clock, since, until, prepared_by, reviewed_by))
    period = model.cover.period
    page = _logpage(log, clock, {"since": period.since.at, "until": period.until.at})
    asked = {
        "since": str(since) if since is not None else None, "until": str(until) if until is not None else None,
        "prepared_by": prepared_by, "reviewed_by": reviewed_by, **_seen_as(log, clock),
    }  # fmt: skip
    return Review(model, log.store, page, asked, progress)


def paper(
    log: Log, kind: str, target: str | None = None, as_of: datetime | None = None, progress: Progress = silent,
    **filters: object,
) -> Paper:  # fmt: skip
    """A document of a kind: about a target where the kind needs one, else of a period; filters as for `log.events`."""
    from reports.annex import of_document, printed_of_document
    from reports.document import document

    clock, given = _clock(as_of), onrecord.settled(filters)
    model = document(log, kind, target, clock, given, progress)
    asked = {"target": target, "filters": onrecord.recorded(given), **_seen_as(log, clock)}

    def behind(one: Log) -> tuple[list[Attached], Annex | None]:
        doc = model if one is log else document(one, kind, target, clock, given)
        return of_document(doc), printed_of_document(doc)

    return Paper(model, log.store, _while_open(log, behind), asked, progress)


def _of(kind: str) -> Callable[..., Paper]:
    def made(log: Log, target: str | None = None, as_of: datetime | None = None, **filters: object) -> Paper:
        return paper(log, kind, target, as_of, **filters)  # type: ignore[arg-type]

    made.__name__ = kind
    made.__doc__ = f"The {kind} document; a target where it needs one, and filters as for `log.events`."
    return made


entity, actor, incident = _of("entity"), _of("actor"), _of("incident")
failures, communications, accounting, access = map(
    _of, ("failures", "communications", "accounting", "access")
)
integrity, activity, digest = map(_of, ("integrity", "activity", "digest"))


def _seen_as(log: Log, clock: datetime) -> dict[str, object]:
    """For whom, as of when and with which configuration a document is made."""
    return {
        "as_of": clock.isoformat(), "audience": log.shown.audience, "config_sha256": config_sha256(log.config)
    }  # fmt: skip


def _logpage(log: Log, clock: datetime, filters: dict[str, object]) -> Page:
    asked = {"filters": onrecord.recorded(filters), **_seen_as(log, clock)}
    return Page(_page(log, clock, filters), _day(log, clock), log.store, log.head, asked)


def _page(log: Log, clock: datetime, filters: dict[str, object]) -> Callable[[], bytes]:
    asked = {"as_of": clock, **filters}

    def made(one: Log) -> bytes:
        from reports.logpage import render

        return render(one.events(**asked), clock)

    return _while_open(log, made)


def _while_open(log: Log, make: Callable[[Log], Made]) -> Callable[[], Made]:
    """What is made of a log when it is asked for; of the same store opened again when the log was closed meanwhile."""
    head = log.head

    def made() -> Made:
        try:
            return make(log)
        except duckdb.ConnectionException:
            with log.again() as again:
                if again.head != head:
                    raise AuditbookError(
                        "the store has changed since the log was closed.", path=log.store,
                        hint="Write the document while the log is open.",
                    ) from None  # fmt: skip
                return make(again)

    return made


def _clock(as_of: datetime | None) -> datetime:
    clock = as_of or datetime.now(UTC)
    return clock if clock.tzinfo else clock.replace(tzinfo=UTC)


def _day(log: Log, clock: datetime) -> str:
    from pipeline.hours import zone

    return clock.astimezone(zone(log.config.organization.timezone)).date().isoformat()
