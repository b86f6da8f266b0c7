"""Exports: every format says the same, files are whole or absent, nothing in them acts, a manifest tells of them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import json
import os
import pty
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pikepdf
import polars
import pytest
from click.testing import Result
from python_calamine import load_workbook

import pipeline
from pipeline import batches, export, formats, workbook
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import AuditbookError, UsageError
from pipeline.load import load
from pipeline.query import Log
from pipeline.rows import Rows
from pipeline.rowtext import NOT_FOR_PEOPLE
from reports import selection
from tests.conftest import COMMAND, ROOT, Auditbook
from tests.exports import CONFIG, line, lines, put
from tests.test_sources import SOURCES

Invoke = Callable[..., Result]


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The hand-written lines of every source, loaded."""
    store = tmp_path_factory.mktemp("export") / "store"
    load([str(ROOT / "tests" / "sources" / f"{one}.jsonl") for one in SOURCES], store=store, config=CONFIG)
    with pipeline.open(store) as log:
        yield log


# --- what a row says


def test_the_engine_writes_what_python_says(everything: Log) -> None:
    """`canonical` is the oracle: it makes the same of a row in Python, value by value."""
    rows = everything.events()
    expected = [export.canonical(row) for row in rows.pl().iter_rows(named=True)]
    written = io.BytesIO()
    assert export.stream(rows, written, "jsonl") == len(expected) > 400

    assert [json.loads(text) for text in written.getvalue().splitlines()] == expected
    assert list(export.rows_as_json(rows)) == expected


def test_csv_and_json_say_the_same(everything: Log) -> None:
    made = {kind: io.BytesIO() for kind in ("csv", "json")}
    for kind, stream in made.items():
        export.stream(everything.events(), stream, kind)
    cells = list(csv.DictReader(io.StringIO(made["csv"].getvalue().decode())))
    said = json.loads(made["json"].getvalue())

    assert len(cells) == len(said) and list(cells[0]) == list(said[0])
    for row, event in zip(cells, said, strict=True):
        for name, value in event.items():
            if isinstance(value, list | dict):
                assert json.loads(row[name]) == value
            elif isinstance(value, bool):
                assert row[name] == str(value).lower()
            else:
                assert row[name].removeprefix("'") == ("" if value is None else str(value))


def test_the_order_is_that_of_the_question(everything: Log) -> None:
    rows = everything.events()
    expected = rows.pl()["event_uid"].to_list()
    for question in (rows.select("event_uid"), rows.select("source", "event_uid"), rows.limit(300)):
        written = io.BytesIO()
        export.stream(question, written, "jsonl")
        uids = [json.loads(text)["event_uid"] for text in written.getvalue().splitlines()]
        assert uids == expected[: len(uids)] and len(uids) >= 300


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl", "ocsf"])
def test_slices_of_time_are_the_same_rows(
    everything: Log, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Many events share a moment, and some slices are empty of others: none is lost, doubled or moved."""

    def made(rows: Rows) -> bytes:
        written = io.BytesIO()
        export.stream(rows, written, kind)
        return written.getvalue()

    rows = everything.events(source=["printago", "hoops", "github"])
    oldest_first = replace(rows, order=(("occurred_at", "ASC"), ("file", "ASC"), ("line", "ASC")))
    whole = [made(rows), made(oldest_first)]
    assert len(list(batches.slices(rows))) == 1
    monkeypatch.setattr(batches, "SLICE", 7)
    assert len(list(batches.slices(rows))) > 5
    assert [made(rows), made(oldest_first)] == whole


HOSTILE = """SELECT * FROM (VALUES
    ('=1+1'), ('+1'), ('-1'), ('@SUM(A1)'), (chr(9) || 'x'), (chr(13) || 'x'), ('  =1'), ('"=1"'), ('''=1'),
    (chr(160) || '=1'), (chr(10) || '=1'), (chr(65309) || '1'), ('a=1'), ('a,"b"'), (''), (NULL), ('é'), ('1-1')
) AS t(cell)"""


def test_no_cell_runs_as_a_formula(everything: Log) -> None:
    def cells(*, guarded: bool) -> list[str]:
        written = io.BytesIO()
        export.stream(everything.sql(HOSTILE), written, "csv", formats.Choice(guarded=guarded))
        return [row[0] for row in csv.reader(io.StringIO(written.getvalue().decode(), newline=""))][1:]

    raw = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "  =1", '"=1"', "'=1", "\u00a0=1", "\n=1", "\uff1d1"]
    harmless = ["a=1", 'a,"b"', "", "", "é", "1-1"]
    assert cells(guarded=False) == [*raw, *harmless]
    assert cells(guarded=True) == [*(f"'{cell}" for cell in raw), *harmless]
    python = export.to_csv(({"cell": one} for one in raw), ["cell"])
    assert [row[0] for row in csv.reader(io.StringIO("".join(python), newline=""))][1:] == [
        f"'{c}" for c in raw
    ]


def test_a_name_that_is_a_formula_is_made_safe_too(everything: Log) -> None:
    written = io.BytesIO()
    export.stream(everything.sql('SELECT 1 AS "=cmd", 2 AS "a,b"'), written, "csv")
    assert written.getvalue() == b'\'=cmd,"a,b"\n1,2\n'


def test_values_of_every_type(everything: Log) -> None:
    question = """SELECT 1.50 AS d, sum(1) AS h, 'nan'::DOUBLE AS n, DATE '2026-01-02' AS day, TIME '03:04:05' AS t,
      TIMESTAMPTZ '2026-01-02 03:04:05.678901+02' AS z, TIMESTAMP '2026-01-02 03:04:05' AS plain, NULL AS nothing,
      [TIMESTAMPTZ '2026-01-02 03:04:05Z'] AS l, {'a': {'b "c"': [1, NULL]}} AS s, MAP {'k': 1} AS m, true AS b,
      '{"x":12345678901234567890,"y":1.10}'::JSON AS j, 'not json' AS content, 1 AS twice, 2 AS twice"""
    written = io.BytesIO()
    export.stream(everything.sql(question), written, "jsonl")
    assert written.getvalue().decode() == (
        '{"d":1.50,"h":1,"n":"nan","day":"2026-01-02","t":"03:04:05","z":"2026-01-02T01:04:05.678901Z",'
        '"plain":"2026-01-02T03:04:05.000","nothing":null,"l":["2026-01-02T03:04:05.000Z"],'
        '"s":{"a":{"b \\"c\\"":[1,null]}},"m":{"k":1},"b":true,"j":{"x":12345678901234567890,"y":1.10},'
        '"content":"not json","twice":1,"twice_1":2}\n'
    )


def test_nothing_exports_as_nothing(everything: Log) -> None:
    for kind, expected in {"csv": b"a\n", "json": b"[\n\n]\n", "jsonl": b""}.items():
        written = io.BytesIO()
        assert export.stream(everything.sql("SELECT 1 AS a WHERE false"), written, kind) == 0
        assert written.getvalue() == expected


# --- files


def test_parquet_keeps_types_and_order(everything: Log, tmp_path: Path) -> None:
    rows = everything.events(source="hoops")
    path = rows.write(tmp_path / "x.parquet")

    assert polars.read_parquet(path).equals(rows.pl())
    with duckdb.connect() as other:
        kinds = other.execute(f"DESCRIBE FROM '{path}'").fetchall()
    assert {name for name, *_ in kinds} == {*EVENT_COLUMNS, "actor_key"}


def test_a_workbook_holds_texts_times_and_numbers(everything: Log, tmp_path: Path) -> None:
    path = everything.events(source="printago").write(tmp_path / "x.xlsx")
    header, *rows = load_workbook(path).get_sheet_by_index(0).to_python()
    expected = list(export.rows_as_json(everything.events(source="printago")))

    assert header == [name for name in (*EVENT_COLUMNS, "actor_key") if name not in NOT_FOR_PEOPLE]
    assert len(rows) == len(expected)
    for row, event in zip(rows, expected, strict=True):
        cells = dict(zip(header, row, strict=True))
        assert isinstance(cells["occurred_at"], datetime)
        assert cells["occurred_at"].isoformat(timespec="milliseconds") == event["occurred_at"][:23]
        assert (cells["line"], cells["is_bulk"]) == (event["line"], event["is_bulk"])
        assert json.loads(str(cells["changes"])) == event["changes"]


def test_a_workbook_runs_nothing_cuts_aloud_and_goes_on_in_the_next_sheet(
    everything: Log, tmp_path: Path
) -> None:
    question = (
        "SELECT '=1+1' AS f, repeat('x', 32768) AS long, 12345678901234567 AS many, i FROM range(5) t(i)"
    )
    with (tmp_path / "x.xlsx").open("wb") as stream:
        told = workbook.write(everything.sql(question), stream, lambda rows: None, most=3)

    assert told == {"rows": 5, "sheets": 3, "cut_cells": 5}
    book = load_workbook(tmp_path / "x.xlsx")
    sheets = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert book.sheet_names == ["rows", "rows 2", "rows 3"]
    assert [len(sheet) for sheet in sheets] == [3, 3, 2]
    assert sheets[2][0] == ["f", "long", "many", "i"]
    formula, long, many, number = sheets[2][1]
    assert (formula, many, number) == ("=1+1", "12345678901234567", 4)
    assert len(str(long)) == 32_767 and str(long).endswith("… (cut)")


def test_a_pdf_shows_the_entries_and_where_they_stand(everything: Log, tmp_path: Path) -> None:
    rows = everything.events(source="printago", action="delete")
    first, second = (rows.write(tmp_path / name).read_bytes() for name in ("1.pdf", "2.pdf"))

    assert first == second
    with pikepdf.open(io.BytesIO(first)) as document:
        assert str(document.docinfo["/Title"]).startswith("Audit-log entries · Organization not named")
    page = selection.render(selection.select(rows)).decode()
    assert f"<td>{rows.count()}, oldest first · printago {rows.count()}</td>" in page
    for event in export.rows_as_json(rows):
        assert f"{event['file']}:{event['line']} " in page
        assert event["occurred_at"][:19].replace("T", " ") in page


def test_a_pdf_of_too_many_entries_is_refused(everything: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "MOST", 5)
    with pytest.raises(
        UsageError, match=r"events are too many for a PDF, which holds 5\. Narrow the filters"
    ):
        selection.select(everything.events(source="hoops"))


def test_the_manifest_tells_what_is_in_the_file(
    auditbook: Auditbook, small_store: Path, tmp_path: Path
) -> None:
    done = auditbook(
        "export", "--store", small_store, "--source", "printago", "--action", "delete", "--since", "2026-01-01",
        "--columns", "event_uid,occurred_at", "--output", "d.csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    content = (tmp_path / "d.csv").read_bytes()
    told = json.loads((tmp_path / "d.csv.manifest.json").read_text("utf-8"))

    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert (told["file"], told["format"], told["bytes"]) == ("d.csv", "csv", len(content))
    assert told["rows"] == content.count(b"\n") - 1 > 0
    assert told["columns"] == ["event_uid", "occurred_at"]
    assert told["filter"] == {"source": ["printago"], "action": ["delete"], "since": "2026-01-01"}
    assert told["hidden"] == []
    assert told["values"] == ["printago", "delete", "2026-01-01T00:00:00+00:00", "system"]
    assert (told["formulas"], told["redaction"]) == ("made safe", "secrets")
    assert set(told["versions"]) >= {"auditbook", "duckdb", "pyarrow"}
    head = json.loads(auditbook("verify", "--store", small_store, "--json").stdout)["head"]
    assert told["store"] == {"head": head, "commits": 2}
    assert done.stdout.splitlines()[0] == f"wrote d.csv: {told['rows']} rows, {len(content):,} bytes"
    assert f"sha256 {told['sha256']}" in done.stdout


def test_only_the_owner_reads_an_export(auditbook: Auditbook, small_store: Path, tmp_path: Path) -> None:
    os.umask(before := os.umask(0))
    try:
        os.umask(0)
        assert auditbook("export", "--store", small_store, "--output", "x.jsonl", "-q").returncode == 0
    finally:
        os.umask(before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl", "x.jsonl.manifest.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_stdout_gives_the_rows_and_nothing_else(auditbook: Auditbook, small_store: Path) -> None:
    done = auditbook("export", "--store", small_store, "--action", "delete", "--format", "jsonl")
    events = auditbook("events", "--store", small_store, "--action", "delete", "--format", "jsonl")

    rows = [json.loads(text) for text in done.stdout.splitlines()]
    assert rows == [json.loads(text) for text in events.stdout.splitlines()]
    assert done.stderr == f"exporting {len(rows)} rows\n{len(rows)} rows\n"
    assert auditbook("export", "--store", small_store, "--action", "delete", "-q").stderr == ""


@pytest.mark.parametrize("kind", ["parquet", "xlsx", "ocsf", "json"])
def test_every_format_goes_through_a_pipe(small_store: Path, kind: str) -> None:
    done = subprocess.run(
        [COMMAND, "export", "--store", small_store, "--source", "hoops", "--format", kind, "-q"],
        capture_output=True, check=True, timeout=120,
    )  # fmt: skip
    begins = {
        "parquet": b"PAR1",
        "xlsx": b"PK\x03\x04",
        "ocsf": b'{"class_uid": ',
        "json": b'[\n{"event_uid":"',
    }
    assert done.stdout.startswith(begins[kind])


# --- a selection


def test_a_selection_is_of_uids_their_beginnings_and_source_ids(
    invoke: Invoke, small_store: Path, tmp_path: Path
) -> None:
    with pipeline.open(small_store) as log:
        chosen = (
            log.sql(
                "SELECT event_uid, source_event_id FROM events WHERE source = 'printago' ORDER BY event_uid LIMIT 3"
            )
            .pl()
            .rows()
        )
    ids = [chosen[0][0], chosen[1][0][:12].upper(), chosen[2][1], ""]
    (tmp_path / "ids.txt").write_text("\ufeff" + "\r\n".join(ids), "utf-8")

    done = invoke("export", "--store", small_store, "--ids-file", "ids.txt", "--columns", "event_uid", "-q")
    assert sorted(done.stdout.splitlines()) == [*sorted(uid for uid, _ in chosen), "event_uid"]
    narrowed = invoke("export", "--store", small_store, "--ids-file", "ids.txt", "--source", "hoops", "-q")
    assert len(narrowed.stdout.splitlines()) == 1


def test_an_id_that_means_nothing_is_named(auditbook: Auditbook, small_store: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text(
        "nobody\n' OR 1=1 --\n" + "".join(f"x{n}\n" for n in range(12)), "utf-8"
    )
    done = auditbook("export", "--store", small_store, "--ids-file", "ids.txt", "--output", "x.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "auditbook: nobody, ' OR 1=1 --, x0, x1, x2, x3, x4, x5, x6, x7 and 4 more: no such event in this store. "
        "`auditbook events` prints uids; source ids are the products' own.\n"
    )
    (tmp_path / "ids.txt").write_text("\n", "utf-8")
    assert "ids.txt holds no id. One uid or source id a line." in auditbook(
        "export", "--store", small_store, "--ids-file", "ids.txt").stderr  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ids.txt"]


# --- on a terminal


def on_a_terminal(arguments: list[object], cwd: Path, code: int = 0) -> str:
    """What a terminal receives, standard output and error together."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [COMMAND, *map(str, arguments)], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    received = b""
    with contextlib.suppress(OSError):  # a terminal that nobody holds any more ends in an error
        while part := os.read(ours, 4096):
            received += part
    os.close(ours)
    assert child.wait(timeout=60) == code
    return received.decode()


def test_a_terminal_shows_a_bar_and_obeys_nothing_that_is_stored(tmp_path: Path) -> None:
    entry = line(1, reason="\x1b[2Jgone\x9b", actorEmail="=cmd()")
    load([put(tmp_path / "in" / "a.jsonl", entry)], store=tmp_path / "store", config=CONFIG)

    written = on_a_terminal(["export", "--output", "x.csv"], tmp_path)
    assert f"[{'█' * 30}] 1 of 1 row" in written and "wrote x.csv: 1 row, " in written
    for kind in ("csv", "json", "jsonl", "ocsf"):
        shown = on_a_terminal(["export", "--format", kind, "-q"], tmp_path)
        assert "\x1b" not in shown and "\x9b" not in shown
        assert "u001b[2jgone" in shown.lower()
    assert ",=cmd()," in on_a_terminal(["export", "--raw-csv", "-q"], tmp_path)
    refused = on_a_terminal(["export", "--format", "xlsx"], tmp_path, code=2)
    assert refused.strip() == "auditbook: a terminal cannot show xlsx. Give --output FILE."


# --- what can go wrong


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "x.doc"], 'x.doc ".doc" is not a format. Use one of .ocsf.jsonl, .ndjson, .csv, .json'),
        (["--columns", "actor_emial"], '"actor_emial" is not a column. Did you mean actor_email?'),
        (["--raw-csv", "--format", "json"], "--raw-csv is about csv, not json."),
        (["--json"], "--json tells about a file, and the rows go to stdout. Give --output FILE."),
        (["--format", "ocsf", "--columns", "source"], "these rows are no events: "),
        (["--format", "pdf", "--columns", "source"], "these rows are no events: "),
    ],
)
def test_what_cannot_be_exported_is_said(
    auditbook: Auditbook, small_store: Path, arguments: list[str], sentence: str
) -> None:
    done = auditbook("export", "--store", small_store, "-q", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"auditbook: {sentence}")


def test_a_folder_that_cannot_be_written(auditbook: Auditbook, small_store: Path, tmp_path: Path) -> None:
    done = auditbook("export", "--store", small_store, "--output", "nowhere/x.csv", "-q")
    assert (done.returncode, done.stderr) == (1,
        "auditbook: nowhere/x.csv cannot be written: No such file or directory. Nothing was left there; "
        "what was there before stays.\n")  # fmt: skip
    (tmp_path / "x.csv").mkdir()
    done = auditbook("export", "--store", small_store, "--output", "x.csv", "-q")
    assert (done.returncode, "x.csv cannot be written: Is a directory." in done.stderr) == (1, True)
    assert list((tmp_path / "x.csv").iterdir()) == []


LIMITED = """import pathlib, resource, signal, sys
import pipeline
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with pipeline.open(sys.argv[1]) as log:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    try:
        log.events().write(sys.argv[2])
    except pipeline.AuditbookError as error:
        sys.exit(f"{error.exit_code} {error}")"""


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx", "ocsf.jsonl"])
def test_a_full_disk_is_an_error_and_leaves_what_was_there(
    small_store: Path, tmp_path: Path, ending: str
) -> None:
    """A limit on the size of files stands for the end of the disk: the same write fails, with another number."""
    (tmp_path / f"x.{ending}").write_text("before")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, small_store, f"x.{ending}"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == (
        f"1 x.{ending} cannot be written: File too large. Nothing was left there; what was there before stays.\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == [f"x.{ending}"]
    assert (tmp_path / f"x.{ending}").read_text() == "before"


def test_stdout_that_is_full_is_an_error(small_store: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this machine has no /dev/full")
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [COMMAND, "export", "--store", small_store, "-q"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1, "auditbook: standard output cannot be written: No space left on device.\n")  # fmt: skip


STOPPING = """import os, pathlib, sys, time
import pipeline
from pipeline import export, formats
def wait(rows):
    os.write(1, b"here\\n")
    time.sleep(60)
with pipeline.open(sys.argv[1]) as log:
    export.write(log.events(), pathlib.Path(sys.argv[2]), choice=formats.Choice(done=wait))"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_export_leaves_nothing(tmp_path: Path, sent: signal.Signals) -> None:
    """The child waits in the middle of writing until it is stopped; the signal comes from here."""
    load([put(tmp_path / "in" / "a.jsonl", lines(0, 20))], store=tmp_path / "store", config=CONFIG)
    out = tmp_path / "out"
    out.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPING, tmp_path / "store", out / "x.csv"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None and child.stdout.readline() == b"here\n"
    child.send_signal(sent)
    child.wait(timeout=30)
    child.stdout.close()
    assert list(out.iterdir()) == []


def test_a_failing_question_is_an_error_not_an_empty_file(everything: Log, tmp_path: Path) -> None:
    question = everything.sql(
        "SELECT CASE WHEN i > 5000 THEN error('no more') ELSE i END AS i FROM range(9000) t(i)"
    )
    with pytest.raises(AuditbookError, match=r"^the rows could not be read: .*no more"):
        question.write(tmp_path / "x.csv")
    assert list(tmp_path.iterdir()) == []
    assert everything.sql("SELECT 1 AS one").count() == 1


def test_progress_is_told_by_tenths(
    tmp_path: Path, auditbook: Auditbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    load([put(tmp_path / "in" / "a.jsonl", lines(0, 30))], store=tmp_path / "store", config=CONFIG)
    from click.testing import CliRunner

    from pipeline.cli import cli
    from pipeline.cli import export as command

    monkeypatch.setattr(command, "MANY", 1)
    done = CliRunner().invoke(
        cli, ["export", "--store", str(tmp_path / "store"), "--output", str(tmp_path / "x.csv")]
    )
    assert done.stderr.splitlines() == ["exporting 31 rows", "31 of 31 rows"]
