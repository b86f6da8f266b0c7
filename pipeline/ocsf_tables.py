"""Where each of our columns stands in an OCSF 1.8 record, and what its values are called there. Read by ocsf alone.

docs/event.md shows the same; a test compares the two, and every code and caption with the published schema.
"""

from __future__ import annotations

import re

VERSION = "1.8.0"
ACCOUNT_CHANGE, AUTHENTICATION, ENTITY_MANAGEMENT, API_ACTIVITY = 3001, 3002, 3004, 6003
CLASSES = {
    ACCOUNT_CHANGE: "Account Change",
    AUTHENTICATION: "Authentication",
    ENTITY_MANAGEMENT: "Entity Management",
    API_ACTIVITY: "API Activity",
}
CATEGORIES = {3: "Identity & Access Management", 6: "Application Activity"}

# Which class an event is: by what was done, by what it was done to, by who did it. See ocsf.class_of.
SIGNING_IN = frozenset({"login", "logout"})
READING = frozenset({"read", "access", "export"})
ACCOUNTS = {  # entity types that are accounts or what accounts may do -> user.type_id
    "user": 1, "member": 1, "team_member": 1, "staff": 1, "admin": 2, "administrator": 2, "service_account": 4,
    "role": 99, "iam_role": 99, "permission": 99, "permission_set": 99, "mfa": 99, "mfa_factor": 99,
}  # fmt: skip

EVERYWHERE: dict[str, str] = {
    "event_uid": "metadata.uid",
    "source": "metadata.product.name",
    "instance": "metadata.tenant_uid",
    "source_event_id": "metadata.original_event_uid",
    "occurred_at": "time",
    "occurred_at_raw": "metadata.original_time",
    "actor_type": "actor.user.type",
    "actor_id": "actor.user.uid",
    "actor_name": "actor.user.full_name",
    "actor_email": "actor.user.email_addr",
    "api_key_id_masked": "actor.session.credential_uid",
    "event_type_raw": "metadata.type",
    "action": "activity_id",
    "action_detail": "metadata.event_code",
    "classes": "metadata.labels",
    "outcome": "status_id",
    "status_raw": "status_code",
    "error_message": "status_detail",
    "source_ip": "src_endpoint.ip",
    "user_agent": "http_request.user_agent",
    "correlation_id": "metadata.correlation_uid",
    "message": "message",
    "file": "metadata.log_source",
    "line": "metadata.sequence",
    "mapping_version": "metadata.transformation_info_list[0].uid",
}
BY_CLASS: dict[int, dict[str, str]] = {
    ENTITY_MANAGEMENT: {
        "entity_type": "entity.type",
        "entity_id": "entity.uid",
        "entity_name": "entity.name",
        "changes": "entity.data",
        "reason": "comment",
    },
    ACCOUNT_CHANGE: {"entity_type": "user.type", "entity_id": "user.uid", "entity_name": "user.name"},
    AUTHENTICATION: {"entity_type": "user.type", "entity_id": "user.uid", "entity_name": "user.name"},
    API_ACTIVITY: {
        "entity_type": "resources[0].type",
        "entity_id": "resources[0].uid",
        "entity_name": "resources[0].name",
        "entity_ids": "resources[].uid",
    },
}
NOWHERE = frozenset({"ip_key", "actor_anonymous"})  # said by source_ip; by a user without id

ACTIVITIES: dict[int, dict[int, str]] = {
    ACCOUNT_CHANGE: {
        0: "Unknown", 1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable", 6: "Delete",
        7: "Attach Policy", 8: "Detach Policy", 9: "Lock", 10: "MFA Factor Enable", 11: "MFA Factor Disable",
        12: "Unlock", 99: "Other",
    },
    AUTHENTICATION: {1: "Logon", 2: "Logoff"},
    ENTITY_MANAGEMENT: {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"},
    API_ACTIVITY: {0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 99: "Other"},
}  # fmt: skip
VERBS = {"create": 1, "read": 2, "update": 3, "delete": 4}
SIGN_IN_VERBS = {"login": 1, "logout": 2}

# What was done to an account is in the product's own word; the first that fits. 99 is what belongs to an account
# (a token, a session, a seat in a team) and is not the account.
_FACTOR, _RIGHTS = r"(mfa|2fa|two_?factor|factor)", r"(role|privilege|permission|polic|perm_?set|admin)"
_ON, _OFF = r"(enabl|(?<!de)activ|add|creat|enrol)", r"(disa?bl|deactiv|remov|delet|reset|unenrol)"
ACCOUNT_WORDS: tuple[tuple[int, re.Pattern[str]], ...] = tuple(
    (activity, re.compile(words))
    for activity, words in (
        (99, r"token|(api|access|account)_?key|credential|oauth|session|impersonat|app_(auth|inst)"),
        (11, rf"{_FACTOR}.*{_OFF}|{_OFF}.*{_FACTOR}"),
        (10, rf"{_FACTOR}.*{_ON}|{_ON}.*{_FACTOR}"),
        (4, r"password.*(reset|forgot)|reset.*password"),
        (3, r"password"),
        (12, r"unlock"),
        (9, r"(?<![a-z])lock"),
        (2, r"unsuspend|unblock|reactiv|enabl|(?<!de)(?<!in)activat"),
        (5, r"suspend|(?<![a-z])block|disabl|deactiv"),
        (8, rf"unassign|revok|detach.*{_RIGHTS}|{_RIGHTS}.*(remov|detach)|remov.*(role|admin)"),
        (7, rf"grant|assign|attach.*{_RIGHTS}|{_RIGHTS}.*(add|attach)|add.*(role|admin)"),
        (99, r"(add|remov).*(member|group)|membership|(repo|team|group|project)_(user_)?(add|remov)"),
    )
)
ACCOUNT_VERBS = {"create": 1, "delete": 6}

STATUSES = {"success": 1, "failure": 2, "unknown": 0}
STATUS_NAMES = {0: "Unknown", 1: "Success", 2: "Failure"}
# No product of these reports a severity; what failed is what somebody looks at first.
SEVERITIES = {"failure": (3, "Medium"), "warning": (2, "Low")}
ORDINARY = (1, "Informational")

USER_TYPES = {
    "user": 1, "customer": 99, "api_key": 4, "webhook": 4, "integration": 4, "automation": 4, "scheduler": 3,
    "system": 3, "unknown": 0,
}  # fmt: skip
APPLICATIONS = frozenset({"api_key", "webhook", "integration", "automation"})
OF_THE_PRODUCT = frozenset({"system", "scheduler", "automation"})
ENTITY_TYPES = {
    "device": 1, "user": 2, "member": 2, "team_member": 2, "staff": 2, "group": 3, "team": 3, "organization": 4,
    "org": 4, "workspace": 4, "policy": 5, "email": 6,
}  # fmt: skip
OTHER = 99

OBSERVABLES: dict[str, tuple[int, str]] = {
    "src_endpoint.ip": (2, "IP Address"),
    "actor.user.email_addr": (5, "Email Address"),
    "actor.user.uid": (31, "User Object: uid"),
    "user.uid": (31, "User Object: uid"),
    "resources[].uid": (10, "Resource UID"),
    "http_request.user_agent": (16, "HTTP User-Agent"),
}


def place(column: str, class_uid: int) -> str | None:
    """The path of a column in a record of this class; None: it stands nowhere."""
    if column in NOWHERE:
        return None
    return EVERYWHERE.get(column) or BY_CLASS[class_uid].get(column) or f"unmapped.{column}"


def places(column: str) -> dict[str, list[int]]:
    """Every path that a column has, with the classes that have it there."""
    found: dict[str, list[int]] = {}
    for class_uid in CLASSES:
        path = place(column, class_uid)
        if path is not None:
            found.setdefault(path, []).append(class_uid)
    return found
