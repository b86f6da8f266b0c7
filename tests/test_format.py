"""A store that an earlier version wrote is opened, verified, read and added to by this one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.load import load
from tests.conftest import Auditbook
from tests.exports import line, put
from tests.stores.make import SETTINGS, exports, make

FORMATS = Path(__file__).parent / "stores"
HEADS = {"format-1": "15159d73260804c73ea964a45d3ced139b19d75f1ffb5511baad5fce20f7214e"}


@pytest.fixture(scope="module")
def made_today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this version makes of the same exports."""
    store = tmp_path_factory.mktemp("today") / "store"
    make(store)
    return store


@pytest.fixture(params=[*HEADS, "made today"])
def kept(request: pytest.FixtureRequest, store: Path, made_today: Path) -> Path:
    """A committed store, or today's, to read and to add to."""
    origin = made_today if request.param == "made today" else FORMATS / request.param
    return Path(shutil.copytree(origin, store))


def asked(store: Path, query: str) -> list[tuple[Any, ...]]:
    with pipeline.open(store) as log:
        return log.con.execute(query).fetchall()


def test_every_format_has_its_store() -> None:
    assert sorted(path.name for path in FORMATS.glob("format-*")) == sorted(HEADS)


@pytest.mark.parametrize("name", HEADS)
def test_it_verifies(name: str, store: Path, auditbook: Auditbook) -> None:
    shutil.copytree(FORMATS / name, store)

    found = pipeline.verify(store, HEADS[name])

    assert (found.ok, found.commits, found.files, found.head, found.after) == (True, 5, 7, HEADS[name], 0)
    assert auditbook("verify").returncode == 0


def test_it_is_read(kept: Path) -> None:
    assert asked(kept, "SELECT kind FROM commits ORDER BY commit_no") == [
        ("load",), ("load",), ("load",), ("detect",), ("disposition",)
    ]  # fmt: skip
    ledger = 'SELECT file, source, instance, "read", events, duplicates, rejects, blank FROM files ORDER BY commit_no'
    assert asked(kept, ledger) == [
        ("monday.jsonl", "printago", "north", 8, 4, 1, 2, 1),
        ("tuesday.jsonl", "printago", "north", 3, 2, 1, 0, 0),
        ("empty.jsonl", "hoops", None, 0, 0, 0, 0, 0),
    ]
    assert asked(kept, "SELECT line, byte_offset, reason, text FROM rejects ORDER BY line") == [
        (4, len(line(1)) + 1 + len(line(2)), "not_json", "{broken"),
        (6, 2 * len(line(1)) + 9 + len(line(2)), "not_utf8", r"\xFF"),
    ]
    columns = "source_event_id, action, instance, actor_email, conflicts_with IS NOT NULL"
    events = f"SELECT {columns} FROM events ORDER BY ALL"
    assert asked(kept, events) == [
        ("evt0001", "update", "north", "ana@example.com", False),
        ("evt0002", "delete", "north", "ana@example.com", True),
        ("evt0002", "update", "north", "ana@example.com", False),
        ("evt0003", "update", "north", "ana@example.com", False),
        ("evt0004", "update", "north", "ana@example.com", False),
        ("evt0005", "update", "north", "ana@example.com", False),
    ]
    assert asked(kept, "SELECT field, old, new, new_present FROM event_changes") == [
        ("status", '"queued"', "null", True)
    ]
    assert asked(kept, "SELECT source_ip FROM events WHERE source_ip IS NOT NULL") == [("203.0.113.7",)]


def test_its_findings_and_decisions_stand(kept: Path) -> None:
    found = "SELECT detector, severity, state, disposition, reviewed_by, review_reason FROM findings"
    assert asked(kept, found + " WHERE detector = 'logging_disabled'") == [
        ("logging_disabled", "critical", "reviewed", "accepted", "Rosa Dimitriou", "Agreed maintenance.")
    ]
    assert asked(kept, "SELECT count(*) > 0 FROM detector_coverage WHERE status = 'evaluated'") == [(True,)]


def test_its_lines_are_still_the_files(kept: Path, tmp_path: Path) -> None:
    query = "SELECT file, raw, raw_bytes, newline FROM lines ORDER BY file, line"
    files: dict[str, bytes] = {}
    for file, raw, raw_bytes, newline in asked(kept, query):
        text = raw.encode() if raw_bytes is None else raw_bytes
        files[file] = files.get(file, b"") + text + b"\n" * newline
    assert files == {Path(path).name: Path(path).read_bytes() for path in exports(tmp_path)}


def test_it_is_added_to(kept: Path, tmp_path: Path) -> None:
    for export in exports(tmp_path):
        assert load([export], store=kept, config=SETTINGS, instance="north").commit is None

    result = load(
        [put(tmp_path / "wednesday.jsonl", line(2, action="delete") + line(5) + line(6))],
        store=kept, config=SETTINGS, instance="north",
    )  # fmt: skip

    assert result.counts.as_tuple() == (3, 2, 1, 0, 0), "a repeated conflict, a new one, a new event"
    assert (pipeline.verify(kept).ok, pipeline.verify(kept).commits) == (True, 6)
    assert asked(kept, "SELECT count(*), count(conflicts_with) FROM events") == [(8, 2)]


def test_its_database_is_made_again(kept: Path) -> None:
    (kept / "auditbook.duckdb").unlink(missing_ok=True)

    pipeline.rebuild(kept)

    assert asked(kept, "SELECT count(*) FROM events") == [(6,)]
