"""A question not yet asked of a store: what can be asked further, how it is fetched, drawn and kept. Part of query."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from pipeline import audience as audience_of
from pipeline.audience import Shown
from pipeline.hidden import TEXTS
from pipeline.question import Question
from pipeline.vocabulary import names as known

FEW = 1000  # rows that are looked at before they are made ready to be shown

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from reports.notebook import Plot


@dataclass(frozen=True)
class Laid:
    """What a query of events is laid over, and the same columns over no file: to know them costs nothing."""

    query: str  # it holds for this query alone
    like: str
    kept: str | None = None  # the events as they are stored; None where others see them under other names
    shown: Shown = field(default_factory=Shown)


@dataclass(frozen=True)
class Rows:
    """A question not yet asked. Every method makes a new one or an answer; nothing changes the question.

    .pl() .df() .arrow() fetch it · .count() .by() .select() .limit() ask further · .timeline() .heatmap() .matrix()
    .shared_ips() draw it · .write("x.csv") keeps it · .sql is what will be asked · .actor_email is one column.
    """

    con: duckdb.DuckDBPyConnection
    query: str
    values: Sequence[object] | Mapping[str, object] = ()
    most: int | None = None
    whole: bool = False  # somebody's own query, which may have a LIMIT already
    # Columns and directions: kept apart from the query, for lines are sorted when they are made.
    order: tuple[tuple[str, str], ...] = ()
    asked: Mapping[str, object] = field(default_factory=dict)  # the filters, as they were given
    question: Question | None = None  # the filters, as they were understood
    over: Laid | None = None  # where only some rows are wanted, they are picked before secrets are taken out

    def limit(self, most: object) -> Rows:
        """At most so many rows; None or 0 means all."""
        return replace(self, most=int(str(most)) if most else None)

    @property
    def sql(self) -> str:
        """The SQL as it will be run."""
        terms, laid = self._terms, self._laid
        if laid and laid.kept and self.most and self._settled:
            picked = f"(SELECT * FROM {laid.kept} ORDER BY {terms} LIMIT {self.most})"
            return f"{audience_of.over(laid.shown, 'events', picked)} ORDER BY {terms}"
        query = f"{self.query} ORDER BY {terms}" if terms else self.query
        if self.most is None:
            return query
        query = f"SELECT * FROM ({query.rstrip().rstrip(';')}\n)" if self.whole else query
        return f"{query} LIMIT {self.most}"

    @property
    def _laid(self) -> Laid | None:
        return self.over if self.over and self.over.query == self.query else None

    @property
    def _settled(self) -> bool:
        """Whether the order of the rows is that of the stored ones, whatever is taken out of their texts."""
        return bool(self.order) and not {name for name, _ in self.order} & set(TEXTS)

    @property
    def _terms(self) -> str:
        return ", ".join(f'"{column}" {direction}' for column, direction in self.order)

    def _relation(self) -> duckdb.DuckDBPyRelation:
        rows = self.picked()
        return rows.con.sql(rows.sql, params=rows.values or None)

    def arrow(self) -> pyarrow.Table:
        """As an Arrow table."""
        return self._relation().to_arrow_table()

    def pl(self) -> polars.DataFrame:
        """As a polars frame."""
        import polars

        frame = polars.from_arrow(self.arrow())
        assert isinstance(frame, polars.DataFrame)
        return frame

    def df(self) -> pandas.DataFrame:
        """As a pandas frame."""
        return self._relation().df()

    @contextmanager
    def held(self) -> Iterator[Rows]:
        """The same rows, asked once, for who reads them twice."""
        query = self.sql.rstrip().rstrip(";")
        self.con.execute(f"CREATE TEMP TABLE rows_held AS {query}", self.values or None)
        try:
            yield Rows(self.con, "SELECT * FROM rows_held")
        finally:
            self.con.execute("DROP TABLE rows_held")

    def count(self) -> int:
        """How many rows."""
        asked = self.sql
        if self._laid and self._laid.kept:  # what an audience sees of a row does not change their number
            asked = f"SELECT 1 FROM {self._laid.kept}{f' LIMIT {self.most}' if self.most else ''}"
        [(counted,)] = self.con.execute(f"SELECT count(*) FROM ({asked})", self.values or None).fetchall()
        return int(counted)

    def by(self, *columns: str) -> Rows:
        """Counts by the values of these columns, most first."""
        for column in columns:
            known({column: None}, set(self.columns), "column")
        names = ", ".join(f'"{column}"' for column in columns)
        return Rows(
            self.con,
            f"SELECT {names}, count(*) AS n FROM ({self.sql}) GROUP BY ALL ORDER BY n DESC, {names}",
            self.values,
        )

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return self.shape()[0]

    def shape(self) -> tuple[list[str], list[Any]]:
        """The names of the columns and their DuckDB types; no row is read."""
        like = self._laid.like if self._laid else self.sql.rstrip().rstrip(";")
        values = None if self._laid else self.values or None
        relation = self.con.sql(f"SELECT * FROM ({like}\n) LIMIT 0", params=values)
        return list(relation.columns), list(relation.types)

    def unsorted(self) -> tuple[str, list[str], list[Any], tuple[tuple[str, str], ...]]:
        """The query, its columns and types, and how its rows are still to be sorted."""
        query, order = (self.query, self.order) if self.most is None else (self.sql, ())
        return query.rstrip().rstrip(";"), *self.shape(), order

    def timeline(self, by: str = "source") -> Plot:
        """When: one lane of bars for each value of a column, in the organization's time; `actor` is the person."""
        return self._drawn("timeline", by)

    def heatmap(self) -> Plot:
        """At which hour of which weekday, in the organization's time, its working hours outlined."""
        return self._drawn("heatmap")

    def matrix(self, down: str = "actor", across: str = "action") -> Plot:
        """How many of each pair of two columns' values; `actor` is the person."""
        return self._drawn("matrix", down, across)

    def shared_ips(self) -> Plot:
        """Which addresses several people came from."""
        return self._drawn("shared_ips")

    def _drawn(self, kind: str, *columns: str) -> Plot:
        from pipeline import shown

        return shown.plot(self, kind, *columns)

    def select(self, *columns: str) -> Rows:
        """Only these columns, in this order."""
        for column in columns:
            known({column: None}, set(self.columns), "column")
        names = ", ".join(f'"{column}"' for column in columns)
        query = f"SELECT {names} FROM ({self.sql})"
        over = Laid(query, f"SELECT {names} FROM ({self._laid.like})") if self._laid else None
        return replace(self, query=query, order=(), most=None, over=over)

    def picked(self) -> Rows:
        """The same rows, of a table of their own where they are few: what none of them can tell is not looked for."""
        laid = self._laid
        if not laid or not laid.kept or laid.shown.audience == "full":
            return self
        few = self._settled and self.most is not None and self.most <= FEW
        some = f"ORDER BY {self._terms} LIMIT {self.most}" if few else f"LIMIT {FEW + 1}"
        self.con.execute(
            f"CREATE OR REPLACE TEMP TABLE picked AS SELECT * FROM {laid.kept} {some}", self.values or None
        )
        if not few and self.con.execute("SELECT count(*) FROM picked").fetchall() == [(FEW + 1,)]:
            return self
        query = audience_of.of_few(self.con, laid.shown, "picked")
        return replace(self, query=query, values=(), over=Laid(query, laid.like))

    def write(self, path: Path | str) -> Path:
        """Write the rows to a file by its ending, with a manifest beside it.

        Endings: .csv .json .jsonl .ocsf.jsonl .parquet .xlsx .pdf. In CSV, cells that a spreadsheet would run as a
        formula get an apostrophe before them.
        """
        from pipeline import export

        export.write(self, Path(path))
        return Path(path)

    def notices(self) -> list[str]:
        """What a source's own defaults leave out of these rows, with the number and what brings it back."""
        told = []
        for one in self.question.hidden if self.question else ():
            [(n,)] = self.con.execute(one.query, one.values or None).fetchall()
            told += [f"hidden: {n:,} {one.told}"] if n else []
        return told

    def __len__(self) -> int:
        return self.count()

    def __repr__(self) -> str:
        return repr(self.limit(self.most or 20).pl())

    def _repr_html_(self) -> str:
        from pipeline import shown

        return shown.table(self)

    def __getitem__(self, columns: str | Sequence[str]) -> Rows:
        return self.select(*([columns] if isinstance(columns, str) else columns))

    def __getattr__(self, name: str) -> Rows:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self.columns:
            return self.select(name)
        near = difflib.get_close_matches(name, dir(self), n=1)
        hint = f"Did you mean .{near[0]}?" if near else "Press Tab after the dot."
        raise AttributeError(f"these rows have no column and no method {name!r}. {hint}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.columns})

    def _ipython_key_completions_(self) -> list[str]:
        return self.columns
