"""Events that must go -> the lines of the store that say them, and the commit that rewrites their parts without them.

With an event go its duplicates and the rest of its record's lines. Shared by retention and erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from pipeline import catalog, originals, replaced
from pipeline import store as stores
from pipeline.config import Config
from pipeline.errors import UsageError
from pipeline.store import Commit, Part

COUNTED = ("habits.parquet", "places.parquet", "days.parquet", "sightings.parquet")


@dataclass(frozen=True)
class Due:
    """Lines that are to go, by part, and how many of each fate of each source."""

    rows: dict[Part, np.ndarray]
    counts: dict[str, dict[str, int]]
    first: dict[str, str | None]
    last: dict[str, str | None]
    digest: str
    originals: tuple[str, ...] = ()  # kept input files with such a line, by hash: they go as a whole
    staying: tuple[str, ...] = ()  # those that stay, for a line of theirs is on hold

    @property
    def anything(self) -> bool:
        return bool(self.lines or self.originals)

    @property
    def lines(self) -> int:
        return sum(len(rows) for rows in self.rows.values())

    @property
    def bytes(self) -> int:
        paths = [path for part in self.rows for path in (part.lines, part.events) if path is not None]
        return sum(path.stat().st_size for path in paths)


def due(connection: duckdb.DuckDBPyConnection, chain: Sequence[Commit]) -> Due:
    """What goes with the rows of the temporary tables `due_events` (event_uid, source) and `due_lines` (commit_no,
    file, file_sha256, line, source)."""
    found = {str(part.lines.resolve()): part for part in stores.parts(chain)}
    if not found:
        return Due({}, {}, {}, {}, stores.sha256_text(""))
    names = ", ".join("'" + name.replace("'", "''") + "'" for name in found)
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW placed AS SELECT filename, file_row_number AS row, file, file_sha256, line, fate, "
        "reason, event_uid, commit_no, same_commit, same_file_sha256, same_line "
        f"FROM read_parquet([{names}], filename = true, file_row_number = true)"
    )
    connection.execute(_GOING)
    rows: dict[Part, np.ndarray] = {}
    for name, places in connection.execute(
        "SELECT filename, list(row ORDER BY row) FROM going GROUP BY 1 ORDER BY 1"
    ).fetchall():
        rows[found[name]] = np.array(places, np.int64)
    counts: dict[str, dict[str, int]] = {}
    for source, fate, number in connection.execute(
        "SELECT source, fate, count(*) FROM going GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        counts.setdefault(source, {})[fate] = number
    spans = connection.execute(
        "SELECT source, strftime(min(occurred_at), '%Y-%m-%dT%H:%M:%SZ'), "
        "strftime(max(occurred_at), '%Y-%m-%dT%H:%M:%SZ') "
        "FROM events SEMI JOIN due_events USING (event_uid) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    digest = connection.execute(
        "SELECT sha256(coalesce(string_agg(event_uid, chr(10) ORDER BY event_uid), '')) FROM due_events"
    ).fetchone()
    assert digest is not None
    order = sorted(rows, key=lambda part: part.name)
    removed, staying = originals.of_lines(connection, chain)
    return Due(
        {part: rows[part] for part in order}, counts, {one[0]: one[1] for one in spans},
        {one[0]: one[2] for one in spans}, str(digest[0]), tuple(removed), tuple(staying),
    )  # fmt: skip


# First the lines of the events, then what repeats them, what is left of their records, and what was named itself.
_GOING = """CREATE OR REPLACE TEMP TABLE going AS
  WITH firsts AS (SELECT p.*, d.source FROM placed p JOIN due_events d USING (event_uid) WHERE p.fate = 'event'),
  repeats AS (SELECT p.*, f.source FROM placed p JOIN firsts f ON p.same_commit = f.commit_no
    AND p.same_file_sha256 = f.file_sha256 AND p.same_line = f.line WHERE p.fate = 'duplicate'),
  named AS (SELECT p.*, d.source FROM placed p JOIN due_lines d USING (commit_no, file, file_sha256, line)
    WHERE p.fate != 'purged'),
  taken AS (SELECT DISTINCT * FROM (FROM firsts UNION ALL FROM repeats UNION ALL FROM named)),
  many AS (SELECT DISTINCT commit_no, file, file_sha256 FROM placed WHERE reason = 'continued'),
  records AS (SELECT p.*, max(CASE WHEN p.reason IS DISTINCT FROM 'continued' THEN p.line END) OVER
      (PARTITION BY p.commit_no, p.file, p.file_sha256 ORDER BY p.line) AS begins
    FROM placed p SEMI JOIN many USING (commit_no, file, file_sha256)),
  rest AS (SELECT r.* EXCLUDE (begins), t.source FROM records r JOIN taken t ON r.commit_no = t.commit_no
    AND r.file = t.file AND r.file_sha256 = t.file_sha256 AND r.begins = t.line WHERE r.reason = 'continued')
  SELECT filename, row, fate, source, commit_no, file, file_sha256, line
  FROM (FROM taken UNION ALL FROM rest)"""


def word(kind: str, lines: int) -> str:
    """What must be typed: it holds the number that was planned, so that another plan needs another word."""
    return f"{kind} {lines}"


def check(given: str | None, wanted: str) -> None:
    """An error unless the word was typed."""
    if given is None or " ".join(given.split()) != wanted:
        raise UsageError(
            f'the word is "{wanted}"; nothing was changed.', hint="Look at the plan, then type it."
        )


def tombstone(source: str, found: Due, **policy: object) -> dict[str, Any]:
    """What is said for good of what went: how much of what, under which policy; no word of it."""
    return {
        "source": source, "lines": found.counts[source], "first_event": found.first.get(source),
        "last_event": found.last.get(source), "events_sha256": found.digest, **policy,
    }  # fmt: skip


def commit(
    path: Path, kind: str, found: Due, tombstones: Sequence[dict[str, Any]], config: Config, given: str | None,
    run: dict[str, Any],
    more: Callable[[Path], tuple[dict[str, int], list[str]]] = lambda folder: ({}, []),
) -> Commit:  # fmt: skip
    """Rewrite the parts concerned, in one commit; the caller holds the lock. `more` writes further replacements."""
    check(given, word("erase" if kind == "erasure" else "purge", found.lines))
    chain = stores.commits(path)
    content: dict[str, Any] = {"replaces": [], "tombstones": list(tombstones)}

    def write(folder: Path) -> dict[str, int]:
        rows, names = replaced.without(folder, found.rows, kind)
        others, replaces = more(folder)
        content["replaces"] = [*names, *replaces, *_told_of(chain, set(names))]
        content["replaced"] = {name: chain_hash(chain, name) for name in content["replaces"]}
        if found.originals:
            content["originals_removed"] = list(found.originals)
        return rows | others

    done = stores.commit(path, kind, content, write, run, config.signing)
    originals.sweep(path, [*chain, done])
    catalog.publish(path, catalog.recorded_config(chain))
    return done


def _told_of(chain: Sequence[Commit], replaced_: set[str]) -> list[str]:
    """What evaluations counted of these parts (who, from where, when): nothing takes its place, it is counted anew."""
    gone = replaced.superseded(chain)
    return [
        name
        for link in chain
        if replaced_ & set(link.content.get("events", {}))
        for name in (f"{link.folder.name}/{file}" for file in COUNTED if file in link.content["files"])
        if name not in gone
    ]


def chain_hash(chain: Sequence[Commit], name: str) -> str:
    """The sha256 of a file, as the chain has it."""
    folder, _, file = name.partition("/")
    link = next(link for link in chain if link.folder.name == folder)
    return str(link.content["files"][file]["sha256"])
