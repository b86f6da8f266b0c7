"""Who is who: spellings by person, look-alikes and what is none, and [actors] that hold without loading again."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.config import Config, from_dict
from pipeline.detect import detect
from pipeline.export import rows_as_json
from pipeline.load import load
from pipeline.query import open as open_store
from tests.conftest import Auditbook
from tests.exports import CONFIG, line, put

DANA = {"actors": {"dana@example.com": {"name": "Dana Ruiz", "aliases": ["hoops:Dana Ruiz"]}}}


def shop(number: int, mail: str | None, user: str | None) -> bytes:
    """A Printago line: an id and an e-mail, no name."""
    return line(number, actorEmail=mail, actorId=user)


def desk(number: int, name: str, mail: str | None = None, kind: str = "User") -> bytes:
    """A Hoops line: a name, perhaps an e-mail, no id."""
    record = {
        "activity_id": number, "document": {"type": "Job", "number": "J-1"},
        "occurred_at": f"2026-10-02T{number:02d}:00:00+00:00", "activity": "Job created",
        "performed_by": {"name": name, "kind": kind, **({"email": mail} if mail else {})}, "details": [],
    }  # fmt: skip
    return json.dumps(record).encode() + b"\n"


def loaded(store: Path, *lines: bytes) -> Path:
    """A store with these lines, each in the export of its product."""
    products = {"printago": [one for one in lines if b"storeId" in one]}
    products["hoops"] = [one for one in lines if one not in products["printago"]]
    exports = [put(store.parent / f"{name}.jsonl", b"".join(rows)) for name, rows in products.items() if rows]
    load(exports, store=store, config=CONFIG)
    return store


def alike(store: Path, config: Config | None = None) -> list[tuple[list[str], list[str]]]:
    """Who looks alike, and why."""
    with open_store(store, config) as log:
        return [(row["persons"], row["reasons"]) for row in rows_as_json(log.look_alikes())]


# --- who acted


def test_a_person_is_listed_under_every_spelling(store: Path) -> None:
    loaded(
        store,
        shop(1, "dana@example.com", "usr_dana"),
        shop(2, "Dana@Example.com", "usr_dana"),
        desk(3, "Dana Ruiz"),
        desk(4, "Bo Lind"),
    )
    with open_store(store, from_dict(DANA)) as log:
        rows = list(rows_as_json(log.actors()))
    assert rows == [
        {
            "person": "hoops:Bo Lind", "name": "Bo Lind", "configured": False, "source": "hoops", "ids": [],
            "names": ["Bo Lind"], "emails": [], "actor_types": ["user"], "events": 1,
            "first_seen": "2026-10-02T04:00:00.000Z", "last_seen": "2026-10-02T04:00:00.000Z", "look_alike_of": None,
        },
        {
            "person": "dana@example.com", "name": "Dana Ruiz", "configured": True, "source": "hoops", "ids": [],
            "names": ["Dana Ruiz"], "emails": [], "actor_types": ["user"], "events": 1,
            "first_seen": "2026-10-02T03:00:00.000Z", "last_seen": "2026-10-02T03:00:00.000Z", "look_alike_of": None,
        },
        {
            "person": "dana@example.com", "name": "Dana Ruiz", "configured": True, "source": "printago",
            "ids": ["usr_dana"], "names": [], "emails": ["Dana@Example.com", "dana@example.com"],
            "actor_types": ["user"], "events": 2,
            "first_seen": "2026-10-01T01:00:00.000Z", "last_seen": "2026-10-01T02:00:00.000Z", "look_alike_of": None,
        },
    ]  # fmt: skip


def test_an_alias_that_no_event_carries_is_listed_with_no_events(store: Path) -> None:
    loaded(store, shop(1, "dana@example.com", "usr_dana"))
    slip = {"actors": {"dana@example.com": {"aliases": ["hoops:Dana Riuz", "dana@example.org"]}}}
    with open_store(store, from_dict(slip)) as log:
        never = [row for row in rows_as_json(log.actors()) if row["events"] == 0]
    assert [(row["person"], row["source"], row["ids"], row["emails"]) for row in never] == [
        ("dana@example.com", "hoops", ["Dana Riuz"], []),
        ("dana@example.com", None, [], ["dana@example.org"]),
    ]


def test_the_id_of_a_person_need_not_be_seen_when_an_alias_is(store: Path) -> None:
    loaded(store, desk(1, "Dana Ruiz"))
    with open_store(store, from_dict(DANA)) as log:
        assert [row["events"] for row in rows_as_json(log.actors())] == [1]


# --- who looks alike


@pytest.mark.parametrize(
    ("lines", "persons", "reason"),
    [
        pytest.param(
            [shop(1, "dana@example.com", "usr_1"), shop(2, None, "usr_1")],
            ["dana@example.com", "printago:usr_1"], "same id: usr_1", id="an id with and without e-mail",
        ),
        pytest.param(
            [shop(1, "dana@example.com", "usr_1"), shop(2, "d.ruiz@example.com", "usr_1")],
            ["d.ruiz@example.com", "dana@example.com"], "same id: usr_1", id="an id with two e-mails",
        ),
        pytest.param(
            [shop(1, None, "Usr_D"), shop(2, None, "usr_d")],
            ["printago:Usr_D", "printago:usr_d"], "ids that differ in case: Usr_D, usr_d", id="case",
        ),
        pytest.param(
            [shop(1, "dana@example.com", "usr_1"), shop(2, "Dana+shop@example.com", "usr_2")],
            ["dana+shop@example.com", "dana@example.com"],
            "same e-mail but for a tag: Dana+shop@example.com, dana@example.com", id="a tag",
        ),
        pytest.param(
            [shop(1, "dana@example.com", "usr_1"), shop(2, None, "Dana@Example.com")],
            ["dana@example.com", "printago:Dana@Example.com"],
            "same e-mail: Dana@Example.com, dana@example.com", id="an e-mail as id",
        ),
        pytest.param(
            [desk(1, "Dana Ruiz"), desk(2, "Dana  RUIZ", "dana@example.com")],
            ["dana@example.com", "hoops:Dana Ruiz"], "same name: Dana  RUIZ, Dana Ruiz", id="a name",
        ),
        pytest.param(
            [desk(1, "Élodie Beck"), desk(2, "Beck, Elodie", "eb@example.com")],
            ["eb@example.com", "hoops:Élodie Beck"], "same name: Beck, Elodie, Élodie Beck", id="accents and order",
        ),
        pytest.param(
            [desk(1, "Jörg Weiß"), desk(2, "JÖRG WEISS", "jw@example.com")],
            ["hoops:Jörg Weiß", "jw@example.com"], "same name: JÖRG WEISS, Jörg Weiß", id="a sharp s",
        ),
        pytest.param(
            [desk(1, "Dana Ruiz"), desk(2, "Dan\u0430 Ruiz", "dr@example.com")],
            ["dr@example.com", "hoops:Dana Ruiz"], "same name: Dana Ruiz, Dan\u0430 Ruiz", id="another alphabet",
        ),
        pytest.param(
            [desk(1, "Dana Ruiz"), shop(2, "dana.ruiz+x@example.com", "usr_1")],
            ["dana.ruiz+x@example.com", "hoops:Dana Ruiz"],
            "name like an e-mail or id: Dana Ruiz, dana.ruiz+x@example.com", id="the beginning of an e-mail",
        ),
        pytest.param(
            [desk(1, "Dana Ruiz"), shop(2, None, "dana-ruiz")],
            ["hoops:Dana Ruiz", "printago:dana-ruiz"],
            "name like an e-mail or id: Dana Ruiz, dana-ruiz", id="a user name",
        ),
    ],
)  # fmt: skip
def test_what_looks_alike(store: Path, lines: list[bytes], persons: list[str], reason: str) -> None:
    assert alike(loaded(store, *lines)) == [(persons, [reason])]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            [shop(1, "dana@example.com", "usr_1"), shop(2, "Dana@EXAMPLE.com", "usr_1")], id="one e-mail"
        ),
        pytest.param(
            [shop(1, "info@example.com", "u_1"), shop(2, "info@example.org", "u_2")], id="two mailboxes"
        ),
        pytest.param(
            [shop(1, None, "7"), line(2, storeId="south", actorEmail="b@x.io", actorId="7")],
            id="one number in two tenants",
        ),
        pytest.param([desk(1, "Dana Ruiz"), desk(2, "Dana Ruis", "d@example.com")], id="one letter"),
        pytest.param([desk(1, "Al"), desk(2, "Al", "al@example.com")], id="two letters"),
        pytest.param(
            [desk(1, "Dana Ruiz", "a@x.io", "Customer"), desk(2, "Dana Ruiz", "b@x.io", "Customer")], id="customers"
        ),
        pytest.param([desk(1, "Robot", None, "Automation"), desk(2, "Robot", "r@x.io")], id="a program"),
        pytest.param([shop(1, None, "usr_1"), desk(2, "usr 2")], id="another id"),
    ],
)  # fmt: skip
def test_what_does_not_look_alike(store: Path, lines: list[bytes]) -> None:
    assert alike(loaded(store, *lines)) == []
    with open_store(store) as log:
        assert log.actors().count() > 0


def test_marks_link_over_several_steps(store: Path) -> None:
    loaded(
        store,
        desk(1, "Dana Ruiz"),
        desk(2, "Dana Ruiz", "dana+desk@example.com"),
        shop(3, "dana@example.com", "usr_1"),
        shop(4, None, "usr_1"),
        desk(5, "Bo Lind"),
    )
    assert alike(store) == [
        (
            ["dana+desk@example.com", "dana@example.com", "hoops:Dana Ruiz", "printago:usr_1"],
            [
                "same e-mail but for a tag: dana+desk@example.com, dana@example.com",
                "same id: usr_1",
                "same name: Dana Ruiz",
            ],
        )
    ]


def test_a_long_list_of_spellings_is_cut(store: Path) -> None:
    loaded(store, *(shop(number, f"dana+{number}@example.com", f"usr_{number}") for number in range(7)))
    [(persons, [reason])] = alike(store)
    assert len(persons) == 7
    assert reason == (
        "same e-mail but for a tag: dana+0@example.com, dana+1@example.com, dana+2@example.com, "
        "dana+3@example.com, dana+4@example.com and 2 more"
    )


# --- tying


def proposal(store: Path, config: Config | None = None) -> str:
    with open_store(store, config) as log:
        [row] = rows_as_json(log.look_alikes())
        return str(row["toml"])


def test_the_lines_to_paste_tie_them(store: Path) -> None:
    loaded(
        store,
        desk(1, "Dana Ruiz"),
        desk(2, "Dana Ruiz", "dana@example.com"),
        shop(3, "Dana@example.com", "u"),
    )
    told = proposal(store)
    assert told == '[actors."dana@example.com"]\nname = "Dana Ruiz"\naliases = ["hoops:Dana Ruiz"]'
    config = from_dict(tomllib.loads(told))
    assert alike(store, config) == []
    with open_store(store, config) as log:
        tied = log.sql("SELECT DISTINCT person, count(*) OVER () AS n FROM actors").pl().rows()
    assert tied == [("dana@example.com", 2)]


def test_somebody_who_is_configured_gets_one_alias_more(store: Path) -> None:
    loaded(store, desk(1, "Dana Ruiz"), shop(2, "dana@example.com", "usr_1"), shop(3, None, "usr_1"))
    assert proposal(store, from_dict(DANA)) == (
        '# the aliases of [actors."dana@example.com"]\naliases = ["hoops:Dana Ruiz", "printago:usr_1"]'
    )


def test_two_who_are_both_configured_are_told_apart(store: Path) -> None:
    loaded(store, desk(1, "Dana Ruiz"), desk(2, "Dana Ruiz", "dana@example.com"))
    apart = {"actors": {"hoops:Dana Ruiz": {}, "dana@example.com": {}}}
    assert alike(store, from_dict(apart)) == []
    assert len(alike(store)) == 1


@pytest.mark.parametrize(
    "name", ['Dana "D" Ruiz', "Dana\\Ruiz", "Dana\x7fRuiz\x1b[31m", "Dana\nRuiz", "田中 愛子"]
)
def test_the_lines_to_paste_are_toml_whatever_the_name(store: Path, name: str) -> None:
    loaded(store, desk(1, name), desk(2, name, "dana@example.com"))
    told = tomllib.loads(proposal(store))["actors"]["dana@example.com"]
    assert told == {"name": name, "aliases": [f"hoops:{name}"]}
    assert alike(store, from_dict({"actors": {"dana@example.com": told}})) == []


def test_an_id_with_an_at_sign_is_no_email(store: Path) -> None:
    loaded(store, shop(1, "dana@example.com", "usr_1"), shop(2, None, "Dana@Example.com"))
    told = proposal(store)
    assert told.endswith('aliases = ["printago:Dana@Example.com"]')
    assert alike(store, from_dict(tomllib.loads(told))) == []


PERSONS = "SELECT actor_key, person FROM actors ORDER BY actor_key"
APART = [("dana@example.com", "dana@example.com"), ("hoops:Dana Ruiz", "hoops:Dana Ruiz")]
TIED = [("dana@example.com", "dana@example.com"), ("hoops:Dana Ruiz", "dana@example.com")]


def test_aliases_added_later_hold_without_loading_again(store: Path) -> None:
    loaded(store, desk(1, "Dana Ruiz"), shop(2, "dana@example.com", "usr_1"))
    detect(store=store, config=CONFIG)
    with open_store(store) as log:
        assert log.sql(PERSONS).pl().rows() == APART
        assert log.events(actor="dana@example.com").count() == 1
    with open_store(store, from_dict(DANA)) as log:
        assert log.sql(PERSONS).pl().rows() == TIED, "for who reads with another config"
        assert log.events(actor="dana@example.com").count() == 2
    with open_store(store) as log:
        assert log.sql(PERSONS).pl().rows() == APART, "and for nobody else"

    detect(store=store, config=from_dict(DANA))

    with open_store(store) as log:
        assert log.sql(PERSONS).pl().rows() == TIED, "for everybody, once it was detected with"
        assert log.sql("SELECT count(*) FROM commits WHERE kind = 'load'").pl().item() == 1
    with duckdb.connect(str(store / "auditbook.duckdb"), read_only=True) as shell:
        assert shell.execute(PERSONS).fetchall() == TIED


# --- the command


@pytest.fixture
def people(store: Path) -> Path:
    return loaded(store, desk(1, "Dana Ruiz"), shop(2, "dana.ruiz@example.com", "usr_1"), desk(3, "Bo Lind"))


def test_the_command_lists_people_and_what_to_paste(auditbook: Auditbook, people: Path) -> None:
    done = auditbook("sources", "actors", "--store", people)
    assert done.returncode == 0, done.stderr
    assert [" ".join(row.split()) for row in done.stdout.splitlines() if "──" not in row] == [
        "person name source ids names emails events last seen look alike of",
        "hoops:Bo Lind Bo Lind hoops Bo Lind 1 2026-10-02 03:00:00",
        "hoops:Dana Ruiz Dana Ruiz hoops Dana Ruiz 1 2026-10-02 01:00:00 dana.ruiz@example.com",
        "dana.ruiz@example.com dana.ruiz@example.com printago usr_1 dana.ruiz@example.com 1 2026-10-01 02:00:00 "
        "dana.ruiz@example.com",
        "3 of 3 rows",
        "",
        "Dana Ruiz: dana.ruiz@example.com, hoops:Dana Ruiz",
        "name like an e-mail or id: Dana Ruiz, dana.ruiz@example.com",
        "",
        '[actors."dana.ruiz@example.com"]',
        'name = "Dana Ruiz"',
        'aliases = ["hoops:Dana Ruiz"]',
        "",
        "1 of 1 look-alike",
    ]


def test_what_is_pasted_holds_for_the_next_command(
    auditbook: Auditbook, people: Path, tmp_path: Path
) -> None:
    told = auditbook("sources", "actors", "--look-alikes", "--format", "json", "--store", people).stdout
    pasted = tmp_path / "tied.toml"
    pasted.write_text(json.loads(told)[0]["toml"])
    after = auditbook("sources", "actors", "--look-alikes", "--store", people, "--config", pasted)
    assert after.stdout.strip() == "no look-alikes"
    found = auditbook(
        "events", "--actor", "Dana Ruiz", "--format", "jsonl", "--store", people, "--config", pasted
    )
    assert len(found.stdout.splitlines()) == 2


@pytest.mark.parametrize("shape", ["csv", "json", "jsonl"])
def test_every_format_has_the_same_rows(auditbook: Auditbook, people: Path, shape: str) -> None:
    done = auditbook("sources", "actors", "--format", shape, "--store", people)
    read: Any = {
        "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
        "json": json.loads,
        "jsonl": lambda text: [json.loads(row) for row in text.splitlines()],
    }[shape](done.stdout)
    assert [(row["person"], row["source"], str(row["events"])) for row in read] == [
        ("hoops:Bo Lind", "hoops", "1"),
        ("hoops:Dana Ruiz", "hoops", "1"),
        ("dana.ruiz@example.com", "printago", "1"),
    ]


def test_a_limit_says_what_it_hides(auditbook: Auditbook, people: Path) -> None:
    done = auditbook("sources", "actors", "--limit", 1, "--store", people)
    assert "\n1 of 3 rows; 2 more with --limit 0\n" in done.stdout
