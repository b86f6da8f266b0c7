"""Questions as people type them: tables that fit, what is hidden, colours, suggestions, values, bad input."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from tests.conftest import COMMAND, Auditbook
from tests.exports import line, put

Invoke = Callable[..., Result]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WINE = (
    '{"id":"act_%d","organizationId":"org","timestamp":%d,"type":"BACKGROUND_JOB","status":"%s","actor":"system",'
    '"userId":null,"action":"SYNC_STOCK","event":"SYNC_STOCK","entityType":null,"entityId":null,"before":null,'
    '"after":null,"metadata":{"error":"429"}}\n'
)
NOON = 1_772_452_800_000  # 2026-03-02 12:00 UTC


def on_a_terminal(columns: int, *arguments: object, cwd: Path, **env: str) -> str:
    """What the command prints on a terminal so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        [str(COMMAND), *map(str, arguments)], stdout=theirs, stderr=theirs, cwd=cwd,
        env={**clean, "TERM": "xterm-256color", **env},
    )  # fmt: skip
    os.close(theirs)
    told = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        told += part
    os.close(ours)
    assert process.wait(timeout=60) == 0, told
    return told.decode().replace("\r\n", "\n")


@pytest.fixture
def wine(auditbook: Auditbook, tmp_path: Path) -> Auditbook:
    """A store with three jobs of one day and one of the day before."""
    hours = ((1, 0, "FAILED"), (2, -1, "WARNING"), (3, -2, "SUCCESS"), (4, -30, "FAILED"))
    put(tmp_path / "wine.jsonl", "".join(WINE % (n, NOON + h * 3_600_000, s) for n, h, s in hours).encode())
    assert auditbook("load", "wine.jsonl", "--source", "oncloudwine", "-q").returncode == 0
    return auditbook


# --- tables


@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_a_table_fits_its_terminal(small_store: Path, tmp_path: Path, columns: int) -> None:
    told = COLOUR.sub(
        "", on_a_terminal(columns, "events", "--limit", 9, "--store", small_store, cwd=tmp_path)
    )
    rows = told.splitlines()

    assert max(map(len, rows)) <= columns
    assert len(re.findall(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", told, re.MULTILINE)) == 9
    assert len(re.findall(r"\b[0-9a-f]{12}$", told, re.MULTILINE)) == 9
    assert rows[-1].startswith("9 of ")
    assert ("no room for" in told) == (columns in (80, 120))


def test_colours_say_how_it_ended_and_are_off_without_a_terminal(wine: Auditbook, tmp_path: Path) -> None:
    coloured = on_a_terminal(200, "events", cwd=tmp_path)
    assert "\x1b[1;31mfailure" in coloured and "\x1b[33mwarning" in coloured and "\x1b[32msuccess" in coloured
    assert not COLOUR.search(on_a_terminal(200, "events", cwd=tmp_path, NO_COLOR="1"))
    assert "\x1b" not in wine("events").stdout


def test_stored_escapes_do_nothing_on_a_terminal(auditbook: Auditbook, tmp_path: Path) -> None:
    put(
        tmp_path / "x.jsonl",
        line(
            1, actorEmail="\x1b]0;mine\x07\x9b31m\u202e@x", changes={"\x1b[2J": {"old": 1, "new": "\x1b[8m"}}
        ),
    )
    assert auditbook("load", "x.jsonl", "-q").returncode == 0
    for arguments in (["events"], ["show", "evt0001"], ["values", "actor"], ["events", "--format", "jsonl"]):
        told = COLOUR.sub("", on_a_terminal(200, *arguments, cwd=tmp_path))
        assert "\x1b" not in told and "\x07" not in told and "\x9b" not in told and "\u202e" not in told
        assert "u001b]0;mine" in told.lower()


# --- a source's own view


def test_a_source_has_the_columns_and_the_window_of_its_own_page(wine: Auditbook) -> None:
    told = wine("events", "--source", "oncloudwine", "--as-of", "2026-03-02T12:30Z").stdout.splitlines()

    assert told[0].split() == "time utc ago type actor event status uid".split()
    assert [" ".join(row.split()[:-1]) for row in told[2:5]] == [
        "2026-03-02 12:00:00 30 min ago BACKGROUND_JOB system SYNC_STOCK FAILED",
        "2026-03-02 11:00:00 1 h ago BACKGROUND_JOB system SYNC_STOCK WARNING",
        "2026-03-02 10:00:00 2 h ago BACKGROUND_JOB system SYNC_STOCK SUCCESS",
    ]
    assert told[6:] == [
        "3 of 3 events",
        "hidden: 1 entries before 2026-03-01 12:30Z (24h back); --since all shows them",
        "as of 2026-03-02 12:30Z",
    ]
    assert wine("events", "--source", "oncloudwine", "--since", "all").stdout.count("SYNC_STOCK") == 4
    assert wine("events").stdout.count("SYNC_STOCK") == 4


def test_every_format_and_an_export_say_what_is_hidden(wine: Auditbook, tmp_path: Path) -> None:
    for command in (["events", "--format", "jsonl"], ["export", "--format", "jsonl"]):
        done = wine(*command, "--source", "oncloudwine", "--as-of", "2026-03-02T11:30Z")
        assert done.stdout.count("\n") == 2
        assert (
            "hidden: 1 entries after 2026-03-02 11:30Z, the time asked for; --until says another\n"
            in done.stderr
        )
        assert (
            "hidden: 1 entries before 2026-03-01 11:30Z (24h back); --since all shows them\n" in done.stderr
        )
    wine("export", "--source", "oncloudwine", "--as-of", "2026-03-02T12:30Z", "--output", "x.csv")
    assert '"hidden: 1 entries before 2026-03-01 12:30Z' in (tmp_path / "x.csv.manifest.json").read_text(
        "utf-8"
    )


def test_system_entries_are_hidden_counted_and_one_option_away(invoke: Invoke, small_store: Path) -> None:
    hidden = invoke("events", "--source", "printago", "--store", small_store).stdout
    assert "\nhidden: 6 system entries; --actor-type all shows them\n" in hidden
    everything = invoke(
        "events", "--source", "printago", "--actor-type", "all", "--store", small_store
    ).stdout
    assert "hidden" not in everything
    counts = [int(re.search(r"of (\d+) events", text)[1]) for text in (hidden, everything)]  # type: ignore[index]
    assert counts[1] == counts[0] + 6


# --- presets and times


def test_presets_of_ours_and_of_the_config(wine: Auditbook, tmp_path: Path) -> None:
    failed = wine(
        "events", "--preset", "triage-syncs", "--format", "csv", "--columns", "source_event_id"
    ).stdout
    assert failed.split() == ["source_event_id", "act_1", "act_4"]
    assert wine("events", "--preset", "investigate").stdout.count("SYNC_STOCK") == 3
    (tmp_path / "auditbook.toml").write_text('[presets.partial]\nabout = "Half done."\noutcome = "WARNING"\n')
    assert wine("events", "--preset", "partial").stdout.count("SYNC_STOCK") == 1
    wrong = wine("events", "--preset", "partail")
    assert (wrong.returncode, wrong.stderr) == (
        2, 'auditbook: "partail" is no preset. Known are: investigate, new-hire-day, partial, triage-syncs.\n',
    )  # fmt: skip
    (tmp_path / "auditbook.toml").write_text('[presets.partial]\noutcum = "WARNING"\n')
    assert wine("events").stderr == (
        "auditbook: auditbook.toml:2 [presets] partial.outcum: is not a known key. Did you mean outcome?\n"
    )


def test_relative_times_are_said_beside_what_they_mean(wine: Auditbook) -> None:
    told = wine("events", "--since", "90m", "--as-of", "2026-03-02T12:30Z").stdout.splitlines()
    assert told[2].split()[2:5] == ["30", "min", "ago"]
    assert told[-3:] == ["2 of 2 events", "since 90m is 2026-03-02 11:00Z", "as of 2026-03-02 12:30Z"]


# --- suggestions and values


def suggested(auditbook: Auditbook, *words: str) -> list[str]:
    env = {
        "_AUDITBOOK_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = auditbook(env=env)
    assert done.returncode == 0 and done.stderr == ""
    return [row.partition(",")[2] for row in done.stdout.splitlines() if row]


@pytest.mark.parametrize(
    ("option", "typed", "offered"),
    [
        ("--detail", "SYNC", "SYNC_STOCK"), ("--type", "back", "BACKGROUND_JOB"), ("--source", "oncl", "oncloudwine"),
        ("--outcome", "fail", "failure"), ("--action", "bulk_d", "bulk_delete"), ("--actor-type", "al", "all"),
        ("--category", "back", "background_job"), ("--instance", "o", "org"), ("--preset", "tri", "triage-syncs"),
        ("--sort", "occurred_at", "occurred_at:desc"), ("--since", "tod", "today"), ("--actor", "sys", "system"),
    ],
)  # fmt: skip
def test_tab_suggests_what_the_store_has(wine: Auditbook, option: str, typed: str, offered: str) -> None:
    assert offered in suggested(wine, "auditbook", "events", option, typed)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["report", "actor", "tomas"], "tomas@fjordprints.example"), (["report", "entity", "jo"], "job"),
        (["report", "access", "--recipe", "ip"], "ip-story"), (["recipe", "ip"], "ip-story"),
    ],
)  # fmt: skip
def test_tab_suggests_what_a_document_is_about(
    small_store: Path, tmp_path: Path, auditbook: Auditbook, words: list[str], offered: str
) -> None:
    shutil.copytree(small_store, tmp_path / "store")
    assert offered in suggested(auditbook, "auditbook", *words)


def test_tab_says_nothing_where_there_is_no_store(auditbook: Auditbook) -> None:
    assert suggested(auditbook, "auditbook", "events", "--detail", "x") == []


def test_values_of_a_column_with_how_often_and_when(wine: Auditbook) -> None:
    told = wine("values", "status").stdout.splitlines()
    assert [row.split() for row in told[2:5]] == [
        ["FAILED", "2", "2026-03-01", "06:00:00", "2026-03-02", "12:00:00"],
        ["SUCCESS", "1", "2026-03-02", "10:00:00", "2026-03-02", "10:00:00"],
        ["WARNING", "1", "2026-03-02", "11:00:00", "2026-03-02", "11:00:00"],
    ]
    assert told[-1] == "3 values"
    assert wine("values", "status", "--like", "fail", "--format", "csv").stdout.count("\n") == 2
    wrong = wine("values", "frob")
    assert wrong.returncode == 2 and wrong.stderr.startswith(
        'auditbook: "frob" is not a column. Known are: action, '
    )


# --- bad input


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--since", "2026-03-03", "--until", "2026-03-01"],
         "auditbook: --until (2026-03-02 00:00Z) is not after --since (2026-03-03 00:00Z)."),
        (["--since", "soon"], 'auditbook: "soon" is not a time. Write 2026-10-31, 2026-10-31T18:00, '),
        (["--entity", "prinder"], 'auditbook: "prinder" is no entity type of this store. Known are: '),
        (["--sort", "occured"], 'auditbook: "occured" is not a column. Did you mean occurred_at?'),
        (["--ip", "300.1.1.1"], 'auditbook: "300.1.1.1" is no address and no network. Write 203.0.113.7, '),
        (["--text", "x" * 100_000], f'auditbook: "{"x" * 59}…" is too long to be asked for: 100,000 characters. '),
        (["--action", "\x1b[2Jdelete"], 'auditbook: "\\u001b[2Jdelete" is not a known action. Known are: create, '),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
@pytest.mark.parametrize("command", ["events", "findings", "export"])
def test_what_is_not_known_is_a_usage_error(
    invoke: Invoke, small_store: Path, command: str, arguments: list[str], sentence: str
) -> None:
    result = invoke(command, *arguments, "--store", small_store)
    if command == "findings" and arguments[0] == "--sort":
        sentence = 'auditbook: "occured" is not a column. '
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(sentence)


def test_sql_in_a_glob_is_a_glob(invoke: Invoke, small_store: Path) -> None:
    for value in ("' OR 1=1 --", "*'; DROP TABLE events; --", '"); SELECT 1', "[", "\\", "%"):
        result = invoke("events", "--detail", value, "--store", small_store)
        assert result.exit_code == 0 and "0 of 0 events" in result.stdout


def test_a_question_waits_for_no_library_that_it_does_not_need(small_store: Path) -> None:
    """Each takes a tenth of a second and more to be imported, and every command would pay for it."""
    heavy = {"holidays", "jsonschema", "numpy", "pandas", "polars", "pyarrow"}
    asked = (
        "import atexit, sys; from pipeline.cli import cli; "
        f"atexit.register(lambda: print(sorted(sys.modules.keys() & {heavy!r}))); "
        f"cli.main(['events', '--limit', '3', '--store', {str(small_store)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_nothing_lately_names_the_time_of_the_newest_entry(invoke: Invoke, tmp_path: Path) -> None:
    invoke("load", put(tmp_path / "wine.jsonl", (WINE % (1, NOON, "SUCCESS")).encode()), "-q")

    lately = invoke("events", "--since", "24h").stdout
    assert "the newest entry of the log is of 2026-03-02 12:00Z; --as-of counts from there\n" in lately
    assert "newest entry" not in invoke("events", "--since", "24h", "--as-of", "2026-03-02T13:00Z").stdout
    assert "newest entry" not in invoke("events", "--text", "no such words").stdout


def test_json_is_one_document_wherever_rows_are_printed(invoke: Invoke, small_store: Path) -> None:
    for command in ("events", "findings", "ledger", "rejects", "values action"):
        asked = [*command.split(), "--store", str(small_store)]
        told = invoke(*asked, "--json")
        assert told.exit_code == 0, told.stderr
        assert told.stdout == invoke(*asked, "--format", "json").stdout


def test_what_is_calculated_is_called_as_it_was_written(invoke: Invoke, small_store: Path) -> None:
    table = invoke("sql", "SELECT count(*), 1 AS actor_name FROM files", "--store", small_store).stdout
    assert table.splitlines()[0] == "count_star()   actor name"
