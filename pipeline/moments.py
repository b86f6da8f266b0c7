"""Times as people write them -> instants, and instants as people say them. Used by filters and the command."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from pipeline.errors import UsageError
from pipeline.hours import zone

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DAYS_BACK = {"today": 0, "yesterday": 1}
EXAMPLES = "Write 2026-10-31, 2026-10-31T18:00, 2026-10-31T18:00Z, today, 24h or 7d."
_AGO = re.compile(r"^(\d+)([mhdw])$")
_DATE = re.compile(r"^\d{4}-?\d{2}-?\d{2}$")
_STEPS = ((60, 1, "s"), (3_600, 60, "min"), (86_400, 3_600, "h"), (14 * 86_400, 86_400, "d"))


def moment(text: object, zone_name: str, now: datetime, *, end: bool = False) -> datetime:
    """A time, a date of the zone (its end for `end`), `today`, `yesterday`, `now`, or so long ago: `24h`, `7d`."""
    if isinstance(text, datetime):
        return _placed(text, zone_name)
    if isinstance(text, date):
        return _placed(datetime.combine(text, time()) + timedelta(days=end), zone_name)
    written = str(text).strip()
    try:
        if ago := _AGO.match(written):
            return now - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        if written == "now":
            return now
        if written in DAYS_BACK:
            today = now.astimezone(zone(zone_name)).date()
            return moment(today - timedelta(days=DAYS_BACK[written]), zone_name, now, end=end)
        found = datetime.fromisoformat(written)
        if end and _DATE.match(written):
            found += timedelta(days=1)
        return _placed(found, zone_name)
    except (ValueError, OverflowError) as error:
        shown = written if len(written) <= 60 else f"{written[:59]}…"
        raise UsageError(f'"{shown}" is not a time.', hint=EXAMPLES) from error


def _placed(moment: datetime, zone_name: str) -> datetime:
    """An instant in UTC; without a zone of its own it is the organization's."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone(zone_name))).astimezone(UTC)


def relative(text: object) -> bool:
    """Whether a written time means another instant tomorrow."""
    return isinstance(text, str) and (text.strip() in {"now", *DAYS_BACK} or bool(_AGO.match(text.strip())))


def instant(moment: datetime) -> str:
    """`2026-10-31 18:00Z`, with seconds where there are any."""
    at = moment.astimezone(UTC)
    return at.strftime("%Y-%m-%d %H:%M" if not at.second else "%Y-%m-%d %H:%M:%S") + "Z"


def ago(then: datetime, now: datetime) -> str:
    """How long before `now`: `2 min ago`, `3 h ago`, `yesterday`; what is not before it is `in 5 min`."""
    seconds = round((now - then).total_seconds())
    size = abs(seconds)
    if 86_400 <= size < 2 * 86_400:
        return "yesterday" if seconds > 0 else "tomorrow"
    told = next((f"{size // unit} {name}" for most, unit, name in _STEPS if size < most), None)
    if told is None:
        told = f"{size // (7 * 86_400)} wk" if size < 730 * 86_400 else f"{size // (365 * 86_400)} yr"
    return f"{told} ago" if seconds >= 0 else f"in {told}"
