"""What the config says about time, as texts -> checked values: business hours, zones, holidays. Part of config."""

from __future__ import annotations

import difflib
import importlib.resources
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from zoneinfo import ZoneInfo

from pipeline.errors import UsageError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
DAY_MINUTES = 24 * 60
EXAMPLE = '"Mon-Fri 08:00-12:00, 13:00-18:00; Sat 09:00-12:00"'

_SEGMENT = re.compile(r"^(?P<days>[A-Za-z]+(?:\s*[-,]\s*[A-Za-z]+)*)\s+(?P<ranges>\d.*)$")
_RANGE = re.compile(r"^(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})$")


@dataclass(frozen=True)
class Shift:
    """One range of work: on this weekday (1 is Monday), from and until in minutes; past 1440 is the next day."""

    weekday: int
    start: int
    end: int


def read_hours(text: str) -> tuple[Shift, ...]:
    """Business hours: days and ranges, several with `;` and `,`; an end before its start is after midnight."""
    if text.strip().lower() == "always":
        return tuple(Shift(day, 0, DAY_MINUTES) for day in range(1, 8))
    shifts = [
        Shift(day, start, end)
        for segment in text.split(";")
        for days, ranges in [_split(segment.strip(), text)]
        for day in days
        for start, end in ranges
    ]
    return tuple(sorted(set(shifts), key=lambda s: (s.weekday, s.start, s.end)))


def _split(segment: str, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    found = _SEGMENT.match(segment)
    if found is None:
        raise _bad_hours(text, segment)
    ranges = [_range(part.strip(), text) for part in found["ranges"].split(",")]
    return [day for part in found["days"].split(",") for day in _days(part.strip(), text)], ranges


def _days(part: str, text: str) -> list[int]:
    first, _, last = (name.strip() for name in part.partition("-"))
    start, end = _day(first, text), _day(last or first, text)
    return [(start - 1 + step) % 7 + 1 for step in range((end - start) % 7 + 1)]


def _day(name: str, text: str) -> int:
    short = name[:3].capitalize()
    if short not in DAYS:
        raise _bad_hours(text, name)
    return DAYS.index(short) + 1


def _range(part: str, text: str) -> tuple[int, int]:
    found = _RANGE.match(part)
    if found is None:
        raise _bad_hours(text, part)
    hours = [int(number) for number in found.groups()]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if start >= DAY_MINUTES or end > DAY_MINUTES or hours[1] > 59 or hours[3] > 59 or start == end:
        raise _bad_hours(text, part)
    if start % 15 or end % 15:
        raise UsageError(f'"{part}" is not in quarters of an hour, which business hours are kept in.')
    return start, end if end > start else end + DAY_MINUTES


def _bad_hours(text: str, part: str) -> UsageError:
    where = f' ("{part}")' if part != text else ""
    return UsageError(f'"{text}"{where} is not business hours.', hint=f"Expected something like {EXAMPLE}.")


@cache
def zone_names() -> frozenset[str]:
    """Every zone of the tzdata package, so that all machines know the same ones."""
    return frozenset((importlib.resources.files("tzdata") / "zones").read_text("utf-8").split())


@cache
def zone(name: str) -> ZoneInfo:
    """A time zone by its name, from the tzdata package and not from the machine."""
    if name not in zone_names():
        raise UsageError(f'"{name}" is not a known zone.', hint=suggestion(name, zone_names()))
    with importlib.resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def suggestion(word: str, known: Iterable[str]) -> str:
    """The end of an error: what was probably meant, else what there is."""
    names = sorted(known)
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {folded[near[0]]}?"
    return (
        f"Known are: {', '.join(names)}."
        if len(names) <= 30
        else f"For example: {', '.join(_examples(names))}."
    )


def _examples(names: list[str]) -> list[str]:
    return [
        name for name in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata") if name in names
    ] or names[:4]


def check_holidays(item: str) -> str:
    """A date, a country (US) or a country and region (US-NY); anything else is an error that says which there are."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", item):
        try:
            return date.fromisoformat(item).isoformat()
        except ValueError as error:
            raise UsageError(f'"{item}" is no day of the calendar.') from error
    import holidays as almanac

    country, _, region = item.partition("-")
    known: Mapping[str, list[str]] = almanac.list_supported_countries(include_aliases=False)
    if country not in known:
        raise UsageError(
            f'"{item}" is no country whose holidays are known.',
            hint='Expected a country ("US"), a country and region ("US-NY"), or a list of dates.',
        )
    if region and region not in known[country]:
        raise UsageError(f'"{region}" is no region of {country}.', hint=suggestion(region, known[country]))
    return item


def holidays_between(items: Iterable[str], first: date, last: date) -> dict[date, str]:
    """The names of the holidays in a span; dates of one's own are called `company holiday`."""
    found: dict[date, str] = {}
    for item in items:
        if item[:4].isdigit():
            found.setdefault(date.fromisoformat(item), "company holiday")
            continue
        import holidays as almanac

        country, _, region = item.partition("-")
        years = range(first.year, last.year + 1)
        plain = almanac.country_holidays(country)
        language = "en_US" if "en_US" in plain.supported_languages else plain.default_language
        for day, name in almanac.country_holidays(
            country, region or None, years=years, language=language
        ).items():
            found[day] = str(name)
    return {day: name for day, name in sorted(found.items()) if first <= day <= last}
