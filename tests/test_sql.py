"""auditbook sql: reads, never writes, takes values, and says where a question is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from python_calamine import load_workbook

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("select acton,\n source from events",
         'line 1, column 8: Binder Error: Referenced column "acton" not found in FROM clause! Candidate bindings: "'),
        ("select 'é',\n  count(*) from evnts",
         'line 2, column 17: Catalog Error: Table with name evnts does not exist! Did you mean "events"?'),
        ("selec 1", 'line 1, column 1: Parser Error: syntax error at or near "selec"'),
    ],
)  # fmt: skip
def test_an_error_says_where(invoke: Invoke, small_store: Path, question: str, sentence: str) -> None:
    done = invoke("sql", question, "--store", small_store)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"auditbook: the question cannot be answered, {sentence}")


def test_what_goes_wrong_on_the_way_is_told(invoke: Invoke, small_store: Path) -> None:
    for shape in ("table", "jsonl"):
        done = invoke("sql", "select action::int as n from events", "--store", small_store, "--format", shape)
        assert done.exit_code == 1 and "Could not convert string" in done.stderr


def test_values_are_bound(invoke: Invoke, small_store: Path) -> None:
    hostile = "' OR 1=1 --"
    done = invoke(
        "sql", "select $a as a, $n::int + 1 as n, count(*) as c from events where actor_id = $a",
        "-p", f"a={hostile}", "--param", "$n=1", "--store", small_store, "--format", "jsonl",
    )  # fmt: skip
    assert json.loads(done.stdout) == {"a": hostile, "n": 2, "c": 0}
    placed = invoke(
        "sql", "select ? || $2 as x", "-p", "2=b", "-p", "1=a", "--store", small_store, "--format", "csv"
    )
    assert placed.stdout == "x\nab\n"


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ([], "$a has no value. Give it with --param a=VALUE."),
        (["-p", "a=1", "-p", "b=2"], "the question has no $b. Its values are: $a."),
        (["-p", "a"], '--param: "a" is not a name and a value. Write it like id=job_2041.'),
    ],
)
def test_values_that_do_not_fit(invoke: Invoke, small_store: Path, params: list[str], sentence: str) -> None:
    done = invoke("sql", "select $a", *params, "--store", small_store)
    assert (done.exit_code, done.stderr) == (2, f"auditbook: {sentence}\n")


@pytest.mark.parametrize(
    "question",
    [
        "delete from findings", "with d as (delete from findings returning *) select * from d", "set threads = 1",
        "select 1; select 2", "", "create temp table x as select 1", "pragma database_list", "call pragma_version()",
    ],
)  # fmt: skip
def test_nothing_that_writes_is_run(invoke: Invoke, small_store: Path, question: str) -> None:
    done = invoke("sql", question, "--store", small_store)
    assert done.exit_code in (1, 2) and done.stdout == ""
    assert done.stderr.startswith("auditbook: ")


def test_what_helps_to_look_around(invoke: Invoke, small_store: Path) -> None:
    def first(question: str) -> list[str]:
        return invoke("sql", question, "--store", small_store, "--format", "csv").stdout.splitlines()

    assert "events" in first("show tables") and "event_changes" in first("show tables")
    assert first("describe events")[1].startswith("event_uid,VARCHAR")
    assert first("from events select count(*) as n")[0] == "n"
    assert (
        first("explain select 1")[0] == "plan" and "dummy scan" in "".join(first("explain select 1")).lower()
    )


def test_an_answer_goes_to_a_file(invoke: Invoke, small_store: Path, tmp_path: Path) -> None:
    done = invoke("sql", "select 1 as one, '=1+1' as two", "--output", "x.xlsx", "--store", small_store)
    assert done.stdout == "wrote x.xlsx\n"
    assert load_workbook(tmp_path / "x.xlsx").get_sheet_by_index(0).to_python() == [
        ["one", "two"],
        [1, "=1+1"],
    ]
    assert json.loads((tmp_path / "x.xlsx.manifest.json").read_text("utf-8"))["rows"] == 1
