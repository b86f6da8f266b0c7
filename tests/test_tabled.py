"""Tables of documents: as wide as their words need, values in words, long ones cut."""

from __future__ import annotations

from datetime import UTC, date, datetime

from reports.tabled import Table, told


def table(*rows: tuple[str, ...], names: tuple[str, ...]) -> Table:
    return Table(tuple((name, False) for name in names), rows, len(rows))


def test_a_column_is_as_wide_as_its_longest_word() -> None:
    made = table(("oncloudwine", "2026-10-01 05:00:04", "yes"), names=("source", "when", "stands"))
    assert made.widths == [31, 49, 20]
    assert not made.dense


def test_more_columns_are_set_small_and_too_many_are_told_one_by_one() -> None:
    words = tuple("abcdefghijkl" for _ in range(8))
    assert not table(words[:5], names=words[:5]).dense
    assert (table(words[:6], names=words[:6]).dense, table(words, names=words).wide) == (True, False)
    many = words + words[:4]
    assert table(many, names=many).wide


def test_where_there_is_no_room_the_longest_words_are_broken() -> None:
    words = tuple("a" * 24 for _ in range(7))
    made = table(words, names=tuple("abcdefg"))
    assert (made.dense, made.wide) == (True, False)
    assert sum(made.widths) == 100, "no wider than its page"


def test_values_are_said_in_words() -> None:
    assert told({"threshold": 25, "of": ["a", "b"]}) == "threshold: 25; of: a, b"
    assert told(datetime(2026, 10, 1, 5, tzinfo=UTC)) == "2026-10-01 05:00:00"
    assert (told(date(2026, 10, 1)), told(None), told(True), told(1234)) == ("2026-10-01", "", "yes", "1,234")
    assert told(list(range(14))) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more"
