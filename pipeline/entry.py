"""One event in full: its columns, its raw line and place, what belongs with it, which findings name it. For query."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline import ids, vocabulary
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.query import Log

MOST = 5  # uids that an ambiguous beginning lists
_DIGITS = re.compile(r"[0-9a-f]{1,32}")

# Asked one by one with a value each: every part of the store has a filter on these columns.
_EVENT = "SELECT * FROM events WHERE event_uid = ?"
_LINE = """SELECT raw, byte_offset, sha256(raw) AS line_sha256, commit_no FROM stored_lines
  WHERE event_uid = ? AND fate = 'event'"""
_CORRELATED = """SELECT event_uid, occurred_at, actor_type, actor_id, actor_name, actor_email, actor_anonymous,
    impersonator_id, impersonator_name, impersonator_email, action, action_detail, entity_type, entity_id, entity_name,
    entity_ids, outcome, error_message, changes, file, line
  FROM events WHERE correlation_id = ? AND source = ? AND coalesce(instance, '') = ? AND event_uid <> ?
  ORDER BY occurred_at, file, line"""
_FINDINGS = """SELECT finding_id, severity, state, detector, title, subject, window_start FROM findings
  WHERE finding_id IN (SELECT finding_id FROM finding_events WHERE event_uid = ?) ORDER BY window_start, finding_id"""
_OWN_ID = "SELECT event_uid FROM events WHERE source_event_id = ?"
_LOADED = """SELECT run->>'committed' AS committed, run->>'user' AS loaded_by, head
  FROM commits WHERE commit_no = ?"""
_AGAIN = """SELECT file, line, byte_offset, commit_no FROM stored_lines
  WHERE fate = 'duplicate' AND same_commit = ? AND same_file_sha256 = ? AND same_line = ?
  ORDER BY commit_no, file, line"""
_RIVALS = """SELECT event_uid, occurred_at, file, line FROM events WHERE conflicts_with = ?
  ORDER BY occurred_at, file, line"""


def entry(log: Log, typed: str) -> dict[str, Any]:
    """Everything that the store has about one event, by its uid, the beginning of it, or the source's own id."""
    uid = found(log, typed)
    row = _rows(log, _EVENT, uid)[0]
    nothing = dict.fromkeys(("raw", "byte_offset", "line_sha256", "commit_no"))
    line = (_rows(log, _LINE, uid) or [nothing])[0]
    commit = line.pop("commit_no")
    place = (commit, row["file_sha256"], row["line"])
    group = (row["correlation_id"], row["source"], row["instance"] or "", uid)
    return {
        **row, **line,
        "correlated": _rows(log, _CORRELATED, *group) if row["correlation_id"] is not None else [],
        "findings": _rows(log, _FINDINGS, uid),
        "conflicting": _rows(log, _RIVALS, uid),
        "loaded": {"commit_no": commit, **(_rows(log, _LOADED, commit) or [{}])[0]},
        "duplicates": _rows(log, _AGAIN, *place),
    }  # fmt: skip


def found(log: Log, typed: str) -> str:
    """The uid of the one event that is meant; none, or several, is an error that says what to type."""
    word = typed.strip()
    uids, total = _beginning(log, word.lower()) if _DIGITS.fullmatch(word.lower()) else ([], 0)
    if not uids:
        uids = [row["event_uid"] for row in _rows(log, _OWN_ID, word)]
        total = len(uids)
    if total == 1:
        return uids[0]
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


def _beginning(log: Log, digits: str) -> tuple[list[str], int]:
    """Uids that begin so, and how many, from the sorted identities beside the commits; withdrawn ones are none."""
    uids, total = ids.known(log.store, log.chain).beginning(digits, MOST + 1)
    if total > len(uids):
        return uids, total
    there = [
        row for uid in uids for row in _rows(log, "SELECT event_uid FROM events WHERE event_uid = ?", uid)
    ]
    return [row["event_uid"] for row in there], len(there)


def _rows(log: Log, query: str, *values: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log.sql(query, list(values)).arrow().to_pylist()
    return found
