"""Which moments name which thing: a small sorted index beside the commits, so that one thing's life is found quickly.

A cache in `entities/`, made again from the events of the parts when it does not belong to them. It holds no id, only 40
bits of each name's hash and the time of the event: a hint where to look. What is found there is compared in full.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb

from pipeline import engine, memory, scratch
from pipeline import store as stores
from pipeline.store import Commit

FOLDER = "entities"
ENDING = ".entities"
RUNS = "background_job"  # a job that has no entity in the log is asked for by its name or its run
MEMORY = "512MB"
# The ids that a decision names are items, whatever the product calls the thing decided on.
_BULK = "CASE WHEN action IN ('approve', 'reject', 'request_change') THEN '' ELSE entity_type END"
# Every name that an event gives to a thing it concerns, `TYPE:ID`, one row for each.
NAMES = f"""SELECT {{columns}}, entity_type || ':' || entity_id AS name FROM {{events}} WHERE entity_id IS NOT NULL
UNION ALL SELECT {{columns}}, parent_entity_type || ':' || parent_entity_id FROM {{events}}
  WHERE parent_entity_id IS NOT NULL
UNION ALL SELECT {{columns}}, {_BULK} || ':' || unnest(entity_ids) FROM {{events}} WHERE len(entity_ids) > 0
UNION ALL SELECT {{columns}}, unnest(list_transform(related_entities, lambda r: r.type || ':' || r.id)) FROM {{events}}
  WHERE len(related_entities) > 0
UNION ALL SELECT {{columns}}, '{RUNS}:' || unnest([action_detail, metadata->>'job_run_id']) FROM {{events}}
  WHERE category = '{RUNS}'"""
_KEY = "hash({}) >> 24"  # of this version of the engine: an index of another one is made again


def publish(store: Path, chain: Sequence[Commit]) -> None:
    """Bring the index up to date: what is new becomes a file, and small files are put together."""
    folder = store / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    wanted = _wanted(chain)
    files: list[tuple[Path, list[str]]] = []
    for path in sorted(folder.iterdir()):
        names = _covers(path)
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
        files[-2:] = [(_merged(folder, [before, last], [*first, *second]), [*first, *second])]
        for old in {before, last} - {files[-1][0]}:
            old.unlink()


def moments(
    connection: duckdb.DuckDBPyConnection, store: Path, chain: Sequence[Commit], names: Sequence[str]
) -> list[int] | None:
    """The times (microseconds) of all events that may name one of these; None when the index is not of this store."""
    folder = store / FOLDER
    paths = sorted(folder.glob(f"*{ENDING}")) if folder.is_dir() else []
    covered = [name for path in paths for name in _covers(path) or []]
    wanted = _wanted(chain)
    if set(covered) != wanted.keys() or len(covered) != len(wanted):
        return None
    if not wanted:
        return []
    keys = connection.execute(f"SELECT {_KEY.format('unnest(?::VARCHAR[])')}", [list(names)]).fetchall()
    marks = ", ".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT DISTINCT epoch_us(occurred_at) FROM read_parquet(?) WHERE key IN ({marks}) ORDER BY 1",
        [[str(path) for path in paths], *(key for (key,) in keys)],
    ).fetchall()
    return [moment for (moment,) in rows]


def _wanted(chain: Sequence[Commit]) -> dict[str, Path]:
    return {part.name: part.events for part in stores.parts(chain) if part.events is not None}


def _covers(path: Path) -> list[str] | None:
    """The parts whose events an index file has; None when it is no whole one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.suffix != ENDING:
        return None
    try:
        told = (pq.read_metadata(path).metadata or {}).get(b"index")
    except (OSError, pa.ArrowInvalid):
        return None
    told_by = json.loads(told) if told else {}
    return list(told_by["parts"]) if told_by.get("engine") == duckdb.__version__ else None


def _made(folder: Path, events: Sequence[Path], names: Sequence[str]) -> Path:
    """An index of the events of some parts."""
    listed = ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in events)
    named = NAMES.format(columns="occurred_at", events=f"read_parquet([{listed}])")
    return _written(folder, f"SELECT {_KEY.format('name')} AS key, occurred_at FROM ({named})", names)


def _merged(folder: Path, paths: Sequence[Path], names: Sequence[str]) -> Path:
    listed = ", ".join("'" + str(path.resolve()).replace("'", "''") + "'" for path in paths)
    return _written(folder, f"SELECT key, occurred_at FROM read_parquet([{listed}])", names)


def _written(folder: Path, query: str, names: Sequence[str]) -> Path:
    """Sorted, so that the reader sees by the bounds of each stretch where a name can be."""
    temporary = folder / ".new"
    quoted = str(temporary.resolve()).replace("'", "''")
    told = json.dumps({"parts": list(names), "engine": duckdb.__version__}).replace("'", "''")
    with engine.connect(memory_limit=MEMORY) as connection:
        spill = str(scratch.spill(folder.parent.resolve())).replace("'", "''")
        connection.execute(f"SET temp_directory = '{spill}'")
        memory.hold(connection)
        connection.execute(
            f"COPY ({query} WHERE key IS NOT NULL ORDER BY key, occurred_at) TO '{quoted}' (FORMAT parquet, "
            f"COMPRESSION zstd, PARQUET_VERSION v2, ROW_GROUP_SIZE 20480, KV_METADATA {{index: '{told}'}})"
        )
    temporary.chmod(0o600)
    stores.fsync(temporary)
    place = folder / f"{names[0].partition('/')[0]}-{names[-1].partition('/')[0]}{ENDING}"
    temporary.rename(place)
    stores.fsync(folder)
    return place
