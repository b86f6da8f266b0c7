"""What statements answered about different rows, kept for the next block. Of normalize.

Blocks of a log say the same things of the same people, and planning a statement of hundreds of expressions takes longer
than running it on a few rows. Only rows that were never asked about are; what is kept is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from pipeline.coding import Different, coded, different, plain

MOST_ROWS = 16 * 1024  # that are asked about at once
KEPT_ROWS = 4 * MOST_ROWS
KEPT_BYTES = 16 * 1024 * 1024  # of these and their answers
ALL_KEPT_BYTES = 2 * KEPT_BYTES  # of all questions; those that were asked long ago are forgotten first
KNOWN = 0.5  # of a block's rows, from which on those of the blocks before it are kept too

Asked = dict[str, pa.Array]
Question = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class _Known:
    """Rows that were asked about, each another one, and the answers in their order."""

    rows: Asked
    answers: pa.Table | None = None

    @property
    def count(self) -> int:
        return 0 if self.answers is None else self.answers.num_rows

    @cached_property
    def size(self) -> int:
        answers = () if self.answers is None else self.answers.columns
        return sum(column.nbytes for column in (*self.rows.values(), *answers))

    @property
    def fits(self) -> bool:
        return self.count <= KEPT_ROWS and self.size <= KEPT_BYTES

    def numbered(self, more: Asked) -> Different:
        """These rows and more, numbered in their order."""
        length = self.count + len(next(iter(more.values())))
        both = (pa.concat_arrays([self.rows[name], column]) for name, column in more.items())
        found = different([coded(one, length) for one in both if one.null_count < length], length, length)
        assert found is not None
        return found

    def with_more(self, rows: Asked, answers: pa.Table) -> _Known:
        columns = {name: pa.concat_arrays([self.rows[name], column]) for name, column in rows.items()}
        tables = [answers] if self.answers is None else [self.answers, answers]
        return _Known(columns, pa.concat_tables(tables).combine_chunks())

    def only(self, places: np.ndarray) -> _Known:
        assert self.answers is not None
        chosen = pa.array(places)
        return _Known(_taken(self.rows, chosen), self.answers.take(chosen))


@dataclass
class Answers:
    """By what was asked for and what it is made of."""

    _known: dict[Question, _Known] = field(default_factory=dict)

    def of(self, wanted: Sequence[str], asked: Asked, ask: Callable[[Asked], pa.Table]) -> pa.Table:
        """The answers for some rows, by `ask` where they are not known."""
        length = len(next(iter(asked.values()), ()))
        if not 0 < length <= MOST_ROWS or any(pa.types.is_nested(one.type) for one in asked.values()):
            return ask(asked)
        rows = {name: plain(column) for name, column in asked.items()}
        question = (tuple(wanted), tuple(rows))
        known = self._known.pop(question, None)
        if known is None or any(known.rows[name].type != column.type for name, column in rows.items()):
            known = _Known({name: column.slice(0, 0) for name, column in rows.items()})
        before, found = known.count, known.numbered(rows)
        places, new = found.numbers[before:], found.first[before:] - before
        if len(new):
            unknown = _taken(rows, pa.array(new))
            made = ask(unknown)
            if known.answers is not None and known.answers.schema != made.schema:
                return self.of(wanted, asked, ask)  # a column of nothing but nulls can be of another type
            if len(new) == length:  # all, and no two of them alike
                self._keep(question, _Known(unknown, made))
                return made
            known = known.with_more(unknown, made)
        assert known.answers is not None
        told = known.answers.take(pa.array(places))
        if not known.fits or len(new) > (1 - KNOWN) * length:
            known = known.only(np.unique(places))
        self._keep(question, known)
        return told

    def _keep(self, question: Question, known: _Known) -> None:
        if not known.fits:
            return
        self._known[question] = known
        while sum(one.size for one in self._known.values()) > ALL_KEPT_BYTES:
            del self._known[next(iter(self._known))]


def _taken(rows: Asked, places: pa.Array) -> Asked:
    return {name: column.take(places) for name, column in rows.items()}
