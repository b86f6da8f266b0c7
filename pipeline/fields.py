"""An unknown export -> its fields: where each stands, how often, what its values look like. First half of a draft."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import product
from typing import Any

EMAIL = re.compile(r"^[^@\s]+@[^@\s]+\.[^@\s]+$")
ISO = re.compile(
    r"^\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d+)?)?( ?(Z|z|UTC|GMT|[+-]\d\d:?\d\d))?)?$|^\d{8}T\d{6}Z$"
)
MAIL_TIME = re.compile(
    r"^([A-Z][a-z]{2}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d(:\d\d)? ([+-]\d{4}|GMT|UTC)$"
)
IDENTIFIER = re.compile(r"^(?=.*\d)[\w:.|/-]+$")
DATES = ("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%b %d, %Y", "%d %b %Y",
         "%B %d, %Y", "%d %B %Y", "%d-%b-%Y", "%d/%b/%Y", "%a %b %d %Y")  # fmt: skip
CLOCKS = ("%H:%M:%S", "%H:%M", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S.%f")
JOINTS = (" ", ", ", "T", " at ", ":")
FORMATS = tuple("".join(parts) for parts in product(DATES, JOINTS, CLOCKS, ("", " %z"))) + DATES
MOST_VALUES = 200


@dataclass
class Field:
    """One field of the export: `path` in the mapping's spelling, the words of its name, its values."""

    keys: tuple[str, ...]
    values: list[Any] = field(default_factory=list)

    @property
    def path(self) -> str:
        """As a mapping writes it."""
        if any("." in key or "/" in key or re.fullmatch(r"-?\d+", key) for key in self.keys):
            return "/" + "/".join(key.replace("~", "~0").replace("/", "~1") for key in self.keys)
        return ".".join(self.keys)

    @property
    def words(self) -> list[str]:
        """The words of all its keys, lower case, in order."""
        return [word for key in self.keys for word in words(key)]

    @property
    def own(self) -> list[str]:
        """The words of its last key."""
        return words(self.keys[-1])

    @property
    def texts(self) -> list[str]:
        """Its values that say something, as text."""
        told = [
            value for value in self.values if value not in (None, "") and not isinstance(value, (dict, list))
        ]
        return [str(value).lower() if isinstance(value, bool) else str(value) for value in told]

    def share(self, fits: Any) -> float:
        """The share of its values that a test holds for."""
        texts = self.texts[:MOST_VALUES]
        return sum(map(bool, map(fits, texts))) / len(texts) if texts else 0.0

    @property
    def variety(self) -> float:
        """1.0 when every value differs."""
        texts = self.texts
        return len(set(texts)) / len(texts) if texts else 0.0


def words(name: str) -> list[str]:
    """`performedBy`, `performed_by` and `Performed By` are two words."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1 \2", name))
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", spaced) if word]


def leaves(records: Sequence[dict[str, Any]]) -> list[Field]:
    """Every field that holds a value, of objects inside objects and of the first member of a list."""
    found: dict[tuple[str, ...], Field] = {}
    for record in records:
        for keys, value in _walk(record, ()):
            found.setdefault(keys, Field(keys)).values.append(value)
    return list(found.values())


def containers(records: Sequence[dict[str, Any]]) -> list[Field]:
    """Every field that holds an object or a list."""
    found: dict[tuple[str, ...], Field] = {}
    for record in records:
        for keys, value in _inside(record, ()):
            found.setdefault(keys, Field(keys)).values.append(value)
    return list(found.values())


def is_ip(text: str) -> bool:
    """An address, also with a port."""
    try:
        ipaddress.ip_address(re.sub(r"^(\d+\.\d+\.\d+\.\d+):\d+$|^\[(.+)\](:\d+)?$", r"\1\2", text))
    except ValueError:
        return False
    return True


def time_format(texts: Sequence[str]) -> list[str] | str | None:
    """What [time] format reads these texts; None when they are no times."""
    if not texts:
        return None
    if _most(texts, lambda text: ISO.match(text) or MAIL_TIME.match(text)):
        return "iso"
    if _most(texts, lambda text: re.fullmatch(r"\d{9,19}(\.\d+)?", text) and _plausible(float(text))):
        return "epoch"
    counted = Counter(form for form in FORMATS for text in texts[:50] if _reads(form, text))
    best = max(counted.values(), default=0)
    if best < 0.5 * len(texts[:50]):
        return None
    chosen = [next(form for form in FORMATS if counted[form] == best)]
    rest = [text for text in texts[:50] if not _reads(chosen[0], text)]
    chosen += [form for form in FORMATS if rest and all(_reads(form, text) for text in rest)][:1]
    return chosen


def embedded(value: Any) -> dict[str, Any] | None:
    """The object that a text is the JSON of."""
    if not (isinstance(value, str) and value.lstrip().startswith("{")):
        return None
    try:
        found = json.loads(value)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _walk(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _walk(inner, (*keys, key))
    elif isinstance(value, list):
        if value:
            yield from _walk(value[0], (*keys, "0"))
    else:
        yield keys, value


def _inside(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, dict):
        if keys:
            yield keys, value
        for key, inner in value.items():
            yield from _inside(inner, (*keys, key))
    elif isinstance(value, list):
        yield keys, value


def _most(texts: Sequence[str], fits: Any) -> bool:
    return sum(map(bool, map(fits, texts))) >= 0.9 * len(texts)


def _plausible(number: float) -> bool:
    while number > 1e11:
        number /= 1000
    return 5e8 < number < 5e9


def _reads(form: str, text: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only whether it fits
    except ValueError:
        return False
    return True
