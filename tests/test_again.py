"""remap and forget: lines of the store read again by a repaired mapping, withdrawn loads, rejects that are resolved."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline import again
from pipeline import store as stores
from pipeline.chain import verify
from pipeline.config import from_dict
from pipeline.errors import UsageError
from pipeline.load import load
from pipeline.query import open as open_store
from tests.conftest import COMMAND, Auditbook
from tests.exports import CONFIG, line, lines, put, without_id

MAPPING = """
title = "Till"
version = 1
[about]
documentation = "none"
retention = "none"
logging = "none"
permissions = "none"
entry_url = "none"
[recognise]
keys = ["till"]
[record]
id = "id"
[time]
path = "at"
format = "iso"
[columns]
action = "did"
actor_name = "who"
"""


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(store / "auditbook.duckdb"), read_only=True) as connection:
        return connection.execute(query).fetchall()


def fates(store: Path) -> list[tuple[Any, ...]]:
    return rows(
        store, 'SELECT file, "read", events, duplicates, rejects, blank FROM files ORDER BY commit_no, file'
    )


def events(store: Path) -> list[tuple[Any, ...]]:
    """What the events say and where they stand; not by which load."""
    return rows(store, "SELECT * EXCLUDE (ip_key) FROM events ORDER BY event_uid")


def refuse(store: Path, file: str) -> str:
    with pytest.raises(UsageError) as told:
        again.forget(file, store=store, config=CONFIG)
    return str(told.value)


def digest_of(store: Path, commit_no: int) -> str:
    """The hash of a file's bytes, put together from its lines by the test."""
    texts = rows(
        store, f"SELECT coalesce(raw_bytes, raw::BLOB), newline FROM lines WHERE commit_no = {commit_no} ORDER BY line"
    )  # fmt: skip
    return hashlib.sha256(b"".join(text + (b"\n" if newline else b"") for text, newline in texts)).hexdigest()


# --- a repaired file


def test_a_line_is_resolved_by_the_repaired_file_of_its_name(store: Path) -> None:
    broken = line(1) + b"{broken\n" + line(3) + b"[4]\n" + line(5)
    load([put(store.parent / "night.jsonl", broken)], store=store, config=CONFIG)
    half = line(1) + line(2) + line(3) + b"[4]\n" + line(5)
    load([put(store.parent / "night.jsonl", half)], store=store, config=CONFIG)
    with open_store(store) as log:
        told = log.rejects(resolved=True).select("line", "commit_no", "resolved_by").pl().rows()
        assert told == [(2, 1, 2), (4, 1, None), (4, 2, None)]
        assert log.rejects().count() == 2
    load([put(store.parent / "night.jsonl", lines(1, 5))], store=store, config=CONFIG)
    with open_store(store) as log:
        assert log.rejects().count() == 0
        assert [row["resolved"] for row in log.ledger().pl().to_dicts()] == [2, 1, 0]


def test_neighbouring_rejects_are_resolved_together(store: Path) -> None:
    load([put(store.parent / "a.jsonl", b"{1\n{2\n" + line(3) + b"{4\n")], store=store, config=CONFIG)
    load([put(store.parent / "a.jsonl", lines(1, 4))], store=store, config=CONFIG)
    with open_store(store) as log:
        assert log.rejects(resolved=True).select("line", "resolved_by").pl().rows() == [
            (1, 2),
            (2, 2),
            (4, 2),
        ]


def _pretty(last: int) -> bytes:
    return json.dumps([json.loads(line(n)) for n in range(1, last + 1)], indent=1).encode()


@pytest.mark.parametrize(
    ("name", "whole", "cut"),
    [
        ("n.jsonl.gz", gzip.compress(lines(1, 3)), gzip.compress(lines(1, 3))[:-3]),
        ("n.jsonl.gz", gzip.compress(lines(1, 5)), gzip.compress(lines(1, 3)) + b"junk"),
        ("n.json.gz", gzip.compress(_pretty(3), 0), gzip.compress(_pretty(3), 0)[:-60]),
        ("n.json", _pretty(3), _pretty(3)[:-1]),
        ("n.json", _pretty(3), _pretty(3)[:-60]),
    ],
    ids=["without its checksum", "junk behind it", "within a packed record", "without its end", "within a record"],
)  # fmt: skip
def test_the_whole_file_resolves_where_it_was_cut(store: Path, name: str, whole: bytes, cut: bytes) -> None:
    load([put(store.parent / name, cut)], store=store, config=CONFIG)
    load(
        [put(store.parent / name, cut.replace(b"junk", b"junk of another length"))],
        store=store,
        config=CONFIG,
    )
    with open_store(store) as log:
        assert {row[0] for row in log.rejects().select("reason").pl().rows()} == {"truncated"}

    load([put(store.parent / name, whole)], store=store, config=CONFIG)

    with open_store(store) as log:
        assert log.rejects().select("line", "reason").pl().rows() == []


@pytest.mark.parametrize("later", [lines(11, 13), line(2) + line(3) + line(1)])
def test_another_file_of_its_name_does_not(store: Path, later: bytes) -> None:
    load([put(store.parent / "n.jsonl.gz", gzip.compress(lines(1, 3))[:-3])], store=store, config=CONFIG)
    load([put(store.parent / "n.jsonl.gz", gzip.compress(later))], store=store, config=CONFIG)
    with open_store(store) as log:
        assert log.rejects().select("line", "reason").pl().rows() == [(4, "truncated")]


@pytest.mark.parametrize(
    ("later", "name"),
    [
        (line(11) + line(12) + line(13), "night.jsonl"),  # the next night under the same name
        (line(1) + line(2) + line(4), "night.jsonl"),  # what follows it is another record
        (line(1) + line(3) + line(2), "night.jsonl"),  # not in its place
        (line(1) + line(2) + line(3), "other.jsonl"),  # another file
    ],
)
def test_nothing_is_resolved_by_chance(store: Path, later: bytes, name: str) -> None:
    load([put(store.parent / "night.jsonl", line(1) + b"{broken\n" + line(3))], store=store, config=CONFIG)
    load([put(store.parent / name, later)], store=store, config=CONFIG)
    with open_store(store) as log:
        assert log.rejects().select("line", "resolved_by").pl().rows() == [(2, None)]


def test_another_tenants_file_resolves_nothing(store: Path) -> None:
    load(
        [put(store.parent / "n.jsonl", line(1) + b"{broken\n")], store=store, config=CONFIG, instance="north"
    )
    load([put(store.parent / "n.jsonl", line(1) + line(2))], store=store, config=CONFIG, instance="south")
    with open_store(store) as log:
        assert log.rejects().count() == 1


def test_a_line_is_open_again_when_its_repair_is_withdrawn(store: Path) -> None:
    load([put(store.parent / "night.jsonl", line(1) + b"{broken\n")], store=store, config=CONFIG)
    repaired = put(store.parent / "night.jsonl", line(1) + line(2))
    load([repaired], store=store, config=CONFIG)
    again.forget(stores.sha256_file(Path(repaired)), store=store, config=CONFIG)
    with open_store(store) as log:
        assert log.rejects().select("line", "resolved_by").pl().rows() == [(2, None)]
    assert fates(store) == [("night.jsonl", 2, 1, 0, 1, 0)]


# --- remap


def test_a_repaired_mapping_resolves_exactly_its_lines(store: Path, auditbook: Auditbook) -> None:
    record = {
        "till": 1,
        "id": "t1",
        "did": "open",
        "who": "Ana",
        "at": "2026-10-01T08:00:00Z",
        "when": "2026-10-01T08:00:00Z",
    }
    other = {**record, "id": "t2", "at": None, "when": "2026-10-01T09:00:00Z"}
    text = "\n".join([json.dumps(record), json.dumps(other), "{broken", ""])
    put(store.parent / "till.jsonl", text.encode())
    put(store.parent / "maps/till.toml", MAPPING.encode())
    put(store.parent / "auditbook.toml", b'[organization]\ntimezone = "UTC"\n[sources]\npath = "maps"\n')
    assert auditbook("load", "till.jsonl").returncode == 0
    assert fates(store) == [("till.jsonl", 3, 1, 0, 2, 0)]
    nothing = auditbook("remap", "till")
    assert nothing.stdout.startswith("nothing to do: every line of till was read with this mapping")
    put(
        store.parent / "maps/till.toml",
        MAPPING.replace('path = "at"', 'path = "when"').encode(),
    )
    done = auditbook("remap", "till")
    assert done.stdout.splitlines()[:3] == [
        "till, 1 file read again",
        "  before: 3 lines = 1 event + 0 duplicates + 2 rejects + 0 blank",
        "  now:    3 lines = 2 events + 0 duplicates + 1 reject + 0 blank",
    ], done.stderr
    assert rows(store, "SELECT line, reason FROM rejects") == [(3, "not_json")]
    assert rows(store, "SELECT occurred_at_raw FROM events ORDER BY line") == [
        ("2026-10-01T08:00:00Z",), ("2026-10-01T09:00:00Z",)
    ]  # fmt: skip
    assert digest_of(store, 1) == hashlib.sha256(text.encode()).hexdigest()
    assert verify(store).ok
    assert auditbook("load", "till.jsonl").stdout.startswith("1 file, 1 of them loaded before: 0 lines")


def test_remap_leaves_other_sources_and_the_loads_numbers_alone(store: Path) -> None:
    hoops = put(store.parent / "hoops.jsonl", Path("tests/sources/hoops.jsonl").read_bytes())
    load([hoops], store=store, config=CONFIG)
    put(store.parent / "a.jsonl", lines(1, 30))
    load([str(store.parent / "a.jsonl")], store=store, config=CONFIG, instance="north")
    load([put(store.parent / "b.jsonl", lines(20, 40))], store=store, config=CONFIG, instance="north")
    before, ledger = events(store), fates(store)
    other = from_dict({"organization": {"timezone": "Asia/Tokyo"}})
    done = again.remap("printago", store=store, config=other)
    assert done.files == ("a.jsonl", "b.jsonl")
    assert fates(store) == ledger
    assert [row[0] for row in rows(store, "SELECT commit_no FROM files ORDER BY ALL")] == [1, 2, 3]
    assert events(store) == before
    assert rows(store, "SELECT DISTINCT commit_no FROM lines ORDER BY 1") == [(1,), (2,), (3,)]


def test_what_is_not_loaded_cannot_be_read_again(store: Path, auditbook: Auditbook) -> None:
    load([put(store.parent / "a.jsonl", lines(1, 3))], store=store, config=CONFIG)
    told = auditbook("remap", "hoops")
    assert (told.returncode, told.stderr) == (
        2, 'auditbook: nothing of "hoops" is loaded. Loaded: printago.\n'
    )  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "json", "cut"])
def test_every_form_is_read_again_as_it_was(store: Path, form: str) -> None:
    record = json.loads(line(1))
    if form == "csv":
        names = ["id", "storeId", "createdAt", "actorType", "action", "entityType", "entityId"]
        cells = [",".join(f'"{json.loads(line(n)).get(name)}"' for name in names) for n in range(1, 4)]
        name, content = "a.csv", (",".join(names) + "\n" + "\n".join(cells) + "\n").encode()
    elif form == "json":
        name, content = "a.json", json.dumps([record, {**record, "id": "x"}, 3], indent=1).encode()
    else:
        name, content = "a.jsonl.gz", gzip.compress(b"".join(line(n) for n in range(200)))[:-300]
    load([put(store.parent / name, content)], store=store, config=CONFIG, source="printago")
    before, ledger, told = (
        events(store),
        fates(store),
        rows(store, "SELECT * EXCLUDE (commit_no) FROM lines ORDER BY line"),
    )
    again.remap("printago", store=store, config=from_dict({"organization": {"timezone": "Asia/Tokyo"}}))
    assert (events(store), fates(store)) == (before, ledger)
    assert rows(store, "SELECT * EXCLUDE (commit_no) FROM lines ORDER BY line") == told
    assert ledger[0][2] > 0


# --- forget


def test_a_withdrawn_file_is_as_if_it_had_never_been_loaded(store: Path, tmp_path: Path) -> None:
    changed = line(3, action="delete")
    files = {
        "first.jsonl": lines(1, 10) + b"{broken\n" + without_id(1) + without_id(1),
        "second.jsonl": lines(5, 15) + changed + without_id(1),
        "third.jsonl": changed + lines(8, 20) + without_id(1) + without_id(1),
    }
    for name, content in files.items():
        load([put(tmp_path / name, content)], store=store, config=CONFIG)
    assert fates(store) == [
        ("first.jsonl", 13, 12, 0, 1, 0), ("second.jsonl", 13, 6, 7, 0, 0), ("third.jsonl", 16, 5, 11, 0, 0)
    ]  # fmt: skip
    done = again.forget("first.jsonl", store=store, config=CONFIG)
    assert (done.before.events, done.after.events) == (23, 19)
    never = tmp_path / "never"
    for name in ("second.jsonl", "third.jsonl"):
        load([str(tmp_path / name)], store=never, config=CONFIG)
    assert events(store) == events(never)
    assert fates(store) == fates(never)
    assert verify(store).ok
    load([str(tmp_path / "first.jsonl")], store=store, config=CONFIG)
    assert fates(store)[-1] == ("first.jsonl", 13, 4, 8, 1, 0)


def test_only_the_files_concerned_are_written_again(store: Path, tmp_path: Path) -> None:
    load(
        [put(tmp_path / "a.jsonl", lines(1, 10)), put(tmp_path / "b.jsonl", lines(11, 20))],
        store=store,
        config=CONFIG,
    )
    load([put(tmp_path / "c.jsonl", lines(21, 30))], store=store, config=CONFIG)
    done = again.forget("a.jsonl", store=store, config=CONFIG, reason="from the staging system")
    assert done.commit is not None
    assert done.commit.content["replaces"] == ["000001/lines.parquet"]
    assert done.commit.record["run"]["reason"] == "from the staging system"
    assert fates(store) == [("b.jsonl", 10, 10, 0, 0, 0), ("c.jsonl", 10, 10, 0, 0, 0)]
    assert rows(store, "SELECT count(*) FROM events") == [(20,)]
    assert digest_of(store, 2) == hashlib.sha256(lines(21, 30)).hexdigest()
    assert verify(store).ok


def test_what_is_meant_must_be_one_load(store: Path, auditbook: Auditbook) -> None:
    first = put(store.parent / "n.jsonl", lines(1, 3))
    load([first], store=store, config=CONFIG)
    digest = stores.sha256_file(Path(first))
    load([put(store.parent / "n.jsonl", lines(4, 5))], store=store, config=CONFIG)
    second = stores.sha256_file(Path(first))
    assert refuse(store, "x.jsonl") == '"x.jsonl" is no file that is loaded. Loaded: n.jsonl.'
    assert refuse(store, "n.jsonl") == (
        f'"n.jsonl" was loaded 2 times. Say which by its hash: {digest[:12]} (commit 1), {second[:12]} (commit 2).'
    )
    planned = auditbook("forget", digest[:8], "--plan")
    sum_of = "3 lines = 3 events + 0 duplicates + 0 rejects + 0 blank"
    assert (
        planned.stdout
        == f"would withdraw n.jsonl (printago, sha256 {digest[:12]}, loaded by commit 1): {sum_of}\n"
    )
    assert len(fates(store)) == 2
    done = auditbook("forget", digest[:8], "--yes", "--json")
    assert json.loads(done.stdout)["lines"]["events"] == 2
    assert fates(store) == [("n.jsonl", 2, 2, 0, 0, 0)]


def test_of_a_file_that_was_loaded_for_two_tenants_one_load_can_be_withdrawn(
    store: Path, auditbook: Auditbook
) -> None:
    export = put(store.parent / "n.jsonl", lines(1, 3))
    for tenant in ("noth", "north"):
        assert auditbook("load", export, "--instance", tenant).returncode == 0
    assert refuse(store, "n.jsonl") == (
        '"n.jsonl" was loaded 2 times. Say which with --commit: 1 (printago, noth), 2 (printago, north).'
    )
    other = auditbook("forget", "n.jsonl", "--commit", "3")
    assert (other.returncode, other.stderr) == (2, 'auditbook: "n.jsonl" was not loaded by commit 3.\n')

    assert auditbook("forget", "n.jsonl", "--commit", "1", "--yes").returncode == 0

    assert rows(store, "SELECT DISTINCT instance FROM events") == [("north",)]
    assert rows(store, "SELECT commit_no, events FROM files") == [(2, 3)]


def test_withdrawing_takes_the_word_of_the_plan(store: Path, auditbook: Auditbook) -> None:
    load([put(store.parent / "n.jsonl", lines(1, 3))], store=store, config=CONFIG)

    assert json.loads(auditbook("forget", "n.jsonl", "--plan", "--json").stdout)["word"] == "forget 3"
    wrong = auditbook("forget", "n.jsonl", "--word", "forget 2")
    assert (wrong.returncode, wrong.stderr) == (
        2, 'auditbook: the word is "forget 3"; nothing was changed. Look at the plan, then type it.\n'
    )  # fmt: skip
    for typed, code, left in (("yes", 2, 1), ("forget 3", 0, 0)):
        assert at_a_terminal(["forget", "n.jsonl", "--store", str(store)], typed) == (
            code, 'Type "forget 3" to go on:'
        )  # fmt: skip
        assert len(fates(store)) == left


def at_a_terminal(arguments: list[str], typed: str) -> tuple[int, str]:
    """The exit code of a command whose input is a terminal where something is typed, and what it asked."""
    ours, theirs = os.openpty()
    os.write(ours, f"{typed}\n".encode())
    done = subprocess.run([COMMAND, *arguments], stdin=theirs, capture_output=True, text=True, check=False)
    os.close(theirs)
    os.close(ours)
    return done.returncode, done.stderr[: done.stderr.index(":") + 1]


def test_a_file_that_was_passed_over_can_be_withdrawn(store: Path) -> None:
    put(store.parent / "in/a.jsonl", lines(1, 2))
    put(store.parent / "in/odd.csv", b"\xff\xfe\n")
    load([str(store.parent / "in")], store=store, config=CONFIG)
    again.forget("odd.csv", store=store, config=CONFIG)
    assert [row[0] for row in fates(store)] == ["a.jsonl"]
