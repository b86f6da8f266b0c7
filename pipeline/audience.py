"""What an output shows to whom: views laid over those of the store, so that nothing has to think of it.

`full` is everything as it is stored. `internal`, the default, has every secret replaced. `external` also has people
under pseudonyms, which are the same in every output made with the same key, and no free text.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import duckdb

from pipeline import redact, secret
from pipeline.config import Privacy
from pipeline.errors import UsageError
from pipeline.findings import FINDINGS

AUDIENCES = ("full", "internal", "external")
WITHHELD = "[WITHHELD]"
HINT = "[privacy] key, key_env or key_command says where it is; any text of 16 characters or more will do."
SHORTEST_KEY = 16
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
_OF_TEXT = re.compile(rf"\b(?:{'|'.join(TEXTS)}|m\.subject|m\.body)\b")
# Filters that say nobody's name and no free text.
ASKED_OPENLY = (
    "source", "instance", "actor_type", "type", "action", "detail", "outcome", "category", "since", "until", "on",
    "as_of", "sort", "finding", "correlation", "newcomer",
)  # fmt: skip
FINDING_TEXTS = ("title", "key", "subject", "observed", "expected", "reason")
# What our own people typed: in a reason a secret may stand as well.
OWN_TEXTS = {
    "dispositions": ("reason",), "suppressions": ("reason",), "holds": ("case_name", "reason", "release_reason"),
    "tombstones": ("policy", "legal_basis"), "commits": ("run",),
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """To whom something is shown, and what is configured about that."""

    audience: str = "internal"
    privacy: Privacy = field(default_factory=Privacy)


EVERYTHING = Shown("full")


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """The words that the views of an audience are written with, for as long as views are made: a view is bound when it
    is made, and binding what really looks for secrets compiles every expression anew."""
    for sql in redact.PLACEHOLDERS:
        connection.execute(sql)


def lay(connection: duckdb.DuckDBPyConnection, shown: Shown, stored: Mapping[str, str]) -> None:
    """Make the temporary views `events`, `stored_lines`, `lines` and `event_lines` for an audience, and the tables that
    tell of people; `stored` is the views' SQL, which stays reachable with an underscore before their names. The
    connection was prepared."""
    external = shown.audience == "external"
    for name, sql in stored.items():
        connection.execute(f"CREATE TEMP VIEW _{name} AS {_inner(sql, stored)}")
    if external:
        _pseudonyms(connection, shown.privacy)
    for name in stored:
        connection.execute(f"CREATE TEMP VIEW {name} AS {over(shown, name, f'_{name}')}")
    for sql in redact.macros(shown.privacy.names):
        connection.execute(sql)
    _tables(connection, external)


def over(shown: Shown, view: str, relation: str) -> str:
    """What an audience sees of a view, over only the rows of it that `relation` has; the store's own view when `full`
    is what is shown."""
    if shown.audience == "full":
        return f"SELECT * FROM {relation} t"
    columns = _EXTERNAL if shown.audience == "external" else _INTERNAL
    replaced = ", ".join(f'{sql} AS "{column}"' for column, sql in columns[view].items())
    return f"SELECT * REPLACE ({replaced}) FROM {relation} t"


def of_few(connection: duckdb.DuckDBPyConnection, shown: Shown, table: str) -> str:
    """The same of a table of few events: one look at all of their words often saves making each of them ready."""
    tells = f"SELECT 1 FROM {table} WHERE {_MAY_TELL} LIMIT 1"
    if shown.audience == "internal" and not connection.execute(tells).fetchall():
        return f"SELECT * FROM {table} t"
    return over(shown, "events", table)


def verbatim(shown: Shown, view: str) -> str:
    """The name of a view as it is stored: for looking things up by what no audience changes, never for showing."""
    return view if shown.audience == "full" else f"_{view}"


def seen(sql: str) -> str:
    """A condition on texts of stored events, as asked of what an internal audience sees of them."""
    return _OF_TEXT.sub(r"redacted(\g<0>)", sql)


def of(connection: duckdb.DuckDBPyConnection) -> str:
    """To whom this connection shows what it has."""
    found = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE view_name = '_events' "
        "UNION ALL SELECT table_name FROM duckdb_tables() WHERE table_name = 'pseudonyms'"
    ).fetchall()
    return "external" if ("pseudonyms",) in found else "internal" if found else "full"


def typed(connection: duckdb.DuckDBPyConnection, filters: Mapping[str, object]) -> dict[str, object]:
    """What was asked, as the audience of the answer may read it: no secret, and to others nobody's name."""
    audience = of(connection)
    if audience == "full":
        return dict(filters)
    return {name: _typed(connection, audience, name, value) for name, value in filters.items()}


def _typed(connection: duckdb.DuckDBPyConnection, audience: str, name: str, value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [_typed(connection, audience, name, one) for one in value]
    if not isinstance(value, str):
        return value
    if audience == "internal" or name in ASKED_OPENLY:
        return redact.text(value)
    kind, _, which = value.partition(":") if name == "entity" else ("", "", value)
    [(known,)] = connection.execute("SELECT spelled(?)", [which]).fetchall()
    if name == "entity":
        return f"{kind}:{known}" if known else redact.text(value)
    return known or WITHHELD


def _tables(connection: duckdb.DuckDBPyConnection, external: bool) -> None:
    """Findings, people and records, laid over in the same way."""
    [(database,)] = connection.execute("SELECT current_database()").fetchall()
    if external:
        connection.execute("CREATE TEMP TABLE sentences (told VARCHAR PRIMARY KEY, shown VARCHAR)")
    elif not connection.execute(_TELLING).fetchall():
        return
    for name in ("finding_versions", "current_findings"):
        columns = [column for column in FINDING_TEXTS if column != "key" or external]
        texts = _people_replaced(connection, f"{database}.main.{name}", columns) if external else {
            column: f'redacted("{column}")' for column in columns
        }  # fmt: skip
        _over(connection, database, name, texts | (_WHOSE[name] if external else {}))
    if external:
        _over(connection, database, "commits", _RECORDS)
        _over(connection, database, "actors", _ACTORS)
        _over(connection, database, "people", _PEOPLE)
        _over(
            connection, database, "dispositions", {"os_user": f"'{WITHHELD}'", "reason": _withheld("reason")}
        )
        _over(connection, database, "settings", {"config": "'{}'::JSON"})
        _over(connection, database, "suppressions", {"actor": "named(actor)", "reason": _withheld("reason")})
        _over(connection, database, "holds", {name: _withheld(name) for name in (*OWN_TEXTS["holds"], "os_user")}
              | {"actor": "named(actor)"})  # fmt: skip
        _over(
            connection,
            database,
            "tombstones",
            {name: f'redacted("{name}")' for name in OWN_TEXTS["tombstones"]},
        )
    else:
        for name, own in OWN_TEXTS.items():
            made = "redacted_json" if name == "commits" else "redacted"
            _over(connection, database, name, {column: f'{made}("{column}")' for column in own})
    connection.execute(f"CREATE TEMP VIEW findings AS {FINDINGS}")


# Whom a finding is about: a key that is nobody's spelling is a service's.
_KEYS = {
    "actor_key": "coalesce(spelled(actor_key), actor_key)",
    "actor_keys": "list_transform(actor_keys, lambda k: coalesce(spelled_in(k), k))",
}
_WHOSE = {
    "finding_versions": _KEYS,
    "current_findings": {**_KEYS, "person": "coalesce(spelled(person), person)"},
}

# These tell of secrets rarely: one look at all of their words saves making each of them ready.
_TELLING = " UNION ALL ".join(
    f"(SELECT 1 FROM {name} WHERE has_secret(concat_ws(chr(10), {', '.join(columns)})) LIMIT 1)"
    for name, columns in {"finding_versions": FINDING_TEXTS, **OWN_TEXTS}.items()
)


def _over(
    connection: duckdb.DuckDBPyConnection, database: str, table: str, columns: Mapping[str, str]
) -> None:
    """A temporary table in place of the catalog's; the views that read it are made after it, and see this one."""
    replaced = ", ".join(f'{sql} AS "{column}"' for column, sql in columns.items())
    star = f"* REPLACE ({replaced})" if columns else "*"
    connection.execute(f"CREATE TEMP TABLE {table} AS SELECT {star} FROM {database}.main.{table} t")


def _inner(sql: str, names: Mapping[str, str]) -> str:
    """The same SQL over the views as they are stored."""
    return re.sub(rf"(?<=(?:FROM|JOIN) )({'|'.join(names)})\b", r"_\1", sql)


def _withheld(column: str) -> str:
    return f"CASE WHEN \"{column}\" IS NULL THEN NULL ELSE '{WITHHELD}' END"


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """The name that stands for a value: the same for the same key, and without it nobody's."""
    return f"{kind}-{hmac.new(key, value.strip().lower().encode(), sha256).hexdigest()[:10]}"


def _pseudonyms(connection: duckdb.DuckDBPyConnection, privacy: Privacy) -> None:
    """The table of everybody's spellings with their pseudonyms; one person's are one where [actors] ties them."""
    key = _key(privacy)
    rows = connection.execute(_SPELLINGS, {"people": list(PEOPLE)}).fetchall()
    made = [(value, pseudonym(key, kind, person)) for value, kind, person in rows]
    connection.execute("CREATE TEMP TABLE pseudonyms (value VARCHAR, pseudonym VARCHAR)")
    if made:
        import pyarrow as pa

        connection.register(
            "spelled", pa.table({"value": [one[0] for one in made], "pseudonym": [one[1] for one in made]})
        )
        connection.execute("INSERT INTO pseudonyms FROM spelled")
        connection.unregister("spelled")
    connection.execute(
        "SET VARIABLE pseudonyms = (SELECT map_from_entries(list((value, pseudonym))) FROM pseudonyms)"
    )
    for sql in _MACROS:
        connection.execute(sql)


def translated(connection: duckdb.DuckDBPyConnection, filters: Mapping[str, object]) -> dict[str, object]:
    """Filters by people and addresses, in the words that an external output knows."""
    spelled = dict(connection.execute("SELECT value, pseudonym FROM pseudonyms").fetchall())

    def own(value: object) -> object:
        if isinstance(value, list | tuple):
            return [own(one) for one in value]
        return spelled.get(str(value).lower(), value)

    return {name: own(value) if name in ("actor", "ip") else value for name, value in filters.items()}


def _key(privacy: Privacy) -> bytes:
    found = secret.read(privacy, "privacy", HINT)
    if found is None:
        raise UsageError(
            "an external output needs a key for its pseudonyms, and none is configured.", hint=HINT
        )
    text = found[0].strip()
    if len(text) < SHORTEST_KEY:
        raise UsageError(f"{found[1]} is too short for pseudonyms.", hint=HINT)
    return text


# In a list a variable has to do, which is slower than a join; lists of people are short.
_MACROS = (
    "CREATE TEMP MACRO spelled(t) AS (SELECT any_value(pseudonym) FROM pseudonyms p WHERE p.value = lower(t))",
    f"CREATE TEMP MACRO named(t) AS CASE WHEN t IS NULL THEN NULL ELSE coalesce(spelled(t), '{WITHHELD}') END",
    "CREATE TEMP MACRO spelled_in(t) AS getvariable('pseudonyms')[lower(t)]",
    f"CREATE TEMP MACRO named_in(t) AS CASE WHEN t IS NULL THEN NULL ELSE coalesce(spelled_in(t), '{WITHHELD}') END",
)

_SPELLINGS = """WITH seen AS (
    SELECT DISTINCT actor_key, actor_id, actor_name, actor_email FROM _events WHERE actor_type NOT IN
      ('api_key', 'webhook', 'integration', 'automation', 'scheduler', 'system')),
  spelled AS (
    SELECT unnest([s.actor_key, s.actor_id, s.actor_name, s.actor_email]) AS value,
      coalesce(p.id, s.actor_email, s.actor_key) AS person
    FROM seen s LEFT JOIN people p USING (actor_key)
    UNION ALL SELECT unnest([id, name, email, actor_key]), id FROM people
    UNION ALL SELECT DISTINCT unnest([impersonator_id, impersonator_name, impersonator_email]),
      coalesce(impersonator_email, impersonator_id, impersonator_name) FROM _events
    UNION ALL SELECT DISTINCT entity_id, entity_id FROM _events WHERE list_contains($people, entity_type)
    UNION ALL SELECT DISTINCT entity_name, coalesce(entity_id, entity_name) FROM _events
      WHERE list_contains($people, entity_type)
    UNION ALL SELECT DISTINCT unnest([m.sender] || m."to" || m.cc || m.bcc), NULL
      FROM (SELECT unnest(communications) AS m FROM _events))
  SELECT lower(value), 'person', min(coalesce(person, value)) FROM spelled WHERE value IS NOT NULL AND value != ''
  GROUP BY lower(value)
  UNION ALL SELECT DISTINCT lower(source_ip), 'address', source_ip FROM _events WHERE source_ip IS NOT NULL
  ORDER BY ALL"""


def _people_replaced(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]
) -> dict[str, str]:
    """Sentences of findings with every known spelling replaced: they are few, and made here."""
    spelled = dict(connection.execute("SELECT value, pseudonym FROM pseudonyms").fetchall())
    known = sorted((value for value in spelled if len(value) > 2), key=len, reverse=True)
    texts = {
        text
        for row in connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
        for text in row
        if text
    }
    if not texts:
        return {}
    pattern = re.compile("|".join([*map(re.escape, known), r"[\w.+-]+@[\w.-]+\w"]), re.IGNORECASE)
    made = {
        text: pattern.sub(lambda found: spelled.get(found[0].lower(), WITHHELD), redact.text(text))
        for text in texts
    }
    connection.executemany("INSERT OR REPLACE INTO sentences VALUES (?, ?)", list(made.items()))
    return {
        column: f'(SELECT any_value(shown) FROM sentences s WHERE s.told = t."{column}")'
        for column in columns
    }


_CHANGES = """list_transform(changes, lambda c: struct_pack(field := c.field, old := {old}, new := {new},
    old_present := c.old_present, new_present := c.new_present, redacted := {flag}))"""
_SECRET_CHANGE = "secret_name(c.field)"
# Within a list an expression is compiled for each row: it is asked only where a word or a shape of a secret stands.
_MAY = "len({column}) > 0 AND may_have_secret(to_json({column})::VARCHAR)"
_MAY_TELL = "may_have_secret(concat_ws(chr(10), {}))".format(
    ", ".join(
        [
            *TEXTS,
            *(f"to_json({name})::VARCHAR" for name in ("metadata", "unmapped", "changes", "communications")),
        ]
    )
)
_INTERNAL: dict[str, dict[str, str]] = {
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
_GONE = {"raw": _withheld("raw"), "message": _withheld("message"),
         "raw_bytes": f"CASE WHEN raw_bytes IS NULL THEN NULL ELSE encode('{WITHHELD}') END"}  # fmt: skip
_MACHINE = "actor_type IN ('api_key', 'webhook', 'integration', 'automation', 'scheduler', 'system')"
_EXTERNAL: dict[str, dict[str, str]] = {
    "events": {
        **{name: f"redacted({name})" for name in TEXTS if name not in (*FREE, "actor_name")},
        **{name: _withheld(name) for name in FREE},
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
    "event_lines": {"raw": _withheld("raw")},
}  # fmt: skip

# What a record says of people: the configuration, what mappings had no word for, and who ran what.
_RECORDS = {
    "content": """json_merge_patch(content, '{"config": null, "inputs": null, "drift": null, "fields": null}')""",
    "run": f"""json_merge_patch(json_merge_patch(run, json_object('reports', to_json(list_transform(
        from_json(run->'reports', '["json"]'),
        lambda r: json_merge_patch(r, '{{"asked": null, "files": null, "folder": null}}'))))),
      '{{"user": "{WITHHELD}", "host": "{WITHHELD}", "arguments": [], "reads": null, "reason": null, "by": null}}')""",
}
_ACTORS = {
    **{name: f"CASE WHEN is_service AND spelled({name}) IS NULL THEN {name} ELSE named({name}) END"
       for name in ("actor_key", "person", "display_name")},
    "email": "named(email)",
}  # fmt: skip
_PEOPLE = {name: f"named({name})" for name in ("actor_key", "id", "name", "email")}
