"""auditbook.duckdb: a cache of the commits that people open. Made beside and renamed, so that no reader waits.

Our own readers never open it in place: DuckDB keeps one instance of a path in a process and locks a file between
processes, so a private copy is opened, with views over the place where the store is now.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import calendar, views
from pipeline import store as stores
from pipeline.config import Config, from_dict
from pipeline.store import Commit

DATABASE = "auditbook.duckdb"
STORAGE_VERSION = "v1.5.0"

FINDING_ROWS: dict[str, str] = {
    "finding_id": "VARCHAR",
    "detector": "VARCHAR",
    "severity": "VARCHAR",
    "title": "VARCHAR",
    "key": "VARCHAR",
    "subject": "VARCHAR",
    "window_start": "TIMESTAMP WITH TIME ZONE",
    "window_end": "TIMESTAMP WITH TIME ZONE",
    "observed": "VARCHAR",
    "expected": "VARCHAR",
    "reason": "VARCHAR",
    "events": "VARCHAR[]",
    "change": "VARCHAR",
}
DISPOSITION_ROWS: dict[str, str] = {
    "finding_id": "VARCHAR",
    "status": "VARCHAR",
    "by": "VARCHAR",
    "os_user": "VARCHAR",
    "reason": "VARCHAR",
    "until": "DATE",
    "at": "TIMESTAMP WITH TIME ZONE",
}
COVERAGE_ROWS: dict[str, str] = {
    "detector": "VARCHAR",
    "source": "VARCHAR",
    "status": "VARCHAR",
    "in_scope": "BIGINT",
    "missing": "VARCHAR",
    "baseline_days": "BIGINT",
    "baseline_needed": "BIGINT",
    "why": "VARCHAR",
    "error": "VARCHAR",
    "version": "VARCHAR",
    "sql_sha256": "VARCHAR",
    "parameters": "VARCHAR",
}


def publish(store: Path, config: Config) -> str | None:
    """Put a fresh database in the store; says what it moved aside, if somebody's shell left something there."""
    temporary = store / ".auditbook-new.duckdb"
    temporary.unlink(missing_ok=True)
    build(store, config, temporary)
    aside = _move_stray_log_aside(store)
    temporary.chmod(0o400)
    _sync(temporary)
    temporary.rename(store / DATABASE)
    _sync(store)
    return aside


def rebuild(store: Path | str) -> Path:
    """The database again, from the commits alone."""
    path = Path(store)
    stores.require(path)
    with stores.locked(path):
        publish(path, recorded_config(stores.commits(path)))
    return path / DATABASE


def recorded_config(chain: Sequence[Commit]) -> Config:
    """The configuration of the newest commit that has one: what the store was last read with."""
    for link in reversed(chain):
        if "config" in link.content:
            return from_dict(link.content["config"])
    return from_dict({})


def connect(store: Path, config: Config | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to a private copy, with every view over the store's present place.

    With a config the calendar and the people are made from it instead of from the last recorded one.
    """
    stores.require(store)
    chain = stores.commits(store)
    with tempfile.TemporaryDirectory(prefix="auditbook-read-") as folder:
        copy = Path(folder) / DATABASE
        if config is not None or not _copied(store, copy, chain):
            build(store, config or recorded_config(chain), copy)
        connection = duckdb.connect(str(copy), read_only=True)
    connection.execute("SET TimeZone = 'UTC'")
    for name, sql in {**_stored(chain), **views.DERIVED}.items():
        connection.execute(f"CREATE TEMP VIEW {name} AS {sql}")
    return connection


def build(store: Path, config: Config, target: Path) -> None:
    """Write the whole catalog to a new file; storage version 1.5, so that DuckDB 1.5 and 2.0 open it."""
    chain = stores.commits(store)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"ATTACH '{str(target).replace(chr(39), chr(39) * 2)}' AS c (STORAGE_VERSION '{STORAGE_VERSION}')")
        connection.execute("USE c")
        for name, sql in {**_stored(chain), **views.DERIVED}.items():
            connection.execute(f"CREATE VIEW {name} AS {sql}")
        _commits(connection, chain)
        _files(connection, chain)
        _people(connection, config)
        _calendar(connection, config)
        _findings(connection, chain, config)
        connection.execute("USE memory")
        connection.execute("DETACH c")


def _stored(chain: Sequence[Commit]) -> dict[str, str]:
    def files(name: str) -> list[str]:
        return [str(path.resolve()) for link in chain if (path := link.file(name))]

    return views.stored(files("lines.parquet"), files("events.parquet"))


def _copied(store: Path, copy: Path, chain: Sequence[Commit]) -> bool:
    """Copy the published database; False when there is none or it is not of the newest commit."""
    try:
        shutil.copyfile(store / DATABASE, copy)
        with duckdb.connect(str(copy), read_only=True) as connection:
            row = connection.execute("SELECT head FROM commits ORDER BY commit_no DESC LIMIT 1").fetchone()
    except (FileNotFoundError, duckdb.Error):
        copy.unlink(missing_ok=True)
        return False
    if (row[0] if row else None) == (chain[-1].head if chain else None):
        return True
    copy.unlink()
    return False


def _commits(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> None:
    connection.execute(
        "CREATE TABLE commits (commit_no BIGINT, kind VARCHAR, head VARCHAR, seal VARCHAR, previous VARCHAR, "
        "content JSON, run JSON)"
    )
    for c in chain:
        record = c.record
        row = (c.number, c.kind, c.head, record["seal"], record["content"]["previous"])
        connection.execute(
            "INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)",
            [*row, json.dumps(record["content"]), json.dumps(record["run"])],
        )


def _files(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> None:
    connection.execute(
        """CREATE TABLE files (file VARCHAR, sha256 VARCHAR, source VARCHAR, instance VARCHAR, bytes BIGINT,
        "read" BIGINT, events BIGINT, duplicates BIGINT, rejects BIGINT, blank BIGINT,
        first_event TIMESTAMPTZ, last_event TIMESTAMPTZ, mapping_version VARCHAR, skipped VARCHAR, commit_no BIGINT)"""
    )
    keys = (
        "file sha256 source instance bytes read events duplicates rejects blank first_event last_event mapping skipped"
    ).split()
    for link in chain:
        for one in link.content.get("inputs", []):
            connection.execute(
                f"INSERT INTO files VALUES ({', '.join('?' * 15)})", [*(one[key] for key in keys), link.number]
            )


def _people(connection: duckdb.DuckDBPyConnection, config: Config) -> None:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in views.PEOPLE_COLUMNS.items())
    connection.execute(f"CREATE TABLE people ({columns})")
    for person in config.actors:
        email = person.id if "@" in person.id else None
        for key in sorted({person.id.lower() if email else person.id, *map(_actor_key, person.aliases)}):
            connection.execute(
                "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [key, person.id, person.name, email, calendar.schedule_of(config, person), person.team, person.role,
                 person.service, person.left_on],
            )  # fmt: skip
    connection.execute(f"CREATE TABLE actors AS {views.ACTORS} ORDER BY actor_key")


def _actor_key(alias: str) -> str:
    return alias.lower() if "@" in alias else alias


def _calendar(connection: duckdb.DuckDBPyConnection, config: Config) -> None:
    row = connection.execute("SELECT epoch_ms(min(occurred_at)), epoch_ms(max(occurred_at)) FROM events").fetchone()
    first, last = row if row else (None, None)
    connection.register("slots", calendar.calendar_of(config, first, last))
    connection.execute("CREATE TABLE calendar AS SELECT * FROM slots")
    connection.unregister("slots")


def _rows(chain: Sequence[Commit], name: str, columns: dict[str, str]) -> str:
    """One kind of small file over all commits, with the number of the commit each row came by."""
    parts = [
        f"SELECT *, {link.number} AS commit_no FROM {views.parquet([str(path.resolve())], columns)}"
        for link in chain
        if (path := link.file(name))
    ]
    return " UNION ALL BY NAME ".join(parts) or f"SELECT *, 0::BIGINT AS commit_no FROM {views.parquet([], columns)}"


def _findings(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit], config: Config) -> None:
    evaluations = [link.number for link in chain if link.kind == "detect"]
    newest = evaluations[-1] if evaluations else 0
    connection.execute(f"CREATE TABLE dispositions AS {_rows(chain, 'dispositions.parquet', DISPOSITION_ROWS)}")
    connection.execute(f"CREATE TABLE finding_versions AS {_rows(chain, 'findings.parquet', FINDING_ROWS)}")
    connection.execute(
        f"""CREATE TABLE detector_coverage AS SELECT *, commit_no = {newest} AS newest
        FROM ({_rows(chain, 'coverage.parquet', COVERAGE_ROWS)})"""
    )
    connection.execute("CREATE TABLE suppressions (detector VARCHAR, actor VARCHAR, owner VARCHAR, reason VARCHAR, until DATE)")
    for s in config.suppressions:
        connection.execute("INSERT INTO suppressions VALUES (?, ?, ?, ?, ?)", [s.detector, s.actor, s.owner, s.reason, s.until])
    connection.execute(_CURRENT_FINDINGS, {"newest": newest})
    connection.execute(
        "CREATE TABLE finding_events AS SELECT finding_id, unnest(events) AS event_uid FROM current_findings"
    )
    connection.execute(_SUPPRESSED)
    connection.execute(f"CREATE VIEW findings AS {FINDINGS}")


_CURRENT_FINDINGS = """CREATE TABLE current_findings AS
  SELECT last.* EXCLUDE (commit_no, change), first_commit, commit_no AS last_commit,
    CASE WHEN change = 'withdrawn' THEN 'withdrawn' WHEN commit_no < $newest THEN 'open'
         WHEN change = 'new' THEN 'new' ELSE 'changed' END AS base_state
  FROM (SELECT *, min(commit_no) OVER (PARTITION BY finding_id) AS first_commit FROM finding_versions
        QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY commit_no DESC) = 1) last"""

# Which findings a configured suppression covers: by its detector, and by every spelling of the person it names.
_SUPPRESSED = """CREATE TABLE suppressed_findings AS
  SELECT f.finding_id, s.owner, s.reason, s.until FROM current_findings f JOIN suppressions s
    ON s.detector IN ('*', f.detector) AND (s.actor IS NULL OR EXISTS (
      SELECT 1 FROM finding_events fe JOIN events e USING (event_uid) JOIN actors a USING (actor_key)
      WHERE fe.finding_id = f.finding_id AND lower(s.actor) IN (lower(a.person), lower(a.actor_key), lower(a.email))))"""

# What a disposition or a suppression says holds until its day has passed, on the day of `as_of` (else today).
FINDINGS = """SELECT f.finding_id, f.detector, f.severity, f.title, f.key, f.subject, f.window_start, f.window_end,
    f.observed, f.expected, f.reason, f.events,
    CASE WHEN f.base_state = 'withdrawn' THEN 'withdrawn' WHEN d.status IS NOT NULL THEN 'reviewed'
         WHEN s.finding_id IS NOT NULL THEN 'suppressed' ELSE f.base_state END AS state,
    d.status AS disposition, d."by" AS reviewed_by, d.reason AS review_reason, d.until AS review_until,
    s.owner AS suppressed_by, s.reason AS suppression_reason, s.until AS suppressed_until, f.first_commit, f.last_commit
  FROM current_findings f
  LEFT JOIN (SELECT * FROM dispositions
             WHERE coalesce(until >= coalesce(getvariable('as_of')::DATE, current_date), true)
             QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY commit_no DESC) = 1) d USING (finding_id)
  LEFT JOIN (SELECT * FROM suppressed_findings
             WHERE coalesce(until >= coalesce(getvariable('as_of')::DATE, current_date), true)
             QUALIFY row_number() OVER (PARTITION BY finding_id ORDER BY until DESC) = 1) s USING (finding_id)"""


def write_rows(path: Path, columns: dict[str, str], rows: Sequence[dict[str, object]]) -> int:
    """A small Parquet file of a commit, rows in the given order."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE rows ({names})")
        if rows:
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"INSERT INTO rows VALUES ({marks})", [[row[name] for name in columns] for row in rows])
        table: pa.Table = connection.execute("SELECT * FROM rows").to_arrow_table()
    pq.write_table(table, path, compression="zstd")
    return int(table.num_rows)


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


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
