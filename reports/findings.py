"""What was found: each finding with its rule's words, its lines as evidence, and what somebody decided about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from reports.method import Rule
from reports.period import Instant, instant
from reports.rows import Reader, Row
from reports.text import words

SEVERITIES = ("critical", "high", "medium", "low", "info")
# States in the order in which a reader must care.
STATES = ("new", "changed", "open", "reviewed", "suppressed", "withdrawn")
UNDECIDED = ("new", "changed", "open")
IN_FULL = 60
ENTRIES_SHOWN = 12
CHANGES_SHOWN = 8
LONGEST_VALUE = 240


@dataclass(frozen=True)
class Value:
    """One side of a change: a text, or why there is none."""

    kind: Literal["text", "empty", "null", "absent", "redacted"]
    text: str = ""
    more: int = 0


@dataclass(frozen=True)
class Change:
    field: str
    old: Value
    new: Value


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


@dataclass(frozen=True)
class Finding:
    number: int
    id: str
    rule: str
    title: str
    severity: str
    state: str
    subject: str
    start: Instant
    end: Instant
    observed: str
    expected: str
    reason: str
    entries: tuple[Entry, ...]
    entries_total: int
    disposition: str
    decided_by: str
    decided_why: str
    decided_until: str
    first_commit: int
    same_rule: str = ""
    why: str = ""
    false_positives: str = ""
    next_steps: tuple[str, ...] = ()
    controls: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def name(self) -> str:
        return f"F-{self.number:02d}"

    @property
    def undecided(self) -> bool:
        return self.state in UNDECIDED

    @property
    def entries_more(self) -> int:
        return self.entries_total - len(self.entries)


@dataclass(frozen=True)
class Findings:
    """`full` are told in full, `brief` only listed (too many, or withdrawn and suppressed ones)."""

    full: tuple[Finding, ...]
    brief: tuple[Finding, ...]
    by_severity: tuple[tuple[str, tuple[int, ...], int], ...]
    by_state: tuple[int, ...]
    total: int
    undecided: int

    def of(self, severity: str) -> int:
        """How many of this severity still need a decision."""
        return sum(f.undecided and f.severity == severity for f in (*self.full, *self.brief))


def findings(reader: Reader, rules: tuple[Rule, ...]) -> Findings:
    """All findings whose window touches the period, the gravest and undecided first."""
    by_rule = {rule.id: rule for rule in rules}
    found = sorted(reader.rows(_FOUND), key=_gravity)
    told = [_finding(n, row, by_rule, reader) for n, row in enumerate(found, 1)]
    full = [f for f in told if f.state not in ("suppressed", "withdrawn")][:IN_FULL]
    entries = _entries(reader, [f.id for f in full])
    shown = {f.id for f in full}
    first = {f.rule: f for f in reversed(full)}
    table = [
        (severity, tuple(sum(f.severity == severity and f.state == state for f in told) for state in STATES))
        for severity in SEVERITIES
    ]
    return Findings(
        full=tuple(
            replace(
                f,
                entries=tuple(entries.get(f.id, ())),
                same_rule="" if first[f.rule] is f else first[f.rule].name,
            )
            for f in full
        ),
        brief=tuple(f for f in told if f.id not in shown),
        by_severity=tuple((severity, counts, sum(counts)) for severity, counts in table),
        by_state=tuple(sum(f.state == state for f in told) for state in STATES),
        total=len(told),
        undecided=sum(f.undecided for f in told),
    )


_FOUND = """SELECT f.* EXCLUDE (events), epoch_us(window_start) AS start_us, epoch_us(window_end) AS end_us,
      (SELECT count(*) FROM finding_events e WHERE e.finding_id = f.finding_id) AS entries
    FROM findings f WHERE window_start < $until AND window_end >= $since"""


def _gravity(row: Row) -> tuple[Any, ...]:
    decided = row["state"] not in UNDECIDED
    rank = SEVERITIES.index(row["severity"]) if row["severity"] in SEVERITIES else len(SEVERITIES)
    return (rank, decided, row["start_us"], row["detector"], row["finding_id"])


def _finding(number: int, row: Row, rules: Mapping[str, Rule], reader: Reader) -> Finding:
    where = reader.period.since.zone
    start, end = instant(row["start_us"], where), instant(row["end_us"], where)
    assert start is not None and end is not None
    rule = rules.get(row["detector"])
    suppressed = row["state"] == "suppressed"
    until = row["suppressed_until"] if suppressed else row["review_until"]
    return Finding(
        number=number,
        id=row["finding_id"],
        rule=row["detector"],
        title=row["title"],
        severity=row["severity"],
        state=row["state"],
        subject=row["subject"],
        start=start,
        end=end,
        observed=row["observed"] or "–",
        expected=row["expected"] or "–",
        reason=row["reason"] or "",
        entries=(),
        entries_total=row["entries"],
        disposition="suppressed" if suppressed else words(row["disposition"] or ""),
        decided_by=(row["suppressed_by"] if suppressed else row["reviewed_by"]) or "",
        decided_why=(row["suppression_reason"] if suppressed else row["review_reason"]) or "",
        decided_until=str(until) if until else "",
        first_commit=row["first_commit"],
        why=rule.why if rule else "",
        false_positives=rule.false_positives if rule else "",
        next_steps=rule.next_steps if rule else (),
        controls=rule.controls if rule else (),
    )


def _entries(reader: Reader, wanted: list[str]) -> dict[str, list[Entry]]:
    """The first entries of each finding in the order of time."""
    if not wanted:
        return {}
    entries: dict[str, list[Entry]] = {}
    for row in reader.rows(_ENTRIES, wanted=wanted, shown=ENTRIES_SHOWN):
        entries.setdefault(row["finding_id"], []).append(entry(row, reader))
    return entries


_ENTRIES = """WITH wanted AS (
      SELECT fe.finding_id, e.* FROM finding_events fe JOIN events e USING (event_uid)
      WHERE list_contains($wanted, fe.finding_id)
      QUALIFY row_number() OVER (PARTITION BY fe.finding_id ORDER BY e.occurred_at, e.file, e.line) <= $shown)
    SELECT w.*, epoch_us(w.occurred_at) AS at_us, l.byte_offset, a.display_name
    FROM wanted w LEFT JOIN (SELECT actor_key, display_name FROM actors) a USING (actor_key)
    LEFT JOIN (SELECT event_uid, min(byte_offset) AS byte_offset FROM event_lines
      WHERE event_uid IN (SELECT event_uid FROM wanted) GROUP BY event_uid) l USING (event_uid)
    ORDER BY finding_id, w.occurred_at, w.file, w.line"""


def entry(row: Row, reader: Reader) -> Entry:
    """An event as a reader of the report sees it."""
    at = instant(row["at_us"], reader.period.since.zone)
    assert at is not None
    changes = [_change(change) for change in row["changes"] or []]
    return Entry(
        uid=row["event_uid"],
        at=at,
        source=row["source"],
        actor=who(row),
        actor_details=_actor_details(row),
        action=row["action_detail"] or row["action_raw"] or row["action"] or "not named",
        entity=_entity(row),
        outcome=row["outcome"],
        message=cut(row["error_message"] or row["reason"] or row["message"] or "")[0],
        file=row["file"],
        line=row["line"],
        byte_offset=row["byte_offset"],
        changes=tuple(changes[:CHANGES_SHOWN]),
        changes_more=max(0, len(changes) - CHANGES_SHOWN),
    )


def who(row: Row) -> str:
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


def _entity(row: Row) -> str:
    name = row["entity_name"] or row["entity_id"] or ""
    kind = words(row["entity_type"] or "")
    text = name if kind and name.startswith(kind) else " ".join(part for part in (kind, name) if part)
    many = len(row["entity_ids"] or [])
    return f"{text} ({many:,} in one step)".strip() if many > 1 else text


def _change(change: dict[str, Any]) -> Change:
    if change["redacted"]:
        return Change(change["field"], Value("redacted"), Value("redacted"))
    return Change(
        change["field"],
        _value(change["old"], change["old_present"]),
        _value(change["new"], change["new_present"]),
    )


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
