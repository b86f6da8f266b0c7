"""The `calendar` table: each quarter of an hour, for each schedule, with its local time and whether it is worked.

Made from the config, so that hours, holidays and zones can change after the first load. No rule does zone arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pyarrow as pa

from pipeline.config import Config, Hours
from pipeline.hours import DAY_MINUTES, Shift, holidays_between, read_hours, zone

SLOT = timedelta(minutes=15)
DAY = timedelta(days=1)


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


def calendar(config: Config, first: datetime, last: datetime) -> pa.Table:
    """Every slot from the day before `first` to the day after `last`, whole days in every schedule's own zone."""
    return pl.concat([_slots(schedule, first, last) for schedule in schedules(config)]).to_arrow()


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


def _slots(schedule: Schedule, first: datetime, last: datetime) -> pl.DataFrame:
    days = [first.astimezone(schedule.zone).date() - DAY, last.astimezone(schedule.zone).date() + DAY]
    start, end = _instant(days[0], schedule.zone), _instant(days[1] + DAY, schedule.zone)
    offsets = pl.DataFrame(
        list(_offsets(schedule.zone, start, end)),
        schema={"slot": pl.Datetime("us", "UTC"), "utc_offset_minutes": pl.Int32},
        orient="row",
    )
    slots = pl.DataFrame(
        {"slot": pl.datetime_range(start, end, SLOT, closed="left", time_zone="UTC", eager=True)}
    )
    local = (
        slots.join_asof(offsets, on="slot")
        .with_columns(
            local=pl.col("slot").dt.replace_time_zone(None) + pl.duration(minutes="utc_offset_minutes")
        )
        .with_columns(
            local_date=pl.col("local").dt.date(),
            minute=pl.col("local").dt.hour().cast(pl.Int32) * 60 + pl.col("local").dt.minute(),
        )
    )
    # A shift belongs to the day on which it starts, so the days before the first one count as well.
    dates = _dates(schedule, days[0] - DAY, days[1])
    worked = _worked(schedule.shifts, dates)
    return (
        local.join(dates, on="local_date", how="left", maintain_order="left")
        .join(worked, on=["local_date", "minute"], how="left", maintain_order="left")
        .select(
            "slot",
            pl.lit(schedule.name).alias("schedule"),
            "local_date",
            pl.col("local").dt.time().alias("local_time"),
            pl.col("local").dt.hour().cast(pl.Int32).alias("hour"),
            pl.col("local").dt.weekday().cast(pl.Int32).alias("weekday"),
            pl.col("holiday").is_not_null().alias("is_holiday"),
            "holiday",
            pl.col("is_business_hours").fill_null(False),
            "utc_offset_minutes",
        )
    )


def _instant(day: date, where: ZoneInfo) -> datetime:
    """The slot in which a local day begins (a clock that skips midnight begins later; the slot is the same)."""
    moment = datetime(day.year, day.month, day.day, tzinfo=where).astimezone(UTC)
    return moment - timedelta(minutes=moment.minute % 15, seconds=moment.second)


def _offsets(where: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, int]]:
    """The slots at which the distance to UTC changes; days with the same one at both ends are not looked into."""
    known, day = None, start
    while day < end:
        same = known == _minutes(day, where) == _minutes(day + DAY, where)
        for step in range(0 if same else 96):
            moment = day + step * SLOT
            if (minutes := _minutes(moment, where)) != known:
                known = minutes
                yield moment, minutes
        day += DAY


def _minutes(moment: datetime, where: ZoneInfo) -> int:
    offset = moment.astimezone(where).utcoffset() or timedelta()
    return int(offset.total_seconds() // 60)


def _dates(schedule: Schedule, first: date, last: date) -> pl.DataFrame:
    named = holidays_between(schedule.holidays, first, last)
    days = [first + n * DAY for n in range((last - first).days + 1)]
    return pl.DataFrame(
        {"local_date": days, "holiday": [named.get(day) for day in days]},
        schema={"local_date": pl.Date, "holiday": pl.String},
    )


def _worked(shifts: tuple[Shift, ...], dates: pl.DataFrame) -> pl.DataFrame:
    """The local quarters that belong to a shift; one that starts on a holiday is not worked."""
    minutes = [(s.weekday, minute) for s in shifts for minute in range(s.start, s.end, 15)]
    pattern = pl.DataFrame(minutes, schema={"weekday": pl.Int8, "at": pl.Int32}, orient="row")
    over = pl.col("at") // DAY_MINUTES
    return (
        dates.filter(pl.col("holiday").is_null())
        .with_columns(weekday=pl.col("local_date").dt.weekday())
        .join(pattern, on="weekday")
        .select(
            local_date=pl.col("local_date") + pl.duration(days=over),
            minute=pl.col("at") % DAY_MINUTES,
            is_business_hours=pl.lit(True),
        )
        .unique()
    )
