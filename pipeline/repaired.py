"""Rejected lines that a later file of the same name loads: they are resolved, and count no longer. Part of load.

A line is resolved when the later file has a record in its place, and around it the same records as before: an export
that is written anew under one name each night resolves nothing by chance. Where a file was cut off there may be no
record in the whole one: that has the records before, and an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import engine
from pipeline import store as stores
from pipeline.ledger import InForce, in_force
from pipeline.store import Commit

LOOKED_BACK = 10  # loads of one name: a file is repaired soon, or never
Entry = dict[str, Any]

_RESOLVED = """
WITH seen AS (
  SELECT commit_no, file, file_sha256 AS sha256, line, fate,
    coalesce(reason IN ('truncated', 'bomb'), false) AS is_cut,
    CASE WHEN fate IN ('event', 'duplicate') THEN {
      'line': line, 'commit': coalesce(same_commit, commit_no), 'sha256': coalesce(same_file_sha256, file_sha256),
      'first': coalesce(same_line, line)} END AS record
  FROM read_parquet($lines) WHERE file IN (SELECT file FROM pairs)
),
around AS (
  SELECT *, lag(record IGNORE NULLS) OVER by_line AS before, lead(record IGNORE NULLS) OVER by_line AS after
  FROM seen WINDOW by_line AS (PARTITION BY commit_no, file, sha256 ORDER BY line)
)
SELECT DISTINCT p.later, p.commit_no, p.sha256, bad.line
FROM pairs p
JOIN around bad ON bad.commit_no = p.commit_no AND bad.file = p.file AND bad.sha256 = p.sha256 AND bad.fate = 'reject'
LEFT JOIN seen good ON good.commit_no = p.by_commit AND good.file = p.file AND good.sha256 = p.by_sha256
  AND good.line = bad.line AND good.record IS NOT NULL
LEFT JOIN seen b ON b.commit_no = p.by_commit AND b.file = p.file AND b.sha256 = p.by_sha256
  AND b.line = bad.before.line
LEFT JOIN seen a ON a.commit_no = p.by_commit AND a.file = p.file AND a.sha256 = p.by_sha256
  AND a.line = bad.after.line
WHERE bad.before IS NOT DISTINCT FROM b.record AND bad.after IS NOT DISTINCT FROM a.record
  AND (good.line IS NOT NULL OR (bad.is_cut AND b.line IS NOT NULL AND NOT EXISTS (
    FROM seen one WHERE one.commit_no = p.by_commit AND one.file = p.file AND one.sha256 = p.by_sha256 AND one.is_cut)))
ORDER BY ALL
"""


def may_be_repaired(later: Sequence[Entry], chain: Sequence[Commit]) -> list[InForce]:
    """Files of the store with lines that were rejected and not resolved since, of which a new file has the name."""
    names = {_name(one) for one in later}
    found = [one for one in in_force(chain) if _name(one.entry) in names]
    resolved = [(*where, one.entry["file"]) for one in found for where in one.entry.get("resolves", [])]
    open_ = [
        one
        for one in found
        if one.entry["rejects"]
        > sum((commit, digest, file) == (one.commit_no, one.entry["sha256"], one.entry["file"])
              for commit, digest, _, file in resolved)
    ]  # fmt: skip
    return [one for name in sorted(names, key=str) for one in open_ if _name(one.entry) == name][
        -LOOKED_BACK:
    ]


def lines_of(files: Sequence[InForce]) -> list[Path]:
    """The stored lines among which those of the files are."""
    links = {one.link.number: one.link for one in files}
    return [part.lines for link in links.values() for part in stores.parts([link])]


def written(folder: Path, rows: Iterable[str]) -> list[Path]:
    """The files of lines among those that were written."""
    return [folder / name for name in rows if name.startswith("lines")]


def with_resolved(
    later: Sequence[Entry], earlier: Sequence[Entry], lines: Sequence[Path], number: int = 0
) -> list[Entry]:
    """The files' lines of the ledger, with the rejected lines of earlier files that each resolves: load, hash, line."""
    pairs = [
        {"later": n, "by_commit": one.get("commit_no", number), "by_sha256": one["sha256"], "file": one["file"],
         "commit_no": old["commit_no"], "sha256": old["sha256"]}
        for n, one in enumerate(later) for old in earlier
        if _name(one) == _name(old) and old["rejects"]
        and (old["sha256"], old.get("stopped")) != (one["sha256"], one.get("stopped"))
        and old["commit_no"] < one.get("commit_no", number)
    ]  # fmt: skip
    if not pairs:
        return list(later)
    with engine.connect() as connection:
        connection.register("pairs", pa.Table.from_pylist(pairs))
        found = connection.execute(_RESOLVED, {"lines": [str(path) for path in lines]}).fetchall()
    resolved: dict[int, list[list[Any]]] = {}
    for at, *where in found:
        resolved.setdefault(at, []).append(where)
    return [{**one, "resolves": resolved[n]} if n in resolved else one for n, one in enumerate(later)]


def _name(one: Entry) -> tuple[str, str | None, str | None]:
    return one["file"], one["source"], one["instance"]
