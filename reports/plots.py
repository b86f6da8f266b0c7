"""A question's events as pictures: over time, by weekday and hour, who did what, who shares which address.

The numbers come from the question's own SQL; charts.py draws the first two, the templates beside its own the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup

from pipeline.errors import UsageError
from reports.charts import by_day, by_hour, drawn
from reports.happened import Bucket, ByDay, ByHour, Series
from reports.text import MONTHS, brief, count, number

LANES, ROWS, COLUMNS, PEOPLE, ADDRESSES = 10, 20, 14, 24, 24
OTHERS = "others"
_CALENDAR = """JOIN calendar AS c ON c.slot = time_bucket(INTERVAL 15 minutes, q.occurred_at)
  AND c.schedule = 'organization'"""
_LOCAL = "make_timestamp(epoch_us(q.occurred_at)) + to_minutes(c.utc_offset_minutes)"
MONDAY = "2024-01-01"  # weeks begin on one
_WHO = """coalesce(a.display_name, q.actor_name, q.actor_email, q.actor_id,
  CASE WHEN q.actor_anonymous THEN 'Anonymous' ELSE q.actor_type END)"""
STEPS = (
    ("5 minutes", timedelta(minutes=5), timedelta(hours=6)),
    ("hour", timedelta(hours=1), timedelta(days=4)),
    ("day", timedelta(days=1), timedelta(days=120)),
    ("week", timedelta(weeks=1), timedelta(days=840)),
)


@dataclass(frozen=True)
class Cell:
    """One number of a matrix, and how dark it is."""

    row: int
    column: int
    n: int
    strength: float
    title: str


@dataclass(frozen=True)
class Tie:
    """A person who came from an address, and how often."""

    person: int
    address: int
    n: int
    strength: float
    title: str


def timeline(rows: Any, by: str) -> tuple[Markup, str]:
    """How many events when, one lane for each value of a column; local time of the organization."""
    _needs(rows, "occurred_at", "actor_key" if by == "actor" else by)
    span = _fetch(rows, "SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM {q}")[0]
    if span["first"] is None:
        return Markup(), "no events"
    unit = next((name for name, _, most in STEPS if span["last"] - span["first"] <= most), "month")
    width = {"5 minutes": "INTERVAL 5 minutes", "hour": "INTERVAL 1 hour", "day": "INTERVAL 1 day",
             "week": "INTERVAL 7 days", "month": "INTERVAL 1 month"}[unit]  # fmt: skip
    found = _fetch(
        rows,
        f"""SELECT coalesce({_name(by)}::VARCHAR, '–') AS lane,
          time_bucket({width}, {_LOCAL}, TIMESTAMP '{MONDAY}') AS t,
          count(*) AS n FROM {{q}} {_CALENDAR} {_people(by)} GROUP BY ALL ORDER BY t""",
    )
    lanes = _most(found, "lane", LANES)
    starts = _starts(found[0]["t"], found[-1]["t"], unit)
    place = {start: at for at, start in enumerate(starts)}
    counts = {lane: [0] * len(starts) for lane in lanes}
    for row in found:
        counts[row["lane"] if row["lane"] in counts else OTHERS][place[row["t"]]] += row["n"]
    working = _working(rows) if unit == "day" else None
    buckets = tuple(
        Bucket(start.date(), _label(start, unit), working is None or start.date() in working)
        for start in starts
    )
    series = tuple(Series(lane, tuple(numbers), (), sum(numbers)) for lane, numbers in counts.items())
    return by_day(ByDay(unit, buckets, series)), f"Events by {unit} and {by.replace('_', ' ')}"


def heatmap(rows: Any) -> tuple[Markup, str]:
    """How many events at which hour of which weekday, in the organization's zone; outlined are its working hours."""
    _needs(rows, "occurred_at")
    counts, business, outside = [[0] * 24 for _ in range(7)], [[False] * 24 for _ in range(7)], 0
    for row in _fetch(
        rows,
        f"""SELECT c.weekday AS d, c.hour AS h, c.is_business_hours AS inside, count(*) AS n
          FROM {{q}} {_CALENDAR} GROUP BY ALL""",
    ):
        counts[row["d"] - 1][row["h"]] += row["n"]
        outside += 0 if row["inside"] else row["n"]
    for day, hour in rows.con.execute(
        "SELECT DISTINCT weekday, hour FROM calendar WHERE schedule = 'organization' AND is_business_hours"
    ).fetchall():
        business[day - 1][hour] = True
    total = sum(map(sum, counts))
    data = ByHour(tuple(map(tuple, counts)), tuple(map(tuple, business)), total, outside)
    return by_hour(data, of=""), f"{count(total, 'event')}, {number(outside)} outside working hours"


def matrix(rows: Any, down: str, across: str) -> tuple[Markup, str]:
    """How many events for each pair of values of two columns; `actor` is the person."""
    _needs(rows, *("actor_key" if name == "actor" else name for name in (down, across)))
    found = _fetch(
        rows,
        f"""SELECT coalesce({_name(down)}::VARCHAR, '–') AS d, coalesce({_name(across)}::VARCHAR, '–') AS a,
          count(*) AS n FROM {{q}} {_people(down, across)} GROUP BY ALL ORDER BY n DESC, d, a""",
    )
    names, heads = _most(found, "d", ROWS), _most(found, "a", COLUMNS)
    summed: dict[tuple[int, int], int] = {}
    for row in found:
        at = (
            names.index(row["d"] if row["d"] in names else OTHERS),
            heads.index(row["a"] if row["a"] in heads else OTHERS),
        )
        summed[at] = summed.get(at, 0) + row["n"]
    most = max(summed.values(), default=1)
    cells = [
        Cell(r, c, n, (n / most) ** 0.5, f"{brief(names[r])}, {brief(heads[c])}: {count(n, 'event')}")
        for (r, c), n in summed.items()
    ]
    said = f"Events by {down.replace('_', ' ')} and {across.replace('_', ' ')}"
    drawing = drawn(
        "matrix.svg.j2", title=said, description=f"{said}; the number stands in each cell.",
        names=[brief(name) for name in names], heads=[brief(head) for head in heads], cells=cells,
    )  # fmt: skip
    return drawing, said


def shared_ips(rows: Any) -> tuple[Markup, str]:
    """Which addresses several people came from: one person is one actor key of the store."""
    _needs(rows, "source_ip", "actor_key")
    found = _fetch(
        rows,
        f"""WITH used AS (
          SELECT {_WHO} AS who, q.source_ip AS ip, count(*) AS n
          FROM {{q}} {_people("actor")}
          WHERE q.source_ip IS NOT NULL AND q.actor_key IS NOT NULL GROUP BY ALL)
        SELECT * FROM used QUALIFY count(*) OVER (PARTITION BY ip) > 1 ORDER BY n DESC, who, ip""",
    )
    people, addresses = _most(found, "who", PEOPLE)[:PEOPLE], _most(found, "ip", ADDRESSES)[:ADDRESSES]
    shown = [row for row in found if row["who"] in people and row["ip"] in addresses]
    most = max((row["n"] for row in shown), default=1)
    ties = [
        Tie(people.index(row["who"]), addresses.index(row["ip"]), row["n"], (row["n"] / most) ** 0.5,
            f"{brief(row['who'])} from {brief(row['ip'])}: {count(row['n'], 'event')}")
        for row in shown
    ]  # fmt: skip
    left = len({row["ip"] for row in found} - set(addresses))
    more = f"; {count(left, 'more address', 'more addresses')} not drawn" if left else ""
    said = f"{count(len({row['ip'] for row in found}), 'address', 'addresses')} used by more than one person{more}"
    drawing = drawn(
        "shared.svg.j2", title="Who shares which address", description=said, ties=ties,
        people=[brief(one) for one in people], addresses=[brief(one) for one in addresses],
    )  # fmt: skip
    return drawing, said


def _fetch(rows: Any, sql: str) -> list[dict[str, Any]]:
    """The answer to a question about the question: `{q}` is its rows."""
    asked = replace(rows, query=sql.replace("{q}", f"({rows.sql}\n) AS q"), order=(), most=None, whole=False)
    return [dict(row) for row in asked.arrow().to_pylist()]


def _needs(rows: Any, *columns: str) -> None:
    if missing := [name for name in columns if name not in rows.columns]:
        raise UsageError(
            f"these rows have no column {' and no column '.join(missing)}.",
            hint=f"They have: {', '.join(rows.columns)}.",
        )


def _people(*columns: str) -> str:
    """What names people, when a column is `actor`."""
    return "LEFT JOIN actors AS a ON a.actor_key = q.actor_key" if "actor" in columns else ""


def _name(column: str) -> str:
    return _WHO if column == "actor" else 'q."' + column.replace('"', '""') + '"'


def _most(found: Sequence[dict[str, Any]], key: str, most: int) -> list[str]:
    """The values that occur most, in that order; the rest is one of its own."""
    sums: dict[str, int] = {}
    for row in found:
        sums[row[key]] = sums.get(row[key], 0) + row["n"]
    ranked = sorted(sums, key=lambda name: (-sums[name], name))
    return ranked if len(ranked) <= most else [*ranked[: most - 1], OTHERS]


def _starts(first: datetime, last: datetime, unit: str) -> list[datetime]:
    if unit == "month":
        months = range((last.year - first.year) * 12 + last.month - first.month + 1)
        return [
            first.replace(year=first.year + (first.month - 1 + n) // 12, month=(first.month - 1 + n) % 12 + 1)
            for n in months
        ]
    step = next(width for name, width, _ in STEPS if name == unit)
    return [first + n * step for n in range((last - first) // step + 1)]


def _label(start: datetime, unit: str) -> str:
    if unit in ("5 minutes", "hour"):
        return f"{start.day} {MONTHS[start.month - 1][:3]} {start:%H:%M}"
    return (
        f"{MONTHS[start.month - 1][:3]} {start.year}"
        if unit == "month"
        else f"{start.day} {MONTHS[start.month - 1][:3]}"
    )


def _working(rows: Any) -> set[Any]:
    return {
        day
        for [day] in rows.con.execute(
            "SELECT DISTINCT local_date FROM calendar WHERE schedule = 'organization' AND is_business_hours"
        ).fetchall()
    }
