"""How far a rule looks from the end of a finding: `2 days`, `window_minutes + 1 day`. Part of rulefile.

It is what makes a night cheap: a finding is judged again when something within its reach is new, and not otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

STEPS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
ALL = "all"


def problem(text: str, units: Mapping[str, str]) -> str | None:
    """What is wrong with a reach, given the unit of each parameter."""
    for term in () if text == ALL else _terms(text):
        if (
            not re.fullmatch(r"\d+ (minute|hour|day)s?", term)
            and units.get(term, "").removesuffix("s") not in STEPS
        ):
            return f'"{term}" is neither a span (2 days) nor a parameter in minutes, hours or days'
    return None


def span(text: str, units: Mapping[str, str], values: Mapping[str, object]) -> timedelta | None:
    """The length of a reach with these parameters; None is all there is."""
    if text == ALL:
        return None
    return sum((_length(term, units, values) for term in _terms(text)), timedelta())


def _terms(text: str) -> list[str]:
    return [term.strip() for term in text.split("+")]


def _length(term: str, units: Mapping[str, str], values: Mapping[str, object]) -> timedelta:
    if term in units:
        return float(str(values[term])) * STEPS[units[term].removesuffix("s")]
    number, unit = term.split()
    return int(number) * STEPS[unit.removesuffix("s")]
