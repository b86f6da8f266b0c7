"""What an event is made of: the columns in order, with their DuckDB types and closed vocabularies.

Every stage reads this one list; schemas/event.schema.json says the same to the outside, and a test compares them.
"""

from __future__ import annotations

CHANGE = (
    'STRUCT("field" VARCHAR, "old" VARCHAR, "new" VARCHAR, old_present BOOLEAN, new_present BOOLEAN, '
    "redacted BOOLEAN)"
)
RELATED = 'STRUCT("type" VARCHAR, id VARCHAR, "name" VARCHAR, relation VARCHAR)'
MESSAGE = (
    'STRUCT(channel VARCHAR, direction VARCHAR, automated BOOLEAN, sender VARCHAR, "to" VARCHAR[], cc VARCHAR[], '
    "bcc VARCHAR[], subject VARCHAR, body VARCHAR, body_format VARCHAR, body_sha256 VARCHAR, "
    "sent_at TIMESTAMP WITH TIME ZONE)"
)
TIME = "TIMESTAMP WITH TIME ZONE"

EVENT_COLUMNS: dict[str, str] = {
    "event_uid": "VARCHAR",
    "source": "VARCHAR",
    "instance": "VARCHAR",
    "source_event_id": "VARCHAR",
    "occurred_at": TIME,
    "occurred_at_raw": "VARCHAR",
    "time_precision": "VARCHAR",
    "tz_source": "VARCHAR",
    "actor_type": "VARCHAR",
    "actor_type_raw": "VARCHAR",
    "actor_id": "VARCHAR",
    "actor_name": "VARCHAR",
    "actor_email": "VARCHAR",
    "actor_role": "VARCHAR",
    "actor_anonymous": "BOOLEAN",
    "impersonator_id": "VARCHAR",
    "impersonator_name": "VARCHAR",
    "impersonator_email": "VARCHAR",
    "api_key_id_masked": "VARCHAR",
    "event_type_raw": "VARCHAR",
    "channel": "VARCHAR",
    "direction": "VARCHAR",
    "trigger": "VARCHAR",
    "action": "VARCHAR",
    "is_bulk": "BOOLEAN",
    "action_raw": "VARCHAR",
    "action_detail": "VARCHAR",
    "category": "VARCHAR",
    "classes": "VARCHAR[]",
    "entity_type": "VARCHAR",
    "entity_type_raw": "VARCHAR",
    "entity_id": "VARCHAR",
    "entity_name": "VARCHAR",
    "entity_url": "VARCHAR",
    "entity_ids": "VARCHAR[]",
    "parent_entity_type": "VARCHAR",
    "parent_entity_id": "VARCHAR",
    "related_entities": f"{RELATED}[]",
    "outcome": "VARCHAR",
    "status_raw": "VARCHAR",
    "error_message": "VARCHAR",
    "error_stack": "VARCHAR",
    "retryable": "BOOLEAN",
    "source_ip": "VARCHAR",
    "ip_key": "BLOB",
    "user_agent": "VARCHAR",
    "correlation_id": "VARCHAR",
    "reason": "VARCHAR",
    "message": "VARCHAR",
    "changes": f"{CHANGE}[]",
    "communications": f"{MESSAGE}[]",
    "metadata": "VARCHAR",
    "unmapped": "VARCHAR",
    "file": "VARCHAR",
    "file_sha256": "VARCHAR",
    "line": "BIGINT",
    "mapping_version": "VARCHAR",
    "schema_version": "VARCHAR",
    "parse_warnings": "VARCHAR[]",
    "conflicts_with": "VARCHAR",
}

VOCABULARIES: dict[str, tuple[str, ...]] = {
    "time_precision": ("ms", "s", "min", "day"),
    "tz_source": ("in_value", "epoch", "configured", "assumed"),
    "actor_type": (
        "user", "customer", "api_key", "webhook", "integration", "automation", "scheduler", "system", "unknown",
    ),
    "channel": ("web", "api", "webhook", "cli", "scheduler", "system"),
    "direction": ("incoming", "outgoing"),
    "trigger": ("scheduled", "triggered"),
    "action": (
        "create", "read", "update", "delete", "approve", "reject", "request_change", "send", "upload", "generate",
        "parse", "export", "import", "sync", "run", "retry", "cancel", "merge", "access", "login", "logout",
        "trigger", "refund", "charge", "other",
    ),
    "category": (
        "job", "proof", "approval", "contact", "message", "settings", "release", "product", "fulfillment",
        "payment", "accounting", "automation", "communication", "printer", "order", "background_job", "security",
        "other",
    ),
    "outcome": ("success", "warning", "failure", "pending", "unknown"),
}  # fmt: skip

# What a finding can be, gravest first, and what a reviewer can decide about it.
SEVERITIES = ("critical", "high", "medium", "low", "info")
STATES = ("new", "open", "changed", "withdrawn", "suppressed", "reviewed")
DECISIONS = ("accepted", "false_positive", "escalated")

# Who an event's actor is, when several spellings mean one person. Anonymous customers are nobody in particular.
ACTOR_KEY_SQL = """CASE WHEN actor_anonymous THEN NULL ELSE coalesce(
    lower(actor_email), source || ':' || actor_id, source || ':' || actor_name) END"""
