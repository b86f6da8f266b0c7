"""People under names that a key makes: the same in every output made with it, and without it nobody's. Of audience."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

import duckdb

from pipeline import redact, secret
from pipeline.config import Privacy
from pipeline.errors import UsageError
from pipeline.hidden import PEOPLE, WITHHELD

HINT = "[privacy] key, key_env or key_command says where it is; any text of 16 characters or more will do."
SHORTEST_KEY = 16


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """The name that stands for a value: the same for the same key, and without it nobody's."""
    return f"{kind}-{hmac.new(key, value.strip().lower().encode(), sha256).hexdigest()[:10]}"


def make(connection: duckdb.DuckDBPyConnection, privacy: Privacy) -> None:
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


def sentences(connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str]) -> dict[str, str]:
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
