"""Questions to a store: filters say what they do not know, and what is asked twice is answered the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import UsageError
from pipeline.query import Log


@pytest.fixture
def log(small_store: Path) -> Iterator[Log]:
    with pipeline.open(small_store) as opened:
        yield opened


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ({"acton": "delete"}, '"acton" is not a filter. Did you mean action?'),
        ({"actor": "zzz"}, '"zzz" is no actor of this store. `auditbook sources actors` lists them.'),
        ({"actor": "thomas@fjordprints.example"}, '"thomas@fjordprints.example" is no actor of this store. '
                                                  "Did you mean tomas@fjordprints.example"),
        ({"entity": "Prinder:1"}, '"Prinder" is no entity type of this store. Known are: '),
        ({"since": "2026-03-08", "until": "2026-03-01"},
         "--until (2026-03-02 00:00Z) is not after --since (2026-03-08 00:00Z)."),
        ({"since": "99999999999d"}, '"99999999999d" is not a time. Write 2026-10-31, '),
        ({"until": "9999-12-31"}, '"9999-12-31" is not a time. Write 2026-10-31, '),
        ({"action": "deleted"}, '"deleted" is not a known action. Known are: create, read, update, delete, '),
    ],
)  # fmt: skip
def test_a_filter_says_what_it_does_not_know(log: Log, filters: dict[str, str], sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        log.events(**filters)

    assert str(refused.value).startswith(sentence)


def test_filters_are_and_across_and_or_within(log: Log) -> None:
    deletes, creates = (log.events(source="printago", action=one).count() for one in ("delete", "create"))
    assert deletes > 0 and creates > 0
    assert log.events(source="printago", action=["delete", "create"]).count() == deletes + creates
    assert log.events(source=["printago", "hoops"]).count() == log.events().count()
    assert log.events(entity="PrintJobs").count() == log.events(entity="print_job").count() > 0


def test_a_bare_date_is_a_whole_day(log: Log) -> None:
    day = log.events(source="printago", since="2026-03-03", until="2026-03-03")
    assert day.count() == log.events(source="printago", since="20260303", until="20260303").count() > 0
    assert set(day.pl()["occurred_at"].dt.date().cast(str).to_list()) == {"2026-03-03"}


def test_a_question_of_ones_own_keeps_its_own_limit(log: Log) -> None:
    rows = log.sql("SELECT event_uid FROM events ORDER BY event_uid LIMIT 3;")

    assert rows.limit(2).pl().height == 2
    assert rows.pl().height == 3
    assert "event_uid" in rows._repr_html_()


def test_hostile_values_are_only_values(log: Log) -> None:
    everything = log.events().count()
    for value in ("' OR 1=1 --", "*'; DROP TABLE findings; --"):
        assert log.events(detail=value).count() == 0
        assert log.events(text=value).count() == 0
    assert log.events().count() == everything
