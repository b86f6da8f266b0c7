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
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import AuditbookError
from pipeline.rulefile import Detector, Value, alternatives, values


@dataclass(frozen=True)
class Coverage:
    """One detector's sight of one source; `source` is "*" when it failed before it looked at any.

    `in_scope` are the events that it could judge; `missing` says what the others of its scope lack.
    """

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
        given = {name: chosen[name] for name in dialect.parameters(f"SELECT ({detector.scope})")}
        rows = connection.sql(_seen(detector), params=given).to_arrow_table().to_pylist()
        people = _people(connection, detector, {**given, "needed": needed}) if needed else {}
    except duckdb.Error as error:
        raise AuditbookError(f"scope: {dialect.first_line(error)}.", path=detector.path) from error
    return [_judged(detector, chosen, needed, row, people.get(row["source"], (0, 0, 0))) for row in rows]


def failed(detector: Detector, overrides: Mapping[str, object], error: str) -> Coverage:
    """A detector that broke; its parameters as configured, for they may be what broke it."""
    return _coverage(detector, dict(overrides), source="*", status="failed", error=error)


def _seen(detector: Detector) -> str:
    """Per source: events, those the rule is about, those of them with each needed column and with all, their days."""
    filled = ", ".join(
        f'count(*) FILTER (about AND {_is_filled(need)}) AS "{need}"' for need in detector.needs
    )
    return f"""SELECT source, count(*) AS total, count(*) FILTER (about) AS about, {filled},
        count(*) FILTER (judged) AS judged,
        coalesce(date_diff('day', min(occurred_at) FILTER (judged), max(occurred_at) FILTER (judged)), 0) AS days,
        list_sort(list_distinct(flatten(list(DISTINCT classes)))) AS classes
      FROM (SELECT *, about AND {_has_all(detector)} AS judged
        FROM (SELECT *, coalesce(({detector.scope}), false) AS about FROM events))
      GROUP BY source ORDER BY source"""


def _has_all(detector: Detector) -> str:
    return " AND ".join(_is_filled(need) for need in detector.needs)


def _is_filled(need: str) -> str:
    return f"({' OR '.join(_says(name) for name in alternatives(need))})"


def _says(name: str) -> str:
    """Whether a column says something; "unknown" says nothing."""
    if EVENT_COLUMNS[name].endswith("[]"):
        return f'len("{name}") > 0'
    unknown = "unknown" in VOCABULARIES.get(name, ())
    return f"coalesce(\"{name}\" <> 'unknown', false)" if unknown else f'"{name}" IS NOT NULL'


def _people(
    connection: duckdb.DuckDBPyConnection, detector: Detector, given: Mapping[str, Value]
) -> dict[str, tuple[int, int, int]]:
    """Per source: people with events to judge, those with a long enough past on their last day, the longest past."""
    rows = connection.execute(
        f"""WITH active AS (
          SELECT source, a.person, occurred_at::DATE AS day
          FROM (SELECT * FROM events WHERE ({detector.scope}) AND {_has_all(detector)})
          JOIN actors a USING (actor_key)),
        known AS (SELECT person, count(DISTINCT day) - 1 AS days FROM active GROUP BY person)
        SELECT source, count(*), count(*) FILTER (days >= $needed), max(days)
        FROM (SELECT DISTINCT source, person FROM active) JOIN known USING (person) GROUP BY source""",
        given,
    ).fetchall()
    return {source: (people, judged, longest) for source, people, judged, longest in rows}


def _judged(
    detector: Detector,
    chosen: Mapping[str, Any],
    needed: int,
    row: Mapping[str, Any],
    people: tuple[int, int, int],
) -> Coverage:
    total, about, judged = row["total"], row["about"], row["judged"]
    lacking = {need: about - row[need] for need in detector.needs if row[need] < about}
    missing = ", ".join(f"{need} ({count:,} of {about:,} events)" for need, count in lacking.items()) or None
    blind = [need for need, count in lacking.items() if count == about]
    reason = None
    if not about:
        reason = f"None of its {total:,} events is in scope."
    elif blind:
        reason = f"{', '.join(blind)}: never filled by this source."
    elif not judged:
        reason = f"No event has all of {', '.join(detector.needs)}."
    elif detector.classes and not set(detector.classes) & _classes(row["source"], row["classes"]):
        reason = f"Its mapping marks no event as {' or '.join(detector.classes)}."
    elif needed and not people[1]:
        reason = f"Nobody has the {needed} earlier days of activity that a judgement needs (the most: {people[2]})."
    status, sight = ("not_evaluable", 0) if reason else ("evaluated", judged)
    if not reason and needed and people[1] < people[0]:
        left = people[0] - people[1]
        reason = (
            f"{left} of {people[0]} people have fewer than {needed} earlier days of activity: not judged."
            + (f" Not said: {missing}." if missing else "")
        )
    return _coverage(
        detector, chosen, source=row["source"], status=status, in_scope=sight, missing=missing, why=reason,
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
