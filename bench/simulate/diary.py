"""Who sits where and when: each person's day as sessions at a line, before anything is done there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from zoneinfo import ZoneInfo

from bench.simulate import places
from bench.simulate.places import Line
from bench.simulate.staff import HOLIDAYS, Person

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True)
class Seat:
    """A person at a line. `who` is whose account is used there: the person's own, unless accounts were swapped."""

    who: Person
    line: Line


@dataclass(frozen=True)
class Session:
    """A stretch of work in UTC milliseconds; `share` is the part of the day's actions that is done in it."""

    start: int
    end: int
    seat: Seat
    share: float
    remark: str = ""


@dataclass(frozen=True)
class Diary:
    """All sessions, by person's number and day."""

    begin: date
    days: int
    sessions: dict[tuple[int, int], tuple[Session, ...]]

    def moment(self, zone: str, day: int, minute: float) -> int:
        """The UTC millisecond of a local minute of a day; minutes past 1440 are the next day's."""
        return moment(zone, self.begin + timedelta(days=day), minute)


def moment(zone: str, day: date, minute: float) -> int:
    whole = day + timedelta(days=int(minute // 1440))
    inside = minute % 1440
    return _midnight(whole) + int(inside * MINUTE) - offset(zone, whole, int(inside // 60)) * MINUTE


@cache
def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


@cache
def offset(zone: str, day: date, hour: int) -> int:
    """Minutes that the local clock is ahead of UTC in a local hour."""
    local = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo(zone))
    return int((local.utcoffset() or timedelta()).total_seconds() // 60)


def keep(
    rng: Random, staff: Sequence[Person], begin: date, days: int, swaps: dict[int, tuple[Person, int]]
) -> Diary:
    """The diary of everybody. `swaps` says whose account a person uses from which day on."""
    sessions: dict[tuple[int, int], tuple[Session, ...]] = {}
    move = days * 11 // 18
    for person in staff:
        away = _away(rng, days)
        trip, hotel = _trip(rng, person, days)
        house = person.home.address
        for day in range(person.first_day, person.last_day):
            if rng.random() < 1 / 200:
                house = places.home(rng, rng.randrange(20), person.city).address
            today = begin + timedelta(days=day)
            if today.weekday() not in person.weekdays or today in HOLIDAYS[person.team.zone]:
                continue
            if day in away or rng.random() < 0.02:
                continue
            other, since = swaps.get(person.number, (person, 0))
            who = other if day >= since else person
            sessions[person.number, day] = _day(
                rng, person, who, today, day, house, hotel if day in trip else "", day >= move
            )
    return Diary(begin, days, sessions)


def _away(rng: Random, days: int) -> range:
    """At most one holiday of some days to three weeks."""
    if rng.random() < 0.45:
        return range(0)
    first = rng.randrange(days)
    return range(first, first + rng.choice((5, 7, 9, 12, 14, 16, 21)))


def _trip(rng: Random, person: Person, days: int) -> tuple[range, str]:
    """The days of a journey, and the address of the hotel."""
    if person.team.name not in ("sales", "sales_de", "managers", "admins") or rng.random() < 0.6:
        return range(0), ""
    first = rng.randrange(days)
    return range(first, first + rng.randrange(2, 6)), places.hotel(rng)


def _day(
    rng: Random, person: Person, who: Person, today: date, day: int, house: str, hotel: str, moved: bool
) -> tuple[Session, ...]:
    team, zone = person.team, person.team.zone
    start = team.start + person.shift + rng.gauss(0, 9)
    end = team.end + person.shift + rng.gauss(0, 14) + (rng.uniform(20, 95) if rng.random() < 0.03 else 0)
    lag = person.number % 6
    agent = places.browser(*person.browser, day, lag)
    ip, remark = _address(rng, person, house, hotel, moved)
    seat = Seat(who, Line(ip, agent))
    remark = "night shift" if team.name == "farm_night" else remark
    middle = (start + end) / 2 + rng.gauss(0, 20)
    lunch = rng.uniform(25, 55)
    found = [
        Session(moment(zone, today, start), moment(zone, today, middle), seat, 0.5, remark),
        Session(moment(zone, today, middle + lunch), moment(zone, today, end), seat, 0.5, remark),
    ]
    if person.phone and rng.random() < 0.5:
        on_phone = Seat(
            who, Line(places.mobile(rng, person.number, person.city), places.phone(person.phone, day, lag))
        )
        at = rng.uniform(start, end - 40)
        found.append(Session(moment(zone, today, at), moment(zone, today, at + 30), on_phone, 0.06, "mobile"))
    if person.evenings and not hotel and rng.random() < 0.5:
        at_home = Seat(who, Line(house, agent))
        at = rng.uniform(1215, 1260)
        found.append(
            Session(moment(zone, today, at), moment(zone, today, at + 70), at_home, 0.15, "evening habit")
        )
    return tuple(found)


def _address(rng: Random, person: Person, house: str, hotel: str, moved: bool) -> tuple[str, str]:
    if hotel:
        return hotel, "travel"
    if rng.random() < person.at_home:
        if rng.random() < person.on_vpn:
            return places.VPN[person.number % 2], "vpn"
        return (places.dialled(rng, person.city), "dialled anew") if person.home.daily else (house, "home")
    if person.team.office == "pune" and moved:
        return places.PUNE_AFTER_THE_MOVE[person.number % 2], "office move"
    office = places.OFFICES[person.team.office]
    return office[person.number % len(office)], ""
