"""What a detector could see, source by source: so that no finding is never the absence of data. Part of detector.

`evaluated` says that the rule had what it needs; `not_evaluable` says why it had not; `failed` that it broke. Events
are counted in the evaluation that first sees them, and the counts of earlier ones are added.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from pipeline import mapping
from pipeline.counting import Asked, Counts, Sight, counted
from pipeline.rulefile import Detector, Value, values


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
    baseline_events: int
    why: str | None
    error: str | None
    version: int
    sql_sha256: str
    parameters: str
    counts: str | None


# By what the rule lives from and source: each person's earlier days of activity, and events.
People = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
PLACES = ("source_ip", "user_agent", "api_key_id_masked")


def coverage(
    connection: duckdb.DuckDBPyConnection, detector: Detector, overrides: Mapping[str, object]
) -> list[Coverage]:
    """How many events of each source were in scope, which fields were missing, whether the baseline was long enough."""
    chosen = values(detector, overrides)
    [sight] = counted(connection, "activity", [Asked(detector, chosen)])
    past = people(connection) if needed(detector, chosen) else {}
    ready = configured(connection) if detector.requires else frozenset()
    return judged(detector, chosen, sight, past, ready, mapping.shipped())


def configured(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Which of the settings that rules may require are there."""
    return frozenset(["places.mmdb"] if connection.execute("FROM geography LIMIT 1").fetchall() else [])


def people(connection: duckdb.DuckDBPyConnection, habits: str = "habits", places: str = "places") -> People:
    """How much past there is, source by source: days of activity before the last one, of each person, and events.

    For rules that live from where people come from, those days count on which that was said.
    """
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    given = {"": f"(SELECT person, is_named, source, local_date, n FROM {habits})"}
    for column in PLACES:
        given[column] = (
            f"""(SELECT person, is_named, source, "day" AS local_date, n FROM {places} WHERE {column} IS NOT NULL)"""
        )
    for column, days in given.items():
        rows = connection.execute(
            f"""WITH days AS MATERIALIZED {days},
              known AS (SELECT person, count(DISTINCT local_date) - 1 AS days FROM days GROUP BY person)
            SELECT h.source, k.days, sum(h.n)::BIGINT FROM days h JOIN known k USING (person) WHERE h.is_named
            GROUP BY h.source, h.person, k.days ORDER BY ALL"""
        ).fetchall()
        for source, known, n in rows:
            found.setdefault((column, source), []).append((known, n))
    return found


def needed(detector: Detector, chosen: Mapping[str, Value]) -> int:
    """Days of history before the rule can say anything."""
    return int(chosen[detector.baseline_parameter]) if detector.baseline_parameter else detector.baseline_days


def judged(
    detector: Detector,
    chosen: Mapping[str, Value],
    sight: Sight,
    people: People,
    ready: frozenset[str],
    sources: Mapping[str, mapping.Mapping],
) -> list[Coverage]:
    """What is said of each source that the rule saw."""
    days, column = needed(detector, chosen), next((name for name in PLACES if name in detector.needs), "")
    unset = next((f"{name} is not configured." for name in detector.requires if name not in ready), None)
    return [_judged(detector, chosen, days, source, counts, people.get((column, source), ()), unset, sources)
            for source, counts in sorted(sight.items())]  # fmt: skip


def failed(detector: Detector, overrides: Mapping[str, object], error: str) -> Coverage:
    """A detector that broke; its parameters as configured, for they may be what broke it."""
    return _coverage(detector, dict(overrides), source="*", status="failed", error=error)


def _judged(
    detector: Detector, chosen: Mapping[str, Value], days: int, source: str, seen: Counts,
    people: Sequence[tuple[int, int]], unset: str | None, sources: Mapping[str, mapping.Mapping],
) -> Coverage:  # fmt: skip
    lacking = {
        need: seen.about - seen.filled[need] for need in detector.needs if seen.filled[need] < seen.about
    }
    missing = (
        ", ".join(f"{need} ({count:,} of {seen.about:,} events)" for need, count in lacking.items()) or None
    )
    span = 0 if seen.first is None or seen.last is None else seen.last - seen.first
    # What a log usually does is known from its own days, whoever wrote in it.
    known = [span] if detector.about == "log" else [one for one, _ in people]
    able = sum(one >= days for one in known)
    declared = sources[source].rules.get("classes", {}) if source in sources else ()
    reason = unset or _blind(detector, days, {*seen.classes, *declared}, seen, lacking, known)
    status, sight = ("not_evaluable", 0) if reason else ("evaluated", seen.judged)
    if not reason and days and able < len(known):
        reason = (
            f"{len(known) - able} of {len(known)} people have fewer than {days} earlier days of activity: not judged."
            + (f" Not said: {missing}." if missing else "")
        )
    return _coverage(
        detector, chosen, source=source, status=status, in_scope=sight, missing=missing, why=reason,
        baseline_days=span, baseline_needed=days, baseline_events=sum(n for _, n in people), counts=seen.text(),
    )  # fmt: skip


def _blind(
    detector: Detector,
    days: int,
    classes: set[str],
    seen: Counts,
    lacking: Mapping[str, int],
    known: Sequence[int],
) -> str | None:
    """Why the rule can say nothing of a source."""
    never = [need for need, count in lacking.items() if count == seen.about]
    if not seen.about:
        return f"None of its {seen.total:,} events is in scope."
    if never:
        return f"{', '.join(never)}: never filled by this source."
    if not seen.judged:
        return f"No event has all of {', '.join(detector.needs)}."
    if detector.classes and not classes & set(detector.classes):
        return f"Its mapping marks no event as {' or '.join(detector.classes)}."
    if days and max(known, default=0) < days:
        most = max(known, default=0)
        if detector.about == "log":
            return f"From its first day to its last are {most} days; a judgement needs {days}."
        return f"Nobody has the {days} earlier days of activity that a judgement needs (the most: {most})."
    return None


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
    baseline_events: int = 0,
    why: str | None = None,
    error: str | None = None,
    counts: str | None = None,
) -> Coverage:
    return Coverage(
        detector.id, source, status, in_scope, missing, baseline_days, baseline_needed, baseline_events, why, error,
        detector.version, detector.sha256, json.dumps(dict(chosen), sort_keys=True, default=str), counts,
    )  # fmt: skip
