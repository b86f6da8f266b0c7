"""What a question asks for -> SQL conditions. The SQL is ours, every value is bound. Used by query alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from pipeline import entities, moments, vocabulary
from pipeline.columns import VOCABULARIES
from pipeline.errors import UsageError
from pipeline.places import sort_key
from pipeline.vocabulary import fold_entity, several
from pipeline.vocabulary import names as known

__all__ = [
    "ACTOR", "FILTERS", "Clause", "Store", "bound", "clock", "conditions", "fold_entity", "known", "moment", "several",
    "together",
]  # fmt: skip

Clause = tuple[str, list[object]]

ACTOR = (
    "(lower(?) IN (lower(actor_id), lower(actor_name), lower(actor_email), lower(actor_key)) OR actor_key IN "
    "(SELECT actor_key FROM actors WHERE lower(?) IN (lower(person), lower(display_name))))"
)
# Who may do what, what was removed, and what was done to many at once; and what is as grave as that.
CRITICAL_CLASSES = (
    "permission", "privilege", "critical_setting", "deletion", "logging", "secret", "mfa", "impersonation",
)  # fmt: skip
CRITICAL = (
    "(action = 'delete' OR is_bulk OR list_has_any(classes, ["
    + ", ".join(f"'{one}'" for one in CRITICAL_CLASSES)
    + "]))"
)
SEARCHED = (
    "message", "action_detail", "action_raw", "entity_name", "entity_id", "reason", "error_message", "actor_name",
    "actor_email",
)  # fmt: skip
MESSAGES = "array_to_string(list_transform(communications, lambda m: concat_ws(' ', m.subject, m.body)), ' ')"
ANY_TYPE = """(entity_id = ? OR list_contains(entity_ids, ?) OR parent_entity_id = ?
  OR len(list_filter(related_entities, lambda r: r.id = ?)) > 0)"""


@dataclass(frozen=True)
class Store:
    """What conditions are made against: the store, the organization's zone, and the clock of relative times; `events`
    is the view that knows what there is, and `index` says where events are that may have one of some names."""

    con: duckdb.DuckDBPyConnection
    zone: str
    now: datetime
    events: str = "events"
    index: Callable[[tuple[str, ...]], entities.Found | None] = lambda _names: None


def conditions(store: Store, filters: Mapping[str, object]) -> list[Clause]:
    """One condition for each filter that asks for something: AND across them, OR within."""
    made = [
        condition(store, chosen)
        for name, condition in FILTERS.items()
        if (chosen := several(filters.get(name)))
    ]
    since, until = (bound(store, name, filters.get(name)) for name in ("since", "until"))
    if since and until and since >= until:
        raise UsageError(
            f"--until ({moments.instant(until)}) is not after --since ({moments.instant(since)})."
        )
    if since:
        made.append(("occurred_at >= ?::TIMESTAMPTZ", [since.isoformat()]))
    if until:
        made.append(("occurred_at < ?::TIMESTAMPTZ", [until.isoformat()]))
    return made


def together(clauses: Sequence[Clause]) -> Clause:
    """Conditions as one."""
    return " AND ".join(["true", *(sql for sql, _ in clauses)]), [v for _, vs in clauses for v in vs]


def bound(store: Store, name: str, written: object) -> datetime | None:
    """An end of the time asked for; `all` is none."""
    if written is None or written == "all":
        return None
    return moments.moment(written, store.zone, store.now, end=name == "until")


def moment(
    _con: duckdb.DuckDBPyConnection, zone: str, text: object, *, end: bool = False, as_of: object = None
) -> datetime:
    """A written time as an instant; relative ones count from `as_of`."""
    return moments.moment(text, zone, clock(as_of, zone), end=end)


def clock(written: object, zone: str) -> datetime:
    """What relative times count from."""
    now = datetime.now(UTC)
    return now if written is None else moments.moment(written, zone, now)


def _either(clauses: Sequence[Clause]) -> Clause:
    return f"({' OR '.join(sql for sql, _ in clauses)})", [v for _, values in clauses for v in values]


def _among(column: str, chosen: Sequence[object]) -> Clause:
    return f"{column} IN ({', '.join('?' * len(chosen))})", list(chosen)


def _each(sql: str, chosen: Sequence[object]) -> Clause:
    return _either([(sql, [str(value)] * sql.count("?")) for value in chosen])


def _actor(store: Store, chosen: list[object]) -> Clause:
    vocabulary.actors(store.con, chosen, ACTOR, store.events)
    return _each(ACTOR, chosen)


def _actor_type(_store: Store, chosen: list[object]) -> Clause:
    words = vocabulary.of_list("actor_type", chosen, (*VOCABULARIES["actor_type"], "all"))
    return ("true", []) if "all" in words else _among("actor_type", words)


def _action(_store: Store, chosen: list[object]) -> Clause:
    """`delete` is every deletion; `bulk_delete` those of many at once."""
    words = vocabulary.of_list("action", chosen, (*VOCABULARIES["action"], *vocabulary.BULK))
    return _either(
        [
            ("(is_bulk AND action = ?)", [str(word).removeprefix("bulk_")])
            if word in vocabulary.BULK
            else ("action = ?", [word])
            for word in words
        ]
    )


def _outcome(store: Store, chosen: list[object]) -> Clause:
    """Our words, or the source's own (`FAILED`)."""
    ours = [one for one in chosen if vocabulary.fold(str(one)) in VOCABULARIES["outcome"]]
    theirs = [one for one in chosen if one not in ours]
    if theirs:
        raw = {vocabulary.fold(word): word for word in vocabulary.distinct(store.con, "status_raw")}
        if unknown := [one for one in theirs if vocabulary.fold(str(one)) not in raw]:
            vocabulary.of_list("outcome", unknown, (*VOCABULARIES["outcome"], *sorted(raw.values())))
        theirs = [raw[vocabulary.fold(str(one))] for one in theirs]
    parts = [_among("outcome", vocabulary.of_list("outcome", ours, VOCABULARIES["outcome"]))] if ours else []
    return _either([*parts, *([_among("status_raw", theirs)] if theirs else [])])


def _entity(store: Store, chosen: list[object]) -> Clause:
    return _either([_of_entity(store, str(one)) for one in chosen])


def _of_entity(store: Store, typed: str) -> Clause:
    kind, name = thing(store, typed)
    if not name:
        return "entity_type = ?", [kind]
    if kind is None:
        return ANY_TYPE, [name] * 4
    condition = entities.is_named("?")
    return condition, [list(entities.names_of(kind, name))] * condition.count("?")


def thing(store: Store, typed: str) -> tuple[str | None, str]:
    """`PrintJobs:abc` as the store's own word for the type, and the id; a type that the index knows need not be looked
    for."""
    word, _, name = typed.partition(":")
    kind = fold_entity(word.strip())
    known_of = store.index(entities.names_of(kind, name)) if kind and name else None
    if known_of is None or not known_of.moments:
        kind = vocabulary.entity_type(store.con, word, store.events)
    return kind, name


def nearby(store: Store, chosen: Sequence[object]) -> entities.Found | None:
    """Where all events are that may name one of these things; None when they are not all things, or nobody knows."""
    things = [thing(store, str(one)) for one in chosen]
    if not things or not all(kind and name for kind, name in things):
        return None
    return store.index(tuple(one for kind, name in things for one in entities.names_of(str(kind), name)))


def _ip(_store: Store, chosen: list[object]) -> Clause:
    return _either([_network(str(one)) for one in chosen])


def _network(text: str) -> Clause:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise UsageError(
            f'"{vocabulary.short(text)}" is no address and no network.',
            hint="Write 203.0.113.7, 203.0.113.0/24, 2001:db8::17 or 2001:db8::/32.",
        ) from error
    return "ip_key BETWEEN ? AND ?", [sort_key(network.network_address), sort_key(network.broadcast_address)]


def _text(_store: Store, chosen: list[object]) -> Clause:
    parts = [f"contains(lower({name}), lower(?))" for name in (*SEARCHED, MESSAGES)]
    return _each(f"({' OR '.join(f'coalesce({part}, false)' for part in parts)})", chosen)


def _finding(store: Store, chosen: list[object]) -> Clause:
    """The events behind a finding, or behind any."""
    behind = "event_uid IN (SELECT event_uid FROM finding_events{})"
    if any(one is True or one == "any" for one in chosen):
        return behind.format(""), []
    ids = [vocabulary.finding(store.con, one) for one in chosen]
    where, values = _among("finding_id", ids)
    return behind.format(f" WHERE {where}"), values


def _newcomer(store: Store, chosen: list[object]) -> Clause:
    """Who was first seen since; in a log's first week everybody is, and that says nothing."""
    since = moments.moment(chosen[0], store.zone, store.now)
    return (
        """actor_key IN (SELECT actor_key FROM actors WHERE first_seen >= ?::TIMESTAMPTZ AND NOT is_service
        AND first_seen >= (SELECT min(first_event) FROM files) + INTERVAL 7 DAY)""",
        [since.isoformat()],
    )


FILTERS: dict[str, Callable[[Store, list[object]], Clause]] = {
    "source": lambda store, chosen: _among(
        "source", vocabulary.of_list("source", chosen, vocabulary.sources(store.con))
    ),
    "instance": lambda store, chosen: _among(
        "instance",
        vocabulary.of_list("instance", chosen, vocabulary.distinct(store.con, "instance", store.events)),
    ),
    "actor": _actor,
    "actor_type": _actor_type,
    "type": lambda store, chosen: _among(
        "event_type_raw", vocabulary.event_types(store.con, chosen, store.events)
    ),
    "action": _action,
    "detail": lambda _store, chosen: _each("lower(action_detail) GLOB lower(?)", chosen),
    "entity": _entity,
    "outcome": _outcome,
    "category": lambda _store, chosen: _among("category", vocabulary.categories(chosen)),
    "ip": _ip,
    "correlation": lambda _store, chosen: _among("correlation_id", [str(one) for one in chosen]),
    "text": _text,
    "critical": lambda _store, _chosen: (CRITICAL, []),
    "finding": _finding,
    "newcomer": _newcomer,
    "uids": lambda _store, chosen: ("event_uid IN (SELECT unnest(?::VARCHAR[]))", [list(map(str, chosen))]),
}
