"""What comes from outside stays what it is: values, names, texts. Each test is named in docs/security.md."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

import pipeline
from pipeline import store as stores
from pipeline.config import read
from pipeline.errors import AuditbookError, UsageError
from pipeline.load import load
from tests.conftest import ROOT
from tests.exports import CONFIG, line, put

HOSTILE = (
    "x' OR 1=1 --",
    "'; COPY (SELECT 1) TO 'made.csv'; --",
    '"; DROP TABLE files; --',
    "$since",
    "?",
    "x') UNION SELECT * FROM read_text('/etc/hostname') --",
)
MAPPING = """title = "Acme"
version = 1
about = {{ documentation = "", retention = "", logging = "", permissions = "", entry_url = "" }}
recognise = {{ keys = ["tick"] }}
time = {{ path = "tick", format = "iso" }}
[columns]
reason = {reason}
"""


@pytest.mark.parametrize("value", HOSTILE)
def test_what_is_typed_is_a_value(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    load([put(tmp_path / "a.jsonl", line(1) + line(2, entityId=value, actorEmail=value, action="delete"))],
         store=store, config=CONFIG)  # fmt: skip

    with pipeline.open(store) as log:
        for asked in ({"actor": value}, {"entity": f"print_job:{value}"}):
            assert log.events(**asked)["source_event_id"].pl().to_series().to_list() == ["evt0002"]
        assert log.events(text=value).count() == 1
        for name in ("source", "instance", "action", "outcome", "category"):
            with pytest.raises(UsageError):
                log.events(**{name: value}).count()
        assert log.ledger().count() == 1
    assert not (tmp_path / "made.csv").exists()


@pytest.mark.parametrize(
    "reason",
    [
        """"a') || (SELECT content FROM read_text('/etc/hostname')) || ('" """,
        """{ path = "a", match = "(.*)') || (SELECT content FROM read_text('/etc/hostname')) || ('" }""",
        """{ value = "' || (SELECT content FROM read_text('/etc/hostname')) || '" }""",
        """{ sql = "SELECT content FROM read_text('/etc/hostname')" }""",
        """{ file = "/etc/hostname" }""",
        """{ url = "http://127.0.0.1:1/" }""",
    ],
)
def test_a_mapping_cannot_reach_out(store: Path, tmp_path: Path, reason: str) -> None:
    """What it says is refused, or is a path, a pattern or a text like any other."""
    put(tmp_path / "maps/acme.toml", MAPPING.format(reason=reason).encode())
    put(tmp_path / "auditbook.toml", b'[sources]\npath = "maps"\n')
    put(tmp_path / "a.jsonl", b'{"tick":"2026-10-01T00:00:00Z","a":"b"}\n')
    hostname = Path("/etc/hostname").read_text().strip() if Path("/etc/hostname").exists() else "no such name"
    try:
        config = read(tmp_path / "auditbook.toml")
        load([str(tmp_path / "a.jsonl")], store=store, config=config, source="acme")
    except AuditbookError as error:
        assert hostname not in str(error)
        return
    with pipeline.open(store, audience="full") as log:
        [(found,)] = log.con.execute("SELECT reason FROM events").fetchall()
    assert found in (None, "' || (SELECT content FROM read_text('/etc/hostname')) || '")


def test_names_do_not_lead_out(store: Path, tmp_path: Path) -> None:
    """A tenant, an id and a type with a path in them make no file anywhere but in the store."""
    away = "../../../away"
    content = line(1, storeId=away, entityId=away, entityType=away, id=away)
    export = put(tmp_path / "in/a.jsonl", content)
    before = set(tmp_path.rglob("*"))

    load([export], store=store, config=CONFIG, instance=away)

    made = set(tmp_path.rglob("*")) - before
    assert made
    assert all(path == store or path.is_relative_to(store) for path in made)


def test_a_record_names_no_file_but_its_own(store: Path, tmp_path: Path) -> None:
    """What a later commit replaces is removed a day later: it must not be anybody's file."""
    load([put(tmp_path / "a.jsonl", line(1))], store=store, config=CONFIG)
    mine = Path(put(tmp_path / "mine.txt", b"x"))
    path = store / "commits/000001/record.json"
    record = json.loads(path.read_bytes())
    away = "../../../mine.txt"
    record["content"]["files"][away] = {"sha256": stores.sha256_file(mine), "bytes": 1, "rows": 0}
    record["head"] = stores.head_of(record["content"])
    record["seal"] = stores.seal_of(stores.GENESIS, record)
    path.write_text(stores.record_text(record))

    broken = pipeline.verify(store).broken

    assert broken is not None
    assert broken.what == f'the record names the file "{away}", which is not in its folder.'
    with pytest.raises(AuditbookError, match=r"record.json names the file .* which is not in its folder"):
        load([put(tmp_path / "b.jsonl", line(2))], store=store, config=CONFIG)
    assert mine.exists()


def test_no_command_takes_a_key_as_an_argument() -> None:
    """Arguments stand in the list of processes: only public halves and names of places are typed."""
    from tests.test_leaks import LEAVES

    typed = {option for one in LEAVES.values() for p in one.params for option in p.opts}
    assert {one for one in typed if re.search("key|secret|password|token|pseudonym", one)} == {"--public-key"}


def test_templates_are_ours_alone() -> None:
    """Every place that makes a template environment or a template, and what it is made from."""
    found = []
    for path in sorted((*(ROOT / "reports").rglob("*.py"), *(ROOT / "pipeline").rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name in ("from_string", "Template"):
                    found.append(f"{path.name}: {name}")
    assert found == []


def test_every_dependency_is_pinned_with_hashes() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"(?m)^#.*\n", "", text).strip())
    assert len(entries) > 30
    assert [one for one in entries if "==" not in one.split("\n")[0] or "--hash=sha256:" not in one] == []
    assert "://" not in text
    assert "index-url" not in text
    import tomllib

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    names = {re.match(r"[A-Za-z0-9._-]+", one)[0].lower().replace("_", "-") for one in entries}  # type: ignore[index]
    asked = {re.match(r"[A-Za-z0-9._-]+", one)[0].lower().replace(".", "-") for one in wanted}  # type: ignore[index]
    assert asked - {name.replace(".", "-") for name in names} - {"backports-zstd"} == set()
    make = (ROOT / "Makefile").read_text("utf-8")
    assert "--require-hashes" in make


def test_every_claim_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs/security.md").read_text("utf-8")
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", page)
    assert len(named) > 20
    for file, function in named:
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert not function or f"def {function}(" in text, (file, function)
