"""What a question asks for -> SQL conditions. The SQL is ours, every value is bound. Used by query alone."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import duckdb

from pipeline import mapping
from pipeline.columns import VOCABULARIES
from pipeline.errors import UsageError

# What a filter asks of an event: the SQL is ours, the values are bound.
FILTERS: dict[str, str] = {
    "source": "source = ?",
    "instance": "instance = ?",
    "actor": (
        "(lower(?) IN (lower(actor_id), lower(actor_name), lower(actor_email), lower(actor_key)) OR actor_key IN "
        "(SELECT actor_key FROM actors WHERE lower(?) IN (lower(person), lower(display_name))))"
    ),
    "actor_type": "actor_type = ?",
    "action": "action = ?",
    "detail": "action_detail GLOB ?",
    "outcome": "outcome = ?",
    "category": "category = ?",
    "correlation": "correlation_id = ?",
    "text": "contains(lower(concat_ws(' ', message, action_detail, entity_name, reason, error_message)), lower(?))",
}
ENTITY = (
    "event_uid IN (SELECT event_uid FROM event_entities WHERE (? IS NULL OR entity_type = ?) AND "
    "(? IS NULL OR entity_id = ?)) OR (? IS NULL AND entity_type = ?)"
)
UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGO = re.compile(r"^(\d+)([hdw])$")
_DATE = re.compile(r"^\d{4}-?\d{2}-?\d{2}$")


def conditions(
    connection: duckdb.DuckDBPyConnection, zone: str, filters: Mapping[str, object]
) -> tuple[str, list[object]]:
    """AND across filters, OR within one; a value that the store does not know is an error that lists the known ones."""
    known(filters, {*FILTERS, "entity", "since", "until", "as_of", "limit"}, "filter")
    where: list[str] = ["true"]
    values: list[object] = []
    for name, sql in FILTERS.items():
        if chosen := several(filters.get(name)):
            _check_values(connection, name, chosen)
            where.append("(" + " OR ".join([sql] * len(chosen)) + ")")
            values += [value for value in chosen for _ in range(sql.count("?"))]
    if chosen := several(filters.get("entity")):
        _check_types(connection, [str(entity) for entity in chosen])
        where.append("(" + " OR ".join([ENTITY] * len(chosen)) + ")")
        values += [value for entity in chosen for value in _entity_values(str(entity))]
    for sign, bound in _bounds(connection, zone, filters):
        where.append(f"occurred_at {sign} ?::TIMESTAMPTZ")
        values.append(bound.isoformat())
    return " AND ".join(where), values


def _bounds(
    connection: duckdb.DuckDBPyConnection, zone: str, filters: Mapping[str, object]
) -> list[tuple[str, datetime]]:
    since, until = (
        None if filters.get(name) is None
        else moment(connection, zone, filters[name], end=name == "until", as_of=filters.get("as_of"))
        for name in ("since", "until")
    )  # fmt: skip
    if since and until and since >= until:
        raise UsageError(f"--until ({until:%Y-%m-%d %H:%M}Z) is not after --since ({since:%Y-%m-%d %H:%M}Z).")
    return [(sign, bound) for sign, bound in ((">=", since), ("<", until)) if bound is not None]


def moment(
    connection: duckdb.DuckDBPyConnection, zone: str, text: object, *, end: bool = False, as_of: object = None
) -> datetime:
    """A time, a date (of the zone, the whole day), or so long ago: `24h`, `7d`, `2w`."""
    if isinstance(text, datetime) and text.tzinfo:
        return text.astimezone(UTC)
    written = str(text).strip()
    try:
        if ago := _AGO.match(written):
            now = as_of if isinstance(as_of, datetime) else datetime.now(UTC)
            return now - int(ago.group(1)) * UNITS[ago.group(2)]
        found = datetime.fromisoformat(written)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
        if end and _DATE.match(written):
            found += timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f'"{written}" is not a time.',
            hint="Write 2026-10-31, 2026-10-31T18:00, 2026-10-31T18:00Z, 24h or 7d.",
        ) from error
    [(micros,)] = connection.execute(
        "SELECT epoch_us(timezone(?, ?::TIMESTAMP))", [zone, found.isoformat()]
    ).fetchall()
    return datetime.fromtimestamp(micros / 1_000_000, UTC)


def _entity_values(entity: str) -> list[object]:
    kind, _, name = entity.partition(":")
    folded = fold_entity(kind)
    identity = name or None
    return [folded, folded, identity, identity, identity, folded]


def fold_entity(kind: str) -> str | None:
    """`PrintJobs`, `print_jobs` and `print_job` are the same type."""
    if not kind:
        return None
    word = re.sub(r"[\s\-]+", "_", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", kind)).lower()
    if word.endswith("ies"):
        return word[:-3] + "y"
    if re.search(r"(ch|sh|x|ss)es$", word):
        return word[:-2]
    return word if re.search(r"(ss|us|is)$", word) else word.removesuffix("s")


def _check_values(connection: duckdb.DuckDBPyConnection, name: str, chosen: Sequence[object]) -> None:
    """What has a closed list is held against it."""
    if name in VOCABULARIES:
        allowed: Sequence[str] = VOCABULARIES[name]
    elif name == "source":
        rows = connection.execute("SELECT DISTINCT source FROM events")  # the user's own mappings among them
        allowed = sorted({*mapping.shipped(), *(row[0] for row in rows.fetchall())})
    elif name == "instance":
        rows = connection.execute(
            "SELECT DISTINCT instance FROM events WHERE instance IS NOT NULL ORDER BY 1"
        )
        allowed = [row[0] for row in rows.fetchall()]
    elif name == "actor":
        _check_actors(connection, chosen)
        return
    else:
        return
    for value in chosen:
        if value not in allowed:
            raise UsageError(
                f'"{value}" is not a known {name}.', hint=f"Known are: {', '.join(allowed) or 'none'}."
            )


def _check_actors(connection: duckdb.DuckDBPyConnection, chosen: Sequence[object]) -> None:
    """A person whom no event names is a slip of the pen more often than a question."""
    for value in chosen:
        sql = FILTERS["actor"]
        asked = f"SELECT 1 FROM events WHERE {sql} LIMIT 1"
        if not connection.execute(asked, [value] * sql.count("?")).fetchall():
            rows = connection.execute(
                "SELECT DISTINCT unnest([person, display_name, email]) FROM actors"
            ).fetchall()
            names = sorted(row[0] for row in rows if row[0])
            near = difflib.get_close_matches(str(value), names, n=3, cutoff=0.5)
            hint = f"Did you mean {' or '.join(near)}?" if near else "`auditbook sources actors` lists them."
            raise UsageError(f'"{value}" is no actor of this store.', hint=hint)


def _check_types(connection: duckdb.DuckDBPyConnection, entities: Sequence[str]) -> None:
    rows = connection.execute(
        "SELECT DISTINCT entity_type FROM event_entities UNION SELECT DISTINCT entity_type FROM events"
    ).fetchall()
    types = sorted(row[0] for row in rows if row[0])
    for entity in entities:
        kind = fold_entity(entity.partition(":")[0])
        if kind is not None and kind not in types:
            raise UsageError(
                f'"{entity.partition(":")[0]}" is no entity type of this store.',
                hint=f"Known are: {', '.join(types) or 'none'}.",
            )


def known(given: Mapping[str, object], allowed: set[str], what: str) -> None:
    """An error that names the nearest word for one that is not allowed."""
    for name in given:
        if name not in allowed:
            near = difflib.get_close_matches(name, sorted(allowed), n=1)
            hint = f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(sorted(allowed))}."
            raise UsageError(f'"{name}" is not a {what}.', hint=hint)


def several(value: object) -> list[object]:
    """One value, several or none, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
