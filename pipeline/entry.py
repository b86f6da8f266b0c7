"""One event in full: its columns, its raw line and place, what belongs with it, which findings name it. For query."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline import audience, views, vocabulary
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.ids import Known
    from pipeline.query import Log
    from pipeline.store import Part

MOST = 5  # uids that an ambiguous beginning lists
_DIGITS = re.compile(r"[0-9a-f]{1,32}")

_CORRELATED = (
    "SELECT event_uid FROM {} WHERE correlation_id = ? AND source = ? AND coalesce(instance, '') = ?"
)
_OPERATION = "source, instance, correlation_id"
_RIVALS = "SELECT event_uid FROM {} WHERE conflicts_with = ? ORDER BY occurred_at, file, line"
_FINDINGS = """SELECT finding_id, severity, state, detector, title, subject, window_start FROM findings
  WHERE finding_id IN (SELECT finding_id FROM finding_events WHERE event_uid = ?) ORDER BY window_start, finding_id"""
_OWN_ID = "SELECT event_uid FROM {} WHERE source_event_id = ?"
_LOADED = """SELECT run->>'committed' AS committed, run->>'user' AS loaded_by, head
  FROM commits WHERE commit_no = ?"""
_AGAIN = """SELECT file, line, byte_offset, commit_no FROM stored_lines
  WHERE fate = 'duplicate' AND same_commit = ? AND same_file_sha256 = ? AND same_line = ?
  ORDER BY commit_no, file, line"""


def entry(log: Log, typed: str) -> dict[str, Any]:
    """Everything that the store has about one event, by its uid, the beginning of it, or the source's own id."""
    uid, part = found(log, typed)
    others = _correlated(log, uid, part)
    rows = _whole(log, {uid: part, **others})
    row = next((one for one in rows if one["event_uid"] == uid), None)
    if row is None:
        raise UsageError(f"{uid} is no longer kept: retention or an erasure has removed what it said.")
    nothing = dict.fromkeys(("raw", "byte_offset", "line_sha256", "commit_no"))
    line = (_rows(log, _line(log, part), uid) or [nothing])[0]
    commit = line.pop("commit_no")
    return {
        **row, **line,
        "correlated": sorted(
            (one for one in rows if one is not row), key=lambda one: (one["occurred_at"], one["file"], one["line"])
        ),
        "findings": _rows(log, _FINDINGS, uid),
        "conflicting": [one["event_uid"] for one in _rows(log, _stored(log, _RIVALS), uid)],
        "loaded": {"commit_no": commit, **(_rows(log, _LOADED, commit) or [{}])[0]},
        "duplicates": _rows(log, _AGAIN, commit, row["file_sha256"], row["line"]),
    }  # fmt: skip


def operations(log: Log, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """How many entries each row's operation has, itself included: those that the product ties together."""
    ties = sorted({row["correlation_id"] for row in rows if row["correlation_id"]})
    if not ties:
        return [1] * len(rows)
    kept = "events" if log.shown.audience == "external" else audience.verbatim(log.shown, "events")
    among = f"correlation_id IN ({', '.join('?' * len(ties))})"
    counted = log.con.execute(
        f"SELECT {_OPERATION}, count(*) FROM {kept} WHERE {among} GROUP BY ALL", ties
    ).fetchall()
    of = {tuple(tie): number for *tie, number in counted}
    return [of.get((row["source"], row["instance"], row["correlation_id"]), 1) for row in rows]


def _correlated(log: Log, uid: str, part: Part) -> dict[str, Part | None]:
    """The other entries of an event's correlation, each with its part."""
    if part.events is None:
        return {}
    kept = views.parquet([str(part.events.resolve())], EVENT_COLUMNS)
    group = "SELECT correlation_id AS c, source, coalesce(instance, '') AS i"
    narrow = _rows(log, f"{group} FROM {kept} WHERE event_uid = ?", uid)
    if not narrow or narrow[0]["c"] is None:
        return {}
    found = _rows(log, _stored(log, _CORRELATED), narrow[0]["c"], narrow[0]["source"], narrow[0]["i"])
    known = _known(log)
    return {one["event_uid"]: known.part(one["event_uid"]) for one in found if one["event_uid"] != uid}


def _whole(log: Log, wanted: Mapping[str, Part | None]) -> list[dict[str, Any]]:
    """Events as their audience sees them, read from the parts that have them and from no others."""
    files = [str(part.events.resolve()) for part in dict.fromkeys(wanted.values()) if part and part.events]
    kept = views.events_of(views.parquet(files, EVENT_COLUMNS))
    marks = ", ".join("?" * len(wanted))
    log.con.execute(
        f"CREATE OR REPLACE TEMP TABLE picked AS SELECT * FROM ({kept}) WHERE event_uid IN ({marks})",
        [*wanted],
    )
    return _rows(log, audience.of_few(log.con, log.shown, "picked"))


def _line(log: Log, part: Part) -> str:
    kept = views.parquet([str(part.lines.resolve())], views.LINE_COLUMNS)
    inner = f"(SELECT *, sha256(raw) AS line_sha256 FROM {kept} WHERE event_uid = ? AND fate = 'event')"
    shown = audience.over(log.shown, "stored_lines", inner)
    return f"SELECT raw, byte_offset, line_sha256, commit_no FROM ({shown})"


def _stored(log: Log, query: str) -> str:
    return query.format(audience.verbatim(log.shown, "events"))


def found(log: Log, typed: str) -> tuple[str, Part]:
    """The uid and the part of the one event that is meant; none, or several, is an error that says what to type."""
    word = typed.strip()
    known = _known(log)
    uids, total = known.beginning(word.lower(), MOST + 1) if _DIGITS.fullmatch(word.lower()) else ([], 0)
    if not uids and len(word) <= vocabulary.LONGEST:
        uids = [row["event_uid"] for row in _rows(log, _stored(log, _OWN_ID), word)]
        total = len(uids)
    if total == 1 and (part := known.part(uids[0])) is not None:
        return uids[0], part
    if not total:
        raise UsageError(
            f'"{vocabulary.short(word)}" is no event of this store.',
            hint="Type a uid or the beginning of one, as `auditbook events` lists them, or the source's own id.",
        )
    listed = ", ".join(sorted(uids)[:MOST])
    more = f" and {total - MOST:,} more" if total > MOST else ""
    raise UsageError(
        f'"{vocabulary.short(word)}" is the beginning of several events.',
        hint=f"Type more of it: {listed}{more}.",
    )


def _known(log: Log) -> Known:
    # This needs numpy; the table of events, which counts operations with what is above, does without.
    from pipeline import ids

    return ids.known(log.store, log.chain)


def _rows(log: Log, query: str, *values: object) -> list[dict[str, Any]]:
    asked = log.con.execute(query, list(values) or None)
    names = [column[0] for column in asked.description or []]
    return [dict(zip(names, row, strict=True)) for row in asked.fetchall()]
