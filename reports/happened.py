"""What happened when and by whom: entries by day and by hour, and the kinds of activity a reviewer must look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from reports.evidence import who
from reports.period import Instant, instant
from reports.rows import Reader
from reports.text import MONTHS

GROUPS_SHOWN = 12
MOST_DAYS = 100
KINDS = (
    ("privileged", "Privileged activity", "Permissions, roles and settings that decide who may do what.",
     "list_has_any(classes, ['permission', 'critical_setting'])"),
    ("deletion", "Deletions", "What was removed.", "(action = 'delete' OR list_contains(classes, 'deletion'))"),
    ("bulk", "Bulk operations", "One step that touched many things.", "is_bulk"),
    ("logging", "Logging and access to logs", "The log itself switched, exported or read.",
     "list_has_any(classes, ['logging', 'log_access'])"),
    ("export", "Exports", "What was taken out.", "(action = 'export' OR list_contains(classes, 'export'))"),
    ("sharing", "Secrets, links and sharing", "Access that was handed to somebody.",
     "list_has_any(classes, ['secret', 'sharing'])"),
    ("authentication", "Signing in", "Log-ins, log-outs and what concerns them.",
     "(action IN ('login', 'logout') OR list_contains(classes, 'authentication'))"),
)  # fmt: skip


@dataclass(frozen=True)
class Bucket:
    """A day (or a week, a month, when the period is long) on the axis."""

    start: date
    label: str
    working: bool


@dataclass(frozen=True)
class Series:
    source: str
    counts: tuple[int, ...]
    silent: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class ByDay:
    unit: str
    buckets: tuple[Bucket, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True)
class ByHour:
    """Entries of people by weekday (Monday first) and hour, in the organization's zone."""

    counts: tuple[tuple[int, ...], ...]
    business: tuple[tuple[bool, ...], ...]
    total: int
    outside: int


@dataclass(frozen=True)
class Group:
    actor: str
    action: str
    source: str
    entries: int
    first: Instant
    last: Instant

    @property
    def span(self) -> str:
        """First and last minute in UTC, the year said once."""
        first, last = self.first.utc[:16], self.last.utc[:16]
        return first if first == last else f"{first} – {last[5:] if first[:4] == last[:4] else last}"


@dataclass(frozen=True)
class Kind:
    id: str
    title: str
    what: str
    entries: int
    groups: tuple[Group, ...]
    groups_more: int


@dataclass(frozen=True)
class Activity:
    by_day: ByDay
    by_hour: ByHour
    kinds: tuple[Kind, ...]


def activity(reader: Reader, silent: dict[str, tuple[date, ...]]) -> Activity:
    """Everything that is counted over the entries of the period."""
    return Activity(_by_day(reader, silent), _by_hour(reader), tuple(_kind(reader, *kind) for kind in KINDS))


def _by_day(reader: Reader, silent: dict[str, tuple[date, ...]]) -> ByDay:
    days = reader.period.days
    unit = "day" if len(days) <= MOST_DAYS else "week" if len(days) <= 7 * MOST_DAYS else "month"
    working = {row["d"] for row in reader.rows(_WORKING)}
    starts = sorted({_start(day, unit) for day in days})
    place = {start: n for n, start in enumerate(starts)}
    counts: dict[str, list[int]] = {}
    for row in reader.rows(_PER_DAY):
        day = min(max(row["d"], days[0]), days[-1])
        counts.setdefault(row["source"], [0] * len(starts))[place[_start(day, unit)]] += row["n"]
    return ByDay(
        unit=unit,
        buckets=tuple(
            Bucket(start, f"{start.day} {MONTHS[start.month - 1][:3]}", unit != "day" or start in working)
            for start in starts
        ),
        series=tuple(
            Series(
                source,
                tuple(numbers),
                tuple(place[day] for day in silent.get(source, ())) if unit == "day" else (),
                sum(numbers),
            )
            for source, numbers in sorted(counts.items())
        ),
    )


_WORKING = (
    """SELECT DISTINCT local_date AS d FROM calendar WHERE schedule = 'organization' AND is_business_hours"""
)
_PER_DAY = """SELECT e.source, c.local_date AS d, count(*) AS n FROM events e JOIN calendar c
    ON c.slot = time_bucket(INTERVAL 15 MINUTES, e.occurred_at) AND c.schedule = 'organization'
    WHERE e.occurred_at >= $since AND e.occurred_at < $until GROUP BY ALL ORDER BY ALL"""


def _start(day: date, unit: str) -> date:
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day


def _by_hour(reader: Reader) -> ByHour:
    counts = [[0] * 24 for _ in range(7)]
    outside = 0
    for row in reader.rows(_PER_HOUR):
        counts[row["weekday"] - 1][row["hour"]] += row["n"]
        outside += 0 if row["inside"] else row["n"]
    business = [[False] * 24 for _ in range(7)]
    for row in reader.rows(_HOURS):
        business[row["weekday"] - 1][row["hour"]] = True
    return ByHour(tuple(map(tuple, counts)), tuple(map(tuple, business)), sum(map(sum, counts)), outside)


# People only: jobs and webhooks run at all hours and would drown what is to be seen.
_PER_HOUR = """SELECT c.weekday, c.hour, c.is_business_hours AS inside, count(*) AS n FROM events e JOIN calendar c
    ON c.slot = time_bucket(INTERVAL 15 MINUTES, e.occurred_at) AND c.schedule = 'organization'
    WHERE e.occurred_at >= $since AND e.occurred_at < $until AND e.actor_type = 'user' GROUP BY ALL"""
_HOURS = (
    """SELECT DISTINCT weekday, hour FROM calendar WHERE schedule = 'organization' AND is_business_hours"""
)


def _kind(reader: Reader, name: str, title: str, what: str, condition: str) -> Kind:
    groups = reader.rows(
        "SELECT source, bool_and(actor_anonymous) AS actor_anonymous, "
        "coalesce(actor_key, events.actor_type) AS who, max(display_name) AS display_name, "
        "max(actor_name) AS actor_name, max(actor_email) AS actor_email, max(actor_id) AS actor_id, "
        "max(api_key_id_masked) AS api_key_id_masked, max(events.actor_type) AS actor_type, "
        "coalesce(action_detail, action_raw, action, 'not named') AS what, count(*) AS n, "
        "epoch_us(min(occurred_at)) AS first_us, epoch_us(max(occurred_at)) AS last_us "
        "FROM events LEFT JOIN (SELECT actor_key, display_name FROM actors) USING (actor_key) "
        f"WHERE occurred_at >= $since AND occurred_at < $until AND {condition} "
        "GROUP BY source, who, what ORDER BY n DESC, source, who, what"
    )
    shown = tuple(_group(row, reader) for row in groups[:GROUPS_SHOWN])
    return Kind(name, title, what, sum(row["n"] for row in groups), shown, len(groups) - len(shown))


def _group(row: dict[str, object], reader: Reader) -> Group:
    where = reader.period.since.zone
    first, last = instant(row["first_us"], where), instant(row["last_us"], where)  # type: ignore[arg-type]
    assert first is not None and last is not None
    return Group(who(row), str(row["what"]), str(row["source"]), int(str(row["n"])), first, last)
