"""Events + detectors -> findings and coverage: one commit. Second stage; reads only what load wrote.

A night costs what is new: each rule is evaluated over the windows that new events can change, and what it found
elsewhere stays. A finding has a stable identity, so evaluating again repeats nothing: what is new, what changed and
what is gone becomes a row. A detector that fails is recorded as failed, and the caller fails with it; the rest is kept.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline import (
    activity,
    basis,
    calendar,
    catalog,
    engine,
    evaluation,
    findings,
    moments,
    outcomes,
    ownrules,
    standing,
    summary,
)
from pipeline import store as stores
from pipeline.basis import Asked
from pipeline.columns import SEVERITIES
from pipeline.config import Config, to_dict
from pipeline.errors import AuditbookError, UsageError
from pipeline.evaluation import Outcome, Rule
from pipeline.findings import COVERAGE_ROWS, FINDING_ROWS, write_rows
from pipeline.lock import locked
from pipeline.outcomes import Made
from pipeline.progress import Progress, silent
from pipeline.summary import Span, Summary
from pipeline.touched import EARLIEST, LATEST


@dataclass(frozen=True)
class DetectResult:
    """What an evaluation found. `commit` is None when nothing had changed since the last one."""

    new: int
    changed: int
    withdrawn: int
    open_by_severity: dict[str, int]
    detectors_run: int
    not_evaluable: int
    failed: tuple[str, ...]
    commit: stores.Commit | None
    messages: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "findings": {
                "new": self.new,
                "changed": self.changed,
                "withdrawn": self.withdrawn,
                "open": sum(self.open_by_severity.values()),
                "by_severity": {name: self.open_by_severity.get(name, 0) for name in SEVERITIES},
            },
            "detectors": {"run": self.detectors_run, "not_evaluable": self.not_evaluable},
        }


def detect(
    store: Path | str, *, config: Config, progress: Progress = silent, stretch: Span | None = None
) -> DetectResult:
    """Evaluate the detectors over what is new, or over a stretch of time again, and commit what they found."""
    path = Path(store)
    stores.require(path)
    with locked(path) as interrupted:
        result = evaluate(path, config, progress, interrupted, stretch=stretch)
        catalog.publish(path, config)
    return result


def stretch_of(since: str | None, until: str | None, config: Config) -> Span | None:
    """The stretch of time that somebody asks to be evaluated again; none when nothing is asked."""
    if since is None and until is None:
        return None
    zone, now = config.organization.timezone, datetime.now(UTC)
    begin = moments.moment(since, zone, now) if since is not None else EARLIEST
    end = moments.moment(until, zone, now, end=True) if until is not None else LATEST
    if begin >= end and None not in (since, until):
        raise UsageError(f"--since {since} is not before --until {until}.")
    if begin >= end:
        given = f"--since {since} is too late" if until is None else f"--until {until} is too early"
        raise UsageError(
            f"{given}: nothing can be evaluated {'after' if until is None else 'before'} it.",
            hint=moments.EXAMPLES,
        )
    return begin, end


def evaluate(
    path: Path,
    config: Config,
    progress: Progress,
    interrupted: dict[str, Any],
    day: date | None = None,
    stretch: Span | None = None,
) -> DetectResult:
    """The evaluation itself; the caller holds the lock. Raises after committing when a detector failed.

    `day` is the one on which suppressions and decisions hold or have run out; without it, today.
    """
    chain = stores.commits(path)
    step = calendar.step(config)
    past = summary.of(chain, step)
    asked = basis.asked(chain, config, lost=past.lost)
    folder = path / "commits" / ".tmp-summary"
    with engine.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if day is not None:
            connection.execute(f"SET VARIABLE as_of = DATE '{day.isoformat()}'")
        try:
            past = _summarize(connection, past, folder, step)
            catalog.to_evaluate_in(connection, path, chain, config, past)
            before = outcomes.before(connection)
            if not (past.new or stretch or asked.again or before.gone(asked)):
                result = _result(Counter(), before.findings, before.covered, (), None)
                return replace(result, messages=tuple(findings.notices(connection)))
            outcome = evaluation.run(connection, config, chain, past, asked.rules, stretch, progress)
            made = outcomes.made(connection, asked, before, outcome)
            done = None
            if past.new or folder.exists() or made.differs(asked, before):
                content = _content(chain, config, asked, made, past, folder)
                done = _commit(path, content, made, folder, interrupted, config)
                chain = [*chain, done]
                findings.tables(connection, chain, config, summary.of(chain).relation("sightings"))
            now, notices = standing.current(connection), findings.notices(connection)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if outcome.failed:
        catalog.publish(path, config)
        raise _failure(asked.rules, outcome)
    counted = Counter(str(row["change"]) for row in made.rows)
    told = map(_no_file, sorted(before.named(asked) - asked.there))
    result = _result(counted, now, made.covered, tuple(outcome.failed), done)
    return replace(result, messages=(*told, *notices))


def _content(
    chain: Sequence[stores.Commit], config: Config, asked: Asked, made: Made, past: Summary, folder: Path
) -> dict[str, Any]:
    """What the outcome depends on, for the record."""
    rules = [rule.detector for rule in asked.rules]
    texts = ownrules.texts(rules, chain)
    return {
        "config": to_dict(config), "rules": {one.id: one.sha256 for one in rules}, "bases": made.bases,
        "summary": activity.VERSION if calendar.step(config) == 15 else activity.HALVES,
        "events": {name: summary.as_numbers(span) for name, span in past.told_in(folder).items()},
        **({"rule_texts": texts} if texts else {}),
    }  # fmt: skip


def _failure(rules: Sequence[Rule], outcome: Outcome) -> AuditbookError:
    return AuditbookError(
        f"{len(outcome.failed)} of {len(rules)} detectors failed; what was loaded stays loaded. "
        + " ".join(outcome.failed[rule.id] for rule in rules if rule.id in outcome.failed),
        hint="Mend or disable them, then run again.",
    )


def _summarize(connection: duckdb.DuckDBPyConnection, past: Summary, folder: Path, step: int) -> Summary:
    """Write the summaries of the events of which none tells yet, where the commit will find them."""
    if not past.left:
        return past
    folder.mkdir(mode=0o700)
    summary.write(connection, past.left, folder, step)
    return past.written(folder)


def _commit(
    path: Path,
    content: dict[str, Any],
    made: Made,
    summaries: Path,
    interrupted: dict[str, Any],
    config: Config,
) -> stores.Commit:
    def write(folder: Path) -> dict[str, int]:
        written = {
            "findings.parquet": write_rows(folder / "findings.parquet", FINDING_ROWS, made.rows),
            "coverage.parquet": write_rows(folder / "coverage.parquet", COVERAGE_ROWS, made.covered),
        }
        return written | summary.move(summaries, folder)

    run = {"interrupted": interrupted} if interrupted else {}
    return stores.commit(path, "detect", content, write, run, config.signing)


def _no_file(name: str) -> str:
    return f"{name}: there is no such rule any more; what it found is withdrawn. Put its file back to have that again."


def _result(
    counted: Counter[str],
    now: dict[str, dict[str, Any]],
    covered: Sequence[dict[str, object]],
    failed: tuple[str, ...],
    done: stores.Commit | None,
) -> DetectResult:
    statuses: dict[str, set[str]] = {}
    for row in covered:
        statuses.setdefault(str(row["detector"]), set()).add(str(row["status"]))
    silent = sum("evaluated" not in found and "failed" not in found for found in statuses.values())
    alive = Counter(row["severity"] for row in now.values() if row["state"] in ("new", "open", "changed"))
    told = (counted["new"], counted["changed"], counted["withdrawn"])
    return DetectResult(*told, dict(alive), len(statuses), silent, failed, done)
