"""The caches beside the commits, held against what the commits say: the database, and the indexes of ids and names.

Rows are compared by sums of hashes that begin with a number drawn anew each time: no other rows can be prepared for it.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb

from pipeline import catalog, engine, entities, scratch
from pipeline import store as stores
from pipeline.found import Break
from pipeline.store import Commit

MEND = "`auditbook rebuild` makes it again"
Told = tuple[list[str], Break | None]  # notes, and what says otherwise
_PLACE = re.compile(r"'(?:[^']|'')*?/commits/")


def database(connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit]) -> Told:
    """Every table, view and whatever else the database has, against one that is made of the same commits now."""
    name = catalog.DATABASE
    if (
        store / f"{name}.wal"
    ).exists():  # our readers look at the database alone; a shell takes it for part of it
        what = "it stands beside the database, and whoever opens that in a shell sees what it says; the next run moves"
        return [], Break(None, f"{name}.wal", f"{what} it aside.")
    with scratch.folder("verify") as folder:
        copy = folder / name
        try:
            shutil.copyfile(store / name, copy)
            connection.execute(f"ATTACH {_quoted(copy)} AS theirs (READ_ONLY)")
            then = _as_of(connection, chain)
            if then is None:
                return [], Break(None, name, f"it says otherwise than the commits: it was changed; {MEND}.")
            # What was written and read again has other words for the same: a file says whether it is the same.
            different = _different(connection, then, ":memory:")
            different = different and _different(connection, then, f"{folder}/ours")
        except FileNotFoundError:
            return [f"{name} is not there; {MEND}."], None
        except (duckdb.Error, UnicodeDecodeError) as error:
            return [], Break(None, name, f"it cannot be read ({type(error).__name__}); {MEND}.")
    if different and then and then[-1].content["versions"] != stores.versions():
        return [f"{name} was made by other versions; {MEND}."], None
    if different:
        what = f"its {different} says otherwise than the commits: it was changed; {MEND}."
        return [], Break(None, name, what)
    return ([] if len(then) == len(chain) else [f"{name} is as of commit {len(then)}; {MEND}."]), None


def identities(connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit]) -> Told:
    """What loads hold new lines against: an identity less, and a line would be an event twice."""
    from pipeline import ids

    return _index(store, *ids.strange(connection, store, chain, _drawn()), "lines")


def named(connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit]) -> Told:
    """Where histories and questions about one thing look: a name less, and an event would be missing in the answer."""
    return _index(store, *entities.strange(connection, store, chain, _drawn()), "events")


def rows(files: Sequence[Path]) -> list[int | None]:
    """How many rows each of these Parquet files has; one that cannot be read has none that count."""
    with engine.connect() as connection:
        try:
            return _rows(connection, files)
        except duckdb.Error:
            return [_rows_of(connection, file) for file in files]


def _rows(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> list[int | None]:
    if not files:
        return []
    asked = "SELECT file_name, num_rows FROM parquet_file_metadata(?)"
    found = dict(connection.execute(asked, [[str(file) for file in files]]).fetchall())
    return [found.get(str(file)) for file in files]


def _rows_of(connection: duckdb.DuckDBPyConnection, file: Path) -> int | None:
    try:
        return _rows(connection, [file])[0]
    except duckdb.Error:
        return None


def _different(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit], place: str) -> str | None:
    """What is not as it comes from the commits now, made anew in memory or in a file."""
    connection.execute(f"ATTACH {_quoted(place)} AS ours")
    catalog.fill(connection, "ours", chain, catalog.recorded_config(chain))
    found = next(_differences(connection), None)
    connection.execute("DETACH ours")
    return found


def _index(store: Path, strange: Path | None, foreign: Sequence[Path], of: str) -> Told:
    if strange is not None:
        what = f"it says otherwise than the {of} that it is of: it was changed; {MEND} once it is removed."
        return [], Break(None, str(strange.relative_to(store)), what)
    told = "is of other commits or another version, and nothing reads it"
    return [f"{path.relative_to(store)} {told}; {MEND}." for path in foreign], None


def _drawn() -> int:
    return secrets.randbits(62)


def _quoted(path: Path | str) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _as_of(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> Sequence[Commit] | None:
    """The commits that a database was made of; None when it is of another chain."""
    found = connection.execute("SELECT head FROM theirs.main.commits ORDER BY commit_no").fetchall()
    heads = [head for (head,) in found]
    return chain[: len(heads)] if heads == [link.head for link in chain[: len(heads)]] else None


def _differences(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """What is not the same in both databases, by kind and name."""
    theirs, ours = _entries(connection)
    for entry in sorted(theirs.keys() | ours.keys()):
        if theirs.get(entry) != ours.get(entry):
            yield " ".join(entry)
    drawn = _drawn()
    for kind, table in sorted(ours):
        if kind == "table" and _sum(connection, "theirs", table, drawn) != _sum(
            connection, "ours", table, drawn
        ):
            yield f"table {table}"


def _entries(connection: duckdb.DuckDBPyConnection) -> tuple[dict[tuple[str, str], str], ...]:
    """Everything that each database holds, by kind and name, and what it is declared as. A moved store has the old
    place in its views; the files that they name are the same."""
    found: dict[str, dict[tuple[str, str], str]] = {"theirs": {}, "ours": {}}
    for place, kind, name, declared in connection.execute(_ENTRIES).fetchall():
        found[place][kind, name] = _plain(declared or "")
    return found["theirs"], found["ours"]


def _plain(declared: str) -> str:
    return _PLACE.sub("'commits/", declared).replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ")


def _sum(
    connection: duckdb.DuckDBPyConnection, database: str, table: str, drawn: int
) -> tuple[object, ...] | None:
    """What the rows of a table come to, in whatever order they are."""
    return connection.execute(
        f'SELECT count(*), sum(hash({drawn}, t)::HUGEINT), bit_xor(hash({drawn}, t)) FROM {database}.main."{table}" t'
    ).fetchone()


# A macro or a type of the same name stands in front of the engine's own, for whoever opens the database.
_ENTRIES = """WITH e AS (
  SELECT database_name, 'table' AS kind, schema_name, table_name AS name, string_agg(concat_ws(' ', column_name,
      data_type, is_nullable, column_default), ', ' ORDER BY column_index) AS declared
    FROM duckdb_columns() SEMI JOIN duckdb_tables() USING (table_oid, database_name) GROUP BY ALL
  UNION ALL SELECT database_name, 'view', schema_name, view_name, sql FROM duckdb_views() WHERE NOT internal
  UNION ALL SELECT database_name, 'macro', schema_name, function_name,
    concat_ws(chr(10), parameters::VARCHAR, macro_definition) FROM duckdb_functions() WHERE NOT internal
  UNION ALL SELECT database_name, 'type', schema_name, type_name, logical_type FROM duckdb_types() WHERE NOT internal
  UNION ALL SELECT database_name, 'sequence', schema_name, sequence_name, concat(start_value, ' ', last_value)
    FROM duckdb_sequences()
  UNION ALL SELECT database_name, 'index', schema_name, index_name, sql FROM duckdb_indexes()
  UNION ALL SELECT database_name, 'schema', '', schema_name, '' FROM duckdb_schemas() WHERE NOT internal)
SELECT database_name, kind, CASE WHEN schema_name IN ('', 'main') THEN name ELSE schema_name || '.' || name END AS name,
  string_agg(declared, chr(10) ORDER BY declared) AS declared
FROM e WHERE database_name IN ('theirs', 'ours') GROUP BY ALL"""
