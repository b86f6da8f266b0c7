"""How values become text that is safe to read: hidden characters shown, numbers and sizes said. Used by templates."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta

# Cc control, Cf format (bidi overrides, zero width), Cs half a surrogate pair, Zl and Zp line separators.
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_KEPT = frozenset("\n\t")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# The names that the C library gives depend on the machine's language.
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def visible(text: str) -> str:
    """The text with every character that would not be seen, or would reorder others, shown by its number."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def brief(text: str, most: int = 60) -> str:
    """The same, no longer than a drawing has room for."""
    return visible(text if len(text) <= most else f"{text[: most - 1]}…")


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return by_number(character)


def by_number(character: str) -> str:
    """A character written as its number."""
    return f"‹U+{ord(character):04X}›"


def number(value: int | float) -> str:
    """1,234 and 12.5: the same in every locale."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def count(value: int, singular: str, plural: str | None = None) -> str:
    """ "1 event", "1,234 events"."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"


def day_month(day: date) -> str:
    """7 October."""
    return f"{day.day} {MONTHS[day.month - 1]}"


def moment(microseconds: int) -> str:
    """What the store's epoch_us() says, to the second in UTC."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return at.strftime("%Y-%m-%d %H:%M:%S")


def weekday(day: date) -> str:
    """Wed."""
    return WEEKDAYS[day.weekday()][:3]


def size(value: int) -> str:
    """Bytes as people read them, in decimal units."""
    scaled, unit = float(value), 0
    while scaled >= 1000 and unit < len(_UNITS) - 1:
        scaled, unit = scaled / 1000, unit + 1
    return f"{value:,} {'byte' if value == 1 else 'bytes'}" if unit == 0 else f"{scaled:,.1f} {_UNITS[unit]}"


def percent(part: int, whole: int) -> str:
    """A share with one decimal; never 0.0 or 100.0 when there is something or something is missing."""
    if whole == 0:
        return "–"
    share = 100 * part / whole
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"


def listed(words: list[str] | tuple[str, ...]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def words(name: str) -> str:
    """An identifier as it is said: print_job -> print job."""
    return name.replace("_", " ")
