"""Rows of an answer -> a table of texts, its columns named in words and as wide as they need. Part of document."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

from reports.text import number, words

ROWS = 200  # of a table; beyond, the attached file has them
NUMBERS = ("int", "float", "Decimal")
NOT_SHOWN = ("event", "events", "line_sha256")  # the attached file has them
# Columns whose values are words of this project, not of a product.
OURS = ("kind", "actor_type", "class", "critical", "outcome", "verdict", "did_to", "as", "state")
# So many characters stand side by side on a page, in letters of the usual size and in small ones.
USUAL, SMALL = 100, 126
GAP = 3
LONGEST_TEXT = 600
# A line may end there; not within 2026-10-01 08:00:00.
BREAKS = re.compile(r"\s+(?!\d\d:\d\d:\d\d)|(?<=[A-Za-z])[-/](?=[A-Za-z])")
LONGEST_WORDS, LONGEST_CELL = (26, 18, 13), 44


@dataclass(frozen=True)
class Table:
    """Rows of a recipe or of SQL: the shown ones as text, all of them for the attachment."""

    columns: tuple[tuple[str, bool], ...]
    shown: tuple[tuple[str, ...], ...]
    total: int

    @property
    def wide(self) -> bool:
        """Too wide for a page: each row is told fact by fact."""
        return self._total > SMALL

    @property
    def dense(self) -> bool:
        return self._total > USUAL * 0.8

    @property
    def _total(self) -> int:
        return sum(self._least) + GAP * len(self.columns)

    @cached_property
    def _least(self) -> list[int]:
        """What each column needs so that no word is broken; where a page has no room for that, the longest are."""
        for longest in LONGEST_WORDS:
            found = [
                max(
                    4, *(_longest_word(text, longest) for text in (name, *(row[place] for row in self.shown)))
                )
                for place, (name, _) in enumerate(self.columns)
            ]
            if sum(found) + GAP * len(found) <= SMALL:
                break
        return found

    @property
    def widths(self) -> list[int]:
        """Per cent of each column: its longest word at least, and of the rest what its texts would like."""
        least = self._least
        wanted = [
            _usual([row[place] for row in self.shown], least[place]) for place in range(len(self.columns))
        ]
        room = (SMALL if self.dense else USUAL) - GAP * len(self.columns) - sum(least)
        more = sum(want - need for want, need in zip(wanted, least, strict=True))
        share = min(1.0, max(0, room) / more) if more else 0.0
        given = [need + (want - need) * share + GAP for want, need in zip(wanted, least, strict=True)]
        made = [max(3, round(100 * one / sum(given))) for one in given]
        made[made.index(max(made))] -= (
            sum(made) - 100
        )  # a table that is wider than its page leaves the margin
        return made


def _longest_word(text: str, longest: int) -> int:
    return min(longest, max(map(len, BREAKS.split(text)), default=0))


def _usual(texts: Sequence[str], least: int) -> int:
    lengths = sorted(map(len, texts)) or [0]
    return max(least, min(LONGEST_CELL, lengths[int(len(lengths) * 0.95)]))


def tabled(
    rows: Any, columns: Iterable[str] | None = None, most: int = ROWS, as_json: Collection[str] = ()
) -> Table:
    """The first rows of an answer, without columns in which nothing stands; `as_json` are columns of JSON text."""
    names = [name for name in (columns or rows.columns) if name not in NOT_SHOWN]
    found = replace(rows.limit(None), most=most, whole=True).arrow().to_pylist()
    numeric = {name for name in names if any(type(row[name]).__name__ in NUMBERS for row in found)}
    kept = [name for name in names if any(row[name] not in (None, "", []) for row in found)] or names

    def said(name: str, value: Any) -> str:
        if name in as_json and isinstance(value, str):
            value = json.loads(value)
        text = words(told(value)) if name in OURS else told(value)
        return (
            text
            if len(text) <= LONGEST_TEXT
            else f"{text[:LONGEST_TEXT]}… ({len(text) - LONGEST_TEXT:,} more)"
        )

    return Table(
        columns=tuple((_title(name), name in numeric) for name in kept),
        shown=tuple(tuple(said(name, row[name]) for name in kept) for row in found),
        total=rows.count() if len(found) == most else len(found),
    )


def _title(name: str) -> str:
    said = words(name)
    return said[:1].upper() + said[1:]


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
        return "; ".join(f"{name}: {told(one)}" for name, one in value.items())
    return str(value)
