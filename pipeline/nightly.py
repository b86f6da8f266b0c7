"""The nightly job: load, detect, report, under one lock. What `auditbook run` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline import catalog, detect, load, query
from pipeline.config import Config, read
from pipeline.detect import DetectResult
from pipeline.ledger import LoadResult
from pipeline.lock import locked

Progress = Callable[[str], None]


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
    progress: Progress = lambda text: None,
) -> RunResult:
    """Load what is new, evaluate the detectors, write the review. An error leaves what was committed before it."""
    import reports

    settings = config if isinstance(config, Config) else read(Path(config) if config is not None else None)
    path = Path(store)
    found = load.check(exports, source, settings)
    started = time.monotonic()
    with locked(path) as interrupted:
        loaded = load.load_found(found, path, settings, source, instance, progress, interrupted)
        after_load = time.monotonic()
        detected = detect.evaluate(path, settings, progress, interrupted if loaded.commit is None else {})
        aside = catalog.publish(path, settings)
        after_detect = time.monotonic()
        progress("writing the review")
        with query.open(path, settings) as log:
            review = reports.review(log, as_of=as_of)
            written = review.write(Path(out))
            head = log.head
    seconds = {
        "load": after_load - started,
        "detect": after_detect - after_load,
        "report": time.monotonic() - after_detect,
    }
    messages = (*loaded.messages, *(text for text in (aside, review.without_pdf) if text))
    return RunResult(loaded, detected, tuple(written), head, seconds, messages)
