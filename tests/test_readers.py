"""A run while others hold the database open: it succeeds, and each of them goes on seeing what it saw."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import pytest

import pipeline
from pipeline import catalog, scratch
from pipeline.config import from_dict
from pipeline.load import load
from tests.conftest import COMMAND, ROOT, Auditbook
from tests.exports import CONFIG, line, lines, put

QUESTION = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM lines) AS n"

NOTEBOOK = """
import sys, pipeline
log = pipeline.open(sys.argv[1])
for asked in sys.stdin:
    if asked.startswith("refresh"):
        log.refresh()
        print("refreshed", flush=True)
    else:
        print(log.sql(asked.rstrip().rstrip(";")).pl().item(), flush=True)
"""
MAGIC = """
import os, sys
with open(os.devnull, "w") as nowhere:
    sys.stdout, screen = nowhere, sys.stdout
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "sql")
    shell.run_line_magic("config", "SqlMagic.displaycon = False")
    shell.run_line_magic("config", "SqlMagic.feedback = 0")
    {connect}
    for asked in sys.stdin:
        print(shell.run_line_magic("sql", asked.rstrip().rstrip(";"))[0][0], file=screen, flush=True)
"""
MAGICALLY = (sys.executable, "-W", "ignore", "-c")
ENGINE = 'shell.run_line_magic("sql", f"duckdb:///{sys.argv[1]}/auditbook.duckdb?access_mode=READ_ONLY")'
NATIVE = """import duckdb
    shell.user_ns["held"] = duckdb.connect(sys.argv[1] + "/auditbook.duckdb", read_only=True)
    shell.run_line_magic("sql", "held --alias held")"""


class Holder:
    """Another process that holds the database open and answers questions."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(question + ";\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, f"it ended: {self._process.communicate()}"
        return answer


@contextmanager
def holding(*command: object) -> Iterator[Holder]:
    process = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield Holder(process)
    finally:
        process.communicate()


HOLDERS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    "a notebook": lambda store: (sys.executable, "-c", NOTEBOOK, store),
    "JupySQL by its engine": lambda store: (*MAGICALLY, MAGIC.format(connect=ENGINE), store),
    "JupySQL on a connection": lambda store: (*MAGICALLY, MAGIC.format(connect=NATIVE), store),
    "a shell": lambda store: (
        COMMAND.with_name("duckdb"), "-readonly", "-csv", "-noheader", store / "auditbook.duckdb"
    ),
}  # fmt: skip


@pytest.fixture
def made(store: Path, tmp_path: Path) -> Path:
    load([put(tmp_path / "a.jsonl", lines(1, 3))], store=store, config=CONFIG)
    return store


def test_a_run_succeeds_while_everybody_reads(made: Path, tmp_path: Path, auditbook: Auditbook) -> None:
    with ExitStack() as stack:
        holders = {name: stack.enter_context(holding(*command(made))) for name, command in HOLDERS.items()}
        assert {name: holder.ask(QUESTION) for name, holder in holders.items()} == dict.fromkeys(HOLDERS, "6")

        done = auditbook("run", put(tmp_path / "b.jsonl", lines(3, 6)))

        assert done.returncode == 0, done.stderr
        assert {name: holder.ask(QUESTION) for name, holder in holders.items()} == dict.fromkeys(HOLDERS, "6")
        late = stack.enter_context(holding(*HOLDERS["a shell"](made)))
        assert late.ask(QUESTION) == "13"
        assert holders["a notebook"].ask("refresh") == "refreshed"
        assert holders["a notebook"].ask(QUESTION) == "13"

        again = auditbook("load", put(tmp_path / "c.jsonl", lines(7, 7)))

        assert again.returncode == 0, again.stderr
        assert holders["a shell"].ask(QUESTION) == "6"
        assert late.ask(QUESTION) == "13"
    assert pipeline.verify(made).ok
    assert not list(made.glob("*.wal*"))


def test_in_one_process_too(made: Path, tmp_path: Path) -> None:
    with pipeline.open(made) as first, duckdb.connect(str(made / "auditbook.duckdb"), read_only=True) as held:
        before = first.head
        assert first.sql(QUESTION).pl().item() == 6
        assert held.execute(QUESTION).fetchall() == [(6,)]

        result = load([put(tmp_path / "b.jsonl", lines(4, 4))], store=made, config=CONFIG)

        assert first.sql(QUESTION).pl().item() == 6
        assert first.head == before
        assert held.execute(QUESTION).fetchall() == [(6,)]
        with pipeline.open(made) as second:
            assert second.sql(QUESTION).pl().item() == 8
            assert second.head == result.head
            assert first.sql(QUESTION).pl().item() == 6
        asked = first.sql(QUESTION)
        assert first.refresh() is first
        assert first.sql(QUESTION).pl().item() == 8
        assert asked.pl().item() == 6, "what was asked before answers as of then"
        assert first.head == result.head


def test_a_commit_whose_database_is_not_yet_made_is_seen(made: Path, tmp_path: Path) -> None:
    old = (made / "auditbook.duckdb").read_bytes()
    load([put(tmp_path / "b.jsonl", lines(4, 4))], store=made, config=CONFIG)
    (made / "auditbook.duckdb").unlink()
    (made / "auditbook.duckdb").write_bytes(old)

    with pipeline.open(made) as log:
        assert log.sql(QUESTION).pl().item() == 8
        assert log.ledger().count() == 2


def test_a_reader_cannot_write(made: Path) -> None:
    with pipeline.open(made) as log:
        for attempt in (
            "DELETE FROM commits",
            "CREATE TABLE mine (x INTEGER)",
            "DROP TABLE files",
        ):
            with pytest.raises(duckdb.Error, match="read-only mode"):
                log.con.execute(attempt)


def test_what_a_killed_process_left_in_the_temporary_folder_is_swept(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when its folder was made and not held yet, or later; what has the name and is not ours stays."""
    temporary = tmp_path / "temporary"
    for name in (
        "auditbook-pdf-lbntcapq",
        "auditbook-read-0_a1b2c3",
        "auditbook-my-archived",
        "auditbook-empty",
    ):
        (temporary / name).mkdir(parents=True)
    (temporary / "auditbook-read-0_a1b2c3/.held").touch()
    (temporary / "auditbook-read-0_a1b2c3/auditbook.duckdb").touch()
    (temporary / "auditbook-my-archived/review.pdf").touch()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    with pipeline.open(made):
        assert sorted(path.name for path in temporary.iterdir()) == [
            "auditbook-empty",
            "auditbook-my-archived",
        ]


def test_what_was_being_taken_away_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with monkeypatch.context() as stopped, scratch.folder("one") as left:
        for name in ("a", "b", "inside/c"):
            put(left / name, b"")
        stopped.setattr("pathlib.Path.unlink", _refuse)
    assert left.exists()

    with scratch.folder("two") as other:
        assert list(tmp_path.iterdir()) == [other]


def _refuse(path: Path) -> None:
    raise PermissionError(path)


def test_whoever_sweeps_takes_nobody_elses_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many at once, each of whom sweeps before it makes its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def use(number: int) -> str:
        with scratch.folder("many") as folder:
            (folder / "mine").write_text(str(number))
            return (folder / "mine").read_text()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(use, range(400))) == [str(number) for number in range(400)]
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_in_the_temporary_folder(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    with pipeline.open(made) as log:
        assert log.events().count() == 3
        assert list(temporary.iterdir()) == [], "not even while it is open"


OPENED_THERE = """
import os, sys
place = sys.argv[1]


def hook(event, said):
    if event == "open" and os.path.dirname(str(said[0])) == place:
        if not os.path.basename(said[0]).startswith("auditbook-"):
            os.write(1, f"{said[0]}\\n".encode())


sys.addaudithook(hook)
from reports import pdf
pdf.missing()
os.write(1, b"asked\\n")
"""


def test_no_file_of_a_library_stands_among_the_temporary_ones(tmp_path: Path) -> None:
    """It would stay there, of no known name, when the process is killed; what is in a folder of ours is swept."""
    done = subprocess.run(
        [sys.executable, "-c", OPENED_THERE, str(tmp_path)], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "asked\n"
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_in_memory_is_spilled(made: Path) -> None:
    with pipeline.open(made) as log:
        log.con.execute("SET memory_limit = '100MB'")
        log.con.execute("SET threads = 1")
        texts = "SELECT hash(range)::VARCHAR || 'abcdefghijklmnop' AS x FROM range(2500000) ORDER BY x"
        large = f"SELECT max(x) FROM ({texts})"
        assert len(log.con.execute(large).fetchall()) == 1
    assert not list(made.glob(".spill*"))


def test_a_database_made_with_another_configuration_is_not_believed(made: Path) -> None:
    other = from_dict({"organization": {"timezone": "Asia/Kolkata"}})
    assert load([str(made.parent / "a.jsonl")], store=made, config=other).commit is None
    zone = "SELECT DISTINCT utc_offset_minutes FROM calendar"
    with duckdb.connect(str(made / "auditbook.duckdb"), read_only=True) as held:
        assert held.execute(zone).fetchall() == [(0,)], "what was not recorded is not published"

    catalog.publish(made, other)

    with pipeline.open(made) as log:
        assert log.con.execute(zone).fetchall() == [(0,)]
    with pipeline.open(made, other) as log:
        assert log.con.execute(zone).fetchall() == [(330,)]


def test_a_wrong_clock_does_not_make_a_calendar_of_decades(store: Path, tmp_path: Path) -> None:
    wrong = [line(8, createdAt="1970-01-01T00:00:00Z")]
    load([put(tmp_path / "a.jsonl", lines(1, 3) + b"".join(wrong))], store=store, config=CONFIG)

    with pipeline.open(store) as log:
        assert log.sql("SELECT count(*), count(DISTINCT slot) FROM calendar").pl().row(0) == (6 * 96, 6 * 96)
        seen = "SELECT count(*) FROM events JOIN calendar ON slot = time_bucket(INTERVAL 15 minutes, occurred_at)"
        assert log.sql(seen).pl().item() == 4
