"""Data -> SVG. Colours stand in attributes, so that paper needs no style sheet; classes let the screen change them."""

from __future__ import annotations

import importlib.resources
from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pipeline.columns import SEVERITIES
from reports.happened import ByDay, ByHour, Series
from reports.text import WEEKDAYS, brief, count, number

if TYPE_CHECKING:
    from reports.model import Report

WIDTH = 720
LEFT = 132
ROW = 50
BAR_ROOM = 34
CELL_HEIGHT = 23


@dataclass(frozen=True)
class Palette:
    """Few colours, told apart in grey too."""

    ink: str = "#1d2430"
    muted: str = "#5d6673"
    rule: str = "#c9ced6"
    band: str = "#eef0f3"
    accent: str = "#2a5d80"
    alarm: str = "#9c1f33"


@dataclass(frozen=True)
class Box:
    """One rectangle, and what it says when pointed at."""

    x: float
    y: float
    width: float
    height: float
    title: str = ""
    strength: float = 1.0
    text: str = ""


@dataclass(frozen=True)
class Edge:
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Lane:
    """One source's row of bars on its own scale."""

    label: str
    total: str
    most: str
    base: float
    bars: tuple[Box, ...]
    silent: tuple[Box, ...]
    found: tuple[Box, ...]


def by_day(data: ByDay, what: str = "Events", lane: str = "source", one: str = "event") -> Markup:
    """Entries (or findings) over time, one lane a source (or a severity), days without any marked."""
    slot = (WIDTH - LEFT - 8) / max(len(data.buckets), 1)
    lanes = tuple(_lane(data, n, slot, one) for n in range(len(data.series)))
    height = ROW * len(lanes)
    silent = sum(len(series.silent) for series in data.series)
    found = sum(1 for n in range(len(data.buckets)) if data.found(n))
    return drawn(
        "by_day.svg.j2",
        title=f"{what} by {data.unit} and {lane}",
        description="; ".join(f"{brief(s.source)}: {count(s.total, one)}" for s in data.series)
        + f". {count(silent, 'silent working day')} and {count(found, data.unit)} with findings marked. "
        "The numbers are in the table below the chart.",
        lanes=lanes,
        height=height,
        rests=[
            Box(LEFT + n * slot, 0, slot, height)
            for n, bucket in enumerate(data.buckets)
            if not bucket.working
        ],
        ticks=[(LEFT + n * slot + slot / 2, data.buckets[n].label) for n in _ticks(data)],
    )


def _lane(data: ByDay, n: int, slot: float, one: str) -> Lane:
    series, base = data.series[n], ROW * n + ROW - 8
    most = max(series.counts, default=0)
    bars = []
    for place, (bucket, entries) in enumerate(zip(data.buckets, series.counts, strict=True)):
        if entries:
            tall = max(BAR_ROOM * entries / most, 0.8)
            what = f"{brief(series.source)}, {bucket.label}: {count(entries, one)}"
            bars.append(Box(LEFT + place * slot + slot * 0.14, base - tall, slot * 0.72, tall, what))
    silent = tuple(
        Box(
            LEFT + place * slot + slot / 2,
            base - 6,
            0,
            0,
            f"{brief(series.source)}, {data.buckets[place].label}: no event",
        )
        for place in series.silent
    )
    found = tuple(
        Box(
            LEFT + place * slot + slot / 2,
            base - BAR_ROOM - 2,
            0,
            0,
            f"{brief(series.source)}, {data.buckets[place].label}: {', '.join(names)}",
        )
        for place, names in sorted(series.found.items())
    )
    return Lane(brief(series.source), number(series.total), number(most), base, tuple(bars), silent, found)


def _ticks(data: ByDay) -> list[int]:
    """Mondays, or every so many buckets, so that labels do not touch."""
    if data.unit == "day" and len(data.buckets) > 10:
        mondays = [n for n, bucket in enumerate(data.buckets) if bucket.start.weekday() == 0]
        return mondays[:: max(1, len(mondays) // 8)]
    return list(range(0, len(data.buckets), max(1, len(data.buckets) // 8)))


def by_severity(report: Report) -> Markup:
    """When findings began, one lane a severity, on the days of the chart of events."""
    days = report.activity.by_day
    told = [f for f in (*report.findings.full, *report.findings.brief) if f.state != "withdrawn"]
    lanes = []
    for severity in SEVERITIES:
        counts = [0] * len(days.buckets)
        for one in told:
            day = one.start.at.astimezone(one.start.zone).date()
            place = bisect_right([bucket.start for bucket in days.buckets], day) - 1
            if one.severity == severity and place >= 0:
                counts[place] += 1
        if any(counts):
            lanes.append(Series(severity, tuple(counts), (), sum(counts)))
    if not lanes:
        return Markup()
    return by_day(replace(days, series=tuple(lanes)), "Findings", "severity", "finding")


def calendar(data: ByDay) -> Markup:
    """Each source on each day: whether anything is there, and how much of its fullest day."""
    if data.unit != "day" or not data.buckets:
        return Markup()
    wide = (WIDTH - LEFT - 8) / len(data.buckets)
    cells = []
    for row, series in enumerate(data.series):
        most = max(series.counts)
        for place, (bucket, n) in enumerate(zip(data.buckets, series.counts, strict=True)):
            said = f"{brief(series.source)}, {bucket.label}: {count(n, 'event')}"
            strength = (n / most) ** 0.5 if n else 0.0
            mark = "silent" if place in series.silent else ""
            cells.append(Box(LEFT + place * wide, row * 20, wide, 20, said, strength, mark))
    return drawn(
        "calendar.svg.j2", title="Events of each source on each day", cells=cells,
        description="; ".join(
            f"{brief(s.source)}: events on {sum(map(bool, s.counts))} of {len(s.counts)} days" for s in data.series
        ),
        names=[(row * 20 + 14, brief(series.source)) for row, series in enumerate(data.series)],
        heads=[(LEFT + (n + 0.5) * wide, str(bucket.start.day)) for n, bucket in enumerate(data.buckets)],
        height=len(data.series) * 20,
    )  # fmt: skip


def by_hour(data: ByHour, of: str = " of people") -> Markup:
    """Entries by weekday and hour, by default people's; the outline is the working hours."""
    left, wide = 78, (WIDTH - 78 - 4) / 24
    most = max((entries for row in data.counts for entries in row), default=0)
    cells = [
        Box(
            left + hour * wide,
            day * CELL_HEIGHT,
            wide,
            CELL_HEIGHT,
            f"{WEEKDAYS[day]} {hour:02d}:00–{hour:02d}:59: {count(entries, 'event')}",
            strength=(entries / most) ** 0.5,
            text=number(entries),
        )
        for day, row in enumerate(data.counts)
        for hour, entries in enumerate(row)
        if entries
    ]
    return drawn(
        "by_hour.svg.j2",
        title=f"Events{of} by weekday and hour",
        description=f"{count(data.total, 'event')}{of}, {data.outside:,} of them outside working hours. "
        "The number stands in each cell; the outline is the working hours.",
        cells=cells,
        edges=_outline(data, left, wide),
        hours=[(left + hour * wide + wide / 2, f"{hour:02d}") for hour in range(24)],
        days=[(n * CELL_HEIGHT + CELL_HEIGHT / 2 + 3.5, name) for n, name in enumerate(WEEKDAYS)],
        left=left,
        height=7 * CELL_HEIGHT,
    )


def _outline(data: ByHour, left: float, wide: float) -> list[Edge]:
    """The border between working hours and the rest."""

    def inside(day: int, hour: int) -> bool:
        return 0 <= day < 7 and 0 <= hour < 24 and data.business[day][hour]

    edges = []
    for day in range(8):
        for hour in range(25):
            x, y = left + hour * wide, day * CELL_HEIGHT
            if hour < 24 and inside(day, hour) != inside(day - 1, hour):
                edges.append(Edge(x, y, x + wide, y))
            if day < 7 and inside(day, hour) != inside(day, hour - 1):
                edges.append(Edge(x, y, x, y + CELL_HEIGHT))
    return edges


def drawn(template: str, **parts: object) -> Markup:
    """One drawing of a template of charts/."""
    return Markup(
        _environment().get_template(template).render(width=WIDTH, left_=LEFT, color=Palette(), **parts)
    )


@cache
def _environment() -> Environment:
    from jinja2 import FileSystemLoader

    folder = importlib.resources.files("reports") / "templates" / "charts"
    with importlib.resources.as_file(folder) as path:
        environment = Environment(
            loader=FileSystemLoader(path),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
    environment.filters["n"] = lambda value: f"{value:.2f}".rstrip("0").rstrip(".")
    return environment
