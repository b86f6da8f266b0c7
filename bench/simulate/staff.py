"""Who works at the simulated organization: teams, people, habits, and the settings an administrator would write."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from bench.simulate.places import CITIES, Home, home

COMPANY_DAY = date(2026, 8, 28)
HOLIDAYS = {
    "America/New_York": (COMPANY_DAY, date(2026, 9, 7), date(2026, 10, 12)),
    "America/Los_Angeles": (COMPANY_DAY, date(2026, 9, 7), date(2026, 10, 12)),
    "Europe/Berlin": (COMPANY_DAY, date(2026, 9, 21), date(2026, 10, 2)),
    "Asia/Kolkata": (COMPANY_DAY, date(2026, 9, 14), date(2026, 10, 2), date(2026, 10, 20)),
}
WEEK = (0, 1, 2, 3, 4)


@dataclass(frozen=True)
class Team:
    """People with the same work, hours (local minutes; past 1440 is the next morning) and office."""

    name: str
    share: int
    zone: str
    office: str
    start: int
    end: int
    hours: str
    rate: float
    weekdays: tuple[int, ...] = WEEK


TEAMS = (
    Team("sales", 24, "America/New_York", "harbor", 540, 1050, "Mon-Fri 08:00-18:30", 46),
    Team("sales_de", 12, "Europe/Berlin", "spree", 540, 1050, "Mon-Fri 08:00-18:30", 44),
    Team("prepress", 30, "America/New_York", "harbor", 480, 990, "Mon-Fri 07:30-18:00", 52),
    Team("prepress_de", 12, "Europe/Berlin", "spree", 480, 990, "Mon-Fri 07:30-18:00", 50),
    Team("farm", 18, "America/New_York", "harbor", 360, 870, "Mon-Fri 06:00-22:30", 60),
    Team("farm_late", 8, "America/New_York", "harbor", 840, 1350, "Mon-Fri 06:00-22:30", 56),
    Team("farm_night", 8, "America/New_York", "harbor", 1320, 1830, "Mon-Fri 06:00-22:30", 42),
    Team("cellar", 22, "America/Los_Angeles", "valley", 540, 1050, "Mon-Sat 08:00-18:30", 55),
    Team("desk", 22, "Asia/Kolkata", "pune", 600, 1110, "Mon-Sat 09:00-23:45", 85, (0, 1, 2, 3, 4, 5)),
    Team("desk_late", 12, "Asia/Kolkata", "pune", 900, 1410, "Mon-Sat 09:00-23:45", 80),
    Team("books", 10, "America/New_York", "harbor", 540, 1020, "Mon-Fri 08:00-18:30", 34),
    Team("marketing", 8, "America/New_York", "harbor", 540, 1050, "Mon-Fri 08:00-18:30", 26),
    Team("stewards", 3, "America/New_York", "harbor", 540, 1050, "Mon-Fri 08:00-18:30", 30),
    Team("admins", 6, "America/New_York", "harbor", 510, 1035, "Mon-Fri 08:00-18:30", 16),
    Team("managers", 5, "America/New_York", "harbor", 540, 1080, "Mon-Fri 08:00-19:00", 14),
)
ROLES = {
    "admins": "Admin",
    "managers": "Manager",
    "stewards": "Data steward",
    "books": "Bookkeeper",
    "marketing": "Marketing",
    "farm": "Operator",
    "farm_late": "Operator",
    "farm_night": "Operator",
    "desk": "Agent",
    "desk_late": "Agent",
    "cellar": "Club member services",
    "sales": "Sales",
    "sales_de": "Sales",
    "prepress": "Prepress",
    "prepress_de": "Prepress",
}


@dataclass(frozen=True)
class Person:
    """One of the staff; the day numbers count from the first day of the simulation."""

    number: int
    name: str
    email: str
    team: Team
    rate: float
    shift: int
    weekdays: tuple[int, ...]
    browser: tuple[str, str]
    phone: str | None
    at_home: float
    home: Home
    on_vpn: float
    evenings: bool
    first_day: int
    last_day: int
    ids: dict[str, str] = field(hash=False, compare=False, default_factory=dict)

    @property
    def role(self) -> str:
        return ROLES[self.team.name]

    @property
    def city(self) -> int:
        return CITIES.index(self.team.zone)


def hire(rng: Random, people: int, days: int) -> list[Person]:
    """The staff, the first ones of each team first; about one in twenty arrives later, one in twenty leaves earlier."""
    wanted = [(team, max(2, round(team.share * people / 200))) for team in TEAMS]
    names = _names(rng, sum(count for _, count in wanted))
    staff: list[Person] = []
    for team, count in wanted:
        for place in range(count):
            staff.append(_person(rng, len(staff), names[len(staff)], team, place, days))
    return staff


def _person(rng: Random, number: int, name: str, team: Team, place: int, days: int) -> Person:
    first, last = name.split(" ", 1)
    newcomer = place >= 2 and rng.random() < 0.05
    leaver = place >= 2 and not newcomer and rng.random() < 0.05
    weekdays = team.weekdays
    if team.name in ("books", "prepress", "cellar") and rng.random() < 0.3:
        weekdays = tuple(sorted(rng.sample(weekdays, 3)))
    elif team.name == "cellar" and rng.random() < 0.5:
        weekdays = (1, 2, 3, 4, 5)
    os = rng.choices(
        ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64"), (6, 3, 1)
    )
    return Person(
        number=number,
        name=name,
        email=f"{_ascii(first)}.{_ascii(last)}@harborfinch.example",
        team=team,
        rate=team.rate * rng.lognormvariate(0, 0.25),
        shift=rng.choice((-30, -15, 0, 0, 0, 15, 30)),
        weekdays=weekdays,
        browser=(rng.choices(("Chrome", "Firefox", "Edge"), (7, 2, 2))[0], os[0]),
        phone=rng.choice(("iPhone", "Android")) if rng.random() < 0.22 else None,
        at_home=rng.choice((0.0, 0.0, 0.1, 0.4, 0.4, 1.0)),
        home=home(rng, number, CITIES.index(team.zone)),
        on_vpn=rng.choice((0.0, 0.0, 0.5)),
        evenings=rng.random() < 0.05 and team.name != "farm_night",
        first_day=rng.randrange(days // 4, days * 3 // 4) if newcomer else 0,
        last_day=rng.randrange(days // 3, days * 5 // 6) if leaver else days,
        ids={
            "craftstage": f"usr_{number + 11}",
            "oncloudwine": f"usr_{_ascii(first)[:6]}{number + 3}",
            "printago": _cuid(rng),
            "bswagic": str(number + 101),
        },
    )


def settings(staff: Sequence[Person], begin: date, days: int) -> str:
    """The auditbook.toml of the organization: hours by team. Nobody's own habits are in it, nor is the night shift."""
    lines = [
        "[organization]",
        'name = "Harbor & Finch"',
        'timezone = "America/New_York"',
        'business_hours = "Mon-Fri 08:00-18:30"',
        f"holidays = {_days(HOLIDAYS['America/New_York'])}",
        "",
        "[sources.bswagic]",
        'timezone = "Asia/Kolkata"',
        "day_first = true",
        'instance = "harbor-desk"',
        "",
        "[places]",
        'mmdb = "places.mmdb"',
        "",
        "[sources.craftstage]",
        'retention = "60 days"',
        "",
        "[sources.hoops]",
        'retention = "7 years"',
        "",
    ]
    for team in TEAMS:
        lines += [
            f"[teams.{team.name}]",
            f'timezone = "{team.zone}"',
            f'business_hours = "{team.hours}"',
            f"holidays = {_days(HOLIDAYS[team.zone])}",
            "",
        ]
    for one in staff:
        aliases = [f"oncloudwine:{one.ids['oncloudwine']}", f"bswagic:{one.name}"]
        lines += [
            f'[actors."{one.email}"]',
            f"name = {json.dumps(one.name, ensure_ascii=False)}",
            f'team = "{one.team.name}"',
            f'role = "{one.role}"',
            f"aliases = {json.dumps(aliases, ensure_ascii=False)}",
            *([f"left_on = {begin + timedelta(days=one.last_day)}"] if one.last_day < days else []),
            "",
        ]
    return "\n".join(lines)


def _days(days: Sequence[date]) -> str:
    return json.dumps([day.isoformat() for day in days])


def _cuid(rng: Random) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=24))


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain if letter.isalnum())


FIRST = (
    "Amara Anouk Arjun Beatriz Bram Camila Chidi Clara Dario Deepa Elif Emeka Esther Farah Felix Gianna Greta Hamid "
    "Hanna Henrik Ines Ishaan Ivo Jana Jasper Jelena Kabir Kaja Kofi Lars Leila Liam Ludo Mads Maia Marek Meera "
    "Mirela Nadia Neha Nils Noor Odile Omar Oskar Pavel Petra Pooja Rafael Rania Rohan Rosa Samir Sanna Selin Sven "
    "Tariq Tessa Tomás Uma Vera Vikram Wanda Xenia Yara Yusuf Zoë Zuri"
).split()
LAST = (
    "Abara Albrecht Andrade Bakker Banerjee Barros Berg Boateng Brandão Castel Chaudhry Costa Dahl Desai Dietz Doyle "
    "Eklund Endo Farkas Ferro Fontaine Gill Gomes Grün Haas Hale Holm Iyer Jansen Joshi Kapoor Keller Klein Kovač "
    "Kumar Laine Lindner Lopes Madsen Mehta Menon Mora Nair Novák Okafor Olsen Pell Pillai Quint Rao Reyes Ruiz "
    "Sandoval Sato Schmid Shah Silva Strand Tan Thomsen Ueda Vance Varga Weiss Yilmaz Zeller"
).split()


def _names(rng: Random, count: int) -> list[str]:
    pairs = [f"{first} {last}" for first in FIRST for last in LAST]
    return rng.sample(pairs, count)
