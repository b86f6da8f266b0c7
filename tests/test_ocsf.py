"""Events as OCSF records: held against the published schema, one of each class by hand, and where columns go."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from pipeline import ocsf, ocsf_tables
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES
from pipeline.errors import UsageError
from pipeline.load import load
from pipeline.query import Log
from pipeline.query import open as open_store
from tests.conftest import ROOT, Auditbook
from tests.exports import CONFIG, line, put
from tests.test_sources import SOURCES

CLASSES = (3001, 3002, 3004, 6003)
PUBLISHED = get_ocsf_schema("1.8.0")
OURS_ALONE = (
    "metadata.uid",
    "unmapped.file_sha256",
    "metadata.transformation_info_list",
    "raw_data",
    "raw_data_hash",
)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The hand-written lines of every source, loaded."""
    store = tmp_path_factory.mktemp("ocsf") / "store"
    load([str(ROOT / "tests" / "sources" / f"{one}.jsonl") for one in SOURCES], store=store, config=CONFIG)
    with open_store(store) as log:
        yield log


@pytest.fixture(scope="module")
def validators() -> dict[int, Draft202012Validator]:
    schemas = OcsfJsonSchemaEmbedded(PUBLISHED)
    return {
        uid: Draft202012Validator(schemas.get_class_schema(schemas.lookup_class_name_from_uid(uid)))
        for uid in CLASSES
    }


# --- every event


def test_every_event_of_every_source_is_valid(
    everything: Log, validators: dict[int, Draft202012Validator]
) -> None:
    records = list(ocsf.records(everything.events()))

    assert len(records) == everything.events().count() > 400
    assert {record["metadata"]["product"]["name"] for record in records} == set(SOURCES)
    assert {record["class_uid"] for record in records} == set(CLASSES)
    for record in records:
        errors = [f"{list(e.path)}: {e.message}" for e in validators[record["class_uid"]].iter_errors(record)]
        assert errors == [], (record["metadata"]["product"], record["metadata"]["sequence"])


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("activity_id", 15, "15 is not one of"),
        ("time", "2026-10-01", "is not of type 'integer'"),
        ("actor.user.email_addr", "ana", "does not match"),
        ("entity.colour", "red", "Additional properties are not allowed ('colour' was unexpected)"),
        ("entity", {"type": "order"}, "is not valid under any of the given schemas"),
    ],
)
def test_the_schema_refuses_what_is_wrong(
    everything: Log, validators: dict[int, Draft202012Validator], path: str, value: object, words: str
) -> None:
    [record] = ocsf.records(everything.events(source="printago", detail="order.create", actor_type="user"))
    at = record
    *way, last = path.split(".")
    for step in way:
        at = at[step]
    at[last] = value
    assert [e.message for e in validators[3004].iter_errors(record) if words in e.message] != []


def test_no_deprecated_attribute_is_used(everything: Log) -> None:
    def used(kind: dict[str, Any], value: dict[str, Any]) -> Iterator[tuple[str, bool]]:
        for name, inner in value.items():
            attribute = kind["attributes"].get(name)
            if attribute is None:  # below `unmapped` and `data`, where everything is allowed
                continue
            yield name, "@deprecated" in attribute
            for one in inner if isinstance(inner, list) else [inner]:
                if attribute["type"] == "object_t" and isinstance(one, dict):
                    yield from used(PUBLISHED["objects"][attribute["object_type"]], one)

    schemas = {one["uid"]: one for one in PUBLISHED["classes"].values()}
    found = {
        name
        for record in ocsf.records(everything.events())
        for name, deprecated in used(schemas[record["class_uid"]], record)
        if deprecated
    }
    assert found == set()


def test_the_line_and_its_hash_are_in_each_record(everything: Log) -> None:
    for record in ocsf.records(everything.events()):
        assert record["raw_data"], record["metadata"]
        if "[REDACTED]" in record["raw_data"]:
            continue  # the hash is that of the line as it was exported
        assert record["raw_data_hash"]["value"] == hashlib.sha256(record["raw_data"].encode()).hexdigest()


def test_nothing_that_an_event_says_is_lost(everything: Log) -> None:
    """Each text and number of each column stands somewhere in the record, the raw line not counted."""
    elsewhere = {"ip_key", "actor_anonymous", "occurred_at", "outcome", "is_bulk"}
    told = everything.events()
    from pipeline.export import rows_as_json

    for event, record in zip(rows_as_json(told), ocsf.records(told), strict=True):
        del record["raw_data"]
        said = {str(value) for value in _leaves(record)} | {record["activity_name"].lower()}
        if record["activity_name"] in ("Logon", "Logoff"):
            said |= {"login", "logout"}
        for column in EVENT_COLUMNS.keys() - elsewhere - {"changes"}:
            for value in _leaves(event.get(column)):
                assert str(value) in said, (column, value, record)
        for change in event["changes"]:
            values = [change[side] for side in ("old", "new") if side in change]
            assert {str(leaf) for leaf in _leaves(values)} <= said


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    elif value is not None and value is not False:
        yield value


# --- one of each class


def records_of(store: Path, *lines: bytes) -> list[dict[str, Any]]:
    """The lines as records, oldest first, without what differs from file to file."""
    load([put(store.parent / "shop.jsonl", b"".join(lines))], store=store, config=CONFIG)
    with open_store(store) as log:
        made = list(ocsf.records(log.events()))[::-1]
    for record in made:
        for path in OURS_ALONE:
            *way, last = path.split(".")
            at = record
            for step in way:
                at = at[step]
            del at[last]
    return made


ADDRESS = {"ipAddress": "203.0.113.7", "userAgent": "Mozilla/5.0"}
ANA = {
    "type": "user",
    "type_id": 1,
    "uid": "usr_ana",
    "name": "ana@example.com",
    "email_addr": "ana@example.com",
}
SEEN = [
    {"name": "src_endpoint.ip", "type_id": 2, "type": "IP Address", "value": "203.0.113.7"},
    {"name": "actor.user.email_addr", "type_id": 5, "type": "Email Address", "value": "ana@example.com"},
    {"name": "actor.user.uid", "type_id": 31, "type": "User Object: uid", "value": "usr_ana"},
]
AGENT = {"name": "http_request.user_agent", "type_id": 16, "type": "HTTP User-Agent", "value": "Mozilla/5.0"}
ALWAYS = {
    "status_id": 0, "status": "Unknown", "severity_id": 1, "severity": "Informational",
    "src_endpoint": {"ip": "203.0.113.7"}, "http_request": {"user_agent": "Mozilla/5.0"},
}  # fmt: skip


def metadata(number: int, code: str, **more: object) -> dict[str, Any]:
    return {
        "version": "1.8.0", "product": {"name": "printago"}, "tenant_uid": "north",
        "original_event_uid": f"evt{number:04d}", "original_time": f"2026-10-01T{number:02d}:00:00.000Z",
        "event_code": code, "log_source": "shop.jsonl", "sequence": 1, **more,
    }  # fmt: skip


def ours(verb: str, kind: str, category: str, **more: object) -> dict[str, Any]:
    return {
        "time_precision": "ms", "tz_source": "in_value", "actor_type_raw": "user", "action_raw": verb,
        "category": category, "entity_type_raw": kind, "schema_version": "1", **more,
    }  # fmt: skip


def test_a_change_to_a_thing_is_entity_management(store: Path) -> None:
    changes = {"priority": {"old": 1, "new": 5}, "note": {"new": None}}
    [record] = records_of(
        store, line(1, changes=changes, reason="customer called", correlationId="req_1", **ADDRESS)
    )
    assert record == {
        "class_uid": 3004, "class_name": "Entity Management",
        "category_uid": 3, "category_name": "Identity & Access Management",
        "activity_id": 3, "activity_name": "Update", "type_uid": 300403, "type_name": "Entity Management: Update",
        "time": 1790816400000,
        "metadata": metadata(1, "printJob.update", correlation_uid="req_1"),
        "actor": {"user": ANA},
        "entity": {"type": "print_job", "type_id": 99, "uid": "job1", "data": {"priority": 1}},
        "entity_result": {
            "type": "print_job", "type_id": 99, "uid": "job1", "data": {"priority": 5, "note": None},
        },
        "comment": "customer called",
        "unmapped": ours("update", "PrintJobs", "job"),
        "observables": [*SEEN, AGENT],
        **ALWAYS,
    }  # fmt: skip


def test_a_change_to_a_person_is_account_change(store: Path) -> None:
    [record] = records_of(
        store,
        line(2, detailedAction="member.remove", action="delete", entityType="Members", entityId="usr_ben", **ADDRESS),
    )  # fmt: skip
    assert record == {
        "class_uid": 3001, "class_name": "Account Change",
        "category_uid": 3, "category_name": "Identity & Access Management",
        "activity_id": 6, "activity_name": "Delete", "type_uid": 300106, "type_name": "Account Change: Delete",
        "time": 1790820000000,
        "metadata": metadata(2, "member.remove", labels=["permission", "deletion"]),
        "actor": {"user": ANA},
        "user": {"type": "member", "type_id": 1, "uid": "usr_ben"},
        "unmapped": ours("delete", "Members", "security"),
        "observables": [
            *SEEN, {"name": "user.uid", "type_id": 31, "type": "User Object: uid", "value": "usr_ben"}, AGENT,
        ],
        **ALWAYS,
    }  # fmt: skip


def test_a_sign_in_is_authentication(store: Path) -> None:
    [record] = records_of(
        store,
        line(
            3, detailedAction="auth.login", action="login", entityType="users", entityId="usr_ana", **ADDRESS
        ),
    )
    assert record == {
        "class_uid": 3002, "class_name": "Authentication",
        "category_uid": 3, "category_name": "Identity & Access Management",
        "activity_id": 1, "activity_name": "Logon", "type_uid": 300201, "type_name": "Authentication: Logon",
        "time": 1790823600000,
        "metadata": metadata(3, "auth.login", labels=["authentication"]),
        "actor": {"user": ANA},
        "user": ANA,
        "service": {"name": "printago"},
        "unmapped": ours("login", "users", "security"),
        "observables": [
            *SEEN, {"name": "user.uid", "type_id": 31, "type": "User Object: uid", "value": "usr_ana"}, AGENT,
        ],
        **ALWAYS,
    }  # fmt: skip


def test_a_call_by_an_api_key_is_api_activity(store: Path) -> None:
    key = {"actorType": "api_key", "actorId": None, "actorEmail": None, "apiKeyId": "key_7f3a9c"}
    [record] = records_of(
        store,
        line(
            4, detailedAction="printJob.cancel", entityId=None, entityIds=["job1", "job2"], **key, **ADDRESS
        ),
    )
    assert record == {
        "class_uid": 6003, "class_name": "API Activity",
        "category_uid": 6, "category_name": "Application Activity",
        "activity_id": 3, "activity_name": "Update", "type_uid": 600303, "type_name": "API Activity: Update",
        "time": 1790827200000,
        "metadata": metadata(4, "printJob.cancel"),
        "actor": {
            "user": {"type": "api_key", "type_id": 4, "name": "key_****"}, "app_name": "key_****",
            "session": {"credential_uid": "key_****"},
        },
        "api": {"operation": "printJob.cancel"},
        "resources": [
            {"type": "print_job", "uid": "job1", "role_id": 1, "role": "Target"},
            {"type": "print_job", "uid": "job2", "role_id": 1, "role": "Target"},
        ],
        "unmapped": ours("update", "PrintJobs", "job", actor_type_raw="api_key"),
        "observables": [
            SEEN[0],
            {"name": "resources[0].uid", "type_id": 10, "type": "Resource UID", "value": "job1"},
            {"name": "resources[1].uid", "type_id": 10, "type": "Resource UID", "value": "job2"},
            AGENT,
        ],
        **ALWAYS,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "class_uid", "activity", "name"),
    [
        ({"action": "archive"}, 3004, 99, "printJob.update"),
        ({"action": "", "entityType": None, "entityId": None}, 6003, 0, "Unknown"),
        ({"action": "export"}, 6003, 99, "printJob.update"),
        ({"entityType": "Members", "detailedAction": "member.grantRole"}, 3001, 7, "Attach Policy"),
        ({"entityType": "Members", "detailedAction": "member.updateRole"}, 3001, 99, "member.updateRole"),
        ({"entityType": "Members", "entityId": None, "entityIds": ["a", "b"]}, 3004, 3, "Update"),
        ({"entityType": "users", "detailedAction": "user.disableMfa"}, 3001, 11, "MFA Factor Disable"),
        ({"entityType": "users", "detailedAction": "user.enableMfa"}, 3001, 10, "MFA Factor Enable"),
        ({"entityType": "users", "detailedAction": "user.deactivate"}, 3001, 5, "Disable"),
        ({"entityType": "users", "detailedAction": "user.reactivate"}, 3001, 2, "Enable"),
        ({"entityType": "users", "detailedAction": "user.accountLocked"}, 3001, 9, "Lock"),
        ({"entityType": "users", "detailedAction": "user.unlock"}, 3001, 12, "Unlock"),
        ({"entityType": "users", "detailedAction": "user.resetPassword"}, 3001, 4, "Password Reset"),
        ({"entityType": "users", "detailedAction": "user.changePassword"}, 3001, 3, "Password Change"),
        ({"entityType": "users", "detailedAction": "user.block"}, 3001, 5, "Disable"),
        ({"entityType": "users", "action": "create", "detailedAction": "token.create"}, 3001, 99, "token.create"),
        ({"entityType": "users", "action": "create", "detailedAction": "user.create"}, 3001, 1, "Create"),
    ],
)  # fmt: skip
def test_which_class_and_activity(
    store: Path, changed: dict[str, Any], class_uid: int, activity: int, name: str
) -> None:
    [record] = records_of(store, line(1, **changed))
    assert (record["class_uid"], record["activity_id"], record["activity_name"]) == (
        class_uid,
        activity,
        name,
    )
    assert record["type_uid"] == class_uid * 100 + activity


def test_what_a_product_does_not_say_is_not_made_up(store: Path) -> None:
    nobody = {"actorId": None, "actorEmail": None, "entityType": None, "entityId": None}
    system, unknown = records_of(
        store, line(1, actorType="system", **nobody), line(2, actorType="visitor", **nobody)
    )
    assert system["actor"] == {"user": {"type": "system", "type_id": 3, "name": "System"}}
    assert system["src_endpoint"] == {"svc_name": "printago"}
    assert unknown["actor"] == {"user": {"type": "unknown", "type_id": 0, "name": "Unknown"}}
    assert unknown["src_endpoint"] == {"name": "Unknown"}
    assert "observables" not in system


def test_what_ocsf_would_refuse_stays_under_our_name(
    store: Path, validators: dict[int, Draft202012Validator]
) -> None:
    [record] = records_of(store, line(1, actorEmail="søren@example.com"))
    assert record["unmapped"]["actor_email"] == "søren@example.com"
    assert record["actor"]["user"] == {
        "type": "user", "type_id": 1, "uid": "usr_ana", "name": "søren@example.com",
    }  # fmt: skip


# --- the table


def test_the_codes_and_captions_are_the_published_ones() -> None:
    classes = {one["uid"]: one for one in PUBLISHED["classes"].values()}
    for uid, caption in ocsf_tables.CLASSES.items():
        assert classes[uid]["caption"] == caption
        assert classes[uid]["attributes"]["category_uid"]["enum"].keys() == {str(uid // 1000)}
        activities = classes[uid]["attributes"]["activity_id"]["enum"]
        for activity, name in ocsf_tables.ACTIVITIES[uid].items():
            assert activities[str(activity)]["caption"] == name
    observables = PUBLISHED["objects"]["observable"]["attributes"]["type_id"]["enum"]
    for number, name in ocsf_tables.OBSERVABLES.values():
        assert observables[str(number)]["caption"] == name
    assert ocsf_tables.USER_TYPES.keys() == set(VOCABULARIES["actor_type"])


def test_the_page_says_where_each_column_goes() -> None:
    page = (ROOT / "docs" / "event.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| [^|]+ \| [^|]+ \|$", page, re.MULTILINE))
    assert list(rows) == list(EVENT_COLUMNS)
    for column, cell in rows.items():
        places = ocsf_tables.places(column)
        told = [f"`{path}` ({', '.join(map(str, uids))})" for path, uids in places.items()]
        assert cell == (f"`{next(iter(places))}`" if len(places) == 1 else ", ".join(told) or "–"), column


@pytest.mark.parametrize("class_uid", CLASSES)
def test_a_column_is_where_the_page_says(everything: Log, class_uid: int) -> None:
    """Every path is one that some record of the class has, so that the tables are what happens."""
    found = [record for record in ocsf.records(everything.events()) if record["class_uid"] == class_uid]
    paths = {path for record in found for path in _paths(record)}
    for column in (
        "source",
        "source_event_id",
        "actor_id",
        "actor_name",
        "classes",
        "source_ip",
        "outcome",
        "line",
    ):
        assert ocsf_tables.place(column, class_uid) in paths, column
    for column, path in ocsf_tables.BY_CLASS[class_uid].items():
        assert path.replace("[]", "[0]") in paths, column


def _paths(value: Any, at: str = "") -> Iterator[str]:
    yield at
    for key, inner in value.items() if isinstance(value, dict) else []:
        yield from _paths(inner, f"{at}.{key}".removeprefix("."))
    for number, inner in enumerate(value if isinstance(value, list) else []):
        yield from _paths(inner, f"{at}[{number}]")


# --- the doors


def test_the_command_and_the_file_have_the_same_records(
    auditbook: Auditbook, small_store: Path, tmp_path: Path
) -> None:
    done = auditbook("events", "--source", "hoops", "--format", "ocsf", "--store", small_store)
    assert done.returncode == 0, done.stderr
    with open_store(small_store) as log:
        wanted = [event["event_uid"] for event in log.events(source="hoops").pl().iter_rows(named=True)]
        written = log.events(source="hoops").write(tmp_path / "night.ocsf.jsonl")
    records = [json.loads(text) for text in done.stdout.splitlines()]
    assert [record["metadata"]["uid"] for record in records] == wanted, "newest first"
    assert [json.loads(text) for text in written.read_text("utf-8").splitlines()] == records
    assert written.stat().st_mode & 0o777 == 0o600


def test_the_limit_holds(auditbook: Auditbook, small_store: Path) -> None:
    done = auditbook("events", "--format", "ocsf", "--limit", 3, "--store", small_store)
    assert len(done.stdout.splitlines()) == 3


def test_rows_that_are_no_events_are_refused(small_store: Path, tmp_path: Path) -> None:
    with open_store(small_store) as log, pytest.raises(UsageError) as told:
        log.sql("SELECT * EXCLUDE (changes) FROM events").write(tmp_path / "x.ocsf.jsonl")
    assert str(told.value) == (
        "these rows are no events: changes is missing. OCSF is made of whole events, like those of `log.events()`."
    )
    assert not (tmp_path / "x.ocsf.jsonl").exists()
