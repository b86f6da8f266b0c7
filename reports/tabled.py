"""Rows of an answer -> a table of texts, its columns named in words. Part of document."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from reports.text import number, words

ROWS = 200  # of a table; beyond, the attached file has them
NUMBERS = ("int", "float", "Decimal")


@dataclass(frozen=True)
class Table:
    """Rows of a recipe or of SQL: the shown ones as text, all of them for the attachment."""

    columns: tuple[tuple[str, bool], ...]
    shown: tuple[tuple[str, ...], ...]
    total: int

    @property
    def wide(self) -> bool:
        return len(self.columns) > 10

    @property
    def widths(self) -> list[int]:
        """Per cent of each column: what most of its cells need, a long one no more than its share."""
        needs = []
        for place, (name, _) in enumerate(self.columns):
            lengths = sorted(len(row[place]) for row in self.shown) or [0]
            needs.append(min(34, max(len(name), 6, lengths[int(len(lengths) * 0.9)])))
        return [max(3, round(100 * need / sum(needs))) for need in needs]


def tabled(rows: Any, columns: Iterable[str] | None = None) -> Table:
    """The first rows of an answer, without columns in which nothing stands."""
    names = [name for name in (columns or rows.columns) if name not in ("event", "events", "line_sha256")]
    found = replace(rows.limit(None), most=ROWS, whole=True).arrow().to_pylist()
    numeric = {name for name in names if any(type(row[name]).__name__ in NUMBERS for row in found)}
    kept = [name for name in names if any(row[name] not in (None, "", []) for row in found)] or names
    return Table(
        columns=tuple((words(name), name in numeric) for name in kept),
        shown=tuple(tuple(told(row[name]) for name in kept) for row in found),
        total=rows.count() if len(found) == ROWS else len(found),
    )


def told(value: Any) -> str:
    """A value of a table as text: times in UTC, several with commas, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return (
            value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
            if value.tzinfo
            else value.isoformat(" ", "seconds")
        )
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, list):
        return ", ".join(told(one) for one in value[:12]) + (
            f" and {len(value) - 12:,} more" if len(value) > 12 else ""
        )
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
