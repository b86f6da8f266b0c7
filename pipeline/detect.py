"""Events + detectors -> findings and coverage: one commit. Second stage; reads only what load wrote.

A night costs what is new: each rule is evaluated over the windows that new events can change, and what it found
elsewhere stays. A finding has a stable identity, so evaluating again repeats nothing: what is new, what changed and
what is gone becomes a row. A detector that fails is recorded as failed, and the caller fails with it; the rest is kept.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from pipeline import (
    activity,
    basis,
    calendar,
    catalog,
    coverage,
    detector,
    engine,
    evaluation,
    findings,
    moments,
    ownrules,
    standing,
    summary,
)
from pipeline import store as stores
from pipeline.columns import SEVERITIES
from pipeline.config import Config, to_dict
from pipeline.counting import Counts
from pipeline.errors import AuditbookError, UsageError
from pipeline.evaluation import Outcome, Rule
from pipeline.findings import COVERAGE_ROWS, FINDING_ROWS, write_rows
from pipeline.lock import locked
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
    last = next((link for link in reversed(chain) if link.kind == "detect"), None)
    chosen = basis.enabled(config)
    bases = basis.of(chosen, config)
    known = dict(last.content.get("bases", {})) if last else {}
    rules = [basis.rule(one, config, past.lost or known.get(one.id) != bases[one.id]) for one in chosen]
    with engine.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if day is not None:
            connection.execute(f"SET VARIABLE as_of = DATE '{day.isoformat()}'")
        folder = path / "commits" / ".tmp-summary"
        try:
            past = _summarize(connection, past, folder, step)
            catalog.to_evaluate_in(connection, path, chain, config, past)
            before, covered_before = standing.current(connection), _covered(connection)
            named = known.keys() | {str(row["detector"]) for row in covered_before}
            told = tuple(map(_gone, sorted(named - ownrules.known(config.rules).keys())))
            gone = named - bases.keys()  # switched off since: what it found goes with it, and that it failed
            if not (past.new or stretch or gone or any(rule.again for rule in rules)):
                return _result(Counter(), before, covered_before, (), None)
            outcome = evaluation.run(connection, config, chain, past, rules, stretch, progress)
            off = [standing.Found(name, ((EARLIEST, LATEST),), ()) for name in sorted(gone)]
            rows = standing.differences(before, [*outcome.found, *off])
            covered = _coverage(rules, outcome, covered_before, coverage.configured(connection))
            judged, done = _bases(bases, outcome), None
            if past.new or folder.exists() or rows or covered != covered_before or judged != known:
                content = _content(config, rules, judged, past, folder)
                content |= {"rule_texts": texts} if (texts := ownrules.texts(chosen, chain)) else {}
                done = _commit(path, content, rows, covered, folder, interrupted, config)
                chain = [*chain, done]
                findings.tables(connection, chain, config, summary.of(chain).relation("sightings"))
            now = standing.current(connection)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if outcome.failed:
        catalog.publish(path, config)
        raise _failure(rules, outcome)
    found = _result(Counter(str(row["change"]) for row in rows), now, covered, tuple(outcome.failed), done)
    return replace(found, messages=told)


def _content(
    config: Config, rules: Sequence[Rule], judged: dict[str, str], past: Summary, folder: Path
) -> dict[str, Any]:
    """What the outcome depends on, for the record."""
    return {
        "config": to_dict(config), "rules": {rule.id: rule.detector.sha256 for rule in rules},
        "bases": judged, "summary": activity.VERSION if calendar.step(config) == 15 else activity.HALVES,
        "events": {name: summary.as_numbers(span) for name, span in past.told_in(folder).items()},
    }  # fmt: skip


def _failure(rules: Sequence[Rule], outcome: Outcome) -> AuditbookError:
    return AuditbookError(
        f"{len(outcome.failed)} of {len(rules)} detectors failed; what was loaded stays loaded. "
        + " ".join(outcome.failed[rule.id] for rule in rules if rule.id in outcome.failed),
        hint="Mend or disable them, then run again.",
    )


def _bases(bases: dict[str, str], outcome: Outcome) -> dict[str, str]:
    """What each rule was last evaluated with; one that failed is evaluated over everything again."""
    return {name: basis for name, basis in bases.items() if name not in outcome.failed}


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
    rows: Sequence[dict[str, object]],
    covered: Sequence[dict[str, object]],
    summaries: Path,
    interrupted: dict[str, Any],
    config: Config,
) -> stores.Commit:
    def write(folder: Path) -> dict[str, int]:
        written = {
            "findings.parquet": write_rows(folder / "findings.parquet", FINDING_ROWS, rows),
            "coverage.parquet": write_rows(folder / "coverage.parquet", COVERAGE_ROWS, covered),
        }
        return written | summary.move(summaries, folder)

    run = {"interrupted": interrupted} if interrupted else {}
    return stores.commit(path, "detect", content, write, run, config.signing)


def _covered(connection: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """What the newest evaluation said that it could see."""
    names = ", ".join(COVERAGE_ROWS)
    found = connection.execute(
        f"SELECT {names} FROM detector_coverage WHERE newest ORDER BY detector, source"
    ).fetchall()
    return [dict(zip(COVERAGE_ROWS, row, strict=True)) for row in found]


def _coverage(
    rules: Sequence[Rule],
    outcome: Outcome,
    before: Sequence[dict[str, object]],
    ready: frozenset[str],
) -> list[dict[str, object]]:
    """What each rule could see, of these events and of all before them."""
    rows: list[dict[str, object]] = []
    for rule in rules:
        earlier = [row for row in before if row["detector"] == rule.id and row["counts"] and not rule.again]
        if rule.id in outcome.failed:
            rows.append(asdict(detector.failed(rule.detector, rule.overrides, outcome.failed[rule.id])))
        elif rule.id in outcome.sights:
            sight = dict(outcome.sights[rule.id])
            for row in earlier:
                source = str(row["source"])
                sight[source] = Counts.read(str(row["counts"])) + sight.get(source, Counts())
            judged = coverage.judged(rule.detector, rule.chosen, sight, outcome.people, ready)
            rows += [asdict(one) for one in judged]
        else:  # nothing that is new concerns it
            rows += earlier
    return sorted(rows, key=lambda row: (str(row["detector"]), str(row["source"])))


def _gone(name: str) -> str:
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
