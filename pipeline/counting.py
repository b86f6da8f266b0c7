"""How many events of each source a rule sees: all, those it is about, those it can judge. Part of coverage.

One reading of the events counts for all rules. An evaluation counts those that it is the first to see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from pipeline import dialect
from pipeline.activity import ACTIVITY_COLUMNS
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import AuditbookError
from pipeline.rulefile import Detector, Value, alternatives


@dataclass(frozen=True)
class Counts:
    """Events of one source as one rule sees them: all, those it is about, with each column, those it can judge."""

    total: int = 0
    about: int = 0
    judged: int = 0
    filled: Mapping[str, int] = field(default_factory=dict)
    first: int | None = None  # days since 1970, of those judged
    last: int | None = None
    classes: tuple[str, ...] = ()

    def __add__(self, more: Counts) -> Counts:
        firsts = [one.first for one in (self, more) if one.first is not None]
        lasts = [one.last for one in (self, more) if one.last is not None]
        return Counts(
            self.total + more.total, self.about + more.about, self.judged + more.judged,
            {name: self.filled.get(name, 0) + more.filled.get(name, 0) for name in {**self.filled, **more.filled}},
            min(firsts, default=None), max(lasts, default=None), tuple(sorted({*self.classes, *more.classes})),
        )  # fmt: skip

    def text(self) -> str:
        """As the chain keeps it."""
        return json.dumps({**vars(self), "classes": list(self.classes)}, sort_keys=True)

    @staticmethod
    def read(text: str) -> Counts:
        told = json.loads(text)
        return Counts(**{**told, "classes": tuple(told["classes"])})


@dataclass(frozen=True)
class Asked:
    """A rule to count for, with its parameters, and which of the events (SQL)."""

    rule: Detector
    chosen: Mapping[str, Value]
    which: str = "true"


Sight = Mapping[str, Counts]  # by source
# Columns of few values: events that are alike in these are counted together.
_COARSE = frozenset(
    """
    source actor_type actor_anonymous is_service is_named is_bulk action category classes outcome entity_type channel
    direction trigger person_role is_holiday is_business_hours time_precision event_type_raw parent_entity_type
    """.split()
)
_PARAMETER = re.compile(r"\$([a-z][a-z0-9_]*)")


def counted(connection: duckdb.DuckDBPyConnection, relation: str, asked: Sequence[Asked]) -> list[Sight]:
    """What each rule sees of each source, in one reading of the events: alike events are counted together first."""
    scopes = [_numbered(one, n) for n, one in enumerate(asked)]
    early = {n: text for n, (text, _) in enumerate(scopes) if not _is_coarse(text)}
    needs = sorted({need for one in asked for need in one.rule.needs})
    keys = {
        **{f'"{name}"': f'"{name}"' for name in sorted(_COARSE & _words(text for text, _ in scopes))},
        **{f"scope_{n}": f"coalesce(({text}), false)" for n, text in early.items()},
        **{f"need_{k}": _is_filled(need) for k, need in enumerate(needs)},
        **{f"which_{k}": one for k, one in enumerate(sorted({one.which for one in asked}))},
    }
    told = ", ".join(f"{sql} AS {name}" for name, sql in keys.items())
    given = {name: value for n in early for name, value in scopes[n][1].items()}
    try:
        connection.execute(
            f"""CREATE OR REPLACE TEMP TABLE alike AS SELECT source AS origin, classes AS class_list,
              (occurred_at AT TIME ZONE 'UTC')::DATE - DATE '1970-01-01' AS day_no, {told}, count(*) AS n
            FROM {relation} GROUP BY ALL""",
            given,
        )
        return _summed(connection, asked, scopes, early, needs)
    except duckdb.Error as error:
        where = asked[0].rule.path if len(asked) == 1 else None
        raise AuditbookError(f"scope: {dialect.first_line(error)}.", path=where) from error


def _summed(
    connection: duckdb.DuckDBPyConnection,
    asked: Sequence[Asked],
    scopes: Sequence[tuple[str, dict[str, Value]]],
    early: Mapping[int, str],
    needs: Sequence[str],
) -> list[Sight]:
    which = sorted({one.which for one in asked})
    sums = []
    for n, one in enumerate(asked):
        seen = f"which_{which.index(one.which)}"
        about = f"{seen} AND " + (f"scope_{n}" if n in early else f"coalesce(({scopes[n][0]}), false)")
        filled = [f"need_{needs.index(need)}" for need in one.rule.needs]
        judged = " AND ".join([about, *filled])
        sums += [
            f"sum(n) FILTER ({seen}) AS total_{n}", f"sum(n) FILTER ({about}) AS about_{n}",
            f"sum(n) FILTER ({judged}) AS judged_{n}", f"min(day_no) FILTER ({judged}) AS first_{n}",
            f"max(day_no) FILTER ({judged}) AS last_{n}",
            *(f"sum(n) FILTER ({about} AND {column}) AS filled_{n}_{k}" for k, column in enumerate(filled)),
        ]  # fmt: skip
    given = {
        name: value for n, (_, bound) in enumerate(scopes) if n not in early for name, value in bound.items()
    }
    query = f"""SELECT origin, list_sort(list_distinct(flatten(list(DISTINCT class_list)))) AS known_classes,
      {", ".join(sums)} FROM alike GROUP BY origin ORDER BY origin"""
    rows = connection.sql(query, params=given).to_arrow_table().to_pylist()
    return [
        {row["origin"]: _counts(n, one, row) for row in rows if row[f"total_{n}"]}
        for n, one in enumerate(asked)
    ]


def _is_coarse(scope: str) -> bool:
    """Whether a scope is about nothing but columns of few values."""
    return not (_words([scope]) & set(ACTIVITY_COLUMNS) - _COARSE) and "select" not in scope.lower()


def _words(texts: Iterable[str]) -> set[str]:
    return {
        word
        for text in texts
        for word in re.findall(r"[a-z_0-9]+", re.sub(r"'[^']*'|\$[a-z_0-9]+", " ", text))
    }


def _numbered(one: Asked, n: int) -> tuple[str, dict[str, Value]]:
    """A scope whose parameters are told from those of other rules."""
    names = set(_PARAMETER.findall(one.rule.scope))
    text = _PARAMETER.sub(rf"$scope_{n}_\1", one.rule.scope)
    return text, {f"scope_{n}_{name}": one.chosen[name] for name in names}


def _counts(n: int, one: Asked, row: Mapping[str, Any]) -> Counts:
    filled = {need: int(row[f"filled_{n}_{k}"] or 0) for k, need in enumerate(one.rule.needs)}
    total, about, judged = (int(row[f"{name}_{n}"] or 0) for name in ("total", "about", "judged"))
    return Counts(
        total, about, judged, filled, row[f"first_{n}"], row[f"last_{n}"], tuple(row["known_classes"] or ())
    )


def _is_filled(need: str) -> str:
    return f"({' OR '.join(_says(name) for name in alternatives(need))})"


def _says(name: str) -> str:
    """Whether a column says something; "unknown" says nothing."""
    if EVENT_COLUMNS[name].endswith("[]"):
        return f'len("{name}") > 0'
    unknown = "unknown" in VOCABULARIES.get(name, ())
    return f"coalesce(\"{name}\" <> 'unknown', false)" if unknown else f'"{name}" IS NOT NULL'
