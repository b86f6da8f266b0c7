"""Secrets and people are planted everywhere, and looked for in everything that leaves the store."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import pipeline
from pipeline import redact
from pipeline.cli import cli
from pipeline.errors import UsageError
from pipeline.load import load
from tests.conftest import COMMAND, Auditbook
from tests.exports import CONFIG, line, put

SECRETS = {
    "a named field": "hunter2-plain",
    "a named field of a change": "old-and-plain",
    "a header": "Zm9vYmFyYmF6cXV4cXV1eA",
    "a key of a shape": "ghp_abcdefghijklmnopqrstuvwx0123",
    "another shape": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "a key in a sentence": "xoxb-123456789012-abcdefghij",
    "in a text of JSON": "inner-plain-value",
    "in an address": "u5erpw0rd",
    "in an agent": "AKIAIOSFODNN7EXAMPLE",
    "in a reject": "rejected-plain-value",
    "a private key": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
}
PEOPLE = ("ana@example.com", "Ana Silva", "usr_ana", "Cleo Customer", "cleo@customer.example", "203.0.113.77")
KEY = {"PSEUDONYMS": "a key of sixteen characters and more"}


def planted() -> bytes:
    record = {
        "actorName": "Ana Silva", "ipAddress": "203.0.113.77",
        "userAgent": f"curl/8 {SECRETS['in an agent']}",
        "reason": f"Cleo Customer asked, token {SECRETS['a key in a sentence']} was used",
        "metadata": {
            "password": SECRETS["a named field"], "note": f"see {SECRETS['a key of a shape']}",
            "body": json.dumps({"client_secret": SECRETS["in a text of JSON"]}),
            "headers": {"X-Note": f"Bearer {SECRETS['a header']}"},
            "url": f"https://cleo:{SECRETS['in an address']}@shop.example/x",
            "pem": f"-----BEGIN PRIVATE KEY-----\n{SECRETS['a private key']}\n-----END PRIVATE KEY-----",
            "to": "cleo@customer.example",
        },
        "changes": [
            {"field": "apiKey", "old": SECRETS["a named field of a change"], "new": SECRETS["another shape"]},
        ],
    }  # fmt: skip
    rejected = (
        b'{"id":"x","password":"' + SECRETS["in a reject"].encode() + b'","to":"cleo@customer.example"\n'
    )
    deleted = b"".join(
        line(
            n,
            action="delete",
            detailedAction="printJob.delete",
            actorName="Ana Silva",
            ipAddress="203.0.113.77",
        )
        for n in range(2, 24)
    )
    return line(1, **record) + deleted + rejected


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, a configuration, and reports."""
    folder = tmp_path_factory.mktemp("planted")
    put(folder / "a.jsonl", planted())
    (folder / "auditbook.toml").write_text(
        '[organization]\ntimezone = "UTC"\n[privacy]\nkey_env = "PSEUDONYMS"\n[detectors.bulk_delete]\nthreshold = 5\n'
    )
    done = subprocess.run(
        [COMMAND, "run", "a.jsonl", "--as-of", "2026-10-31"], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, **KEY},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert leaks(done.stdout + done.stderr, SECRETS.values()) == []
    return folder


def leaks(text: str, wanted: object) -> list[str]:
    return [word for word in wanted if word.lower() in text.lower()]  # type: ignore[attr-defined]


def said(folder: Path, *arguments: str, key: str = KEY["PSEUDONYMS"]) -> str:
    """What a command says, in this process: it is asked many times."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.delenv("AUDITBOOK_STORE", raising=False)
        done = CliRunner().invoke(cli, arguments, env={"PSEUDONYMS": key})
    assert done.exit_code == 0, (arguments, done.output)
    return done.output


READS = [
    *(("events", "--limit", "0", "--format", shape) for shape in ("table", "csv", "json", "jsonl", "ocsf")),
    ("findings", "--format", "jsonl"), ("rejects",), ("rejects", "--format", "jsonl"), ("ledger", "--format", "json"),
    ("sql", "FROM events", "--format", "jsonl"), ("sql", "FROM lines", "--format", "jsonl"),
    ("sql", "FROM stored_lines", "--format", "jsonl"), ("sql", "FROM event_lines", "--format", "jsonl"),
    ("sql", "FROM event_changes", "--format", "jsonl"), ("sql", "FROM activity", "--format", "jsonl"),
    ("sql", "FROM actors", "--format", "jsonl"), ("sql", "FROM findings", "--format", "jsonl"),
    ("sql", "FROM commits", "--format", "jsonl"), ("sql", "FROM habits", "--format", "jsonl"),
    ("sql", "FROM places", "--format", "jsonl"),
]  # fmt: skip


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_no_secret_is_read(place: Path, arguments: tuple[str, ...]) -> None:
    assert leaks(said(place, *arguments), SECRETS.values()) == []


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_nobody_is_named_to_others(place: Path, arguments: tuple[str, ...]) -> None:
    assert leaks(said(place, *arguments, "--audience", "external"), (*PEOPLE, *SECRETS.values())) == []


def test_one_event_in_full(place: Path) -> None:
    with pipeline.open(place / "store") as log:
        [(uid,)] = log.con.execute(
            "SELECT event_uid FROM events WHERE source_event_id = 'evt0001'"
        ).fetchall()

    text = said(place, "show", uid)

    assert leaks(text, SECRETS.values()) == []
    assert text.count("[REDACTED]") > 5
    assert leaks(said(place, "show", uid, "--audience", "external"), PEOPLE) == []
    assert SECRETS["a named field"] in said(place, "show", uid, "--audience", "full")


@pytest.mark.parametrize("audience", ["internal", "external"])
def test_files_that_are_handed_out(place: Path, audience: str) -> None:
    hidden = (*SECRETS.values(), *(PEOPLE if audience == "external" else ()))
    for ending in ("csv", "json", "jsonl", "parquet", "xlsx", "ocsf.jsonl"):
        target = place / f"{audience}.{ending}"
        said(place, "export", "--output", target.name, "--audience", audience)
        content = target.read_bytes()
        if ending == "xlsx":
            with zipfile.ZipFile(target) as book:
                content = b"".join(book.read(name) for name in book.namelist())
        if ending == "parquet":
            with pipeline.open(place / "store") as log:
                content = str(log.con.execute(f"FROM read_parquet('{target}')").fetchall()).encode()
        assert leaks(content.decode("utf-8", "replace"), hidden) == [], target.name


@pytest.mark.parametrize("audience", ["internal", "external"])
def test_reports(place: Path, audience: str) -> None:
    out = f"for-{audience}"
    said(place, "report", "review", "--out", out, "--audience", audience, "--as-of", "2026-10-31")

    pages = list((place / out).rglob("*.html"))
    hidden = (*SECRETS.values(), *(PEOPLE if audience == "external" else ()))
    assert {page.name for page in pages} >= {"review.html"}
    assert [(page.name, leaks(page.read_text(), hidden)) for page in pages] == [
        (page.name, []) for page in pages
    ]


def test_a_pseudonym_is_the_same_in_every_output_and_another_with_another_key(place: Path) -> None:
    asked = ("events", "--limit", "1", "--format", "jsonl", "--audience", "external")
    first, again = (json.loads(said(place, *asked))["actor_email"] for _ in range(2))
    by_name = json.loads(said(place, *asked, "--actor", "ana@example.com"))["actor_email"]
    other = json.loads(said(place, *asked, key="quite another key for this"))["actor_email"]

    assert first == again == by_name
    assert first.startswith("person-")
    assert other.startswith("person-")
    assert other != first


def test_an_external_output_needs_a_key(place: Path) -> None:
    with pytest.raises(UsageError) as told:
        pipeline.open(place / "store", audience="external")

    assert str(told.value) == (
        "an external output needs a key for its pseudonyms, and none is configured. [privacy] key, key_env or "
        "key_command says where it is; any text of 16 characters or more will do."
    )


def test_the_hash_of_a_line_is_that_of_the_line_as_it_was(place: Path) -> None:
    import hashlib

    digest = hashlib.sha256(planted().split(b"\n")[0]).hexdigest()
    with pipeline.open(place / "store") as log:
        for view in ("lines", "event_lines"):
            found = log.con.execute(f"SELECT line_sha256, raw FROM {view} WHERE line = 1").fetchall()
            assert found[0][0] == digest
            assert "[REDACTED]" in found[0][1]


def test_what_is_typed_is_recorded_without_secrets(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1))
    auditbook("load", "a.jsonl", "--instance", "ghp_abcdefghijklmnopqrstuvwx0123", "-q")

    record = json.loads((tmp_path / "store/commits/000001/record.json").read_bytes())
    assert record["run"]["arguments"] == ["load", "a.jsonl", "--instance", "[REDACTED]", "-q"]
    assert redact.arguments(["x", "--api-key", "abc", "y"]) == ["x", "--api-key", "[REDACTED]", "y"]


def test_an_error_shows_no_secret(auditbook: Auditbook) -> None:
    done = auditbook("load", "https://user:s3cretvalue@host.example/a.jsonl")

    assert done.returncode == 2
    assert "s3cretvalue" not in done.stderr


def test_a_reading_is_on_record_when_asked(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1))
    (tmp_path / "auditbook.toml").write_text("[audit]\nlog_reads = true\n")
    auditbook("load", "a.jsonl", "-q")

    auditbook("events", "--actor", "ana@example.com")
    put(tmp_path / "b.jsonl", line(2))
    auditbook("load", "b.jsonl", "-q")

    [read] = json.loads((tmp_path / "store/commits/000002/record.json").read_bytes())["run"]["reads"]
    assert read["arguments"] == ["events", "--actor", "ana@example.com"]
    assert set(read) == {"user", "host", "at", "arguments"}
    (tmp_path / "auditbook.toml").write_text("")
    auditbook("events")
    put(tmp_path / "c.jsonl", line(3))
    auditbook("load", "c.jsonl", "-q")
    assert "reads" not in json.loads((tmp_path / "store/commits/000003/record.json").read_bytes())["run"]


READING = (
    ("events",), ("show", "{uid}"), ("history", "print_job:job1"), ("recipe", "critical-actions"), ("values", "actor"),
    ("export",), ("findings",), ("findings", "cases"), ("rejects",), ("ledger",), ("sql", "FROM events"),
    ("report", "log"), ("sources", "actors"), ("detectors", "coverage"), ("retain", "hold", "list"), ("originals",),
    ("originals", "a.jsonl"), ("erase", "ana@example.com"),
)  # fmt: skip


def test_every_command_that_reads_is_noted(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1))
    (tmp_path / "auditbook.toml").write_text("[audit]\nlog_reads = true\n[originals]\nkeep = true\n")
    said(tmp_path, "load", "a.jsonl", "-q")
    with pipeline.open(tmp_path / "store") as log:
        [(uid,)] = log.con.execute("SELECT event_uid FROM events").fetchall()

    for arguments in READING:
        said(tmp_path, *(word.format(uid=uid) for word in arguments))

    noted = (tmp_path / "store/reads.jsonl").read_text().splitlines()
    assert len(noted) == len(READING), "each once"


def test_files_are_their_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1) + line(2))
    config = '[signing]\nkey = "key.pem"\n[originals]\nkeep = true\n[audit]\nlog_reads = true\n'
    script = f"""umask 0; {COMMAND} keys new key.pem; printf '{config}' > auditbook.toml
      {COMMAND} run a.jsonl -q; {COMMAND} events; {COMMAND} export --output e.csv; {COMMAND} init --config c.toml"""
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)

    made = [tmp_path / name for name in ("key.pem", "e.csv", "e.csv.manifest.json", "c.toml")]
    for folder in (tmp_path / "store", tmp_path / "out"):
        made += [folder, *folder.rglob("*")]
    assert len(made) > 15
    loose = {
        str(path): oct(stat.S_IMODE(path.stat().st_mode)) for path in made if path.stat().st_mode & 0o077
    }
    assert loose == {}


def test_redaction_before_storage_is_marked(store: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from pipeline.config import SourceSettings

    config = replace(CONFIG, sources={"printago": SourceSettings(redact=True)})
    load([put(tmp_path / "a.jsonl", planted())], store=store, config=config)

    stored = b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file())
    with pipeline.open(store, audience="full") as log:
        rows = log.con.execute(
            "SELECT line, fate, reason, message, raw FROM stored_lines ORDER BY line"
        ).fetchall()
        events = str(log.con.execute("FROM events").fetchall())
    assert [row[:4] for row in rows if row[2] == "redacted"] == [
        (1, "event", "redacted", "secrets were replaced before it was stored")
    ]
    assert rows[-1][1:3] == ("reject", "not_json")
    assert leaks(str(rows) + events, SECRETS.values()) == []
    assert stored
    again = load([put(tmp_path / "b.jsonl", planted())], store=store, config=config)
    assert again.counts.events == 0, "what is redacted in the same way is the same"


def test_few_rows_tell_as_much_as_many(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are looked at once before anything is taken out of them; what is seen of them is the same."""
    from pipeline import rows

    asked: tuple[dict[str, object], ...] = (
        {}, {"limit": 3}, {"sort": "reason", "limit": 2}, {"action": "delete"}, {"sort": "occurred_at", "limit": 1},
    )  # fmt: skip
    with pipeline.open(place / "store") as log:
        few = [log.events(**one).pl().to_dicts() for one in asked]
        counted = [log.events(**one).count() for one in asked]
        monkeypatch.setattr(rows, "FEW", 0)
        many = [log.events(**one).pl().to_dicts() for one in asked]
    assert few == many
    assert [len(one) for one in few] == counted == [23, 3, 2, 22, 1]
    assert leaks(json.dumps(few, default=str), SECRETS.values()) == []
    assert "[REDACTED]" in str(few[0]) and "[REDACTED]" in str(few[4])
    assert "[REDACTED]" not in str(few[3])
