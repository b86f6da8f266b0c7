"""October 2026 as the company works it: days, holidays, shifts, and when customers are awake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone

from sample_data.dice import Dice
from sample_data.people import Person

# No clock is changed in New York or Pune in October, so fixed offsets are exact and need no zone data of the machine.
NEW_YORK = timezone(timedelta(hours=-4))
PUNE = timezone(timedelta(hours=5, minutes=30))

FIRST_DAY = date(2026, 10, 1)
LAST_DAY = date(2026, 10, 31)
START = datetime(2026, 10, 1, 0, 5, tzinfo=NEW_YORK)
# From here on it is November in Pune, and the month would not be October in each of its zones.
END = datetime(2026, 10, 31, 14, 25, tzinfo=NEW_YORK)
HOLIDAYS = frozenset({date(2026, 10, 12)})

OFFICE = "203.0.113.10"


def at(day: int, clock: str) -> datetime:
    """That day of October at that time in New York: "09:30", or "09:30:12"."""
    return datetime.combine(date(2026, 10, day), time.fromisoformat(clock), tzinfo=NEW_YORK)


def days() -> Iterator[date]:
    """The first of October to the last."""
    for number in range((LAST_DAY - FIRST_DAY).days + 1):
        yield FIRST_DAY + timedelta(days=number)


def within(moment: datetime) -> bool:
    """Is it in the month that is exported?"""
    return START <= moment < END


def zone(person: Person) -> timezone:
    """Where the person's clock hangs."""
    return PUNE if person.abroad else NEW_YORK


def works_on(person: Person, day: date) -> bool:
    """Is that one of the person's working days?"""
    return person.first <= day <= person.last and day.weekday() in person.weekdays and day not in HOLIDAYS


def on_duty(person: Person, earliest: datetime) -> datetime:
    """The first moment from `earliest` on at which the person works; a few minutes are kept free at both ends."""
    day = earliest.astimezone(zone(person)).date()
    while True:
        begins = datetime.combine(day, time.fromisoformat(person.begins), tzinfo=zone(person)) + timedelta(
            minutes=2
        )
        ends = datetime.combine(day, time.fromisoformat(person.ends), tzinfo=zone(person)) - timedelta(
            minutes=12
        )
        if works_on(person, day) and earliest < ends:
            return max(earliest, begins) if earliest > begins else begins + _slowly(person.key, earliest, 150)
        if day > person.last:
            raise ValueError(f"{person.name} has left by {earliest:%d %B}.")
        day += timedelta(days=1)


def awake(earliest: datetime) -> datetime:
    """The first moment from `earliest` on at which a customer would look at a screen; rarely at a weekend."""
    local = earliest.astimezone(NEW_YORK)
    if local.hour >= 21:
        local = datetime.combine(local.date() + timedelta(days=1), time(), tzinfo=NEW_YORK)
    if local.weekday() >= 5 and Dice(f"weekend {earliest.isoformat()}").chance(0.7):
        local = datetime.combine(local.date() + timedelta(days=7 - local.weekday()), time(), tzinfo=NEW_YORK)
    if local.hour < 8:
        local = local.replace(hour=8, minute=0) + _slowly("customer", earliest, 200)
    return local


def address(person: Person, moment: datetime) -> str:
    """Where the person's requests come from: the office, or home on the days for it."""
    at_home = moment.astimezone(zone(person)).weekday() in person.home_days
    return person.home if at_home and person.home else OFFICE


def _slowly(who: str, earliest: datetime, most: int) -> timedelta:
    return Dice(f"morning of {who} {earliest.isoformat()}").minutes(0, most)
