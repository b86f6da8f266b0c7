"""The small tables that each evaluation keeps of the events it judged: their past in short. Part of detect.

They stand in the commit of the evaluation; what no commit tells of yet is counted from the events when it is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb

from pipeline import store as stores
from pipeline import views
from pipeline.activity import HALVES, SUMMARIES, VERSION, habits_of
from pipeline.columns import EVENT_COLUMNS, TIME
from pipeline.replaced import superseded
from pipeline.store import Commit, Part

ROWS = 50_000  # of a group of rows, which is read whole or not at all
Span = tuple[datetime, datetime]
# Commits that take evidence away for good reason: what was found in it stays found.
KEEPING = ("retention", "erasure")


@dataclass(frozen=True)
class Summary:
    """What the chain's evaluations tell of the events that are in force."""

    told: tuple[
        tuple[Path, Mapping[str, Span]], ...
    ]  # folders of summaries that hold, and of which parts they tell
    left: tuple[Part, ...]  # parts of which no summary tells
    new: tuple[Part, ...]  # those of them that were never judged
    lost: bool  # whether something that was judged is in force no more

    def relation(self, name: str, since: datetime | None = None) -> str:
        """SQL: rows of one summary, of commits that reach beyond a time."""
        rows, made = SUMMARIES[name]
        files = [
            str((folder / f"{name}.parquet").resolve())
            for folder, parts in self.told
            if since is None or max(last for _, last in parts.values()) >= since
        ]
        names = ", ".join(f'"{column}"' for column in rows)
        stored = f"SELECT {names} FROM {views.parquet(files, rows)}"
        return f"({stored} UNION ALL {made(events_of(self.left))})" if self.left else f"({stored})"

    def times(self) -> str:
        """SQL: when something happened, in short."""
        rows, _ = SUMMARIES["days"]
        files = [str((folder / "days.parquet").resolve()) for folder, _ in self.told]
        left = f"SELECT occurred_at, occurred_at FROM {events_of(self.left)}"
        return f"(SELECT first_at, last_at FROM {views.parquet(files, rows)} UNION ALL {left})"

    def told_in(self, folder: Path) -> Mapping[str, Span]:
        """The parts of which the summaries in a folder tell."""
        return next((parts for place, parts in self.told if place == folder), {})

    def written(self, folder: Path) -> Summary:
        """The same, once the summaries of what was left are in a folder."""
        mine = {part.name: span_of(part) for part in self.left}
        return replace(self, told=(*self.told, (folder, mine)), left=()) if mine else self

    @cached_property
    def spans(self) -> dict[str, Span]:
        """From when to when the events of each part in force are."""
        known = {name: span for _, parts in self.told for name, span in parts.items()}
        return known | {part.name: span_of(part) for part in self.left}


def of(chain: Sequence[Commit], step: int = 30) -> Summary:
    """Which summaries of a chain hold, and what they leave out; with a step of 15 minutes, half hours do not. Of a part
    that two tell of the newer does: whoever went to quarters of hours and back has both."""
    versions = (VERSION,) if step == 15 else (VERSION, HALVES)
    alive = {part.name: part for part in stores.parts(chain) if part.events is not None}
    judged: dict[str, Span] = {}
    told, gone, summed = [], superseded(chain), set[str]()
    for link in reversed(chain):
        parts = {name: _span(given) for name, given in link.content.get("events", {}).items()}
        judged |= parts
        whole = f"{link.folder.name}/habits.parquet" not in gone
        fits = parts and whole and link.content["summary"] in versions
        if fits and parts.keys() <= alive.keys() and not parts.keys() & summed:
            told.append((link.folder, parts))
            summed |= parts.keys()
    left = tuple(part for name, part in alive.items() if name not in summed)
    new = tuple(part for part in left if part.name not in judged)
    kept = {name for link in chain if link.kind in KEEPING for name in link.content.get("replaces", [])}
    return Summary(tuple(reversed(told)), left, new, bool(judged.keys() - alive.keys() - kept))


def events_of(parts: Sequence[Part]) -> str:
    """SQL: the events of some parts, like the view `events`."""
    files = [str(part.events.resolve()) for part in parts if part.events is not None]
    return f"({views.events_of(views.parquet(files, EVENT_COLUMNS))})"


def write(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], folder: Path, step: int
) -> dict[str, int]:
    """Write the summaries of some parts, rows in a settled order; habits by steps of so many minutes."""

    def write_one(name: str) -> int:
        with connection.cursor() as cursor:
            rows, made = SUMMARIES[name]
            events = events_of(parts)
            sql = habits_of(events, step) if name == "habits" else made(events)
            return _write(cursor, sql, rows, folder / f"{name}.parquet")

    with ThreadPoolExecutor(2) as pool:
        return {
            f"{name}.parquet": n for name, n in zip(SUMMARIES, pool.map(write_one, SUMMARIES), strict=True)
        }


def _write(cursor: duckdb.DuckDBPyConnection, sql: str, rows: Mapping[str, str], path: Path) -> int:
    import pyarrow.parquet as pq

    cursor.execute("SET TimeZone = 'UTC'")
    columns = [f'"{column}"' for column in rows]
    # By time first, so that who asks for the last weeks need not read the years before.
    order = sorted(columns, key=lambda column: rows[column.strip('"')] not in (TIME, "DATE"))
    table = cursor.sql(
        f"SELECT {', '.join(columns)} FROM ({sql}) ORDER BY {', '.join(order)}"
    ).to_arrow_table()
    pq.write_table(table, path, compression="zstd", row_group_size=ROWS)
    return int(table.num_rows)


def move(made: Path, folder: Path) -> dict[str, int]:
    """Put summaries that were written into the folder of a commit."""
    import pyarrow.parquet as pq

    names = [f"{name}.parquet" for name in SUMMARIES] if made.exists() else []
    for name in names:
        (made / name).rename(folder / name)
    return {name: pq.read_metadata(folder / name).num_rows for name in names}


def span_of(part: Part) -> Span:
    """When the first and the last event of a part happened, as its file's own statistics say."""
    import pyarrow.parquet as pq

    told = pq.read_metadata(part.events)
    column = told.schema.names.index("occurred_at")
    groups = [told.row_group(n).column(column).statistics for n in range(told.num_row_groups)]
    first, last = min(group.min for group in groups), max(group.max for group in groups)
    return first.astimezone(UTC), last.astimezone(UTC)


def as_numbers(span: Span) -> list[int]:
    """A span as the chain keeps it: microseconds since 1970."""
    return [(moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for moment in span]


def _span(given: Sequence[int]) -> Span:
    first, last = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number) for number in given)
    return first, last
