"""Rules of one's own: docs/detection.md's example tested, run beside ours and instead of one of them, and on record."""

# ruff: noqa: E501 -- messages are compared whole, on one line

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import pipeline
import reports
from pipeline import detect, detector
from pipeline.config import Config, read
from pipeline.errors import AuditbookError, UsageError
from pipeline.load import load
from tests.conftest import ROOT, Auditbook
from tests.test_detect import deletion

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = (ROOT / "docs" / "detection.md").read_text("utf-8").split("## Writing a rule")[1].split("\n## ")[0]
[(_, SETTINGS), (_, RULE), (_, CASES), (_, TOLD)] = BLOCK.findall(PAGE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's files, as it says that they stand, and one export: four refunds of Ana's on one day."""
    (tmp_path / "rules").mkdir()
    (tmp_path / "auditbook.toml").write_text(SETTINGS, "utf-8")
    (tmp_path / "rules" / "many_refunds.sql").write_text(RULE, "utf-8")
    (tmp_path / "rules" / "many_refunds.cases.toml").write_text(CASES, "utf-8")
    export(tmp_path / "refunds.jsonl", 4)
    return tmp_path


def export(path: Path, many: int) -> None:
    refunds = [{**deletion(n, n), "action": "update", "detailedAction": "order.refund"} for n in range(many)]
    path.write_text("".join(json.dumps(one) + "\n" for one in refunds), "utf-8")


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_page_s_rule_is_tested_run_and_told(folder: Path, auditbook: Auditbook) -> None:
    tested = auditbook("detectors", "test", "rules")
    assert (tested.returncode, tested.stderr) == (0, "")
    assert tested.stdout.endswith(f"\n{TOLD}")

    run = auditbook("run", "refunds.jsonl", "--source", "printago", "--as-of", "2026-03-03")
    assert run.returncode == 0, run.stderr
    assert rows(auditbook("findings", "--detector", "many_refunds", "--format", "jsonl").stdout)[0] | {
        "finding_id": "", "case_id": "", "events": [],
    } == {
        "finding_id": "", "detector": "many_refunds", "severity": "high", "title": "Many refunds by one person",
        "key": "ana@example.com|2026-03-02", "subject": "ana@example.com", "window_start": "2026-03-02T10:00:00.000Z",
        "window_end": "2026-03-02T10:03:00.000Z", "observed": "4 refunds", "expected": "fewer than 3 on a day",
        "reason": "ana@example.com made 4 refunds.", "cleared_by": None, "events": [], "case_id": "", "state": "new",
        "disposition": None, "reviewed_by": None, "review_reason": None, "review_until": None, "suppressed_by": None,
        "suppression_reason": None, "suppressed_until": None, "first_commit": 2, "last_commit": 2,
    }  # fmt: skip
    [covered] = rows(
        auditbook("detectors", "coverage", "--detector", "many_refunds", "--format", "jsonl").stdout
    )
    assert (covered["sight"], covered["in_scope"]) == ("works", 4)

    listed = {
        row["detector"]: row for row in rows(auditbook("detectors", "list", "--format", "jsonl").stdout)
    }
    assert listed.keys() == {*detector.shipped(), "many_refunds"}
    assert (listed["many_refunds"]["from"], listed["bulk_delete"]["from"]) == ("own", "auditbook")
    shown = json.loads(auditbook("detectors", "show", "many_refunds", "--json").stdout)
    assert (shown["from"], shown["parameters"], shown["sql"]) == ("own", {"threshold": 3}, RULE)

    record = json.loads((folder / "store" / "commits" / "000002" / "record.json").read_bytes())
    assert record["content"]["rules"]["many_refunds"] == shown["sha256"]
    assert record["content"]["rule_texts"] == {shown["sha256"]: RULE}
    page = next((folder / "out").rglob("review.html")).read_text("utf-8")
    assert "Many refunds by one person" in page
    assert "theft that a shop has" in page

    shutil.rmtree(folder / "rules")  # what is on record needs the folder no more
    (folder / "auditbook.toml").unlink()
    assert auditbook("verify").stderr == ""
    again = auditbook("reperform", next((folder / "out").rglob("review.html")))
    assert (again.returncode, again.stderr) == (0, "")


def evaluated(folder: Path, store: Path) -> detect.DetectResult:
    config = settings(folder)
    load(
        [str(path) for path in sorted(folder.glob("*.jsonl"))], store=store, config=config, source="printago"
    )
    return detect.detect(store, config=config)


def settings(folder: Path, more: str = "") -> Config:
    (folder / "auditbook.toml").write_text(SETTINGS + more, "utf-8")
    return read(folder / "auditbook.toml")


def refunds(store: Path) -> list[tuple[str, str]]:
    with pipeline.open(store) as log:
        found = log.sql("SELECT observed, state FROM findings WHERE detector = 'many_refunds' ORDER BY ALL")
        return found.pl().rows()


def test_a_changed_rule_is_evaluated_again_and_one_that_went_takes_its_findings_along(
    folder: Path, store: Path
) -> None:
    assert evaluated(folder, store).new == 1
    assert evaluated(folder, store).commit is None, "nothing is new"
    (folder / "rules" / "many_refunds.sql").write_text(RULE.replace("' refunds' AS", "' refunds made' AS"))
    assert evaluated(folder, store).changed == 1
    assert refunds(store) == [("4 refunds made", "changed")]
    assert evaluated(folder, store).commit is None
    with pipeline.open(store) as log:
        kept = [link.content.get("rule_texts", {}) for link in log.chain if link.kind == "detect"]
    assert [len(texts) for texts in kept] == [1, 1]
    (folder / "auditbook.toml").unlink()
    assert detect.detect(store, config=read(None)).withdrawn == 1


def test_a_rule_with_the_id_of_ours_runs_instead_of_it(
    folder: Path, store: Path, auditbook: Auditbook
) -> None:
    (folder / "rules" / "many_refunds.sql").rename(folder / "rules" / "bulk_delete.sql")
    (folder / "auditbook.toml").write_text(
        '[detectors]\npath = "rules"\n[detectors.bulk_delete]\nthreshold = 4\n'
    )
    config = read(folder / "auditbook.toml")
    load([str(folder / "refunds.jsonl")], store=store, config=config, source="printago")
    assert detect.detect(store, config=config).new == 1
    with pipeline.open(store) as log:
        assert log.findings().pl()["title"].to_list() == ["Many refunds by one person"]
    told = "own, instead of auditbook's"
    assert told in auditbook("detectors", "list").stdout
    assert f"\nfrom {told}\n" in re.sub(" +", " ", auditbook("detectors", "show", "bulk_delete").stdout)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("broken", "SELECT 1", ":1 has no header. It begins with /* title = … */ in TOML."),
        ("Broken", RULE, " has a name that is no rule's id. Lower-case letters, digits and _, like many_refunds.sql."),
        ("broken", RULE.replace("FROM activity", "FROM activities"), ":30 \"activities\" is not a table that detectors may read."),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_read_fails_and_costs_no_line(
    folder: Path, store: Path, auditbook: Auditbook, name: str, text: str, why: str
) -> None:
    path = folder / "rules" / f"{name}.sql"
    path.write_text(text, "utf-8")
    run = auditbook("run", "refunds.jsonl", "--source", "printago", "--as-of", "2026-03-03")
    assert run.returncode == 1
    total = len(detector.shipped()) + 2
    assert (
        f"auditbook: 1 of {total} detectors failed; what was loaded stays loaded. rules/{name}.sql{why}"
        in run.stderr
    )
    assert refunds(store) == [("4 refunds", "new")], "what the others found is kept"
    listed = auditbook("findings").stderr
    assert (
        f"auditbook: the detector {name} failed in the newest evaluation, nothing new is found by it: rules/"
        in listed
    )
    path.write_text(RULE.replace("order.refund", "order.none"), "utf-8")
    if name == "broken":
        assert auditbook("detect").returncode == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[detectors.many_refund]\nenabled = false\n", '[detectors.many_refund]: "many_refund" is not a known detector. Did you mean many_refunds?'),
        ("[detectors.many_refunds]\ntreshold = 5\n", "[detectors.many_refunds] treshold: no such parameter. Known are: threshold. Did you mean threshold?"),
        ("[detectors.hidden]\nenabled = false\n", '[detectors.hidden]: "hidden" is not a known detector.'),
        ("[detectors.archive]\nenabled = false\n", '[detectors.archive]: "archive" is not a known detector.'),
        ('[[suppressions]]\ndetector = "many_refund"\nowner = "O"\nreason = "R"\nuntil = 2027-01-01\n', '[[suppressions]] 1 detector: "many_refund" is not a known detector. Did you mean many_refunds?'),
    ],
)  # fmt: skip
def test_settings_of_rules_of_ones_own_are_checked(folder: Path, more: str, message: str) -> None:
    text = SETTINGS.split("\n\n")[0] + "\n" + more
    (folder / "auditbook.toml").write_text(text, "utf-8")
    (folder / "rules" / ".hidden.sql").write_text(RULE, "utf-8")
    (folder / "rules" / "archive.sql").mkdir()
    with pytest.raises(UsageError) as refused:
        read(folder / "auditbook.toml")
    assert message in str(refused.value)


def test_what_stands_beside_rules_is_none_and_what_cannot_be_read_has_failed(
    folder: Path, auditbook: Auditbook
) -> None:
    rules = folder / "rules"
    (rules / "archive.sql").mkdir()
    (rules / ".#many_refunds.sql").symlink_to("ana@host.4242")  # as an editor marks a file that is open
    (rules / "._many_refunds.sql").write_bytes(b"\x00\x05")
    done = auditbook("run", "refunds.jsonl", "--source", "printago", "--as-of", "2026-03-03")
    assert done.returncode == 0, done.stderr

    (rules / "lost.sql").symlink_to("nowhere.sql")
    done = auditbook("detect")
    assert done.returncode == 1
    assert "rules/lost.sql: cannot be read: No such file or directory." in done.stderr
    assert auditbook("verify").returncode == 0


def test_what_a_rule_found_is_told_with_the_text_that_found_it(folder: Path, store: Path) -> None:
    evaluated(folder, store)
    (folder / "rules" / "many_refunds.sql").write_text(RULE.replace("SELECT", "SELEC"), "utf-8")
    with pytest.raises(AuditbookError, match="1 of 67 detectors failed"):
        detect.detect(store, config=settings(folder))

    with pipeline.open(store, settings(folder)) as log:
        told = reports.review(log, since="2026-03-01", until="2026-03-03").model
    [rule] = [one for one in told.rules if one.id == "many_refunds"]
    assert (rule.findings, rule.status, rule.sql) == (1, "failed", RULE)
    assert rule.sql_sha256 == hashlib.sha256(RULE.encode()).hexdigest()


def test_a_finding_names_events_that_are_there(folder: Path, auditbook: Auditbook) -> None:
    rule = folder / "rules" / "many_refunds.sql"
    rule.write_text(RULE.replace("list(event_uid)", "['nosuch', any_value(event_uid)]"), "utf-8")
    done = auditbook("run", "refunds.jsonl", "--source", "printago", "--as-of", "2026-03-03")
    assert done.returncode == 1
    assert "many_refunds: returns the finding with the key" in done.stderr
    assert "with events that are not in the store." in done.stderr
    assert rows(auditbook("findings", "--detector", "many_refunds", "--format", "jsonl").stdout) == []


def test_a_rule_that_is_gone_is_told_once(folder: Path, auditbook: Auditbook) -> None:
    (folder / "auditbook.toml").write_text(SETTINGS.split("\n\n")[0], "utf-8")
    export(folder / "refunds.jsonl", 20)
    auditbook("run", "refunds.jsonl", "--source", "printago", "--as-of", "2026-03-03")
    (folder / "rules" / "many_refunds.sql").unlink()
    done = auditbook("detect")
    told = "many_refunds: there is no such rule any more; what it found is withdrawn. Put its file back to have that again."
    assert (done.returncode, told in done.stderr) == (0, True)
    assert "1 withdrawn" in done.stdout
    assert told not in auditbook("detect").stderr


def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    shutil.rmtree(folder / "rules")
    with pytest.raises(AuditbookError) as refused:
        settings(folder)
    assert str(refused.value) == (
        f'{folder / "auditbook.toml"}:2 [detectors] path: "{folder / "rules"}" is not a folder. '
        "It holds your own rules, one .sql a rule."
    )


def test_cases_are_those_of_files_that_run(folder: Path, auditbook: Auditbook) -> None:
    (folder / "rules" / "._many_refunds.sql").write_bytes(b"\x00\x05")
    (folder / "rules" / "._many_refunds.cases.toml").write_bytes(b"\x00\x05")
    tested = auditbook("detectors", "test", "rules")
    assert (tested.returncode, tested.stderr) == (0, "")
    assert tested.stdout.endswith(f"\n{TOLD}")
