"""Data -> SVG. Colours stand in attributes, so that paper needs no style sheet; classes let the screen change them."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from reports.happened import ByDay, ByHour
from reports.text import WEEKDAYS, count, number, visible

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


def by_day(data: ByDay) -> Markup:
    """Entries over time, one lane a source, days without any marked."""
    slot = (WIDTH - LEFT - 8) / max(len(data.buckets), 1)
    lanes = tuple(_lane(data, n, slot) for n in range(len(data.series)))
    height = ROW * len(lanes)
    silent = sum(len(series.silent) for series in data.series)
    return drawn(
        "by_day.svg.j2",
        title=f"Events by {data.unit} and source",
        description="; ".join(f"{visible(s.source)}: {count(s.total, 'event')}" for s in data.series)
        + f". {count(silent, 'silent working day')} marked. The numbers are in the table below the chart.",
        lanes=lanes,
        height=height,
        rests=[
            Box(LEFT + n * slot, 0, slot, height)
            for n, bucket in enumerate(data.buckets)
            if not bucket.working
        ],
        ticks=[(LEFT + n * slot + slot / 2, data.buckets[n].label) for n in _ticks(data)],
    )


def _lane(data: ByDay, n: int, slot: float) -> Lane:
    series, base = data.series[n], ROW * n + ROW - 8
    most = max(series.counts, default=0)
    bars = []
    for place, (bucket, entries) in enumerate(zip(data.buckets, series.counts, strict=True)):
        if entries:
            tall = max(BAR_ROOM * entries / most, 0.8)
            what = f"{visible(series.source)}, {bucket.label}: {count(entries, 'event')}"
            bars.append(Box(LEFT + place * slot + slot * 0.14, base - tall, slot * 0.72, tall, what))
    silent = tuple(
        Box(
            LEFT + place * slot + slot / 2,
            base - 6,
            0,
            0,
            f"{visible(series.source)}, {data.buckets[place].label}: no event",
        )
        for place in series.silent
    )
    return Lane(visible(series.source), number(series.total), number(most), base, tuple(bars), silent)


def _ticks(data: ByDay) -> list[int]:
    """Mondays, or every so many buckets, so that labels do not touch."""
    if data.unit == "day" and len(data.buckets) > 10:
        mondays = [n for n, bucket in enumerate(data.buckets) if bucket.start.weekday() == 0]
        return mondays[:: max(1, len(mondays) // 8)]
    return list(range(0, len(data.buckets), max(1, len(data.buckets) // 8)))


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
