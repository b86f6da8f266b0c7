"""A store of any size for the benches, its lines and events made in SQL and written as a load writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline import catalog, parts
from pipeline import store as stores
from pipeline.columns import EVENT_COLUMNS
from pipeline.config import from_dict, to_dict
from pipeline.store import part_names
from pipeline.views import LINE_COLUMNS

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BLOCK = 50_000  # lines of 640 bytes in the 32 MB that a load judges at once

# What differs from nothing or from one value; `i` counts the events.
MADE = {
    "source": "'printago'",
    "instance": "'s1t2o3r4e5i6d7x8y9z0a1b2'",
    "occurred_at": "make_timestamptz({begin} + i * 2500000 + (hash(i) % 2000)::BIGINT * 1000)",
    "occurred_at_raw": "strftime(make_timestamp({begin} + i * 2500000), '%Y-%m-%dT%H:%M:%S.%gZ')",
    "time_precision": "'ms'",
    "tz_source": "'in_value'",
    "actor_type": "'user'",
    "actor_type_raw": "'user'",
    "actor_email": "'person' || hash(i + 1) % 60 || '@example.com'",
    "actor_anonymous": "false",
    "action": "(['update', 'create', 'delete'])[1 + (hash(i + 2) % 3)::BIGINT]",
    "is_bulk": "false",
    "action_raw": "(['update', 'create', 'delete'])[1 + (hash(i + 2) % 3)::BIGINT]",
    "action_detail": "(['printJob.update', 'order.create', 'part.delete'])[1 + (hash(i + 2) % 3)::BIGINT]",
    "category": "'printer'",
    "entity_type": "'print_job'",
    "entity_type_raw": "'PrintJobs'",
    "outcome": "'unknown'",
    "source_ip": "'198.51.100.' || (1 + hash(i + 1) % 60)",
    "user_agent": "'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36'",
    "reason": "CASE WHEN i % 50 = 0 THEN '=A1 is what they typed, \"quoted\"' END",
    "changes": """[{'field': 'status', 'old': '"pending"', 'new': '"printing"', 'old_present': true,
        'new_present': true, 'redacted': false},
      {'field': 'slot', 'old': (hash(i) % 8)::VARCHAR, 'new': 'null', 'old_present': true, 'new_present': true,
        'redacted': false}]""",
    "metadata": "CASE WHEN i % 6 = 0 THEN '{\"count\":3}' END",
    "file": "'printago.jsonl'",
    "file_sha256": "repeat('a', 64)",
    "line": "i + 1",
    "mapping_version": "'1'",
    "schema_version": "'1'",
    "event_uid": "md5('e' || i)",
    "source_event_id": "left(md5('s' || i), 24)",
    "actor_id": "left(md5('a' || hash(i + 1) % 60), 24)",
    "entity_id": "left(md5('j' || hash(i + 3) % 200000), 24)",
    "correlation_id": "left(md5('c' || i // 2), 24)",
    "message": """'Job ' || hash(i + 3) % 200000 || ' moved to slot ' || hash(i) % 8
      || ' of printer ' || hash(i + 4) % 40""",
}
LINE = {
    "file": "'printago.jsonl'",
    "file_sha256": "repeat('a', 64)",
    "line": "i + 1",
    "byte_offset": "i * 640",
    "fate": "'event'",
    "raw": """'{"id":"' || left(md5('s' || i), 24) || '","actorEmail":"person' || hash(i + 1) % 60 || '","userAgent":"'
      || repeat('x', 400) || '","correlationId":"' || left(md5('c' || i // 2), 24) || '"}'""",
    "newline": "true",
    "event_uid": "md5('e' || i)",
}


def make(store: Path, events: int, since: datetime = BEGIN, first: int = 0) -> None:
    """Add a commit in parts, its lines and events made in SQL block by block, from a moment on; `first` are there."""
    lists = {name: "[]" for name, kind in EVENT_COLUMNS.items() if kind.endswith("[]")}
    begin_us = f"{int(since.timestamp())}000000"
    given = {name: sql.replace("{begin}", begin_us) for name, sql in MADE.items()}
    made = _select(EVENT_COLUMNS, {**lists, **given})
    if not first:
        stores.create(store)
    lines = _select(LINE_COLUMNS, {**LINE, "commit_no": str(len(stores.commits(store)) + 1)})

    def write(folder: Path) -> dict[str, int]:
        counts = {}
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            for number, begin in enumerate(range(first, first + events, BLOCK), start=1):
                size = min(BLOCK, first + events - begin)
                among = f"FROM range({begin}, {begin + size}) AS t(i)"
                for name, query in zip(part_names(number), (lines, made), strict=True):
                    parts.write(folder / name, con.sql(f"{query} {among}").to_arrow_table())
                    counts[name] = size
        return counts

    config = from_dict({})
    stores.commit(store, "load", {"config": to_dict(config), "inputs": []}, write)
    catalog.publish(store, config)


def _select(columns: dict[str, str], values: dict[str, str]) -> str:
    cells = (f'({values.get(name, "NULL")})::{kind} AS "{name}"' for name, kind in columns.items())
    return f"SELECT {', '.join(cells)}"
