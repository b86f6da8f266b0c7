"""What the report is about: each source with what its product documents, and where its times come from."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.period import Instant, instant
from reports.rows import Reader

NOT_DOCUMENTED = "not documented"
PRECISION = {"ms": "milliseconds", "s": "seconds", "min": "minutes", "day": "days"}
TZ_SOURCE = {
    "in_value": "the zone is in the value",
    "epoch": "a count since 1970 (UTC)",
    "configured": "local time, zone from the configuration",
    "assumed": "local time, zone assumed",
}
SAID = {
    "documentation": "Documentation",
    "retention": "Retention by the vendor",
    "logging": "Switching the log on and off",
    "permissions": "Who may read it",
    "entry_url": "Link to one entry",
    "notes": "Notes",
}


@dataclass(frozen=True)
class Source:
    id: str
    title: str
    about: tuple[tuple[str, str], ...]
    not_documented: tuple[str, ...]
    instances: tuple[str, ...]
    events: int
    actors: int
    first: Instant
    last: Instant
    retention: str
    legal_basis: str
    time_zone: str


@dataclass(frozen=True)
class TimeFact:
    """How many of one source's times were understood in one way."""

    source: str
    origin: str
    precision: str
    events: int
    assumed: bool


@dataclass(frozen=True)
class ClockChange:
    at: Instant
    before: int
    after: int


@dataclass(frozen=True)
class Times:
    zone: str
    zone_configured: bool
    hours: str
    hours_configured: bool
    holidays: str
    tzdata: str
    facts: tuple[TimeFact, ...]
    warnings: tuple[tuple[str, int], ...]
    clock_changes: tuple[ClockChange, ...]


def sources(reader: Reader, config: Any, mappings: Mapping[str, Any]) -> tuple[Source, ...]:
    """Every source with an entry in the period."""
    found = reader.rows(
        "SELECT source, sum(n)::BIGINT AS events, "
        "epoch_us(min(first_at)) AS first_us, epoch_us(max(last_at)) AS last_us, "
        "(SELECT count(*) FROM period_actors a WHERE a.source = s.source) AS actors, "
        "list_sort(list(DISTINCT instance) FILTER (instance IS NOT NULL)) AS instances "
        "FROM period_slots s GROUP BY source ORDER BY source"
    )
    return tuple(
        _source(row, config.sources.get(row["source"]), mappings.get(row["source"]), reader) for row in found
    )


def _source(row: dict[str, Any], settings: Any, mapping: Any, reader: Reader) -> Source:
    where = reader.period.since.zone
    about = mapping.about if mapping else {}
    said = [(label, " ".join(str(about.get(key) or NOT_DOCUMENTED).split())) for key, label in SAID.items()]
    first, last = instant(row["first_us"], where), instant(row["last_us"], where)
    assert first is not None and last is not None
    return Source(
        id=row["source"],
        title=mapping.title if mapping else row["source"],
        about=tuple((label, text) for label, text in said if text != NOT_DOCUMENTED),
        not_documented=tuple(label for label, text in said if text == NOT_DOCUMENTED and label != "Notes"),
        instances=tuple(row["instances"] or ()),
        events=row["events"],
        actors=row["actors"],
        first=first,
        last=last,
        retention=_kept(settings),
        legal_basis=getattr(settings, "legal_basis", None) or "not configured",
        time_zone=getattr(settings, "timezone", None) or "that of the organization, where a value has none",
    )


def _kept(settings: Any) -> str:
    """For how long events are active, and how much longer archived: an age, for nothing is moved."""
    if settings is None or settings.retention is None:
        return "not configured"
    return (
        f"{settings.retention}, {settings.archive} more as archived"
        if settings.archive
        else str(settings.retention)
    )


def times(reader: Reader, config: Any) -> Times:
    """Zones, precision and changes of the clock: what stands between a text in a file and an instant."""
    organization = config.organization
    facts = reader.rows(
        "SELECT source, tz_source, time_precision, sum(n)::BIGINT AS n FROM period_slots GROUP BY ALL ORDER BY ALL"
    )
    warned = reader.one("SELECT coalesce(sum(warnings), 0) AS n FROM period_slots")["n"]
    return Times(
        zone=organization.timezone,
        zone_configured=organization.timezone_configured,
        hours=organization.business_hours,
        hours_configured=organization.hours_configured,
        holidays=_holidays(organization.holidays),
        tzdata=importlib.metadata.version("tzdata"),
        facts=tuple(
            TimeFact(
                row["source"],
                TZ_SOURCE.get(row["tz_source"], row["tz_source"] or "not known"),
                PRECISION.get(row["time_precision"], row["time_precision"] or "not known"),
                row["n"],
                row["tz_source"] == "assumed",
            )
            for row in facts
        ),
        warnings=tuple((row["warning"], row["n"]) for row in (reader.rows(_WARNINGS) if warned else ())),
        clock_changes=_clock_changes(reader),
    )


_WARNINGS = """SELECT warning, count(*) AS n FROM (SELECT unnest(parse_warnings) AS warning FROM counted_events
    WHERE occurred_at >= $since AND occurred_at < $until) GROUP BY ALL ORDER BY ALL"""


def _holidays(holidays: Any) -> str:
    if holidays is None:
        return "none configured"
    return holidays if isinstance(holidays, str) else ", ".join(str(day) for day in holidays)


def _clock_changes(reader: Reader) -> tuple[ClockChange, ...]:
    rows = reader.rows(
        "SELECT epoch_us(slot) AS us, before, utc_offset_minutes AS after FROM (SELECT slot, utc_offset_minutes, "
        "lag(utc_offset_minutes) OVER (ORDER BY slot) AS before FROM calendar WHERE schedule = 'organization') "
        "WHERE before <> utc_offset_minutes AND slot >= $since AND slot < $until ORDER BY slot"
    )
    where = reader.period.since.zone
    return tuple(
        ClockChange(at, row["before"], row["after"])
        for row in rows
        if (at := instant(row["us"], where)) is not None
    )
