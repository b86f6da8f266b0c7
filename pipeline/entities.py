"""Which event names which thing, and where to look for it: for histories and for whoever asks for one thing.

Where to look is a small sorted index beside the commits, a cache in `entities/` that is made again from the events of
the parts when it does not belong to them. It holds no id, only 40 bits of each name's hash, the time of the event and
the number of its part: a hint. What is found there is compared in full.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline import engine, memory, scratch, views
from pipeline import store as stores
from pipeline.columns import EVENT_COLUMNS
from pipeline.store import Commit

FOLDER = "entities"
NEW = ".new"  # what a file is called until it is whole
ENDING = ".entities"
RUNS = "background_job"  # a job that has no entity in the log is asked for by its name or its run
MEMORY = "512MB"
# The ids that a decision names are items, whatever the product calls the thing decided on.
_BULK = "CASE WHEN {e}action IN ('approve', 'reject', 'request_change') THEN '' ELSE {e}entity_type END"
# Every name that an event gives to a thing it concerns, `TYPE:ID`, one row for each.
NAMES = f"""SELECT {{columns}}, entity_type || ':' || entity_id AS name FROM {{events}} WHERE entity_id IS NOT NULL
UNION ALL SELECT {{columns}}, parent_entity_type || ':' || parent_entity_id FROM {{events}}
  WHERE parent_entity_id IS NOT NULL
UNION ALL SELECT {{columns}}, {_BULK.format(e="")} || ':' || unnest(entity_ids) FROM {{events}}
  WHERE len(entity_ids) > 0
UNION ALL SELECT {{columns}}, unnest(list_transform(related_entities, lambda r: r.type || ':' || r.id)) FROM {{events}}
  WHERE len(related_entities) > 0
UNION ALL SELECT {{columns}}, '{RUNS}:' || unnest([action_detail, metadata->>'job_run_id']) FROM {{events}}
  WHERE category = '{RUNS}'"""
# The same as a condition on one event: it names one of these.
_NAMED = f"""(list_contains({{names}}, {{e}}entity_type || ':' || {{e}}entity_id)
  OR list_contains({{names}}, {{e}}parent_entity_type || ':' || {{e}}parent_entity_id)
  OR (len({{e}}entity_ids) > 0 AND list_has_any({{names}}, list_transform({{e}}entity_ids,
    lambda i: {_BULK} || ':' || i)))
  OR (len({{e}}related_entities) > 0
    AND list_has_any({{names}}, list_transform({{e}}related_entities, lambda r: r.type || ':' || r.id)))
  OR ({{e}}category = '{RUNS}' AND list_has_any({{names}},
    ['{RUNS}:' || {{e}}action_detail, '{RUNS}:' || ({{e}}metadata->>'job_run_id')])))"""
_KEY = "hash({}) >> 24"  # of this version of the engine: an index of another one is made again
# Every stretch of rows is as long, and no filter says which keys it has: what is not read is seen to be rightly left.
_STRETCH = 20480
_WRITTEN = f"FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE {_STRETCH}, WRITE_BLOOM_FILTER false"
_MADE_OF = hashlib.sha256((NAMES + _WRITTEN).encode()).hexdigest()[:16]
MOST_LISTED = 500
_UNREADABLE = (duckdb.Error, UnicodeDecodeError)  # of a changed file; what is wrong may not even be text


@dataclass(frozen=True)
class Found:
    """Where the index knows of some names: the parts' files of events, and the moments (microseconds)."""

    files: tuple[str, ...]
    moments: tuple[int, ...]

    @property
    def relation(self) -> str:
        """SQL: the events of those parts."""
        return f"({views.events_of(views.parquet(self.files, EVENT_COLUMNS))})"

    @property
    def values(self) -> list[object]:
        """What the condition is asked with."""
        return [list(self.moments)] if len(self.moments) > MOST_LISTED else list(self.moments)

    def condition(self, marks: Sequence[str]) -> str:
        """SQL: that an event happened at one of the moments; `marks` stand for the values."""
        if not self.moments:
            return "false"
        if len(self.moments) > MOST_LISTED:
            return f"occurred_at IN (SELECT make_timestamptz(unnest({marks[0]}::BIGINT[])))"
        return f"occurred_at IN ({', '.join(f'make_timestamptz({mark}::BIGINT)' for mark in marks)})"


def names_of(kind: str, identity: str) -> tuple[str, str]:
    """How events may name a thing: by type and id, or by its id alone."""
    return f"{kind}:{identity}", f":{identity}"


def is_named(names: str, event: str = "") -> str:
    """SQL: that an event names one of a list; `event` is how it is called in the query, with its dot."""
    return _NAMED.format(names=names, e=event)


def publish(store: Path, chain: Sequence[Commit]) -> None:
    """Bring the index up to date: what is new becomes a file, and small files are put together."""
    folder = store / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = _wanted(chain)
    files: list[tuple[Path, list[str]]] = []
    with engine.connect() as connection:
        told = {path: _covers(connection, path) for path in sorted(folder.iterdir())}
    for path, names in told.items():
        if names and wanted.keys() >= set(names) and not any(set(names) & set(other) for _, other in files):
            files.append((path, names))
        else:
            path.unlink()
    missing = sorted(wanted.keys() - {name for _, names in files for name in names})
    if missing:
        made = _made(folder, [wanted[name] for name in missing], missing)
        files.append((made, missing))
    while len(files) > 1 and files[-2][0].stat().st_size < 2 * files[-1][0].stat().st_size:
        (before, first), (last, second) = files[-2:]
        both = [*first, *second]
        files[-2:] = [(_merged(folder, [before, last], both, len(first)), both)]
        for old in {before, last} - {files[-1][0]}:
            old.unlink()


def found(
    connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit], names: Sequence[str]
) -> Found | None:
    """Where events are that may name one of these; None when the index is not of this store, or cannot be read."""
    folder = store / FOLDER
    paths = sorted(folder.glob(f"*{ENDING}")) if folder.is_dir() else []
    covered = [_covers(connection, path) or [] for path in paths]
    wanted = _wanted(chain)
    if sorted(name for named in covered for name in named) != sorted(wanted):
        return None
    if not wanted:
        return Found((), ())
    keys = connection.execute(f"SELECT {_KEY.format('unnest(?::VARCHAR[])')}", [list(names)]).fetchall()
    marks = ", ".join("?" * len(keys))
    try:
        rows = connection.execute(
            f"SELECT DISTINCT epoch_us(occurred_at), file_index, part FROM read_parquet(?) WHERE key IN ({marks})",
            [[str(path) for path in paths], *(key for (key,) in keys)],
        ).fetchall()
        parts = {covered[file][part] for _, file, part in rows}
    except (*_UNREADABLE, LookupError):
        return None
    files = tuple(str(path.resolve()) for name, path in reversed(wanted.items()) if name in parts)
    return Found(files, tuple(sorted({moment for moment, _, _ in rows})))


def strange(
    connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit], drawn: int
) -> tuple[Path | None, list[Path]]:
    """The first index that says otherwise than the events that it is of, by sums of hashes that begin with a number;
    and the files that are of no events here: they are not read, and made again by the next run."""
    wanted = _wanted(chain)
    foreign = []
    for path in sorted((store / FOLDER).glob("*")):
        if path.name == NEW:
            continue  # a run is writing it, or was killed then: nobody reads it
        names = _covers(connection, path)
        if names is None or not set(names) <= wanted.keys():
            foreign.append(path)
        elif not _agrees(connection, path, [wanted[name] for name in names], drawn):
            return path, foreign
    return None, foreign


def _agrees(connection: duckdb.DuckDBPyConnection, path: Path, events: Sequence[Path], drawn: int) -> bool:
    """Whether an index has the rows that it must have, and each stretch the bounds by which it is passed over."""
    file = "'" + str(path.resolve()).replace("'", "''") + "'"
    try:
        if connection.execute(_BOUNDS.format(file=file, stretch=_STRETCH)).fetchall():
            return False
        theirs = connection.execute(_SUM.format(drawn=drawn, rows=f"FROM read_parquet({file})")).fetchall()
    except _UNREADABLE:
        return False
    return theirs == connection.execute(_SUM.format(drawn=drawn, rows=_rows(events))).fetchall()


_SUM = """SELECT count(*), sum(hash({drawn}, key, occurred_at, part)::HUGEINT),
  bit_xor(hash({drawn}, key, occurred_at, part)) FROM ({rows})"""
# Stretches that are not told of as they are.
_BOUNDS = """SELECT * FROM (
    SELECT file_row_number // {stretch} AS stretch, count(*) AS rows,
      min(key)::VARCHAR AS least, max(key)::VARCHAR AS most
    FROM read_parquet({file}, file_row_number = true) GROUP BY stretch) held
  FULL JOIN (SELECT * FROM parquet_metadata({file}) WHERE path_in_schema = 'key') told ON row_group_id = stretch
  WHERE (rows, least, most, 0) IS DISTINCT FROM (row_group_num_rows, stats_min_value, stats_max_value, stats_null_count)
    OR num_values IS DISTINCT FROM rows OR bloom_filter_offset IS NOT NULL LIMIT 1"""


def _wanted(chain: Sequence[Commit]) -> dict[str, Path]:
    return {part.name: part.events for part in stores.parts(chain) if part.events is not None}


def _covers(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str] | None:
    """The parts whose events an index file has; None when it is no whole one."""
    if path.suffix != ENDING:
        return None
    try:
        told = connection.execute(
            "SELECT decode(value) FROM parquet_kv_metadata(?) WHERE decode(key) = 'index'", [str(path)]
        ).fetchall()
        told_by = json.loads(told[0][0])
        made = (told_by["engine"], told_by["made_of"])
        return list(told_by["parts"]) if made == (duckdb.__version__, _MADE_OF) else None
    except (duckdb.Error, LookupError, TypeError, ValueError):
        return None


def _made(folder: Path, events: Sequence[Path], names: Sequence[str]) -> Path:
    """An index of the events of some parts."""
    return _written(folder, _rows(events), names)


def _rows(events: Sequence[Path]) -> str:
    """SQL: what an index of these files has."""
    listed = ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in events)
    named = NAMES.format(
        columns="occurred_at, file_index::INTEGER AS part", events=f"read_parquet([{listed}])"
    )
    keys = f"SELECT {_KEY.format('name')} AS key, occurred_at, part FROM ({named})"
    return f"SELECT * FROM ({keys}) WHERE key IS NOT NULL"


def _merged(folder: Path, paths: Sequence[Path], names: Sequence[str], first: int) -> Path:
    """Two indexes as one; the parts of the second, which follow the `first` ones, count on."""
    listed = ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in paths)
    part = f"(part + CASE WHEN file_index = 0 THEN 0 ELSE {first} END)::INTEGER AS part"
    return _written(folder, f"SELECT key, occurred_at, {part} FROM read_parquet([{listed}])", names)


def _written(folder: Path, query: str, names: Sequence[str]) -> Path:
    """Sorted, so that the reader sees by the bounds of each stretch where a name can be."""
    temporary = folder / NEW
    quoted = str(temporary.resolve()).replace("'", "''")
    told = json.dumps({"parts": list(names), "engine": duckdb.__version__, "made_of": _MADE_OF}).replace(
        "'", "''"
    )
    with engine.connect(memory_limit=MEMORY) as connection:
        spill = str(scratch.spill(folder.parent.resolve())).replace("'", "''")
        connection.execute(f"SET temp_directory = '{spill}'")
        memory.hold(connection)
        connection.execute(
            f"COPY ({query} ORDER BY key, occurred_at, part) TO '{quoted}' ({_WRITTEN}, "
            f"KV_METADATA {{index: '{told}'}})"
        )
    temporary.chmod(0o600)
    stores.fsync(temporary)
    place = folder / f"{names[0].partition('/')[0]}-{names[-1].partition('/')[0]}{ENDING}"
    temporary.rename(place)
    stores.fsync(folder)
    return place
