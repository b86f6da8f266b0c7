"""Reviews that were made before: the last one that the chain tells of, and the time that nobody reviewed since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from reports.period import Instant, Period
from reports.rows import rows, said
from reports.text import count


@dataclass(frozen=True)
class Earlier:
    """The review before this one, as a commit's record has it."""

    report_id: str
    status: str
    since: Instant
    until: Instant
    as_of: Instant
    gap: str


@dataclass(frozen=True)
class Signed:
    """Until when the log has been reviewed and signed, and the last commit that this review saw."""

    report_id: str
    until: datetime
    commit_no: int


def last(con: Any, period: Period) -> Earlier | None:
    """The newest recorded review, and what lies between its period and this one."""
    found = _recorded(con)
    return _earlier(found[-1], period) if found else None


def signed(con: Any, where: ZoneInfo) -> Signed | None:
    """The signed review that reaches furthest, and of those the newest."""
    final = [report for report in _recorded(con) if report["status"] == "FINAL"]
    if not final:
        return None
    reach = max(_instant(report["until"], where).at for report in final)
    report = [report for report in final if _instant(report["until"], where).at == reach][-1]
    seen = rows(con, "SELECT max(commit_no) AS n FROM commits WHERE head = $head", head=report["head"])
    return Signed(report["report_id"], reach, seen[0]["n"] or 0)


def _recorded(con: Any) -> list[dict[str, Any]]:
    runs = [said(row["run"]) for row in rows(con, "SELECT run FROM commits ORDER BY commit_no")]
    reports = [report for run in runs for report in (run or {}).get("reports", [])]
    return [report for report in reports if report["kind"] == "review"]


def _earlier(report: dict[str, Any], period: Period) -> Earlier:
    since, until, as_of = (_instant(report[name], period.since.zone) for name in ("since", "until", "as_of"))
    return Earlier(report["report_id"], report["status"], since, until, as_of, _gap(until, period))


def _gap(until: Instant, period: Period) -> str:
    """In words: whether the two periods meet."""
    between = period.since.at - until.at
    if between.total_seconds() <= 0:
        return "none: this period begins before that one ends, or where it ends"
    return (
        f"{count(between.days, 'day')} {count(between.seconds // 3600, 'hour')} between the two, in no review"
    )


def _instant(text: str, where: ZoneInfo) -> Instant:
    return Instant(datetime.fromisoformat(text), where)
