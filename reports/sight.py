"""What was not seen: events that no rule has looked at yet, and events that came after their time was signed."""

from __future__ import annotations

from dataclasses import dataclass

from reports.rows import Reader
from reports.text import count

HINT = "Run: auditbook detect"


@dataclass(frozen=True)
class Unseen:
    """Events that were loaded after the rules last ran; `ran` is the commit of that run, None when there is none."""

    ran: int | None
    events: int
    inside: int

    @property
    def short(self) -> str:
        """Empty when the rules have seen everything."""
        if self.ran is None:
            return "the rules have not been run"
        if not self.events:
            return ""
        return f"{count(self.events, 'event was', 'events were')} loaded after the rules last ran"

    @property
    def reason(self) -> str:
        if self.ran is None:
            seen = f"The rules have not been run: none has looked at the {count(self.inside, 'event')} of this period."
        else:
            seen = (
                f"{self.short} (commit {self.ran}), {self.inside:,} of them in this period: no rule saw them."
            )
        return f"{seen} {HINT}"


@dataclass(frozen=True)
class Late:
    """Events from before the period that were loaded after the last signed review, and so are in no review."""

    report_id: str
    events: int

    @property
    def reason(self) -> str:
        return (
            f"{count(self.events, 'event')} from before this period came after the signed review {self.report_id} was "
            "made; the findings on them are in this one, marked late."
        )


def unseen(reader: Reader) -> Unseen:
    """Counted by commit: a run of the rules sees every commit before its own."""
    ran = reader.one("SELECT max(commit_no) AS n FROM commits WHERE kind = 'detect'")["n"]
    events = reader.one(
        "SELECT coalesce(sum(events), 0)::BIGINT AS n FROM files WHERE commit_no > $ran::BIGINT", ran=ran or 0
    )["n"]
    if ran is None:
        return Unseen(
            None, events, reader.one("SELECT coalesce(sum(n), 0)::BIGINT AS n FROM period_slots")["n"]
        )
    inside = _loaded(reader, "occurred_at >= $since AND occurred_at < $until", ran) if events else 0
    return Unseen(ran, events, inside)


def late(reader: Reader, report_id: str | None) -> Late | None:
    """None when no review was signed before."""
    if report_id is None or reader.signed is None:
        return None
    candidates = reader.one(
        "SELECT count(*) AS n FROM files WHERE commit_no > $signed::BIGINT AND first_event < $since"
    )["n"]
    return Late(report_id, _loaded(reader, "occurred_at < $since", reader.signed) if candidates else 0)


def _loaded(reader: Reader, condition: str, after: int) -> int:
    """Events under a condition that came by a commit after the given one."""
    row = reader.one(
        "SELECT count(*) AS n FROM counted_events SEMI JOIN "
        "(SELECT event_uid FROM stored_lines WHERE fate = 'event' AND commit_no > $after::BIGINT) USING (event_uid) "
        f"WHERE {condition}",
        after=after,
    )
    return int(row["n"])
