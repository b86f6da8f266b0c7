"""`sources new`: three made-up products of different shape load with the draft as it is, and say who did what."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from pipeline.config import read
from pipeline.export import rows_as_json
from pipeline.load import load
from pipeline.query import open as open_store

PEOPLE = [("u-101", "Ida Berg", "ida@lumen.example"), ("u-102", "Omar Haddad", "omar@lumen.example")]


def flat() -> Iterator[dict[str, Any]]:
    """Names in snake case, ISO times, dotted actions."""
    actions = ["invoice.created", "invoice.voided", "report.exported", "user.logged_in"]
    for n in range(24):
        person, action = PEOPLE[n % 2], actions[n % 4]
        yield {
            "event_id": f"ev_{n:05d}", "workspace_id": "ws_77", "created_at": f"2026-03-02T10:15:{n:02d}.120Z",
            "user_id": person[0], "user_name": person[1], "user_email": person[2], "action": action,
            "resource_type": "Invoice", "resource_id": f"inv_{n}", "ip_address": f"10.2.3.{n}", "status": "failed",
        }  # fmt: skip


def nested() -> Iterator[dict[str, Any]]:
    """Objects in camel case, milliseconds, verbs in capitals, a second time that is not the event's."""
    operations = ["CREATE_PROJECT", "DELETE_PROJECT", "RENAME_PROJECT"]
    for n in range(24):
        yield {
            "uuid": f"{n:08x}-aaaa-4bbb-8ccc-000000000000", "occurredAt": 1772463845123 + n * 1000,
            "performedBy": {"id": 9000 + n % 2, "email": PEOPLE[n % 2][2], "kind": "ServiceAccount"},
            "operation": operations[n % 3], "target": {"type": "PROJECT", "id": f"prj-{n % 7}", "name": "Alpha"},
            "context": {"ipAddress": "203.0.113.9:443"}, "receivedAt": 1772463899000,
            "modifications": [{"field": "name", "previous": "a", "current": "b"}],
        }  # fmt: skip


def spoken() -> Iterator[dict[str, Any]]:
    """A table for people: local times, names, sentences, kind and number of the thing in one text."""
    what = ["Shipment created", "Shipment cancelled", "Container moved"]
    for n in range(24):
        yield {
            "No": n + 1, "Time": f"{n + 1:02d}/03/2026 {1 + n % 12:02d}:05 PM", "Who": PEOPLE[n % 2][1],
            "What": what[n % 3], "On": f"Shipment #{4400 + n}", "From IP": "198.51.100.7",
            "Before": {"state": "a"}, "After": {"state": "b"},
        }  # fmt: skip


FROM_A_TO_B = {"old": "a", "new": "b", "old_present": True, "new_present": True, "redacted": False}
WANTED = {
    "flat": {
        "occurred_at": "2026-03-02T10:15:01.120Z", "instance": "ws_77", "source_event_id": "ev_00001",
        "actor_type": "user", "actor_id": "u-102", "actor_name": "Omar Haddad", "actor_email": "omar@lumen.example",
        "action": "cancel", "action_raw": "invoice.voided", "entity_type": "invoice", "entity_id": "inv_1",
        "source_ip": "10.2.3.1", "outcome": "failure", "changes": [],
    },
    "nested": {
        "occurred_at": "2026-03-02T15:04:06.123Z", "source_event_id": "00000001-aaaa-4bbb-8ccc-000000000000",
        "actor_type": "automation", "actor_id": "9001", "actor_email": "omar@lumen.example", "action": "delete",
        "action_raw": "DELETE_PROJECT", "entity_type": "project", "entity_id": "prj-1", "entity_name": "Alpha",
        "source_ip": "203.0.113.9",
        "changes": [{"field": "name", **FROM_A_TO_B}],
    },
    "spoken": {
        "occurred_at": "2026-03-02T14:05:00.000Z", "actor_type": "user", "actor_name": "Omar Haddad",
        "action": "cancel", "action_raw": "Shipment cancelled", "entity_type": "shipment", "entity_id": "4401",
        "source_ip": "198.51.100.7",
        "changes": [{"field": "state", **FROM_A_TO_B}],
    },
}  # fmt: skip
PRODUCTS = {"flat": flat, "nested": nested, "spoken": spoken}


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_draft_loads_as_it_is(
    product: str, tmp_path: Path, store: Path, invoke: Callable[..., Result]
) -> None:
    export = lines(tmp_path / "export.jsonl", PRODUCTS[product]())
    made = invoke("sources", "new", product, "--from", export, "--out", tmp_path / "own")
    assert made.exit_code == 0, made.output
    (tmp_path / "auditbook.toml").write_text('[sources]\npath = "own"\n', "utf-8")
    config = read(tmp_path / "auditbook.toml")

    result = load([str(export)], store=store, config=config)

    assert result.loaded[0].source == product, "recognised by its own mapping"
    assert (result.counts.events, result.counts.rejects) == (24, 0)
    with open_store(store) as log:
        [event] = rows_as_json(log.sql("SELECT * FROM events WHERE line = 2"))
    assert {name: event[name] for name in WANTED[product]} == WANTED[product]


@pytest.mark.parametrize("product", PRODUCTS)
def test_its_lines_are_about_nobody_and_give_its_events(
    product: str, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    export = lines(tmp_path / "export.jsonl", PRODUCTS[product]())
    invoke("sources", "new", product, "--from", export, "--out", tmp_path / "own")
    (tmp_path / "auditbook.toml").write_text('[sources]\npath = "own"\n', "utf-8")

    scrubbed = (tmp_path / "own" / f"{product}.jsonl").read_text("utf-8")
    for secret in ("Ida", "Omar", "lumen.example", "10.2.3", "203.0.113", "198.51.100", "inv_1", "ws_77"):
        assert secret not in scrubbed
    expected = (tmp_path / "own" / f"{product}.expected.jsonl").read_text("utf-8").splitlines()
    told = json.loads(invoke("sources", "check", tmp_path / "own" / f"{product}.jsonl", "--json").output)
    assert told["events"] == len(expected) == told["read"]
    first = {name: value for name, value in json.loads(expected[0]).items() if name != "changes"}
    assert first == {name: told["first_events"][0][name] for name in first}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("Acme", '{"at":"2026-03-02"}',
         'auditbook: "Acme" cannot name a source. Small letters, digits and _; a letter first.\n'),
        ("acme", '{"a":"b"}', "auditbook: export.jsonl no field of its lines is a time; an event needs one.\n"),
        ("acme", "", "auditbook: export.jsonl has no lines of JSON objects; an event needs one.\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_drafted(
    name: str, content: str, sentence: str, tmp_path: Path, invoke: Callable[..., Result]
) -> None:
    (tmp_path / "export.jsonl").write_text(content, "utf-8")
    made = invoke("sources", "new", name, "--from", "export.jsonl")
    assert made.exit_code != 0
    assert made.stderr == sentence
    assert sorted(path.name for path in tmp_path.iterdir()) == ["export.jsonl"]


def lines(path: Path, records: Iterator[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path
