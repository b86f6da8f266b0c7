"""When: instants in UTC and in the organization's zone, and the stretch of time that a report is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from reports.text import day_month

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Moment = datetime | date | str | None


@dataclass(frozen=True)
class Instant:
    """One moment, said twice: in UTC and in the organization's zone."""

    at: datetime
    zone: ZoneInfo

    @property
    def utc(self) -> str:
        return self.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def local(self) -> str:
        return self.at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    @property
    def zone_name(self) -> str:
        return self.at.astimezone(self.zone).tzname() or ""

    @property
    def iso(self) -> str:
        return self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")

    @property
    def day(self) -> str:
        local = self.at.astimezone(self.zone)
        return f"{day_month(local)} {local.year}"

    @property
    def same_day(self) -> bool:
        return self.utc[:10] == self.local[:10]


@dataclass(frozen=True)
class Period:
    """From `since` up to, not including, `until`."""

    since: Instant
    until: Instant
    given: bool

    @property
    def last(self) -> Instant:
        """The last second inside."""
        return Instant(self.until.at - timedelta(seconds=1), self.until.zone)

    @property
    def said(self) -> str:
        """1 October 2026 – 31 October 2026; one day is said once."""
        first, last = self.since.day, self.last.day
        return first if first == last else f"{first} – {last}"

    @property
    def days(self) -> list[date]:
        """Every local day that the period touches."""
        first = self.since.at.astimezone(self.since.zone).date()
        last = (self.until.at - timedelta(microseconds=1)).astimezone(self.until.zone).date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def instant(microseconds: int | None, where: ZoneInfo) -> Instant | None:
    """What the store's epoch_us() says, as an instant."""
    return None if microseconds is None else Instant(EPOCH + timedelta(microseconds=microseconds), where)
