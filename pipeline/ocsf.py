"""Events -> OCSF 1.8 records, one each: the log in the language that other security tools read.

The tables say where a column goes; here is what needs a decision: the class, the activity, and what OCSF requires
where a product is silent. What has no place there is under `unmapped` by our name, and the line is `raw_data`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pipeline import ocsf_tables as tables
from pipeline.columns import EVENT_COLUMNS
from pipeline.errors import UsageError
from pipeline.export import rows_as_json
from pipeline.ocsf_tables import ACCOUNT_CHANGE, API_ACTIVITY, AUTHENTICATION, ENTITY_MANAGEMENT, OTHER
from pipeline.rows import Rows

Event = Mapping[str, Any]
Record = dict[str, Any]

# As OCSF types them. What is no such address stays under `unmapped`.
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")
_LONGEST_IP = 40


def records(rows: Rows) -> Iterator[Record]:
    """The record of each event, in the order of the rows."""
    if missing := EVENT_COLUMNS.keys() - set(rows.columns):
        raise UsageError(
            f"these rows are no events: {', '.join(sorted(missing))} {'is' if len(missing) == 1 else 'are'} missing.",
            hint="OCSF is made of whole events, like those of `log.events()`.",
        )
    with_lines = f"""SELECT e.* EXCLUDE (position), l.raw, l.line_sha256
        FROM (SELECT *, row_number() OVER () AS position FROM ({rows.sql})) AS e
        LEFT JOIN event_lines AS l USING (event_uid) ORDER BY e.position"""
    return (record(event) for event in rows_as_json(Rows(rows.con, with_lines, rows.values)))


def class_of(event: Event) -> int:
    """Signing in, a change to an account, an access or a program's call, a change to anything else; in this order."""
    named = event["entity_id"] is not None or event["entity_name"] is not None
    if event["action"] in tables.SIGNING_IN:
        return AUTHENTICATION
    if event["action"] in tables.READING:
        return API_ACTIVITY
    if event["entity_type"] in tables.ACCOUNTS and named:
        return ACCOUNT_CHANGE
    if event["actor_type"] == "api_key" or not (named or event["entity_type"]):
        return API_ACTIVITY
    return ENTITY_MANAGEMENT


def record(event: Event) -> Record:
    """One event as OCSF has it."""
    class_uid = class_of(event)
    made = _kind(class_uid, event)
    for column in EVENT_COLUMNS:
        path = tables.place(column, class_uid)
        value = event.get(column)
        said = value not in (None, []) and (column, value) != ("is_bulk", False)
        if path is not None and said and path not in made:
            _put(made, path, value)
    _values(made, event)
    _actor(made, event)
    {
        ENTITY_MANAGEMENT: _entity,
        ACCOUNT_CHANGE: _account,
        AUTHENTICATION: _sign_in,
        API_ACTIVITY: _call,
    }[class_uid](made, event)
    _raw(made, event)
    made["observables"] = list(_observables(made))
    return {name: value for name, value in made.items() if value not in ({}, [])}


def _kind(class_uid: int, event: Event) -> Record:
    """What kind of record it is: class, category, activity, type."""
    activity, exact = _activity(class_uid, event)
    caption = name = tables.ACTIVITIES[class_uid][activity]
    if activity == OTHER:
        name = event["action_detail"] or event["action_raw"] or event["action"] or caption
    kept = {"unmapped": {"action": event["action"]}} if event["action"] and not exact else {}
    return {
        "class_uid": class_uid,
        "class_name": tables.CLASSES[class_uid],
        "category_uid": class_uid // 1000,
        "category_name": tables.CATEGORIES[class_uid // 1000],
        "activity_id": activity,
        "activity_name": name,
        "type_uid": class_uid * 100 + activity,
        "type_name": f"{tables.CLASSES[class_uid]}: {caption}",
        **kept,
    }


def _activity(class_uid: int, event: Event) -> tuple[int, bool]:
    """The activity, and whether it says all that our verb says."""
    action = event["action"]
    if class_uid == AUTHENTICATION:
        return tables.SIGN_IN_VERBS[action], True
    if class_uid == ACCOUNT_CHANGE:
        said = _words(event["action_detail"] or event["action_raw"] or "")
        told = next((number for number, words in tables.ACCOUNT_WORDS if words.search(said)), None)
        if told is not None:
            return told, False
        return (tables.ACCOUNT_VERBS[action], True) if action in tables.ACCOUNT_VERBS else (OTHER, False)
    if action is None:
        return 0, True
    return (tables.VERBS[action], True) if action in tables.VERBS else (OTHER, False)


def _words(name: str) -> str:
    """`member.updateRole`, `Member role updated` -> words in small letters, one underscore between them."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())


def _values(made: Record, event: Event) -> None:
    """What OCSF writes differently: time, status, severity, and which record this is."""
    made["time"] = int(datetime.fromisoformat(event["occurred_at"]).timestamp() * 1000)
    status = tables.STATUSES.get(event["outcome"], OTHER)
    made["status_id"] = status
    made["status"] = tables.STATUS_NAMES.get(status) or event["status_raw"] or event["outcome"]
    made["severity_id"], made["severity"] = tables.SEVERITIES.get(event["outcome"], tables.ORDINARY)
    made["metadata"]["version"] = tables.VERSION
    for transformation in made["metadata"].get("transformation_info_list", []):
        transformation["name"] = "auditbook"
    if event["source_ip"] and len(event["source_ip"]) > _LONGEST_IP:
        _put(made, "unmapped.source_ip", made.pop("src_endpoint")["ip"])


def _actor(made: Record, event: Event) -> None:
    """Who: a user or a program; whom the product does not name is called what it is."""
    user = made["actor"]["user"]
    user["type_id"] = tables.USER_TYPES[event["actor_type"]]
    if event["actor_email"] and not _EMAIL.fullmatch(event["actor_email"]):
        _put(made, "unmapped.actor_email", user.pop("email_addr"))
    known = event["actor_email"] or event["actor_name"] or event["api_key_id_masked"]
    if event["actor_anonymous"]:
        user["name"] = "Anonymous"
    elif known or not event["actor_id"]:
        user["name"] = known or event["actor_type"].replace("_", " ").capitalize()
    if event["actor_type"] in tables.APPLICATIONS:
        made["actor"]["app_name"] = event["actor_name"] or user.get("name") or event["actor_id"]


def _entity(made: Record, event: Event) -> None:
    """What was changed, and its values before and after; values that a pair of objects cannot hold stay in a list."""
    entity = made["entity"]
    changes = entity.pop("data", [])
    entity.setdefault("name", event["entity_type_raw"] or event["entity_type"] or event["entity_id"])
    if event["entity_id"] and not event["entity_name"]:
        del entity["name"]
    entity["type_id"] = tables.ENTITY_TYPES.get(event["entity_type"], OTHER if event["entity_type"] else 0)
    if len({change["field"] for change in changes}) < len(changes) or any(one["redacted"] for one in changes):
        _put(made, "unmapped.changes", changes)
    result = {**entity, "data": {one["field"]: one["new"] for one in changes if "new" in one}}
    old = {one["field"]: one["old"] for one in changes if "old" in one}
    if old:
        entity["data"] = old
    if result["data"]:
        made["entity_result"] = result


def _account(made: Record, event: Event) -> None:
    """Whose account was changed."""
    made["user"]["type_id"] = tables.ACCOUNTS[event["entity_type"]]


def _sign_in(made: Record, event: Event) -> None:
    """Who signed in, and to what: the account that the entry is about, else the actor."""
    about = made.pop("user", {})
    actor = made["actor"]["user"]
    told = {about[key] for key in ("uid", "name") if key in about}
    if event["entity_type"] in tables.ACCOUNTS and not told <= set(actor.values()):
        made["user"] = {**about, "type_id": tables.ACCOUNTS[event["entity_type"]]}
    else:
        made["user"] = dict(actor)
    for column in ("entity_type", "entity_id", "entity_name"):
        if event[column] is not None and event[column] not in made["user"].values():
            _put(made, f"unmapped.{column}", event[column])
    made["service"] = {"name": event["source"]}


def _call(made: Record, event: Event) -> None:
    """Which operation was called, from where, on what."""
    made["api"] = {"operation": event["action_detail"] or event["action_raw"] or event["action"] or "Unknown"}
    if "src_endpoint" not in made:
        inside = event["actor_type"] in tables.OF_THE_PRODUCT
        made["src_endpoint"] = {"svc_name": event["source"]} if inside else {"name": "Unknown"}
    listed = made.pop("resources", [])
    named = [one for one in listed if one.keys() & {"uid", "name"}]
    kind = {"type": event["entity_type"]} if event["entity_type"] else {}
    for resource in named or [{"name": event["entity_type_raw"] or event["entity_type"]} for _ in listed]:
        made.setdefault("resources", []).append({**resource, **kind, "role_id": 1, "role": "Target"})


def _raw(made: Record, event: Event) -> None:
    """The line that says so, and its hash."""
    if event.get("raw") is not None:
        made["raw_data"] = event["raw"]
        made["raw_data_hash"] = {"algorithm": "SHA-256", "algorithm_id": 3, "value": event["line_sha256"]}


def _observables(made: Record) -> Iterator[Record]:
    """What an analyst searches for, in one list."""
    for path, (type_id, caption) in tables.OBSERVABLES.items():
        head, _, tail = path.partition("[].")
        if tail:
            found = [(f"{head}[{at}].{tail}", one.get(tail)) for at, one in enumerate(made.get(head, []))]
        else:
            found = [(path, _get(made, path))]
        for name, value in found:
            if value is not None:
                yield {"name": name, "type_id": type_id, "type": caption, "value": value}


def _get(made: Record, path: str) -> Any:
    value: Any = made
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _put(made: Record, path: str, value: Any) -> None:
    """Set a value by its path; `[0]` is the first of a list, `[]` one more of it for each value."""
    *way, last = path.split(".")
    at = made
    for step in way:
        name, bracket, number = step.rstrip("]").partition("[")
        if not bracket:
            at = at.setdefault(name, {})
        elif number:
            at = at.setdefault(name, [{}])[int(number)]
        else:
            at.setdefault(name, []).extend({last: one} for one in value)
            return
    at[last] = value
