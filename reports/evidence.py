"""The lines behind a finding, as a reader sees them: who, what, where in which file, before and after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pipeline import audience
from reports.period import Instant, instant
from reports.rows import IN_REVIEW, Reader, Row
from reports.text import words

ENTRIES_SHOWN = 6
CHANGES_SHOWN = 8
ATTACHED = 20_000
LONGEST_VALUE = 240
NOTHING = ("null", "absent", "empty")  # a side of a change that says no more than that there was nothing


@dataclass(frozen=True)
class Value:
    """One side of a change: a text, or why there is none."""

    kind: Literal["text", "empty", "null", "absent", "redacted"]
    text: str = ""
    more: int = 0


@dataclass(frozen=True)
class Change:
    field: str
    old: Value | None
    new: Value | None


@dataclass(frozen=True)
class Entry:
    """One line of a file as evidence."""

    uid: str
    at: Instant
    source: str
    actor: str
    actor_details: tuple[str, ...]
    action: str
    entity: str
    outcome: str
    message: str
    file: str
    line: int
    byte_offset: int | None
    changes: tuple[Change, ...]
    changes_more: int


def entries(reader: Reader, wanted: list[str]) -> dict[str, list[Entry]]:
    """The first entries of each finding in the order of time."""
    chosen = reader.rows(_CHOSEN, wanted=wanted, shown=ENTRIES_SHOWN) if wanted else []
    if not chosen:
        return {}
    uids = sorted({row["event_uid"] for row in chosen})
    told = _told(reader, uids)
    found: dict[str, list[Entry]] = {}
    for row in chosen:
        found.setdefault(row["finding_id"], []).append(told[row["event_uid"]])
    return found


_CHOSEN = """SELECT fe.finding_id, e.event_uid FROM finding_events fe
      JOIN counted_events e USING (event_uid)
    WHERE list_contains($wanted, fe.finding_id)
    QUALIFY row_number() OVER (PARTITION BY fe.finding_id ORDER BY e.occurred_at, e.file, e.line, e.event_uid) <= $shown
    ORDER BY fe.finding_id, e.occurred_at, e.file, e.line, e.event_uid"""


def _told(reader: Reader, uids: list[str]) -> dict[str, Entry]:
    """Events as entries: picked first, as they are stored, so that no secret is looked for in those beside them."""
    con, places = reader.con, ", ".join("?" * len(uids))
    events, lines = reader.stored("events"), reader.stored("event_lines")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE behind AS SELECT * FROM {events} WHERE event_uid IN ({places})", uids
    )
    con.execute(
        "CREATE OR REPLACE TEMP TABLE behind_lines AS SELECT event_uid, min(byte_offset) AS byte_offset "
        f"FROM {lines} WHERE event_uid IN ({places}) GROUP BY event_uid", uids
    )  # fmt: skip
    found = reader.rows(_TOLD.format(events=audience.of_few(con, reader.shown, "behind")))
    con.execute("DROP TABLE behind")
    con.execute("DROP TABLE behind_lines")
    return {row["event_uid"]: entry(row, reader.period.since.zone) for row in found}


_TOLD = """SELECT w.*, epoch_us(w.occurred_at) AS at_us, l.byte_offset, a.display_name FROM ({events}) w
    LEFT JOIN (SELECT actor_key, display_name FROM actors) a USING (actor_key)
    LEFT JOIN behind_lines l USING (event_uid)"""


def behind(reader: Reader) -> tuple[Row, ...]:
    """Every line behind every finding of the review, as far as the attachment goes: one row for each pair."""
    texts = " REPLACE (redacted(actor) AS actor, redacted(action) AS action)"
    shown = f"SELECT *{texts if reader.shown.audience == 'internal' else ''} FROM ({_BEHIND})"
    return tuple(reader.rows(shown, most=ATTACHED))


_BEHIND = f"""SELECT f.finding_id, f.detector, f.severity, e.event_uid AS event,
      strftime(make_timestamp(epoch_us(e.occurred_at)), '%Y-%m-%dT%H:%M:%S.%gZ') AS occurred_at, e.source,
      coalesce(e.actor_name, e.actor_email, e.actor_id, e.actor_type::VARCHAR) AS actor,
      coalesce(e.action_detail, e.action_raw, e.action::VARCHAR) AS action, e.entity_type, e.entity_id,
      e.outcome::VARCHAR AS outcome, e.source_ip, e.file, e.line
    FROM findings f JOIN finding_events fe USING (finding_id) JOIN counted_events e USING (event_uid)
    WHERE {IN_REVIEW} AND f.state <> 'withdrawn'
    ORDER BY f.finding_id, e.occurred_at, e.file, e.line, e.event_uid LIMIT $most"""


def entry(row: Row, where: ZoneInfo) -> Entry:
    """An event as a reader of the report sees it."""
    at = instant(row["at_us"], where)
    assert at is not None
    changes = [_change(change, row["action"]) for change in row["changes"] or []]
    return Entry(
        uid=row["event_uid"],
        at=at,
        source=row["source"],
        actor=who(row),
        actor_details=_actor_details(row),
        action=done(row),
        entity=about(row),
        outcome=row["outcome"],
        message=cut(row["error_message"] or row["reason"] or row["message"] or "")[0],
        file=row["file"],
        line=row["line"],
        byte_offset=row["byte_offset"],
        changes=tuple(changes[:CHANGES_SHOWN]),
        changes_more=max(0, len(changes) - CHANGES_SHOWN),
    )


def who(row: Row) -> str:
    """Who did it, by the best name that is known."""
    if row["actor_anonymous"]:
        return "Anonymous"
    known = (
        row["display_name"]
        or row["actor_name"]
        or row["actor_email"]
        or row["actor_id"]
        or row["api_key_id_masked"]
    )
    return known or str(row["actor_type"]).replace("_", " ").capitalize()


def _actor_details(row: Row) -> tuple[str, ...]:
    """Where from, and for whom: what a reviewer asks next."""
    address = row["actor_email"] if row["actor_email"] != who(row) else None
    parts = [address, row["source_ip"] and f"from {row['source_ip']}"]
    if row["impersonator_email"] or row["impersonator_name"] or row["impersonator_id"]:
        impersonator = row["impersonator_email"] or row["impersonator_name"] or row["impersonator_id"]
        parts.append(f"impersonated by {impersonator}")
    if row["actor_type"] not in ("user", None) and not row["actor_anonymous"]:
        parts.append(words(row["actor_type"]))
    return tuple(part for part in parts if part and part != who(row).lower())


def done(row: Row) -> str:
    """What was done, in the product's word."""
    return row["action_detail"] or row["action_raw"] or row["action"] or "not named"


def about(row: Row) -> str:
    """What it was done to."""
    name = row["entity_name"] or row["entity_id"] or ""
    kind = words(row["entity_type"] or "")
    text = name if kind and name.startswith(kind) else " ".join(part for part in (kind, name) if part)
    many = len(row["entity_ids"] or [])
    return f"{text} ({many:,} in one step)".strip() if many > 1 else text


def _change(change: dict[str, Any], action: str | None) -> Change:
    """Both sides of a change; of what was made or deleted the one that there is."""
    field, _ = cut(change["field"])
    if change["redacted"]:
        return Change(field, Value("redacted"), Value("redacted"))
    old, new = _value(change["old"], change["old_present"]), _value(change["new"], change["new_present"])
    made, gone = action == "create" and old.kind in NOTHING, action == "delete" and new.kind in NOTHING
    return Change(field, None if made else old, None if gone else new)


def _value(text: str | None, present: bool) -> Value:
    if not present:
        return Value("absent")
    decoded = None if text is None else json.loads(text)
    if decoded is None:
        return Value("null")
    if decoded == "":
        return Value("empty")
    shown, more = cut(decoded if isinstance(decoded, str) else json.dumps(decoded, ensure_ascii=False))
    return Value("text", shown, more)


def cut(text: str) -> tuple[str, int]:
    more = len(text) - LONGEST_VALUE
    return (text, 0) if more <= 0 else (text[:LONGEST_VALUE] + "…", more)
