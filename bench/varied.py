"""A few hand-written lines of a source -> a large export of it: the same shapes, other ids, times and people.

For the benchmarks only. Whoever is named where a person belongs is one of sixty; every other id is new in each line.
"""

from __future__ import annotations

import itertools
import json
import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

PEOPLE = 60
PERSON = re.compile(r"actor|user|by|principal|email|person|author|member|caller|login|name|identity", re.I)
MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d(:\d\d)?")
IDENTIFIER = re.compile(r"(?=[\w-]*\d[\w-]*\d)[0-9A-Za-z][\w-]{9,}")
DIGITS, LETTERS = "0123456789", "abcdefghijklmnopqrstuvwxyz"
SECONDS, MILLISECONDS = range(1_500_000_000, 2_000_000_000), range(1_500_000_000_000, 2_000_000_000_000)


def block(lines: Sequence[bytes], size: int, seed: int = 3) -> bytes:
    """Nearly `size` bytes of lines that look like these; another seed has other ids, and other people do things."""
    dice = random.Random(seed)
    records = [record for line in lines if (record := _object(line)) is not None]
    made, used = [], 0
    for number, record in enumerate(itertools.cycle(records)):
        varied = _varied(record, dice, number, person=False)
        made.append(json.dumps(varied, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        used += len(made[-1])
        if used > size:
            return b"".join(made[:-1])
    raise ValueError("There is no line to look like.")


def _object(line: bytes) -> dict[str, Any] | None:
    """Fixtures also hold lines that are meant to be refused."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _varied(value: Any, dice: random.Random, number: int, *, person: bool) -> Any:
    if isinstance(value, dict):
        return {
            key: _varied(member, dice, number, person=person or bool(PERSON.search(key)))
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_varied(member, dice, number, person=person) for member in value]
    if isinstance(value, int) and not isinstance(value, bool):
        step = number if value in SECONDS else number * 1000 if value in MILLISECONDS else 0
        return value + step % (10_000_000 if value in SECONDS else 10_000_000_000)
    if not isinstance(value, str):
        return value
    if MOMENT.search(value):  # that of the first line, too, stays a time
        return MOMENT.sub(lambda found: _later(found, number), value)
    own = random.Random(f"{value}{dice.randrange(PEOPLE)}") if person else dice
    return IDENTIFIER.sub(lambda found: _other(found.group(), own), value)


def _later(found: re.Match[str], number: int) -> str:
    moment = datetime.fromisoformat(found.group()) + timedelta(seconds=number % 10_000_000)
    return moment.isoformat(found.group(1), "seconds" if found.group(2) else "minutes")


def _other(text: str, dice: random.Random) -> str:
    return "".join(
        dice.choice(DIGITS) if c.isdigit() else dice.choice(LETTERS) if c in LETTERS else c for c in text
    )
