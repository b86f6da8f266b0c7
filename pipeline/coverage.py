"""What a detector could see, source by source: so that no finding is never the absence of data. Part of detector.

`evaluated` says that the rule had what it needs; `not_evaluable` says why it had not; `failed` that it broke.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline import dialect, mapping
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import AuditbookError
from pipeline.rulefile import Detector, values


@dataclass(frozen=True)
class Coverage:
    """One detector's sight of one source; `source` is "*" when it failed before it looked at any."""

    detector: str
    source: str
    status: str
    in_scope: int
    missing: str | None
    baseline_days: int
    baseline_needed: int
    why: str | None
    error: str | None
    version: int
    sql_sha256: str
    parameters: str


def coverage(
    connection: duckdb.DuckDBPyConnection, detector: Detector, overrides: Mapping[str, object]
) -> list[Coverage]:
    """How many events of each source were in scope, which fields were missing, whether the baseline was long enough."""
    chosen = values(detector, overrides)
    needed = (
        int(chosen[detector.baseline_parameter]) if detector.baseline_parameter else detector.baseline_days
    )
    try:
        rows = connection.sql(_seen(detector)).to_arrow_table().to_pylist()
        people = _people(connection, detector, needed) if needed else {}
    except duckdb.Error as error:
        raise AuditbookError(f"scope: {dialect.first_line(error)}.", path=detector.path) from error
    return [_judged(detector, chosen, needed, row, people.get(row["source"], (0, 0, 0))) for row in rows]


def failed(detector: Detector, overrides: Mapping[str, object], error: str) -> Coverage:
    """A detector that broke; its parameters as configured, for they may be what broke it."""
    return _coverage(detector, dict(overrides), source="*", status="failed", error=error)


def _seen(detector: Detector) -> str:
    """Per source: events, events in scope, those of them with each needed column, the days they span, classes."""
    filled = ", ".join(
        f'count(*) FILTER (in_scope AND {_is_filled(name)}) AS "{name}"' for name in detector.needs
    )
    return f"""SELECT source, count(*) AS total, count(*) FILTER (in_scope) AS in_scope, {filled},
        coalesce(date_diff('day', min(occurred_at) FILTER (in_scope), max(occurred_at) FILTER (in_scope)), 0) AS days,
        list_distinct(flatten(list(DISTINCT classes))) AS classes
      FROM (SELECT *, coalesce(({detector.scope}), false) AS in_scope FROM events)
      GROUP BY source ORDER BY source"""


def _is_filled(name: str) -> str:
    return f'len("{name}") > 0' if EVENT_COLUMNS[name].endswith("[]") else f'"{name}" IS NOT NULL'


def _people(
    connection: duckdb.DuckDBPyConnection, detector: Detector, needed: int
) -> dict[str, tuple[int, int, int]]:
    """Per source: people in scope, those with a long enough past on their last day, and the longest such past."""
    rows = connection.execute(
        f"""WITH active AS (
          SELECT source, a.person, occurred_at::DATE AS day
          FROM (SELECT * FROM events WHERE coalesce(({detector.scope}), false)) JOIN actors a USING (actor_key)),
        known AS (SELECT person, count(DISTINCT day) - 1 AS days FROM active GROUP BY person)
        SELECT source, count(*), count(*) FILTER (days >= $needed), max(days)
        FROM (SELECT DISTINCT source, person FROM active) JOIN known USING (person) GROUP BY source""",
        {"needed": needed},
    ).fetchall()
    return {source: (people, judged, longest) for source, people, judged, longest in rows}


def _judged(
    detector: Detector,
    chosen: Mapping[str, Any],
    needed: int,
    row: Mapping[str, Any],
    people: tuple[int, int, int],
) -> Coverage:
    total, seen = row["total"], row["in_scope"]
    lacking = {name: seen - row[name] for name in detector.needs if row[name] < seen}
    missing = ", ".join(f"{name} ({count:,} of {seen:,} events)" for name, count in lacking.items()) or None
    blind = [name for name, count in lacking.items() if count == seen]
    reason = None
    if not seen:
        reason = f"None of its {total:,} events is in scope."
    elif blind:
        reason = f"{', '.join(blind)}: never filled by this source."
    elif detector.classes and not set(detector.classes) & _classes(row["source"], row["classes"]):
        reason = f"Its mapping marks no event as {' or '.join(detector.classes)}."
    elif needed and not people[1]:
        reason = f"Nobody has the {needed} earlier days of activity that a judgement needs (the most: {people[2]})."
    status = "not_evaluable" if reason else "evaluated"
    if not reason and needed and people[1] < people[0]:
        left = people[0] - people[1]
        reason = (
            f"{left} of {people[0]} people have fewer than {needed} earlier days of activity: not judged."
        )
    return _coverage(
        detector, chosen, source=row["source"], status=status, in_scope=seen, missing=missing, why=reason,
        baseline_days=row["days"], baseline_needed=needed,
    )  # fmt: skip


def _classes(source: str, seen: list[str] | None) -> set[str]:
    """The classes that a source's events can have: those its mapping declares and those that were seen."""
    known = mapping.shipped().get(source)
    return set(seen or ()) | set(known.rules.get("classes", {}) if known else ())


def _coverage(
    detector: Detector,
    chosen: Mapping[str, Any],
    *,
    source: str,
    status: str,
    in_scope: int = 0,
    missing: str | None = None,
    baseline_days: int = 0,
    baseline_needed: int = 0,
    why: str | None = None,
    error: str | None = None,
) -> Coverage:
    return Coverage(
        detector.id, source, status, in_scope, missing, baseline_days, baseline_needed, why, error,
        detector.version, detector.sha256, json.dumps(dict(chosen), sort_keys=True, default=str),
    )  # fmt: skip
