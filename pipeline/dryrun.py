"""What exports would become, without a store: the author's loop for a mapping (`sources check`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping as Dictionary
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from pipeline import catalog, changes, drift, load, mapping, scratch
from pipeline.columns import EVENT_COLUMNS
from pipeline.config import Config
from pipeline.distinct import whole
from pipeline.errors import UsageError
from pipeline.export import canonical
from pipeline.ledger import Counts, LoadedFile
from pipeline.lock import locked
from pipeline.mapping import Mapping
from pipeline.progress import silent
from pipeline.recognise import source_of

EVENTS_SHOWN = 3
DAY_ORDERS = ("either", "day_first", "month_first")
REJECTS_SHOWN = 5
# What every event has, whatever the mapping says; of these a value that says nothing is not a value.
NOT_COUNTED = frozenset(
    {"event_uid", "source", "file", "file_sha256", "line", "mapping_version", "schema_version"}
)
NOTHING = {"actor_type": "unknown", "outcome": "unknown"}


@dataclass
class Check:
    """What was seen, over all files of one source."""

    mapping: Mapping
    files: list[str] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    columns: Counter[str] = field(default_factory=Counter)
    unmapped: dict[str, tuple[int, str]] = field(default_factory=dict)
    unknown: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The document that `sources check --json` prints for one source."""
        fields = sorted(self.unmapped.items(), key=lambda item: (-item[1][0], item[0]))
        return {
            "source": self.mapping.source,
            "mapping": self.mapping.version,
            "files": self.files,
            **self.counts.as_json(),
            "columns": {name: self.columns[name] for name in EVENT_COLUMNS if name not in NOT_COUNTED},
            "unmapped": {name: count for name, (count, _) in fields},
            "unmapped_examples": {name: example for name, (_, example) in fields},
            "unknown_values": drift.by_column(self.unknown),
            "ambiguous_day_order": {name: self.days[name] for name in DAY_ORDERS},
            "rejects_shown": self.rejects,
            "first_events": self.events,
        }


def document(checks: Sequence[Check]) -> dict[str, Any]:
    """What `sources check --json` prints: one source as it is; several summed up, each below `sources`."""
    documents = [one.as_json() for one in checks]
    if len(documents) == 1:
        return documents[0]
    counted: dict[str, Counter[str]] = {"columns": Counter(), "unmapped": Counter()}
    unknown: dict[str, Counter[str]] = {}
    for one in documents:
        for name, counts in counted.items():
            counts.update(one[name])
        for column, texts in one["unknown_values"].items():
            unknown.setdefault(column, Counter()).update(texts)
    total = sum((one.counts for one in checks), Counts())
    return {**total.as_json(), **counted, "unknown_values": unknown, "sources": documents}


def check(exports: Sequence[str], *, config: Config, source: str | None = None) -> list[Check]:
    """Each source's files judged as a load would, in a store that is thrown away."""
    found = load.check(exports, source, config)
    known = mapping.known(config.mappings)
    for one in found:
        chosen, why = source_of(one, source, known)
        if chosen is None:
            raise UsageError(f"{why or 'has no lines'}.", path=one.name, hint="Say which with --source.")
    with scratch.folder("check") as folder:
        store = folder / "store"
        with locked(store):
            loaded = load.load_found(found, store, config, source, None, silent, {}).loaded
        with catalog.connect(store, config) as connection:
            connection.execute(changes.LEAVES_MACRO)
            return [
                _seen(connection, name, loaded, config) for name in dict.fromkeys(f.source for f in loaded)
            ]


def _seen(
    connection: duckdb.DuckDBPyConnection, source: str | None, loaded: Sequence[LoadedFile], config: Config
) -> Check:
    files = [one for one in loaded if one.source == source]
    into = Check(mapping.named(source or "", config.mappings), [one.file for one in files])
    into.counts = sum((one.counts for one in files), Counts())
    for one in files:
        for column, texts in one.unknown_values.items():
            into.unknown.update({(column, text): count for text, count in texts.items()})
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW seen AS SELECT * FROM events WHERE source = getvariable('source')"
    )
    connection.execute("SET VARIABLE source = ?", [source])
    rest = (
        connection.sql("SELECT unmapped::VARCHAR AS unmapped FROM seen").to_arrow_table().column("unmapped")
    )
    into.unmapped = drift.unmapped_fields(connection, whole(rest))
    into.columns.update(_filled(connection))
    _see_days(connection, into)
    rejected = connection.sql(
        f"SELECT file, line, reason, message FROM rejects ORDER BY file, line LIMIT {REJECTS_SHOWN}"
    )
    into.rejects = [row for row in rejected.to_arrow_table().to_pylist() if row["file"] in into.files]
    columns = ", ".join(f'"{name}"' for name in EVENT_COLUMNS)
    first = connection.sql(
        f"SELECT {columns} FROM seen ORDER BY file, line LIMIT {EVENTS_SHOWN}"
    ).to_arrow_table()
    into.events = [canonical(row) for row in first.to_pylist()]
    return into


def _filled(connection: duckdb.DuckDBPyConnection) -> Dictionary[str, int]:
    """How many of the events have a value in each column."""
    wanted = {name: kind for name, kind in EVENT_COLUMNS.items() if name not in NOT_COUNTED}
    counts = ", ".join(
        f'count(*) FILTER (WHERE {_says(name, kind)}) AS "{name}"' for name, kind in wanted.items()
    )
    [values] = connection.execute(f"SELECT {counts} FROM seen").fetchall()
    return dict(zip(wanted, values, strict=True))


def _says(name: str, kind: str) -> str:
    if kind.endswith("[]"):
        return f'len("{name}") > 0'
    if kind == "BOOLEAN":
        return f'"{name}"'
    return f"\"{name}\" <> '{NOTHING[name]}'" if name in NOTHING else f'"{name}" IS NOT NULL'


def _see_days(connection: duckdb.DuckDBPyConnection, into: Check) -> None:
    """Times whose day and month could change places, and what the others say of the order."""
    [found] = connection.execute(
        """SELECT count(*) FILTER (WHERE list_contains(parse_warnings, 'day_order_assumed')),
            count(*) FILTER (WHERE regexp_matches(occurred_at_raw, '^(1[3-9]|[23]\\d)[/.-]\\d{1,2}[/.-]')),
            count(*) FILTER (WHERE regexp_matches(occurred_at_raw, '^\\d{1,2}[/.-](1[3-9]|[23]\\d)[/.-]'))
        FROM seen"""
    ).fetchall()
    into.days.update(dict(zip(DAY_ORDERS, found, strict=True)))
