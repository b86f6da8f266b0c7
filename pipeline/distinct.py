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
from functools import cached_property, partial

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.answers import Answers
from pipeline.coding import Coded, Different, coded, different, plain

PLANNED = 8192  # rows up to which more goes into the plan of a statement than into running it
FEW = 0.25  # different rows of all, up to which making each once pays
HARDLY_MORE = 1.2  # times as many different rows, for the same
# Different rows up to which columns are looked at together: the next block has hardly any new ones.
TOGETHER = 512
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_SAME = re.compile(r"^\(*([a-z]+_?\d+)\)*(?:::VARCHAR)?$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Values:
    """Named SQL; a value may use those named before it. `cut` are those that say little about much: whatever is made of
    one of them needs no more than its answer. `between` are those of which many others are made, in their order; `once`
    are those that are made on the way, for all that ask in one statement; `parts` are what one varied value is put
    together of, many of which vary little by themselves."""

    sql: Mapping[str, str]
    cut: frozenset[str] = frozenset()
    between: tuple[str, ...] = ()
    once: frozenset[str] = frozenset()
    parts: frozenset[str] = frozenset()
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
        parts: Iterable[str] = (),
    ) -> Values:
        """Find out what each value is made of, itself or by way of others."""
        names = {*sql, *given}
        uses = {name: frozenset(_NAME.findall(_LITERAL.sub("", text))) & names for name, text in sql.items()}
        return Values(sql, frozenset(cut), tuple(between), frozenset(once), frozenset(parts), uses)

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


@dataclass
class _Group:
    """Values that are made together, what they are made of, and the different rows of that."""

    leaves: frozenset[str]
    members: list[str]
    rows: Different


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
        self._coded: dict[str, Coded | None] = {}
        self._numbers: dict[frozenset[str], Different | None] = {}

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
        self.columns |= self._grouped(values, self._parts(values, names))
        made = self._grouped(values, names)
        return {name: self._told(repeated[name]) if name in repeated else made[name] for name in wanted}

    def _parts(self, values: Values, names: Sequence[str]) -> list[str]:
        """What varies little of what varied values are put together of."""
        varied = [name for name in names if self._combined(self._leaves(values, name)) is None]
        parts = {part for name in varied for part in values.uses[name] & values.parts}
        return sorted(part for part in parts if self._combined(self._leaves(values, part)) is not None)

    def _grouped(self, values: Values, names: Sequence[str]) -> dict[str, pa.Array]:
        groups: list[_Group] = []
        freely: list[str] = []
        for name in sorted(names, key=lambda name: (len(self._leaves(values, name)), names.index(name))):
            leaves = self._leaves(values, name)
            found = None if any(self._code(leaf) is None for leaf in leaves) else self._combined(leaves)
            if found is None:
                freely.append(name)
            elif not any(self._joined(values, group, _Group(leaves, [name], found)) for group in groups):
                groups.append(_Group(leaves, [name], found))
        made = self._run(values, freely) if freely else {}
        for group in groups:
            made |= self._once(values, group)
        return made

    def _told(self, name: str) -> pa.Array:
        """A column as it is, as a dictionary where it varies little."""
        found = None if isinstance(self.columns[name], pa.DictionaryArray) else self._code(name)
        return self.columns[name] if found is None else found.column

    def _leaves(self, values: Values, name: str) -> frozenset[str]:
        return values.leaves(name, self.columns)

    def _joined(self, values: Values, group: _Group, other: _Group) -> bool:
        """Put values with those whose columns together vary little, or hardly more than alone: than either of them or,
        where some work is done for both, than the one that varies more."""
        if not other.leaves <= group.leaves:
            theirs, own = len(group.rows.first), len(other.rows.first)
            in_common = any(
                values.through(one) & values.through(member)
                for one in other.members
                for member in group.members
            )
            fewer, more = sorted((theirs, own))
            apart = fewer <= TOGETHER or not in_common
            most = max(TOGETHER, int(HARDLY_MORE * (fewer if apart else more)))
            both = different([group.rows, other.rows], self.length, most)
            if both is None:
                return False
            group.leaves, group.rows = group.leaves | other.leaves, both
        group.members += other.members
        return True

    def _most(self, share: float) -> int:
        return max(int(share * self.length), 64)

    @cached_property
    def _nothing(self) -> Coded:
        """A column without any value."""
        return Coded(np.full(self.length, -1, np.int32), pa.array([], pa.string()))

    def _code(self, name: str) -> Coded | None:
        """A column as numbers of its different values; None when most are different."""
        if name not in self._coded:
            column = self.columns[name]
            if pa.types.is_nested(column.type):
                self._coded[name] = None
            elif column.null_count == len(column):
                self._coded[name] = self._nothing
            else:
                self._coded[name] = coded(column, self._most(FEW))
        return self._coded[name]

    def _combined(self, leaves: frozenset[str]) -> Different | None:
        """The different rows of some columns; None when there are too many."""
        coded = {name: self._code(name) for name in leaves}
        varying = frozenset(name for name, code in coded.items() if code is None or code.different > 1)
        if varying not in self._numbers:
            columns = [coded[name] for name in sorted(varying)]
            self._numbers[varying] = different(columns, self.length, self._most(FEW))
        return self._numbers[varying]

    def _once(self, values: Values, group: _Group) -> dict[str, pa.Array]:
        places = pa.array(group.rows.first)
        some = Rows(
            self._connection,
            {name: _taken(self.columns[name], places) for name in group.leaves},
            len(group.rows.first),
            self.json,
        )
        made = values.answers.of(
            group.members, some._needed(values, group.members), partial(some._asked, values, group.members)
        )
        numbers = pa.array(group.rows.numbers)
        return {name: _spread(whole(made.column(name)), numbers) for name in group.members}

    def _run(self, values: Values, wanted: list[str]) -> dict[str, pa.Array]:
        """Every row's values."""
        table = self._asked(values, wanted, self._needed(values, wanted))
        return {name: whole(table.column(name)) for name in wanted}

    def _needed(self, values: Values, wanted: Sequence[str]) -> dict[str, pa.Array]:
        """What some values are made of."""
        leaves = {leaf for name in wanted for leaf in self._leaves(values, name)}
        return {name: self.columns[name] for name in sorted(leaves)}

    def _asked(self, values: Values, wanted: Sequence[str], asked: dict[str, pa.Array]) -> pa.Table:
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
        """A relation is planned twice, what is executed once."""
        if length > PLANNED:
            return self._connection.sql(query).to_arrow_table()
        with warnings.catch_warnings():  # the copy that it speaks of is one of few rows
            warnings.simplefilter("ignore")
            return self._connection.execute(query).to_arrow_table()


def _as_json(texts: pa.Array) -> pa.Array:
    return pa.ExtensionArray.from_storage(pa.json_(pa.utf8()), plain(texts))


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )


def put(column: pa.Array, places: np.ndarray, others: pa.Array) -> pa.Array:
    """The column with others in some places."""
    number = np.arange(len(column))
    number[places] = len(column) + np.arange(len(places))
    return pa.concat_arrays([plain(column), plain(others)]).take(pa.array(number))


def _taken(column: pa.Array, places: pa.Array) -> pa.Array:
    """Some rows of a column, of which a mapping that knows many products finds most empty."""
    empty = column.null_count == len(column)
    return pa.nulls(len(places), column.type) if empty else column.take(places)


def _spread(values: pa.Array, numbers: pa.Array) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(numbers), values.type)
    if pa.types.is_string(values.type) or pa.types.is_binary(values.type):
        coded = values.dictionary_encode()  # different combinations may come to the same value
        return pa.DictionaryArray.from_arrays(coded.indices.take(numbers), coded.dictionary)
    return values.take(numbers)
