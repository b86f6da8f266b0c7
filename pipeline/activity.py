"""What detectors read: events with their person and local time, and the past in short. SQL, one text for all places.

`activity` is an event with who did it and when that was on their clock. `habits` and `places` are the events counted
by half hours (quarters, where a clock is a quarter off) and days, so that a baseline never reads the events again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from pipeline.columns import EVENT_COLUMNS, TIME

# What stands for an actor that nobody can name: a person's findings are theirs, an unnamed system's are its source's.
_PERSON = """coalesce(a.person, x.source || ':'
      || CASE WHEN x.actor_anonymous THEN 'anonymous' ELSE x.actor_type END)"""
_WHO = """coalesce(a.display_name, CASE WHEN x.actor_anonymous THEN 'Anonymous' ELSE 'an unnamed ' || x.actor_type END
    || ' of ' || x.source)"""
PERSON = f"""{_PERSON} AS person, {_WHO} AS who, a.person IS NOT NULL AS is_named,
    coalesce(a.is_service, x.actor_type NOT IN ('user', 'customer')) AS is_service, a.role AS person_role,
    a.team AS team, coalesce(a.schedule, 'organization') AS schedule"""
CLOCK = "c.local_date, c.hour, c.weekday, c.is_holiday, c.is_business_hours, c.is_workday"

RECORDS = """greatest(1, len(list_distinct(entity_ids)), CASE WHEN is_bulk
    AND regexp_matches(metadata->>'count', '^[0-9]{1,9}$') THEN CAST(metadata->>'count' AS BIGINT) END)"""
NETWORK = """CASE WHEN ip_key IS NULL THEN NULL WHEN left(hex(ip_key), 24) = '00000000000000000000FFFF'
    THEN left(hex(ip_key), 30) ELSE left(hex(ip_key), 12) END"""
# What an event of some class says, in a line: findings by class tell it. Other events need none.
_CHANGES = """list_transform(list_sort(changes), lambda one: one.field || CASE WHEN one.redacted THEN ' [REDACTED]'
    ELSE ' from ' || coalesce(left(one.old, 80), 'nothing') || ' to ' || coalesce(left(one.new, 80), 'nothing') END)"""
SENTENCE = f"""CASE WHEN len(classes) > 0 THEN
    coalesce(action_detail, action_raw, action, 'an entry') || ' in ' || source
    || coalesce(' on ' || coalesce(entity_type || ' ', '') || coalesce(entity_name, entity_id), '')
    || coalesce(' (' || left(message, 200) || ')', '')
    || coalesce(': ' || left(nullif(array_to_string({_CHANGES}, ', '), ''), 400), '')
    || CASE WHEN outcome = 'failure' THEN ' (refused)' ELSE '' END END"""
# Column -> how it is made, and the columns of the events that it takes.
COMPUTED: dict[str, tuple[str, frozenset[str]]] = {
    "local_at": ("timezone('UTC', x.occurred_at) + to_minutes(c.utc_offset_minutes)", frozenset()),
    "records": (RECORDS, frozenset({"is_bulk", "entity_ids", "metadata"})),
    "network": (NETWORK, frozenset({"ip_key"})),
    "sentence": (
        SENTENCE,
        frozenset({"classes", "action_detail", "action_raw", "action", "source", "entity_type", "entity_name",
                   "entity_id", "message", "changes", "outcome"}),
    ),
}  # fmt: skip

HABIT_ROWS: dict[str, str] = {
    "actor_key": "VARCHAR",
    "actor_type": "VARCHAR",
    "actor_anonymous": "BOOLEAN",
    "source": "VARCHAR",
    "instance": "VARCHAR",
    "slot": TIME,
    "action": "VARCHAR",
    "entity_type": "VARCHAR",
    "outcome": "VARCHAR",
    "is_bulk": "BOOLEAN",
    "classes": "VARCHAR[]",
    "n": "BIGINT",
    "records": "BIGINT",
    "first_at": TIME,
    "last_at": TIME,
}
PLACE_ROWS: dict[str, str] = {
    "actor_key": "VARCHAR",
    "actor_type": "VARCHAR",
    "actor_anonymous": "BOOLEAN",
    "source": "VARCHAR",
    "day": "DATE",
    "source_ip": "VARCHAR",
    "network": "VARCHAR",
    "user_agent": "VARCHAR",
    "api_key_id_masked": "VARCHAR",
    "n": "BIGINT",
    "first_at": TIME,
    "last_at": TIME,
}
DAY_ROWS: dict[str, str] = {
    "actor_key": "VARCHAR",
    "actor_type": "VARCHAR",
    "actor_anonymous": "BOOLEAN",
    "source": "VARCHAR",
    "instance": "VARCHAR",
    "day": "DATE",
    "n": "BIGINT",
    "first_at": TIME,
    "last_at": TIME,
}
SIGHTING_ROWS: dict[str, str] = {
    "actor_key": "VARCHAR",
    "actor_type": "VARCHAR",
    "actor_id": "VARCHAR",
    "actor_name": "VARCHAR",
    "actor_email": "VARCHAR",
    "actor_role": "VARCHAR",
    "source": "VARCHAR",
    "n": "BIGINT",
    "first_at": "TIMESTAMP WITH TIME ZONE",
    "last_at": "TIMESTAMP WITH TIME ZONE",
}


def habits_of(events: str, minutes: int = 15) -> str:
    """The events of a relation, counted by who, what and quarter of an hour, or half hour."""
    return f"""SELECT actor_key, actor_type, actor_anonymous, source, instance,
      time_bucket(INTERVAL {minutes} MINUTE, occurred_at) AS slot,
      "action", entity_type, outcome, is_bulk, classes, count(*) AS n, sum({RECORDS})::BIGINT AS records,
      min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM {events} GROUP BY ALL"""


def places_of(events: str) -> str:
    """The events of a relation, counted by who, from where, with what and day (UTC)."""
    return f"""SELECT actor_key, actor_type, actor_anonymous, source, (occurred_at AT TIME ZONE 'UTC')::DATE AS "day",
      source_ip, {NETWORK} AS network, user_agent, api_key_id_masked, count(*) AS n,
      min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM {events} WHERE source_ip IS NOT NULL OR user_agent IS NOT NULL GROUP BY ALL"""


def days_of(events: str) -> str:
    """The events of a relation, counted by who and day (UTC)."""
    return f"""SELECT actor_key, actor_type, actor_anonymous, source, instance,
      (occurred_at AT TIME ZONE 'UTC')::DATE AS "day", count(*) AS n,
      min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM {events} GROUP BY ALL"""


def sightings_of(events: str) -> str:
    """The events of a relation, counted by the spellings of who acted."""
    return f"""SELECT actor_key, actor_type, actor_id, actor_name, actor_email, actor_role, source, count(*) AS n,
      min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM {events} GROUP BY ALL"""


SUMMARIES = {
    "habits": (HABIT_ROWS, habits_of),
    "places": (PLACE_ROWS, places_of),
    "days": (DAY_ROWS, days_of),
    "sightings": (SIGHTING_ROWS, sightings_of),
}
# A summary that was made in another way than this is made again. One of half hours will do where no clock is a quarter
# of an hour off: it is smaller by far.
VERSION = hashlib.sha256("".join(made("events") for _, made in SUMMARIES.values()).encode()).hexdigest()[:16]
HALVES = f"{VERSION}/30"


def activity_of(events: str, computed: Iterable[str] = COMPUTED) -> str:
    """The events of a relation, each with its person, its local time and what else is made of it."""
    made = "".join(f", {COMPUTED[name][0]} AS {name}" for name in computed)
    return f"""SELECT x.*, {PERSON}, {CLOCK}{made}
    FROM {events} x LEFT JOIN actors a ON a.actor_key = x.actor_key
    LEFT JOIN calendar c ON c.schedule = coalesce(a.schedule, 'organization')
      AND c.slot = time_bucket(INTERVAL 15 MINUTE, x.occurred_at)"""


def with_person(relation: str) -> str:
    """Rows of habits or places, each with its person."""
    return f"SELECT x.*, {PERSON} FROM {relation} x LEFT JOIN actors a ON a.actor_key = x.actor_key"


def with_clock(relation: str) -> str:
    """Rows of habits, each with its person and the local time of its slot."""
    return f"""SELECT x.*, {CLOCK} FROM ({with_person(relation)}) x
    LEFT JOIN calendar c ON c.schedule = x.schedule AND c.slot = x.slot"""


def local_days(days: str) -> str:
    """Rows of days, each with its person, once for each local day that it is of: a midnight parts a day in two."""
    return f"""SELECT x.*, c.local_date FROM (
      SELECT * EXCLUDE (n), unnest([first_at, last_at]) AS at, unnest([n, 0]) AS n FROM ({with_person(days)})) x
    LEFT JOIN calendar c ON c.schedule = x.schedule AND c.slot = time_bucket(INTERVAL 15 MINUTE, x.at)"""


def spans_of(sightings: str) -> str:
    """How far each source's log reaches."""
    return f"""SELECT source, min(first_at) AS first_at, max(last_at) AS last_at, sum(n)::BIGINT AS n
    FROM {sightings} GROUP BY source"""


def tenants_of(days: str) -> str:
    """How far the log of each tenant of each source reaches; of what names none, only the source's is known."""
    return f"""SELECT source, instance, min(first_at) AS first_at, max(last_at) AS last_at, sum(n)::BIGINT AS n
    FROM {days} WHERE instance IS NOT NULL GROUP BY source, instance"""


def tables(summaries: Mapping[str, str]) -> dict[str, str]:
    """What detectors read beside the events themselves, over relations of the summaries' rows."""
    return {
        "activity": activity_of("events"),
        "habits": with_clock(summaries["habits"]),
        "places": with_person(summaries["places"]),
        "spans": spans_of(summaries["sightings"]),
        "tenants": tenants_of(summaries["days"]),
    }


def at_once() -> dict[str, str]:
    """Relations of the summaries' rows, made of the view `events` when they are asked."""
    return {name: f"({made('events')})" for name, (_, made) in SUMMARIES.items()}


ACTIVITY_COLUMNS = (
    *EVENT_COLUMNS, "actor_key", "person", "who", "is_named", "is_service", "person_role", "team", "schedule",
    "local_date", "hour", "weekday", "is_holiday", "is_business_hours", "is_workday", *COMPUTED,
)  # fmt: skip
