"""Which stretches of time a rule must be evaluated over, when something in them is new. Part of detect.

A finding is a matter of the events within the rule's reach of the end of its window. So those whose window ends within
reach of something new are judged again, all of them, and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from pipeline.summary import Span

DAY = timedelta(days=1)
NEAR = 7 * DAY  # days nearer to each other than this are one stretch
EARLIEST, LATEST = datetime(1, 2, 1, tzinfo=UTC), datetime(9999, 12, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reach:
    """How far a rule looks from the end of a window: into events before and after, and into habits; None is all."""

    back: timedelta | None
    ahead: timedelta | None
    habits: timedelta | None

    @property
    def endless(self) -> bool:
        return self.back is None or self.ahead is None

    def windows(self, news: Sequence[Span]) -> list[Span]:
        """Where the windows end that something new may change."""
        if self.endless:
            return [(EARLIEST, LATEST)] if news else []
        after = None if self.habits is None else max(self.back or DAY, self.habits)
        return merged([(_less(start, self.ahead), _more(end, after)) for start, end in news])

    def read(self, window: Span) -> Span:
        """Which events decide about the windows that end in a stretch."""
        return _less(window[0], self.back), _more(window[1], self.ahead)

    def remembered(self, window: Span) -> Span:
        """Which habits do."""
        return _less(window[0], self.habits), window[1]


def days(found: Iterable[tuple[date, date | None]]) -> list[Span]:
    """Stretches around days with something new, a day longer at both ends: people's days are not those of UTC.

    A log that grows says also that nothing happened since the day before on which it said something, which is told
    beside each, so a stretch begins there.
    """
    return merged((_midnight(before or day) - DAY, _midnight(day) + 2 * DAY) for day, before in found)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same stretches, those that lie near each other as one."""
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1] + NEAR:
            made[-1] = (made[-1][0], max(made[-1][1], end))
        else:
            made.append((start, end))
    return made


def chunks(windows: Sequence[Span], events: Mapping[date, int], most: int) -> list[Span]:
    """The stretches, cut at days so that none has many more events than `most`: memory is bounded by that."""
    made: list[Span] = []
    for start, end in windows:
        begin, held = start, 0
        for day in sorted(day for day in events if start.date() <= day < end.date()):
            if held and held + events[day] > most:
                cut = datetime(day.year, day.month, day.day, tzinfo=UTC)
                made.append((begin, cut))
                begin, held = cut, 0
            held += events[day]
        made.append((begin, end))
    return made


def overlap(windows: Sequence[Span], chunk: Span) -> Span | None:
    """The part of a chunk, from first to last, in which a rule has windows."""
    inside = [(max(start, chunk[0]), min(end, chunk[1])) for start, end in windows]
    inside = [(start, end) for start, end in inside if start < end]
    return (inside[0][0], inside[-1][1]) if inside else None


def hull(spans: Sequence[Span]) -> Span:
    """From the first to the last moment of some stretches."""
    never = datetime(1970, 1, 1, tzinfo=UTC)
    return (min(s[0] for s in spans), max(s[1] for s in spans)) if spans else (never, never)


def during(span: Span, column: str = "occurred_at") -> str:
    """SQL: that something happened in a stretch."""
    return f"{column} >= {moment(span[0])} AND {column} < {moment(span[1])}"


def moment(time: datetime) -> str:
    """SQL: an instant."""
    return f"TIMESTAMPTZ '{time.year:04d}-{time:%m-%d %H:%M:%S.%f}+00'"


def _less(moment: datetime, by: timedelta | None) -> datetime:
    return EARLIEST if by is None or moment - EARLIEST < by else moment - by


def _more(moment: datetime, by: timedelta | None) -> datetime:
    return LATEST if by is None or LATEST - moment < by else moment + by
