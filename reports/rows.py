"""Reading the store: one function for every query of the model, and the stretch of time as bound values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from pipeline import audience
from pipeline.audience import Shown
from pipeline.config import Config
from pipeline.config import recorded as as_recorded
from reports.period import Period

Row = dict[str, Any]
# A finding is in the review when its window touches the period, and when it came late: its window is before the
# period, but what is known of it is newer than the last signed review.
IN_REVIEW = "window_start < $until AND (window_end >= $since OR last_commit > $signed::BIGINT)"


class Log(Protocol):
    """What the model needs of an open store (pipeline.open gives one)."""

    @property
    def con(self) -> Any: ...
    @property
    def config(self) -> Any: ...
    @property
    def head(self) -> str: ...
    @property
    def chain(self) -> Any: ...
    @property
    def store(self) -> Path: ...
    @property
    def shown(self) -> Any: ...
    def events(self, **filters: object) -> Any: ...
    @property
    def history(self) -> Callable[..., Any]: ...
    @property
    def recipe(self) -> Callable[..., Any]: ...
    def again(self) -> Any: ...


@dataclass(frozen=True)
class Reader:
    """The open store, looked at through one period; `signed` is the last commit that a signed review before it saw."""

    con: Any
    period: Period
    signed: int | None = None

    @cached_property
    def shown(self) -> Shown:
        """To whom the store is shown."""
        return Shown(audience.of(self.con))

    def stored(self, view: str) -> str:
        """The view as it is stored: for picking rows, never for showing them."""
        return audience.verbatim(self.shown, view)

    @property
    def counted(self) -> str:
        """The events for counting: as stored, unless their audience sees others in what is counted too."""
        return "events" if self.shown.audience == "external" else self.stored("events")

    def rows(self, sql: str, **values: Any) -> list[Row]:
        """Rows as dictionaries; `$since`, `$until` and `$signed` are bound when the query names them, and
        `counted_events` is read where no text of an event is shown: looking for secrets in all of them takes time."""
        bounds = {"since": self.period.since.at, "until": self.period.until.at, "signed": self.signed}
        values |= {name: bound for name, bound in bounds.items() if f"${name}" in sql}
        return rows(self.con, sql.replace("counted_events", self.counted), **values)

    def one(self, sql: str, **values: Any) -> Row:
        return self.rows(sql, **values)[0]


def rows(con: Any, sql: str, **values: Any) -> list[Row]:
    """Every row of one query, its values bound by name."""
    result = con.execute(sql, values) if values else con.execute(sql)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def recorded(con: Any) -> tuple[Config, str]:
    """The configuration that the store was opened with, and its head: what a question's rows know of their log."""
    [(settings, head)] = con.execute(
        "SELECT (SELECT config FROM settings), (SELECT max_by(head, commit_no) FROM commits)"
    ).fetchall()
    return as_recorded(json.loads(settings)), head


def said(text: Any) -> Any:
    """JSON text from a column, decoded; null stays null."""
    return json.loads(text) if isinstance(text, str) and text else text
