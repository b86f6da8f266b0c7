"""The review's numbers, worked out by hand from a dozen lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

import pytest

import reports
from pipeline import query
from pipeline.errors import AuditbookError, UsageError
from reports import completeness
from reports.completeness import Ledger
from tests import exports
from tests.reviews import AS_OF, SETTINGS, make


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[query.Log]:
    with query.open(make(tmp_path_factory.mktemp("review")), SETTINGS) as opened:
        yield opened


@pytest.fixture(scope="module")
def review(log: query.Log) -> reports.Review:
    return reports.review(log, as_of=AS_OF)


def test_the_numbers(review: reports.Review) -> None:
    model = review.model
    assert model.completeness.ledger == Ledger(read=12, events=8, duplicates=1, rejects=1, blank=2)
    assert (model.entries, model.actors) == (8, 1)
    assert model.cover.organization == "North & Sons"
    assert model.cover.period.since.utc == "2026-10-01 14:00:00"
    assert model.cover.period.since.local == "2026-10-01 10:00:00"
    assert model.cover.period.until.utc == "2026-10-08 16:00:01"
    assert model.cover.status == "DRAFT"
    (file,) = model.completeness.files
    assert (file.name, file.source, file.ledger.rejects) == ("printago.jsonl", "printago", 1)
    assert [(source.id, source.events) for source in model.sources] == [("printago", 8)]
    (reject,) = model.record.rejects
    assert (reject.line, reject.reason) == (6, "not_json")
    assert reject.byte_offset == 3 * len(exports.line(14)) + 1 + len(exports.line(38))


def test_the_verdict_names_its_reasons(review: reports.Review) -> None:
    complete = review.model.completeness
    assert complete.verdict == "FAIL"
    assert complete.reasons == (
        "printago.jsonl: 1 of 10 lines could not be read, more than 1% of the file.",
        "1 line could not be read; each is kept with its reason and byte offset.",
        "printago is silent on 1 working day: 7 October.",
    )
    (silence,) = complete.silence
    assert (silence.working_days, silence.active_days, silence.silent) == (6, 5, (date(2026, 10, 7),))
    (series,) = review.model.activity.by_day.series
    assert series.counts == (2, 2, 0, 0, 2, 1, 0, 1)
    assert series.silent == (6,)


def test_a_finding_leads_to_its_lines(review: reports.Review) -> None:
    (finding,) = [f for f in review.model.findings.full if f.rule == "logging_disabled"]
    assert (finding.severity, finding.state, finding.undecided) == ("critical", "new", True)
    first = finding.entries[0]
    assert (first.file, first.line, first.action) == ("printago.jsonl", 8, "auditLogs.disable")
    assert (first.at.utc, first.at.local) == ("2026-10-05 14:00:00", "2026-10-05 10:00:00")
    assert first.actor_details == ("from 203.0.113.9",)
    change, _ = first.changes
    assert (change.field, change.old.text, change.new.text) == ("auditLogsEnabled", "true", "false")
    assert review.model.findings.of("critical") == 1


def test_every_rule_says_what_it_looked_at(review: reports.Review) -> None:
    rules = {rule.id: rule for rule in review.model.rules}
    assert rules["logging_disabled"].status == "evaluated"
    assert rules["logging_disabled"].in_scope == 8
    assert rules["missing_approval"].status == "not evaluable"
    assert rules["missing_approval"].looked[0].why
    controls = {c.id: c for framework in review.model.controls for c in framework.controls}
    assert controls["10.7.2"].status == "needs review"
    assert "compliant" not in review.html().decode().lower()


def test_a_number_of_the_control_matrix_leads_to_what_it_counts(review: reports.Review) -> None:
    page = review.html().decode()
    rules = {rule.id: rule for rule in review.model.rules}
    [row] = re.findall(r'<tr><th scope="row">10\.7\.2</th>.*?</tr>', page)
    name = rules["logging_disabled"].name
    assert f'<a href="#rule-logging_disabled" title="Audit logging switched off">{name}</a>' in row
    assert '<strong>1</strong> of 1: <a href="#F-01">F-01</a>' in row
    widest = next(c.widest for f in review.model.controls for c in f.controls if c.id == "10.7.2")
    assert widest is not None
    assert f'<a href="#rule-{widest.id}">8</a>' in row


def test_a_day_with_findings_is_marked_and_named(review: reports.Review) -> None:
    days = review.model.activity.by_day
    [series] = days.series
    assert series.found == {4: ("F-01",)}, "Monday 5 October"
    assert days.found(4) == ("F-01",)
    page = review.html().decode()
    assert "<title>printago, 5 Oct: F-01</title>" in page
    assert "1 silent working day and 1 day with findings marked" in page
    assert (
        'href="log.html#actor_type=all&amp;source=printago&amp;since=2026-10-05&amp;until=2026-10-05"' in page
    )


def test_a_period_is_whole_local_days(log: query.Log) -> None:
    model = reports.review(log, since="2026-10-05", until="2026-10-06", as_of=AS_OF).model
    assert (model.cover.period.since.utc, model.cover.period.until.utc) == (
        "2026-10-05 04:00:00",
        "2026-10-07 04:00:00",
    )
    assert model.entries == 3
    with pytest.raises(UsageError, match=r'^"someday" is not a time\. '):
        reports.review(log, since="someday", as_of=AS_OF)
    with pytest.raises(UsageError, match=r"^The period ends \(2026-10-02 04:00Z\) before it begins"):
        reports.review(log, since="2026-10-05", until="2026-10-01", as_of=AS_OF)


def test_a_period_is_held_against_the_one_before_it(log: query.Log) -> None:
    compared = reports.review(log, since="2026-10-06", until="2026-10-06", as_of=AS_OF).model.compared
    assert compared.rows[:2] == (("Events", 2, 1), ("People and programs", 1, 1))
    assert (compared.since.local, compared.until.local) == ("2026-10-05 00:00:00", "2026-10-05 23:59:59")
    first = reports.review(log, since="2026-10-01", until="2026-10-02", as_of=AS_OF)
    assert first.model.compared.rows == ()
    assert "The store holds no event of the time before." in first.html().decode()


def test_what_was_found_clean_and_what_nobody_could_see_stand_apart(review: reports.Review) -> None:
    model = review.model
    clean, blind = ({rule.id for rule in rules} for rules in (model.clean, model.blind))
    assert "logging_disabled" not in clean, "it found something"
    assert "missing_approval" in blind
    assert not clean & {rule.id for rule in model.rules if rule.findings}
    (finding,) = [f for f in model.findings.full if f.rule == "logging_disabled"]
    assert all(other.case == finding.case for other in model.findings.beside(finding))


def test_final_needs_two_people(log: query.Log) -> None:
    final = reports.review(log, as_of=AS_OF, prepared_by="Ana Lima", reviewed_by="Bo Reed").model.cover
    assert final.status == "FINAL"
    assert reports.review(log, as_of=AS_OF, prepared_by="Ana Lima").model.cover.status == "DRAFT"
    with pytest.raises(UsageError, match=r'^"Ana Lima" cannot both prepare and review the report'):
        reports.review(log, as_of=AS_OF, prepared_by="Ana Lima", reviewed_by=" ana lima")


def test_the_identity_is_that_of_the_content(log: query.Log, review: reports.Review) -> None:
    again = reports.review(log, as_of=AS_OF).model.cover.report_id
    assert again == review.model.cover.report_id
    assert re.fullmatch(r"AB-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}", again)
    assert reports.review(log, as_of=AS_OF.replace(hour=7)).model.cover.report_id != again


def test_a_ledger_that_does_not_add_up_is_not_printed(
    log: query.Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = completeness._file

    def one_lost(*arguments: object) -> completeness.FileRow:
        row = counted(*arguments)  # type: ignore[arg-type]
        return completeness.FileRow(**{**vars(row), "ledger": Ledger(12, 7, 1, 1, 2)})

    monkeypatch.setattr(completeness, "_file", one_lost)
    with pytest.raises(AuditbookError) as error:
        reports.review(log, as_of=AS_OF)
    assert str(error.value) == (
        "printago.jsonl 12 lines read are not 7 events + 1 duplicates + 1 rejects + 2 blank. "
        "No report is written. Run: auditbook verify"
    )
