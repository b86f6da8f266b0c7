"""What a rule may see, as a schema of its own: `activity`, `events`, `habits` and the rest. Part of detect.

They hold only what lies as far as the rule said that it looks, and of the events only what it said that it reads.
"""

from __future__ import annotations

import re

import duckdb

from pipeline import activity, views
from pipeline.activity import ACTIVITY_COLUMNS
from pipeline.columns import EVENT_COLUMNS
from pipeline.summary import Span
from pipeline.task import DERIVED_FROM, LATE, Task, words
from pipeline.touched import during, moment

ALWAYS = {"event_uid", "source", "occurred_at", "actor_type", "actor_anonymous", "is_bulk", "classes"}
KNOWN = {*ALWAYS, "actor_key", "schedule"}


def open_to(connection: duckdb.DuckDBPyConnection, task: Task, window: Span, table: str, seen: str) -> None:
    """Make the schema of a rule over a table of events; `seen` is the condition on what it reads of them."""
    own, mentioned, past = task.schema, words(task.rule), task.reach.remembered(window)
    mine = mentioned.union(KNOWN, *(DERIVED_FROM[name] for name in DERIVED_FROM.keys() & mentioned))
    columns = ", ".join(
        f"{activity.COMPUTED[name][0]} AS {name}" if name in LATE else f'"{name}"'
        for name in ACTIVITY_COLUMNS
        if name in mine
    )
    told = ", ".join(f'"{name}"' for name in EVENT_COLUMNS if name in mine)
    made = {
        "activity": f"SELECT {columns} FROM main.{table} WHERE {during(task.reach.read(window))} AND {seen}",
        "events": f"SELECT {told}, actor_key FROM {own}.activity",
        "habits": f"SELECT * FROM main.{'long_' if task.is_long else ''}habits WHERE {during(past, 'slot')}",
        "places": f"""SELECT * FROM main.places
          WHERE "day" >= {moment(past[0])}::DATE AND "day" <= {moment(past[1])}::DATE""",
    }
    for name in DERIVED_FROM.keys() & mentioned:
        made[name] = re.sub(r"\bFROM events\b", f"FROM {own}.events", views.DERIVED[name])
    needed = {name: sql for name, sql in made.items() if name in mentioned | {"activity", "events"}}
    connection.execute(
        "; ".join([
            f"DROP SCHEMA IF EXISTS {own} CASCADE", f"CREATE SCHEMA {own}",
            *(f"CREATE VIEW {own}.{name} AS {sql}" for name, sql in needed.items()),
        ])
    )  # fmt: skip


def enter(cursor: duckdb.DuckDBPyConnection, task: Task) -> None:
    """Let a cursor see what the rule may see."""
    cursor.execute("SET TimeZone = 'UTC'")
    cursor.execute(f"SET search_path = 'r_{task.rule.id},main'")
