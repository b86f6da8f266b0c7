"""What a review says when the store was added to: files loaded again, events no rule saw, lines that came late."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

import reports
from pipeline import decide, detect, detector, query
from pipeline import load as loading
from pipeline.config import Config, from_dict
from pipeline.errors import AuditbookError
from reports import findings as findings_of
from reports.completeness import Ledger
from reports.model import Report
from tests import exports
from tests.exports import CONFIG
from tests.reviews import AS_OF, switched

Load = Callable[..., None]


@pytest.fixture
def load(store: Path, tmp_path: Path) -> Load:
    """Loads lines as one more export."""

    def load(name: str, *lines: bytes, config: Config = CONFIG, **options: str) -> None:
        path = exports.put(tmp_path / "in" / name, b"".join(lines))
        loading.load([path], store=store, config=config, **options)  # type: ignore[arg-type]

    return load


def review(store: Path, config: Config = CONFIG, **request: str) -> reports.Review:
    with query.open(store, config) as log:
        return reports.review(log, as_of=AS_OF, **request)


def page(one: reports.Review) -> str:
    """What a reader sees, without tags and on one line."""
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", one.html().decode(), flags=re.DOTALL)
    return re.sub(r"\s+([.,;:])", r"\1", " ".join(text.split()))


def signed(store: Path, tmp_path: Path) -> reports.Review:
    """A review that two people signed; the next commit's record tells of it."""
    with query.open(store, CONFIG) as log:
        one = reports.review(log, as_of=AS_OF, prepared_by="Ana Silva", reviewed_by="Dana Ruiz")
    vars(one)["without_pdf"] = "not wanted here"
    one.write(tmp_path / "out")
    return one


def controls(model: Report) -> set[str]:
    return {control.status for framework in model.controls for control in framework.controls}


def test_a_file_passed_over_and_loaded_later_adds_up(store: Path, tmp_path: Path) -> None:
    path = exports.put(
        tmp_path / "in" / "x.jsonl", b'{"createdAt": "2026-10-01T10:00:00Z", "id": "a"}\n{"id"\n'
    )
    loading.load([str(tmp_path / "in")], store=store, config=CONFIG)
    loading.load([path], store=store, config=CONFIG, source="printago")
    detect.detect(store, config=CONFIG)

    model = review(store).model
    assert [(file.source, file.ledger, file.commit_no) for file in model.completeness.files] == [
        ("printago", Ledger(read=2, events=1, duplicates=0, rejects=1, blank=0), 2),
        ("not recognised", Ledger(0, 0, 0, 0, 0), 1),
    ]
    assert model.completeness.ledger == Ledger(read=2, events=1, duplicates=0, rejects=1, blank=0)
    assert [reject.line for reject in model.record.rejects] == [2]
    assert not any("was not loaded" in reason for reason in model.completeness.reasons)


def test_the_same_file_of_two_tenants_adds_up(store: Path, load: Load) -> None:
    load("a.jsonl", exports.line(14), exports.line(15), b'{"id"\n', instance="north")
    load("a.jsonl", exports.line(14), exports.line(15), b'{"id"\n', instance="south")
    detect.detect(store, config=CONFIG)

    model = review(store).model
    assert [(file.ledger.read, file.ledger.rejects, file.commit_no) for file in model.completeness.files] == [
        (3, 1, 1),
        (3, 1, 2),
    ]
    assert (model.completeness.ledger.read, model.record.rejects_total) == (6, 2)


def test_a_file_that_nobody_loaded_is_an_exception(store: Path, tmp_path: Path) -> None:
    exports.put(tmp_path / "in" / "a.jsonl", exports.line(14))
    exports.put(tmp_path / "in" / "x.jsonl", b'{"what": 1}\n')
    loading.load([str(tmp_path / "in")], store=store, config=CONFIG)
    detect.detect(store, config=CONFIG)

    complete = review(store).model.completeness
    assert complete.verdict == "PASS WITH EXCEPTIONS"
    assert complete.reasons[0].startswith("x.jsonl was not loaded: ")


def test_rules_that_never_ran_are_said_first(store: Path, load: Load) -> None:
    load("a.jsonl", exports.line(14), exports.line(15))

    one = review(store)
    said = (
        "The rules have not been run: none has looked at the 2 events of this period. Run: auditbook detect"
    )
    assert (one.model.completeness.verdict, one.model.completeness.reasons[0]) == ("FAIL", said)
    assert f"1 Summary {said} 2 events of 1 known actor in 1 product." in page(one)
    assert "No finding was raised" not in page(one)
    assert {rule.status for rule in one.model.rules} == {"not run"}
    assert controls(one.model) == {"not evaluated"}


def test_events_that_no_rule_saw_are_said_first(store: Path, load: Load) -> None:
    load("a.jsonl", exports.line(14), exports.line(15))
    detect.detect(store, config=CONFIG)
    assert "evidence present" in controls(review(store).model)
    load("b.jsonl", exports.line(16), exports.line(15), switched(110, "disable", on=False))

    one = review(store)
    assert one.model.completeness.verdict == "FAIL"
    assert one.model.completeness.reasons[0] == (
        "2 events were loaded after the rules last ran (commit 2), 2 of them in this period: no rule saw them. "
        "Run: auditbook detect"
    )
    assert one.model.completeness.reasons[0] in page(one)
    assert controls(one.model) == {"not evaluated"}

    detect.detect(store, config=CONFIG)
    after = review(store).model
    assert after.completeness.unseen.short == ""
    assert after.findings.undecided == 1


def test_a_disabled_rule_is_not_an_evaluated_one(store: Path, load: Load) -> None:
    off = from_dict(
        {"organization": {"timezone": "UTC"}, "detectors": {"logging_disabled": {"enabled": False}}}
    )
    load("a.jsonl", exports.line(14))
    detect.detect(store, config=CONFIG)
    assert {rule.id: rule.status for rule in review(store).model.rules}["logging_disabled"] == "evaluated"
    detect.detect(store, config=off)

    one = review(store, off)
    rule = {rule.id: rule for rule in one.model.rules}["logging_disabled"]
    assert (rule.status, rule.in_scope, rule.looked) == ("disabled", 0, ())
    assert one.model.rules_idle == 1
    assert "Audit logging switched off everywhere: disabled" in page(one)
    (nobody,) = [c for f in one.model.controls for c in f.controls if c.id == "10.2.1.6"]
    assert [rule.id for rule in nobody.rules] == ["audit_log_deleted", "logging_disabled"]
    assert (nobody.status, nobody.why) == ("not evaluated", "logging_disabled is disabled")


def test_a_rule_that_failed_before_it_looked_is_named(
    store: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("a.jsonl", exports.line(14))
    evaluate = detector.evaluate

    def broken(connection: object, one: detector.Detector, *rest: object) -> object:
        if one.id == "bulk_delete":
            raise AuditbookError("no such column")
        return evaluate(connection, one, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(detector, "evaluate", broken)
    with pytest.raises(AuditbookError):
        detect.detect(store, config=CONFIG)

    one = review(store)
    assert one.model.rules_failed == 1
    assert "Many records deleted in a short time: failed; no such column." in page(one)
    assert [failure.where for failure in one.model.record.failures] == ["commit 2, all sources"]


def test_lines_that_come_after_the_signature_are_in_the_next_review(
    store: Path, load: Load, tmp_path: Path
) -> None:
    """Signed on the 1st; then the log of that day turns out to have been switched off, and a day follows."""
    load("a.jsonl", exports.line(8), exports.line(20))
    detect.detect(store, config=CONFIG)
    before = signed(store, tmp_path)
    load("late.jsonl", switched(12, "disable", on=False), switched(14, "enable", on=True))
    load("b.jsonl", exports.line(38))
    detect.detect(store, config=CONFIG)

    one = review(store)
    model = one.model
    assert model.cover.period.since.utc == "2026-10-01 20:00:01"
    assert model.entries == 1
    (finding,) = model.findings.full
    assert (finding.rule, finding.late, finding.start.utc) == (
        "logging_disabled",
        True,
        "2026-10-01 12:00:00",
    )
    assert model.completeness.late is not None
    assert (model.completeness.late.events, model.completeness.late.report_id) == (
        2,
        before.model.cover.report_id,
    )
    assert model.completeness.reasons[0].startswith(
        "2 events from before this period came after the signed review"
    )
    assert [(file.name, file.late) for file in model.completeness.files] == [
        ("b.jsonl", False),
        ("late.jsonl", True),
    ]
    assert model.completeness.ledger == Ledger(read=3, events=3, duplicates=0, rejects=0, blank=0)
    assert "late: before this period" in page(one)
    assert "1 finding is from before this period: their events came late." in page(one)
    assert {rule.id: rule.findings for rule in model.rules}["logging_disabled"] == 1


def test_nothing_since_the_signature_is_a_quiet_period(store: Path, load: Load, tmp_path: Path) -> None:
    load("a.jsonl", exports.line(8), exports.line(20))
    detect.detect(store, config=CONFIG)
    signed(store, tmp_path)
    load("late.jsonl", exports.line(9))
    detect.detect(store, config=CONFIG)

    one = review(store)
    assert (one.model.cover.period.since.utc, one.model.cover.period.until.utc) == (
        "2026-10-01 20:00:01",
        "2026-10-09 06:00:00",
    )
    assert one.model.entries == 0
    assert one.model.completeness.reasons == (
        "No file has an event in this period.",
        f"1 event from before this period came after the signed review {signed_id(one)} was made; the findings on "
        "them are in this one, marked late.",
        "printago has no event in this period; its last is of 1 October 2026.",
    )
    assert controls(one.model) == {"not evaluated"}


def signed_id(one: reports.Review) -> str:
    assert one.model.completeness.late is not None
    return one.model.completeness.late.report_id


def test_counts_of_the_whole_store_say_so(store: Path, load: Load) -> None:
    load("a.jsonl", exports.line(14), exports.line(62))
    detect.detect(store, config=CONFIG)

    (control,) = [
        c for f in review(store, since="2026-10-03").model.controls for c in f.controls if c.id == "10.3.4"
    ]
    assert (control.status, control.why) == (
        "evidence present",
        "2 of 5 rules evaluated, on up to 2 events in the whole store; nothing undecided; "
        "3 rules not evaluable in a source",
    )


def test_a_decision_on_something_that_changed_since(store: Path, load: Load) -> None:
    load("a.jsonl", exports.line(8), switched(12, "disable", on=False))
    detect.detect(store, config=CONFIG)
    with query.open(store) as log:
        ((finding,),) = log.sql("SELECT finding_id FROM findings").pl().rows()
    decide.decide(store, finding, status="accepted", by="Dana Ruiz", reason="Maintenance.")
    assert [f.undecided for f in review(store).model.findings.full] == [False]
    load("b.jsonl", switched(15, "enable", on=True))
    detect.detect(store, config=CONFIG)

    one = review(store)
    (changed,) = one.model.findings.full
    assert (changed.state, changed.undecided, changed.reopened, changed.confirmed) == (
        "changed",
        True,
        True,
        False,
    )
    assert (
        "changed since it was reviewed by Dana Ruiz; decided then: accepted by Dana Ruiz: Maintenance."
        in page(one)
    )
    assert "accepted changed since Dana Ruiz Maintenance." in page(one)


def test_decisions_are_listed_wherever_the_finding_is(
    store: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("a.jsonl", switched(12, "disable", on=False))
    detect.detect(store, config=CONFIG)
    with query.open(store) as log:
        ((finding,),) = log.sql("SELECT finding_id FROM findings").pl().rows()
    decide.decide(store, finding, status="escalated", by="Dana Ruiz", reason="Unexplained.")
    monkeypatch.setattr(findings_of, "IN_FULL", 0)
    monkeypatch.setattr(findings_of, "LISTED", 0)

    one = review(store)
    assert [(f.name, f.disposition) for f in one.model.findings.decided] == [("F-01", "escalated")]
    assert "F-01 Audit logging switched off escalated Dana Ruiz Unexplained. no end" in page(one)
    assert "Nobody has decided" not in page(one)
    assert 'href="#F-01"' not in one.html().decode(), "it is not told, so nothing leads to it"


def test_a_suppression_counts_its_own_findings(store: Path, load: Load) -> None:
    def suppression(actor: str, until: date = date(2027, 1, 1)) -> dict[str, object]:
        return {
            "detector": "logging_disabled",
            "owner": "Kim",
            "reason": "known",
            "actor": actor,
            "until": until,
        }

    config = from_dict(
        {
            "organization": {"timezone": "UTC"},
            "suppressions": [suppression("ana@example.com"), suppression("ben@example.com")],
        }
    )
    off = {"detailedAction": "auditLogs.disable", "entityType": "Settings", "entityId": "north"}
    load(
        "a.jsonl", exports.line(12, **off), exports.line(14, **{**off, "detailedAction": "auditLogs.enable"})
    )
    load("b.jsonl", exports.line(30, **off, actorEmail="cleo@example.com"))
    detect.detect(store, config=config)

    model = review(store, config).model
    assert [(one.actor, one.findings) for one in model.record.suppressions] == [
        ("ana@example.com", 1),
        ("ben@example.com", 0),
    ]
    assert [f.state for f in model.findings.full] == ["new"]


def test_without_configuration_the_cover_says_what_is_assumed(store: Path, load: Load) -> None:
    nothing = from_dict({})
    load("a.jsonl", exports.line(14), config=nothing)
    detect.detect(store, config=nothing)

    one = review(store, nothing)
    assert one.model.cover.organization == "Organization not named in the configuration"
    assert one.model.cover.assumed == "the zone UTC and the working hours Mon-Fri 08:00-18:00"
    assert "Assumed the zone UTC and the working hours Mon-Fri 08:00-18:00 not in the configuration" in page(
        one
    )
    assert ">None<" not in one.html().decode()


def test_no_name_of_a_day_or_a_month_is_the_machines() -> None:
    """strftime gives those in the language of the process, and a report is the same bytes everywhere."""
    sources = [p for p in Path(reports.__file__).parent.rglob("*") if p.suffix in (".py", ".j2")]
    assert len(sources) > 30
    assert [p.name for p in sources if re.search(r"%-?[aAbBpcxX]\b", p.read_text("utf-8"))] == []


def test_a_source_that_was_there_before_is_silent_from_the_first_day(store: Path, load: Load) -> None:
    """Thursday the 1st; then nothing on Monday and Tuesday the 5th and 6th, and every day up to the 16th."""
    days = [1, 7, 8, 9, 12, 13, 14, 15, 16]
    load("a.jsonl", *(exports.line(24 * (day - 1) + 10) for day in days))
    detect.detect(store, config=CONFIG)

    (silence,) = review(store, since="2026-10-06").model.completeness.silence
    assert (silence.not_covered, silence.silent, silence.steady) == ((), (date(2026, 10, 6),), True)
    (partly,) = review(store, since="2026-10-06T09:00:00Z").model.completeness.silence
    assert partly.silent == (), "half a day without events says nothing"


def test_a_tenant_that_fell_silent_is_no_pass(store: Path, load: Load) -> None:
    """Its product has entries on every working day, so no day of it is silent."""
    first = date(2026, 10, 5)
    lines = []
    for number in range(40 * 24):
        day, hour = first + timedelta(days=number // 24), number % 24
        if day.weekday() < 5 and 8 <= hour < 17:
            at = f"{day}T{hour:02d}:00:00.000Z"
            lines.append(exports.line(number, createdAt=at, storeId="s1"))
            if day < date(2026, 11, 7):
                lines.append(exports.line(number, createdAt=at, storeId="s2"))
    load("a.jsonl", *lines)
    detect.detect(store, config=CONFIG)

    complete = review(store, since="2026-11-02", until="2026-11-13").model.completeness
    assert complete.verdict == "PASS WITH EXCEPTIONS"
    assert [one for one in complete.reasons if "silent" in one] == [
        "printago (s2) fell silent on 6 November: no entry of s2 for more than 71 hours, in 8 half hours that have "
        "them."
    ]
    earlier = review(store, since="2026-10-05", until="2026-11-04").model.completeness
    assert [one for one in earlier.reasons if "silent" in one] == []
