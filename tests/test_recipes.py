"""Recipes answer what they say, name the planted incidents, and say what they could not see."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from markupsafe import escape

import pipeline
import reports
from pipeline import recipefile
from pipeline.errors import AuditbookError, UsageError
from pipeline.query import Log
from reports.kindfile import kinds
from tests.conftest import COMMAND

Invoke = Callable[..., Result]
RECIPES = [
    "access-review", "accounting-check", "approval-evidence", "automated-behaviour", "automation-runs",
    "communication-evidence", "conflicts", "contributors", "critical-actions", "dwell", "exported-without-approval",
    "failed-jobs", "hand-overs", "impersonated-actions", "ip-story", "leaver-check", "preflight-trace",
    "printer-connectivity", "runs", "stage-coverage", "state", "support-bundle", "user-day",
    "when-value", "who-tagged", "why-status",
]  # fmt: skip


def craft(
    number: int, at: str, kind: str, actor: dict[str, str] | None = None, job: str = "job_9", **data: Any
) -> Any:
    return {"id": f"evt_{number}", "organizationId": "o", "jobId": job, "eventType": kind,
            "createdAt": f"2026-05-{at}Z", "actor": actor or {"type": "user", "id": "u1", "name": "Ada"}, "data": data,
            "ip": "198.51.100.9"}  # fmt: skip


def issue(item: str, code: str) -> dict[str, str]:
    return {"itemId": item, "code": code, "severity": "error"}


def wine(number: int, at: int, kind: str, status: str, action: str, **more: Any) -> Any:
    blank = {
        "actor": "Greta",
        "userId": "usr_g",
        "entityType": None,
        "entityId": None,
        "before": None,
        "after": None,
    }
    return {"id": f"act_{number}", "organizationId": "w", "timestamp": 1777600000000 + at * 1000, "type": kind,
            "status": status, "action": action, "event": action, **blank, "metadata": None, **more}  # fmt: skip


def printer(number: int, at: str, detail: str, who: str = "lee@example.com", **more: Any) -> Any:
    one = {"id": f"{number:024d}", "storeId": "s" * 24, "createdAt": f"2026-05-{at}Z", "actorType": "user",
           "actorId": who, "actorEmail": who, "action": "update", "detailedAction": detail, "entityType": "Printers",
           "entityId": "p" * 24,
           "entityIds": None, "ipAddress": "192.0.2.9", "userAgent": None, "correlationId": None, "reason": None,
           "changes": {}, "metadata": None, "impersonatedBy": None, "apiKeyId": None}  # fmt: skip
    return {**one, **more}


CUSTOMER = {"type": "customer", "email": "kim@example.net"}
FIVE = ["i1", "i2"]
LINES = {
    "craftstage": [
        craft(1, "04T08:00:00", "items_parsed", itemIds=FIVE),
        craft(2, "04T08:01:00", "proofs_generated", proofIds=["p1", "p2"], itemIds=FIVE),
        craft(3, "04T09:00:00", "preflight_completed", errorCount=2, warningCount=0,
              issues=[issue("i1", "OVERFLOW"), issue("i2", "MISSING_REQUIRED")]),
        craft(4, "04T10:30:00", "preflight_completed", errorCount=1, warningCount=0,
              issues=[issue("i2", "MISSING_REQUIRED")]),
        craft(5, "05T10:30:00", "preflight_completed", errorCount=1, warningCount=0, issues=[issue("i1", "OVERFLOW")]),
        craft(6, "05T11:00:00", "items_approved", CUSTOMER, itemIds=FIVE, approvalLinkId="apl_1"),
        craft(7, "05T12:00:00", "revision_requested", CUSTOMER, proofId="p2", itemId="i2", note="bigger"),
        craft(8, "05T13:00:00", "export_created", exportId="exp_1", withoutApproval=False),
        craft(9, "05T14:00:00", "preflight_completed", errorCount=3, warningCount=0),
        craft(10, "06T08:00:00", "export_created", job="job_10", exportId="exp_2", withoutApproval=True),
    ],
    "oncloudwine": [
        wine(1, 0, "USER_ACTION", "SUCCESS", "created", entityType="CONTACT", entityId="c1",
             after={"tags": ["Local"], "status": "ACTIVE"}),
        wine(2, 60, "USER_ACTION", "SUCCESS", "tags added", entityType="CONTACT", entityId="c1",
             before={"tags": ["Local"]}, after={"tags": ["Local", "VIP"]}),
        wine(3, 120, "USER_ACTION", "SUCCESS", "tags removed", entityType="CONTACT", entityId="c1",
             before={"tags": ["Local", "VIP"]}, after={"tags": ["Local"]}),
        wine(4, 200, "BACKGROUND_JOB", "FAILED", "SYNC_SQUARE_STOCK", actor="system", userId=None,
             metadata={"jobRunId": "run_1", "error": "timeout after 31 s", "retryable": True, "stack": "Error\n at a"}),
        wine(5, 300, "USER_ACTION", "SUCCESS", "retried", entityType="BACKGROUND_JOB", entityId="run_1"),
        wine(6, 400, "BACKGROUND_JOB", "FAILED", "SYNC_SQUARE_STOCK", actor="system", userId=None,
             metadata={"jobRunId": "run_2", "error": "timeout after 45 s", "retryable": True}),
        wine(7, 500, "USER_ACTION", "SUCCESS", "status changed", entityType="RELEASE", entityId="r1",
             before={"stage": "PENDING"}, after={"stage": "CANCELLED"},
             metadata={"reason": "frost", "jobRunId": "run_x"}),
        wine(8, 501, "USER_ACTION", "SUCCESS", "removed", event="Team member removed", entityType="TEAM_MEMBER",
             entityId="lee@example.com", before={"role": "MEMBER"}, after={}),
        wine(9, 502, "USER_ACTION", "SUCCESS", "updated", entityType="RELEASE", entityId="r1", before={"n": 1},
             after={"n": 2}, metadata={"jobRunId": "run_x"}),
    ],
    "printago": [
        printer(1, "04T08:00:00.000", "printer.offline"), printer(2, "04T08:05:00.000", "printer.online"),
        printer(3, "04T09:00:00.000", "printer.offline"), printer(4, "04T09:10:00.000", "printer.offline"),
        printer(5, "04T09:30:00.000", "printer.online"), printer(6, "04T10:00:00.000", "printer.update"),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def hand_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the lines above; Lee's last day was 3 May."""
    folder = tmp_path_factory.mktemp("recipes")
    for source, records in LINES.items():
        text = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{source}.jsonl").write_text(text, "utf-8")
    settings = '[actors."lee@example.com"]\nname = "Lee"\nleft_on = 2026-05-03\n'
    (folder / "auditbook.toml").write_text(settings, "utf-8")
    files = [str(folder / f"{source}.jsonl") for source in LINES]
    subprocess.run([str(COMMAND), "load", *files, "-q"], cwd=folder, check=True, timeout=120)
    return folder / "store"


@pytest.fixture
def log(sample_store: Path) -> Iterator[Log]:
    with pipeline.open(sample_store) as opened:
        yield opened


@pytest.fixture
def made(hand_made: Path) -> Iterator[Log]:
    with pipeline.open(hand_made) as opened:
        yield opened


def rows(answer: Any, *columns: str) -> list[Any]:
    return [tuple(row) if len(columns) > 1 else row[0] for row in answer.pl().select(columns).rows()]


def test_the_folder_is_the_registry_and_every_recipe_says_what_it_is() -> None:
    assert [*recipefile.shipped()] == RECIPES
    for one in recipefile.shipped().values():
        texts = (one.title, one.question, one.answers, one.reading, one.next_steps, one.scope_name)
        assert all(len(text) > 5 for text in texts), one.name
        assert (one.question.endswith("?") and (one.target == "none") == (not one.example)) or one.whole, (
            one.name
        )


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_has_its_columns_and_says_what_it_saw(log: Log, name: str) -> None:
    one = recipefile.shipped()[name]
    target = {"entity": "job:J-2222", "person": "Caleb Whitaker", "address": "192.0.2.214"}.get(one.target)
    must = {key: "x" for key, parameter in one.parameters.items() if parameter.default is None}
    answer = log.recipe(name, target, **must)

    assert answer.pl().columns == [*one.columns]
    assert any("the log reaches from 2026-10-01 " in told for told in answer.sight)
    assert any(one.scope_name in told for told in answer.sight)
    if one.optional_target or one.target == "none":
        assert log.recipe(name, **must).count() >= answer.count() - 1
    assert f"<b>{escape(one.title)}</b>" in answer._repr_html_()


def test_approval_evidence_names_proof_link_line_and_what_came_later(made: Log) -> None:
    answer = made.recipe("approval-evidence", "job:job_9")

    assert rows(answer, "item", "proof", "decision", "who", "link", "stands") == [
        ("i1", "p1", "approve", "kim@example.net", "apl_1", True),
        ("i2", "p2", "approve", "kim@example.net", "apl_1", False),
        ("i2", "p2", "request_change", "kim@example.net", None, True),
    ]
    assert rows(answer, "later")[1] == "request_change by kim@example.net at 2026-05-05 12:00:00Z"
    [(raw_hash,)] = (
        made.sql("SELECT line_sha256 FROM event_lines WHERE event_uid = ?", [rows(answer, "event")[0]])
        .pl()
        .rows()
    )
    assert rows(answer, "line_sha256")[0] == raw_hash and rows(answer, "file", "line")[0] == (
        "craftstage.jsonl",
        6,
    )


def test_anonymous_approvals_are_said_to_be(log: Log) -> None:
    answer = log.recipe("approval-evidence", "job:job_2041")

    assert set(rows(answer, "who")) == {"Anonymous"} and set(rows(answer, "link")) == {"apl_2041_1"}
    assert "1 decisions were made by somebody without a name or an address." in answer.sight


def test_preflight_issues_have_their_resolution_and_their_return(made: Log) -> None:
    answer = made.recipe("preflight-trace", "job:job_9")
    issues = [row for row in answer.pl().to_dicts() if row["what"] == "issue"]

    assert [(row["item"], row["code"], row["open_for"]) for row in issues] == [
        ("i1", "OVERFLOW", "01:30:00"), ("i2", "MISSING_REQUIRED", "1d 01:30:00"), ("i1", "OVERFLOW", "03:30:00"),
    ]  # fmt: skip
    assert [row["errors"] for row in answer.pl().to_dicts() if row["what"] == "run"] == [2, 1, 1, 3]
    assert "1 runs count issues without listing them; when those were resolved is not known." in answer.sight


def test_stages_that_left_no_entry_are_named(log: Log) -> None:
    answer = log.recipe("stage-coverage", "job:job_2057")
    assert rows(answer, "stage", "seen") == [
        ("parsing", "entered"), ("proofing", "entered"), ("approved", "no entry"), ("completed", "no entry"),
        ("draft", "begun with"), ("exported", "no entry"), ("pending approval", "no entry"),
        ("production ready", "no entry"),
    ]  # fmt: skip


def test_exports_are_judged_by_mark_and_by_approvals(log: Log, made: Log) -> None:
    answer = log.recipe("exported-without-approval")
    assert rows(answer, "about", "marked", "items", "unapproved", "verdict")[:3] == [
        ("job:job_2057", True, 6, 6, "without approval: mark and approvals agree"),
        ("job:job_2076", False, 12, 3, "disagree: not marked, but not every item was approved"),
        *[(job, False, n, 0, "approved") for job, n in rows(answer, "about", "items")[2:3]],
    ]
    assert rows(made.recipe("exported-without-approval"), "export", "which", "verdict") == [
        ("exp_1", "i2", "disagree: not marked, but not every item was approved"),
        ("exp_2", None, "marked as without approval; no item is known to check it by"),
    ]


def test_who_tagged_and_when_a_value_came_and_went(made: Log) -> None:
    vip = made.recipe("when-value", "contact:c1", field="Tags", value="vip")
    assert rows(vip, "what", "who") == [("got", "Greta"), ("lost", "Greta")]
    assert json.loads(rows(vip, "new")[0]) == ["Local", "VIP"]
    assert rows(made.recipe("who-tagged", "contact:c1"), "tag", "what") == [
        ("local", "given"), ("vip", "given"), ("vip", "taken"),
    ]  # fmt: skip
    assert made.recipe("who-tagged", "contact:c1", tag="VIP").count() == 2
    assert made.recipe("when-value", "contact:c1", field="tags", value="platinum").count() == 0


def test_why_a_status_with_its_reason_and_its_operation(made: Log) -> None:
    answer = made.recipe("why-status", "release:r1", status="cancelled")

    assert rows(answer, "role", "who", "reason") == [
        ("change", "Greta", "frost"), ("same operation", "Greta", None),
    ]  # fmt: skip
    assert rows(answer, "what_changed")[0] == 'stage: "PENDING" -> "CANCELLED"'


def test_what_came_before_a_status_is_counted(log: Log) -> None:
    answer = log.recipe("why-status", "sales_doc:Q-10472", status="Accepted", before="2")
    assert rows(answer, "role", "did") == [
        ("before", "Status changed"), ("before", "Totals updated"), ("change", "SalesDoc converted to Job"),
    ]  # fmt: skip


def test_a_day_is_the_organizations_and_marks_what_is_new(log: Log) -> None:
    answer = log.recipe("user-day", "caleb@fernhollow.example", day="2026-10-21")
    late = [row for row in answer.pl().to_dicts() if row["local_time"] > "23:00:00"]
    assert (late[0]["local_time"], late[0]["first"]) == ("23:36:00", "address")
    lena = log.recipe("user-day", "Lena Fuchs", day="2026-10-05")
    assert rows(lena, "first")[0].startswith("person, source")
    nothing = log.recipe("user-day", "Lena Fuchs", day="2026-10-04")
    assert (nothing.count(), nothing.sight[0]) == (0, "The day is 2026-10-04, in America/New_York.")
    before = {"as_of": "2026-10-06T20:00Z", "day": "yesterday"}
    assert rows(log.recipe("user-day", "Lena Fuchs", **before), "event") == rows(lena, "event")


def test_failed_jobs_have_a_next_step_and_a_bundle_for_support(log: Log, made: Log) -> None:
    [job] = made.recipe("failed-jobs").pl().to_dicts()
    assert (job["failures"], job["retried"], job["recovered_at"]) == (2, 1, None)
    assert job["next_step"] == "retry it from its entry in the product"
    assert rows(made.recipe("failed-jobs", recurring=2), "next_step") == [
        "recurring: send the entry ids to support"
    ]
    assert rows(log.recipe("failed-jobs"), "job", "failures", "next_step")[0] == (
        "SYNC_SQUARE_STOCK", 5, "nothing: a later run succeeded",
    )  # fmt: skip
    bundle = made.recipe("support-bundle", job="sync_square_stock")
    assert rows(bundle, "entry_id", "run", "stack") == [
        ("act_4", "run_1", "Error\n at a"),
        ("act_6", "run_2", None),
    ]


def test_printers_off_line_flaps_and_entries_that_repeat(made: Log) -> None:
    [one] = made.recipe("printer-connectivity", as_of="2026-05-04T10:00:00Z").pl().to_dicts()

    assert (one["offline"], one["flaps"], one["offline_minutes"], one["longest_minutes"]) == (
        2,
        1,
        35.0,
        30.0,
    )
    assert (one["unpaired"], one["reachable"], one["down_since"]) == (1, 70.83, None)
    assert rows(made.recipe("printer-connectivity", flap_minutes=5), "flaps") == [0]
    [now] = made.recipe("printer-connectivity", as_of="2026-05-04T09:20:00Z").pl().to_dicts()
    assert (now["offline"], now["offline_minutes"]) == (2, 25.0) and now["down_since"] is not None


def test_who_acted_in_whose_name(log: Log) -> None:
    answer = log.recipe("impersonated-actions")
    assert set(rows(answer, "impersonator", "acted_as", "reason")) == {
        ("support@printago-support.example", "nkechi@fernhollow.example", "case 30411")
    }
    assert rows(answer, "changed") == ["variantId", "accessCode [REDACTED]", "status"]


def test_critical_actions_by_class(log: Log) -> None:
    permission = log.recipe("critical-actions", **{"class": "permission"})
    assert rows(permission, "source", "did") == [
        ("printago", "member.updateRole"), ("printago", "member.remove"), ("oncloudwine", "Team member removed"),
        ("bswagic", "Setting Updated"), ("bswagic", "Setting Updated"),
    ]  # fmt: skip
    deleted = log.recipe("critical-actions", **{"class": "deletion"}, source="bswagic").pl()
    assert deleted.height == 32 and deleted["things"].drop_nulls().to_list() == [1] * 31


def test_communication_evidence_has_the_exact_text_and_its_hash(log: Log) -> None:
    answer = log.recipe("communication-evidence", "sales_doc:Q-10472")
    first = answer.pl().row(0, named=True)

    assert answer.count() == 7 and set(rows(answer, "intact")) == {True}
    assert (first["subject"], first["file"]) == ("Your quote Q-10472", "hoops.jsonl")
    [(body, line)] = log.sql("""SELECT m.body, l.line_sha256 FROM event_messages m JOIN event_lines l USING (event_uid)
      WHERE event_uid = ?""", [first["event"]]).pl().rows()  # fmt: skip
    assert (first["body"], first["line_sha256"]) == (body, line)
    assert log.recipe("communication-evidence", source="bswagic").sight[-3] == (
        "740 entries tell of a message without its content."
    )


def test_the_invoice_that_was_never_sent_comes_first(log: Log) -> None:
    answer = log.recipe("accounting-check")
    assert rows(answer, "invoice", "verdict", "total")[0] == ("INV-2217", "created, never sent", "$520.00")
    assert rows(answer, "verdict").count("created, never sent") == 1
    assert rows(log.recipe("accounting-check", "invoice:INV-2217"), "verdict") == ["created, never sent"]


def test_rules_by_what_they_triggered(log: Log) -> None:
    assert rows(log.recipe("automation-runs"), "rule", "triggered", "did")[:2] == [
        ("rul_14", 44, "SMS sent x44"), ("rul_11", 19, "Email sent x19"),
    ]  # fmt: skip
    assert rows(log.recipe("automated-behaviour", source="craftstage"), "did", "entries")[0] == (
        "job_status_changed",
        315,
    )


def test_access_review_says_what_is_used_and_what_changed(log: Log) -> None:
    caleb = {row["source"]: row for row in log.recipe("access-review", "Caleb Whitaker").pl().to_dicts()}
    assert [*caleb] == ["bswagic", "hoops", "printago"]
    assert caleb["printago"]["access_changed"] == "2026-10-23 member.remove by Theo Brandt"
    assert (caleb["bswagic"]["role"], caleb["bswagic"]["critical"]) == ("Agent", "deletion, export")
    assert caleb["bswagic"]["note"] == "left on 2026-10-23"
    everybody = log.recipe("access-review", idle_days=3)
    assert set(rows(everybody, "who")) > {"Caleb Whitaker", "Bea Sandoval"}


def test_leavers_with_and_without_a_removal(log: Log, made: Log) -> None:
    assert rows(log.recipe("leaver-check"), "source", "after_leaving", "verdict") == [
        ("bswagic", 0, "no removal on record"), ("hoops", 0, "no removal on record"),
        ("printago", 0, "access taken away in time"),
    ]  # fmt: skip
    [lee] = made.recipe("leaver-check", "lee").pl().to_dicts()
    assert (lee["after_leaving"], lee["verdict"]) == (6, "acted after leaving; no removal on record")
    assert made.recipe("leaver-check", as_of="2026-05-02").count() == 0


def test_everything_from_one_address_across_products(log: Log) -> None:
    answer = log.recipe("ip-story", "192.0.2.214")
    assert (
        answer.count() == 36
        and rows(answer, "first").count(True) == 1
        and set(rows(answer, "night")) == {True}
    )
    assert set(rows(answer, "source", "who")) == {
        ("bswagic", "Caleb Whitaker"),
        ("printago", "Caleb Whitaker"),
    }
    assert log.recipe("ip-story", "192.0.2.208/29").count() >= 36
    with pytest.raises(UsageError, match="Write 203"):
        log.recipe("ip-story", "localhost")


def test_a_recipe_narrows_by_source_and_time_and_writes_itself(log: Log, tmp_path: Path) -> None:
    answer = log.recipe("critical-actions", source="bswagic", since="2026-10-28", until="2026-10-28")
    assert rows(answer, "did") == ["Setting Updated"]
    path = answer.write(tmp_path / "critical.csv")
    assert path.read_text("utf-8").startswith("happened_at,source,class,who,")
    manifest = json.loads((tmp_path / "critical.csv.manifest.json").read_text("utf-8"))
    assert manifest["filter"]["recipe"] == "critical-actions"


@pytest.mark.parametrize(
    ("name", "target", "options", "sentence"),
    [
        ("aproval-evidence", None, {}, '"aproval-evidence" is not a recipe. Did you mean approval-evidence?'),
        ("contributors", None, {}, "contributors needs a target. auditbook recipe contributors TYPE:ID"),
        ("failed-jobs", "job:1", {}, "failed-jobs takes no target. auditbook recipe failed-jobs"),
        ("why-status", "job:J-2222", {}, "why-status needs status: The status it came to"),
        ("failed-jobs", None, {"recuring": 2}, '"recuring" is not a setting of failed-jobs. Did you mean recurring?'),
        ("failed-jobs", None, {"recurring": "x"}, 'recurring: "x" is not a number.'),
        ("user-day", "nobody", {}, '"nobody" is no actor of this store.'),
        ("user-day", "Lena Fuchs", {"day": "2026-13-99"}, '"2026-13-99" is not a time. Write 2026-10-31, '),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_said(
    log: Log, name: str, target: str, options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError) as refused:
        log.recipe(name, target, **options)
    assert str(refused.value).startswith(sentence)


def test_hostile_values_are_only_values(log: Log) -> None:
    for value in ("' OR 1=1 --", "$target", "'; DROP TABLE actors; --"):
        assert log.recipe("when-value", "job:J-2222", field=value, value=value).count() == 0
        with pytest.raises(UsageError, match="is no actor of this store"):
            log.recipe("leaver-check", value)
    assert log.sql("SELECT count(*) FROM actors").pl().item() > 0


def test_a_recipe_that_is_wrong_names_its_file() -> None:
    header = recipefile.shipped()["state"].sql
    with pytest.raises(AuditbookError, match=r"mine\.sql:1 has no header"):
        recipefile.parse(header, name="mine", path="mine.sql")
    with pytest.raises(AuditbookError, match="'title' is a required property"):
        recipefile.parse('/*\nquestion = "?"\n*/ SELECT 1', name="mine", path="mine.sql")


def test_the_command_lists_shows_and_answers(invoke: Invoke, sample_store: Path) -> None:
    listed = invoke("recipe").output
    assert all(f"\n{name} " in listed for name in RECIPES if name != "printer-connectivity")
    assert "why-status TYPE:ID --set status=…" in listed
    shown = invoke("recipe", "leaver-check", "--show").output
    assert "auditbook recipe leaver-check [WHO]" in shown and "WITH leavers AS" in shown
    answer = invoke("recipe", "accounting-check", "--store", sample_store)
    for part in (
        "Invoices and the accounting system\n",
        "INV-2217",
        "created, never sent",
        "\nwhat was looked at\n",
        "No accounting entries in bswagic (1,055 events), craftstage (1,010 events)",
        "\nhow to read it\n",
        "\nnext\n",
    ):
        assert part in answer.output, part  # fmt: skip
    whole = json.loads(invoke("recipe", "leaver-check", "--store", sample_store, "--format", "json").output)
    assert whole["recipe"] == "leaver-check" and len(whole["rows"]) == 3 and whole["sight"]
    assert (
        invoke("recipe", "leaver-check", "--store", sample_store, "--format", "jsonl").output.count("\n") == 3
    )
    wrong = invoke("recipe", "when-value", "job:J-2222", "--set", "field", "--store", sample_store)
    assert wrong.exit_code == 2 and '--set: "field" is not a name and a value.' in wrong.output + wrong.stderr


ADDED = [
    "ip-story 192.0.2.214", "stage-coverage job:job_2041", "user-day Lena Fuchs day=2026-10-05",
    "when-value contact:cnt_8995 field=tags value=\"Tasting room\"", "who-tagged contact:cnt_8995",
    "why-status job:J-2222 status=New",
]  # fmt: skip


def test_every_recipe_can_be_a_part_of_a_document(log: Log) -> None:
    shipped = recipefile.shipped()
    by_itself = {one["recipe"] for kind in kinds().values() for one in kind.sections if "recipe" in one}
    assert by_itself | {text.split()[0] for text in ADDED} == {*shipped}

    made = reports.paper(log, "integrity", as_of=datetime(2026, 11, 1, tzinfo=UTC), recipe=ADDED).model
    added = {
        section.id.partition("-part-")[0]: section for section in made.sections if "-part-" in section.id
    }
    assert [*added] == [text.split()[0] for text in ADDED]
    assert {name: section.title.partition(": ")[0] for name, section in added.items()} == {
        name: shipped[name].title for name in added
    }
    assert (added["when-value"].title, added["when-value"].total) == (
        "When a field got a value, and when it lost it: contact:cnt_8995, tags, Tasting room", 1
    )  # fmt: skip
    assert (added["ip-story"].title, added["ip-story"].total) == (
        "Everything from one address: 192.0.2.214",
        36,
    )
    assert '--recipe "ip-story 192.0.2.214" ' in made.command


def test_a_document_with_a_recipe_is_made_by_the_command(invoke: Invoke, sample_store: Path) -> None:
    def report(*arguments: str) -> Result:
        return invoke("report", *arguments, "--store", sample_store, "--as-of", "2026-11-01T00:00Z", "-q")

    made = report("actor", "Lena Fuchs", "--recipe", "user-day Lena Fuchs day=2026-10-05")
    assert made.exit_code == 0, made.stderr
    page = Path("out/2026-10-31/actor-Lena-Fuchs.html").read_text("utf-8")
    assert "Somebody&#39;s day: Lena Fuchs, 2026-10-05" in page
    assert "--recipe &#34;user-day Lena Fuchs day=2026-10-05&#34;" in page
    for arguments, sentence in (
        (
            ["activity", "--recipe", "ip-stroy 192.0.2.1"],
            '"ip-stroy" is not a recipe. Did you mean ip-story?',
        ),
        (["activity", "--recipe", "ip-story"], "ip-story needs a target. auditbook recipe ip-story ADDRESS"),
        (
            ["review", "--recipe", "runs"],
            "a review has no further parts. --recipe is for the other kinds, such as",
        ),
    ):
        refused = report(*arguments)
        assert refused.exit_code == 2 and refused.stderr.startswith(f"auditbook: {sentence}"), refused.stderr
