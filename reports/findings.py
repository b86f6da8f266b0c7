"""What was found: each finding with its rule's words, its lines as evidence, and what somebody decided about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.columns import SEVERITIES
from reports.evidence import Entry, entries
from reports.method import Rule
from reports.period import Instant, instant
from reports.rows import IN_REVIEW, Reader, Row
from reports.text import words

# States in the order in which a reader must care.
STATES = ("new", "changed", "open", "reviewed", "suppressed", "withdrawn")
UNDECIDED = ("new", "changed", "open")
IN_FULL = 60
LISTED = 300


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
    late: bool = False
    listed: bool = True
    same_rule: str = ""
    why: str = ""
    false_positives: str = ""
    next_steps: tuple[str, ...] = ()
    controls: tuple[tuple[str, tuple[str, ...]], ...] = ()
    case: str = ""
    cleared_by: str = ""

    @property
    def name(self) -> str:
        return f"F-{self.number:02d}"

    @property
    def undecided(self) -> bool:
        return self.state in UNDECIDED

    @property
    def reopened(self) -> bool:
        """Decided once, and changed since: that decision was about something else."""
        return self.undecided and bool(self.disposition)

    @property
    def confirmed(self) -> bool:
        return self.disposition in ("accepted", "escalated") and not self.undecided

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

    @property
    def decided(self) -> tuple[Finding, ...]:
        """Those that a person decided on, wherever they are told; what the configuration suppresses is not one."""
        told = sorted((*self.full, *self.brief), key=lambda f: f.number)
        return tuple(f for f in told if f.disposition and f.state != "suppressed")

    @property
    def late(self) -> int:
        return sum(f.late for f in (*self.full, *self.brief))

    def beside(self, one: Finding) -> tuple[Finding, ...]:
        """The other findings of the same case: one actor, one day."""
        told = (*self.full, *self.brief)
        return tuple(f for f in told if one.case and f.case == one.case and f is not one)

    def first(self, rule: str) -> str:
        """Where what a rule found begins to be told; empty when it is not."""
        told = sorted((*self.full, *self.brief), key=lambda f: f.number)
        return next((f.name for f in told if f.rule == rule and f.listed), "")

    def of(self, severity: str) -> int:
        """How many of this severity still need a decision."""
        return sum(f.undecided and f.severity == severity for f in (*self.full, *self.brief))


def findings(reader: Reader, rules: tuple[Rule, ...]) -> Findings:
    """All findings whose window touches the period or that came late, the gravest and undecided first."""
    by_rule = {rule.id: rule for rule in rules}
    found = _by_case(reader.rows(_FOUND))
    told = [_finding(n, row, by_rule, reader) for n, row in enumerate(found, 1)]
    full = [f for f in told if f.state not in ("suppressed", "withdrawn")][:IN_FULL]
    shown_lines = entries(reader, [f.id for f in full])
    shown = {f.id for f in full}
    brief = [f for f in told if f.id not in shown]
    first = {f.rule: f for f in reversed(full)}
    table = [
        (severity, tuple(sum(f.severity == severity and f.state == state for f in told) for state in STATES))
        for severity in SEVERITIES
    ]
    return Findings(
        full=tuple(
            replace(
                f,
                entries=tuple(shown_lines.get(f.id, ())),
                same_rule="" if first[f.rule] is f else first[f.rule].name,
            )
            for f in full
        ),
        brief=tuple(replace(f, listed=n < LISTED) for n, f in enumerate(brief)),
        by_severity=tuple((severity, counts, sum(counts)) for severity, counts in table),
        by_state=tuple(sum(f.state == state for f in told) for state in STATES),
        total=len(told),
        undecided=sum(f.undecided for f in told),
    )


def named(reader: Reader, rules: tuple[Rule, ...], ids: list[str], first: str) -> tuple[Finding, ...]:
    """Findings by their ids, without their lines: the one that is asked for, then the gravest."""
    by_rule = {rule.id: rule for rule in rules}
    found = sorted(
        reader.rows(f"{_ALL} WHERE list_contains($ids, finding_id)", ids=ids),
        key=lambda row: (not (first and row["finding_id"].startswith(first)), _gravity(row)),
    )
    return tuple(_finding(n, row, by_rule, reader) for n, row in enumerate(found, 1))


_ALL = """SELECT f.* EXCLUDE (events), epoch_us(window_start) AS start_us, epoch_us(window_end) AS end_us,
      (SELECT count(*) FROM finding_events e WHERE e.finding_id = f.finding_id) AS entries
    FROM findings f"""
_FOUND = f"{_ALL} WHERE {IN_REVIEW}"


def _gravity(row: Row) -> tuple[Any, ...]:
    decided = row["state"] not in UNDECIDED
    rank = SEVERITIES.index(row["severity"]) if row["severity"] in SEVERITIES else len(SEVERITIES)
    return (rank, decided, row["start_us"], row["detector"], row["finding_id"])


def _by_case(found: list[Row]) -> list[Row]:
    """The case with the gravest finding first, and what belongs to a case together."""
    first: dict[str, tuple[Any, ...]] = {}
    for row in sorted(found, key=_gravity):
        first.setdefault(_case(row), _gravity(row))
    return sorted(found, key=lambda row: (first[_case(row)], _case(row), _gravity(row)))


def _case(row: Row) -> str:
    """A finding of an evaluation that knew no cases is one of its own."""
    return str(row["case_id"] or row["finding_id"])


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
        late=end.at < reader.period.since.at,
        why=rule.why if rule else "",
        false_positives=rule.false_positives if rule else "",
        next_steps=rule.next_steps if rule else (),
        controls=rule.controls if rule else (),
        case=row["case_id"] or "",
        cleared_by=row["cleared_by"] or "",
    )
