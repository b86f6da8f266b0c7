"""The command as people type it: help, rows, sentences and exit codes."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pipeline.export import to_csv
from tests.conftest import COMMAND, ROOT, Auditbook
from tests.exports import line, put

SOURCES = ROOT / "tests" / "sources"
KNOWN = ", ".join(sorted(path.stem for path in (ROOT / "schemas" / "sources").glob("*.toml")))
PRINTAGO = SOURCES / "printago.jsonl"
COMMANDS = [
    ["run"], ["load"], ["detect"], ["report"], ["events"], ["show"], ["findings"], ["findings", "list"],
    ["findings", "show"], ["findings", "review"], ["rejects"], ["ledger"], ["sources"], ["sources", "list"],
    ["sources", "show"], ["sources", "actors"], ["detectors"], ["detectors", "list"], ["detectors", "show"],
    ["detectors", "test"], ["verify"],
    ["rebuild"], ["sql"], ["demo"], ["init"], ["doctor"],
]  # fmt: skip
Invoke = Callable[..., Result]


def first_record() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(PRINTAGO.read_text().splitlines()[0])
    return record


# --- help


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(invoke: Invoke, command: list[str]) -> None:
    result = invoke(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout
    assert f"auditbook {command[0]}" in result.stdout


def test_the_first_page_names_every_command_and_exit_code(auditbook: Auditbook) -> None:
    done = auditbook("--help")
    assert done.returncode == 0
    for command in {command[0] for command in COMMANDS}:
        assert f"\n  {command} " in done.stdout
    assert "6 another run holds the store" in done.stdout


def test_the_version(auditbook: Auditbook) -> None:
    assert auditbook("--version").stdout.startswith("auditbook 0.")


def test_nothing_heavy_is_imported_for_help() -> None:
    heavy = "{'duckdb', 'polars', 'pyarrow', 'weasyprint', 'jsonschema', 'jinja2', 'holidays', 'rich'}"
    code = f"import sys, pipeline.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


# --- usage


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["frobnicate"], "auditbook: No such command 'frobnicate'. See `auditbook --help`."),
        (["events", "--zzz"], "auditbook: No such option '--zzz'. See `auditbook events --help`."),
        (["run"], "auditbook: Missing argument 'EXPORT…'. See `auditbook run --help`."),
        (["report"], "auditbook: Missing argument 'KIND'. Choose from: review, entity, actor, "),
        (["run", "nowhere.jsonl"], "auditbook: nowhere.jsonl does not exist."),
        (["load", "empty"], "auditbook: empty has no exports in it. Looked for .jsonl, .ndjson, .json, .csv, also "),
        (
            ["load", PRINTAGO, "--source", "printagoo"],
            f'auditbook: "printagoo" is not a known source. Known are: {KNOWN}.',
        ),
        (["load", "-"], "auditbook: standard input has no name to recognise. Say what it is with --source."),
        (["run", PRINTAGO, "--as-of", "soon"], 'auditbook: --as-of: "soon" is not a time. Write 2026-10-31, '),
        (["sources", "show", "x"], 'auditbook: "x" is not a known source. Known are: '),
        (["detectors", "show", "of_hours"], 'auditbook: "of_hours" is not a known detector. Did you mean off_hours?'),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_said_and_exits_2(
    invoke: Invoke, tmp_path: Path, arguments: list[object], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(sentence)
    assert not (tmp_path / "store").exists()


def test_a_store_that_is_none(invoke: Invoke) -> None:
    result = invoke("events")
    assert result.exit_code == 2
    assert (
        result.stderr
        == "auditbook: store is not a store. `auditbook run EXPORT…` makes one; or give --store.\n"
    )


@pytest.mark.parametrize("command", ["run", "load"])
def test_a_config_error_names_the_line_before_anything_is_written(
    invoke: Invoke, tmp_path: Path, command: str
) -> None:
    (tmp_path / "auditbook.toml").write_text('[organization]\ntimezone = "Amercia/New_York"\n')
    result = invoke(command, PRINTAGO)
    assert result.exit_code == 2
    assert result.stderr == (
        'auditbook: auditbook.toml:2 [organization] timezone: "Amercia/New_York" is not a known zone. '
        "Did you mean America/New_York?\n"
    )
    assert not (tmp_path / "store").exists()


def test_a_config_that_was_named_and_is_not_there(invoke: Invoke) -> None:
    result = invoke("load", PRINTAGO, "--config", "mine.toml")
    assert result.exit_code == 2
    assert (
        result.stderr == "auditbook: mine.toml does not exist. `auditbook init` writes one with comments.\n"
    )


# --- loading


def test_a_garbage_line_is_a_reject_and_the_rest_loads(auditbook: Auditbook, tmp_path: Path) -> None:
    first, second = PRINTAGO.read_text().splitlines()[:2]
    (tmp_path / "night.jsonl").write_text(f"{first}\n{{oops\n{second}\n")
    done = auditbook("load", "night.jsonl", "--json", "-q")
    assert done.returncode == 0
    assert json.loads(done.stdout)["lines"] == {
        "read": 3,
        "events": 2,
        "duplicates": 0,
        "rejects": 1,
        "blank": 0,
    }
    assert "night.jsonl: 1 line rejected; `auditbook rejects` shows them." in done.stderr
    rejected = json.loads(auditbook("rejects", "--format", "jsonl").stdout)
    offset = len(first.encode()) + 1
    assert {key: rejected[key] for key in ("file", "line", "byte_offset", "reason", "text")} == {
        "file": "night.jsonl", "line": 2, "byte_offset": offset, "reason": "not_json", "text": "{oops",
    }  # fmt: skip
    table = auditbook("rejects").stdout
    assert "night.jsonl" in table and "{oops" in table and table.endswith("\n1 reject\n")
    assert (
        "1 file: 3 lines read = 2 events + 0 duplicates + 1 rejects + 0 blank" in auditbook("ledger").stdout
    )


def test_too_many_rejects_exit_4_and_stay_loaded(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "night.jsonl").write_text(f"{PRINTAGO.read_text().splitlines()[0]}\n{{oops\n")
    assert auditbook("load", "night.jsonl", "--max-rejects", "0").returncode == 4
    assert auditbook("events", "--format", "jsonl").stdout.count("\n") == 1


def test_a_strange_file_in_a_folder_exits_4_and_the_rest_loads(auditbook: Auditbook, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    shutil.copy(PRINTAGO, folder)
    (folder / "strange.jsonl").write_text('{"made": "up"}\n')
    done = auditbook("load", "exports", "--json", "-q")
    assert done.returncode == 4
    told = json.loads(done.stdout)
    assert [text.partition(":")[0] for text in told["unrecognised"]] == ["strange.jsonl"]
    assert set(told["sources"]) == {"printago"} and told["lines"]["events"] > 0
    assert "auditbook: skipped strange.jsonl: no source was recognised from its first lines. " in done.stderr
    assert "--source" in done.stderr


def test_the_same_again_adds_nothing(auditbook: Auditbook) -> None:
    first = json.loads(auditbook("load", PRINTAGO, "--json", "-q").stdout)
    again = json.loads(auditbook("load", PRINTAGO, "--json", "-q").stdout)
    assert again["head"] == first["head"] and again["already_loaded"] == 1


def test_standard_input(auditbook: Auditbook) -> None:
    done = auditbook("load", "-", "--source", "printago", "-q", input=PRINTAGO.read_text())
    assert (done.returncode, done.stdout) == (0, "")
    assert auditbook("ledger", "--format", "csv").stdout.splitlines()[1].startswith("stdin,")


def test_a_store_that_another_run_holds(auditbook: Auditbook, store: Path) -> None:
    assert auditbook("load", PRINTAGO, "-q").returncode == 0
    descriptor = os.open(store / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        done = auditbook("load", SOURCES / "hoops.jsonl", "-q")
    finally:
        os.close(descriptor)
    assert done.returncode == 6
    assert done.stderr == "auditbook: store another run holds the store. Wait for it, then run again.\n"


@pytest.mark.parametrize("command", [["events"], ["verify"], ["rebuild"], ["ledger"]], ids=" ".join)
def test_a_store_of_a_newer_version(
    auditbook: Auditbook, small_store: Path, store: Path, command: list[str]
) -> None:
    shutil.copytree(small_store, store)
    record = store / "commits" / "000001" / "record.json"
    told = json.loads(record.read_text())
    told["content"]["format"] = 99
    record.write_text(json.dumps(told))
    done = auditbook(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "was written by a newer auditbook" in done.stderr


def test_run_tells_everything_in_one_document(auditbook: Auditbook, tmp_path: Path) -> None:
    done = auditbook("run", PRINTAGO, "--json", "--as-of", "2026-11-01T00:00Z")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert {
        "files",
        "lines",
        "sources",
        "events_from",
        "events_until",
        "findings",
        "detectors",
        "reports",
        "head",
    } < set(told)
    lines = told["lines"]
    assert lines["read"] == lines["events"] + lines["duplicates"] + lines["rejects"] + lines["blank"] > 0
    assert set(told["findings"]) == {"new", "changed", "withdrawn", "open", "by_severity"}
    assert set(told["seconds"]) == {"load", "detect", "report"}
    assert {Path(report).suffix for report in told["reports"]} == {".html", ".pdf"}
    assert all((tmp_path / report).exists() for report in told["reports"])
    assert "loading printago.jsonl\n" in done.stderr


def test_run_tells_people_in_a_few_lines(auditbook: Auditbook) -> None:
    done = auditbook("run", PRINTAGO, "-q", "--fail-on", "info")
    assert (done.returncode, done.stdout) == (3, "")
    first, *_, last = auditbook("run", PRINTAGO).stdout.splitlines()
    assert first.startswith("1 file, 1 of them loaded before: ")
    assert last.startswith("head ") and len(last) == 5 + 64


# --- reading


def test_events_newest_first_with_what_is_left_out(auditbook: Auditbook, small_store: Path) -> None:
    done = auditbook("events", "--store", small_store, "--limit", "3")
    header, _, *lines, blank, summary = done.stdout.splitlines()
    assert header.split() == [
        "time",
        "utc",
        "source",
        "actor",
        "action",
        "detail",
        "entity",
        "changes",
        "from",
        "outcome",
        "event",
    ]
    assert lines == sorted(lines, key=lambda line: line[:19], reverse=True) and len(lines) == 3
    assert blank == "" and summary.startswith("3 of ") and summary.endswith(" more with --limit 0")
    assert "\x1b" not in done.stdout


def test_events_limits_only_the_table(invoke: Invoke, small_store: Path) -> None:
    every = invoke("events", "--store", small_store, "--format", "jsonl").stdout.splitlines()
    shown = invoke("events", "--store", small_store).stdout.splitlines()
    assert len(every) > 50 and len(shown) == 50 + 4
    assert json.loads(invoke("events", "--store", small_store, "--format", "json").stdout) == [
        json.loads(line) for line in every
    ]
    assert invoke("events", "--store", small_store, "--format", "csv").stdout.startswith("event_uid,source,")


def test_events_filtered(invoke: Invoke, small_store: Path) -> None:
    found = invoke(
        "events", "--store", small_store, "--source", "hoops", "--format", "jsonl"
    ).stdout.splitlines()
    assert {json.loads(line)["source"] for line in found} == {"hoops"}
    unknown = invoke("events", "--store", small_store, "--source", "nowhere")
    assert unknown.exit_code == 2
    assert unknown.stderr == f'auditbook: "nowhere" is not a known source. Known are: {KNOWN}.\n'


def test_show_by_the_beginning_of_a_uid(invoke: Invoke, small_store: Path) -> None:
    uid = json.loads(invoke("events", "--store", small_store, "--limit", "1", "--format", "jsonl").stdout)[
        "event_uid"
    ]
    told = json.loads(invoke("show", uid[:16], "--store", small_store, "--json").stdout)
    assert told["event_uid"] == uid and json.loads(told["raw"])
    text = invoke("show", uid, "--store", small_store).stdout
    assert f"event_uid  {uid}".split() == text.splitlines()[0].split()
    assert f"raw line {told['file']}:{told['line']}:{told['byte_offset']}\n" in text
    missing = invoke("show", "zzz", "--store", small_store)
    assert (missing.exit_code, missing.stderr) == (
        2, 'auditbook: "zzz" is no event of this store. Type a uid or the beginning of one, as `auditbook events` '
           "lists them, or the source's own id.\n",
    )  # fmt: skip


def test_stored_control_characters_and_formulas_do_nothing(auditbook: Auditbook, tmp_path: Path) -> None:
    hostile = {**first_record(), "actorEmail": "=HYPERLINK(1)\u001b[2J\u202ex"}
    (tmp_path / "hostile.jsonl").write_text(json.dumps(hostile) + "\n")
    auditbook("load", "hostile.jsonl", "-q")
    table = auditbook("events").stdout
    assert "\x1b" not in table and "\u202e" not in table and "=HYPERLINK(1)\\u001b[2J\\u202ex" in table
    csv = auditbook("events", "--format", "csv").stdout
    assert "\x1b" not in csv and "'=HYPERLINK(1)\\u001b" in csv
    assert json.loads(auditbook("events", "--format", "jsonl").stdout)["actor_email"] == hostile["actorEmail"]


def test_findings_listed_shown_and_reviewed(auditbook: Auditbook, small_store: Path, store: Path) -> None:
    shutil.copytree(small_store, store)
    found = [json.loads(line) for line in auditbook("findings", "--format", "jsonl").stdout.splitlines()]
    assert found and {"finding_id", "severity", "state", "events", "observed", "expected"} <= set(found[0])
    chosen = found[0]["finding_id"]
    assert re.search(rf"\n{len(found)} findings? in \d+ cases?\n$", auditbook("findings").stdout)
    told = json.loads(auditbook("findings", "show", chosen[:8], "--json").stdout)
    assert [line["event_uid"] for line in told["lines"]] and told["dispositions"] == []
    assert (
        f"{told['lines'][0]['file']}:{told['lines'][0]['line']}:"
        in auditbook("findings", "show", chosen).stdout
    )
    done = auditbook(
        "findings", "review", chosen, "--status", "accepted", "--by", "Dana", "--reason", "planned"
    )
    assert done.returncode == 0 and done.stdout.startswith(f"recorded: {chosen} is accepted, by Dana\nhead ")
    told = json.loads(auditbook("findings", "show", chosen, "--json").stdout)
    assert told["state"] == "reviewed" and told["dispositions"][0]["reviewer"] == "Dana"
    assert auditbook("findings", "--state", "reviewed", "--format", "jsonl").stdout.count("\n") == 1


def test_findings_that_are_not_there(invoke: Invoke, small_store: Path) -> None:
    result = invoke("findings", "show", "zzz", "--store", small_store)
    assert (result.exit_code, result.stderr) == (
        2,
        'auditbook: "zzz" is not a finding. `auditbook findings` lists them.\n',
    )
    result = invoke("findings", "--detector", "bulk_delet", "--store", small_store)
    assert result.stderr == 'auditbook: "bulk_delet" is not a known detector. Did you mean bulk_delete?\n'


def test_detect_fails_on_a_severity_with_3(auditbook: Auditbook, small_store: Path, store: Path) -> None:
    shutil.copytree(small_store, store)
    done = auditbook("detect", "--json", "-q")
    assert done.returncode == 0
    severities = json.loads(done.stdout)["findings"]["by_severity"]
    present = next(name for name, number in severities.items() if number)
    assert auditbook("detect", "--fail-on", present, "-q").returncode == 3
    assert auditbook("detect", "--fail-on", "info", "-q").returncode == 3


def test_verify_and_what_it_says_when_broken(auditbook: Auditbook, small_store: Path, store: Path) -> None:
    shutil.copytree(small_store, store)
    good = json.loads(auditbook("verify", "--json").stdout)
    assert good["ok"] and good["broken"] is None and good["commits"] == 2
    assert auditbook("verify", "--head", good["head"]).returncode == 0
    other = auditbook("verify", "--head", "f" * 64)
    assert other.returncode == 5 and "is not in this chain" in other.stderr
    lines = store / "commits" / "000001" / "lines.parquet"
    lines.write_bytes(lines.read_bytes()[:-1] + b"?")
    broken = auditbook("verify", "--json")
    assert broken.returncode == 5
    assert json.loads(broken.stdout)["broken"] == {
        "commit": 1,
        "file": "lines.parquet",
        "what": "the file's bytes were changed: its sha256 is not the recorded one.",
    }  # fmt: skip
    assert broken.stderr.startswith("auditbook: commit 000001/lines.parquet the file's bytes were changed")


def test_rebuild_makes_the_database_again(auditbook: Auditbook, small_store: Path, store: Path) -> None:
    shutil.copytree(small_store, store)
    (store / "auditbook.duckdb").unlink()
    assert auditbook("rebuild").stdout == "rebuilt store/auditbook.duckdb\n"
    assert auditbook("events", "--limit", "1", "--format", "jsonl").stdout.count("\n") == 1


def test_sql_reads_and_never_writes(invoke: Invoke, small_store: Path, tmp_path: Path) -> None:
    asked = invoke("sql", "select source, count(*) > 0 as some from events group by all order by 1",
                   "--store", small_store, "--format", "jsonl")  # fmt: skip
    assert asked.stdout == '{"source":"hoops","some":true}\n{"source":"printago","some":true}\n'
    assert (
        invoke("sql", "--store", small_store, "--format", "csv", input="select 42 as x;").stdout == "x\n42\n"
    )
    for writing in (
        "delete from files",
        f"copy (select 1) to '{tmp_path}/x.csv'",
        "select 1; select 2",
        "attach ':memory:' as m",
    ):
        refused = invoke("sql", writing, "--store", small_store)
        assert refused.exit_code == 2
        assert (
            refused.stderr
            == "auditbook: only one question at a time, and nothing that writes. Begin with SELECT or FROM.\n"
        )
    assert not (tmp_path / "x.csv").exists()
    wrong = invoke("sql", "select nothing from events", "--store", small_store)
    assert wrong.exit_code == 1 and 'Referenced column "nothing" not found' in wrong.stderr


def test_holds_are_understood_with_and_without_their_noun(invoke: Invoke, small_store: Path) -> None:
    short, long = (
        invoke(*command, "list", "--json", "--store", small_store)
        for command in (["hold"], ["retain", "hold"])
    )
    assert (short.exit_code, json.loads(short.stdout)) == (0, []) == (long.exit_code, json.loads(long.stdout))


def test_a_limit_beyond_all_numbers_is_a_usage_error(invoke: Invoke, small_store: Path) -> None:
    refused = invoke("events", "--limit", "9" * 20, "--store", small_store)
    assert refused.exit_code == 2 and "is not in the range" in refused.stderr


def test_names_and_json_cannot_act_on_a_terminal_either(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "x.jsonl", line(1, metadata={"\x1b[2J": "\x9b2J"}))
    assert auditbook("load", "x.jsonl", "-q").returncode == 0
    uid = json.loads(auditbook("events", "--format", "jsonl").stdout)["event_uid"]
    for arguments in (["events", "--format", "jsonl"], ["events", "--format", "json"], ["show", uid]):
        told = auditbook(*arguments).stdout
        assert "\x1b" not in told and "\x9b" not in told and "u009b" in told
    assert json.loads(auditbook("show", uid, "--json").stdout)["metadata"] == {"\x1b[2J": "\x9b2J"}


@pytest.mark.parametrize(
    ("cell", "written"), [(" =1+1", "' =1+1"), ("\u00a0@x", "'\u00a0@x"), (" a=1", " a=1")]
)
def test_white_space_before_a_formula_hides_nothing(cell: str, written: str) -> None:
    assert list(to_csv([{"x": cell}], ["x"])) == ["x\n", f"{written}\n"]


def test_a_reader_that_leaves_is_no_error(small_store: Path) -> None:
    command = f"{COMMAND} events --limit 0 --store {small_store} | head -1"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert (done.stdout.split()[0], done.stderr) == ("time", "")


def test_ctrl_c_is_one_sentence_and_130(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.stopper",
        "os.mkdir",
        ".tmp-000001",
        "1",
        "load",
        str(PRINTAGO),
        "-q",
    ]
    with subprocess.Popen(
        [*command, "--store", str(tmp_path / "store")], cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as waiting:  # fmt: skip
        assert waiting.stdout is not None and waiting.stdout.readline() == "here\n"
        waiting.send_signal(signal.SIGINT)
        _, told = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert (
        told.strip() == "auditbook: stopped; what was committed stays, and the next run goes on from there."
    )


# --- getting started


def test_init_writes_a_config_that_works_and_overwrites_nothing(auditbook: Auditbook, tmp_path: Path) -> None:
    done = auditbook("init")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "next: auditbook run EXPORT…"
    assert (tmp_path / "store" / "commits").is_dir()
    assert auditbook("load", PRINTAGO, "-q").returncode == 0
    again = auditbook("init")
    assert again.returncode == 2
    assert (
        again.stderr
        == "auditbook: auditbook.toml is there already. Nothing was changed; edit it, or give --config.\n"
    )


def test_the_demo_is_not_mixed_into_somebodys_store(auditbook: Auditbook) -> None:
    auditbook("load", PRINTAGO, "-q")
    done = auditbook("demo")
    assert done.returncode == 2
    assert done.stderr == "auditbook: store holds other exports already. Give the demo another --store.\n"


def test_doctor_names_what_is_there(auditbook: Auditbook) -> None:
    done = auditbook("doctor", "--json")
    checks = {check["what"]: check for check in json.loads(done.stdout)}
    assert {"python", "duckdb", "weasyprint", "time zones", "pango", "fontpkg-ibm-plex-sans", "store"} <= set(
        checks
    )
    assert checks["store"] == {
        "what": "store", "state": "note", "found": "store: none yet", "mend": "`auditbook run EXPORT…` makes one.",
    }  # fmt: skip
    missing = [check for check in checks.values() if check["state"] == "missing"]
    assert done.returncode == (1 if missing else 0)
    assert all(check["mend"] for check in missing)


def test_the_lists(invoke: Invoke) -> None:
    sources = [json.loads(line) for line in invoke("sources", "--format", "jsonl").stdout.splitlines()]
    assert ", ".join(one["source"] for one in sources) == KNOWN
    assert {"bswagic", "craftstage", "hoops", "oncloudwine", "printago"} <= {one["source"] for one in sources}
    assert "documentation" in invoke("sources", "show", "hoops").stdout
    detectors = [
        json.loads(line)["detector"] for line in invoke("detectors", "--format", "jsonl").stdout.splitlines()
    ]
    assert {"off_hours", "bulk_delete", "missing_approval"} <= set(detectors)
    logging = json.loads(invoke("detectors", "show", "logging_disabled", "--json").stdout)
    assert logging["attack"] == ["T1562.008"]
    shown = json.loads(invoke("detectors", "show", "bulk_delete", "--json").stdout)
    assert shown["parameters"] and shown["sql"].startswith("/*")
