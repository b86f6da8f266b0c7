"""The nightly job: load, detect, report, under one lock. What `auditbook run` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pipeline import catalog, detect, load, query, witness
from pipeline import store as stores
from pipeline.config import Config, read, to_dict
from pipeline.detect import DetectResult
from pipeline.errors import AuditbookError
from pipeline.hours import zone
from pipeline.ledger import LoadResult
from pipeline.lock import locked
from pipeline.progress import Progress, silent


@dataclass(frozen=True)
class RunResult:
    """Everything a nightly run did."""

    loaded: LoadResult
    detected: DetectResult
    reports: tuple[Path, ...]
    head: str
    seconds: dict[str, float]
    messages: tuple[str, ...] = ()

    @property
    def unrecognised(self) -> tuple[str, ...]:
        return self.loaded.unrecognised

    @property
    def findings_by_severity(self) -> dict[str, int]:
        return self.detected.open_by_severity

    def as_json(self) -> dict[str, Any]:
        return {
            **self.loaded.as_json(),
            **self.detected.as_json(),
            "reports": [str(path) for path in self.reports],
            "head": self.head,
            "seconds": {stage: round(taken, 3) for stage, taken in self.seconds.items()},
        }


def run(
    exports: Sequence[str],
    *,
    store: Path | str = "store",
    out: Path | str = "out",
    config: Config | Path | str | None = None,
    source: str | None = None,
    instance: str | None = None,
    as_of: datetime | None = None,
    progress: Progress = silent,
) -> RunResult:
    """Load what is new, evaluate the detectors, write the review, tell the witness. An error leaves what was committed
    before it, and the witness is told of that, too."""
    try:
        done = night(
            exports, store=store, out=out, config=config, source=source, instance=instance, as_of=as_of,
            progress=progress,
        )  # fmt: skip
    except AuditbookError as error:
        try:
            witness.tell()
        except AuditbookError as untold:
            error.add_note(str(untold))
        raise
    witness.tell()
    return done


def night(
    exports: Sequence[str],
    *,
    store: Path | str = "store",
    out: Path | str = "out",
    config: Config | Path | str | None = None,
    source: str | None = None,
    instance: str | None = None,
    as_of: datetime | None = None,
    progress: Progress = silent,
) -> RunResult:
    """The same, and the witness is still owed the newest head: the command tells it when everything is said."""
    settings = config if isinstance(config, Config) else read(Path(config) if config is not None else None)
    path = Path(store)
    found = load.check(exports, source, settings, instance)
    started = time.monotonic()
    with locked(path) as interrupted:
        earlier = stores.commits(path)
        loaded = load.load_found(found, path, settings, source, instance, progress, interrupted)
        after_load = time.monotonic()
        told = interrupted if loaded.commit is None else {}
        detected = detect.evaluate(path, settings, progress, told, _day(as_of, settings))
        aside = catalog.publish(path, settings)
        log = query.open(path, settings)
        for newest in stores.commits(path)[-1:]:  # after a night that brought nothing, too
            witness.owe(path, newest, settings.signing)
    after_detect = time.monotonic()
    with log:  # as it stands now; nobody has to wait while the report is drawn
        written, lacking = _report(log, as_of, Path(out), progress)
        head = log.head
    seconds = {
        "load": after_load - started,
        "detect": after_detect - after_load,
        "report": time.monotonic() - after_detect,
    }
    notices = (*_assumed(settings, earlier), aside, lacking)
    messages = (*loaded.messages, *(text for text in notices if text), *detected.messages)
    return RunResult(loaded, detected, tuple(written), head, seconds, messages)


def _report(
    log: query.Log, as_of: datetime | None, out: Path, progress: Progress
) -> tuple[list[Path], str | None]:
    """The review's files, and what kept one of them from being made."""
    import reports

    if not log.events().count():
        return [], "no report was written: the store holds no event yet."
    progress("writing the review")
    review = reports.review(log, as_of=as_of, progress=progress)
    return review.write(out), review.without_pdf


def _assumed(settings: Config, earlier: Sequence[stores.Commit]) -> list[str]:
    """What the reader of this run should know of its settings."""
    notices = []
    if not settings.organization.timezone_configured:
        notices.append(
            "no timezone is configured: days, business hours and times without a zone are taken as UTC "
            "([organization] timezone in auditbook.toml)."
        )
    if earlier and to_dict(catalog.recorded_config(earlier)) != to_dict(settings):
        notices.append("the settings are not those of the last run: every finding was judged again by these.")
    return notices


def _day(as_of: datetime | None, settings: Config) -> date | None:
    """The day of a given clock, in the organization's zone: what holds until a day is held against it."""
    if as_of is None:
        return None
    moment = as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)
    return moment.astimezone(zone(settings.organization.timezone)).date()
