"""Files become lines with fates, and events: what comes again adds nothing, and what is wrong is named."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reports
from pipeline.again import remap
from pipeline.config import from_dict
from pipeline.errors import AuditbookError, UsageError
from pipeline.ledger import LoadResult
from pipeline.load import load
from pipeline.mapping import shipped
from pipeline.query import open as open_store
from tests.conftest import COMMAND, Auditbook
from tests.exports import CONFIG, line, lines, put, without_id

SOURCES = ", ".join(sorted(shipped()))


def loaded(store: Path, *exports: str, **options: Any) -> LoadResult:
    return load(exports, store=store, config=CONFIG, **options)


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with open_store(store) as log:
        return log.con.execute(query).fetchall()


def events(store: Path) -> list[str]:
    return [uid for (uid,) in rows(store, "SELECT event_uid FROM events ORDER BY event_uid")]


def put_together(store: Path) -> dict[tuple[int, str], bytes]:
    """Every loaded file again, from the lines view alone."""
    files: dict[tuple[int, str], bytes] = {}
    query = "SELECT commit_no, file, raw, raw_bytes, newline FROM lines ORDER BY commit_no, file, line"
    for commit, file, raw, raw_bytes, newline in rows(store, query):
        text = raw.encode() if raw_bytes is None else raw_bytes
        files[commit, file] = files.get((commit, file), b"") + text + b"\n" * newline
    return files


def counts(result: LoadResult) -> dict[str, int]:
    return result.counts.as_json()


# Lines


def test_a_line_of_garbage_is_a_reject_and_the_rest_loads(store: Path, tmp_path: Path) -> None:
    export = put(tmp_path / "night.jsonl", line(1) + b"{broken\n" + line(2) + b"\n" + b"\xff\xfe\n" + line(3))

    result = loaded(store, export)

    assert counts(result) == {"read": 6, "events": 3, "duplicates": 0, "rejects": 2, "blank": 1}
    assert result.messages == ("night.jsonl: 2 lines rejected; `auditbook rejects` shows them.",)
    found = rows(store, "SELECT file, line, byte_offset, reason, message, text FROM rejects ORDER BY line")
    first, second = len(line(1)), len(line(1) + b"{broken\n" + line(2) + b"\n")
    assert found == [
        ("night.jsonl", 2, first, "not_json", "key must be a string at byte 2 of the line.", "{broken"),
        ("night.jsonl", 5, second, "not_utf8", "byte 1 of the line is not UTF-8.", r"\xFF\xFE"),
    ]


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [(b'{"id":"caf\xe9"}', "not_utf8"), (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep")],
)
@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_a_file_is_recognised_whatever_its_first_lines_are(
    store: Path, tmp_path: Path, name: str, garbage: bytes, reason: str
) -> None:
    loaded(store, put(tmp_path / name, line(1) + garbage + b"\n" + line(2)))

    assert rows(store, "SELECT line, fate, reason FROM lines ORDER BY line") == [
        (1, "event", None), (2, "reject", reason), (3, "event", None)
    ]  # fmt: skip


def test_a_file_that_says_nothing_at_its_beginning_is_not_taken_for_an_empty_one(
    store: Path, tmp_path: Path
) -> None:
    export = put(tmp_path / "x.jsonl", b" \n" * 40_000 + line(1))

    with pytest.raises(UsageError, match=r"x\.jsonl no source was recognised from its first lines\."):
        loaded(store, export)

    assert counts(loaded(store, export, source="printago"))["events"] == 1


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ('{"auditLogs":[]}', True),
        ('{"auditLogs":[],"nextCursor":null,"page":1}\n', True),
        ('{\n "object": "list",\n "data": {"items": [], "has_more": false}\n}\n', True),
        ('{"tags":[],"createdAt":"2026-10-01T00:00:00Z"}', False),
        ('{"tags":[],"at":1772463845}', False),
        ('{"tags":["a"]}', False),
        ('{"page":1}', False),
    ],
)
def test_an_export_of_nothing_needs_no_source(store: Path, tmp_path: Path, text: str, taken: bool) -> None:
    """A quiet night wakes nobody; what could be a record is told."""
    put(tmp_path / "exports/quiet.json", text.encode())
    put(tmp_path / "exports/x.jsonl", line(1))

    result = loaded(store, str(tmp_path / "exports"))

    assert [text.partition(":")[0] for text in result.unrecognised] == ([] if taken else ["quiet.json"])
    fates = rows(store, "SELECT DISTINCT fate, reason FROM lines WHERE file = 'quiet.json'")
    assert fates == ([("blank", "bracket")] if taken else [])


def test_a_record_without_a_time_or_with_a_wrong_one_is_a_reject(store: Path, tmp_path: Path) -> None:
    export = put(
        tmp_path / "x.jsonl",
        line(1) + line(2, createdAt="yesterday") + line(3, createdAt=None) + line(4, createdAt=""),
    )

    loaded(store, export)

    assert rows(store, "SELECT line, reason, message FROM rejects ORDER BY line") == [
        (2, "bad_time", '$.createdAt: "yesterday" is not a time. Expected ISO 8601.'),
        (3, "missing_required", "$.createdAt is missing: an event needs a time."),
        (4, "missing_required", "$.createdAt is missing: an event needs a time."),
    ]


ODD = (
    "\0", "\ufeff", "'; DROP TABLE events; --", "=1+1", "𝔘", 10**400, -(2**70), 1e-320, [[[]]] * 3, {"": {"": 1}},
    {"a.b/c~d": 1}, {"\0": 1}, True, None,
)  # fmt: skip


def test_whatever_a_field_holds_loads(store: Path, tmp_path: Path) -> None:
    odd = [
        line(number, metadata=extra, entityId=extra, changes=extra, actorId=extra, strange=extra)
        for number, extra in enumerate(ODD)
    ]
    export = put(tmp_path / "x.jsonl", b"".join(odd))

    result = loaded(store, export)

    assert counts(result) == {"read": 14, "events": 14, "duplicates": 0, "rejects": 0, "blank": 0}
    assert put_together(store) == {(1, "x.jsonl"): b"".join(odd)}


# Again


def test_the_same_file_again_changes_nothing(store: Path, tmp_path: Path) -> None:
    export = put(tmp_path / "x.jsonl", lines(1, 5))
    first = loaded(store, export)

    again = loaded(store, export)

    assert again.commit is None
    assert again.head == first.head
    assert again.already_loaded == ("x.jsonl",)
    assert counts(again)["read"] == 0
    assert [path.name for path in (store / "commits").iterdir()] == ["000001"]


def test_a_file_that_was_named_twice_is_loaded_once(store: Path, tmp_path: Path) -> None:
    here, there = put(tmp_path / "a/x.jsonl", lines(1, 5)), put(tmp_path / "b/x.jsonl", lines(1, 5))

    result = loaded(store, here, here, str(tmp_path / "a"), there)

    assert result.files == 2
    assert [one.file for one in result.loaded] == ["x.jsonl"]
    assert result.already_loaded == ("x.jsonl",)
    assert rows(store, "SELECT count(*) FROM event_lines") == [(5,)]


def test_overlapping_exports_give_each_event_once(store: Path, tmp_path: Path) -> None:
    first = loaded(store, put(tmp_path / "monday.jsonl", lines(1, 20)))
    before = events(store)

    second = loaded(store, put(tmp_path / "tuesday.jsonl", lines(11, 25)))

    assert counts(first) == {"read": 20, "events": 20, "duplicates": 0, "rejects": 0, "blank": 0}
    assert counts(second) == {"read": 15, "events": 5, "duplicates": 10, "rejects": 0, "blank": 0}
    assert set(before) < set(events(store))
    assert len(events(store)) == 25


def test_the_other_order_gives_the_same_events(tmp_path: Path) -> None:
    monday, tuesday = (
        put(tmp_path / "monday.jsonl", lines(1, 20)),
        put(tmp_path / "tuesday.jsonl", lines(11, 25)),
    )
    for store, order in ((tmp_path / "one", (monday, tuesday)), (tmp_path / "other", (tuesday, monday))):
        for export in order:
            loaded(store, export)

    assert events(tmp_path / "one") == events(tmp_path / "other")


def pack(kind: str, content: bytes) -> bytes:
    if kind == "zst":
        return bytes(pa.compress(content, codec="zstd", asbytes=True))
    return {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[kind](content)


def test_another_packing_is_the_same_file(store: Path, tmp_path: Path) -> None:
    exports = [put(tmp_path / "x.jsonl", lines(1, 9))]
    for kind in ("gz", "zst", "bz2", "xz"):
        halves = pack(kind, lines(1, 4)) + pack(kind, lines(5, 9))
        exports.append(put(tmp_path / f"x.jsonl.{kind}", halves))

    result = loaded(store, *exports)

    plain, *packed = result.loaded
    assert plain.counts.as_tuple() == (9, 9, 0, 0, 0)
    assert [one.counts.as_tuple() for one in packed] == [(9, 0, 9, 0, 0)] * 4
    assert {one.sha256 for one in result.loaded} == {hashlib.sha256(lines(1, 9)).hexdigest()}
    assert set(put_together(store).values()) == {lines(1, 9)}


@pytest.mark.parametrize("kind", ["gz", "zst", "bz2", "xz"])
def test_what_is_packed_otherwise_than_it_says_is_an_error_and_nothing_is_committed(
    store: Path, tmp_path: Path, kind: str
) -> None:
    export = put(tmp_path / f"x.jsonl.{kind}", b"garbage")

    with pytest.raises(AuditbookError, match=rf"x\.jsonl\.{kind} cannot be read: it is no [a-z0-9]+ file\.$"):
        loaded(store, export)

    assert not (store / "commits").exists() or not list((store / "commits").iterdir())


def test_a_duplicate_keeps_a_reference_and_the_lines_view_its_text(store: Path, tmp_path: Path) -> None:
    loaded(store, put(tmp_path / "a.jsonl", lines(1, 3)))
    respelled = json.dumps(dict(reversed(json.loads(line(2)).items()))).encode()

    loaded(store, put(tmp_path / "b.jsonl", line(3) + respelled + b"\r\n" + line(1)))

    kept = "SELECT line, fate, raw, same_commit, same_line FROM stored_lines WHERE file = 'b.jsonl' ORDER BY line"
    assert rows(store, kept) == [
        (1, "duplicate", None, 1, 3),
        (2, "duplicate", respelled.decode() + "\r", 1, 2),
        (3, "duplicate", None, 1, 1),
    ]
    assert put_together(store)[2, "b.jsonl"] == line(3) + respelled + b"\r\n" + line(1)
    uids = rows(store, "SELECT event_uid, count(*) FROM lines GROUP BY ALL HAVING event_uid IS NOT NULL")
    assert [n for _, n in uids] == [2, 2, 2], "each duplicate says which event it repeats"


def test_thirty_nights_of_the_same_month_grow_the_store_by_what_is_new(tmp_path: Path) -> None:
    once, nightly = tmp_path / "once", tmp_path / "nightly"
    loaded(once, put(tmp_path / "all.jsonl", lines(1, 600)))
    loaded(nightly, put(tmp_path / "0.jsonl", lines(1, 600)))
    before = size(nightly, "lines.parquet")

    loaded(nightly, put(tmp_path / "1.jsonl", lines(21, 620)))

    new = len(lines(601, 620)) / len(lines(1, 600)) * before
    assert size(nightly, "lines.parquet") - before < new + 0.25 * before, "no text is stored twice"


def size(store: Path, name: str) -> int:
    return sum(path.stat().st_size for path in store.glob(f"commits/*/{name}"))


def test_two_equal_lines_without_an_id_are_two_events(store: Path, tmp_path: Path) -> None:
    failed_login = without_id(1)

    result = loaded(store, put(tmp_path / "a.jsonl", failed_login + failed_login + without_id(2)))
    again = loaded(store, put(tmp_path / "b.jsonl", failed_login + failed_login + failed_login))

    assert counts(result)["events"] == 3
    assert counts(again) == {"read": 3, "events": 1, "duplicates": 2, "rejects": 0, "blank": 0}
    assert len(set(events(store))) == 4


def test_equal_lines_of_another_file_are_no_further_events_wherever_they_stand(
    store: Path, tmp_path: Path
) -> None:
    """In the second file they come in a later block than its beginning."""
    first = put(tmp_path / "a.json", b"[" + without_id(1) + b"]")
    many = b",".join(line(number, id=f"event {number}") for number in range(600) for _ in range(4))
    second = put(tmp_path / "b.json", b"[" + many + b"," + without_id(1) + b"]")

    result = loaded(store, first, second)

    assert [one.counts.events for one in result.loaded] == [1, 600]
    assert [one.counts.duplicates for one in result.loaded] == [0, 1801]


def test_two_equal_lines_with_an_id_are_one_event(store: Path, tmp_path: Path) -> None:
    result = loaded(store, put(tmp_path / "a.jsonl", line(1) + line(1)))

    assert counts(result) == {"read": 2, "events": 1, "duplicates": 1, "rejects": 0, "blank": 0}


@pytest.mark.parametrize("files", [1, 3])
def test_the_same_id_with_other_content_is_an_event_that_names_the_other(
    store: Path, tmp_path: Path, files: int
) -> None:
    versions = [line(1), line(1, action="delete"), line(1, action="create")]
    parts = versions if files == 3 else [b"".join(versions)]
    for number, part in enumerate(parts):
        loaded(store, put(tmp_path / f"{number}.jsonl", part))

    found = rows(store, "SELECT action, conflicts_with, event_uid FROM events ORDER BY file, line")
    original = found[0][2]
    assert [row[:2] for row in found] == [("update", None), ("delete", original), ("create", original)]
    assert len({uid for _, _, uid in found}) == 3
    again = loaded(store, put(tmp_path / "again.jsonl", b"".join(reversed(versions))))
    assert counts(again) == {"read": 3, "events": 0, "duplicates": 3, "rejects": 0, "blank": 0}


def test_two_tenants_do_not_collide(store: Path, tmp_path: Path) -> None:
    export = put(tmp_path / "x.jsonl", lines(1, 3) + line(1))

    north, south = loaded(store, export, instance="north"), loaded(store, export, instance="south")

    assert (
        counts(north) == counts(south) == {"read": 4, "events": 3, "duplicates": 1, "rejects": 0, "blank": 0}
    )
    assert rows(store, "SELECT instance, count(*) FROM events GROUP BY ALL ORDER BY ALL") == [
        ("north", 3),
        ("south", 3),
    ]
    assert put_together(store) == {
        (1, "x.jsonl"): lines(1, 3) + line(1),
        (2, "x.jsonl"): lines(1, 3) + line(1),
    }
    assert rows(store, "SELECT count(*), count(DISTINCT event_uid) FROM event_lines") == [(6, 6)]
    repeated = (
        "SELECT l.commit_no, e.instance FROM lines l JOIN events e USING (event_uid) WHERE fate = 'duplicate'"
    )
    assert rows(store, repeated + " ORDER BY ALL") == [(1, "north"), (2, "south")]
    assert loaded(store, export, instance="south").commit is None


def test_a_tenant_can_be_configured_for_records_that_name_none(store: Path, tmp_path: Path) -> None:
    config = from_dict({"sources": {"printago": {"instance": "west"}}})
    export = put(tmp_path / "x.jsonl", line(1, storeId="s1") + line(2, storeId=None) + line(3, storeId="s2"))
    tenants = "SELECT instance FROM events ORDER BY line"

    load([export], store=store, config=config)
    assert rows(store, tenants) == [("s1",), ("west",), ("s2",)]
    assert rows(store, "SELECT instance FROM files") == [(None,)]

    other = from_dict({"sources": {"printago": {"instance": "east"}}})
    assert load([export], store=store, config=other).commit is None
    remap("printago", store=store, config=other)
    assert rows(store, tenants) == [("s1",), ("east",), ("s2",)]

    load([export], store=tmp_path / "typed", config=config, instance="north")
    assert rows(tmp_path / "typed", tenants) == [("north",)] * 3


# What cannot be loaded


def test_a_missing_file(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        loaded(store, str(tmp_path / "missing.jsonl"))

    assert str(told.value) == f"{tmp_path}/missing.jsonl does not exist."
    assert not store.exists()


def test_a_glob_that_matches_only_broken_links_is_a_missing_file(store: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone.jsonl")

    with pytest.raises(UsageError, match=r"\*\.jsonl does not exist\.$"):
        loaded(store, str(tmp_path / "*.jsonl"))


def test_a_glob_means_folders_too(store: Path, tmp_path: Path) -> None:
    put(tmp_path / "exports/october/x.jsonl", lines(1, 2))

    assert counts(loaded(store, str(tmp_path / "exports/*")))["events"] == 2


def test_a_folder_without_exports(store: Path, tmp_path: Path) -> None:
    put(tmp_path / "empty/readme.txt", b"nothing")

    with pytest.raises(UsageError) as told:
        loaded(store, str(tmp_path / "empty"))

    hint = "has no exports in it. Looked for .jsonl, .ndjson, .json, .csv, also compressed."
    assert str(told.value) == f"{tmp_path}/empty {hint}"


def test_nothing_to_load(store: Path) -> None:
    with pytest.raises(UsageError, match=r"^nothing to load\. Name files, folders or globs\.$"):
        loaded(store)


def test_an_unknown_source(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        loaded(store, put(tmp_path / "x.jsonl", line(1)), source="printagoo")

    assert str(told.value) == f'"printagoo" is not a known source. Known are: {SOURCES}.'


def test_a_file_that_is_named_and_not_recognised(store: Path, tmp_path: Path) -> None:
    export = put(tmp_path / "x.jsonl", b'{"storeId":1,"actorType":"user","x":2}\n')

    with pytest.raises(UsageError) as told:
        loaded(store, export)

    assert str(told.value) == (
        f"{export} no source was recognised from its first lines; nearest: printago. "
        f"Say which with --source: {SOURCES}."
    )
    assert not (store / "commits/000001").exists()


def test_in_a_folder_it_is_left_out_on_record_and_the_rest_loads(store: Path, tmp_path: Path) -> None:
    put(tmp_path / "in/good.jsonl", lines(1, 3))
    put(tmp_path / "in/strange.jsonl", b'{"a":1}\n')
    put(tmp_path / "in/native.json.lz4", b"[]")

    result = loaded(store, str(tmp_path / "in"))

    why = "no source was recognised from its first lines"
    assert result.unrecognised == (
        "native.json.lz4: only .jsonl, .ndjson, .json, .csv can be read",
        f"strange.jsonl: {why}",
    )
    assert counts(result) == {"read": 3, "events": 3, "duplicates": 0, "rejects": 0, "blank": 0}
    assert rows(store, 'SELECT file, source, "read", skipped FROM files ORDER BY file') == [
        ("good.jsonl", "printago", 3, None),
        ("native.json.lz4", None, 0, "only .jsonl, .ndjson, .json, .csv can be read"),
        ("strange.jsonl", None, 0, why),
    ]
    again = loaded(store, str(tmp_path / "in"))
    assert again.unrecognised == result.unrecognised, "told every night"
    assert again.commit is None


def test_what_was_left_out_loads_when_its_source_is_said(store: Path, tmp_path: Path) -> None:
    put(tmp_path / "in/good.jsonl", lines(1, 3))
    strange = put(tmp_path / "in/strange.jsonl", b'{"id":"x","createdAt":"2026-10-01T00:00:00Z"}\n')
    loaded(store, str(tmp_path / "in"))

    result = loaded(store, strange, source="printago")

    assert counts(result)["events"] == 1
    assert rows(store, "SELECT source FROM files WHERE file = 'strange.jsonl' ORDER BY commit_no") == [
        (None,),
        ("printago",),
    ]


def test_in_a_folder_nothing_that_looks_like_an_export_is_passed_over(store: Path, tmp_path: Path) -> None:
    for name in ("b.JSONL", "c.jsonl.1", "d.jsonl.lz4", "E.CSV", "readme.md", "rules.toml", ".hidden.jsonl"):
        put(tmp_path / "in" / name, line(ord(name[0])))
    put(tmp_path / "in/f.jsonl.GZ", gzip.compress(line(1)))
    (tmp_path / "in/gone.jsonl").symlink_to(tmp_path / "nowhere.jsonl")
    os.mkfifo(tmp_path / "in/pipe.jsonl")

    result = loaded(store, str(tmp_path / "in"))

    only = "only .jsonl, .ndjson, .json, .csv can be read"
    assert result.unrecognised == (
        "E.CSV: no source was recognised from its first lines", f"c.jsonl.1: {only}", f"d.jsonl.lz4: {only}",
        "gone.jsonl: cannot be read: No such file or directory", "pipe.jsonl: cannot be read: it is no regular file",
    )  # fmt: skip
    assert [one.file for one in result.loaded if one.skipped is None] == ["b.JSONL", "f.jsonl.GZ"]
    assert counts(result)["events"] == 2
    assert rows(store, "SELECT count(*) FROM files WHERE skipped IS NOT NULL") == [(5,)]


def test_links_to_folders_are_followed_and_no_folder_is_read_twice(store: Path, tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/x.jsonl", lines(1, 2))
    put(tmp_path / "in/z/y.jsonl", lines(3, 4))
    (tmp_path / "in/a").symlink_to(tmp_path / "in/z")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/z/round").symlink_to(tmp_path / "in")

    result = loaded(store, str(tmp_path / "in"))

    assert [one.file for one in result.loaded] == ["link/x.jsonl", "z/y.jsonl"]


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "in/a.jsonl", line(1))
    put(tmp_path / "in/closed/b.jsonl", line(2))
    (tmp_path / "in/closed").chmod(0)
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []

    done = subprocess.run(
        [*drop, COMMAND, "load", "in"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    (tmp_path / "in/closed").chmod(0o700)
    assert (done.returncode, done.stderr) == (1, "auditbook: in/closed cannot be read: Permission denied.\n")


@pytest.mark.parametrize("content", [b"garbage", b"\x1f\x8bgarbage"])
def test_a_broken_file_in_a_folder_does_not_stop_the_night(
    store: Path, tmp_path: Path, content: bytes
) -> None:
    put(tmp_path / "in/a.jsonl.gz", content)
    put(tmp_path / "in/b.jsonl", lines(1, 3))

    result = loaded(store, str(tmp_path / "in"))

    assert counts(result)["events"] == 3
    [why] = result.unrecognised
    assert why.startswith("a.jsonl.gz: cannot be read: ")
    with open_store(store) as log:
        assert log.rejects().select("file", "reason").pl().rows() == [("a.jsonl.gz", "file_skipped")]
    put(tmp_path / "in/a.jsonl.gz", gzip.compress(lines(4, 5)))
    again = loaded(store, str(tmp_path / "in"))
    assert (again.unrecognised, counts(again)["events"]) == ((), 2), "once it is whole it loads"
    with open_store(store) as log:
        assert log.rejects().count() == 0
        complete = reports.review(log, as_of=datetime(2026, 11, 1, tzinfo=UTC)).model.completeness
    assert not [reason for reason in complete.reasons if "a.jsonl.gz" in reason]


def test_a_stores_own_files_are_no_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "a.jsonl", lines(1, 3))
    store = Path("store")

    first = loaded(store, ".")
    again = loaded(store, ".")

    assert (first.files, again.files, again.unrecognised, again.commit) == (1, 1, (), None)
    for inside in ("store/commits", "store/commits/000001"):
        with pytest.raises(UsageError, match=r"is part of a store, there are no exports in it\.$"):
            loaded(store, inside)
    with pytest.raises(UsageError, match="has no exports in it"):
        loaded(store, "store")


def test_a_name_that_is_not_utf8_loads_and_is_shown(tmp_path: Path, auditbook: Auditbook) -> None:
    (tmp_path / "in").mkdir()
    for name in ("caf\udce9.jsonl", "caf\udce9.jsonl.gz", "caf\udce9.jsonl.lz4"):
        content = lines(1, 2) if name.endswith("jsonl") else gzip.compress(lines(3, 4))
        (tmp_path / "in" / name).write_bytes(content)

    done = auditbook("load", "in", "--json")

    assert done.returncode == 4, done.stderr
    assert r"skipped caf\xe9.jsonl.lz4: only .jsonl, .ndjson, .json, .csv can be read" in done.stderr
    assert json.loads(done.stdout)["lines"]["events"] == 4
    assert [row["file"] for row in json.loads(auditbook("ledger", "--format", "json").stdout)] == [
        r"caf\xe9.jsonl", r"caf\xe9.jsonl.gz", r"caf\xe9.jsonl.lz4"
    ]  # fmt: skip
    assert auditbook("verify").returncode == 0


def test_a_line_too_long_is_a_reject_whose_bytes_are_kept(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.lines.MAX_LINE_BYTES", 1000)
    monkeypatch.setattr("pipeline.packing.BLOCK_BYTES", 64)
    content = line(1) + line(2, metadata="x" * 2000) + line(3)

    result = loaded(store, put(tmp_path / "x.jsonl", content))

    assert counts(result) == {"read": 5, "events": 2, "duplicates": 0, "rejects": 1, "blank": 2}
    assert rows(store, "SELECT line, reason FROM rejects") == [(2, "too_long")]
    assert rows(store, "SELECT line, length(raw) FROM lines WHERE reason = 'continued' ORDER BY line") == [
        (3, 1000),
        (4, 253),
    ]
    assert put_together(store) == {(1, "x.jsonl"): content}


def test_what_has_no_lines_at_all_is_kept_in_pieces(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.lines.MAX_LINE_BYTES", 1000)
    monkeypatch.setattr("pipeline.packing.BLOCK_BYTES", 64)
    content = line(1) + b"\0" * 2500

    result = loaded(store, put(tmp_path / "endless.jsonl", content))

    assert counts(result) == {"read": 4, "events": 1, "duplicates": 0, "rejects": 1, "blank": 2}
    assert put_together(store) == {(1, "endless.jsonl"): content}


def test_a_block_has_no_more_lines_than_memory_has_room_for(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short they are: what is known of a line takes more room than the line."""
    contents = {
        "a.jsonl": lines(1, 3), "b.jsonl": b"\n" * 200 + line(4) + b"\n" * 200 + line(5)[:-1], "c.jsonl": b"\n" * 5,
        "d.jsonl": lines(6, 9),
    }  # fmt: skip
    exports = [put(tmp_path / name, content) for name, content in contents.items()]
    monkeypatch.setattr("pipeline.packing.MOST_LINES", 10)
    monkeypatch.setattr("pipeline.packing.AT_ONCE", 50)

    result = loaded(store, *exports, source="printago")

    assert counts(result) == {"read": 414, "events": 9, "duplicates": 0, "rejects": 0, "blank": 405}
    assert put_together(store) == {(1, name): content for name, content in contents.items()}
    parts = [pq.ParquetFile(path).metadata.num_rows for path in store.glob("commits/000001/lines*.parquet")]
    assert (sum(parts), max(parts) < 60) == (414, True)
    monkeypatch.undo()
    loaded(tmp_path / "other", *exports, source="printago")
    assert events(store) == events(tmp_path / "other")


def test_a_file_without_records_is_in_the_ledger(store: Path, tmp_path: Path) -> None:
    contents = {"printago.jsonl": b"", "blank.jsonl": b"\n\n \n", "mark.jsonl": b"\xef\xbb\xbf"}

    result = loaded(store, *(put(tmp_path / name, content) for name, content in contents.items()))

    assert counts(result) == {"read": 4, "events": 0, "duplicates": 0, "rejects": 0, "blank": 4}
    ledger = rows(store, "SELECT file, source, bytes FROM files ORDER BY ALL")
    assert ledger == [("blank.jsonl", None, 4), ("mark.jsonl", None, 3), ("printago.jsonl", "printago", 0)]
    assert put_together(store) == {(1, "blank.jsonl"): b"\n\n \n", (1, "mark.jsonl"): b"\xef\xbb\xbf"}


def test_a_file_that_changes_while_it_is_read(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.load.KEPT_BYTES", 0)  # small files are not read twice
    export = Path(put(tmp_path / "x.jsonl", lines(1, 3)))

    def append(told: str, done: int = 0, total: int = 0, /) -> None:
        if told == "loading x.jsonl" and total and not done:
            export.write_bytes(export.read_bytes() + line(4))

    with pytest.raises(AuditbookError) as told:
        loaded(store, str(export), progress=append)

    assert str(told.value) == f"{export} changed while it was being read. Load it again when it is complete."
    assert list((store / "commits").iterdir()) == []
    assert counts(loaded(store, str(export)))["events"] == 4


def test_a_file_that_vanishes_while_it_is_read(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.load.KEPT_BYTES", 0)
    export = Path(put(tmp_path / "x.jsonl", lines(1, 3)))

    with pytest.raises(AuditbookError, match=r"x\.jsonl cannot be read: No such file or directory\.$"):
        loaded(store, str(export), progress=lambda *_: export.unlink())


# Through the command


def test_the_command_exits_4_for_a_file_not_recognised(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "in/good.jsonl", lines(1, 3))
    put(tmp_path / "in/strange.jsonl", b'{"a":1}\n')

    done = auditbook("load", "in", "--json")

    assert done.returncode == 4
    assert json.loads(done.stdout)["unrecognised"] == [
        "strange.jsonl: no source was recognised from its first lines"
    ]


def test_many_files_in_each_block_do_not_keep_processes_waiting_for_each_other(tmp_path: Path) -> None:
    """Requests and answers name each file: together longer than a pipe takes while nobody reads."""
    folder, padding = tmp_path / "some", "x" * 40_000
    folder.mkdir()
    for n in range(2200):
        record = line(n % 700, id=f"event {n}", reason=padding)
        (folder / f"{'long name ' * 20}{n:04d}.jsonl").write_bytes(record)

    done = subprocess.run(
        [COMMAND, "load", str(folder), "--store", str(tmp_path / "store"), "-q"], timeout=300, check=False
    )
    assert done.returncode == 0
    assert rows(tmp_path / "store", "SELECT count(*), sum(events) FROM files") == [(2200, 2200)]


def test_small_files_are_read_as_one_text_and_keep_their_own_lines(store: Path, tmp_path: Path) -> None:
    """Files with and without the mark of UTF-8, an end of their last line, or anything but blank lines."""
    mark = b"\xef\xbb\xbf"
    contents = [
        line(0), mark + lines(1, 2), line(3).rstrip(b"\n"), b"\n\n", line(4) + b"{broken\n" + line(5),
        line(6) + mark + line(7), "CafÃ©\n".encode() + line(8),
    ]  # fmt: skip
    for n, content in enumerate(contents):
        put(tmp_path / "some" / f"{n}.jsonl", content)

    done = loaded(store, str(tmp_path / "some"), source="printago")

    assert rows(store, "SELECT file, line, byte_offset, fate, reason FROM lines WHERE fate <> 'event'") == [
        ("3.jsonl", 1, 0, "blank", "empty"),
        ("3.jsonl", 2, 1, "blank", "empty"),
        ("4.jsonl", 2, len(line(4)), "reject", "not_json"),
        ("5.jsonl", 2, len(line(6)), "reject", "not_json"),
        ("6.jsonl", 1, 0, "reject", "not_json"),
    ]
    assert rows(store, "SELECT file, line, byte_offset FROM lines WHERE file IN ('0.jsonl', '1.jsonl', '2.jsonl')") == [
        ("0.jsonl", 1, 0), ("1.jsonl", 1, 0), ("1.jsonl", 2, len(mark + line(1))), ("2.jsonl", 1, 0)
    ]  # fmt: skip
    assert [message for message in done.messages if "looks" in message] == [
        '6.jsonl: 1 line looks like UTF-8 read as CP1252: "Ã©" for "é", first in line 1. '
        "Nothing was changed; export it again as UTF-8."
    ]
    assert put_together(store) == {(1, f"{n}.jsonl"): content for n, content in enumerate(contents)}


def test_standard_input_needs_a_source(auditbook: Auditbook, tmp_path: Path) -> None:
    text = (lines(1, 2) + b"{broken\n").decode()

    refused = auditbook("load", "-", input=text)
    assert (refused.returncode, refused.stderr) == (
        2, "auditbook: standard input has no name to recognise. Say what it is with --source.\n"
    )  # fmt: skip
    done = auditbook("load", "-", "--source", "printago", "--json", input=text)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["lines"] == {
        "read": 3,
        "events": 2,
        "duplicates": 0,
        "rejects": 1,
        "blank": 0,
    }
    assert rows(tmp_path / "store", "SELECT file, line FROM rejects") == [("stdin", 3)]


@pytest.mark.parametrize(
    ("call", "code", "sentence"),
    [
        (f"{COMMAND} load - --source printago <&-", 2,
         "standard input is closed. Pipe an export into the command."),
        (f"head -c 2000000 /dev/zero | (ulimit -f 1000; {COMMAND} load - --source printago)", 1,
         "standard input cannot be kept: File too large. It is kept in /tmp meanwhile; TMPDIR names another place."),
        (f"head -c 40000000 /dev/zero | tr '\\0' '\\n' > x.jsonl; ulimit -f 1000; {COMMAND} load x.jsonl", 1,
         "a process that loads cannot be started: File too large. `ulimit` (open files, processes, size of files) "
         "allows too little, or memory is out."),
    ],
)  # fmt: skip
def test_what_the_machine_does_not_give_is_said_in_a_sentence(
    tmp_path: Path, call: str, code: int, sentence: str
) -> None:
    env = {**os.environ, "TMPDIR": "/tmp"}
    done = subprocess.run(
        ["bash", "-c", call], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (code, f"auditbook: {sentence}\n")


def test_what_is_passed_over_is_told_with_what_helps(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "in/a.jsonl", b'{"a":1}\n')
    put(tmp_path / "in/b.jsonl.bak", line(1))
    put(tmp_path / "in/c.jsonl.bz2", bz2.compress(lines(1, 9))[:-20])
    put(tmp_path / "in/d.jsonl", line(1))

    done = auditbook("load", "in")

    assert done.returncode == 4
    assert [text for text in done.stderr.splitlines() if "skipped" in text] == [
        "auditbook: skipped a.jsonl: no source was recognised from its first lines. Load it with --source.",
        "auditbook: skipped b.jsonl.bak: only .jsonl, .ndjson, .json, .csv can be read. "
        "Give it such a name if it is an export; else keep it elsewhere.",
        f"auditbook: skipped c.jsonl.bz2: cannot be read: the bzip2 file is cut off at byte "
        f"{len(bz2.compress(lines(1, 9))) - 20}. It is loaded by the first run that can read it.",
    ]


def test_usage_errors_exit_2(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "x.jsonl", line(1))
    empty = ["x.jsonl", "--instance", ""]
    for arguments in (["missing.jsonl"], ["x.jsonl", "--source", "nobody"], ["store"], empty):
        done = auditbook("load", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert done.stderr.startswith("auditbook: ")
        assert done.stderr.count("\n") == 1
    assert done.stderr == "auditbook: --instance is empty. Name the tenant, or leave it out.\n"


def test_a_limit_says_how_many_rejects_it_hides(auditbook: Auditbook, tmp_path: Path) -> None:
    assert auditbook("load", put(tmp_path / "x.jsonl", line(1) + b"{\n" * 3)).returncode == 0
    assert auditbook("rejects", "--limit", 2).stdout.endswith("\n2 of 3 rejects; 1 more with --limit 0\n")
    assert auditbook("rejects", "--limit", 0).stdout.endswith("\n3 rejects\n")
    assert auditbook("load", put(tmp_path / "x.jsonl", lines(1, 2) + b"{\n" * 2)).returncode == 0
    assert auditbook("rejects", "--limit", 1).stdout.endswith(
        "\n1 of 4 rejects; 3 more with --limit 0; 1 more resolved by later loads (--all shows them)\n"
    )


# Nothing vanishes

FRAGMENTS = st.one_of(
    st.integers(1, 6).map(line),
    st.integers(1, 3).map(without_id),
    st.integers(1, 3).map(lambda number: line(number, action="delete")),
    st.integers(1, 3).map(lambda number: line(number).replace(b"\n", b"\r\n")),
    st.sampled_from(
        [b"\n", b"\xef\xbb\xbf", b"{broken\n", b"\xff\n", b'{"a":1,"a":2}\n', b"\0", line(1)[:-1]]
    ),
    st.binary(max_size=6),
)
FILES = st.lists(st.lists(FRAGMENTS, max_size=12).map(b"".join), min_size=2, max_size=3)


@settings(max_examples=8, deadline=None)
@given(FILES)
def test_after_overlapping_loads_the_lines_are_still_the_files(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        for number, content in enumerate(contents):
            result = loaded(store, put(Path(folder) / f"{number}.jsonl", content), source="printago")
            one = result.counts
            assert one.read == one.events + one.duplicates + one.rejects + one.blank
            assert one.read == len(io.BytesIO(content).readlines())
        again = put_together(store)
        for number, content in enumerate(contents):
            wanted = hashlib.sha256(content).hexdigest()
            assert hashlib.sha256(again.get((number + 1, f"{number}.jsonl"), b"")).hexdigest() == wanted
        assert rows(
            store, "SELECT (SELECT count(*) FROM events) = (SELECT count(*) FROM lines WHERE fate = 'event')"
        ) == [(True,)]
        assert rows(store, "SELECT count(*) FROM events GROUP BY event_uid HAVING count(*) > 1") == []
        assert rows(
            store, "SELECT count(*) FROM lines WHERE fate IN ('event', 'duplicate') AND event_uid IS NULL"
        ) == [(0,)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(FRAGMENTS, max_size=4).map(b"".join), min_size=2, max_size=12))
def test_files_that_are_loaded_together_are_still_the_files(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, exports = Path(folder) / "store", Path(folder) / "exports"
        wanted = {(1, f"{n:02d}.jsonl"): content for n, content in enumerate(contents)}
        for (_, name), content in wanted.items():
            put(exports / name, content)

        loaded(store, str(exports), source="printago")

        assert put_together(store) == {key: content for key, content in wanted.items() if content}


# --- fields that come and go


def test_fields_that_are_new_or_gone_are_told(store: Path, tmp_path: Path) -> None:
    def night(number: int, **more: Any) -> str:
        rows = [line(n, **more) for n in range(number * 100, number * 100 + 100)]
        return put(tmp_path / f"night{number}.jsonl", b"".join(rows))

    first = loaded(store, night(1, note="x", old=1))
    assert (first.drift, first.messages) == ({}, ())
    for number in (2, 3):
        assert loaded(store, night(number, note="x", old=1)).drift == {}
    changed = loaded(store, night(4, note={"by": "bo"}, colour="red"))
    assert changed.drift == {"printago": {"new": ["colour", "note.by"], "vanished": ["old"]}}
    assert changed.messages == (
        "printago: fields colour, note.by never seen before; what no mapping reads is kept in `unmapped`.",
        "printago: field old in each of the 3 loads before and in none of these lines.",
    )
    assert loaded(store, night(5, note={"by": "bo"}, colour="red")).drift == {}


def test_a_field_is_not_missed_in_a_small_load(store: Path, tmp_path: Path) -> None:
    for number in range(1, 4):
        loaded(store, put(tmp_path / f"{number}.jsonl", line(number, note="x")))
    assert loaded(store, put(tmp_path / "4.jsonl", b"".join(line(n) for n in range(4, 103)))).drift == {}
    assert loaded(store, put(tmp_path / "5.jsonl", b"".join(line(n) for n in range(200, 299)))).drift == {}
