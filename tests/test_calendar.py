"""Quarters of an hour: local time through both changes of the clock, shifts over midnight, holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from pipeline import config
from pipeline.calendar import schedules, table
from pipeline.errors import AuditbookError
from pipeline.hours import Shift, read_hours, zone

NEW_YORK = {"timezone": "America/New_York"}
NEW_YORK_HOURS = {"organization": {**NEW_YORK, "business_hours": "Mon-Fri 08:00-18:00"}}


def calendar(settings: dict[str, Any], *spans: tuple[datetime, datetime]) -> pl.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        table(connection, config.from_dict(settings), spans)
        return connection.sql("FROM calendar").pl()


def slots(day: date, schedule: str = "organization", **settings: Any) -> pl.DataFrame:
    """The slots of one local day of a schedule."""
    chosen = settings.pop("whole", None) or {"organization": settings}
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    frame = calendar(chosen, (noon, noon))
    return frame.filter((pl.col("local_date") == day) & (pl.col("schedule") == schedule))


def worked(frame: pl.DataFrame) -> list[str]:
    """The local times that are business hours."""
    return [f"{t:%H:%M}" for t in frame.filter("is_business_hours")["local_time"]]


def test_the_columns_and_a_plain_day() -> None:
    day = slots(date(2026, 10, 6), **NEW_YORK)
    assert day.height == 96
    assert day.columns == [
        "slot", "schedule", "local_date", "local_time", "hour", "weekday", "is_holiday", "holiday",
        "is_business_hours", "utc_offset_minutes", "is_workday",
    ]  # fmt: skip
    assert day.row(0)[0] == datetime(2026, 10, 6, 4, tzinfo=UTC)
    assert day["weekday"].unique().to_list() == [2]
    assert (worked(day)[0], worked(day)[-1], len(worked(day))) == ("08:00", "17:45", 40)


def test_slots_cover_the_day_before_and_after() -> None:
    moment = datetime(2026, 10, 6, 12, tzinfo=UTC)
    frame = calendar({}, (moment, moment))
    assert frame["local_date"].unique(maintain_order=True).to_list() == [
        date(2026, 10, day) for day in (5, 6, 7)
    ]
    assert frame["slot"].is_sorted() and frame["slot"].n_unique() == frame.height == 3 * 96


def test_spans_that_meet_are_one_and_others_leave_the_years_between_out() -> None:
    days = [date(1970, 1, 1), date(2026, 10, 6), date(2026, 10, 8)]
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days]
    frame = calendar(NEW_YORK_HOURS, *((noon, noon) for noon in noons))
    assert frame["local_date"].unique(maintain_order=True).to_list() == [
        date(1969, 12, 31), date(1970, 1, 1), date(1970, 1, 2), *(date(2026, 10, day) for day in range(5, 10))
    ]  # fmt: skip
    assert frame["slot"].is_sorted() and frame["slot"].n_unique() == frame.height == 8 * 96


def test_the_night_that_loses_an_hour() -> None:
    day = slots(date(2026, 3, 8), **NEW_YORK, business_hours="Sun 01:00-04:00")
    assert day.height == 92
    assert worked(day) == ["01:00", "01:15", "01:30", "01:45", "03:00", "03:15", "03:30", "03:45"]
    assert day["utc_offset_minutes"].unique(maintain_order=True).to_list() == [-300, -240]
    assert day.filter(pl.col("hour") == 3)["slot"][0] == datetime(2026, 3, 8, 7, tzinfo=UTC)


def test_the_night_that_has_an_hour_twice() -> None:
    day = slots(date(2026, 11, 1), **NEW_YORK, business_hours="Sun 01:00-02:00")
    assert day.height == 100
    assert worked(day) == ["01:00", "01:15", "01:30", "01:45"] * 2
    assert day.filter("is_business_hours")["utc_offset_minutes"].to_list() == [-240] * 4 + [-300] * 4


def test_an_hour_over_midnight_belongs_to_the_day_it_begins() -> None:
    hours = "Mon-Fri 22:00-06:00"
    monday, saturday, sunday = (slots(date(2026, 10, day), business_hours=hours) for day in (5, 10, 11))
    assert (worked(monday)[0], worked(monday)[-1], len(worked(monday))) == ("22:00", "23:45", 8)
    assert (worked(saturday)[0], worked(saturday)[-1], len(worked(saturday))) == ("00:00", "05:45", 24)
    assert worked(sunday) == []


def test_a_night_shift_that_begins_on_a_holiday_is_not_worked() -> None:
    hours = {"business_hours": "Mon-Fri 22:00-06:00", "holidays": ["2026-10-06"]}
    holiday, after = slots(date(2026, 10, 6), **hours), slots(date(2026, 10, 7), **hours)
    assert worked(holiday)[-1] == "05:45"
    assert holiday["holiday"].unique().to_list() == ["company holiday"]
    assert worked(after)[0] == "22:00"


@pytest.mark.parametrize(
    ("holidays", "day", "name"),
    [
        ("US", date(2026, 11, 26), "Thanksgiving Day"),
        ("US-NY", date(2026, 2, 12), "Lincoln's Birthday"),
        ("US", date(2026, 2, 12), None),
        ("DE-BY", date(2026, 1, 6), "Epiphany"),
        (["2026-12-24"], date(2026, 12, 24), "company holiday"),
    ],
)
def test_holidays(holidays: str | list[str], day: date, name: str | None) -> None:
    found = slots(day, holidays=holidays)
    assert found["holiday"].unique().to_list() == [name]
    assert found["is_holiday"].all() is (name is not None)
    assert bool(worked(found)) is (name is None and day.weekday() < 5)


def test_people_and_teams_have_their_own() -> None:
    whole = {
        "organization": {"timezone": "UTC", "holidays": ["2026-10-06"]},
        "teams": {"desk": {"timezone": "Asia/Kolkata", "holidays": []}},
        "actors": {
            "priya@example.com": {"team": "desk", "business_hours": "Tue 15:30-16:30"},
            "lena@example.com": {"team": "desk"},
            "ana@example.com": {},
        },
    }
    names = [schedule.name for schedule in schedules(config.from_dict(whole))]
    assert names == ["organization", "team:desk", "priya@example.com"]
    mine = slots(date(2026, 10, 6), "priya@example.com", whole=whole)
    assert worked(mine) == ["15:30", "15:45", "16:00", "16:15"]
    assert mine.filter("is_business_hours")["slot"][0] == datetime(2026, 10, 6, 10, tzinfo=UTC)
    assert worked(slots(date(2026, 10, 6), whole=whole)) == []


def test_hours_as_people_write_them() -> None:
    assert read_hours("Mon, Wed 08:00-12:00, 13:00-18:00; Sat 9:00-12:00") == (
        Shift(1, 480, 720), Shift(1, 780, 1080), Shift(3, 480, 720), Shift(3, 780, 1080), Shift(6, 540, 720),
    )  # fmt: skip
    assert {shift.weekday for shift in read_hours("Sat-Mon 08:00-09:00")} == {6, 7, 1}
    assert len(read_hours("always")) == 7
    assert read_hours("Sunday 18:00-24:00") == (Shift(7, 1080, 1440),)


@pytest.mark.parametrize(
    "text", ["", "Mon", "Mon-Fri", "Mon 08:00", "Mon 25:00-26:00", "Xyz 08:00-09:00", "Mon 08:00-08:00"]
)
def test_hours_that_are_none(text: str) -> None:
    with pytest.raises(AuditbookError, match="is not business hours"):
        read_hours(text)


def test_a_zone_comes_from_the_package_and_an_unknown_one_is_refused() -> None:
    assert zone("Europe/Berlin").key == "Europe/Berlin"
    with pytest.raises(AuditbookError, match=r'"Mars/Base" is not a known zone'):
        zone("Mars/Base")
    with pytest.raises(AuditbookError, match="is not a known zone"):
        zone("../../etc/passwd")
