"""auditbook.duckdb: a cache of the commits that people open. Made beside and renamed, so that no reader waits.

Our own readers never open it in place: DuckDB keeps one instance of a path in a process and locks a file between
processes, so a private copy is opened, with views over the place where the store is now.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from pipeline import (
    activity,
    audience,
    declared,
    engine,
    entities,
    findings,
    geography,
    keeping,
    memory,
    scratch,
    summary,
    views,
)  # fmt: skip
from pipeline import store as stores
from pipeline.audience import EVERYTHING, Shown
from pipeline.config import Config, recorded, to_dict
from pipeline.errors import AuditbookError
from pipeline.ledger import in_force
from pipeline.lock import locked
from pipeline.store import Commit

DATABASE = "auditbook.duckdb"
STORAGE_VERSION = "v1.5.0"
MEMORY = "3GB"
LONGEST_CALENDAR = 20  # years; beyond, a calendar of 35,000 slots a year has only the years that have events


def publish(store: Path, config: Config) -> str | None:
    """Make what is beside the commits anew; says what was moved aside, if somebody's shell left something there."""
    from pipeline import ids

    chain = stores.commits(store)
    database, manifest = store / f".new-{DATABASE}", store / ".new-manifest"
    try:
        manifest.write_text("".join(stores.canonical(link.record) + "\n" for link in chain), encoding="utf-8")
        _put(manifest, 0o600, store / "manifest.jsonl")
        # Neither needs the other, and both are mostly the engine's work.
        with ThreadPoolExecutor(1) as beside:
            named = beside.submit(entities.publish, store, chain)
            ids.publish(store, chain)
            database.unlink(missing_ok=True)
            build(chain, config, database)
            named.result()
        aside = _move_stray_log_aside(store)
        _put(database, 0o400, store / DATABASE)
    except (OSError, duckdb.IOException, duckdb.TransactionException) as error:
        raise AuditbookError(
            f"the database cannot be written: {getattr(error, 'strerror', None) or error}.",
            path=store,
            hint="What was loaded is committed; `auditbook rebuild` makes the database.",
        ) from error
    return aside


def _put(made: Path, mode: int, place: Path) -> None:
    made.chmod(mode)
    stores.fsync(made)
    made.rename(place)
    stores.fsync(place.parent)


def rebuild(store: Path | str) -> Path:
    """The database again, from the commits alone."""
    path = Path(store)
    stores.require(path)
    with locked(path):
        publish(path, recorded_config(stores.commits(path)))
    return path / DATABASE


def recorded_config(chain: Sequence[Commit]) -> Config:
    """The configuration of the newest commit that has one: what the store was last read with."""
    for link in reversed(chain):
        if "config" in link.content:
            return recorded(link.record["content"]["config"])
    return Config()


def connect(store: Path, config: Config | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a private copy, with every view over the store's present place.

    With a config the calendar and the people are made from it instead of from the last recorded one.
    """
    stores.require(store)
    return connect_to(stores.commits(store), store, config)


def connect_to(
    chain: Sequence[Commit], store: Path, config: Config | None = None, shown: Shown = EVERYTHING
) -> duckdb.DuckDBPyConnection:
    """The same for a chain that was read already: what is seen is that chain, whatever was committed since."""
    with scratch.folder("read") as folder:
        copy = folder / DATABASE
        connection = None if config is not None else _copied(store, copy, chain)
        if connection is None:
            build(chain, config or recorded_config(chain), copy)
            connection = engine.connect(str(copy), read_only=True)
    spill_into(connection, store)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")  # the files never change
    past = _summary(chain, config or recorded_config(chain))
    derived = {**views.DERIVED, **_past(past, shown.audience), **keeping.DERIVED}
    if shown.audience == "full":
        views.lay(connection, _stored(chain), derived, temporary=True)
    else:
        audience.prepare(connection)
        with views.standing_in(connection, {**views.NOTHING, **views.JOINED}, temporary=True):
            views.make(connection, derived, temporary=True)
        audience.lay(connection, shown, _stored(chain))
    return connection


def to_evaluate_in(
    connection: duckdb.DuckDBPyConnection,
    store: Path,
    chain: Sequence[Commit],
    config: Config,
    past: summary.Summary,
) -> None:
    """The small tables that rules read, in a database in memory; what does not fit there goes to disk."""
    connection.execute(f"SET memory_limit = '{MEMORY}'")
    spill_into(connection, store)
    connection.execute("SET preserve_insertion_order = false")
    connection.execute(views.RESOLVED_LINES)
    files(connection, chain)
    stored = _stored(chain)
    for name, sql in {"stored_lines": stored["stored_lines"], "rejects": views.DERIVED["rejects"]}.items():
        connection.execute(f"CREATE VIEW {name} AS {sql}")
    people(connection, config, past.relation("sightings"))
    connection.execute(f"CREATE TABLE spans AS {activity.spans_of(past.relation('sightings'))}")
    connection.execute(f"CREATE TABLE tenants AS {activity.tenants_of(past.relation('days'))}")
    declared.tables(connection, config)
    geography.table(connection, config.places, past.relation("places"))
    findings.tables(connection, chain, config, past.relation("sightings"))


def spill_into(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    """Where what does not fit in memory goes, made when it is needed: the store, which is its owner's alone."""
    base = store.resolve() if os.access(store, os.W_OK) else scratch.place()
    place = scratch.spill(base)
    connection.execute(f"SET temp_directory = '{str(place).replace(chr(39), chr(39) * 2)}'")
    memory.hold(connection)


def build(chain: Sequence[Commit], config: Config, target: Path) -> None:
    """Write the whole catalog to a new file; storage version 1.5, so that DuckDB 1.5 and 2.0 open it."""
    with engine.connect() as connection:
        connection.execute(
            f"ATTACH '{str(target).replace(chr(39), chr(39) * 2)}' AS c (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
        fill(connection, "c", chain, config)
        connection.execute("DETACH c")


def fill(
    connection: duckdb.DuckDBPyConnection, database: str, chain: Sequence[Commit], config: Config
) -> None:
    """Every table and view of the catalog, in an empty database that is attached."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")  # each view asks every file for its columns
    connection.execute(f"USE {database}")
    connection.execute(views.RESOLVED_LINES)
    _commits(connection, chain)
    files(connection, chain)
    _settings(connection, config)
    past = _summary(chain, config)
    people(connection, config, past.relation("sightings"))
    slots(connection, config, reach(connection, past))
    declared.tables(connection, config)
    geography.table(connection, config.places, past.relation("places"))
    findings.tables(connection, chain, config, past.relation("sightings"))
    keeping.tables(connection, chain, config)
    views.lay(connection, _stored(chain), {**views.DERIVED, **_past(past), **keeping.DERIVED})
    connection.execute("USE memory")


def _summary(chain: Sequence[Commit], config: Config) -> summary.Summary:
    from pipeline import calendar

    return summary.of(chain, calendar.step(config))


def _past(past: summary.Summary, to: str = "full") -> dict[str, str]:
    """What was counted of the events; to others it is counted anew, of what they may see."""
    if to == "external":
        return activity.tables(activity.at_once())
    found = {name: past.relation(name) for name in activity.SUMMARIES}
    if to != "full":
        found["places"] = f"(SELECT * REPLACE (redacted(user_agent) AS user_agent) FROM {found['places']})"
    return activity.tables(found)


def _stored(chain: Sequence[Commit]) -> dict[str, str]:
    parts = stores.parts(chain)
    # The newest first: who asks for the newest entries has them before the rest is looked at.
    events = [str(part.events.resolve()) for part in reversed(parts) if part.events is not None]
    return views.stored([str(part.lines.resolve()) for part in parts], events)


def _copied(store: Path, copy: Path, chain: Sequence[Commit]) -> duckdb.DuckDBPyConnection | None:
    """A copy of the published database; None when there is none, or it is of other commits, of another configuration
    or of another version."""
    wanted = (chain[-1].head if chain else None, _config_text(recorded_config(chain))[1], _shape())
    try:
        shutil.copyfile(store / DATABASE, copy)
        connection = engine.connect(str(copy), read_only=True)
        made_with = connection.execute(
            "SELECT (SELECT max_by(head, commit_no) FROM commits), sha256, shape FROM settings"
        ).fetchall()
        if made_with == [wanted]:
            return connection
        connection.close()
    except (FileNotFoundError, duckdb.Error):
        pass
    copy.unlink(missing_ok=True)
    return None


def _commits(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> None:
    connection.execute(
        "CREATE TABLE commits (commit_no BIGINT, kind VARCHAR, head VARCHAR, seal VARCHAR, previous VARCHAR, "
        "content JSON, run JSON)"
    )
    rows = [
        (c.number, c.kind, c.head, c.record["seal"], c.content["previous"], json.dumps(c.content),
         json.dumps(c.record["run"]))
        for c in chain
    ]  # fmt: skip
    engine.insert(connection, "commits", rows)


def _config_text(config: Config) -> tuple[str, str]:
    text = stores.canonical(to_dict(config))
    return text, stores.sha256_text(text)


def _shape() -> str:
    """What this version's tables and views are made of: a database of another one is made anew."""
    made_of = [
        stores.versions(),
        views.NOTHING,
        views.JOINED,
        views.DERIVED,
        views.RESOLVED_LINES,
        findings.FINDINGS,
        activity.tables(activity.at_once()),
    ]
    return stores.sha256_text(stores.canonical(made_of))


def _settings(connection: duckdb.DuckDBPyConnection, config: Config) -> None:
    """The configuration that the calendar, the people and the suppressions of this database were made with."""
    connection.execute("CREATE TABLE settings (config JSON, sha256 VARCHAR, shape VARCHAR)")
    connection.execute("INSERT INTO settings VALUES (?, ?, ?)", [*_config_text(config), _shape()])


def files(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> None:
    """The table `files`: the ledger."""
    connection.execute(
        """CREATE TABLE files (file VARCHAR, sha256 VARCHAR, source VARCHAR, instance VARCHAR, bytes BIGINT,
        "read" BIGINT, events BIGINT, duplicates BIGINT, rejects BIGINT, blank BIGINT, resolved BIGINT,
        first_event TIMESTAMPTZ, last_event TIMESTAMPTZ, mapping_version VARCHAR, skipped VARCHAR, commit_no BIGINT)"""
    )
    keys = (
        "file sha256 source instance bytes read events duplicates rejects blank resolved first_event last_event "
        "mapping skipped"
    ).split()
    found = in_force(chain)
    resolved = {
        (commit_no, one.entry["file"], digest, line): one.commit_no
        for one in reversed(found)
        for commit_no, digest, line in one.entry.get("resolves", [])
    }
    engine.insert(
        connection, "resolved_lines", [(*where, by_commit) for where, by_commit in resolved.items()]
    )
    lines_of = Counter(where[:3] for where in resolved)
    known = [({**one.entry, "resolved": lines_of[one.key]}, one.commit_no) for one in found]
    engine.insert(connection, "files", [(*(entry[key] for key in keys), number) for entry, number in known])


def people(connection: duckdb.DuckDBPyConnection, config: Config, sightings: str) -> None:
    """The tables `people`, as configured, and `actors`, as seen in the events."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in views.PEOPLE_COLUMNS.items())
    connection.execute(f"CREATE TABLE people ({columns})")
    rows = [
        (key, person.id, person.name, person.id if _is_email(person.id) else None, config.schedule_of(person),
         person.team, person.role, person.service, person.left_on)
        for person in config.actors
        for key in sorted({_actor_key(spelling) for spelling in (person.id, *person.aliases)})
    ]  # fmt: skip
    engine.insert(connection, "people", rows)
    connection.execute(f"CREATE TABLE actors AS {views.actors_of(sightings)} ORDER BY actor_key")


def _actor_key(alias: str) -> str:
    return alias.lower() if _is_email(alias) else alias


def _is_email(alias: str) -> bool:
    """`dana@example.com`, and not `box:Dana@example.com`, which is an id or a name of one source."""
    return "@" in alias and ":" not in alias


def years(connection: duckdb.DuckDBPyConnection, times: str) -> list[tuple[datetime, datetime]]:
    """The first and the last of these times, year by year: a wrong clock's 1970 is far from all others."""
    found = connection.execute(
        f"SELECT epoch_ms(min(first_at)), epoch_ms(max(last_at)) FROM {times} "
        "GROUP BY year(make_timestamp(epoch_us(first_at))) ORDER BY 1"
    ).fetchall()
    return [(_moment(first), _moment(last)) for first, last in found]


def reach(connection: duckdb.DuckDBPyConnection, past: summary.Summary) -> list[tuple[datetime, datetime]]:
    """From when to when there are events; asked of them, year by year, only where a clock must have been wrong."""
    firsts, lasts = zip(*past.spans.values(), strict=True) if past.spans else ((), ())
    if firsts and max(lasts).year - min(firsts).year >= LONGEST_CALENDAR:
        return years(connection, past.times())
    return [(min(firsts), max(lasts))] if firsts else []


def slots(
    connection: duckdb.DuckDBPyConnection, config: Config, spans: Sequence[tuple[datetime, datetime]]
) -> None:
    """The table `calendar`, over these spans; around a wrong clock's 1970 the years between are left out."""
    from pipeline import calendar

    spans = spans or [(_moment(0), _moment(0))]
    if spans[-1][1].year - spans[0][0].year < LONGEST_CALENDAR:
        spans = [(spans[0][0], spans[-1][1])]
    calendar.table(connection, config, spans)


def _moment(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _move_stray_log_aside(store: Path) -> str | None:
    """A shell that opened the database for writing leaves a log that would break every later opening."""
    stray = store / (DATABASE + ".wal")
    if not stray.exists():
        return None
    number = 1
    while (aside := store / f"{DATABASE}.wal.stray-{number}").exists():
        number += 1
    stray.rename(aside)
    return f"{stray.name} was left by a shell that opened the database for writing; moved to {aside.name}."
