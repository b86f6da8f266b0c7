"""Work at odd times."""

from __future__ import annotations

from bench.simulate import bswagic, oncloudwine
from bench.simulate.plants.planter import HOUR, Planter, minutes
from bench.simulate.staff import HOLIDAYS
from bench.simulate.world import World

DAYTIME = ("sales", "sales_de", "prepress", "prepress_de", "cellar", "desk", "books", "marketing", "stewards")


def off_hours(p: Planter) -> None:
    """An account is busy in the middle of the night, or on a Sunday, when its owner never works."""
    person, day = p.someone(DAYTIME, also=lambda one: not one.evenings)
    weekday = (p.w.diary.begin.weekday() + day) % 7
    minute = p.rng.uniform(40, 190)
    if p.n % 4 == 3:
        day, minute = day + 6 - weekday, p.rng.uniform(600, 900)
        day = min(day, p.days - 1)
    start = p.w.diary.moment(person.team.zone, day, minute)
    end = start + minutes(p.size(17, 50, 110))
    label = p.label(start, end, person)
    p.usual_work(label, person, p.own(person, day), start, end, p.size(5, 13, 34))


def holiday_admin(p: Planter) -> None:
    """Settings are changed on a day on which the organization is closed."""
    admins = [one for one in p.w.staff if one.team.name in ("admins", "managers") and one.first_day == 0]
    days = [n for day in HOLIDAYS["America/New_York"] if 14 < (n := (day - p.w.diary.begin).days) < p.days]
    person, day = admins[p.n % len(admins)], days[(p.n // len(admins) + p.n) % len(days)]
    start = p.w.diary.moment(person.team.zone, day, p.rng.uniform(580, 960))
    label = p.label(start, start + HOUR, person)
    seat = p.own(person, day)

    def change(w: World, t: int) -> None:
        number = w.rng.randrange(10**6)
        if p.rng.random() < 0.5:
            oncloudwine.setting(
                w, t, seat, f"Shipping zone {number % 90}", {"rate": 12}, {"rate": number % 12}
            )
        else:
            bswagic.record(
                w,
                t,
                seat,
                "Setting Updated",
                "Webhook address changed",
                "Setting webhooks.orders",
                {"url": f"https://a{number}.example"},
                {"url": f"https://b{number}.example"},
            )

    p.spread(label, start, start + HOUR, p.size(1, 3, 6), change)


PLANTS = (off_hours, holiday_admin)
