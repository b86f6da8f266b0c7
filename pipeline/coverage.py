"""What a detector could see, source by source: so that no finding is never the absence of data. Part of detector.

`evaluated` says that the rule had what it needs; `not_evaluable` says why it had not; `failed` that it broke. Events
are counted in the evaluation that first sees them, and the counts of earlier ones are added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from pipeline import dialect, mapping
from pipeline.activity import ACTIVITY_COLUMNS
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
    baseline_events: int
    why: str | None
    error: str | None
    version: int
    sql_sha256: str
    parameters: str
    counts: str | None


@dataclass(frozen=True)
class Counts:
    """Events of one source as one rule sees them: all, those it is about, with each column, those it can judge."""

    total: int = 0
    about: int = 0
    judged: int = 0
    filled: Mapping[str, int] = field(default_factory=dict)
    first: int | None = None  # days since 1970, of those judged
    last: int | None = None
    classes: tuple[str, ...] = ()

    def __add__(self, more: Counts) -> Counts:
        firsts = [one.first for one in (self, more) if one.first is not None]
        lasts = [one.last for one in (self, more) if one.last is not None]
        return Counts(
            self.total + more.total, self.about + more.about, self.judged + more.judged,
            {name: self.filled.get(name, 0) + more.filled.get(name, 0) for name in {**self.filled, **more.filled}},
            min(firsts, default=None), max(lasts, default=None), tuple(sorted({*self.classes, *more.classes})),
        )  # fmt: skip

    def text(self) -> str:
        """As the chain keeps it."""
        return json.dumps({**vars(self), "classes": list(self.classes)}, sort_keys=True)

    @staticmethod
    def read(text: str) -> Counts:
        told = json.loads(text)
        return Counts(**{**told, "classes": tuple(told["classes"])})


@dataclass(frozen=True)
class Asked:
    """A rule to count for, with its parameters, and which of the events (SQL)."""

    rule: Detector
    chosen: Mapping[str, Value]
    which: str = "true"


Sight = Mapping[str, Counts]  # by source
# By what the rule lives from and source: each person's earlier days of activity, and events.
People = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
# Columns of few values: events that are alike in these are counted together.
_COARSE = frozenset(
    """
    source actor_type actor_anonymous is_service is_named is_bulk action category classes outcome entity_type channel
    direction trigger person_role is_holiday is_business_hours time_precision event_type_raw parent_entity_type
    """.split()
)
_PARAMETER = re.compile(r"\$([a-z][a-z0-9_]*)")
PLACES = ("source_ip", "user_agent", "api_key_id_masked")


def coverage(
    connection: duckdb.DuckDBPyConnection, detector: Detector, overrides: Mapping[str, object]
) -> list[Coverage]:
    """How many events of each source were in scope, which fields were missing, whether the baseline was long enough."""
    chosen = values(detector, overrides)
    [sight] = counted(connection, "activity", [Asked(detector, chosen)])
    past = people(connection) if needed(detector, chosen) else {}
    return judged(detector, chosen, sight, past, configured(connection) if detector.requires else frozenset())


def configured(connection: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """Which of the settings that rules may require are there."""
    return frozenset(["places.mmdb"] if connection.execute("FROM geography LIMIT 1").fetchall() else [])


def counted(connection: duckdb.DuckDBPyConnection, relation: str, asked: Sequence[Asked]) -> list[Sight]:
    """What each rule sees of each source, in one reading of the events: alike events are counted together first."""
    scopes = [_numbered(one, n) for n, one in enumerate(asked)]
    early = {n: text for n, (text, _) in enumerate(scopes) if not _is_coarse(text)}
    needs = sorted({need for one in asked for need in one.rule.needs})
    keys = {
        **{f'"{name}"': f'"{name}"' for name in sorted(_COARSE & _words(text for text, _ in scopes))},
        **{f"scope_{n}": f"coalesce(({text}), false)" for n, text in early.items()},
        **{f"need_{k}": _is_filled(need) for k, need in enumerate(needs)},
        **{f"which_{k}": one for k, one in enumerate(sorted({one.which for one in asked}))},
    }
    told = ", ".join(f"{sql} AS {name}" for name, sql in keys.items())
    given = {name: value for n in early for name, value in scopes[n][1].items()}
    try:
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE alike AS SELECT source AS origin, classes AS class_list,
              (occurred_at AT TIME ZONE 'UTC')::DATE - DATE '1970-01-01' AS day_no, {told}, count(*) AS n
            FROM {relation} GROUP BY ALL""",
            given,
        )
        return _summed(connection, asked, scopes, early, needs)
    except duckdb.Error as error:
        where = asked[0].rule.path if len(asked) == 1 else None
        raise AuditbookError(f"scope: {dialect.first_line(error)}.", path=where) from error


def _summed(
    connection: duckdb.DuckDBPyConnection,
    asked: Sequence[Asked],
    scopes: Sequence[tuple[str, dict[str, Value]]],
    early: Mapping[int, str],
    needs: Sequence[str],
) -> list[Sight]:
    which = sorted({one.which for one in asked})
    sums = []
    for n, one in enumerate(asked):
        seen = f"which_{which.index(one.which)}"
        about = f"{seen} AND " + (f"scope_{n}" if n in early else f"coalesce(({scopes[n][0]}), false)")
        filled = [f"need_{needs.index(need)}" for need in one.rule.needs]
        judged = " AND ".join([about, *filled])
        sums += [
            f"sum(n) FILTER ({seen}) AS total_{n}", f"sum(n) FILTER ({about}) AS about_{n}",
            f"sum(n) FILTER ({judged}) AS judged_{n}", f"min(day_no) FILTER ({judged}) AS first_{n}",
            f"max(day_no) FILTER ({judged}) AS last_{n}",
            *(f"sum(n) FILTER ({about} AND {column}) AS filled_{n}_{k}" for k, column in enumerate(filled)),
        ]  # fmt: skip
    given = {
        name: value for n, (_, bound) in enumerate(scopes) if n not in early for name, value in bound.items()
    }
    query = f"""SELECT origin, list_sort(list_distinct(flatten(list(DISTINCT class_list)))) AS known_classes,
      {", ".join(sums)} FROM alike GROUP BY origin ORDER BY origin"""
    rows = connection.sql(query, params=given).to_arrow_table().to_pylist()
    return [
        {row["origin"]: _counts(n, one, row) for row in rows if row[f"total_{n}"]}
        for n, one in enumerate(asked)
    ]


def _is_coarse(scope: str) -> bool:
    """Whether a scope is about nothing but columns of few values."""
    return not (_words([scope]) & set(ACTIVITY_COLUMNS) - _COARSE) and "select" not in scope.lower()


def _words(texts: Iterable[str]) -> set[str]:
    return {
        word
        for text in texts
        for word in re.findall(r"[a-z_0-9]+", re.sub(r"'[^']*'|\$[a-z_0-9]+", " ", text))
    }


def _numbered(one: Asked, n: int) -> tuple[str, dict[str, Value]]:
    """A scope whose parameters are told from those of other rules."""
    names = set(_PARAMETER.findall(one.rule.scope))
    text = _PARAMETER.sub(rf"$scope_{n}_\1", one.rule.scope)
    return text, {f"scope_{n}_{name}": one.chosen[name] for name in names}


def _counts(n: int, one: Asked, row: Mapping[str, Any]) -> Counts:
    filled = {need: int(row[f"filled_{n}_{k}"] or 0) for k, need in enumerate(one.rule.needs)}
    total, about, judged = (int(row[f"{name}_{n}"] or 0) for name in ("total", "about", "judged"))
    return Counts(
        total, about, judged, filled, row[f"first_{n}"], row[f"last_{n}"], tuple(row["known_classes"] or ())
    )


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
    detector: Detector, chosen: Mapping[str, Value], sight: Sight, people: People, ready: frozenset[str]
) -> list[Coverage]:
    """What is said of each source that the rule saw."""
    days, column = needed(detector, chosen), next((name for name in PLACES if name in detector.needs), "")
    unset = next((f"{name} is not configured." for name in detector.requires if name not in ready), None)
    return [_judged(detector, chosen, days, source, counts, people.get((column, source), ()), unset)
            for source, counts in sorted(sight.items())]  # fmt: skip


def failed(detector: Detector, overrides: Mapping[str, object], error: str) -> Coverage:
    """A detector that broke; its parameters as configured, for they may be what broke it."""
    return _coverage(detector, dict(overrides), source="*", status="failed", error=error)


def _is_filled(need: str) -> str:
    return f"({' OR '.join(_says(name) for name in alternatives(need))})"


def _says(name: str) -> str:
    """Whether a column says something; "unknown" says nothing."""
    if EVENT_COLUMNS[name].endswith("[]"):
        return f'len("{name}") > 0'
    unknown = "unknown" in VOCABULARIES.get(name, ())
    return f"coalesce(\"{name}\" <> 'unknown', false)" if unknown else f'"{name}" IS NOT NULL'


def _judged(
    detector: Detector, chosen: Mapping[str, Value], days: int, source: str, seen: Counts,
    people: Sequence[tuple[int, int]], unset: str | None,
) -> Coverage:  # fmt: skip
    lacking = {
        need: seen.about - seen.filled[need] for need in detector.needs if seen.filled[need] < seen.about
    }
    missing = (
        ", ".join(f"{need} ({count:,} of {seen.about:,} events)" for need, count in lacking.items()) or None
    )
    able = sum(known >= days for known, _ in people)
    reason = unset or _blind(detector, days, source, seen, lacking, [known for known, _ in people])
    status, sight = ("not_evaluable", 0) if reason else ("evaluated", seen.judged)
    if not reason and days and able < len(people):
        reason = (
            f"{len(people) - able} of {len(people)} people have fewer than {days} earlier days of activity: not judged."
            + (f" Not said: {missing}." if missing else "")
        )
    span = 0 if seen.first is None or seen.last is None else seen.last - seen.first
    return _coverage(
        detector, chosen, source=source, status=status, in_scope=sight, missing=missing, why=reason,
        baseline_days=span, baseline_needed=days, baseline_events=sum(n for _, n in people), counts=seen.text(),
    )  # fmt: skip


def _blind(
    detector: Detector, days: int, source: str, seen: Counts, lacking: Mapping[str, int], known: Sequence[int]
) -> str | None:
    """Why the rule can say nothing of a source."""
    never = [need for need, count in lacking.items() if count == seen.about]
    if not seen.about:
        return f"None of its {seen.total:,} events is in scope."
    if never:
        return f"{', '.join(never)}: never filled by this source."
    if not seen.judged:
        return f"No event has all of {', '.join(detector.needs)}."
    if detector.classes and not set(detector.classes) & _classes(source, seen.classes):
        return f"Its mapping marks no event as {' or '.join(detector.classes)}."
    if days and max(known, default=0) < days:
        most = max(known, default=0)
        return f"Nobody has the {days} earlier days of activity that a judgement needs (the most: {most})."
    return None


def _classes(source: str, seen: Sequence[str]) -> set[str]:
    """The classes that a source's events can have: those its mapping declares and those that were seen."""
    known = mapping.shipped().get(source)
    return set(seen) | set(known.rules.get("classes", {}) if known else ())


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
