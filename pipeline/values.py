"""What values a column has, how often and when: for `auditbook values`, and for what Tab suggests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pipeline import presets, vocabulary
from pipeline.columns import EVENT_COLUMNS, VOCABULARIES

if TYPE_CHECKING:
    from pipeline.query import Log
    from pipeline.rows import Rows

MOST = 50  # suggestions
NESTED = ("changes", "communications", "related_entities", "metadata", "unmapped", "ip_key")
Suggestions = list[tuple[str, str]]


def values(log: Log, column: str, like: str | None = None, **filters: object) -> Rows:
    """Each value of a column with how many events have it, since when and until when; most frequent first."""
    name = vocabulary.column(column, {**vocabulary.COLUMNS, "actor": "actor"})
    vocabulary.names([column], [*VALUED, *vocabulary.COLUMNS, "actor"], "column with values")
    asked = log.events(**filters)
    shown = _SQL.get(name, f'"{name}"')
    query = f"""SELECT * FROM (
        SELECT {_of(name, shown)} AS "value", count(*) AS n, min(occurred_at) AS first_seen,
          max(occurred_at) AS last_seen
        FROM ({asked.sql}) GROUP BY ALL)
      WHERE "value" IS NOT NULL AND (?::VARCHAR IS NULL OR contains(lower("value"::VARCHAR), lower(?::VARCHAR)))
      ORDER BY n DESC, "value" """
    return type(asked)(log.con, query, [*asked.values, like, like], question=asked.question)


VALUED = [name for name in EVENT_COLUMNS if name not in NESTED]
_SQL = {"actor": "coalesce(actor_email, actor_name, actor_id)"}


def _of(name: str, shown: str) -> str:
    return f"unnest({shown})" if EVENT_COLUMNS.get(name, "").endswith("[]") else shown


def suggestions(log: Log, what: str, typed: str) -> Suggestions:
    """What may be typed after an option, beginning with what was typed, with a few words about each."""
    if what in VOCABULARIES:
        found: Iterable[tuple[str, str]] = [
            (word, "") for word in (*VOCABULARIES[what], *_MORE.get(what, ()))
        ]
    else:
        found = _FROM[what](log, typed) if what in _FROM else []
    begun = typed.lower()
    return [(value, told) for value, told in found if value.lower().startswith(begun)][:MOST]


_MORE = {"actor_type": ("all",), "action": vocabulary.BULK}


def _column(name: str) -> Callable[[Log, str], Suggestions]:
    def of(log: Log, typed: str) -> Suggestions:
        rows = log.con.execute(
            f"""SELECT "{name}", count(*) AS n FROM events WHERE starts_with(lower("{name}"), lower(?))
            GROUP BY ALL ORDER BY n DESC, 1 LIMIT {MOST}""", [typed]
        ).fetchall()  # fmt: skip
        return [(value, f"{n:,} events") for value, n in rows]

    return of


def _actors(log: Log, typed: str) -> Suggestions:
    rows = log.con.execute(
        f"""SELECT coalesce(email, display_name, person) AS who, any_value(display_name), sum(events)::BIGINT AS n
        FROM actors WHERE starts_with(lower(who), lower(?)) GROUP BY who ORDER BY n DESC, who LIMIT {MOST}""",
        [typed],
    ).fetchall()
    return [(value, f"{name}, {n:,} events") for value, name, n in rows]


def _events(log: Log, typed: str) -> Suggestions:
    from pipeline import ids

    if not typed or set(typed) - set("0123456789abcdef"):
        return []
    return [(uid, "") for uid in ids.known(log.store, log.chain).beginning(typed, MOST)[0]]


def _detectors(log: Log, _typed: str) -> Suggestions:
    from pipeline import ownrules

    return [(name, one.title) for name, one in ownrules.ran(log.chain).items()]


def _entities(log: Log, typed: str) -> Suggestions:
    """Types, and after a colon the ids."""
    kind, colon, name = typed.partition(":")
    if not colon:
        return [(one, "") for one in vocabulary.types(log.con)]
    rows = log.con.execute(
        f"""SELECT entity_id, any_value(entity_name) FROM events WHERE entity_type = ? AND starts_with(entity_id, ?)
        GROUP BY ALL ORDER BY max(occurred_at) DESC LIMIT {MOST}""",
        [vocabulary.fold_entity(kind), name],
    ).fetchall()
    return [(f"{kind}:{value}", told or "") for value, told in rows]


def _findings(log: Log, _: str) -> Suggestions:
    rows = log.con.execute(
        "SELECT finding_id, severity, title FROM findings ORDER BY window_start DESC"
    ).fetchall()
    return [(value[:12], f"{severity}: {title}") for value, severity, title in rows]


_DAYS = [("today", ""), ("yesterday", ""), ("24h", ""), ("7d", ""), ("30d", ""), ("all", "")]
_FROM: dict[str, Callable[[Log, str], Suggestions]] = {
    "source": lambda log, _: [(one, "") for one in vocabulary.sources(log.con)],
    "instance": _column("instance"),
    "type": _column("event_type_raw"),
    "detail": _column("action_detail"),
    "ip": _column("source_ip"),
    "correlation": _column("correlation_id"),
    "actor": _actors,
    "event": _events,
    "detector": _detectors,
    "entity": _entities,
    "finding": _findings,
    "preset": lambda log, _: [
        (n, str(p.get("about", ""))) for n, p in {**presets.shipped(), **log.presets}.items()
    ],
    "sort": lambda _log, typed: [
        (name + end, "") for name in [*vocabulary.COLUMNS, *VALUED] for end in (":desc", "")
    ],
    "since": lambda _log, _typed: _DAYS,
    "until": lambda _log, _typed: _DAYS[:-1],
    "on": lambda _log, _typed: _DAYS[:2],
    "column": lambda _log, _typed: [(name, "") for name in ["actor", *vocabulary.COLUMNS, *VALUED]],
}
