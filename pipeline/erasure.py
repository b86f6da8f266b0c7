"""A person's wish to be forgotten: every line that says an id or address of theirs is purged, in one commit.

What stands in the records of the chain itself (configuration, arguments) cannot be rewritten; the plan counts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import catalog, purge, redact
from pipeline import store as stores
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.keeping import FILE as HOLDS
from pipeline.lock import locked
from pipeline.purge import Due
from pipeline.replaced import in_force
from pipeline.store import Commit

ERASED = "[ERASED]"
SMALL = ("findings.parquet", "dispositions.parquet", HOLDS)
SIGNERS = ("reviewer", "os_user", "by")  # who decided stays answerable
SHORTEST = 4


@dataclass(frozen=True)
class Plan:
    """What would go, what a hold keeps, where else the person is named."""

    spellings: tuple[str, ...]
    due: Due
    held: int
    rows: int  # of findings, decisions and holds whose words would be replaced
    records: int  # of the chain that name the person, and stay

    @property
    def word(self) -> str:
        return purge.word("erase", self.due.lines)

    def as_json(self) -> dict[str, Any]:
        return {
            "spellings": list(self.spellings), "lines": self.due.lines, "by_source": self.due.counts,
            "held": self.held, "rows": self.rows, "records": self.records,
            "parts": [part.name for part in self.due.rows], "bytes": self.due.bytes,
            "originals": len(self.due.originals), "originals_on_hold": len(self.due.staying), "word": self.word,
        }  # fmt: skip


def plan(store: Path | str, config: Config, persons: Sequence[str]) -> Plan:
    """What erasing a person would take, in numbers; nothing is changed."""
    path = Path(store)
    stores.require(path)
    with catalog.connect(path, config) as connection:
        return _plan(connection, stores.commits(path), persons)


def answered_for(by: str, reason: str) -> None:
    """An error unless somebody answers for an erasure and says why."""
    if not reason.strip() or not by.strip():
        raise UsageError(
            "an erasure needs a person who answers for it and a reason.", hint="Give --by and --reason."
        )


def apply(
    store: Path | str, config: Config, persons: Sequence[str], *, word: str | None, reason: str, by: str
) -> tuple[Plan, Commit | None]:
    """Erase a person, in one commit; the word is the plan's. Who asked for it is named by no word of the record."""
    path = Path(store)
    stores.require(path)
    answered_for(by, reason)
    with locked(path) as interrupted, catalog.connect(path, config) as connection:
        chain = stores.commits(path)
        found = _plan(connection, chain, persons)
        if not found.due.anything and not found.rows:
            return found, None
        stones = [
            purge.tombstone(source, found.due, policy=f"erasure: {reason}") for source in found.due.counts
        ]
        run: dict[str, Any] = {"arguments": ["erase", redact.REDACTED], "by": by, "reason": reason}
        run |= {"interrupted": interrupted} if interrupted else {}
        return found, purge.commit(
            path, "erasure", found.due, stones, config, word, run,
            lambda folder: _rewritten(chain, folder, found.spellings),
        )  # fmt: skip


def _plan(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit], persons: Sequence[str]) -> Plan:
    spellings = _spellings(connection, persons)
    connection.execute("CREATE TEMP TABLE needles AS SELECT unnest(?::VARCHAR[]) AS needle", [spellings])
    connection.execute(_NAMED)
    connection.execute(
        "CREATE TEMP TABLE due_events AS SELECT event_uid, source FROM named ANTI JOIN held_events USING (event_uid)"
    )
    connection.execute(_LINES)
    row = connection.execute("SELECT count(*) FROM named SEMI JOIN held_events USING (event_uid)").fetchone()
    held = int(row[0]) if row else 0
    due = purge.due(connection, chain)
    rows = sum(
        _erased(pq.read_table(path, partitioning=None), spellings)[1]
        for name in SMALL
        for _, path in in_force(chain, name)
    )
    records = sum(_names(stores.canonical(link.record), spellings) for link in chain)
    return Plan(tuple(spellings), due, held, rows, records)


def _spellings(connection: duckdb.DuckDBPyConnection, persons: Sequence[str]) -> list[str]:
    """Ids and addresses of a person, as configured and as seen; a name counts only if it was typed."""
    typed = [person.strip().lower() for person in persons]
    if short := [person for person in typed if len(person) < SHORTEST]:
        raise UsageError(
            f'"{short[0]}" is too short to name one person.', hint=f"Give {SHORTEST} characters or more."
        )
    found = connection.execute(
        """WITH theirs AS (SELECT actor_key FROM actors WHERE list_has_any($typed::VARCHAR[],
             [lower(person), lower(email), lower(actor_key)]))
           SELECT DISTINCT lower(word) FROM (
             SELECT unnest([e.actor_id, e.actor_email]) AS word FROM events e SEMI JOIN theirs USING (actor_key)
             UNION ALL SELECT p.id FROM people p SEMI JOIN theirs USING (actor_key) WHERE contains(p.id, '@'))
           WHERE length(word) >= $shortest""",
        {"typed": typed, "shortest": SHORTEST},
    ).fetchall()
    return sorted({*typed, *(word for (word,) in found)})


def _names(text: str, spellings: Sequence[str]) -> bool:
    return any(spelling in text.lower() for spelling in spellings)


# Every column of the event is looked at, and the line as it was: what is escaped in the one is plain in the other.
_NAMED = """CREATE TEMP TABLE named AS SELECT DISTINCT e.event_uid, e.source FROM events e
  JOIN (SELECT event_uid, raw FROM stored_lines WHERE fate = 'event') l USING (event_uid), needles
  WHERE contains(lower(l.raw), needle) OR contains(lower(e::VARCHAR), needle)"""

# A reject that names the person stays while anything of its source is on hold, as in retention.
_LINES = """CREATE TEMP TABLE due_lines AS
  SELECT DISTINCT l.commit_no, l.file, l.file_sha256, l.line, f.source
  FROM stored_lines l JOIN files f ON l.commit_no = f.commit_no AND l.file = f.file AND l.file_sha256 = f.sha256,
    needles
  WHERE l.fate IN ('reject', 'duplicate')
    AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.active AND (h.source IS NULL OR h.source = f.source))
    AND (contains(lower(l.raw), needle) OR contains(lower(l.raw_bytes::VARCHAR), needle))"""


def _rewritten(
    chain: Sequence[Commit], folder: Path, spellings: Sequence[str]
) -> tuple[dict[str, int], list[str]]:
    """Findings, decisions and holds that name the person, again with the name replaced."""
    rows, replaces = {}, []
    for name in SMALL:
        for number, path in in_force(chain, name):
            table, changed = _erased(pq.read_table(path, partitioning=None), spellings)
            if changed:
                target = folder / f"{number:06d}-{name}"
                pq.write_table(table, target, compression="zstd")
                rows[target.name] = table.num_rows
                replaces.append(f"{path.parent.name}/{path.name}")
    return rows, replaces


def _erased(table: pa.Table, spellings: Sequence[str]) -> tuple[pa.Table, int]:
    """A table with the person's spellings replaced, and in how many rows."""
    import re

    pattern = re.compile("|".join(re.escape(spelling) for spelling in spellings), re.IGNORECASE)
    changed: set[int] = set()
    for place, column in enumerate(table.schema):
        if not pa.types.is_string(column.type) or column.name in SIGNERS:
            continue
        texts = table.column(place).to_pylist()
        made = [text if text is None else pattern.sub(ERASED, text) for text in texts]
        changed |= {row for row, (text, new) in enumerate(zip(texts, made, strict=True)) if text != new}
        table = table.set_column(place, column, pa.array(made, pa.string()))
    return table, len(changed)
