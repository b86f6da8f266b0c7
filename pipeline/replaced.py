"""Files of earlier commits that a later commit stands in for: rewritten without some lines, removed a day later.

A commit that replaces names them in `content["replaces"]`, as `000002/lines.parquet`, and holds what takes their place:
parts of its own, and `000002-findings.parquet` for another commit's small file. Shared by retention, erasure, remap
and forget; their hashes stay in the chain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.store import Commit, Part, fsync, part_names

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

GRACE = timedelta(hours=24)  # readers that opened the store before go on reading
PURGED = "purged"
_INSTEAD = {
    "remap": "what is loaded from now on is read anew, and a new store reads all that you still have.",
    "forget": "a new store holds only what you load into it, and retention takes what is left of this file.",
}
_KEPT = ("file", "file_sha256", "line", "byte_offset", "newline", "event_uid", "commit_no",
         "same_commit", "same_file_sha256", "same_line")  # fmt: skip


def superseded(chain: Sequence[Commit]) -> dict[str, int]:
    """Every file that a later commit stands in for, and the number of that commit."""
    known: set[str] = set()
    found: dict[str, int] = {}
    for link in chain:
        for name in link.content.get("replaces", []):
            found |= {each: link.number for each in (name, _beside(name)) if each in known}
        known |= {f"{link.folder.name}/{name}" for name in link.content["files"]}
    return found


def _beside(name: str) -> str:
    """The file of events that goes with a file of lines."""
    return name.replace("/lines", "/events")


def in_force(chain: Sequence[Commit], name: str) -> list[tuple[int, Path]]:
    """A small file of each commit that has one, with the commit's number: where a later one stands in, that one."""
    gone = superseded(chain)
    found: dict[int, Path] = {}
    for link in chain:
        for file in link.content["files"]:
            number, _, own = file.rpartition("-")
            if own == name and f"{link.folder.name}/{file}" not in gone:
                found[int(number) if number else link.number] = link.folder / file
    return sorted(found.items())


def remove(chain: Sequence[Commit], now: datetime | None = None) -> list[str]:
    """Remove what was replaced more than a day ago; the names of what went."""
    moment = now or datetime.now(UTC)
    folders = {link.folder.name: link.folder for link in chain}
    committed = {link.number: datetime.fromisoformat(link.record["run"]["committed"]) for link in chain}
    removed = []
    for name, by in superseded(chain).items():
        folder, _, file = name.partition("/")
        path = folders[folder] / file
        if moment - committed[by] >= GRACE and path.exists():
            path.unlink()
            fsync(path.parent)
            removed.append(name)
    return removed


def without(folder: Path, taken: Mapping[Part, np.ndarray], reason: str) -> tuple[dict[str, int], list[str]]:
    """Write parts again without the words of some lines (their rows in the part); row counts and what is replaced.

    A purged line keeps its place and its identity, so that it is still accounted for and does not come back.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipeline import parts

    rows: dict[str, int] = {}
    for number, (part, places) in enumerate(taken.items(), start=1):
        lines, events = part_names(number)
        table = pq.ParquetFile(part.lines).read()
        purged = np.zeros(table.num_rows, bool)
        purged[places] = True
        gone = table.column("event_uid").filter(pa.array(purged)).drop_null()
        made = _emptied(table, purged, reason)
        parts.write(folder / lines, made)
        rows[lines] = made.num_rows
        if part.events is None:
            continue
        left = pq.ParquetFile(part.events).read()
        left = left.filter(pc.invert(pc.is_in(left.column("event_uid"), gone)))
        if left.num_rows:
            parts.write(folder / events, left)
            rows[events] = left.num_rows
    return rows, [part.name for part in taken]


def refuse_purged(found: Sequence[Part], loads: Set[tuple[int, str, str]], what: str) -> None:
    """An error when lines of these files were purged: read again, they would not be known, and could come back."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for part in found:
        table = pq.ParquetFile(part.lines).read(columns=["fate", "commit_no", "file", "file_sha256"])
        gone = table.filter(pc.equal(table.column("fate"), PURGED)).drop_columns("fate")
        hit = loads & set(zip(*(column.to_pylist() for column in gone.columns), strict=True))
        if hit:
            raise UsageError(
                f"{sorted(hit)[0][1]} has lines that were purged: after {what} they would come back when loaded again.",
                hint='`auditbook sql "FROM tombstones"` says when, and under which policy. What is loaded stays as it '
                f"is; {_INSTEAD[what]}",
            )


def _emptied(table: pa.Table, purged: np.ndarray, reason: str) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = pa.array(purged)
    said = {"fate": PURGED, "reason": reason}
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if name in said:
            column = pc.if_else(mask, said[name], column)
        elif name not in _KEPT:
            column = pc.if_else(mask, pa.scalar(None, column.type), column)
        columns[name] = column
    return pa.table(columns)
