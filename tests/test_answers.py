"""What a statement answered about few rows is kept: the next block asks about what is new, and is told the same."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline.answers import KEPT_ROWS, MOST_ROWS, Answers


class Asking:
    """Doubles texts, and counts what it was asked about."""

    def __init__(self) -> None:
        self.answers, self.asked = Answers(), list[list[str | None]]()

    def of(self, *texts: str | None) -> list[str | None]:
        found = self.answers.of(["twice"], {"a": pa.array(texts, pa.string())}, self._ask)
        return found.column("twice").to_pylist()  # type: ignore[no-any-return]

    def _ask(self, given: dict[str, pa.Array]) -> pa.Table:
        texts = given["a"].to_pylist()
        self.asked.append(texts)
        made = [None if text is None else text * 2 for text in texts]
        return pa.table(
            {"twice": pa.nulls(len(made)) if set(made) == {None} else pa.array(made, pa.string())}
        )


def test_only_what_is_new_is_asked_about() -> None:
    asking = Asking()
    assert asking.of("x", None, "y") == ["xx", None, "yy"]
    assert asking.of("y", "z", "x", "y") == ["yy", "zz", "xx", "yy"]
    assert asking.of("z", None) == ["zz", None]
    assert asking.asked == [["x", None, "y"], ["z"]]


def test_answers_of_another_type_are_not_put_together() -> None:
    asking = Asking()
    assert asking.of("x") == ["xx"]
    assert asking.of(None, "x") == [None, "xx"]
    assert asking.asked == [["x"], [None], [None, "x"]]
    assert asking.of("x", "z") == ["xx", "zz"]


def test_many_rows_are_not_kept() -> None:
    asking = Asking()
    texts = [str(n) for n in range(MOST_ROWS + 1)]
    for _ in range(2):
        assert asking.of(*texts)[-1] == texts[-1] * 2
    assert [len(asked) for asked in asking.asked] == [MOST_ROWS + 1] * 2


def test_what_is_kept_is_bounded() -> None:
    asking = Asking()
    for first in range(0, KEPT_ROWS + MOST_ROWS, MOST_ROWS):
        asking.of(*map(str, range(first, first + MOST_ROWS)))
    assert asking.of("0", str(KEPT_ROWS)) == ["00", str(KEPT_ROWS) * 2]
    assert asking.asked[-1] == ["0"]  # of before it was full


def test_of_earlier_blocks_nothing_is_kept_when_most_is_new() -> None:
    asking = Asking()
    asking.of("a", "b", "c")
    asking.of("c", "d", "e", "f")
    assert asking.of("f", "c", "a") == ["ff", "cc", "aa"]
    assert asking.asked == [["a", "b", "c"], ["d", "e", "f"], ["a"]]


def test_what_was_asked_long_ago_is_forgotten_first() -> None:
    answers, asked = Answers(), list[str]()
    texts = pa.array([f"{n:016d}" * 64 for n in range(8000)])

    def ask(question: str) -> None:
        def told(given: dict[str, pa.Array]) -> pa.Table:
            asked.append(question)
            return pa.table({question: given["a"].slice(0).cast(pa.string())})

        answers.of([question], {"a": texts}, told)

    for question in ("x", "y", "x", "z", "x", "y"):
        ask(question)
    assert asked == ["x", "y", "z", "y"]


@pytest.mark.parametrize("column", [pa.array([["a"], []]), pa.array(["a" * 9_000_000, "b" * 9_000_000])])
def test_lists_and_long_texts_are_not_kept(column: pa.Array) -> None:
    answers, asked = Answers(), list[int]()

    def ask(given: dict[str, pa.Array]) -> pa.Table:
        asked.append(len(given["a"]))
        return pa.table({"b": [1, 2]})

    for _ in range(2):
        assert answers.of(["b"], {"a": column}, ask).column("b").to_pylist() == [1, 2]
    assert asked == [2, 2]
