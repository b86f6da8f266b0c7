"""The events of a stretch of time -> tables in memory, read once for all rules. Part of detect.

Each rule has a schema of its own, in which `activity`, `events`, `habits` and the rest hold what it may see: as far as
it said that it looks, and only the events that it said it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline import activity, views
from pipeline.activity import ACTIVITY_COLUMNS
from pipeline.columns import EVENT_COLUMNS
from pipeline.rulefile import Detector, Value
from pipeline.store import Part
from pipeline.summary import Span, Summary, events_of
from pipeline.touched import DAY, Reach

# Rules that look no further share one table of all events, the others one of what they read: for those that read little
# it is worth it soon.
SHORT, SHORTER = 9 * DAY, 3 * DAY
_DERIVED_FROM = {
    "event_changes": {"changes"},
    "event_entities": {"entity_type", "entity_id", "entity_ids", "parent_entity_type", "parent_entity_id",
                       "related_entities"},
    "event_messages": {"communications"},
    "correlation_groups": {"correlation_id", "file", "line"},
    "job_runs": {"category", "metadata", "action_detail", "outcome", "error_message", "instance", "file", "line"},
}  # fmt: skip
_UNFOLDED = {"event_changes": views.changes_of, "event_entities": views.entities_of}  # once for all rules
_WORD = re.compile(r"[a-z_0-9]+")
_LATE = {"sentence"}  # made when a rule reads it, of the few events that it picks
_ALWAYS = {"event_uid", "source", "occurred_at", "actor_type", "actor_anonymous", "is_bulk", "classes"}
_KNOWN = {*_ALWAYS, "actor_key", "schedule"}


@dataclass(frozen=True)
class Task:
    """A rule to evaluate: with these parameters, over the stretches in which its windows end."""

    rule: Detector
    chosen: Mapping[str, Value]
    overrides: Mapping[str, object]
    severity: str
    reach: Reach
    windows: tuple[Span, ...]
    again: bool  # whether everything is judged anew, and not only what is new

    @property
    def schema(self) -> str:
        return f'"r_{self.rule.id}"'

    @property
    def is_short(self) -> bool:
        back, ahead = self.reach.back, self.reach.ahead
        far = SHORT if self.rule.reads == "true" else SHORTER
        return back is not None and ahead is not None and max(back, ahead) <= far


@dataclass(frozen=True)
class Source:
    """Where the events are: the parts in force, when theirs happened, and which of them are new."""

    past: Summary
    parts: tuple[Part, ...]

    def within(self, span: Span, other: Span) -> bool:
        """Whether there is no event in a stretch that is not in the other."""
        first = min((start for start, _ in self.past.spans.values()), default=span[0])
        last = max((end for _, end in self.past.spans.values()), default=span[1])
        return other[0] <= max(span[0], first) and min(span[1], last) < other[1]

    def relation(self, since: datetime, until: datetime, columns: Iterable[str]) -> str:
        """SQL: the events of a time, each marked whether it is new."""
        new = {part.name for part in self.past.new}
        spans = self.past.spans
        within = [p for p in self.parts if spans[p.name][0] < until and spans[p.name][1] >= since]
        names = ", ".join(f'"{name}"' for name in sorted(columns))
        sides = [
            f"""SELECT {names}, actor_key, {fresh} AS is_new FROM {events_of(parts)}
            WHERE {_during((since, until))}"""
            for fresh, parts in (("false", [p for p in within if p.name not in new]),
                                 ("true", [p for p in within if p.name in new]))
            if parts or fresh == "true"
        ]  # fmt: skip
        return f"({' UNION ALL '.join(sides)})"


def lay(
    connection: duckdb.DuckDBPyConnection, source: Source, chunk: Span, tasks: Sequence[tuple[Task, Span]]
) -> None:
    """Read a stretch of time and what these rules need around it for their windows, and make each its schema."""
    short = [(task, window) for task, window in tasks if task.is_short]
    far = [(task, window) for task, window in tasks if not task.is_short]
    # What is new lies in the windows of every rule: to count it, the narrowest will do.
    least = min((window for _, window in tasks), key=lambda span: span[1] - span[0], default=chunk)
    new = [least, *(window for task, window in tasks if task.again)]
    whole = _hull([*new, *(task.reach.read(window) for task, window in short)])
    spans = [task.reach.read(window) for task, window in far]
    if source.within(_hull(spans), whole):
        short, far, spans = [*tasks], [], []
    seen = _seen([task.rule for task, _ in tasks])
    used = _used([task.rule for task, _ in short]).union(*(_asked(task.rule) for task, _ in far))
    _lay(connection, "near", source, whole, used, _of(seen, short), "true")
    wanted = {f"{seen[task.rule.reads]} AND {_during(task.reach.read(window))}" for task, window in far}
    used = _used([task.rule for task, _ in far])
    _lay(
        connection, "far", source, _hull(spans), used, _of(seen, far), " OR ".join(sorted(wanted)) or "false"
    )
    _lay_past(connection, source.past, tasks)
    for table, readers in {"near": short, "far": far}.items():
        marks = _unfold(connection, table, seen, [task.rule for task, _ in readers])
        for task, window in readers:
            _own_schema(connection, task, window, table, seen[task.rule.reads], marks)


def reaches(chunk: Span, tasks: Sequence[tuple[Task, Span]]) -> Span:
    """From when to when anything is read."""
    read = [
        span for task, window in tasks for span in (task.reach.read(window), task.reach.remembered(window))
    ]
    return _hull([chunk, *read])


def enter(cursor: duckdb.DuckDBPyConnection, task: Task) -> None:
    """Let a cursor see what the rule may see."""
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute(f"SET search_path = 'r_{task.rule.id},main'")


def _lay(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    source: Source,
    span: Span,
    used: set[str],
    seen: Mapping[str, str],
    wanted: str,
) -> None:
    computed = [name for name in activity.COMPUTED if name in used and name not in _LATE]
    columns = (_ALWAYS | (used & set(EVENT_COLUMNS))).union(
        *(activity.COMPUTED[name][1] for name in computed)
    )
    laid = activity.activity_of(source.relation(*span, columns), computed)
    kept = ", ".join(f'"{name}"' for name in ACTIVITY_COLUMNS if name in (used | _KNOWN) - _LATE)
    marks = "".join(f", coalesce({reads}, false) AS {mark}" for reads, mark in seen.items() if mark != "true")
    connection.execute(
        f"""CREATE OR REPLACE TABLE {table} AS SELECT * FROM (SELECT {kept}, is_new{marks} FROM ({laid}))
        WHERE {wanted}"""
    )


def _unfold(
    connection: duckdb.DuckDBPyConnection, table: str, seen: Mapping[str, str], rules: Sequence[Detector]
) -> dict[str, list[str]]:
    """What events say in lists, a row each, once for all rules; and which marks of theirs stand beside it."""
    marks = {}
    for name, made in _UNFOLDED.items():
        asked = sorted({seen[rule.reads] for rule in rules if name in _words(rule)})
        marks[name] = [mark for mark in asked if mark != "true"]
        if not asked:  # nor need the table have what would be unfolded
            continue
        wanted = f"(SELECT * FROM {table} WHERE {' OR '.join(asked)})"
        more = "".join(f", {mark}" for mark in marks[name])
        connection.execute(f"CREATE OR REPLACE TABLE {table}_{name} AS {made(wanted, more)}")
    return marks


def _lay_past(
    connection: duckdb.DuckDBPyConnection, past: Summary, tasks: Sequence[tuple[Task, Span]]
) -> None:
    since, until = _hull(
        [task.reach.remembered(window) for task, window in tasks if task.rule.habits != "0 days"]
    )
    for name, time, made in (
        ("habits", f"slot >= {moment(since)} AND slot < {moment(until)}", activity.with_clock),
        (
            "places",
            f'"day" >= {moment(since)}::DATE AND "day" <= {moment(until)}::DATE',
            activity.with_person,
        ),
    ):
        rows = f"(SELECT * FROM {past.relation(name, since)} WHERE {time})"
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS {made(rows)}")


def _own_schema(
    connection: duckdb.DuckDBPyConnection,
    task: Task,
    window: Span,
    table: str,
    seen: str,
    marks: Mapping[str, Sequence[str]],
) -> None:
    own, words, past = task.schema, _words(task.rule), task.reach.remembered(window)
    mine = words.union(_KNOWN, *(_DERIVED_FROM[name] for name in _DERIVED_FROM.keys() & words))
    columns = ", ".join(
        f"{activity.COMPUTED[name][0]} AS {name}" if name in _LATE else f'"{name}"'
        for name in ACTIVITY_COLUMNS
        if name in mine
    )
    told = ", ".join(f'"{name}"' for name in EVENT_COLUMNS if name in mine)
    sees = f"{_during(task.reach.read(window))} AND {seen}"
    made = {
        "activity": f"SELECT {columns} FROM main.{table} WHERE {sees}",
        "events": f"SELECT {told}, actor_key FROM {own}.activity",
        "habits": f"SELECT * FROM main.habits WHERE {_during(past, 'slot')}",
        "places": f"""SELECT * FROM main.places
          WHERE "day" >= {moment(past[0])}::DATE AND "day" <= {moment(past[1])}::DATE""",
    }
    for name in _DERIVED_FROM.keys() & words:
        if name in _UNFOLDED:
            rows = f"* EXCLUDE ({', '.join(marks[name])})" if marks[name] else "*"
            made[name] = f"SELECT {rows} FROM main.{table}_{name} WHERE {sees}"
        else:
            made[name] = re.sub(r"\bFROM events\b", f"FROM {own}.events", views.DERIVED[name])
    needed = {name: sql for name, sql in made.items() if name in words | {"activity", "events"}}
    connection.execute(
        "; ".join([
            f"DROP SCHEMA IF EXISTS {own} CASCADE", f"CREATE SCHEMA {own}",
            *(f"CREATE VIEW {own}.{name} AS {sql}" for name, sql in needed.items()),
        ])
    )  # fmt: skip


def _seen(rules: Sequence[Detector]) -> dict[str, str]:
    """What rules read of the events -> the column that says of each whether it is of that."""
    reads = sorted({rule.reads for rule in rules})
    return {one: "true" if one == "true" else f"sees_{n}" for n, one in enumerate(reads)}


def _used(rules: Sequence[Detector]) -> set[str]:
    """The columns that some rule mentions; to read one too many costs little, one too few would be an error."""
    words = {word for rule in rules for word in _words(rule)}
    words = words.union(*(activity.COMPUTED[name][1] for name in _LATE & words))
    return words | {name for table in _DERIVED_FROM.keys() & words for name in _DERIVED_FROM[table]}


def _words(rule: Detector) -> set[str]:
    body = rule.sql.partition("*/")[2]
    return _asked(rule) | set(_WORD.findall(f"{body} {rule.reads} actor_email"))


def _asked(rule: Detector) -> set[str]:
    """What is asked to count what a rule sees."""
    return set(_WORD.findall(" ".join([rule.scope, *rule.needs])))


def _hull(spans: Sequence[Span]) -> Span:
    never = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else (never, never)


def _of(seen: Mapping[str, str], tasks: Sequence[tuple[Task, Span]]) -> dict[str, str]:
    """What these rules read, of what all do."""
    return {task.rule.reads: seen[task.rule.reads] for task, _ in tasks}


def _during(span: Span, column: str = "occurred_at") -> str:
    return f"{column} >= {moment(span[0])} AND {column} < {moment(span[1])}"


def moment(time: datetime) -> str:
    """SQL: an instant."""
    return f"TIMESTAMPTZ '{time.year:04d}-{time:%m-%d %H:%M:%S.%f}+00'"
