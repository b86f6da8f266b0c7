"""The events of a stretch of time -> tables in memory, read once for all rules. Part of detect.

Most rules look but days back and share one table, `near`. Those that look back for weeks share `far`, of the events
that some of them reads; one that reads all of weeks has a table of its own, of the columns that it mentions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from pipeline import activity, sight
from pipeline.activity import ACTIVITY_COLUMNS
from pipeline.columns import EVENT_COLUMNS
from pipeline.rulefile import Detector
from pipeline.sight import ALWAYS, KNOWN
from pipeline.store import Part
from pipeline.summary import Span, Summary, events_of
from pipeline.task import LATE, Task, asked, used
from pipeline.touched import during, hull, moment

Readers = Sequence[tuple[Task, Span]]  # rules, each with the stretch in which its windows end


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

    def relation(self, span: Span, columns: Iterable[str], marks: Mapping[str, str]) -> str:
        """SQL: the events of a time, each marked whether it is new and, by name, what else is so of it."""
        new = {part.name for part in self.past.new}
        spans = self.past.spans
        within = [p for p in self.parts if spans[p.name][0] < span[1] and spans[p.name][1] >= span[0]]
        names = "".join(f'"{name}", ' for name in sorted(columns))
        told = "".join(f", coalesce({sql}, false) AS {name}" for name, sql in marks.items())
        sides = [
            f"SELECT {names}actor_key, {fresh} AS is_new{told} FROM {events_of(parts)} WHERE {during(span)}"
            for fresh, parts in (("false", [p for p in within if p.name not in new]),
                                 ("true", [p for p in within if p.name in new]))
            if parts or fresh == "true"
        ]  # fmt: skip
        return f"({' UNION ALL '.join(sides)})"


@dataclass(frozen=True)
class Table:
    """A table of events to be laid: who reads it, of what time, with which columns, and only what of it."""

    name: str
    readers: Readers
    span: Span
    columns: set[str]
    only: str


def lay(connection: duckdb.DuckDBPyConnection, source: Source, chunk: Span, tasks: Readers) -> None:
    """Read a stretch of time and what these rules need around it for their windows, and make each its schema."""
    seen = _seen([task.rule for task, _ in tasks])
    tables = _tables(source, chunk, tasks, seen)
    _lay_past(connection, source.past, tasks)
    for table in tables:
        _lay(connection, source, table, seen)
        for task, window in table.readers:
            sight.open_to(connection, task, window, table.name, seen[task.rule.reads])
    every = " UNION ALL ".join(
        f"SELECT event_uid, source, actor_key, schedule FROM {table.name}" for table in tables
    )
    connection.execute(f"CREATE OR REPLACE VIEW laid AS {every}")


def reaches(chunk: Span, tasks: Readers) -> Span:
    """From when to when anything is read."""
    read = [
        span for task, window in tasks for span in (task.reach.read(window), task.reach.remembered(window))
    ]
    return hull([chunk, *read])


def _tables(source: Source, chunk: Span, tasks: Readers, seen: Mapping[str, str]) -> list[Table]:
    # What is new lies in the windows of every rule: to count it, the narrowest will do.
    least = min((window for _, window in tasks), key=lambda span: span[1] - span[0], default=chunk)
    new = [least, *(window for task, window in tasks if task.again)]
    whole = hull([*new, *(task.reach.read(window) for task, window in tasks if task.is_short)])
    names: dict[str, list[tuple[Task, Span]]] = {}
    for task, window in tasks:
        is_near = task.is_short or source.within(task.reach.read(window), whole)
        name = "near" if is_near else "far" if task.rule.reads != "true" else f"far_{task.rule.id}"
        names.setdefault(name, []).append((task, window))
    counted = set[str]().union(*(asked(task.rule) for task, _ in tasks))
    near = names.pop("near", [])
    return [
        Table("near", near, whole, used([task.rule for task, _ in near]) | counted, "true"),
        *(_far(name, readers, seen) for name, readers in names.items()),
    ]


def _far(name: str, readers: Readers, seen: Mapping[str, str]) -> Table:
    spans = [task.reach.read(window) for task, window in readers]
    only = {
        f"{seen[task.rule.reads]} AND {during(span)}" for (task, _), span in zip(readers, spans, strict=True)
    }
    return Table(
        name, readers, hull(spans), used([task.rule for task, _ in readers]), " OR ".join(sorted(only))
    )


def _lay(
    connection: duckdb.DuckDBPyConnection, source: Source, table: Table, seen: Mapping[str, str]
) -> None:
    computed = [name for name in activity.COMPUTED if name in table.columns and name not in LATE]
    columns = (ALWAYS | (table.columns & set(EVENT_COLUMNS))).union(
        *(activity.COMPUTED[name][1] for name in computed)
    )
    marks = {
        seen[reads]: reads for reads in sorted({task.rule.reads for task, _ in table.readers} - {"true"})
    }
    laid = activity.activity_of(source.relation(table.span, columns, marks), computed)
    kept = [f'"{name}"' for name in ACTIVITY_COLUMNS if name in (table.columns | KNOWN) - LATE]
    connection.execute(
        f"CREATE OR REPLACE TABLE {table.name} AS SELECT {', '.join([*kept, 'is_new', *marks])} FROM ({laid}) "
        f"WHERE {table.only}"
    )


def _lay_past(connection: duckdb.DuckDBPyConnection, past: Summary, tasks: Readers) -> None:
    """Habits and places as far back as most rules look, and a view of the habits of all the time that some do."""
    spans = [(task, task.reach.remembered(window)) for task, window in tasks if task.rule.habits != "0 days"]
    for kind, name, span in (
        ("TABLE", "habits", hull([span for task, span in spans if not task.is_long])),
        ("VIEW", "long_habits", hull([span for task, span in spans if task.is_long])),
    ):
        rows = f"(SELECT * FROM {past.relation('habits', span[0])} WHERE {during(span, 'slot')})"
        connection.execute(f"CREATE OR REPLACE {kind} {name} AS {activity.with_clock(rows)}")
    since, until = (f"{moment(time)}::DATE" for time in hull([span for _, span in spans]))
    rows = f"""(SELECT * FROM {past.relation("places", hull([span for _, span in spans])[0])}
        WHERE "day" >= {since} AND "day" <= {until})"""
    connection.execute(f"CREATE OR REPLACE TABLE places AS {activity.with_person(rows)}")


def _seen(rules: Sequence[Detector]) -> dict[str, str]:
    """What rules read of the events -> the column that says of each whether it is of that."""
    reads = sorted({rule.reads for rule in rules})
    return {one: "true" if one == "true" else f"sees_{n}" for n, one in enumerate(reads)}
