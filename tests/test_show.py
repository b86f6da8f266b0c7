"""show: one event in full, for people and for programs; nothing is cut short and nothing acts on a terminal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import Result

import pipeline
from pipeline.errors import UsageError
from pipeline.query import Log
from tests.conftest import ROOT, Auditbook
from tests.exports import line, put

Invoke = Callable[..., Result]


@pytest.fixture
def log(small_store: Path) -> Iterator[Log]:
    with pipeline.open(small_store) as opened:
        yield opened


def own(number: str) -> str:
    """The source's id of one of the hand-written lines."""
    return f"{number}ventx7k3m9q2w5z8r4t6"


def shown(invoke: Invoke, store: Path, number: str, *more: object) -> str:
    result = invoke("show", own(number), "--store", store, *more)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def section(text: str, title: str) -> list[str]:
    """The lines of a part, without what lines up its columns."""
    part = text.partition(f"\n{title}\n")[2].partition("\n\n")[0]
    return [" ".join(row.split()) for row in part.splitlines()]


def test_who_as_whom_what_and_from_where(invoke: Invoke, small_store: Path) -> None:
    text = shown(invoke, small_store, "e007", "--as-of", "2026-03-05T09:00Z")

    assert "actor sven@support.example as tomas@fjordprints.example" in section(text, "who")
    assert "impersonator sven@support.example, sv3nsupport9printago1k6l" in section(text, "who")
    assert section(text, "from where")[0] == "address 203.0.113.5"
    assert "relative     23 h ago, as of 2026-03-05 09:00Z" in text
    assert "occurred     2026-03-04 09:59:59.871 UTC" in text


def test_old_and_new_stand_side_by_side(invoke: Invoke, small_store: Path) -> None:
    changed = section(shown(invoke, small_store, "e007"), "what changed")

    assert changed[0] == "field − old + new"
    assert changed[2] == "variantId null v9petg"
    assert (
        changed[3]
        == 'expectedData {"type": "PLA", "color": "CE4406FF"} {"type": "PETG", "color": "0A0A0AFF"}'
    )


def test_a_creation_shows_only_what_is_new_and_a_deletion_only_what_was(
    invoke: Invoke, small_store: Path
) -> None:
    assert section(shown(invoke, small_store, "e001"), "what changed")[0] == "field + new"
    removed = section(shown(invoke, small_store, "e003"), "what changed")
    assert removed[0] == "field − old" and "fileSize 1048576" in removed and "archivedAt null" in removed


def test_bulk_ids_in_full_masked_keys_and_redacted_values(invoke: Invoke, small_store: Path) -> None:
    text = shown(invoke, small_store, "e010")

    assert section(text, "2 print_job ids") == ["j0b6print6queue7item6a2b, j0b7print7queue7item7a2b"]
    assert "API key q8w2****" in section(text, "who")
    assert "callbackToken [REDACTED] [REDACTED]" in section(text, "what changed")


def test_correlated_entries_with_their_own_times_and_changes(invoke: Invoke, small_store: Path) -> None:
    text = shown(invoke, small_store, "e008")
    told = json.loads(shown(invoke, small_store, "e008", "--json"))

    assert [one["occurred_at"] for one in told["correlated"]] == [
        "2026-03-04T09:59:59.871Z",
        "2026-03-04T10:00:01.003Z",
    ]
    first = told["correlated"][0]["event_uid"]
    assert f"\n2 other entries with the same correlation id; the first of all is {first[:12]}\n" in text
    assert f"\n  changed by {first[:12]}\nfield" in text
    assert json.loads(shown(invoke, small_store, "e008", "--format", "json")) == told


def test_the_log_counts_beside_an_entry_how_many_belong_together(invoke: Invoke, small_store: Path) -> None:
    def table(detail: str) -> str:
        return invoke("events", "--source", "printago", "--detail", detail, "--store", small_store).stdout

    uid = json.loads(shown(invoke, small_store, "e008", "--json"))["event_uid"]
    said = "\n(2): one of two entries of one operation, and so on; `auditbook show` has all of it\n"

    together = table("printerSlot.assign")  # the third of the operation is not asked for, and counted
    assert f"   {uid[:12]} (3)\n" in together and said in together
    assert "(2)" not in table("printJob.retry")


def test_the_raw_line_its_place_and_where_it_came_from(invoke: Invoke, small_store: Path) -> None:
    told = json.loads(shown(invoke, small_store, "e010", "--json"))
    written = (ROOT / "tests" / "sources" / "printago.jsonl").read_bytes()
    begin = told["byte_offset"]

    assert written[begin : begin + len(told["raw"].encode())].decode() == told["raw"]
    assert told["line_sha256"] == hashlib.sha256(told["raw"].encode()).hexdigest()
    text = shown(invoke, small_store, "e010")
    assert (
        f"\nraw line printago.jsonl:{told['line']}:{begin}\nsha256 {told['line_sha256']}\n  {told['raw']}\n"
        in text
    )
    assert f"file sha256 {hashlib.sha256(written).hexdigest()}" in section(text, "where it comes from")
    assert told["loaded"]["commit_no"] == 1


def test_a_mail_with_its_exact_body(invoke: Invoke, log: Log, small_store: Path) -> None:
    row = log.sql(
        "SELECT event_uid, communications[1] AS m FROM events WHERE len(communications) > 0 LIMIT 1"
    ).pl()
    uid, message = row["event_uid"][0], row["m"][0]
    text = invoke("show", uid, "--store", small_store).stdout

    digest = hashlib.sha256(message["body"].encode()).hexdigest()
    assert f"body ({message['body_format']}, sha256 {digest}):\n" in text
    assert "".join(f"  {row}\n" for row in message["body"].split("\n")) in text


def test_the_findings_that_name_it(invoke: Invoke, log: Log, small_store: Path) -> None:
    finding = log.findings(limit=1).pl().to_dicts()[0]
    text = invoke("show", finding["events"][0], "--store", small_store).stdout

    assert finding["finding_id"] in text and finding["title"] in text
    assert finding["finding_id"] in [one["finding_id"] for one in log.event(finding["events"][0])["findings"]]


def test_the_beginning_of_a_uid_is_enough_and_too_little_says_what_to_type(log: Log) -> None:
    uids = sorted(log.events().pl()["event_uid"].to_list())
    alike = next((a, b) for a, b in pairwise(uids) if a[:2] == b[:2])

    assert log.event(uids[0][:8])["event_uid"] == log.event(uids[0].upper())["event_uid"] == uids[0]
    with pytest.raises(UsageError) as refused:
        log.event(alike[0][:2])
    assert str(refused.value).startswith(
        f'"{alike[0][:2]}" is the beginning of several events. Type more of it: {alike[0]}, {alike[1]}'
    )
    with pytest.raises(UsageError, match=r'"x+…" is no event of this store'):
        log.event("x" * 1_000_000)
    with pytest.raises(UsageError, match="is no event of this store"):
        log.event("' OR 1=1 --")
    with pytest.raises(
        UsageError, match=r'"f{32}" is no event of this store\. Type a uid or the beginning of one'
    ):
        log.event("f" * 32)


def test_stack_traces_keep_their_lines_and_nothing_acts_on_a_terminal(
    auditbook: Auditbook, tmp_path: Path
) -> None:
    record = {
        "id": "act_1", "organizationId": "org", "timestamp": 1772452800456, "type": "BACKGROUND_JOB",
        "status": "FAILED",
        "actor": "system", "userId": None, "action": "SYNC_STOCK", "event": "SYNC_STOCK", "entityType": None,
        "entityId": None, "before": None, "after": None,
        "metadata": {"error": "429\u001b[2J",
                     "stack": "RateLimitError: 429\n    at sync (jobs/square.ts:88:11)\u009b2J"},
    }  # fmt: skip
    put(tmp_path / "wine.jsonl", json.dumps(record).encode())
    assert auditbook("load", "wine.jsonl", "--source", "oncloudwine", "-q").returncode == 0
    text = auditbook("show", "act_1").stdout

    assert "\nstack trace\n  RateLimitError: 429\n      at sync (jobs/square.ts:88:11)\\u009b2J\n" in text
    assert "\x1b" not in text and "\x9b" not in text and "429\\u001b[2J" in text


def test_a_line_that_came_again_is_named(auditbook: Auditbook, tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1))
    put(tmp_path / "b.jsonl", line(2) + line(1))
    assert auditbook("load", "a.jsonl", "-q").returncode == 0
    assert auditbook("load", "b.jsonl", "-q").returncode == 0
    uid = json.loads(auditbook("events", "--format", "jsonl").stdout.splitlines()[-1])["event_uid"]

    assert "repeated in b.jsonl:2:" in " ".join(auditbook("show", uid).stdout.split())
