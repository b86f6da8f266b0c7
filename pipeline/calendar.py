"""The `calendar` table: each quarter of an hour, for each schedule, with its local time and whether it is worked.

Made from the config, so that hours, holidays and zones can change after the first load. No rule does zone arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb

from pipeline.config import Config, Hours
from pipeline.hours import DAY_MINUTES, Shift, holidays_between, read_hours, zone

SLOT = timedelta(minutes=15)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Schedule:
    """When somebody works, and where."""

    name: str
    zone: ZoneInfo
    shifts: tuple[Shift, ...]
    holidays: tuple[str, ...]


def schedules(config: Config) -> list[Schedule]:
    """The organization's schedule, then one for each team and person that has hours of its own."""
    base = _schedule("organization", config, Hours())
    teams = {team.id: team for team in config.teams if team.own}
    found = [base, *(_schedule(f"team:{name}", config, team) for name, team in sorted(teams.items()))]
    for person in sorted((p for p in config.actors if p.own), key=lambda p: p.id):
        found.append(_schedule(person.id, config, person, teams.get(person.team or "")))
    return found


def step(config: Config) -> int:
    """In how many minutes at a time the clocks of all schedules can be told: 30, or 15 where one is a quarter off."""
    moments = [datetime(year, month, 1, tzinfo=UTC) for year in range(1990, 2038) for month in (1, 7)]
    zones = {one.zone for one in schedules(config)}
    return 15 if any(_minutes(moment, where) % 30 for where in zones for moment in moments) else 30


def table(connection: duckdb.DuckDBPyConnection, config: Config, spans: Sequence[Span]) -> None:
    """Make the table: every slot of each span, from the day before it to the day after it, whole days in the zone of
    every schedule."""
    stretches: list[tuple[str, int, int, int]] = []
    holidays: list[tuple[str, date, str]] = []
    shifts: list[tuple[str, int, int]] = []
    for schedule in schedules(config):
        for first, last in _days(schedule, spans):
            stretches += [(schedule.name, *stretch) for stretch in _stretches(schedule.zone, first, last)]
            # A shift belongs to the day on which it starts, so the days before the first one count as well.
            named = holidays_between(schedule.holidays, first - DAY, last)
            holidays += [(schedule.name, day, name) for day, name in sorted(named.items())]
        shifts += [(schedule.name, *quarter) for quarter in _quarters(schedule.shifts)]
    connection.execute(_CALENDAR, [*_columns(stretches, 4), *_columns(holidays, 3), *_columns(shifts, 3)])


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[place] for row in rows] for place in range(width)]


def _schedule(name: str, config: Config, own: Hours, team: Hours | None = None) -> Schedule:
    """What is the person's own, else the team's, else the organization's."""
    levels = [own] if team is None else [own, team]
    organization = config.organization
    zones = [level.timezone for level in levels if level.timezone is not None]
    hours = [level.business_hours for level in levels if level.business_hours is not None]
    days = [level.holidays for level in levels if level.holidays is not None]
    return Schedule(
        name,
        zone([*zones, organization.timezone][0]),
        read_hours([*hours, organization.business_hours][0]),
        [*days, organization.holidays][0],
    )


def _days(schedule: Schedule, spans: Sequence[Span]) -> list[tuple[date, date]]:
    """The first and the last local day of each span; those that meet are one."""
    found: list[tuple[date, date]] = []
    for first, last in sorted(spans):
        start, end = first.astimezone(schedule.zone).date() - DAY, last.astimezone(schedule.zone).date() + DAY
        if found and start <= found[-1][1] + DAY:
            start, end = found[-1][0], max(end, found.pop()[1])
        found.append((start, end))
    return found


def _stretches(where: ZoneInfo, first: date, last: date) -> Iterator[tuple[int, int, int]]:
    """From and until which minute since 1970 the distance to UTC is how much; days with the same one at both ends are
    not looked into."""
    known, begun, day = None, _instant(first, where), _instant(first, where)
    end = _instant(last + DAY, where)
    while day < end:
        same = known == _minutes(day, where) == _minutes(day + DAY, where)
        for step in range(0 if same else 96):
            moment = min(day + step * SLOT, end)
            if (minutes := _minutes(moment, where)) != known:
                if known is not None:
                    yield _since_1970(begun), _since_1970(moment), known
                known, begun = minutes, moment
        day += DAY
    yield _since_1970(begun), _since_1970(end), known or 0


def _since_1970(moment: datetime) -> int:
    return (moment - EPOCH) // MINUTE


def _instant(day: date, where: ZoneInfo) -> datetime:
    """The slot in which a local day begins (a clock that skips midnight begins later; the slot is the same)."""
    moment = datetime(day.year, day.month, day.day, tzinfo=where).astimezone(UTC)
    return moment - timedelta(minutes=moment.minute % 15, seconds=moment.second)


def _minutes(moment: datetime, where: ZoneInfo) -> int:
    offset = moment.astimezone(where).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def _quarters(shifts: Sequence[Shift]) -> list[tuple[int, int]]:
    """The quarters of an hour that are worked: weekday, and minute from its midnight; past 1440 is the next day."""
    return sorted({(s.weekday, minute) for s in shifts for minute in range(s.start, s.end, 15)})


# A shift that starts on a holiday is not worked, on the next day neither.
_CALENDAR = f"""CREATE OR REPLACE TABLE calendar AS
WITH stretches AS (SELECT unnest($1::VARCHAR[]) AS schedule, unnest($2::BIGINT[]) AS first,
    unnest($3::BIGINT[]) AS after, unnest($4::INTEGER[]) AS utc_offset_minutes),
  holidays AS (SELECT unnest($5::VARCHAR[]) AS schedule, unnest($6::DATE[]) AS day, unnest($7::VARCHAR[]) AS holiday),
  shifts AS (SELECT unnest($8::VARCHAR[]) AS schedule, unnest($9::INTEGER[]) AS weekday,
    unnest($10::INTEGER[]) AS minute),
  slots AS (SELECT schedule, utc_offset_minutes, unnest(range(first, after, 15)) AS began FROM stretches),
  clocks AS (SELECT *, make_timestamp((began + utc_offset_minutes) * 60000000) AS clock FROM slots),
  days AS (SELECT *, clock::DATE AS local_date, isodow(clock)::INTEGER AS weekday,
    (hour(clock) * 60 + minute(clock))::INTEGER AS minute FROM clocks)
SELECT make_timestamptz(began * 60000000) AS slot, d.schedule, local_date, clock::TIME AS local_time,
  hour(clock)::INTEGER AS hour, d.weekday, today.holiday IS NOT NULL AS is_holiday, today.holiday,
  (own.minute IS NOT NULL AND today.holiday IS NULL) OR (begun.minute IS NOT NULL AND before.holiday IS NULL)
    AS is_business_hours, utc_offset_minutes,
  bool_or(is_business_hours) OVER (PARTITION BY d.schedule, local_date) AS is_workday
FROM days d
  LEFT JOIN holidays today ON today.schedule = d.schedule AND today.day = local_date
  LEFT JOIN holidays before ON before.schedule = d.schedule AND before.day = local_date - 1
  LEFT JOIN shifts own ON own.schedule = d.schedule AND own.weekday = d.weekday AND own.minute = d.minute
  LEFT JOIN shifts begun ON begun.schedule = d.schedule AND begun.weekday = (d.weekday + 5) % 7 + 1
    AND begun.minute = d.minute + {DAY_MINUTES}
ORDER BY d.schedule, slot"""
