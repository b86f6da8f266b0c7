"""What happened when and by whom: entries by day and by hour, and the kinds of activity a reviewer must look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

from reports.evidence import who
from reports.period import Instant, instant
from reports.rows import IN_REVIEW, Reader, Row
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
    """One lane; `found` is what was found on which of its days."""

    source: str
    counts: tuple[int, ...]
    silent: tuple[int, ...]
    total: int
    found: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class ByDay:
    unit: str
    buckets: tuple[Bucket, ...]
    series: tuple[Series, ...]

    def found(self, place: int) -> tuple[str, ...]:
        """The findings of a bucket, of whatever source, by name."""
        return tuple(sorted({name for one in self.series for name in one.found.get(place, ())}))


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


def activity(reader: Reader, silent: dict[str, tuple[date, ...]], names: Mapping[str, str]) -> Activity:
    """Everything that is counted over the entries of the period; `names` are those of the findings, by id."""
    kinds = _groups(reader)
    return Activity(
        _by_day(reader, silent, names),
        _by_hour(reader),
        tuple(_kind(kinds.get(name, []), name, title, what, reader) for name, title, what, _ in KINDS),
    )


def _by_day(reader: Reader, silent: dict[str, tuple[date, ...]], names: Mapping[str, str]) -> ByDay:
    days = reader.period.days
    unit = "day" if len(days) <= MOST_DAYS else "week" if len(days) <= 7 * MOST_DAYS else "month"
    working = {row["d"] for row in reader.rows(_WORKING)}
    starts = sorted({_start(day, unit) for day in days})
    place = {start: n for n, start in enumerate(starts)}

    def placed(day: date) -> int:
        return place[_start(min(max(day, days[0]), days[-1]), unit)]

    counts: dict[str, list[int]] = {}
    for row in reader.rows(_PER_DAY):
        counts.setdefault(row["source"], [0] * len(starts))[placed(row["d"])] += row["n"]
    found: dict[str, dict[int, tuple[str, ...]]] = {source: {} for source in counts}
    for row in reader.rows(_FOUND) if names else ():
        at, told = placed(row["d"]), found[row["source"]]
        told[at] = tuple(sorted({*told.get(at, ()), *(names[id] for id in row["ids"] if id in names)}))
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
                found[source],
            )
            for source, numbers in sorted(counts.items())
        ),
    )


_WORKING = (
    """SELECT DISTINCT local_date AS d FROM calendar WHERE schedule = 'organization' AND is_business_hours"""
)
_PER_DAY = """SELECT source, local_date AS d, sum(n)::BIGINT AS n FROM period_slots
    WHERE local_date IS NOT NULL GROUP BY ALL ORDER BY ALL"""
_FOUND = f"""SELECT e.source, c.local_date AS d, list(DISTINCT f.finding_id) AS ids
    FROM findings f JOIN finding_events fe USING (finding_id) JOIN counted_events e USING (event_uid) JOIN calendar c
      ON c.slot = time_bucket(INTERVAL 15 MINUTES, e.occurred_at) AND c.schedule = 'organization'
    WHERE {IN_REVIEW} AND f.state <> 'withdrawn' AND e.occurred_at >= $since AND e.occurred_at < $until
    GROUP BY ALL ORDER BY ALL"""


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
_PER_HOUR = """SELECT weekday, hour, inside, sum(n)::BIGINT AS n FROM period_slots
    WHERE local_date IS NOT NULL AND actor_type = 'user' GROUP BY ALL"""
_HOURS = (
    """SELECT DISTINCT weekday, hour FROM calendar WHERE schedule = 'organization' AND is_business_hours"""
)


def _groups(reader: Reader) -> dict[str, list[Row]]:
    """Who did what, most first, for every kind of activity in one look at the events."""
    found: dict[str, list[Row]] = {}
    texts = _TEXTS if reader.shown.audience == "internal" else ""
    for row in reader.rows(_GROUPS.replace("r.*", f"r.*{texts}"), shown=GROUPS_SHOWN):
        found.setdefault(row["kind"], []).append(row)
    return found


# Secrets are taken out of the few groups that are shown, not of every event.
_TEXTS = " REPLACE (redacted(actor_name) AS actor_name, redacted(what) AS what)"
_GROUPS = f"""WITH seen AS (
      SELECT unnest(list_where([{", ".join(f"'{name}'" for name, *_ in KINDS)}],
          [{", ".join(f"coalesce({only}, false)" for *_, only in KINDS)}])) AS kind,
        source, actor_key, actor_anonymous, actor_name, actor_email, actor_id, api_key_id_masked, actor_type,
        coalesce(action_detail, action_raw, action, 'not named') AS what, occurred_at
      FROM counted_events WHERE occurred_at >= $since AND occurred_at < $until
        AND (len(classes) > 0 OR is_bulk OR action IN ('delete', 'export', 'login', 'logout'))),
    grouped AS (
      SELECT kind, source, coalesce(actor_key, actor_type) AS who, what, count(*) AS n,
        any_value(actor_key) AS actor_key, bool_and(actor_anonymous) AS actor_anonymous,
        max(actor_name) AS actor_name, max(actor_email) AS actor_email,
        max(actor_id) AS actor_id, max(api_key_id_masked) AS api_key_id_masked, max(actor_type) AS actor_type,
        epoch_us(min(occurred_at)) AS first_us, epoch_us(max(occurred_at)) AS last_us
      FROM seen GROUP BY kind, source, who, what),
    ranked AS (
      SELECT *, sum(n) OVER (PARTITION BY kind)::BIGINT AS entries, count(*) OVER (PARTITION BY kind) AS groups,
        row_number() OVER (PARTITION BY kind ORDER BY n DESC, source, who, what) AS place FROM grouped)
    SELECT r.*, a.display_name FROM ranked r LEFT JOIN (SELECT actor_key, display_name FROM actors) a USING (actor_key)
    WHERE place <= $shown ORDER BY kind, place"""


def _kind(rows: list[Row], name: str, title: str, what: str, reader: Reader) -> Kind:
    entries, groups = (rows[0]["entries"], rows[0]["groups"]) if rows else (0, 0)
    return Kind(name, title, what, entries, tuple(_group(row, reader) for row in rows), groups - len(rows))


def _group(row: Row, reader: Reader) -> Group:
    where = reader.period.since.zone
    first, last = instant(row["first_us"], where), instant(row["last_us"], where)
    assert first is not None and last is not None
    return Group(who(row), row["what"], row["source"], row["n"], first, last)
