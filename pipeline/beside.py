"""What stands beside the commits, held against them: the database's tables, the manifest, reports that were made."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline import catalog, detector, engine, ids, issued, originals
from pipeline import store as stores
from pipeline.errors import UsageError
from pipeline.found import Beside, Break
from pipeline.store import Commit

MEND = "`auditbook rebuild` makes it again"


def check(store: Path, chain: Sequence[Commit], documents: Sequence[Path]) -> Beside:
    """The first thing beside the commits that says otherwise than they; else notes, and what the documents are."""
    notes: list[str] = []
    told = []
    for document in documents:
        said, problem = _document(document, store, chain)
        if problem is not None:
            return Beside(problem)
        told.append(said)
    count, problem = _reports(store, chain)
    if problem is not None:
        return Beside(problem)
    for what in (_originals, _database, _identities, _manifest):
        note, problem = what(store, chain)
        if problem is not None:
            return Beside(problem)
        notes += [note] if note else []
    return Beside(None, (*notes, *_rules(chain)), tuple(told), count)


def _reports(store: Path, chain: Sequence[Commit]) -> tuple[int, Break | None]:
    """The files of reports that are where they were written: how many, and the first that is another one now."""
    wanted: dict[Path, set[str]] = {}
    for entry, _ in _entries(store, chain):
        for name, digest in entry["files"].items():
            if "folder" in entry:
                wanted.setdefault(Path(entry["folder"]) / name, set()).add(digest)
    there = [path for path in sorted(wanted) if os.access(path, os.R_OK) and path.is_file()]
    for path in there:
        if stores.sha256_file(path) not in wanted[path]:
            return 0, Break(None, str(path), "it was changed: it is not the report that was written there.")
    return len(there), None


def _rules(chain: Sequence[Commit]) -> list[str]:
    """Installed rules that are not the files which the newest evaluation ran."""
    last = next((link for link in reversed(chain) if link.kind == "detect"), None)
    ran = last.content.get("rules", {}) if last else {}
    now = {name: one.sha256 for name, one in detector.shipped().items()}
    other = sorted(name for name, digest in ran.items() if now.get(name) != digest)
    if not other:
        return []
    return [f"{', '.join(other)}: the installed rule is not the file that the last evaluation ran."]


def _originals(store: Path, chain: Sequence[Commit]) -> tuple[str | None, Break | None]:
    for one in originals.kept(chain).values():
        path = store / originals.FOLDER / f"{one['sha256']}.zst"
        if not path.is_file():
            return None, Break(one["commit_no"], path.name, f"the original of {one['file']} is missing.")
        if stores.sha256_file(path) != one["packed_sha256"]:
            what = f"the original of {one['file']} was changed: its sha256 is not the recorded one."
            return None, Break(one["commit_no"], path.name, what)
    return None, None


def _manifest(store: Path, chain: Sequence[Commit]) -> tuple[str | None, Break | None]:
    name = "manifest.jsonl"
    try:
        said = (store / name).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return f"{name} is not there; {MEND}.", None
    wanted = [stores.canonical(link.record) for link in chain]
    if said == wanted:
        return None, None
    if said == wanted[: len(said)]:
        return f"{name} ends before the newest commit; {MEND}.", None
    return None, Break(None, name, f"it says otherwise than the records: it was changed; {MEND}.")


def _database(store: Path, chain: Sequence[Commit]) -> tuple[str | None, Break | None]:
    """Every table and view of the database against one that is made of the same commits now."""
    name = catalog.DATABASE
    with tempfile.TemporaryDirectory(prefix="auditbook-verify-") as folder:
        copy, made = Path(folder) / "theirs.duckdb", Path(folder) / "ours.duckdb"
        try:
            shutil.copyfile(store / name, copy)
        except FileNotFoundError:
            return f"{name} is not there; {MEND}.", None
        broken = Break(None, name, f"it says otherwise than the commits: it was changed; {MEND}.")
        try:
            then = _as_of(copy, chain)
            if then is None:
                return None, broken
            catalog.build(then, catalog.recorded_config(then), made)
            different = next(_differences(copy, made), None)
        except duckdb.Error as error:
            return None, Break(None, name, f"it cannot be read ({type(error).__name__}); {MEND}.")
    if different is not None and then and then[-1].content["versions"] != stores.versions():
        return f"{name} was made by other versions; {MEND}.", None
    if different is not None:
        what = f"its table {different} says otherwise than the commits: it was changed; {MEND}."
        return None, Break(None, name, what)
    return (None if len(then) == len(chain) else f"{name} is as of commit {len(then)}; {MEND}."), None


def _identities(store: Path, chain: Sequence[Commit]) -> tuple[str | None, Break | None]:
    """What loads hold new lines against: an identity less, and a line would be an event twice."""
    with engine.connect() as connection:
        strange = ids.strange(connection, store, chain)
    if strange is None:
        return None, None
    what = f"it says otherwise than the lines that it is of: it was changed; {MEND} once it is removed."
    return None, Break(None, f"{ids.FOLDER}/{strange.name}", what)


def _as_of(copy: Path, chain: Sequence[Commit]) -> Sequence[Commit] | None:
    """The commits that a database was made of; None when it is of another chain."""
    with engine.connect(str(copy), read_only=True) as connection:
        heads = [
            head for (head,) in connection.execute("SELECT head FROM commits ORDER BY commit_no").fetchall()
        ]
    return chain[: len(heads)] if heads == [link.head for link in chain[: len(heads)]] else None


def _differences(theirs: Path, ours: Path) -> Iterator[str]:
    """The names of tables and views that are not the same in both."""
    with engine.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, path in (("theirs", theirs), ("ours", ours)):
            connection.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS {name} (READ_ONLY)")
        tables, views = (
            {name: _named(connection, name, kind) for name in ("theirs", "ours")} for kind in _KINDS
        )
        yield from sorted(tables["theirs"].keys() ^ tables["ours"].keys())
        for table in sorted(tables["ours"]):
            if tables["theirs"][table] != tables["ours"][table] or _hash(
                connection, "theirs", table
            ) != _hash(connection, "ours", table):
                yield table
        yield from sorted(
            name for name in views["theirs"].keys() | views["ours"].keys()
            if not _same_view(views["theirs"].get(name), views["ours"].get(name))
        )  # fmt: skip


_KINDS = (
    "SELECT table_name, string_agg(column_name || data_type, ',' ORDER BY column_index) FROM duckdb_columns() "
    "WHERE database_name = $name AND NOT internal AND table_name IN "
    "(SELECT table_name FROM duckdb_tables() WHERE database_name = $name) GROUP BY 1",
    "SELECT view_name, sql FROM duckdb_views() WHERE database_name = $name AND NOT internal",
)


def _named(connection: duckdb.DuckDBPyConnection, name: str, sql: str) -> dict[str, str]:
    return dict(connection.execute(sql, {"name": name}).fetchall())


def _hash(connection: duckdb.DuckDBPyConnection, database: str, table: str) -> tuple[object, ...] | None:
    """What the rows of a table come to, in whatever order they are."""
    return connection.execute(
        f'SELECT count(*), sum(hash(t)::HUGEINT), bit_xor(hash(t)) FROM {database}.main."{table}" t'
    ).fetchone()


def _same_view(theirs: str | None, ours: str | None) -> bool:
    """A moved store has the old place in its views; the files that they name are the same."""
    return None not in (theirs, ours) and _without_places(str(theirs)) == _without_places(str(ours))


def _without_places(sql: str) -> str:
    return re.sub(r"'(?:[^']|'')*?/commits/", "'commits/", sql)


def _document(path: Path, store: Path, chain: Sequence[Commit]) -> tuple[str, Break | None]:
    """What a file is that was handed out, and the commit whose record has its hash."""
    digest = _digest(path)
    for entry, where in _entries(store, chain):
        if digest in entry["files"].values():
            return (
                f"{path.name} is {entry['kind']} {entry['report_id']}, as of head {entry['head'][:12]}, in {where}",
                None,
            )
    return "", Break(
        None, path.name, "is no report that the chain tells of: it was changed, or made elsewhere."
    )


def entry_of(store: Path, chain: Sequence[Commit], report: str) -> dict[str, Any]:
    """What the chain says of a report, by a file of it or by the beginning of its id."""
    path = Path(report)
    digest = _digest(path) if path.is_file() else None
    found = [
        entry for entry, _ in _entries(store, chain)
        if (digest in entry["files"].values() if digest else entry["report_id"].startswith(report))
    ]  # fmt: skip
    if not found:
        raise UsageError(
            f"{report} is no report that the chain tells of.",
            hint="Give a file of it as it was handed out, or its id.",
        )
    return found[-1]


def _entries(store: Path, chain: Sequence[Commit]) -> list[tuple[dict[str, Any], str]]:
    records = [link.record for link in chain]
    told = [(entry, f"commit {link.number}") for link in chain for entry in issued.recorded([link.record])]
    return told + [
        (entry, "no commit yet, the next one takes it in") for entry in issued.unrecorded(store, records)
    ]


def _digest(path: Path) -> str:
    try:
        return stores.sha256_file(path)
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}.", path=path) from error
