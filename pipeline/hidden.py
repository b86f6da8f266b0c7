"""Which columns an audience sees otherwise than they are stored, and what it sees instead. SQL; laid by audience."""

from __future__ import annotations

from pipeline import redact

WITHHELD = "[WITHHELD]"
PEOPLE = (
    "user",
    "customer",
    "contact",
    "member",
    "person",
    "team_member",
    "staff",
    "account_user",
    "guest",
    "employee",
)

# Texts in which a secret may stand. Ids, addresses and times by which events are found are left as they are.
TEXTS = (
    "actor_name", "action_raw", "action_detail", "entity_name", "entity_url", "status_raw", "error_message",
    "error_stack", "user_agent", "reason", "message",
)  # fmt: skip
FREE = ("entity_name", "entity_url", "error_message", "error_stack", "user_agent", "reason", "message")
FINDING_TEXTS = ("title", "key", "subject", "observed", "expected", "reason")


def withheld(column: str) -> str:
    return f"CASE WHEN \"{column}\" IS NULL THEN NULL ELSE '{WITHHELD}' END"


_CHANGES = """list_transform(changes, lambda c: struct_pack(field := c.field, old := {old}, new := {new},
    old_present := c.old_present, new_present := c.new_present, redacted := {flag}))"""
_SECRET_CHANGE = "secret_name(c.field)"
# Within a list an expression is compiled for each row: it is asked only where a word or a shape of a secret stands.
_MAY = "len({column}) > 0 AND may_have_secret(to_json({column})::VARCHAR)"
MAY_TELL = "may_have_secret(concat_ws(chr(10), {}))".format(
    ", ".join(
        [
            *TEXTS,
            *(f"to_json({name})::VARCHAR" for name in ("metadata", "unmapped", "changes", "communications")),
        ]
    )
)
INTERNAL: dict[str, dict[str, str]] = {
    "events": {
        **{name: f'redacted("{name}")' for name in TEXTS},
        **{name: f'redacted_json("{name}")' for name in ("metadata", "unmapped")},
        "changes": f"CASE WHEN {_MAY.format(column='changes')} THEN " + _CHANGES.format(
            old=f"CASE WHEN {_SECRET_CHANGE} AND c.old IS NOT NULL AND c.old::VARCHAR != 'null' "
            f"THEN '\"{redact.REDACTED}\"' ELSE redacted(c.old::VARCHAR) END",
            new=f"CASE WHEN {_SECRET_CHANGE} AND c.new IS NOT NULL AND c.new::VARCHAR != 'null' "
            f"THEN '\"{redact.REDACTED}\"' ELSE redacted(c.new::VARCHAR) END",
            flag=f"c.redacted OR {_SECRET_CHANGE} OR has_secret(c.old::VARCHAR) OR has_secret(c.new::VARCHAR)",
        ) + " ELSE changes END",
        "communications": f"CASE WHEN {_MAY.format(column='communications')} THEN "
        "list_transform(communications, lambda m: struct_pack(channel := m.channel, "
        "direction := m.direction, automated := m.automated, sender := m.sender, \"to\" := m.\"to\", cc := m.cc, "
        "bcc := m.bcc, subject := redacted(m.subject), body := redacted(m.body), body_format := m.body_format, "
        "body_sha256 := m.body_sha256, sent_at := m.sent_at)) ELSE communications END",
    },
    "stored_lines": {
        "raw": "redacted(raw)", "message": "redacted(message)",
        "raw_bytes": "CASE WHEN has_secret(raw_bytes::VARCHAR) THEN encode(redacted(raw_bytes::VARCHAR)) "
        "ELSE raw_bytes END",
    },
    "lines": {
        "raw": "redacted(raw)", "message": "redacted(message)",
        "raw_bytes": "CASE WHEN has_secret(raw_bytes::VARCHAR) THEN encode(redacted(raw_bytes::VARCHAR)) "
        "ELSE raw_bytes END",
    },
    "event_lines": {"raw": "redacted(raw)"},
}  # fmt: skip

_PERSON = "list_contains(['" + "', '".join(PEOPLE) + "'], {type})"
_GONE = {"raw": withheld("raw"), "message": withheld("message"),
         "raw_bytes": f"CASE WHEN raw_bytes IS NULL THEN NULL ELSE encode('{WITHHELD}') END"}  # fmt: skip
_MACHINE = "actor_type IN ('api_key', 'webhook', 'integration', 'automation', 'scheduler', 'system')"
EXTERNAL: dict[str, dict[str, str]] = {
    "events": {
        **{name: f"redacted({name})" for name in TEXTS if name not in (*FREE, "actor_name")},
        **{name: withheld(name) for name in FREE},
        **{
            name: f"CASE WHEN {_MACHINE} AND {name} IS NOT NULL AND spelled({name}) IS NULL "
            f"THEN redacted({name}) ELSE named({name}) END"
            for name in ("actor_id", "actor_name", "actor_key")
        },
        **{name: f"named({name})" for name in ("actor_email", "impersonator_id", "impersonator_name",
                                               "impersonator_email", "source_ip")},
        "ip_key": "NULL::BLOB",
        "entity_id": f"CASE WHEN {_PERSON.format(type='entity_type')} THEN named(entity_id) "
        "ELSE coalesce(spelled(entity_id), entity_id) END",
        "parent_entity_id": "coalesce(spelled(parent_entity_id), parent_entity_id)",
        "entity_ids": "list_transform(entity_ids, lambda i: coalesce(spelled_in(i), i))",
        "related_entities": "list_transform(related_entities, lambda r: struct_pack(type := r.type, "
        "id := coalesce(spelled_in(r.id), r.id), "
        f"name := CASE WHEN r.name IS NULL THEN NULL ELSE '{WITHHELD}' END, relation := r.relation))",
        "metadata": f"CASE WHEN metadata IS NULL THEN NULL ELSE '\"{WITHHELD}\"'::JSON END",
        "unmapped": f"CASE WHEN unmapped IS NULL THEN NULL ELSE '\"{WITHHELD}\"'::JSON END",
        "changes": _CHANGES.format(
            old=f"CASE WHEN c.old IS NULL THEN NULL ELSE '\"{WITHHELD}\"' END",
            new=f"CASE WHEN c.new IS NULL THEN NULL ELSE '\"{WITHHELD}\"' END", flag="true",
        ),
        "communications": "list_transform(communications, lambda m: struct_pack(channel := m.channel, "
        "direction := m.direction, automated := m.automated, sender := named_in(m.sender), "
        "\"to\" := list_transform(m.\"to\", lambda a: named_in(a)), cc := list_transform(m.cc, lambda a: named_in(a)), "
        f"bcc := list_transform(m.bcc, lambda a: named_in(a)), subject := CASE WHEN m.subject IS NULL THEN NULL ELSE "
        f"'{WITHHELD}' END, body := CASE WHEN m.body IS NULL THEN NULL ELSE '{WITHHELD}' END, "
        "body_format := m.body_format, body_sha256 := m.body_sha256, sent_at := m.sent_at))",
    },
    "stored_lines": _GONE,
    "lines": _GONE,
    "event_lines": {"raw": withheld("raw")},
}  # fmt: skip

# What a record says of people: the configuration, what mappings had no word for, and who ran what.
RECORDS = {
    "content": """json_merge_patch(content,
      '{"config": null, "inputs": null, "drift": null, "fields": null, "rule_texts": null}')""",
    "run": f"""json_merge_patch(json_merge_patch(run, json_object('reports', to_json(list_transform(
        from_json(run->'reports', '["json"]'),
        lambda r: json_merge_patch(r, '{{"asked": null, "files": null, "folder": null}}'))))),
      '{{"user": "{WITHHELD}", "host": "{WITHHELD}", "arguments": [], "reads": null, "reason": null, "by": null}}')""",
}
ACTORS = {
    **{name: f"CASE WHEN is_service AND spelled({name}) IS NULL THEN {name} ELSE named({name}) END"
       for name in ("actor_key", "person", "display_name")},
    "email": "named(email)",
}  # fmt: skip
PERSONS = {name: f"named({name})" for name in ("actor_key", "id", "name", "email")}


# Whom a finding is about: a key that is nobody's spelling is a service's.
_KEYS = {
    "actor_key": "coalesce(spelled(actor_key), actor_key)",
    "actor_keys": "list_transform(actor_keys, lambda k: coalesce(spelled_in(k), k))",
}
WHOSE = {
    "finding_versions": _KEYS,
    "current_findings": {**_KEYS, "person": "coalesce(spelled(person), person)"},
}
