"""The nightly run as cron sees it: what it prints, what it notices, and that nothing to report is no failure."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import ROOT, Auditbook

PRINTAGO = ROOT / "tests" / "sources" / "printago.jsonl"
UTC_ASSUMED = (
    "auditbook: no timezone is configured: days, business hours and times without a zone are taken as UTC "
    "([organization] timezone in auditbook.toml)."
)


def test_a_night_without_any_event_is_no_failure(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "printago.jsonl").write_bytes(b"\n\n")

    done = auditbook("run", "printago.jsonl", "-q")

    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        UTC_ASSUMED,
        "auditbook: no report was written: the store holds no event yet.",
    ]
    assert not (tmp_path / "out").exists()
    assert auditbook("verify").returncode == 0


def test_a_night_of_nothing_but_rejects_says_so_in_numbers(auditbook: Auditbook, tmp_path: Path) -> None:
    (tmp_path / "printago.jsonl").write_bytes(b"{broken\n" * 3)

    done = auditbook("run", "printago.jsonl", "--source", "printago", "--json", "--max-rejects", "2")

    told = json.loads(done.stdout)
    assert told["lines"] == {"read": 3, "events": 0, "duplicates": 0, "rejects": 3, "blank": 0}
    assert (done.returncode, told["reports"]) == (4, [])


def test_other_settings_than_last_night_are_noticed(auditbook: Auditbook, tmp_path: Path) -> None:
    auditbook("run", PRINTAGO, "-q")
    (tmp_path / "auditbook.toml").write_text('[organization]\ntimezone = "Europe/Lisbon"\n')

    changed = auditbook("run", PRINTAGO, "-q")
    again = auditbook("run", PRINTAGO, "-q")

    sentence = (
        "auditbook: the settings are not those of the last run: every finding was judged again by these."
    )
    assert changed.stderr.splitlines() == [sentence]
    assert again.stderr == ""


def test_a_file_that_is_passed_over_is_a_reject_until_it_is_loaded(
    auditbook: Auditbook, tmp_path: Path
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "hoops.jsonl").write_bytes((ROOT / "tests" / "sources" / "hoops.jsonl").read_bytes())
    (folder / "strange.jsonl").write_text('{"what": "is this"}\n')

    first, second = (auditbook("load", "exports", "-q") for _ in range(2))

    assert (first.returncode, second.returncode) == (4, 4), "it is told every night"
    [reject] = map(json.loads, auditbook("rejects", "--format", "jsonl").stdout.splitlines())
    assert (reject["file"], reject["line"], reject["reason"]) == ("strange.jsonl", None, "file_skipped")
    assert reject["message"].startswith("no source was recognised from its first lines")

    auditbook("load", folder / "strange.jsonl", "--source", "generic", "-q")
    rejects = [json.loads(line) for line in auditbook("rejects", "--format", "jsonl").stdout.splitlines()]
    assert [(one["line"], one["reason"]) for one in rejects] == [(1, "missing_required")], (
        "now it is read line by line"
    )
