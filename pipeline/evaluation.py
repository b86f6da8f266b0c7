"""Runs the rules over the windows that something new may change, stretch by stretch. The middle of detect.

What is read of a stretch is read once, for all rules, and they run side by side. How much is held at a time is bounded
by the length of the stretches, which are cut by the number of their events.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

import duckdb

from pipeline import activity, behind, catalog, counting, coverage, detector, sight, stretch
from pipeline import store as stores
from pipeline.config import Config
from pipeline.counting import Asked, Counts
from pipeline.detector import Detector, Finding, Value
from pipeline.errors import AuditbookError
from pipeline.progress import Progress
from pipeline.standing import Found
from pipeline.stretch import Source
from pipeline.summary import Span, Summary, events_of
from pipeline.task import Task, words
from pipeline.touched import DAY, EARLIEST, LATEST, Reach, chunks, days, during, hull, merged, moment, overlap

MOST = 1_500_000  # events of one stretch


@dataclass(frozen=True)
class Rule:
    """A rule with the settings that apply; `again` when all that it found is to be found anew."""

    detector: Detector
    overrides: Mapping[str, object]
    severity: str
    again: bool

    @property
    def id(self) -> str:
        return self.detector.id

    @cached_property
    def chosen(self) -> Mapping[str, Value]:
        return detector.values(self.detector, self.overrides)


@dataclass
class Outcome:
    """What an evaluation found and saw, by rule."""

    found: list[Found] = field(default_factory=list)
    sights: dict[str, dict[str, Counts]] = field(default_factory=dict)
    people: coverage.People = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def run(
    connection: duckdb.DuckDBPyConnection,
    config: Config,
    chain: Sequence[stores.Commit],
    past: Summary,
    rules: Sequence[Rule],
    again: Span | None,
    progress: Progress,
) -> Outcome:
    """Evaluate the rules over what is new (or over a stretch again), those that are new or changed over everything."""
    outcome, kept = Outcome(), dict[str, list[tuple[Finding, Mapping[str, object]]]]()
    source = Source(past, tuple(part for part in stores.parts(chain) if part.events is not None))
    known = catalog.reach(connection, past)
    tasks = _tasks(rules, _news(connection, past), _news(connection, past, tenants=True), again, outcome)
    events = _per_day(connection, past, hull([window for task in tasks for window in task.windows]))
    for chunk, chosen in _passes(tasks, events):
        # A wrong clock's year is far from all others: between them there is nothing to know.
        reach = stretch.reaches(chunk, chosen)
        catalog.slots(connection, config, [s for span in known if (s := _within(span, reach))])
        stretch.lay(connection, source, chunk, chosen)
        found = _evaluated(connection, chosen, chunk, outcome, progress)
        logs = {task.rule.id for task, _ in chosen if task.rule.about == "log"}
        for one, about in behind.of(connection, [one for each in found.values() for one in each], logs):
            kept.setdefault(one.detector, []).append((one, about))
            if about["there"] != len(set(one.events)):  # of nothing that can be looked up nothing is told
                outcome.failed.setdefault(one.detector, _of_no_event(one))
    for task in tasks:
        if task.rule.id not in outcome.failed:
            outcome.found.append(Found(task.rule.id, task.windows, tuple(kept.get(task.rule.id, ()))))
    catalog.slots(connection, config, known)
    outcome.people = _people(connection, past)
    return outcome


def _of_no_event(one: Finding) -> str:
    return (
        f'{one.detector}: returns the finding with the key "{one.key}" with events that are not in the store.'
    )


def _people(connection: duckdb.DuckDBPyConnection, past: Summary) -> coverage.People:
    """Everybody's past, whatever stretch was evaluated: what was judged before stays judged."""
    days, places = activity.local_days(past.relation("days")), activity.with_person(past.relation("places"))
    return coverage.people(connection, f"({days})", f"({places})")


def _tasks(
    rules: Sequence[Rule],
    news: Sequence[Span],
    of_tenants: Sequence[Span],
    again: Span | None,
    outcome: Outcome,
) -> list[Task]:
    tasks = []
    for rule in rules:
        try:
            chosen = rule.chosen
        except AuditbookError as error:
            outcome.failed[rule.id] = str(error)
            continue
        reach = Reach(*(rule.detector.span(name, chosen) for name in ("lookback", "lookahead", "habits")))
        # Tenants that seldom speak reach far back: only who asks how far their logs go looks there again.
        told = of_tenants if "tenants" in words(rule.detector) else news
        windows = [(EARLIEST, LATEST)] if rule.again else [*reach.windows(told), *([again] if again else [])]
        tasks.append(
            Task(
                rule.detector,
                chosen,
                rule.overrides,
                rule.severity,
                reach,
                tuple(merged(windows)),
                rule.again,
            )
        )
    return tasks


def _news(connection: duckdb.DuckDBPyConnection, past: Summary, tenants: bool = False) -> list[Span]:
    """The stretches around the events that were never judged, or also around what their tenants had said before."""
    if not past.new:
        return []
    asked = _NEWS + (_NEWS_OF_TENANTS if tenants else "")
    found = connection.execute(asked.format(new=events_of(past.new), days=past.relation("days")))
    return days(found.fetchall())


# Each source by itself: while one was away, others went on.
_NEWS = """WITH new AS (SELECT DISTINCT source, instance, (occurred_at AT TIME ZONE 'UTC')::DATE AS day FROM {new}),
  said AS (SELECT source, instance, day FROM {days} UNION SELECT * FROM new),
  of_sources AS (
    SELECT source, day, lag(day) OVER (PARTITION BY source ORDER BY day) AS before
    FROM (SELECT DISTINCT source, day FROM said))
  SELECT day, before FROM of_sources SEMI JOIN new USING (source, day)"""
# What a tenant said last before it was away may be judged now. Of the time between it has nothing to judge.
_NEWS_OF_TENANTS = """ UNION
  SELECT before, NULL FROM (
    SELECT *, lag(day) OVER (PARTITION BY source, instance ORDER BY day) AS before FROM said)
  SEMI JOIN new USING (source, instance, day) WHERE before IS NOT NULL"""


def _per_day(connection: duckdb.DuckDBPyConnection, past: Summary, span: Span) -> dict[date, int]:
    days = f"(SELECT day, n FROM {past.relation('days', span[0])} WHERE {during(span, 'first_at')})"
    return dict(connection.execute(f"SELECT day, sum(n)::BIGINT FROM {days} GROUP BY ALL").fetchall())


def _passes(tasks: Sequence[Task], events: Mapping[date, int]) -> list[tuple[Span, list[tuple[Task, Span]]]]:
    """Which rules are evaluated over which stretch; those that look at everything get everything, once."""
    passes = []
    bounded = [task for task in tasks if not task.reach.endless]
    for chunk in chunks(merged(window for task in bounded for window in task.windows), events, MOST):
        within = [(task, part) for task in bounded if (part := overlap(task.windows, chunk))]
        passes.append((chunk, within))
    endless = [(task, (EARLIEST, LATEST)) for task in tasks if task.reach.endless and task.windows]
    return [*passes, *([((EARLIEST, LATEST), endless)] if endless else [])]


def _within(span: Span, reach: Span) -> Span | None:
    start, end = max(span[0], _safe(reach[0], -2)), min(span[1], _safe(reach[1], 2))
    return (start, end) if start <= end else None


def _safe(moment: datetime, by: int) -> datetime:
    return moment if moment in (EARLIEST, LATEST) else moment + by * DAY


def _count(
    connection: duckdb.DuckDBPyConnection, chosen: Sequence[tuple[Task, Span]], chunk: Span, outcome: Outcome
) -> None:
    """How much each rule sees; a scope that cannot be evaluated is the rule's failure alone."""
    since, until = (moment(time) for time in chunk)
    tasks = [task for task, _ in chosen]
    which = "true" if any(task.again for task in tasks) else "is_new"
    inside = f"(SELECT * FROM near WHERE occurred_at >= {since} AND occurred_at < {until} AND {which})"
    asked = [Asked(task.rule, task.chosen, "true" if task.again else "is_new") for task in tasks]
    try:
        sights = counting.counted(connection, inside, asked) if asked else []
    except AuditbookError:
        sights = []
        for task, one in zip(tasks, asked, strict=True):
            try:
                sights += counting.counted(connection, inside, [one])
            except AuditbookError as error:
                outcome.failed[task.rule.id] = str(error)
                sights.append({})
    for task, seen in zip(tasks, sights, strict=True):
        known = outcome.sights.setdefault(task.rule.id, {})
        for source, counts in seen.items():
            known[source] = known.get(source, Counts()) + counts


def _evaluated(
    connection: duckdb.DuckDBPyConnection,
    chosen: Sequence[tuple[Task, Span]],
    chunk: Span,
    outcome: Outcome,
    progress: Progress,
) -> dict[str, list[Finding]]:
    def count() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            _count(cursor, chosen, chunk, outcome)

    def evaluate(task: Task) -> list[Finding] | AuditbookError:
        with connection.cursor() as cursor:
            sight.enter(cursor, task)
            try:
                return detector.evaluate(cursor, task.rule, task.overrides, task.severity)
            except AuditbookError as error:
                return error

    found: dict[str, list[Finding]] = {}
    # The longest statements first, so that no thread is left alone with one of them.
    asked = sorted(
        ((task, window) for task, window in chosen if task.rule.id not in outcome.failed),
        key=lambda one: (-len(one[0].rule.sql), one[0].rule.id),
    )
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        counting = pool.submit(count)
        results = pool.map(evaluate, [task for task, _ in asked])
        counting.result()
        for (task, (start, end)), result in zip(asked, results, strict=True):
            progress(f"evaluating · {task.rule.id} done")
            if isinstance(result, AuditbookError):
                outcome.failed.setdefault(task.rule.id, str(result))
            elif task.rule.id not in outcome.failed:
                found[task.rule.id] = [one for one in result if start <= one.window_end < end]
    return found
