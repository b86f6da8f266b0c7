"""Which events a history or a recipe looks at: those of a thing and what it is linked to, of a person, an address.

`Chosen.around(query)` puts two relations before a query: `events`, narrowed to them, with `who`, `lane` and `about`,
and `changes`, one row for each changed field of each thing that they concern.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from pipeline import audience, moments
from pipeline import entities as index
from pipeline.errors import UsageError
from pipeline.filters import ACTOR, fold_entity, known, moment, several

if TYPE_CHECKING:
    from pipeline.query import Log

Entity = tuple[str, str]
LANES = ("workflow", "communication", "accounting", "automation")
# Relations by which two things are two parts of one life: a quote and its job, a contact and what was merged into it.
ONE_LIFE = ("sales_doc", "converted_to", "merged")
MOST_LINKED = 50
MOST_COMPARED = 1_000_000  # events of a store in which it is looked for what was meant
_NUMBERS = count(1)
_WHO = """coalesce(coalesce(e.impersonator_name, e.impersonator_email, e.impersonator_id) || ' as ', '')
  || CASE WHEN e.actor_anonymous THEN 'Anonymous'
     ELSE coalesce(a.display_name, e.actor_name, e.actor_email, e.actor_id, e.actor_type) END"""
_LANE = """CASE WHEN len(e.communications) > 0 OR e.category IN ('communication', 'message') THEN 'communication'
  WHEN e.category IN ('accounting', 'payment') THEN 'accounting'
  WHEN e.category IN ('automation', 'background_job') OR e.actor_type IN ('automation', 'scheduler') THEN 'automation'
  ELSE 'workflow' END"""
_ABOUT = """CASE WHEN list_contains($chosen_entities, e.parent_entity_type || ':' || e.parent_entity_id)
    THEN e.parent_entity_type || ':' || e.parent_entity_id
  WHEN list_contains($chosen_entities, e.entity_type || ':' || e.entity_id) THEN e.entity_type || ':' || e.entity_id
  ELSE coalesce(e.parent_entity_type || ':' || e.parent_entity_id, e.entity_type || ':' || e.entity_id, e.entity_type)
  END"""
_EVENTS = """events AS (
  SELECT e.*, {who} AS who, {lane} AS lane, {about} AS about
  FROM {relation} AS e LEFT JOIN actors AS a ON a.actor_key = e.actor_key WHERE {where}
)"""
_CHANGES = """changes AS (
  SELECT e.* EXCLUDE (c, ids), coalesce(id, '') AS changed_id, coalesce(e.entity_type, '') AS changed_type, c.field,
    c.old, c.new, c.old_present, c.new_present, c.redacted
  FROM (
    SELECT event_uid, source, instance, occurred_at, file, line, who, actor_key, action, action_detail, about, reason,
      correlation_id, entity_type, unnest(changes) AS c,
      CASE WHEN entity_id IS NULL AND len(entity_ids) > 0 THEN entity_ids ELSE [entity_id] END AS ids
    FROM events) AS e, unnest(e.ids) AS u(id)
)"""


@dataclass(frozen=True)
class Chosen:
    """Events that are looked at; `entities` are the thing asked for and what it is linked to, `TYPE:ID` each."""

    where: str
    values: Mapping[str, object]
    target: str | None = None
    entities: tuple[str, ...] = ()
    source: str | None = None
    relation: str = "temp.events"
    asked: Mapping[str, object] = field(default_factory=dict)

    def around(self, query: str) -> str:
        """The query, reading only these events."""
        events = _EVENTS.format(who=_WHO, lane=_LANE, about=_ABOUT, relation=self.relation, where=self.where)
        return f"WITH {events}, {_CHANGES} SELECT * FROM (\n{query.strip()}\n)"

    def bound(self, used: str, values: Mapping[str, object]) -> dict[str, object]:
        """The values that a query of these events needs: its own and theirs."""
        every = {**self.values, "chosen_entities": list(self.entities), **values}
        return {name: value for name, value in every.items() if re.search(rf"\${name}\b", used)}


def everything(log: Log, filters: Mapping[str, object]) -> Chosen:
    """All events, narrowed by source, instance and time."""
    return _narrowed(log, "true", {}, None, filters)


def person(log: Log, who: str, filters: Mapping[str, object]) -> Chosen:
    """The events of one person, under every spelling."""
    who = _as_shown(log, who)
    keys = log.con.execute(
        "SELECT DISTINCT unnest([actor_key, person]) FROM actors WHERE lower(?) IN "
        "(lower(person), lower(display_name), lower(email), lower(actor_key))", [who]
    ).fetchall()  # fmt: skip
    if not keys:
        asked = ACTOR
        keys = log.con.execute(
            f"SELECT DISTINCT actor_key FROM events WHERE {asked}", [who] * asked.count("?")
        ).fetchall()
    if not keys:
        raise UsageError(f'"{who}" is no actor of this store.', hint="`auditbook sources actors` lists them.")
    where = (
        "e.actor_key IN (SELECT actor_key FROM actors "
        "WHERE list_contains($keys, actor_key) OR list_contains($keys, person))"
    )
    return _narrowed(log, where, {"keys": [key for (key,) in keys]}, who, filters)


def address(log: Log, ip: str, filters: Mapping[str, object]) -> Chosen:
    """The events from one address, or from the addresses of a network."""
    try:
        network = ipaddress.ip_network(ip.strip(), strict=False)
    except ValueError as error:
        raise UsageError(
            f'"{ip}" is no address.', hint="Write 203.0.113.7, 2001:db8::1 or 203.0.113.0/24."
        ) from error
    first, last = (_sixteen(one) for one in (network.network_address, network.broadcast_address))
    return _narrowed(
        log, "e.ip_key BETWEEN $first_ip AND $last_ip", {"first_ip": first, "last_ip": last}, ip, filters
    )


def _as_shown(log: Log, name: str) -> str:
    """Somebody or something as the audience of this log knows it."""
    if log.shown.audience != "external":
        return name
    found = log.con.execute("SELECT pseudonym FROM pseudonyms WHERE value = lower(?)", [name]).fetchall()
    return str(found[0][0]) if found else name


def _sixteen(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    return b"\0" * 10 + b"\xff" * 2 + ip.packed if ip.version == 4 else ip.packed


def entity(log: Log, name: str, filters: Mapping[str, object]) -> Chosen:
    """The events of one thing, `TYPE:ID`, and of what is one life with it."""
    kind, identity = parse(name)
    target = (kind, _as_shown(log, identity))
    text = ":".join(target)
    relation, places, linked = _named(log, [target], filters)
    if not places:
        raise _unnamed(log, target, filters)
    if len(places) > 1:
        told = ", ".join(" ".join(part for part in place if part) for place in places)
        raise UsageError(f'"{text}" is a thing of {told}.', hint="Say which with --source and --instance.")
    [(source, instance)] = places
    within = {**filters, "source": source, **({"instance": instance} if instance else {})}
    things = [target]
    while new := [one for one in linked if one not in things][: MOST_LINKED - len(things)]:
        things += new
        relation, _, linked = _named(log, things, within)
    return _narrowed(log, "true", {}, text, within, tuple(map(":".join, things)), relation)


def parse(name: str) -> Entity:
    """`PrintJobs:abc` as type and id."""
    kind, _, identity = name.partition(":")
    folded = fold_entity(kind.strip())
    if not folded or not identity:
        raise UsageError(f'"{name}" is not TYPE:ID.', hint="Write it like job:job_2041.")
    return folded, identity


def _named(
    log: Log, wanted: Sequence[Entity], filters: Mapping[str, object]
) -> tuple[str, list[tuple[str, str]], list[Entity]]:
    """A table of the events that name one of these things, kept apart for the many questions that follow and gone with
    the connection; whose they are; and the things that they tie together into one life."""
    limits, bounds = _within(log, filters)
    names = [name for thing in wanted for name in index.names_of(*thing)]
    table = f"life_{next(_NUMBERS)}"
    where, picked = f"{limits} AND {index.is_named('$names', 'e.')}", "temp.events"
    # Picked as they are stored, only those that were picked are made ready to be shown; others know pseudonyms only.
    if log.shown.audience != "external":
        known_of = index.found(log.con, log.store, log.chain, names)
        picked = known_of.relation if known_of else audience.verbatim(log.shown, "events")
        times = {f"at_{n}": value for n, value in enumerate(known_of.values)} if known_of else {}
        when = known_of.condition([f"${name}" for name in times]) if known_of else "true"
        where, bounds = f"{when} AND {where}", {**bounds, **times}
    log.con.execute(
        f"CREATE TEMP TABLE {table} AS SELECT * FROM {picked} AS e WHERE {where}", {**bounds, "names": names}
    )
    if log.shown.audience == "internal":
        shown = audience.of_few(log.con, log.shown, f"temp.{table}")
        log.con.execute(f"CREATE TEMP TABLE shown_{table} AS {shown}")
        log.con.execute(f"DROP TABLE temp.{table}")
        table = f"shown_{table}"
    places = log.con.execute(
        f"SELECT DISTINCT source, coalesce(instance, '') FROM temp.{table} ORDER BY 1, 2"
    )
    return f"temp.{table}", places.fetchall(), _linked(log, f"temp.{table}")


def _linked(log: Log, table: str) -> list[Entity]:
    """What the events tie together into one life, in order."""
    rows = log.con.execute(
        f"""SELECT DISTINCT unnest([type, r.type]), unnest([id, r.id]) FROM (
          SELECT coalesce(parent_entity_type, entity_type) AS type, coalesce(parent_entity_id, entity_id) AS id,
            unnest(related_entities) AS r FROM {table})
        WHERE list_contains(?, r.relation) AND id IS NOT NULL AND r.id IS NOT NULL ORDER BY 1, 2""",
        [list(ONE_LIFE)],
    ).fetchall()
    return [(str(kind), str(one)) for kind, one in rows]


def _unnamed(log: Log, target: Entity, filters: Mapping[str, object]) -> UsageError:
    """Nothing there is called so; or it is, and nothing of it is among what was asked for."""
    text = ":".join(target)
    if any(filters.get(name) is not None for name in ("source", "instance", "since", "until", "as_of")):
        relation, places, _ = _named(log, [target], {})
        if places:
            [(first, last)] = log.con.execute(
                f"SELECT min(occurred_at), max(occurred_at) FROM {relation}"
            ).fetchall()
            of = ", ".join(sorted({source for source, _ in places}))
            told = f"It is in {of}, from {moments.instant(first)} until {moments.instant(last)}."
            return UsageError(f'"{text}" is named by no event of the time and source asked for.', hint=told)
    return UsageError(f'"{text}" is named by no event of this store.', hint=_like(log, target))


def _like(log: Log, target: Entity) -> str:
    """What might have been meant: ids of that type that begin alike, else the types that there are."""
    kind, identity = target
    [(events,)] = log.con.execute("SELECT sum(events) FROM files").fetchall()
    if (events or 0) > MOST_COMPARED:
        return f"`auditbook events --entity {kind}` lists such things."
    near = log.con.execute(
        "SELECT entity_id FROM event_entities WHERE entity_type = ? AND entity_id IS NOT NULL GROUP BY entity_id "
        "ORDER BY levenshtein(entity_id, ?), entity_id LIMIT 3", [kind, identity]
    ).fetchall()  # fmt: skip
    if near:
        return f"Did you mean {' or '.join(f'{kind}:{one}' for (one,) in near)}?"
    types = log.con.execute("SELECT DISTINCT entity_type FROM event_entities ORDER BY 1").fetchall()
    return f"Types that have ids: {', '.join(str(one) for (one,) in types)}."


def _within(log: Log, filters: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Source, instance and time as a condition."""
    known(filters, {"source", "instance", "since", "until", "as_of"}, "option")
    where, values = ["true"], dict[str, object]()
    for name in ("source", "instance"):
        if chosen := several(filters.get(name)):
            where.append(f"list_contains($of_{name}, e.{name})")
            values[f"of_{name}"] = chosen
    if filters.get("as_of") is not None:
        where.append("e.occurred_at <= $as_of::TIMESTAMPTZ")
        values["as_of"] = moment(log.con, "UTC", filters["as_of"]).isoformat()
    zone = log.config.organization.timezone
    for name, sign in (("since", ">="), ("until", "<")):
        if filters.get(name) is not None:
            bound = moment(log.con, zone, filters[name], end=name == "until", as_of=filters.get("as_of"))
            where.append(f"e.occurred_at {sign} ${name}::TIMESTAMPTZ")
            values[name] = bound.isoformat()
    return " AND ".join(where), values


def _narrowed(
    log: Log, where: str, values: Mapping[str, object], target: str | None, filters: Mapping[str, object],
    entities: tuple[str, ...] = (), relation: str = "temp.events",
) -> Chosen:  # fmt: skip
    limits, bounds = _within(log, filters)
    sources = several(filters.get("source"))
    return Chosen(
        f"{where} AND {limits}", {**values, **bounds}, target, entities,
        str(sources[0]) if len(sources) == 1 else None, relation,
        asked={name: value for name, value in filters.items() if value is not None and several(value)},
    )  # fmt: skip
