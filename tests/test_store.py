"""A commit is whole or not there, whoever kills, moves, locks or writes beside it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

import pipeline
from pipeline.errors import AuditbookError, StoreBusyError, UsageError
from pipeline.ledger import LoadResult
from pipeline.load import load
from pipeline.lock import locked
from tests.conftest import COMMAND, ROOT, Auditbook
from tests.exports import CONFIG, line, lines, put

SHELL = COMMAND.with_name("duckdb")
VERSION_OF_STORAGE = "v1.5.0+"


def loaded(store: Path, *exports: str) -> LoadResult:
    return load(exports, store=store, config=CONFIG)


def commits(store: Path) -> list[str]:
    return sorted(path.name for path in (store / "commits").iterdir())


def record(store: Path, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((store / f"commits/{number:06d}/record.json").read_bytes())
    return found


def shell(store: Path, *arguments: str, query: str) -> list[dict[str, Any]]:
    """A DuckDB shell from another release than the library."""
    done = subprocess.run(
        [SHELL, *arguments, "-json", store / "auditbook.duckdb", query],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def without_privileges(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that the permissions of files hold for, also when the tests run as root."""
    drop = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"] if os.geteuid() == 0 else []
    return subprocess.run([*drop, *map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def two_commits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two loads, to copy."""
    folder = tmp_path_factory.mktemp("made")
    loaded(folder / "store", put(folder / "a.jsonl", lines(1, 3) + b"{broken\n"))
    loaded(folder / "store", put(folder / "b.jsonl", lines(2, 6)))
    return folder / "store"


@pytest.fixture
def made(two_commits: Path, store: Path) -> Path:
    return Path(shutil.copytree(two_commits, store))


# The rename is the commit

MOMENTS = {
    "before anything is written": ("os.mkdir", ".tmp-000001", 1, 0),
    "between two files": ("os.chmod", "lines.parquet", 1, 0),
    "before the record is written": ("open", "record.json", 1, 0),
    "before the rename": ("os.rename", ".tmp-000001", 1, 0),
    "after the rename": ("os.rename", ".new-manifest", 1, 1),
    "while the database is made": ("os.chmod", ".new-auditbook.duckdb", 1, 1),
    "before the database is put in place": ("os.rename", ".new-auditbook.duckdb", 1, 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_the_store_is_whole(store: Path, tmp_path: Path, moment: str) -> None:
    event, text, nth, committed = MOMENTS[moment]
    exports = [put(tmp_path / "a.jsonl", lines(1, 3)), put(tmp_path / "b.jsonl", lines(3, 5))]
    pid = killed(event, text, nth, "load", *exports, "--store", str(store))

    verified = pipeline.verify(store)
    assert (verified.ok, verified.commits) == (True, committed)
    again = loaded(store, *exports)
    assert (again.commit is None) == (committed == 1)
    assert commits(store) == ["000001"]
    beside = ["auditbook.duckdb", "commits", "entities", "ids", "lock", "manifest.jsonl"]
    assert sorted(path.name for path in store.iterdir()) == beside
    with pipeline.open(store) as log:
        assert log.events().count() == 5
    if committed:  # nothing was left to commit, so the next commit tells
        loaded(store, put(tmp_path / "c.jsonl", line(9)))
    told = record(store, 1 + committed)["run"]["interrupted"]
    assert (told["pid"], set(told)) == (pid, {"pid", "host", "started"})
    loaded(store, put(tmp_path / "d.jsonl", line(10)))
    assert "interrupted" not in record(store, 2 + committed)["run"], "told once"


def killed(event: str, text: str, nth: int, *arguments: str) -> int:
    """Start the command, wait until it stands at the moment, kill it; gives the number of the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.stopper", event, text, str(nth), *arguments],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"here\n", process.communicate()
    process.kill()
    process.communicate()
    return process.pid


def test_an_error_is_no_interrupted_run(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.load.KEPT_BYTES", 0)  # small files are not read twice
    export = Path(put(tmp_path / "a.jsonl", lines(1, 3)))
    with pytest.raises(AuditbookError):
        load([str(export)], store=store, config=CONFIG, progress=lambda *_: export.unlink())

    loaded(store, put(export, lines(1, 3)))

    assert "interrupted" not in record(store, 1)["run"]


@pytest.mark.parametrize(
    ("blocks", "committed", "sentence"),
    [
        (8, 0, "store/commits cannot be written: File too large. Nothing of it was committed; what was committed "
               "before stays."),
        (100, 1, "What was loaded is committed; `auditbook rebuild` makes the database."),
    ],
)  # fmt: skip
def test_a_full_disk_is_an_error_and_costs_nothing(
    store: Path, tmp_path: Path, blocks: int, committed: int, sentence: str
) -> None:
    noise = os.urandom(10_000).hex()
    put(tmp_path / "a.jsonl", line(1, metadata={"noise": noise}))

    limited = f"ulimit -f {blocks}; exec {COMMAND} load a.jsonl"
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(sentence + "\n")
    verified = pipeline.verify(store)
    assert (verified.ok, verified.commits) == (True, committed)
    assert not list(store.glob("commits/.tmp*"))
    with pipeline.open(store) as log:
        assert log.events().count() == committed
    assert loaded(store, str(tmp_path / "a.jsonl")).head != "0" * 64


@pytest.mark.parametrize("encoding", [{"PYTHONIOENCODING": "latin-1"}, {}])
def test_the_languages_encoding_does_not_matter(
    store: Path, tmp_path: Path, auditbook: Auditbook, encoding: dict[str, str]
) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", **encoding}
    put(tmp_path / "Zoë €.jsonl", lines(1, 3))

    done = auditbook("load", tmp_path / "Zoë €.jsonl", env=ascii_only)

    assert (done.returncode, done.stderr) == (0, "loading Zoë €.jsonl\n")
    assert pipeline.verify(store).ok
    assert record(store, 1)["content"]["inputs"][0]["file"] == "Zoë €.jsonl"
    assert auditbook("verify", env=ascii_only).returncode == 0


def test_a_record_that_reads_otherwise_is_not_committed(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def harmed(path: Path, text: str, **how: Any) -> int:
        return write(path, text.replace("a.jsonl", "b.jsonl") if path.name == "record.json" else text, **how)

    monkeypatch.setattr(Path, "write_text", harmed)
    with pytest.raises(AuditbookError, match="nothing was committed"):
        loaded(store, put(tmp_path / "a.jsonl", lines(1, 3)))

    assert commits(store) == []


# One at a time


@pytest.fixture
def busy(store: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the store until it is told to go."""
    hold = (
        "import sys; from pathlib import Path; from pipeline.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, store], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:  # its end closes stdin, which ends the process
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process


def test_a_second_run_exits_at_once(
    busy: subprocess.Popen[bytes], store: Path, tmp_path: Path, auditbook: Auditbook
) -> None:
    export = put(tmp_path / "a.jsonl", lines(1, 3))
    holder = json.loads((store / "lock").read_text())

    done = auditbook("load", export, "--store", store)

    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == (
        f"auditbook: {store} another run holds the store (process {busy.pid} on {holder['host']}, "
        f"since {holder['started']}). Wait for it, then run again.\n"
    )
    assert commits(store) == []
    busy.communicate()
    assert auditbook("load", export, "--store", store).returncode == 0


def test_a_lock_held_by_a_stranger_counts_too(store: Path, tmp_path: Path) -> None:
    export = put(tmp_path / "a.jsonl", lines(1, 3))
    store.mkdir()
    with (store / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreBusyError) as told:
            loaded(store, export)
    assert str(told.value) == f"{store} another run holds the store. Wait for it, then run again."


def test_a_short_commit_waits_for_the_lock(busy: subprocess.Popen[bytes], store: Path) -> None:
    assert busy.stdin is not None
    with pytest.raises(StoreBusyError), locked(store):
        pass
    busy.stdin.close()
    with locked(store, wait=60) as interrupted:
        assert interrupted == {}


# What stands in the folder


@pytest.mark.parametrize("umask", ["000", "077"])
def test_only_the_owner_reads_it_whatever_the_umask(tmp_path: Path, umask: str) -> None:
    put(tmp_path / "a.jsonl", lines(1, 3))

    command = f"umask {umask}; exec {COMMAND} load a.jsonl --store deep/store"
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True, capture_output=True)

    store = tmp_path / "deep/store"
    modes = {
        path.relative_to(store).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in store.rglob("*")
    }
    assert stat.S_IMODE(store.stat().st_mode) == 0o700
    assert modes == {
        "lock": 0o600,
        "manifest.jsonl": 0o600,
        "auditbook.duckdb": 0o400,
        "commits": 0o700,
        "commits/000001": 0o700,
        "commits/000001/record.json": 0o600,
        "commits/000001/lines.parquet": 0o600,
        "commits/000001/events.parquet": 0o600,
        "entities": 0o700,
        "entities/000001-000001.entities": 0o600,
        "ids": 0o700,
        "ids/000001-000001.ids": 0o600,
    }


def test_the_record_says_what_and_who(made: Path, tmp_path: Path) -> None:
    first, second = record(made, 1), record(made, 2)

    assert set(first) == {"content", "run", "head", "seal"}
    assert set(first["run"]) == {"user", "host", "python", "arguments", "committed"}
    assert first["content"]["format"] == 1
    assert first["content"]["previous"] == "0" * 64
    assert second["content"]["previous"] == first["head"]
    assert {name: said["rows"] for name, said in first["content"]["files"].items()} == {
        "events.parquet": 3, "lines.parquet": 4
    }  # fmt: skip
    assert set(first["content"]["versions"]) == {
        "auditbook", "duckdb", "holidays", "jiter", "msgspec", "polars", "pyarrow", "tzdata"
    }  # fmt: skip


def test_the_manifest_is_a_copy_of_the_records(made: Path) -> None:
    copied = [json.loads(text) for text in (made / "manifest.jsonl").read_text().splitlines()]
    assert copied == [record(made, 1), record(made, 2)]

    (made / "manifest.jsonl").write_text("somebody's notes")
    broken = pipeline.verify(made).broken
    assert broken is not None
    assert broken.file == "manifest.jsonl"
    pipeline.rebuild(made)
    assert len((made / "manifest.jsonl").read_text().splitlines()) == 2


def test_a_store_of_a_newer_version_is_refused_in_one_sentence(made: Path, auditbook: Auditbook) -> None:
    changed = record(made, 2)
    changed["content"]["format"] = 2
    (made / "commits/000002/record.json").write_text(json.dumps(changed))
    upgrade = "Install the newer version: pip install --upgrade auditbook."
    newer = f"{made} was written by a newer auditbook (store format 2, this one reads 1). {upgrade}"

    for refused in (pipeline.open, pipeline.verify, pipeline.rebuild):
        with pytest.raises(AuditbookError) as told:
            refused(made)
        assert str(told.value) == newer
    done = auditbook("events", "--store", made)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"auditbook: {newer}\n")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"content": {"format": "x"}}'])
def test_a_record_that_cannot_be_read_is_an_error_and_no_empty_store(made: Path, text: bytes) -> None:
    broken = made / "commits/000002/record.json"
    broken.write_bytes(text)

    with pytest.raises(AuditbookError) as told:
        pipeline.open(made)

    assert str(told.value) == f"{broken} cannot be read. `auditbook verify` says what is broken."


def test_a_broken_record_after_an_interrupted_run_is_a_sentence(made: Path, tmp_path: Path) -> None:
    (made / "lock").write_text('{"pid": 1, "host": "there", "started": "2026-10-01T00:00:00Z"}')
    (made / "commits/000002/record.json").write_text("{")

    with pytest.raises(AuditbookError, match=r"record\.json cannot be read\. `auditbook verify` says"):
        loaded(made, put(tmp_path / "c.jsonl", line(9)))

    assert json.loads((made / "lock").read_text())["host"] == "there", "no commit has told it yet"


@pytest.mark.parametrize(
    ("name", "why"),
    [("what?", "has a question mark in its path"), ("\udcff", "has a path that is not UTF-8")],
)
def test_where_the_database_could_not_be_written_no_store_is_made(
    tmp_path: Path, name: str, why: str
) -> None:
    export = put(tmp_path / "a.jsonl", lines(1, 3))

    with pytest.raises(UsageError) as told:
        loaded(tmp_path / name, export)

    assert str(told.value).endswith(f"{why}, where DuckDB cannot write. Give another --store.")
    assert not (tmp_path / name).exists()


def test_what_is_no_store_is_said(store: Path, tmp_path: Path) -> None:
    with pytest.raises(AuditbookError) as told:
        pipeline.open(store)
    hint = "`auditbook run EXPORT…` makes one; or give --store."
    assert str(told.value) == f"{store} is not a store. {hint}"

    store.write_text("a file")
    with pytest.raises(AuditbookError) as told:
        loaded(store, put(tmp_path / "a.jsonl", lines(1, 3)))
    assert str(told.value) == f"{store} is a file, a store is a folder. Give another --store."


# Where it stands


@pytest.mark.parametrize("name", ["elsewhere", "it's [a] *{store} ünï", "-x"])
def test_a_moved_store_works(made: Path, tmp_path: Path, name: str) -> None:
    moved = made.rename(tmp_path / name)

    assert pipeline.verify(moved).ok
    with pipeline.open(moved) as log:
        assert (log.events().count(), log.rejects().count()) == (6, 1)
        assert {row[0] for row in log.con.execute("SELECT count(*) FROM lines").fetchall()} == {9}
    pipeline.rebuild(moved)
    [row] = shell(moved, "-readonly", query="SELECT count(*) AS n FROM lines")
    assert row == {"n": 9}


def test_a_store_that_cannot_be_written_can_be_read(made: Path, tmp_path: Path) -> None:
    read = "import pipeline; log = pipeline.open('store'); print(log.events().count(), log.refresh().rejects().count())"
    try:
        for folder, _, files in os.walk(made):
            for path in (folder, *(f"{folder}/{name}" for name in files)):
                Path(path).chmod(0o500 if path == folder else 0o400)

        done = without_privileges("touch", made / "x", cwd=tmp_path)
        assert "Permission denied" in done.stderr, "the store must be read-only for this test to say anything"
        done = without_privileges(sys.executable, "-c", read, cwd=tmp_path)
        assert (done.stdout, done.stderr) == ("6 1\n", "")
        done = without_privileges(COMMAND, "events", "--format", "jsonl", cwd=tmp_path)
        assert (done.returncode, len(done.stdout.splitlines())) == (0, 6), done.stderr
        done = without_privileges(COMMAND, "verify", cwd=tmp_path)
        assert (done.returncode, done.stdout[:3]) == (0, "ok:"), done.stderr
        put(tmp_path / "c.jsonl", line(9))
        done = without_privileges(COMMAND, "load", "c.jsonl", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (
            1,
            "auditbook: store/lock cannot be written: Permission denied.\n",
        )
    finally:
        for folder, _, _ in os.walk(made):
            Path(folder).chmod(0o700)


@pytest.mark.parametrize(
    ("closed", "code", "sentence"),
    [
        ("store", 2, "Invalid value for '--store': Path 'store' is not readable. See `auditbook {} --help`."),
        ("store/commits", 1, "store/commits cannot be read: Permission denied."),
    ],
)
def test_a_store_that_cannot_be_read_is_not_an_empty_one(
    made: Path, tmp_path: Path, closed: str, code: int, sentence: str
) -> None:
    (tmp_path / closed).chmod(0)
    try:
        for command in ("verify", "events", "ledger"):
            done = without_privileges(COMMAND, command, cwd=tmp_path)
            told = f"auditbook: {sentence.format(command)}\n"
            assert (done.returncode, done.stdout, done.stderr) == (code, "", told)
    finally:
        (tmp_path / closed).chmod(0o700)


# The database


def everything(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    with duckdb.connect(str(store / "auditbook.duckdb"), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]
        return {name: connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall() for name in names}


def test_rebuilding_gives_the_same_tables(store: Path, tmp_path: Path, auditbook: Auditbook) -> None:
    loaded(store, put(tmp_path / "a.jsonl", lines(1, 30) + b"{broken\n"))
    before = everything(store)
    (store / "auditbook.duckdb").unlink()

    assert auditbook("rebuild").returncode == 0

    after = everything(store)
    assert len(before["calendar"]) > 96
    assert set(before) >= {"events", "lines", "rejects", "files", "commits", "actors", "calendar", "findings"}
    assert after == before


def test_a_shell_of_another_release_opens_it(two_commits: Path) -> None:
    with duckdb.connect(str(two_commits / "auditbook.duckdb"), read_only=True) as connection:
        query = "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'auditbook'"
        assert connection.execute(query).fetchall() == [(VERSION_OF_STORAGE,)]
        names = [name for (name,) in connection.execute("SHOW TABLES").fetchall()]

    assert shell(two_commits, "-readonly", query="SELECT count(*) AS n FROM events") == [{"n": 6}]
    counted = " UNION ALL ".join(
        f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in sorted(names)
    )
    found = {row["name"]: row["n"] for row in shell(two_commits, "-readonly", query=counted)}
    assert (found["lines"], found["rejects"], found["files"], found["commits"]) == (9, 1, 2, 2)
    raw = shell(
        two_commits, "-readonly", query="SELECT raw FROM lines WHERE file = 'b.jsonl' ORDER BY line LIMIT 1"
    )
    assert raw == [{"raw": line(2).decode().rstrip()}]


def test_what_a_shell_left_behind_does_no_harm(made: Path, tmp_path: Path, auditbook: Auditbook) -> None:
    pipeline.rebuild(made)
    for number in (1, 2):
        leave_a_log(made)
        with pipeline.open(made) as log:
            assert log.events().count() == 5 + number
        done = auditbook("load", put(tmp_path / f"c{number}.jsonl", line(100 + number)))
        assert done.returncode == 0
        assert done.stderr.splitlines()[-1] == (
            "auditbook: auditbook.duckdb.wal was left by a shell that opened the database for writing; "
            f"moved to auditbook.duckdb.wal.stray-{number}."
        )
        assert shell(made, "-readonly", query="SELECT count(*) AS n FROM events") == [{"n": 6 + number}]
    assert pipeline.verify(made).ok


def leave_a_log(store: Path) -> None:
    """Somebody opens the database for writing, writes, and is killed."""
    (store / "auditbook.duckdb").chmod(0o600)
    writer = subprocess.Popen(
        [SHELL, "-csv", "-noheader", store / "auditbook.duckdb"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write(b"CREATE TABLE mine (x INTEGER); SELECT 'here';\n")
    writer.stdin.flush()
    assert writer.stdout.readline().strip() == b"here"
    os.killpg(writer.pid, signal.SIGKILL)  # the command is a script that starts the shell
    writer.communicate()
    assert (store / "auditbook.duckdb.wal").exists()


@pytest.mark.parametrize("harm", ["cut off", "of another store", "missing"])
def test_a_database_that_is_not_of_these_commits_is_not_believed(
    made: Path, tmp_path: Path, harm: str
) -> None:
    database = made / "auditbook.duckdb"
    content = database.read_bytes()
    database.unlink()
    if harm == "cut off":
        database.write_bytes(content[:5000])
    if harm == "of another store":
        loaded(tmp_path / "other", put(tmp_path / "c.jsonl", line(9)))
        shutil.copy(tmp_path / "other/auditbook.duckdb", database)

    with pipeline.open(made) as log:
        assert log.events().count() == 6
        assert [row[0] for row in log.con.execute("SELECT head FROM commits ORDER BY commit_no").fetchall()] == [
            record(made, 1)["head"], record(made, 2)["head"]
        ]  # fmt: skip
