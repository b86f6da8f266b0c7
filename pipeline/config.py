"""auditbook.toml -> one frozen Config. Read before anything is loaded; every stage takes from it what it needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pipeline import geography
from pipeline.config_file import check, own_folder, read_file, with_picture
from pipeline.limits import Limits
from pipeline.secret import Kept
from pipeline.signing import Signing

DEFAULT_TIMEZONE = "UTC"
DEFAULT_HOURS = "Mon-Fri 08:00-18:00"

Dated = TypeVar("Dated")


@dataclass(frozen=True)
class Organization:
    """Whose logs these are, and when its people work."""

    name: str | None = None
    timezone: str = DEFAULT_TIMEZONE
    timezone_configured: bool = False
    business_hours: str = DEFAULT_HOURS
    hours_configured: bool = False
    holidays: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceSettings:
    """How one source's local times are read, and what is said about keeping its data."""

    timezone: str | None = None
    day_first: bool | None = None
    retention: str | None = None
    archive: str | None = None
    legal_basis: str | None = None
    redact: bool = False
    instance: str | None = None


@dataclass(frozen=True)
class DetectorSettings:
    """What the config changes about one detector."""

    enabled: bool = True
    severity: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Suppression:
    """Findings that somebody answers for, until a day (that day included)."""

    detector: str
    owner: str
    reason: str
    until: date
    actor: str | None = None
    source: str | None = None


@dataclass(frozen=True)
class Privacy(Kept):
    """Whom outputs are for when no --audience says so, more names of secret fields, where the pseudonyms' key is."""

    audience: str = "internal"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hours:
    """What a team or a person has of its own; None is what the organization has."""

    timezone: str | None = None
    business_hours: str | None = None
    holidays: tuple[str, ...] | None = None

    @property
    def own(self) -> bool:
        return not (self.timezone is None and self.business_hours is None and self.holidays is None)


@dataclass(frozen=True)
class Team(Hours):
    """People who work the same hours."""

    id: str = ""


@dataclass(frozen=True)
class Person(Hours):
    """One human or service, whatever the sources call it."""

    id: str = ""
    name: str | None = None
    aliases: tuple[str, ...] = ()
    team: str | None = None
    role: str | None = None
    service: bool = False
    left_on: date | None = None


@dataclass(frozen=True)
class Looks:
    """How documents look: their title, who may read them, a picture (as a data: address), a colour and the paper."""

    title: str | None = None
    classification: str | None = None
    logo: str | None = None
    accent: str | None = None
    paper: str = "A4"


@dataclass(frozen=True)
class Config:
    """Everything that can be set."""

    organization: Organization = field(default_factory=Organization)
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    detectors: Mapping[str, DetectorSettings] = field(default_factory=dict)
    suppressions: tuple[Suppression, ...] = ()
    actors: tuple[Person, ...] = ()
    teams: tuple[Team, ...] = ()
    load: Limits = field(default_factory=Limits)
    places: tuple[geography.Database, ...] = ()
    # What follows says nothing about the outcome: places of keys, who is told, what is shown. No part of to_dict.
    signing: Signing = field(default_factory=Signing)
    privacy: Privacy = field(default_factory=Privacy)
    log_reads: bool = False
    keep_originals: bool = False
    # Questions under a name: what each asks.
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    report: Looks = field(default_factory=Looks)
    # Folders of the user's own, which win over ours; places, so no part of to_dict.
    mappings: Path | None = None
    rules: Path | None = None

    def source(self, name: str) -> SourceSettings:
        return self.sources.get(name, SourceSettings())

    def detector(self, name: str) -> DetectorSettings:
        return self.detectors.get(name, DetectorSettings())

    def schedule_of(self, person: Person) -> str:
        """The name of the schedule in `calendar` that a person works by."""
        if person.own:
            return person.id
        teams = {team.id for team in self.teams if team.own}
        return f"team:{person.team}" if person.team in teams else "organization"


def read(path: Path | None) -> Config:
    """The config of a file, or the defaults."""
    return Config() if path is None else _config(read_file(path), path)


def from_dict(values: Mapping[str, Any]) -> Config:
    """The config of a dictionary shaped like the file; checked in the same way."""
    return _config(check(values))


def recorded(values: Mapping[str, Any]) -> Config:
    """The config that a commit keeps: it was checked when it was recorded, by the version that recorded it."""
    return _config(dict(values))


def to_dict(config: Config) -> dict[str, Any]:
    """The same config in canonical form: what was set and nothing else, the order of tables and keys settled."""
    own = config.organization
    organization = {name: value for name, value in _set(own).items() if name in ("name", "holidays")}
    if own.timezone_configured:
        organization["timezone"] = own.timezone
    if own.hours_configured:
        organization["business_hours"] = own.business_hours
    parts: dict[str, Any] = {
        "organization": organization,
        "load": _set(config.load),
        "places": {"mmdb": [one.sha256 for one in config.places]} if config.places else {},
        "report": _set(config.report),
        "sources": {name: _set(settings) for name, settings in sorted(config.sources.items())},
        "detectors": {name: _detector(settings) for name, settings in sorted(config.detectors.items())},
        "suppressions": [_set(suppression) for suppression in config.suppressions],
        "actors": {p.id: _set(p, without="id") for p in sorted(config.actors, key=lambda p: p.id)},
        "teams": {t.id: _set(t, without="id") for t in sorted(config.teams, key=lambda t: t.id)},
    }
    return {key: value for key, value in sorted(parts.items()) if value}


def config_sha256(config: Config) -> str:
    """What a configuration is known by."""
    text = json.dumps(to_dict(config), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _config(values: dict[str, Any], path: Path | None = None) -> Config:
    sources, detectors = values.get("sources", {}), values.get("detectors", {})
    return Config(
        organization=_organization(values.get("organization", {})),
        sources={name: SourceSettings(**given) for name, given in sources.items() if name != "path"},
        mappings=own_folder(sources, path),
        detectors={name: _settings(given) for name, given in detectors.items() if name != "path"},
        rules=own_folder(detectors, path),
        suppressions=tuple(_dated(Suppression, given, "until") for given in values.get("suppressions", [])),
        actors=tuple(_person(name, given) for name, given in values.get("actors", {}).items()),
        load=Limits(**values.get("load", {})),
        places=geography.databases(values.get("places", {}), path),
        signing=Signing(**_tuples(values.get("signing", {}))),
        privacy=Privacy(**_tuples(values.get("privacy", {}))),
        log_reads=values.get("audit", {}).get("log_reads", False),
        keep_originals=values.get("originals", {}).get("keep", False),
        presets=values.get("presets", {}),
        report=Looks(**with_picture(values.get("report", {}), path)),
        teams=tuple(Team(id=name, **_hours(given)) for name, given in values.get("teams", {}).items()),
    )


def _organization(given: dict[str, Any]) -> Organization:
    return Organization(
        name=given.get("name"),
        timezone=given.get("timezone", DEFAULT_TIMEZONE),
        timezone_configured="timezone" in given,
        business_hours=given.get("business_hours", DEFAULT_HOURS),
        hours_configured="business_hours" in given,
        holidays=_items(given.get("holidays", [])),
    )


def _settings(given: dict[str, Any]) -> DetectorSettings:
    parameters = {key: value for key, value in sorted(given.items()) if key not in ("enabled", "severity")}
    return DetectorSettings(given.get("enabled", True), given.get("severity"), parameters)


def _person(name: str, given: dict[str, Any]) -> Person:
    values = {**_hours(given), "aliases": tuple(given.get("aliases", [])), "id": name}
    return _dated(Person, values, "left_on")


def _hours(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "holidays": _items(given["holidays"]) if "holidays" in given else None}


def _tuples(given: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _items(holidays: str | list[str]) -> tuple[str, ...]:
    return (holidays,) if isinstance(holidays, str) else tuple(holidays)


def _dated(kind: type[Dated], given: dict[str, Any], key: str) -> Dated:
    return kind(**{**given, **({key: date.fromisoformat(given[key])} if given.get(key) else {})})


def _detector(settings: DetectorSettings) -> dict[str, Any]:
    return {**_set(settings, without="parameters"), **settings.parameters}


def _set(record: Any, without: str = "") -> dict[str, Any]:
    """The fields of a record that differ from their defaults, as JSON has them."""
    found = {}
    for part in fields(record):
        value = getattr(record, part.name)
        if part.name == without or value is None or value == part.default:
            continue
        found[part.name] = (
            value.isoformat()
            if isinstance(value, date)
            else list(value)
            if isinstance(value, tuple)
            else value
        )
    return found
