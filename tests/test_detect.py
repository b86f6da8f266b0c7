"""Findings live: new, open, changed, withdrawn, reviewed, suppressed; and a broken rule costs no line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import pipeline
from pipeline import activity, calendar, chain, decide, detect, detector, summary
from pipeline.config import Config, from_dict
from pipeline.errors import AuditbookError, UsageError
from pipeline.load import load
from tests.conftest import ROOT
from tests.exports import put

NIGHT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MARCH = datetime(2026, 3, 3, tzinfo=UTC)
ONLY_BULK_DELETE = {"bulk_delete": {"threshold": 5}} | {
    name: {"enabled": False} for name in detector.shipped() if name != "bulk_delete"
}
BROKEN = """/*
title = "Always broken"
severity = "low"
version = 1
why = "It shows what a broken rule costs."
false_positives = "None."
next_steps = "Mend it."
scope = "true"
needs = ["occurred_at"]
[controls]
soc2 = ["CC7.2"]
iso27001 = ["A.8.15"]
pci = ["10.4.1"]
hipaa = ["164.312(b)"]
nist = ["AU-6"]
*/
SELECT actor_key AS key, actor_key AS subject, occurred_at AS window_start, occurred_at AS window_end,
       'seen' AS observed, 'nothing' AS expected, 'Because.' AS reason, [event_uid] AS events
FROM events WHERE actor_key IS NULL
"""


def config(**tables: Any) -> Config:
    return from_dict({"detectors": ONLY_BULK_DELETE, **tables})


def deletion(number: int, minutes: float, email: str = "ana@example.com") -> dict[str, Any]:
    at = NIGHT + timedelta(minutes=minutes)
    return {
        "id": f"event{number:019d}", "storeId": "s1", "createdAt": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "actorType": "user", "actorId": f"id of {email}", "actorEmail": email, "action": "delete",
        "detailedAction": "part.delete", "entityType": "Parts", "entityId": f"part{number}", "entityIds": None,
        "ipAddress": "198.51.100.7", "userAgent": "test", "correlationId": None, "changes": None, "metadata": None,
    }  # fmt: skip


@pytest.fixture
def add(store: Path, tmp_path: Path) -> Callable[..., None]:
    """Loads records as one more export."""

    def add(*records: dict[str, Any], name: str = "printago.jsonl") -> None:
        (tmp_path / name).write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        load([str(tmp_path / name)], store=store, config=config(), source="printago")

    return add


def findings(store: Path) -> list[tuple[str, str, str]]:
    with pipeline.open(store) as log:
        return log.sql("SELECT subject, state, observed FROM findings ORDER BY subject, state").pl().rows()


def test_a_finding_is_new_then_open_then_changed(store: Path, add: Callable[..., None]) -> None:
    add(*(deletion(n, n) for n in range(5)))

    first = detect.detect(store, config=config())
    again = detect.detect(store, config=config())

    assert (first.new, first.changed, first.withdrawn) == (1, 0, 0)
    assert first.commit is not None
    assert (again.new, again.commit) == (0, None), "nothing had changed, nothing is committed"
    assert findings(store) == [("ana@example.com", "new", "5 records deleted, up to 5 within 60 minutes")]

    add(deletion(9, 600, "ben@example.com"), name="later.jsonl")
    later = detect.detect(store, config=config())
    assert (later.new, later.changed, later.withdrawn) == (0, 0, 0)
    assert findings(store) == [("ana@example.com", "open", "5 records deleted, up to 5 within 60 minutes")]

    add(deletion(5, 5), name="late.jsonl")
    changed = detect.detect(store, config=config())
    assert (changed.new, changed.changed, changed.withdrawn) == (0, 1, 0)
    assert findings(store) == [("ana@example.com", "changed", "6 records deleted, up to 6 within 60 minutes")]


def test_a_finding_that_no_longer_holds_is_withdrawn_and_may_come_again(
    store: Path, add: Callable[..., None]
) -> None:
    add(*(deletion(n, n) for n in range(5)))
    detect.detect(store, config=config())
    stricter = from_dict({"detectors": ONLY_BULK_DELETE | {"bulk_delete": {"threshold": 6}}})

    assert detect.detect(store, config=stricter).withdrawn == 1
    assert [state for _, state, _ in findings(store)] == ["withdrawn"]
    assert detect.detect(store, config=config()).new == 1
    assert [state for _, state, _ in findings(store)] == ["new"]
    assert chain.verify(store).ok


def test_a_review_stays_with_the_finding_until_its_day(store: Path, add: Callable[..., None]) -> None:
    add(*(deletion(n, n) for n in range(5)))
    detect.detect(store, config=config())
    with pipeline.open(store) as log:
        [finding] = log.findings().pl()["finding_id"].to_list()

    decide.decide(
        store,
        finding[:8],
        status="accepted",
        by="Rev Iewer",
        reason="Planned.",
        until=date(2026, 4, 30),
        as_of=MARCH,
    )

    with pipeline.open(store) as log:
        states = {}
        for day in ("2026-04-30", "2026-05-01"):
            log.con.execute(f"SET VARIABLE as_of = DATE '{day}'")
            states[day] = log.sql("SELECT state, reviewed_by, disposition FROM findings").pl().rows()
        assert states["2026-04-30"] == [("reviewed", "Rev Iewer", "accepted")]
        assert states["2026-05-01"] == [("new", None, None)]
        assert log.sql("SELECT status, reviewer, reason FROM dispositions").pl().rows() == [
            ("accepted", "Rev Iewer", "Planned.")
        ]
    assert chain.verify(store).ok


def test_a_decision_that_has_run_out_does_not_bring_back_the_one_before(
    store: Path, add: Callable[..., None]
) -> None:
    add(*(deletion(n, n) for n in range(5)))
    detect.detect(store, config=config())
    with pipeline.open(store) as log:
        [finding] = log.findings().pl()["finding_id"].to_list()

    decide.decide(store, finding, status="accepted", by="Rev Iewer", reason="Planned.")
    decide.decide(
        store,
        finding,
        status="escalated",
        by="Rev Iewer",
        reason="It was not.",
        until=date(2026, 4, 30),
        as_of=MARCH,
    )

    with pipeline.open(store) as log:
        log.con.execute("SET VARIABLE as_of = DATE '2026-05-01'")
        assert log.sql("SELECT state, disposition FROM findings").pl().rows() == [("new", None)]


def test_a_rule_that_is_switched_off_takes_its_findings_along(store: Path, add: Callable[..., None]) -> None:
    add(*(deletion(n, n) for n in range(5)))
    assert detect.detect(store, config=config()).new == 1
    off = from_dict({"detectors": {**ONLY_BULK_DELETE, "bulk_delete": {"enabled": False}}})

    assert detect.detect(store, config=off).withdrawn == 1
    assert detect.detect(store, config=off).commit is None
    assert [state for _, state, _ in findings(store)] == ["withdrawn"]
    assert detect.detect(store, config=config()).new == 1


def test_by_other_mappings_every_rule_is_judged_again(
    store: Path, add: Callable[..., None], tmp_path: Path
) -> None:
    add(*(deletion(n, n) for n in range(5)))
    mapping = tmp_path / "mappings" / "printago.toml"
    text = (ROOT / "schemas/sources/printago.toml").read_bytes()
    put(mapping, text)
    own = config(sources={"path": str(mapping.parent)})
    assert detect.detect(store, config=own).commit is not None
    assert detect.detect(store, config=own).commit is None

    put(mapping, text + b"# and a thought\n")

    assert detect.detect(store, config=own).commit is not None


def test_a_decision_is_about_the_finding_as_it_was(store: Path, add: Callable[..., None]) -> None:
    add(*(deletion(n, n) for n in range(5)))
    detect.detect(store, config=config())
    with pipeline.open(store) as log:
        [finding] = log.findings().pl()["finding_id"].to_list()
    decide.decide(store, finding, status="accepted", by="Rev Iewer", reason="Five were planned.")
    assert detect.detect(store, config=config()).commit is None, "a decision is no reason to evaluate again"

    add(*(deletion(n, n / 60) for n in range(5, 500)), name="late.jsonl")
    later = detect.detect(store, config=config())

    assert sum(later.open_by_severity.values()) == 1, "495 more deletions were not what was accepted"
    with pipeline.open(store) as log:
        assert log.sql("SELECT state, disposition, reviewed_by FROM findings").pl().rows() == [
            ("changed", "accepted", "Rev Iewer")
        ]
    decide.decide(store, finding, status="escalated", by="Rev Iewer", reason="Far too many.")
    assert [state for _, state, _ in findings(store)] == ["reviewed"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"status": "fine"}, '"fine" is not a status. Allowed are: accepted, false_positive, escalated.'),
        ({"by": " "}, "a decision needs a person and a reason. Give --by and --reason."),
        ({"finding_id": "ffff"}, '"ffff" is not a finding. `auditbook findings` lists them.'),
    ],
)
def test_a_review_that_cannot_be_recorded(
    store: Path, add: Callable[..., None], arguments: dict[str, str], sentence: str
) -> None:
    add(deletion(1, 1))
    given = {"finding_id": "0", "status": "accepted", "by": "R", "reason": "Because.", **arguments}

    with pytest.raises(UsageError) as refused:
        decide.decide(store, **given)

    assert str(refused.value) == sentence


def test_a_suppression_covers_every_spelling_of_a_person_until_its_day(
    store: Path, add: Callable[..., None]
) -> None:
    add(*(deletion(n, n) for n in range(5)))
    suppressed = config(
        actors={"Ana": {"aliases": ["ana@example.com"]}},
        suppressions=[
            {
                "detector": "*",
                "actor": "ana",
                "owner": "Ops",
                "reason": "Clean-up week.",
                "until": "2026-03-31",
            }
        ],
    )
    detect.detect(store, config=suppressed)

    with pipeline.open(store) as log:
        log.con.execute("SET VARIABLE as_of = DATE '2026-03-31'")
        assert log.sql("SELECT state, suppressed_by FROM findings").pl().rows() == [("suppressed", "Ops")]
        log.con.execute("SET VARIABLE as_of = DATE '2026-04-01'")
        assert log.sql("SELECT state, suppressed_by FROM findings").pl().rows() == [("new", None)]


@pytest.mark.parametrize(
    ("covers", "state"),
    [
        ({"actor": "ana@example.com"}, "new"),
        ({"actor": "nobody@example.com"}, "new"),
        ({"source": "hoops"}, "new"),
        ({"source": "printago"}, "suppressed"),
        ({}, "suppressed"),
    ],
)
def test_a_suppression_covers_no_more_than_it_says(
    store: Path, add: Callable[..., None], covers: dict[str, str], state: str
) -> None:
    """The finding rests on two people's events: Ana's suppression is not Ben's."""
    rule = {
        "detector": "logging_disabled",
        "owner": "Ops",
        "reason": "Known.",
        "until": "2099-12-31",
        **covers,
    }
    add(
        {
            **deletion(1, 0),
            "action": "update",
            "detailedAction": "auditLogs.disable",
            "entityType": "Settings",
        },
        {**deletion(2, 9, "ben@example.com"), "action": "update", "detailedAction": "auditLogs.enable"},
    )
    detect.detect(store, config=from_dict({"suppressions": [rule]}))

    with pipeline.open(store) as log:
        assert log.sql("SELECT state FROM findings WHERE detector = 'logging_disabled'").pl().rows() == [
            (state,)
        ]


def test_a_broken_detector_fails_every_run_until_it_is_mended(
    store: Path, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch, invoke: Callable[..., Result]
) -> None:
    add({**deletion(1, 1), "actorEmail": None, "actorId": None})
    rules = {"broken": detector.parse(BROKEN, name="broken", path="broken.sql")}
    monkeypatch.setattr(detector, "shipped", lambda: rules)
    heads = []
    for _ in range(3):
        with pytest.raises(AuditbookError, match=r"^1 of 1 detectors failed"):
            detect.detect(store, config=from_dict({}))
        heads.append(chain.verify(store).head)

    assert heads[1:] == heads[:2], "the failure is on record once"

    said = (
        "auditbook: the detector broken failed in the newest evaluation, nothing new is found by it: "
        "broken.sql returns a finding without key.\n"
    )
    for command in (["findings"], ["findings", "cases"], ["findings", "--json"], ["detectors", "list"]):
        told = invoke(*command, "--store", store)
        assert (told.exit_code, told.stderr) == (0, said), command
    assert json.loads(invoke("findings", "--json", "--store", store).stdout) == []
    assert invoke("detectors", "list", "--store", "elsewhere").stderr == "", "there is no store to ask"

    monkeypatch.setattr(detector, "shipped", lambda: {})
    detect.detect(store, config=from_dict({}))
    assert invoke("findings", "--store", store).stderr == ""


def test_a_broken_detector_fails_the_run_and_costs_no_line(
    store: Path, add: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(*(deletion(n, n) for n in range(5)))
    broken = {**deletion(7, 7), "actorEmail": None, "actorId": None}
    (tmp_path / "more.jsonl").write_text(json.dumps(broken) + "\n")
    rules = {**detector.shipped(), "broken": detector.parse(BROKEN, name="broken", path="broken.sql")}
    monkeypatch.setattr(detector, "shipped", lambda: rules)

    with pytest.raises(AuditbookError) as failed:
        pipeline.run(
            [str(tmp_path / "more.jsonl")], store=store, out=tmp_path / "out", config=config_file(tmp_path)
        )

    assert str(failed.value) == (
        "1 of 2 detectors failed; what was loaded stays loaded. "
        "broken.sql returns a finding without key. Mend or disable them, then run again."
    )
    assert failed.value.exit_code == 1
    assert not (tmp_path / "out").exists(), "a broken rule stops the run"
    with pipeline.open(store) as log:
        assert log.events().count() == 6
        assert log.sql(
            "SELECT detector, status, error FROM detector_coverage WHERE status = 'failed'"
        ).pl().rows() == [("broken", "failed", "broken.sql returns a finding without key.")]
        assert log.findings().count() == 1, "what the other detectors found is kept"

    monkeypatch.undo()
    mended = pipeline.run(
        [str(tmp_path / "more.jsonl")], store=store, out=tmp_path / "out", config=config_file(tmp_path),
        as_of=datetime(2026, 3, 3, tzinfo=UTC),
    )  # fmt: skip
    assert mended.detected.failed == ()
    page = mended.reports[0].read_text("utf-8")
    assert "broken.sql returns a finding without key." in page, "the next report says so"


def test_every_detector_says_what_it_could_see(store: Path, add: Callable[..., None]) -> None:
    add(*(deletion(n, n) for n in range(3)))
    detect.detect(store, config=from_dict({}))

    with pipeline.open(store) as log:
        seen = dict(log.sql("SELECT detector, status FROM detector_coverage").pl().rows())
        why = dict(log.sql("SELECT detector, why FROM detector_coverage").pl().rows())
    assert set(seen) == set(detector.shipped())
    assert seen["bulk_delete"] == "evaluated"
    assert seen["failed_job"] == "not_evaluable"
    assert why["failed_job"] == "None of its 3 events is in scope."


ZONES = (
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/St_Johns",
    "UTC",
)


@pytest.mark.parametrize("zone", ZONES)
def test_habits_have_the_day_and_the_hour_that_their_events_have(
    store: Path, add: Callable[..., None], zone: str
) -> None:
    """Where the clock is a quarter of an hour off, too; through the nights in which the clocks of Chatham change."""
    add(*(deletion(n, 5 + n * 15) for n in range(96 * 45)))
    detect.detect(store, config=config(organization={"timezone": zone}))

    told = "local_date::VARCHAR AS day, hour, is_business_hours, is_holiday"
    with pipeline.open(store) as log:
        events = log.sql(f"SELECT {told}, count(*)::BIGINT AS n FROM activity GROUP BY ALL ORDER BY ALL")
        habits = log.sql(f"SELECT {told}, sum(n)::BIGINT AS n FROM habits GROUP BY ALL ORDER BY ALL")
        assert habits.pl().rows() == events.pl().rows()
        [first] = log.sql("SELECT min(local_date || ' ' || hour) AS first FROM habits").pl()["first"]
    assert zone != "Asia/Kathmandu" or first == "2026-03-02 15"


@pytest.mark.parametrize(("zone", "days"), [("Asia/Kathmandu", 5), ("Asia/Kolkata", 4), ("UTC", 4)])
def test_coverage_counts_the_days_that_people_have(
    store: Path, add: Callable[..., None], zone: str, days: int
) -> None:
    """The last event is at 18:20 of UTC: past midnight in Kathmandu, not yet in Kolkata."""
    add(*(deletion(n, n * 24 * 60) for n in range(4)), deletion(9, 3 * 24 * 60 + 8 * 60 + 20))
    detect.detect(store, config=from_dict({"organization": {"timezone": zone}}))
    with pipeline.open(store) as log:
        [why] = log.sql("SELECT why FROM detector_coverage WHERE detector = 'off_hours' AND newest").pl()[
            "why"
        ]
    told = "Nobody has the 10 earlier days of activity that a judgement needs"
    assert why == f"{told} (the most: {days - 1})."


def test_what_an_older_version_counted_is_counted_again(
    store: Path, add: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half hours, as they were, tell another day than Kathmandu's of what was deleted at five past midnight."""
    add(*(deletion(n, 8 * 60 + 20 + n / 6) for n in range(5)))
    made = config(organization={"timezone": "Asia/Kathmandu"})
    monkeypatch.setattr(calendar, "step", lambda _: 30)
    for module in (activity, summary):
        monkeypatch.setattr(module, "VERSION", "older")
        monkeypatch.setattr(module, "HALVES", "older/30")
    detect.detect(store, config=made)
    monkeypatch.undo()

    again = detect.detect(store, config=made)
    assert again.commit is not None
    assert {"habits.parquet", "places.parquet", "days.parquet", "sightings.parquet"} <= again.commit.content[
        "files"
    ].keys()
    with pipeline.open(store) as log:
        days = log.sql(
            "SELECT DISTINCT local_date::VARCHAR AS day, sum(n)::BIGINT AS n FROM habits GROUP BY ALL"
        )
        assert days.pl().rows() == [("2026-03-03", 5)]
    assert detect.detect(store, config=made).commit is None
    assert chain.verify(store).ok


def test_habits_are_quarters_once_somebody_s_clock_is_a_quarter_off(
    store: Path, add: Callable[..., None]
) -> None:
    def slots() -> list[str]:
        with pipeline.open(store) as log:
            found = log.sql(
                "SELECT DISTINCT strftime(slot, '%H:%M') AS began FROM habits ORDER BY began"
            ).pl()["began"]
        return found.to_list()

    def counted() -> int:
        with pipeline.open(store) as log:
            return int(log.sql("SELECT sum(n)::BIGINT AS n FROM habits").pl()["n"][0])

    add(deletion(1, 5), deletion(2, 20), deletion(3, 35))
    detect.detect(store, config=config())
    assert (slots(), counted()) == (["10:00", "10:30"], 3)
    detect.detect(store, config=config(actors={"ana@example.com": {"timezone": "Asia/Kathmandu"}}))
    assert (slots(), counted()) == (["10:00", "10:15", "10:30"], 3)
    detect.detect(store, config=config())
    assert slots() == ["10:00", "10:15", "10:30"], "what is finer will do"
    assert counted() == 3, "nobody's past counts twice"


def config_file(folder: Path) -> Path:
    """The same configuration as a file, with only the two detectors of the test enabled."""
    path = folder / "auditbook.toml"
    lines = [
        f"[detectors.{name}]\nenabled = false\n"
        for name in detector.shipped()
        if name not in ("bulk_delete", "broken")
    ]
    path.write_text("".join(lines) + "[detectors.bulk_delete]\nthreshold = 5\n")
    return path
