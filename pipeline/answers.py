"""What a statement answered about few rows, kept for the next block. Of normalize.

Blocks of a log say the same things, and planning a statement of many columns takes longer than running it on a few
rows. Only rows that were never asked about are; what is kept is bounded, and begun anew when it is full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

MOST_ROWS = 1024  # that are asked about at once
MOST_BYTES = 256 * 1024  # of these
KEPT_ROWS = 8 * MOST_ROWS
KEPT_BYTES = 16 * MOST_BYTES

Asked = dict[str, pa.Array]
Question = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass
class _Known:
    """The rows that were asked about, each with the place of its answer."""

    places: dict[tuple[object, ...], int] = field(default_factory=dict)
    answers: pa.Table | None = None
    size: int = 0


@dataclass
class Answers:
    """By what was asked for and what it is made of."""

    _known: dict[Question, _Known] = field(default_factory=dict)

    def of(self, wanted: Sequence[str], asked: Asked, ask: Callable[[Asked], pa.Table]) -> pa.Table:
        """The answers for some rows, by `ask` where they are not known."""
        size = sum(column.nbytes for column in asked.values())
        length = len(next(iter(asked.values()), ()))
        if not 0 < length <= MOST_ROWS or size > MOST_BYTES or any(map(_is_nested, asked.values())):
            return ask(asked)
        question = (tuple(wanted), tuple(asked))
        known = self._known.setdefault(question, _Known())
        rows = list(zip(*(column.to_pylist() for column in asked.values()), strict=True))
        new = [place for place, row in enumerate(rows) if row not in known.places]
        if len(known.places) + len(new) > KEPT_ROWS or known.size + size > KEPT_BYTES:
            known = self._known[question] = _Known()
            new = list(range(length))
        if new:
            made = ask({name: column.take(pa.array(new)) for name, column in asked.items()})
            if known.answers is not None and known.answers.schema != made.schema:
                del self._known[question]  # a column of nothing but nulls can be of another type
                return ask(asked)
            _keep(known, [rows[place] for place in new], made, size)
        assert known.answers is not None
        return known.answers.take(pa.array([known.places[row] for row in rows]))


def _keep(known: _Known, rows: Sequence[tuple[object, ...]], made: pa.Table, size: int) -> None:
    begin = 0 if known.answers is None else known.answers.num_rows
    known.places |= {row: begin + n for n, row in enumerate(rows)}
    known.answers = (
        made if known.answers is None else pa.concat_tables([known.answers, made]).combine_chunks()
    )
    known.size += size


def _is_nested(column: pa.Array) -> bool:
    return bool(pa.types.is_nested(column.type))
