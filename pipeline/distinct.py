"""SQL values over columns of texts, each made once for each different combination of what it is made of. Of normalize.

A log says the same few things again and again: who, from where, with what, did which kind of thing. So values are not
made line by line: the columns that vary little are looked at together, DuckDB makes the values of each different row of
them, and the rows are told which is theirs. What is made of columns that vary freely is made for every row.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.answers import Answers

SAMPLE = 2048  # rows from which it is told how much a column varies
MANY = 0.3  # different rows in a sample, above which they are not worth finding
FEW = 0.25  # different rows of all, up to which making each once pays
HARDLY_MORE = 1.2  # times as many different rows, for the same
TOGETHER = 0.02  # different rows of all, up to which columns are looked at together to save a statement
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_SAME = re.compile(r"^\(*([a-z]+_?\d+)\)*(?:::VARCHAR)?$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Values:
    """Named SQL; a value may use those named before it. `cut` are those that say little about much: whatever is made of
    one of them needs no more than its answer. `between` are those of which many others are made, in their order; `once`
    are those that are made on the way, for all that ask in one statement."""

    sql: Mapping[str, str]
    cut: frozenset[str] = frozenset()
    between: tuple[str, ...] = ()
    once: frozenset[str] = frozenset()
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    answers: Answers = field(default_factory=Answers)
    _ways: dict[str, frozenset[str]] = field(default_factory=dict)

    @staticmethod
    def of(
        sql: Mapping[str, str],
        given: Iterable[str],
        cut: Iterable[str] = (),
        between: Iterable[str] = (),
        once: Iterable[str] = (),
    ) -> Values:
        """Find out what each value is made of, itself or by way of others."""
        names = {*sql, *given}
        uses = {name: frozenset(_NAME.findall(_LITERAL.sub("", text))) & names for name, text in sql.items()}
        return Values(sql, frozenset(cut), tuple(between), frozenset(once), uses)

    def same_as(self, name: str, known: Mapping[str, object]) -> str | None:
        """The known column that a value only repeats."""
        found = _SAME.match(self.sql[name])
        if not found or found[1] not in self.uses[name]:
            return None
        return found[1] if found[1] in known else self.same_as(found[1], known)

    def leaves(self, name: str, known: Mapping[str, object]) -> frozenset[str]:
        """The known columns that a value is made of."""
        found: set[str] = set()
        for used in self.uses[name]:
            found |= {used} if used in known else self.leaves(used, known)
        return frozenset(found)

    def through(self, name: str) -> frozenset[str]:
        """What is made once on the way to a value."""
        if name not in self._ways:
            used = self.uses.get(name, frozenset())
            self._ways[name] = (used & self.once).union(*map(self.through, used))
        return self._ways[name]

    def layers(self, wanted: Iterable[str], known: Mapping[str, object]) -> list[list[str]]:
        """What must be made on the way to the wanted values, each after what it uses."""
        depth: dict[str, int] = {}

        def place(name: str) -> int:
            if name not in depth:
                depth[name] = 1 + max((place(u) for u in self.uses[name] if u not in known), default=-1)
            return depth[name]

        deepest = max(map(place, wanted), default=-1)
        return [[name for name in depth if depth[name] == level] for level in range(deepest + 1)]


class Rows:
    """The columns of a block, and values made of them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        columns: dict[str, pa.Array],
        length: int,
        json: frozenset[str] = frozenset(),
    ) -> None:
        """`json` names the columns whose texts are JSON, which DuckDB need not find out."""
        self._connection, self.columns, self.length, self.json = connection, columns, length, json
        self._told_already: dict[str, pa.Array] = {}
        self._coded: dict[str, tuple[np.ndarray, int] | None] = {}
        self._numbers: dict[tuple[frozenset[str], float], tuple[np.ndarray, np.ndarray] | None] = {}

    def make(self, values: Values, wanted: Sequence[str]) -> dict[str, pa.Array]:
        """The wanted values as arrays; what varies little comes as a dictionary array."""
        repeated = {name: same for name in wanted if (same := values.same_as(name, self.columns))}
        names = [name for name in wanted if name not in repeated]
        varied = [
            name
            for name in sorted(values.cut - self.columns.keys())
            if any(self._code(leaf) is None for leaf in self._leaves(values, name))
        ]
        if varied:  # by one statement: what they have in common is made once
            self.columns |= self._run(values, varied)
        for name in values.between:
            if self._combined(self._leaves(values, name)) is not None:
                self.columns |= self._grouped(values, [name])
        made = self._grouped(values, names)
        return {name: self._told(repeated[name]) if name in repeated else made[name] for name in wanted}

    def _grouped(self, values: Values, names: Sequence[str]) -> dict[str, pa.Array]:
        groups: list[tuple[frozenset[str], list[str]]] = []
        freely: list[str] = []
        for name in sorted(names, key=lambda name: (len(self._leaves(values, name)), names.index(name))):
            leaves = self._leaves(values, name)
            if any(self._code(leaf) is None for leaf in leaves) or not self._joined(
                values, groups, leaves, name
            ):
                freely.append(name)
        made = self._run(values, freely) if freely else {}
        for leaves, members in groups:
            made |= self._once(values, leaves, members)
        return made

    def _told(self, name: str) -> pa.Array:
        """A column as it is, as a dictionary where it varies little."""
        if name not in self._told_already:
            column = self.columns[name]
            little = self._code(name) is not None and not isinstance(column, pa.DictionaryArray)
            self._told_already[name] = column.dictionary_encode() if little else column
        return self._told_already[name]

    def _leaves(self, values: Values, name: str) -> frozenset[str]:
        return values.leaves(name, self.columns)

    def _joined(
        self,
        values: Values,
        groups: list[tuple[frozenset[str], list[str]]],
        leaves: frozenset[str],
        name: str,
    ) -> bool:
        """Put a value with those whose columns together still vary little; False when its own do not."""
        for place, (theirs, members) in enumerate(groups):
            in_common = any(values.through(name) & values.through(member) for member in members)
            if leaves <= theirs or self._is_little_more(leaves, theirs, in_common):
                groups[place] = (leaves | theirs, [*members, name])
                return True
        if self._combined(leaves) is None:
            return False
        groups.append((leaves, [name]))
        return True

    def _is_little_more(self, leaves: frozenset[str], theirs: frozenset[str], in_common: bool) -> bool:
        """Whether the columns together vary little or, where some work is done for both, hardly more than alone."""
        if self._combined(leaves | theirs, TOGETHER) is not None:
            return True
        if not in_common:
            return False
        own, other, both = (self._combined(columns) for columns in (leaves, theirs, leaves | theirs))
        if own is None or other is None or both is None:
            return False
        return len(both[1]) <= HARDLY_MORE * max(len(own[1]), len(other[1]))

    def _code(self, name: str) -> tuple[np.ndarray, int] | None:
        """A column as numbers of its different values; None when most are different."""
        if name not in self._coded:
            self._coded[name] = self._encoded(self.columns[name])
        return self._coded[name]

    def _encoded(self, column: pa.Array) -> tuple[np.ndarray, int] | None:
        if pa.types.is_nested(column.type):
            return None
        if column.null_count == len(column):
            return np.zeros(len(column), np.int64), 1
        if not isinstance(column, pa.DictionaryArray):
            step = max(1, self.length // SAMPLE)
            sample = column.take(pa.array(np.arange(0, self.length, step))) if step > 1 else column
            if pc.count_distinct(sample, mode="all").as_py() > max(MANY * len(sample), 16):
                return None
            column = column.dictionary_encode(null_encoding="encode")
        codes = column.indices
        different = len(column.dictionary)
        if 0 < codes.null_count < len(codes):
            codes, different = pc.fill_null(codes, different), different + 1
        elif codes.null_count:
            return np.zeros(len(codes), np.int64), 1
        return np.asarray(codes).astype(np.int64), different

    def _combined(self, leaves: frozenset[str], most: float = FEW) -> tuple[np.ndarray, np.ndarray] | None:
        """For each row the number of its combination, and the first row of each; None when there are too many."""
        coded = {name: self._code(name) for name in leaves}
        varying = frozenset(name for name, code in coded.items() if code is None or code[1] > 1)
        if (varying, most) not in self._numbers:
            self._numbers[varying, most] = self._counted(varying, max(most * self.length, 64))
        return self._numbers[varying, most]

    def _counted(self, leaves: frozenset[str], most: float) -> tuple[np.ndarray, np.ndarray] | None:
        coded = [self._code(name) for name in sorted(leaves)]
        codes, size = np.zeros(self.length, dtype=np.int64), 1
        for one in coded:
            if one is None or one[1] > most:
                return None
            codes, size = codes * one[1] + one[0], size * one[1]
            if size > 1 << 31:
                codes, first = _numbered(codes)
                size = len(first)
        codes, first = _numbered(codes)
        return None if len(first) > most else (codes, first)

    def _once(self, values: Values, leaves: frozenset[str], members: list[str]) -> dict[str, pa.Array]:
        found = self._combined(leaves)
        if found is None:  # cannot be: it was asked before they were put together
            return self._run(values, members)
        codes, first = found
        places = pa.array(first)
        some = Rows(
            self._connection,
            {name: self.columns[name].take(places) for name in leaves},
            len(first),
            self.json,
        )
        numbers = pa.array(codes.astype(np.int32))
        return {name: _spread(array, numbers) for name, array in some._run(values, members).items()}

    def _run(self, values: Values, wanted: list[str]) -> dict[str, pa.Array]:
        """Every row's values; what was answered about few rows is not asked again."""
        needed = sorted({leaf for name in wanted for leaf in self._leaves(values, name)})
        table = values.answers.of(
            wanted,
            {name: self.columns[name] for name in needed},
            lambda asked: self._asked(values, wanted, asked),
        )
        return {name: whole(table.column(name)) for name in wanted}

    def _asked(self, values: Values, wanted: list[str], asked: dict[str, pa.Array]) -> pa.Table:
        """Every row's values by one statement; DuckDB keeps the order of rows."""
        length = len(next(iter(asked.values()))) if asked else self.length
        empty = [name for name, column in asked.items() if column.null_count == length]
        given = {
            name: _as_json(column) if name in self.json else column
            for name, column in asked.items()
            if name not in empty
        }
        given["row_number"] = pa.array(np.arange(length, dtype=np.int32))
        self._connection.register("given", pa.table(given))
        source = "given"
        if empty:  # what is made of nothing but these is made once, not for every row
            nothing = ", ".join(
                f'NULL::{"JSON" if name in self.json else "VARCHAR"} AS "{name}"' for name in empty
            )
            source = f"(SELECT *, {nothing} FROM given)"
        for layer in values.layers(wanted, self.columns):
            made = ", ".join(f'{values.sql[name]} AS "{name}"' for name in layer)
            source = f"(SELECT *, {made} FROM {source})"
        columns = ", ".join(f'"{name}"' for name in wanted)
        table = self._answered(f"SELECT {columns} FROM {source}", length)
        self._connection.unregister("given")
        return table

    def _answered(self, query: str, length: int) -> pa.Table:
        """Of few rows more goes into the plan of a statement than into running it, and a relation is planned twice."""
        if length > SAMPLE * 4:
            return self._connection.sql(query).to_arrow_table()
        with warnings.catch_warnings():  # the copy that it speaks of is one of few rows
            warnings.simplefilter("ignore")
            return self._connection.execute(query).to_arrow_table()


def _as_json(texts: pa.Array) -> pa.Array:
    plain = texts.cast(pa.string()) if isinstance(texts, pa.DictionaryArray) else texts
    return pa.ExtensionArray.from_storage(pa.json_(pa.utf8()), plain)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )


def _numbered(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes as numbers in the order of their first rows, and these rows."""
    numbers = np.asarray(pa.array(codes).dictionary_encode().indices).astype(np.int64)
    if not len(numbers):
        return numbers, numbers
    most = np.maximum.accumulate(numbers)
    first = np.flatnonzero(np.concatenate(([True], most[1:] > most[:-1])))
    return numbers, first


def _spread(values: pa.Array, numbers: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        coded = values.dictionary_encode()  # different combinations may come to the same value
        return pa.DictionaryArray.from_arrays(coded.indices.take(numbers), coded.dictionary)
    return values.take(numbers)
