"""Who works at Fernhollow Print & Cellar, and when and from where each of them does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
TABLET = "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Safari/604.1"

MON, TUE, WED, THU, FRI, SAT, _ = range(7)
WEEK = (MON, TUE, WED, THU, FRI)


@dataclass(frozen=True)
class Person:
    """A member of staff; `begins` and `ends` are on the person's own clock."""

    key: str
    name: str
    browser: str
    begins: str
    ends: str
    weekdays: tuple[int, ...] = WEEK
    home: str | None = None
    home_days: tuple[int, ...] = ()
    abroad: bool = False
    first: date = date(2020, 1, 1)
    last: date = date(2030, 1, 1)

    @property
    def email(self) -> str:
        """Where the person is written to."""
        return f"{self.key}@fernhollow.example"


MARTA = Person("marta", "Marta Lindqvist", MAC, "08:30", "17:30", home="2001:db8:51::2a", home_days=(FRI,))
THEO = Person("theo", "Theo Brandt", LINUX, "09:00", "17:30", home="198.51.100.61", home_days=(MON, THU))
INES = Person("ines", "Ines Calloway", MAC, "08:00", "16:30", home="198.51.100.23", home_days=(WED,))
JONAH = Person("jonah", "Jonah Pell", MAC, "09:00", "14:00", weekdays=(MON, TUE, THU))
ROSA = Person("rosa", "Rosa Dimitriou", WINDOWS, "09:00", "17:30", home="198.51.100.87", home_days=(TUE,))
CALEB = Person(
    "caleb",
    "Caleb Whitaker",
    WINDOWS,
    "09:00",
    "17:30",
    home="2001:db8:7c::11",
    home_days=(THU,),
    last=date(2026, 10, 23),
)
NKECHI = Person("nkechi", "Nkechi Obi", WINDOWS, "06:00", "14:30")
TOMAS = Person("tomas", "Tomas Reyl", TABLET, "13:00", "21:00")
GRETA = Person("greta", "Greta Holm", MAC, "10:00", "18:00", weekdays=(TUE, WED, THU, FRI, SAT))
BEA = Person(
    "bea",
    "Bea Sandoval",
    WINDOWS,
    "09:00",
    "13:00",
    weekdays=(MON, WED, FRI),
    home="198.51.100.140",
    home_days=(MON, WED, FRI),
)
PRIYA = Person(
    "priya", "Priya Raman", WINDOWS, "15:30", "23:30", home="203.0.113.132", home_days=WEEK, abroad=True
)
LENA = Person("lena", "Lena Fuchs", TABLET, "10:00", "18:00", first=date(2026, 10, 5))

PEOPLE = (MARTA, THEO, INES, JONAH, ROSA, CALEB, NKECHI, TOMAS, GRETA, BEA, PRIYA, LENA)
