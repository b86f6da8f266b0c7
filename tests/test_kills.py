"""SIGKILL at any moment of a run, of one process or of all: what was committed stays, nothing half done is seen.

A moment is the nth thing that the run does with the system (Python's audit events), so it does not depend on speed. A
few moments are tried by default; `make kills` tries 200 (KILLS=n).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

import pipeline
from pipeline.load import load
from tests.conftest import ROOT, Auditbook
from tests.exports import CONFIG, line, lines, put

SEED = 20261125
MANY = int(os.environ.get("KILLS", "3"))
LARGE = 9000  # lines of 5 KB, so that the load takes several blocks and several processes


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports")
    put(folder / "a.jsonl", lines(1, 30) + b"{broken\n")
    times = (f"2026-10-{1 + n % 28:02d}T{n % 24:02d}:{n % 60:02d}:00Z" for n in range(LARGE))
    put(
        folder / "b.jsonl",
        b"".join(line(1000 + n, createdAt=at, note="x" * 5000) for n, at in enumerate(times)),
    )
    return folder


def start(exports: Path, place: Path, *stop: object) -> subprocess.Popen[bytes]:
    """A run in a session of its own, which stands still at the moment that is named."""
    (place / "tmp").mkdir(exist_ok=True)
    arguments = ["run", exports, "--store", place / "store", "--out", place / "out", "-q"]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.stopper", *map(str, (*stop, *arguments))],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "TMPDIR": str(place / "tmp"), "PYTHONHASHSEED": "0"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def moments(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> int:
    """How many things a whole run does."""
    counted = start(exports, tmp_path_factory.mktemp("counted"), "count", "", 0)
    told, error = counted.communicate(timeout=300)
    assert counted.returncode == 0, error
    return int(told.split()[-1])


@pytest.mark.parametrize("number", range(MANY))
def test_killed_at_a_random_moment(
    number: int, moments: int, exports: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    chance = random.Random(SEED + number)
    whole_group = chance.random() < 0.5
    process = start(exports, tmp_path, "any", "", chance.randrange(1, moments))
    assert process.stdout is not None
    stands = process.stdout.readline() == b"here\n"  # a moment later than this run has: it ended well
    if stands:
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)  # ends when the last process that could write to us has ended

    store = tmp_path / "store"
    before = 0
    if (store / "commits").is_dir():
        verified = pipeline.verify(store)
        assert verified.ok
        before = verified.commits
        assert_whole(store, before)

    env = {"TMPDIR": str(tmp_path / "tmp")}
    done = auditbook("run", exports, "--store", store, "--out", tmp_path / "out", "--json", "-q", env=env)
    assert done.returncode == 0, done.stderr
    assert_whole(store, 2)
    assert list((tmp_path / "tmp").iterdir()) == []
    beside = {"auditbook.duckdb", "commits", "ids", "lock", "manifest.jsonl", "reports.jsonl"}
    assert {path.name for path in store.iterdir()} <= beside | {"entities"}
    assert json.loads(auditbook("verify", "--json", "--store", store).stdout)["ok"]


def assert_whole(store: Path, commits: int) -> None:
    """Readers see whole commits: all of the load or nothing of it."""
    with pipeline.open(store) as log:
        assert log.events().count() == (LARGE + 30 if commits else 0)
        assert log.sql("SELECT count(*) AS n FROM lines").pl().item() == (LARGE + 31 if commits else 0)


@pytest.mark.parametrize("moment", ["prepare", "finish"])
def test_a_worker_that_is_killed_is_an_error_and_the_next_run_succeeds(
    moment: str, exports: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    process = start(exports, tmp_path, "worker", moment, 2)
    told, error = process.communicate(timeout=120)
    assert (process.returncode, told) == (1, b""), error
    assert error.decode() == (
        "auditbook: a process that loads was killed by signal 9. Nothing was committed. Signal 9 is mostly the system "
        "being out of memory: see --memory-limit.\n"
    )
    assert list((tmp_path / "store/commits").iterdir()) == []
    done = auditbook("run", exports, "--store", tmp_path / "store", "--out", tmp_path / "out", "-q")
    assert done.returncode == 0, done.stderr
    assert_whole(tmp_path / "store", 2)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_in_one_sentence(
    sent: signal.Signals, code: int, exports: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    process = start(exports, tmp_path, "open", "record.json", 1)
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n"
    process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code
    assert (
        error.lstrip()
        == b"auditbook: stopped; what was committed stays, and the next run goes on from there.\n"
    )
    assert list((tmp_path / "store/commits").iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert auditbook("run", exports, "--store", tmp_path / "store", "-q").returncode == 0


def test_twenty_readers_during_many_runs(tmp_path: Path) -> None:
    """Each sees whole commits only, and none an error."""
    store = tmp_path / "store"
    runs = int(os.environ.get("RUNS", "3"))
    pipeline.run([put(tmp_path / "0.jsonl", lines(0, 99))], store=store, out=tmp_path / "out")
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(store)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(20)
    ]  # fmt: skip
    for number in range(1, runs):
        export = put(tmp_path / f"{number}.jsonl", lines(100 * number, 100 * number + 99))
        load([export], store=store, config=CONFIG)
    for reader in readers:
        told, error = reader.communicate("stop\n", timeout=120)
        assert reader.returncode == 0, error
        seen = json.loads(told)
        assert seen == sorted(seen)
        assert all(count % 100 == 0 for count in seen)
        assert seen[-1] == 100 * runs
    with duckdb.connect(str(store / "auditbook.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM events").fetchall() == [(100 * runs,)]


READER = """
import json, os, select, sys
import pipeline
os.nice(19)  # twenty are many for a small machine: who is read from goes first
seen = []
while not select.select([0], [], [], 0)[0]:
    with pipeline.open(sys.argv[1]) as log:
        seen.append(log.events().count())
        assert log.sql("SELECT count(*) AS n FROM lines WHERE fate = 'event'").pl().item() == seen[-1]
with pipeline.open(sys.argv[1]) as log:
    seen.append(log.events().count())
print(json.dumps(seen))
"""
